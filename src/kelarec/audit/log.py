"""The log: entries written in the transaction of the change they tell of, read by those whose role grants it."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Select, func, insert, select

from kelarec.audit import succession
from kelarec.audit.background import Background
from kelarec.audit.consultations import CONSULTING
from kelarec.audit.entries import Entry, EntryKind
from kelarec.audit.integrator import Integrator, TreeHead, Witness
from kelarec.audit.leaf import commit
from kelarec.audit.log_rows import DEAD_KEYS, LOG, OLDEST_FIRST, entry_context, open_entry, select_entries
from kelarec.audit.newest import find_newest_leaf, find_newest_row
from kelarec.domain.instants import helsinki_date, to_utc
from kelarec.domain.people import Actor, System
from kelarec.domain.session_terms import SessionTerms
from kelarec.domain.staff_acts import Act
from kelarec.errors import DeniedError, DirectoryError, InvalidValueError, KelarecError
from kelarec.storage import catalog_tables as tables
from kelarec.storage.compiled import insert_now
from kelarec.storage.engine import read_catalog_fact
from kelarec.storage.recordings import microseconds
from kelarec.storage.registers import Registers
from kelarec.storage.staff_directory import StaffDirectory
from kelarec.storage.vault import Vault
from kelarec.storage.wrapping import wrap

LONGEST_WAIT: Final = timedelta(seconds=10)
_MOST_TRIES: Final = 5
_TRIES_AT_END: Final = 50
_PAUSE_AT_END: Final = 0.1
_INSERT: Final = insert(tables.waiting).inline()  # nobody asks for the position, so no server has to return it

_OLDEST_WAITING: Final = select(func.min(tables.waiting.c.at))
_Done = TypeVar("_Done")


class AuditLog:
    """The log of one archive."""

    def __init__(self, vault: Vault, registers: Registers, witnesses: Sequence[Witness] = ()) -> None:
        self._vault = vault
        self._integrator = Integrator(vault, witnesses)
        self._tries = 0
        self._left: deque[Entry] = deque()
        self._background = Background(self._integrate_behind)
        self._registers = registers
        self._staff = StaffDirectory(vault)
        self._catalog_id = ""

    def new_entry(
        self,
        kind: EntryKind,
        by: Actor,
        *,
        recording_id: UUID | None = None,
        terms: SessionTerms | None = None,
        **facts: str,
    ) -> Entry:
        """Build an entry about now."""
        return Entry(
            id=self._vault.new_id(),
            kind=kind,
            at=self._vault.now(),
            actor=str(by),
            recording_id=recording_id,
            session_id=None if terms is None else terms.id,
            purpose=None if terms is None else terms.purpose,
            matter=None if terms is None else terms.matter,
            facts={name.replace("_", "-"): text for name, text in facts.items()},
        )

    def append(self, connection: Connection, entry: Entry) -> None:
        """Write an entry in a transaction; it is there if and only if the rest of the transaction is.

        Whatever the entry tells of is durable in the objects before.

        Raises:
            CatalogMismatchError: Another catalog has taken over; the transaction must not be committed.
        """
        ends_on = self._registers.in_force(entry.at).log_retention.last_day(entry.at)
        key = self._vault.keyring.get_or_make(ends_on, self._vault.now()).wrapping
        committed = commit(entry, self._vault.randomness)
        payload = wrap(key, committed.secret, entry_context(self._vault, entry.id), self._vault.randomness)
        insert_now(
            connection,
            _INSERT,
            {
                "id": entry.id.bytes,
                "kind": entry.kind.value,
                "at": microseconds(entry.at),
                "ends_on": ends_on.toordinal(),
                "actor": entry.actor,
                "recording_id": None if entry.recording_id is None else entry.recording_id.bytes,
                "session_id": None if entry.session_id is None else entry.session_id.bytes,
                "purpose": entry.purpose,
                "payload": payload.encode(),
                "leaf": committed.leaf,
            },
        )
        self._require_in_charge(connection)

    def require_in_charge(self) -> None:
        """Check that this catalog may still change the archive.

        Raises:
            CatalogMismatchError: Another catalog has taken over.
        """
        with self._vault.database.begin() as connection:
            self._require_in_charge(connection)

    def _require_in_charge(self, connection: Connection) -> None:
        if not self._catalog_id:  # never asked again: the catalog that was opened is the one that has to be in charge
            self._catalog_id = read_catalog_fact(connection, "catalog")
        succession.require_in_charge(self._vault.objects, self._catalog_id)

    @contextmanager
    def or_discard(self, discard: Callable[[], object]) -> Iterator[None]:
        """Run a block, and discard what it has written if it fails.

        If another catalog takes over meanwhile nothing is discarded: that one may have counted the objects in already.

        Raises:
            CatalogMismatchError: Another catalog has taken over before; the block was not run.
            ClosedError, ForkedError: See `Database.require_usable`.
        """
        self._vault.database.require_usable()
        if self._catalog_id:
            succession.require_in_charge(self._vault.objects, self._catalog_id)
        try:
            yield
        except BaseException:
            if self._is_in_charge():
                discard()
            raise

    def _is_in_charge(self) -> bool:
        try:
            return succession.find_in_charge(self._vault.objects) in {self._catalog_id, None}
        except KelarecError:  # it cannot be told, so nothing is discarded
            return False

    @contextmanager
    def transaction(self, entry: Entry) -> Iterator[Connection]:
        """Run one change and write its entry with it: both durable at the end of the block, or neither.

        Raises:
            CatalogError: The catalog refuses; nothing was changed.
        """
        left = [self._left.popleft() for _ in range(len(self._left))]
        try:
            with self._vault.database.begin() as connection:
                yield connection
                for each in (*left, entry):
                    self.append(connection, each)
        except BaseException:
            self._left.extendleft(reversed(left))
            raise
        self.wake()

    def _integrate_behind(self) -> None:
        self._write_left()
        if self._integrator.integrate(is_urgent=False) is not None or not self.count_waiting():
            self._tries = 0
        elif self._tries < _MOST_TRIES:  # somebody else is at it or has just been: what waits still may be mine alone
            self._tries += 1
            self.wake()

    def wake(self) -> None:
        """See to it that what was appended is in the tree soon; `transaction` and `write` do it by themselves."""
        self._background.wake()

    def begin(self) -> None:
        """Make the log of a new archive."""
        self._integrator.begin_log()

    def abandon(self) -> None:
        """Do no more in the background; what waits is left."""
        self._background.stop()

    def close(self) -> None:
        """Bring what waits into the tree, and do no more in the background."""
        self.abandon()
        self._write_left()
        for _ in range(_TRIES_AT_END):
            if self._integrator.integrate() is not None or not self.count_waiting():
                return
            time.sleep(_PAUSE_AT_END)  # another process is at it, and what waits may have come after it looked

    def integrate(self) -> TreeHead | None:
        """Bring what waits into the tree now; return the newest checkpoint, or None if another process is at it.

        Raises:
            ClockError: A clock ran backwards by more than a minute while an integrator was at work.
            CatalogMismatchError: Another catalog numbers this archive's entries.
            ForkedLogError: The log in the archive is another history than the catalog's.
            IntegrityError: The newest checkpoint or a tile was altered.
            StorageError: A place refuses; the entries wait for the next try.
        """
        return self._integrator.integrate()

    @property
    def vkey(self) -> str:
        """The public key of the log as a C2SP verifier key, for `verify.py` and for witnesses."""
        return self._integrator.vkey

    @property
    def is_witnessed(self) -> bool:
        """Whether somebody outside keeps the checkpoints, as far as this process knows."""
        return self._integrator.is_witnessed

    def find_checkpoint_size(self) -> int | None:
        """Return how many entries the newest checkpoint covers, or None before the first.

        Raises:
            IntegrityError: It is not one that this archive signed.
            StorageError: The objects do not answer.
        """
        head = self._integrator.find_head()
        return None if head is None else head.checkpoint.size

    def require_current(self) -> None:
        """Integrate entries that have waited for more than ten seconds: nothing goes on over a log that stands still.

        Raises:
            ClockError, CatalogMismatchError, ForkedLogError, IntegrityError, StorageError: As `integrate`.
        """
        self.run_when_current(lambda _: None)

    def run_when_current(self, work: Callable[[Connection], _Done]) -> _Done:
        """Run one transaction over a log that does not stand still; integrate before it what has waited too long.

        Raises:
            ClockError, CatalogMismatchError, ForkedLogError, IntegrityError, StorageError: As `integrate`.
        """
        with self._vault.database.begin() as connection:
            oldest = connection.execute(_OLDEST_WAITING).scalar_one()
            if oldest is None or oldest >= microseconds(self._vault.now() - LONGEST_WAIT):
                return work(connection)
        self._integrator.integrate()
        with self._vault.database.begin() as connection:
            return work(connection)

    def count_waiting(self) -> int:
        """Return how many entries are not yet under a signed checkpoint's tree."""
        with self._vault.database.begin() as connection:
            return int(connection.execute(select(func.count()).select_from(tables.waiting)).scalar_one())

    def write(self, entry: Entry) -> None:
        """Write an entry that tells of no change in the catalog, such as a grant or a denial.

        Raises:
            CatalogError: The entry is not durable, so what it tells of must not happen.
        """
        with self.transaction(entry):
            pass

    def write_later(self, entry: Entry) -> None:
        """Keep an entry for the next transaction of this log; for what is told where no transaction may be begun.

        Raises:
            InvalidValueError: It is none, and would stop every transaction after it.
        """
        if not isinstance(entry, Entry):
            raise InvalidValueError("What is to be logged later is no log entry.", advice="Build it with new_entry.")
        self._left.append(entry)

    def write_soon(self, entry: Entry) -> None:
        """Keep an entry for the next transaction of this log, and see to it that there is one within two seconds.

        For what was told in the main by an entry that is durable already; what reads the log here finds it at once.

        Raises:
            InvalidValueError: See `write_later`.
        """
        self.write_later(entry)
        self.wake()

    def _write_left(self) -> None:
        with suppress(IndexError):
            while True:
                self.write(self._left.popleft())

    def deny(self, entry: Entry, happened: str, *, clause: str, advice: str = "") -> DeniedError:
        """Write a denial and return the error to raise."""
        self.write(entry)
        return DeniedError(happened, clause=clause, advice=advice)

    def require_may(self, by: Actor, act: Act) -> None:
        """Check that a system or staff member may make a change, and log it if not.

        Raises:
            DeniedError: The staff member is unknown, has no commitment in force, or no role that grants it.
            DirectoryError: The directory of staff cannot be asked, so it is refused; the refusal is in the log.
        """
        try:
            clause = self.find_clause_against(by, act)
        except DirectoryError:
            self.write(self.new_entry(EntryKind.DENIED, by, act=act.value, clause="directory"))
            raise
        if clause is not None:
            entry = self.new_entry(EntryKind.DENIED, by, act=act.value, clause=clause)
            advice = "Ask someone whose role grants it and whose commitment is in force; the denial is in the log."
            raise self.deny(entry, f"{by} may not {act.value}: {clause}.", clause=clause, advice=advice)

    def find_clause_against(self, by: Actor, act: Act) -> str | None:
        """Return the clause that keeps somebody from an act, or None if they may do it; nothing is logged.

        Raises:
            DirectoryError: The directory of staff cannot be asked.
        """
        if isinstance(by, System):
            return None
        find_member = self._staff.ask(by)
        with self._vault.database.begin() as connection:
            member = find_member(connection)
        if member is None:
            return "known-staff"
        if not any(each.is_in_force(helsinki_date(self._vault.now())) for each in member.commitments):
            return "commitment"
        register = self._registers.now()
        roles = (register.find_role(code) for code in member.roles)
        return None if any(role is not None and act in role.acts for role in roles) else "role"

    def iter_entries(
        self,
        *,
        by: Actor,
        recording_id: UUID | None = None,
        actor: Actor | None = None,
        purpose: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[Entry]:
        """Go through the log, oldest entry first; that it was read is itself an entry, the last one.

        Entries whose payload has ended or was erased are left out: they tell no longer whom they concern.

        Args:
            by: Who reads.
            recording_id: Only what was done to one recording.
            actor: Only what one staff member or system did.
            purpose: Only what was done for one purpose.
            since: Only from an instant on.
            until: Only before an instant.

        Raises:
            DeniedError: The reader's role does not grant it.
            IntegrityError: An entry was altered.
        """
        self.require_may(by, Act.READ_LOG)
        self.write(self.new_entry(EntryKind.LOG_READ, by))
        return self._iter_chosen(
            select_entries(recording_id=recording_id, actor=actor, purpose=purpose, since=since, until=until)
        )

    def get_uses(self, recording_ids: Iterable[UUID]) -> tuple[Entry, ...]:
        """Return the entries that tell of a use of some recordings, oldest first, for those who were allowed to ask.

        Raises:
            IntegrityError: An entry was altered.
        """
        self._write_left()
        ids = [each.bytes for each in recording_ids]
        kinds = sorted(kind.value for kind in CONSULTING)
        return tuple(self._iter_chosen(select(LOG).where(LOG.c.recording_id.in_(ids), LOG.c.kind.in_(kinds))))

    def _iter_chosen(self, wanted: Select[Any]) -> Iterator[Entry]:
        with self._vault.database.begin() as connection:
            rows = connection.execute(wanted.order_by(*OLDEST_FIRST)).mappings().all()
        return (self.open_payload(row) for row in rows)

    def find_newest_at(self) -> datetime | None:
        """Return the time of the newest entry, be it the catalog's or the last under the newest signed checkpoint.

        Raises:
            IntegrityError: The newest checkpoint or its last entry was altered.
        """
        with self._vault.database.begin() as connection:
            row = find_newest_row(connection)
        leaf = find_newest_leaf(self._vault, self._integrator)
        return max((each for each in (row, leaf) if each is not None), default=None)

    def get_rows_of_dead_keys(self, since: datetime) -> Sequence[Any]:
        """Return the rows of entries since an instant that tell of destroyed keys or leaves, for `open_payload`."""
        at = {"since": microseconds(to_utc(since))}
        with self._vault.database.begin() as connection:
            return connection.execute(DEAD_KEYS, at).mappings().all()

    def open_payload(self, row: Any) -> Entry:  # noqa: ANN401  a mapping of the driver's types
        """Return the entry of a row of the catalog; see `open_entry`."""
        return open_entry(self._vault, row)
