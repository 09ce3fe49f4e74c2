"""A new catalog from the objects, also beside live writers.

    1  prove the newest checkpoint; restore the log's rows and all others: writers go on working
    2  put the new catalog in charge: from here on no other one acknowledges anything
    3  restore once more what came, changed or went meanwhile
    4  log the succession and finish, in one transaction

Step 3 sees whatever was acknowledged, since each change asks who is in charge after its objects are durable. Each step
may be repeated: a rebuild that was killed goes on with what is still to do.
"""

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

from attrs import evolve, frozen
from sqlalchemy import Connection, Table, delete, func, insert, select

from kelarec.audit import succession
from kelarec.audit.entries import Entry, EntryKind
from kelarec.audit.integrator import Integrator, TreeHead
from kelarec.audit.log import AuditLog
from kelarec.audit.log_rows import COLUMNS, LOG, open_entry
from kelarec.audit.restore import (
    EntryRow,
    iter_payload_rows,
    iter_segments,
    iter_unsigned,
    list_payloads,
    prove_head,
    read_leaves,
    read_segment,
)
from kelarec.domain.people import Actor
from kelarec.domain.staff_acts import Act
from kelarec.errors import CatalogError, DeniedError, IntegrityError, KeyUnavailableError
from kelarec.oversight.difference import Difference
from kelarec.oversight.settlement import KINDS_WITH_ROWS, Settlement, Unlogged
from kelarec.oversight.subjects import iter_batches
from kelarec.retention.closing import restore_closed_dates
from kelarec.storage import catalog_tables as tables
from kelarec.storage.bulk import Bulk, Progress, Reopen, ShowProgress, open_bulk
from kelarec.storage.engine import (
    begin_catalog,
    find_catalog_fact,
    finish_catalog,
    put_catalog_fact,
    require_own,
    wait_for_writers,
)
from kelarec.storage.recordings import from_microseconds
from kelarec.storage.registers import Registers
from kelarec.storage.vault import Vault

_SUCCEEDS: Final = "succeeds"
_NONE: Final = "none"


@frozen(kw_only=True)
class Rebuilt:
    """What a rebuild did.

    Attributes:
        catalog_id: The id of the new catalog.
        succeeds: The id of the one before, which is refused from now on; None if nothing named it.
        counts: How many rows there are, by table of the kinds of objects.
        log_entries: How many entries the proven tree holds.
        waiting: How many entries were found that the tree did not hold yet.
        adopted: How many versions stand of which no entry tells; the log tells of them from now on.
        lost_from: The instant from which log entries may be lost: that of the last one in the tree. None if the tree
            was empty.
        lost_until: The instant up to which: when the new catalog took over. None if none is lost, since the former
            catalog could be read. Nothing but log entries and sessions is ever lost.
        differences: What could not be told apart for sure, or does not open.
    """

    catalog_id: str
    succeeds: str | None
    counts: dict[str, int]
    log_entries: int
    waiting: int
    adopted: int
    lost_from: datetime | None
    lost_until: datetime | None
    differences: tuple[Difference, ...]


def rebuild_catalog(
    vault: Vault,
    registers: Registers,
    *,
    by: Actor,
    executor: Executor | None,
    reopen: Reopen | None,
    progress: ShowProgress | None,
    former: Vault | None = None,
) -> Rebuilt:
    """Rebuild the catalog of a vault, which is empty or holds a rebuild that was broken off; see `Rebuild.run`.

    Raises:
        ArchiveExistsError: There is a whole catalog already.
    """
    begin_catalog(vault.database, catalog_id=str(vault.new_id()), archive_id=str(vault.archive_id))
    require_own(vault.database, archive_id=str(vault.archive_id), is_finished=False)
    log = AuditLog(vault, registers)
    try:
        with open_bulk(vault, executor, reopen) as bulk:
            return Rebuild(vault, registers, log, bulk, progress).run(by, former)
    finally:
        log.abandon()


class Rebuild:
    """One rebuild, into a catalog that is there and not finished."""

    def __init__(
        self, vault: Vault, registers: Registers, log: AuditLog, bulk: Bulk, show: ShowProgress | None = None
    ) -> None:
        self._vault = vault
        self._registers = registers
        self._log = log
        self._integrator = Integrator(vault)
        self._bulk = bulk
        self._show = show or (lambda _: None)
        self._settlement = Settlement(vault, bulk, self._show)

    def run(self, by: Actor, former: Vault | None = None) -> Rebuilt:
        """Do it.

        Args:
            by: Who rebuilds.
            former: With the catalog before, if it can still be read: what waits there for the tree is taken over too.

        Raises:
            DeniedError: A staff member without a role that grants it; no other catalog lost its charge.
            IntegrityError: The log does not prove itself.
            CatalogMismatchError: Another rebuild has taken over meanwhile.
            CatalogError: Another process finished this very rebuild, or the database refuses.
        """
        self._restore_log()
        self._settlement.settle()
        clause = self._log.find_clause_against(by, Act.REBUILD)
        if clause is not None:
            raise DeniedError(
                f"{by} may not {Act.REBUILD.value}: {clause}.", clause=clause, advice="Nothing was taken over."
            )
        lost_until = self._take_over()
        self._settlement.differences.clear()
        head = self._restore_log()
        waiting = self._restore_waiting(head, former)
        self._settlement.settle()
        return self._finish(by, head, waiting, None if former is not None else lost_until)

    def _take_over(self) -> datetime:
        with self._vault.database.begin() as connection:
            own = find_catalog_fact(connection, "catalog") or ""
        former = None
        with suppress(IntegrityError):  # a damaged name of the former catalog is no name
            former = succession.find_in_charge(self._vault.objects)
        if former != own:
            with self._vault.database.begin() as connection:
                put_catalog_fact(connection, _SUCCEEDS, former or _NONE)
            succession.take_over(self._vault.objects, own)
        return self._vault.now()

    # The log

    def _restore_log(self) -> TreeHead | None:
        head = prove_head(self._vault, self._integrator)
        size = 0 if head is None else head.checkpoint.size
        entries = tables.entries.c
        with self._vault.database.begin() as connection:
            done = connection.execute(select(func.coalesce(func.max(entries.leaf_index) + 1, 0))).scalar_one()
        segments = iter_segments(list_payloads(self._vault.objects), done, size)
        work = partial(read_segment, registers=self._registers.versions)
        for rows in self._bulk.run(work, segments):
            with self._vault.database.begin() as connection:
                connection.execute(delete(tables.entries).where(entries.leaf_index.between(done, done + len(rows) - 1)))
                connection.execute(insert(tables.entries), rows)
            done += len(rows)
            self._show(Progress("log", done))
        return head

    def _restore_waiting(self, head: TreeHead | None, former: Vault | None) -> int:
        """Put back what the tree does not hold yet, and remove what was written beyond its newest checkpoint."""
        size = 0 if head is None else head.checkpoint.size
        beyond = [payload for payload in list_payloads(self._vault.objects) if payload.stop > size]
        in_tree = set(read_leaves(self._vault.objects, min((each.start for each in beyond), default=size), size))
        found = {row["id"]: row for payload in beyond for row in iter_payload_rows(self._vault, payload)}
        if former is not None:
            found.update((row["id"], row) for row in _read_beyond(former, size))
        waiting = sorted(
            (row for row in found.values() if row["leaf"] not in in_tree), key=lambda row: (row["at"], row["id"])
        )
        with self._vault.database.begin() as connection:
            in_place = select(tables.entries.c.id)
            connection.execute(delete(tables.waiting).where(tables.waiting.c.id.in_(in_place)))
            for batch in iter_batches(waiting):
                known = connection.execute(select(LOG.c.id).where(LOG.c.id.in_([row["id"] for row in batch])))
                held = set(known.scalars())
                if fresh := [row for row in batch if row["id"] not in held]:
                    connection.execute(insert(tables.waiting), fresh)
        for path in list(iter_unsigned(self._vault.objects, size)):
            self._vault.objects.delete(path)
        if head is not None:
            self._integrator.adopt(head)
        return len(waiting)

    def _finish(self, by: Actor, head: TreeHead | None, waiting: int, lost_until: datetime | None) -> Rebuilt:
        restore_closed_dates(self._vault, self._log)
        unlogged = [self._adopt(each, by) for each in self._settlement.iter_unlogged()]
        with self._vault.database.begin() as connection:
            counts = {kind.tables[0][0].name: _count(connection, kind.tables[0][0]) for kind in KINDS_WITH_ROWS}
            newest = connection.execute(select(func.max(tables.entries.c.at))).scalar_one()
            own = find_catalog_fact(connection, "catalog") or ""
            succeeds = find_catalog_fact(connection, _SUCCEEDS)
        rebuilt = Rebuilt(
            catalog_id=own,
            succeeds=None if succeeds in {None, _NONE} else succeeds,
            counts=counts,
            log_entries=0 if head is None else head.checkpoint.size,
            waiting=waiting,
            adopted=len(unlogged),
            lost_from=None if newest is None or lost_until is None else from_microseconds(newest),
            lost_until=lost_until,
            differences=tuple(self._settlement.differences.values()),
        )
        entry = evolve(self._log.new_entry(EntryKind.CATALOG_REBUILT, by), facts=_to_facts(rebuilt))
        with self._log.transaction(entry) as connection:
            for each in unlogged:
                self._log.append(connection, each)
            if not finish_catalog(connection):
                raise CatalogError("Another process finished this rebuild.", advice="Open the archive.")
        return rebuilt

    def _adopt(self, unlogged: Unlogged, by: Actor) -> Entry:
        recording_id = UUID(unlogged.name) if unlogged.kind.log_fact is None else None
        facts = {} if unlogged.kind.log_fact is None else {unlogged.kind.log_fact: unlogged.name}
        entry = self._log.new_entry(EntryKind.VERSION_ADOPTED, by, recording_id=recording_id)
        return evolve(entry, facts={**facts, "record-sha256": unlogged.sha256})


def _read_beyond(former: Vault, size: int) -> Iterator[EntryRow]:
    """Go through the entries that a catalog holds and the tree does not, save those that do not open."""
    rows: list[EntryRow] = []
    with former.database.begin() as connection:
        wait_for_writers(connection, tables.waiting)
        for table in (tables.entries, tables.waiting):
            wanted = select(*(table.c[name] for name in COLUMNS))
            if table is tables.entries:
                wanted = wanted.where(table.c.leaf_index >= size)
            rows += [dict(row) for row in connection.execute(wanted).mappings()]
    for row in rows:
        with suppress(KeyUnavailableError, IntegrityError):
            open_entry(former, row)
            yield row


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _to_facts(rebuilt: Rebuilt) -> dict[str, str]:
    return {
        "catalog": rebuilt.catalog_id,
        "succeeds": rebuilt.succeeds or _NONE,
        "log-entries": str(rebuilt.log_entries),
        "waiting": str(rebuilt.waiting),
        "adopted": str(rebuilt.adopted),
        "lost-from": _NONE if rebuilt.lost_from is None else rebuilt.lost_from.isoformat(),
        "lost-until": _NONE if rebuilt.lost_until is None else rebuilt.lost_until.isoformat(),
        "differences": str(len(rebuilt.differences)),
        **{table.replace("_", "-"): str(count) for table, count in rebuilt.counts.items()},
    }
