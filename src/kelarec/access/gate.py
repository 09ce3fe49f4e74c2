"""The gate of a session: each act is decided anew, and its grant or denial is durable before anything is given."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar
from uuid import UUID

from sqlalchemy import Connection, bindparam, select

from kelarec.audit.entries import Entry, EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.access_rule import Clause, decide
from kelarec.domain.instants import end_of
from kelarec.domain.session_terms import SessionTerms
from kelarec.domain.staff import StaffMember
from kelarec.domain.staff_acts import Act
from kelarec.errors import ClosedError, DeniedError, DirectoryError, ExpiredError, KelarecError
from kelarec.storage import catalog_tables as tables
from kelarec.storage.holds import Holds
from kelarec.storage.recordings import OpenedRecord, Recordings
from kelarec.storage.registers import Registers
from kelarec.storage.staff_directory import StaffDirectory
from kelarec.storage.vault import Vault

RECHECKED_EVERY_SECONDS: Final = 1.0
_Picked = TypeVar("_Picked")
_SESSION: Final = select(tables.sessions.c.id).where(tables.sessions.c.id == bindparam("session"))

DENIALS: Final = {
    Clause.KNOWN_STAFF: "The archive does not know the staff member.",
    Clause.SESSION: "The session has not begun or is over.",
    Clause.COUNTRY: "The session is not in the EU/EEA.",
    Clause.COMMITMENT: "The staff member has no confidentiality commitment in force.",
    Clause.PURPOSE: "The register declares no such purpose.",
    Clause.ROLE: "No role of the staff member grants this for this purpose.",
    Clause.TRAINING: "Whoever sees masked copies only looks nobody up, gives nothing out and breaks no glass.",
    Clause.DUTY: "No duty links the staff member to this matter and recording.",
    Clause.MADE_FOR: "The notice that the recording was made under declares no such purpose.",
    Clause.RESTRICTION: "The recording is restricted to storage.",
    Clause.MASKED: "The purpose needs a masked copy and there is none yet.",
    Clause.ONESELF: "The recording is about the staff member.",
}


class Gate:
    """Decides about the acts of one session and writes each decision to the log."""

    def __init__(self, vault: Vault, log: AuditLog, registers: Registers, terms: SessionTerms) -> None:
        self.terms = terms
        self.recordings = Recordings(vault)
        self._vault = vault
        self._log = log
        self._registers = registers
        self._holds = Holds(vault, self.recordings)
        self._staff = StaffDirectory(vault)
        self._is_over = False

    def end(self) -> None:
        """Let nothing through any more."""
        self._is_over = True

    def require_not_over(self) -> None:
        """Check that the session was not ended here.

        Raises:
            ClosedError: It was.
        """
        if self._is_over:
            raise ClosedError("The session has ended.", advice="Begin a new one.")

    def require(self, act: Act) -> None:
        """Check that an act is allowed as such, before it is known what it will find; log it if not.

        Raises:
            DeniedError: A clause of the access rule is false.
            DirectoryError: The directory of staff cannot be asked.
            CatalogError: The catalog or its log cannot be used.
        """
        find_staff = self._find_staff(act, None)

        def work(connection: Connection) -> Clause | None:
            clause = self._decide(connection, act, find_staff, None)
            if clause is not None:
                self._log.append(connection, self._denial(act, clause.value, None))
            return clause

        clause = self._log.run_when_current(work)
        if clause is not None:
            self._log.wake()
            raise to_error(clause)

    def require_one(self, act: Act, recording_id: UUID) -> OpenedRecord:
        """Return a recording if an act on it is allowed, and log it if not; the caller writes the grant.

        Raises:
            DeniedError, ExpiredError, DirectoryError, CatalogError: As `grant`.
        """
        return self._pass(act, recording_id, None, lambda opened: opened)[0]

    def grant(
        self, act: Act, recording_id: UUID, kind: EntryKind, pick: Callable[[OpenedRecord], _Picked], **facts: str
    ) -> tuple[OpenedRecord, _Picked]:
        """Return a recording and what is picked of it, once its entry is durable: a grant if all clauses are true.

        Raises:
            DeniedError: A clause of the access rule is false, or there is no such recording; the denial is in the log.
            ExpiredError: Its retention has ended.
            DirectoryError: The directory of staff cannot be asked.
            CatalogError: The catalog or its log cannot be used, so nothing is given.
        """
        return self._pass(act, recording_id, lambda: self.entry(kind, recording_id, **facts), pick)

    def find_clause_against(self, act: Act, opened: OpenedRecord) -> Clause | None:
        """Return the first clause against an act on a recording that was found, or None; nothing is logged."""
        find_staff = self._find_staff(act, opened.record.recording.id)
        with self._vault.database.begin() as connection:
            return self._decide(connection, act, find_staff, opened)

    def entry(self, kind: EntryKind, recording_id: UUID | None = None, **facts: str) -> Entry:
        """Build an entry about this session and now."""
        return self._log.new_entry(kind, self.terms.staff_id, recording_id=recording_id, terms=self.terms, **facts)

    def write_denial(self, act: Act, clause: str, recording_id: UUID | None = None) -> None:
        """Write that an act was refused for another reason than a clause of the rule, such as its arguments."""
        self._log.write(self._denial(act, clause, recording_id))

    @contextmanager
    def logging_refusals(self, act: Act, recording_id: UUID | None = None) -> Iterator[None]:
        """Write a denial for whatever of ours is raised in the block, such as that arguments make no sense."""
        try:
            yield
        except KelarecError as error:
            self.write_denial(act, error.code, recording_id)
            raise

    def guard(self, act: Act, opened: OpenedRecord) -> Callable[[], None]:
        """Return what a reader asks before each read: the end each time, the whole rule at least every second.

        The rule is asked of the record as it is then, so a recording whose key leaf was destroyed is unknown to it: at
        once in the process that destroyed it, elsewhere when the row is gone or cached keys are forgotten.
        """
        recording = opened.record.recording
        asked_at = self._vault.now()

        def guard() -> None:
            nonlocal asked_at
            self.require_not_over()
            self._vault.database.require_usable()
            now = self._vault.now()
            if now >= recording.ends_at:  # each read asks whether a hold still goes on
                clause = self.find_clause_against(act, opened)
                if clause is not None:
                    self.write_denial(act, clause.value, recording.id)
                    raise to_error(clause)
            if not 0 <= (now - asked_at).total_seconds() < RECHECKED_EVERY_SECONDS:
                self.require_one(act, recording.id)
                asked_at = now

        return guard

    def _pass(
        self,
        act: Act,
        recording_id: UUID,
        make_grant: Callable[[], Entry] | None,
        pick: Callable[[OpenedRecord], _Picked],
    ) -> tuple[OpenedRecord, _Picked]:
        find_staff = self._find_staff(act, recording_id)

        def work(connection: Connection) -> Clause | tuple[OpenedRecord, _Picked]:
            opened = self.recordings.find_one(connection, recording_id)
            clause = self._decide(connection, act, find_staff, opened)
            if clause is None and opened is not None:
                picked = pick(opened)
                if make_grant is not None:
                    self._log.append(connection, make_grant())
                return opened, picked
            clause = Clause.KNOWN_RECORDING if clause is None else clause
            self._log.append(connection, self._denial(act, clause.value, recording_id))
            return clause

        passed = self._log.run_when_current(work)
        if make_grant is not None or isinstance(passed, Clause):
            self._log.wake()
        if isinstance(passed, Clause):
            raise to_error(passed)
        return passed

    def _find_staff(self, act: Act, recording_id: UUID | None) -> Callable[[Connection], StaffMember | None]:
        self.require_not_over()
        try:
            return self._staff.ask(self.terms.staff_id)
        except DirectoryError:
            self.write_denial(act, "directory", recording_id)
            raise

    def _decide(
        self,
        connection: Connection,
        act: Act,
        find_staff: Callable[[Connection], StaffMember | None],
        opened: OpenedRecord | None,
    ) -> Clause | None:
        row = connection.execute(_SESSION, {"session": self.terms.id.bytes}).one_or_none()
        decision = decide(
            act=act,
            terms=self.terms,
            staff=find_staff(connection),
            registers=self._registers.versions,
            at=self._vault.now(),
            recording=None if opened is None else opened.record.recording,
            details=None if opened is None else opened.record.details,
            held_for=frozenset() if opened is None else self._held_for(connection, opened),
        )
        if row is None and decision.refused_by is not Clause.KNOWN_STAFF:
            return Clause.SESSION  # it was ended elsewhere
        return decision.refused_by

    def _held_for(self, connection: Connection, opened: OpenedRecord) -> frozenset[str]:
        """Return for which purposes a recording that is over is held: each hold opens for its own, to its review date.

        Whoever edits the catalog can hold nothing by it: a hold names its recordings under its own seal.
        """
        recording, now = opened.record.recording, self._vault.now()
        if now < recording.ends_at:
            return frozenset()
        holds = self._holds.iter_of_recording(connection, recording.id)
        alive = (hold for hold in holds if recording.id in hold.recording_ids and now < end_of(hold.review_on))
        return frozenset(purpose for hold in alive for purpose in hold.purposes)

    def _denial(self, act: Act, clause: str, recording_id: UUID | None) -> Entry:
        return self.entry(EntryKind.DENIED, recording_id, act=act.value, clause=clause)


def to_error(clause: Clause) -> DeniedError:
    """Return the error of a clause that was false."""
    if clause is Clause.END:
        return ExpiredError("The recording's retention has ended; nothing of it may be read.", clause=clause.value)
    # An unknown recording is denied in the words of a forbidden one, so that nobody can ask which ids exist.
    shown = Clause.DUTY if clause is Clause.KNOWN_RECORDING else clause
    return DeniedError(DENIALS[shown], clause=shown.value, advice="The denial is in the log.")
