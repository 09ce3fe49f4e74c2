"""The log: entries written in the transaction of the change they tell of, read by those whose role grants it."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Select, func, insert, literal, select, text, union_all

from kelarec.audit.background import Background
from kelarec.audit.consultations import CONSULTING
from kelarec.audit.entries import Entry, EntryKind
from kelarec.audit.integrator import Integrator, TreeHead, Witness
from kelarec.audit.leaf import commit, open_commitment
from kelarec.domain.access_rule import SessionTerms
from kelarec.domain.instants import helsinki_date, to_utc
from kelarec.domain.people import Actor, StaffId, System
from kelarec.domain.register import Register
from kelarec.domain.staff_acts import Act
from kelarec.errors import DeniedError, IntegrityError
from kelarec.storage import catalog_tables as tables
from kelarec.storage.compiled import insert_now
from kelarec.storage.recordings import microseconds
from kelarec.storage.staff_directory import StaffDirectory
from kelarec.storage.vault import Vault
from kelarec.storage.wrapping import unwrap, wrap

LONGEST_WAIT: Final = timedelta(seconds=10)
_MOST_TRIES: Final = 5
_TRIES_AT_END: Final = 50
_PAUSE_AT_END: Final = 0.1
_COLUMNS: Final = [column.name for column in tables.waiting.c if column.name != "position"]
_INSERT: Final = insert(tables.waiting).inline()  # nobody asks for the position, so no server has to return it

# What is in the tree and what waits for it, in one statement: nothing can move from one to the other meanwhile.
_HALVES: Final = tuple(
    select(literal(is_waiting).label("is_waiting"), place.label("place"), *(table.c[name] for name in _COLUMNS))
    for is_waiting, table, place in (
        (0, tables.entries, tables.entries.c.leaf_index),
        (1, tables.waiting, tables.waiting.c.position),
    )
)
_LOG: Final = union_all(*_HALVES).subquery("log")


class AuditLog:
    """The log of one archive."""

    def __init__(self, vault: Vault, register: Register, witnesses: Sequence[Witness] = ()) -> None:
        self._vault = vault
        self._integrator = Integrator(vault, witnesses)
        self._tries = 0
        self._background = Background(self._integrate_behind)
        self._register = register
        self._staff = StaffDirectory(vault)

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
        """Write an entry in a transaction; it is there if and only if the rest of the transaction is."""
        ends_on = self._register.log_retention.last_day(entry.at)
        key = self._vault.keyring.get_or_make(ends_on, self._vault.now()).wrapping
        committed = commit(entry, self._vault.randomness)
        payload = wrap(key, committed.secret, self._context(entry.id), self._vault.randomness)
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

    @contextmanager
    def transaction(self, entry: Entry) -> Iterator[Connection]:
        """Run one change and write its entry with it: both durable at the end of the block, or neither.

        Raises:
            CatalogError: The catalog refuses; nothing was changed.
        """
        with self._vault.database.begin() as connection:
            yield connection
            self.append(connection, entry)
        self.wake()

    def _integrate_behind(self) -> None:
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

    def require_current(self) -> None:
        """Integrate entries that have waited for more than ten seconds: nothing goes on over a log that stands still.

        Raises:
            ClockError, CatalogMismatchError, ForkedLogError, IntegrityError, StorageError: As `integrate`.
        """
        with self._vault.database.begin() as connection:
            oldest = connection.execute(select(func.min(tables.waiting.c.at))).scalar_one()
        if oldest is not None and oldest < microseconds(self._vault.now() - LONGEST_WAIT):
            self._integrator.integrate()

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

    def deny(self, entry: Entry, happened: str, *, clause: str, advice: str = "") -> DeniedError:
        """Write a denial and return the error to raise."""
        self.write(entry)
        return DeniedError(happened, clause=clause, advice=advice)

    def require_may(self, by: Actor, act: Act) -> None:
        """Check that a system or staff member may make a change, and log it if not.

        Raises:
            DeniedError: The staff member is unknown, has no commitment in force, or no role that grants it.
        """
        if isinstance(by, System):
            return
        clause = self._clause_against(by, act)
        if clause is not None:
            entry = self.new_entry(EntryKind.DENIED, by, act=act.value, clause=clause)
            advice = "Ask someone whose role grants it and whose commitment is in force; the denial is in the log."
            raise self.deny(entry, f"{by} may not {act.value}: {clause}.", clause=clause, advice=advice)

    def _clause_against(self, by: StaffId, act: Act) -> str | None:
        with self._vault.database.begin() as connection:
            member = self._staff.find(connection, by)
        if member is None:
            return "known-staff"
        if not any(each.is_in_force(helsinki_date(self._vault.now())) for each in member.commitments):
            return "commitment"
        roles = (self._register.find_role(code) for code in member.roles)
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
        wanted = select(_LOG).where(_LOG.c.actor != "")
        for column, value in (
            (_LOG.c.recording_id, None if recording_id is None else recording_id.bytes),
            (_LOG.c.actor, None if actor is None else str(actor)),
            (_LOG.c.purpose, purpose),
        ):
            if value is not None:
                wanted = wanted.where(column == value)
        if since is not None:
            wanted = wanted.where(_LOG.c.at >= microseconds(to_utc(since)))
        if until is not None:
            wanted = wanted.where(_LOG.c.at < microseconds(to_utc(until)))
        return self._iter_chosen(wanted)

    def get_uses(self, recording_ids: Iterable[UUID]) -> tuple[Entry, ...]:
        """Return the entries that tell of a use of some recordings, oldest first, for those who were allowed to ask.

        Raises:
            IntegrityError: An entry was altered.
        """
        ids = [each.bytes for each in recording_ids]
        kinds = sorted(kind.value for kind in CONSULTING)
        return tuple(self._iter_chosen(select(_LOG).where(_LOG.c.recording_id.in_(ids), _LOG.c.kind.in_(kinds))))

    def _iter_chosen(self, wanted: Select[Any]) -> Iterator[Entry]:
        with self._vault.database.begin() as connection:
            rows = connection.execute(wanted.order_by(_LOG.c.is_waiting, _LOG.c.place)).mappings().all()
        return (self.open_payload(row) for row in rows)

    def get_rows_of_dead_keys(self, since: datetime) -> Sequence[Any]:
        """Return the rows of entries since an instant that tell of destroyed keys or leaves, for `open_payload`."""
        holds = (tables.tells_of_dead_keys, "at >= :since", "actor != ''")
        at = {"since": microseconds(to_utc(since))}
        wanted = union_all(*(half.where(*map(text, holds)) for half in _HALVES)).order_by("is_waiting", "place")
        with self._vault.database.begin() as connection:
            return connection.execute(wanted, at).mappings().all()

    def open_payload(self, row: Any) -> Entry:  # noqa: ANN401  a mapping of the driver's types
        """Return the entry of a row of the catalog.

        Raises:
            KeyUnavailableError: The key of its end is not there.
            IntegrityError: Leaf and payload do not belong together, or one was altered.
        """
        key = self._vault.keyring.get(date.fromordinal(row["ends_on"]).isoformat()).wrapping
        if not isinstance(row["payload"], bytes) or not isinstance(row["leaf"], bytes):
            raise IntegrityError("A row of the log in the catalog is damaged.")
        payload = row["payload"].decode("ascii", "replace")
        return open_commitment(row["leaf"], unwrap(key, payload, self._context(UUID(bytes=row["id"]))))

    def _context(self, entry_id: UUID) -> bytes:
        return self._vault.subject("entry", str(entry_id)).context()
