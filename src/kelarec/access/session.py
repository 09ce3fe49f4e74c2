"""Sessions: the only way to content and personal data.

Each act is decided anew by the access rule, and its log entry is durable before anything is given.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Unpack
from uuid import UUID

from sqlalchemy import delete

from kelarec.access.finding import Finding, Page
from kelarec.access.reader import AudioReader, Heard
from kelarec.audit.consultations import Consultation, coarsen_ranges, format_ranges, to_consultations
from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.access_rule import Clause, SessionTerms, decide
from kelarec.domain.chat import Chat
from kelarec.domain.people import Identifier
from kelarec.domain.recording import Part, Recording, RecordingDetails
from kelarec.domain.references import SearchTerm
from kelarec.domain.register import Register
from kelarec.domain.staff_acts import Act
from kelarec.errors import ClosedError, DeniedError, ExpiredError, InvalidValueError, SpooledError
from kelarec.media import wav
from kelarec.storage import catalog_tables as tables
from kelarec.storage.json_form import from_json
from kelarec.storage.recordings import OpenedRecord, Recordings
from kelarec.storage.sealing import SealedReader
from kelarec.storage.search import Criteria, Search
from kelarec.storage.staff_directory import StaffDirectory
from kelarec.storage.vault import Vault

RECHECKED_EVERY_SECONDS: Final = 1.0
_MOST_RANGES: Final = 20


class Session(AbstractContextManager["Session"]):
    """Work of one staff member, for one purpose and matter, until an end."""

    def __init__(self, vault: Vault, log: AuditLog, register: Register, terms: SessionTerms) -> None:
        self._vault = vault
        self._log = log
        self._register = register
        self._recordings = Recordings(vault)
        self._staff = StaffDirectory(vault)
        self._is_over = False
        self._readers: list[AudioReader] = []
        self.terms = terms

    def __repr__(self) -> str:
        return f"Session({self.terms.id}, by={self.terms.staff_id}, purpose={self.terms.purpose!r})"

    def find(self, *terms: SearchTerm, **criteria: Unpack[Criteria]) -> list[Recording]:
        """Return the clear facts of recordings, oldest first.

        Recordings that this session may not use are left out; how many were is in the log.

        Args:
            *terms: Identifiers of one person, a `MatterReference` or a `ContactId`; whatever any of them finds.
            **criteria: What shall hold besides; see `kelarec.storage.search.Search`.

        Raises:
            DeniedError: The session may look nobody up.
            InvalidValueError: A term is not parsed, or nothing is said of what is looked for.
            CatalogError: The catalog or its log cannot be written: there is no unlogged look-up.
        """
        return self._finding().find_all(Search(terms=terms, **criteria))

    def find_page(
        self, *terms: SearchTerm, cursor: str | None = None, size: int = 50, **criteria: Unpack[Criteria]
    ) -> Page:
        """Return a page of what `find` would return, and the cursor of the next one.

        Raises:
            CursorError: The cursor is none of this search.
            DeniedError, InvalidValueError, CatalogError: As `find`.
        """
        return self._finding().find_page(Search(terms=terms, **criteria), cursor=cursor, size=size)

    def iter_found(self, *terms: SearchTerm, **criteria: Unpack[Criteria]) -> Iterator[Recording]:
        """Go through what `find` would return without holding it all; an error of it may come at any step."""
        return self._finding().iter_found(Search(terms=terms, **criteria))

    def count(self, *terms: SearchTerm, **criteria: Unpack[Criteria]) -> int:
        """Return how many recordings `find` would return; each of them is decided about, so it takes as long."""
        return sum(1 for _ in self.iter_found(*terms, **criteria))

    def _finding(self) -> Finding:
        self._require(Act.FIND)
        return Finding(self._vault, lambda opened: self._clause_against(Act.FIND, opened), self._report_found)

    def _report_found(self, found: int, left_out: int) -> None:
        entry = self._log.new_entry(
            EntryKind.LOOKED_UP, self.terms.staff_id, terms=self.terms, found=str(found), left_out=str(left_out)
        )
        self._log.write(entry)

    def get_details(self, recording_id: UUID) -> RecordingDetails:
        """Return who took part in a recording and what it was about.

        Raises:
            DeniedError: A clause of the access rule is false, or there is no such recording.
            ExpiredError: Its retention has ended. After the sweep it is as unknown as any other id.
        """
        opened = self._require_one(Act.DETAILS, recording_id)
        self._grant(EntryKind.DETAILS_SHOWN, recording_id)
        return opened.record.details

    def open(self, recording_id: UUID, *, part: str | None = None) -> AudioReader:
        """Open a call for listening: a seekable binary file of the WAV, with clips.

        Args:
            recording_id: Which recording.
            part: Which part, such as ``customer`` or ``transcript``; the sound if there is one part of it.

        Raises:
            DeniedError: A clause of the access rule is false, or there is no such recording.
            ExpiredError: Its retention has ended; an open reader raises it too, from that instant on.
            InvalidValueError: The recording is a chat, or has several parts of sound and none was named.
            SpooledError: It is still in the spool.
            ObjectNotFoundError: Its content is missing.
            IntegrityError: The content is not as written.
        """
        opened = self._require_one(Act.OPEN, recording_id)
        found = _find_part(opened, part)
        reader = self._recordings.open_part(opened, found, self._guard(recording_id), AudioReader)
        self._grant(EntryKind.CONTENT_OPENED, recording_id)
        if found.media_type == wav.MEDIA_TYPE:  # of other forms nobody can tell which seconds were read
            reader.report_to(lambda heard: self._report_heard(recording_id, heard))
        self._readers.append(reader)
        return reader

    def read_chat(self, recording_id: UUID) -> Chat:
        """Return the messages of a chat.

        Raises:
            DeniedError: A clause of the access rule is false, or there is no such recording.
            ExpiredError: Its retention has ended.
            InvalidValueError: The recording is a call.
            ObjectNotFoundError: Its content is missing.
            IntegrityError: The content is not as written.
        """
        opened = self._require_one(Act.OPEN, recording_id)
        part = _only_part(opened, ["chat"], "Use open for a call.")
        self._grant(EntryKind.CONTENT_OPENED, recording_id)
        with self._recordings.open_part(opened, part, self._guard(recording_id), SealedReader) as reader:
            return from_json(reader.read(), Chat)

    def list_consultations(self, *identifiers: Identifier) -> tuple[Consultation, ...]:
        """Return every use of the recordings that this session may find about whoever has an identifier.

        One for each session and recording, with date, purpose and the seconds heard, without the names of staff; what
        this very session does is among them.

        Raises:
            DeniedError: The session may look nobody up.

        Source: Art. 15(1); C-579/21.
        """
        found = self.find(*identifiers)
        return to_consultations(self._log.get_uses(recording.id for recording in found))

    def end(self) -> None:
        """End the session; readers opened in it give nothing more. Ending it twice is no error."""
        if self._is_over:
            return
        for reader in self._readers:
            reader.close()
        self._is_over = True
        entry = self._log.new_entry(EntryKind.SESSION_ENDED, self.terms.staff_id, terms=self.terms)
        with self._log.transaction(entry) as connection:
            connection.execute(delete(tables.sessions).where(tables.sessions.c.id == self.terms.id.bytes))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def _report_heard(self, recording_id: UUID, heard: Heard) -> None:
        if heard:
            self._log.write(
                self._log.new_entry(
                    EntryKind.CONTENT_HEARD,
                    self.terms.staff_id,
                    recording_id=recording_id,
                    terms=self.terms,
                    heard=format_ranges(coarsen_ranges(heard, _MOST_RANGES)),
                )
            )

    def _grant(self, kind: EntryKind, recording_id: UUID) -> None:
        self._log.write(self._log.new_entry(kind, self.terms.staff_id, recording_id=recording_id, terms=self.terms))

    def _require(self, act: Act) -> None:
        self._require_not_over()
        self._log.require_current()
        clause = self._clause_against(act, None)
        if clause is not None:
            raise self._denial(act, clause, None)

    def _require_one(self, act: Act, recording_id: UUID) -> OpenedRecord:
        self._require_not_over()
        self._log.require_current()
        with self._vault.database.begin() as connection:
            opened = self._recordings.find_one(connection, recording_id)
        clause = self._clause_against(act, opened)
        if clause is not None:
            raise self._denial(act, clause, recording_id)
        if opened is None:
            raise self._denial(act, Clause.KNOWN_RECORDING, recording_id)
        return opened

    def _clause_against(self, act: Act, opened: OpenedRecord | None) -> Clause | None:
        with self._vault.database.begin() as connection:
            staff = self._staff.find(connection, self.terms.staff_id)
        return decide(
            act=act,
            terms=self.terms,
            staff=staff,
            register=self._register,
            at=self._vault.now(),
            recording=None if opened is None else opened.record.recording,
            details=None if opened is None else opened.record.details,
        ).refused_by

    def _denial(self, act: Act, clause: Clause, recording_id: UUID | None) -> DeniedError:
        entry = self._log.new_entry(
            EntryKind.DENIED,
            self.terms.staff_id,
            recording_id=recording_id,
            terms=self.terms,
            act=act.value,
            clause=clause.value,
        )
        self._log.write(entry)
        if clause is Clause.END:
            return ExpiredError("The recording's retention has ended; nothing of it may be read.", clause=clause.value)
        # An unknown recording is denied in the words of a forbidden one, so that nobody can ask which ids exist.
        shown = Clause.DUTY if clause is Clause.KNOWN_RECORDING else clause
        return DeniedError(_DENIALS[shown], clause=shown.value, advice="The denial is in the log.")

    def _require_not_over(self) -> None:
        if self._is_over:
            raise ClosedError("The session has ended.", advice="Begin a new one.")

    def _guard(self, recording_id: UUID) -> Callable[[], None]:
        """Return what a reader asks before each read: the end each time, the whole rule at least every second."""
        asked_at = self._vault.now()
        with self._vault.database.begin() as connection:
            opened = self._recordings.find_one(connection, recording_id)
        ends_at = self._vault.now() if opened is None else opened.record.recording.ends_at

        def guard() -> None:
            nonlocal asked_at
            self._require_not_over()
            self._vault.database.require_usable()
            now = self._vault.now()
            if now >= ends_at:
                raise ExpiredError("The recording's retention has ended; nothing of it may be read.", clause="end")
            if not 0 <= (now - asked_at).total_seconds() < RECHECKED_EVERY_SECONDS:
                self._require_one(Act.OPEN, recording_id)
                asked_at = now

        return guard


_DENIALS: Final = {
    Clause.KNOWN_STAFF: "The archive does not know the staff member.",
    Clause.SESSION: "The session has not begun or is over.",
    Clause.COUNTRY: "The session is not in the EU/EEA.",
    Clause.COMMITMENT: "The staff member has no confidentiality commitment in force.",
    Clause.PURPOSE: "The register declares no such purpose.",
    Clause.ROLE: "No role of the staff member grants this for this purpose.",
    Clause.DUTY: "No duty links the staff member to this matter and recording.",
    Clause.RESTRICTION: "The recording is restricted to storage.",
    Clause.ONESELF: "The recording is about the staff member.",
}


def _find_part(opened: OpenedRecord, name: str | None) -> Part:
    if name is not None:
        return _only_part(opened, [name], "Look at the parts in its details.")
    sound = [each.name for each in opened.record.details.parts if each.media_type.startswith("audio/")]
    return _only_part(opened, sound, f"Name one: {', '.join(sound)}." if sound else "Use read_chat for a chat.")


def _only_part(opened: OpenedRecord, names: list[str], advice: str) -> Part:
    parts = opened.record.details.parts
    if not parts:
        raise SpooledError("The content of the recording is still in the spool.")
    found = [each for each in parts if each.name in names]
    if len(found) != 1:
        raise InvalidValueError("The recording has no such part, or several.", advice=advice)
    return found[0]
