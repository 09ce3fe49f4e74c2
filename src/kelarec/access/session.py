"""Sessions: the only way to content and personal data.

Each act is decided anew by the access rule, and its log entry is durable before anything is given.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Unpack
from uuid import UUID

from sqlalchemy import delete

from kelarec.access.disclosing import disclose
from kelarec.access.finding import Finding, Page
from kelarec.access.gate import Gate
from kelarec.access.making_masks import MadeMask, mask_recording
from kelarec.access.picking import pick_for_handing_out, pick_part
from kelarec.access.reader import AudioReader, GuardedReader, Heard
from kelarec.access.selecting import Wanted, select_for_training
from kelarec.audit.consultations import Consultation, coarsen_ranges, format_ranges, to_consultations
from kelarec.audit.entries import Entry, EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.chat import Chat
from kelarec.domain.disclosure import Disclosure
from kelarec.domain.masked import mask_details, mask_recording_facts
from kelarec.domain.people import Identifier
from kelarec.domain.recording import Part, Recording, RecordingDetails
from kelarec.domain.references import SearchTerm
from kelarec.domain.session_terms import SessionTerms
from kelarec.domain.staff_acts import Act
from kelarec.errors import InvalidValueError
from kelarec.media import wav
from kelarec.storage import catalog_tables as tables
from kelarec.storage.disclosures import DisclosureRegister
from kelarec.storage.json_form import from_json
from kelarec.storage.recordings import OpenedRecord, Recordings
from kelarec.storage.registers import Registers
from kelarec.storage.sealing import SealedReader
from kelarec.storage.search import Criteria, Search
from kelarec.storage.vault import Vault

_MOST_RANGES: Final = 20


class Session(AbstractContextManager["Session"]):
    """Work of one staff member, for one purpose and matter, until an end."""

    def __init__(self, vault: Vault, log: AuditLog, registers: Registers, terms: SessionTerms) -> None:
        self._vault = vault
        self._log = log
        self._registers = registers
        self._gate = Gate(vault, log, registers, terms)
        self._recordings = Recordings(vault)
        self._is_over = False
        self._readers: list[AudioReader] = []
        self.terms = terms

    def __repr__(self) -> str:
        return f"Session({self.terms.id}, by={self.terms.staff_id}, purpose={self.terms.purpose!r})"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("A session is never pickled; resume it by its id where it is needed.")

    def find(self, *terms: SearchTerm, **criteria: Unpack[Criteria]) -> list[Recording]:
        """Return the clear facts of recordings, oldest first.

        Recordings that this session may not use are left out; how many were is in the log.

        Args:
            *terms: Identifiers of one person, a `MatterReference` or a `ContactId`; whatever any of them finds.
            **criteria: What shall hold besides; see `kelarec.storage.search.Search`.

        Raises:
            DeniedError: The session may look nobody up.
            InvalidValueError: A term is not parsed, or nothing is said of what is looked for; the log has it.
            CatalogError: The catalog or its log cannot be written: there is no unlogged look-up.
        """
        return self._begin_finding().find_all(self._to_search(terms, criteria))

    def find_page(
        self, *terms: SearchTerm, cursor: str | None = None, size: int = 50, **criteria: Unpack[Criteria]
    ) -> Page:
        """Return a page of what `find` would return, and the cursor of the next one.

        Raises:
            CursorError: The cursor is none of this search.
            DeniedError, InvalidValueError, CatalogError: As `find`.
        """
        finding, search = self._begin_finding(), self._to_search(terms, criteria)
        return finding.find_page(search, cursor=cursor, size=size)

    def iter_found(self, *terms: SearchTerm, **criteria: Unpack[Criteria]) -> Iterator[Recording]:
        """Go through what `find` would return without holding it all; an error of it may come at any step."""
        return self._begin_finding().iter_found(self._to_search(terms, criteria))

    def count(self, *terms: SearchTerm, **criteria: Unpack[Criteria]) -> int:
        """Return how many recordings `find` would return; each of them is decided about, so it takes as long."""
        return sum(1 for _ in self.iter_found(*terms, **criteria))

    def get_details(self, recording_id: UUID) -> RecordingDetails:
        """Return who took part in a recording and what it was about; masked where the purpose sees masked copies only.

        Raises:
            DeniedError: A clause of the access rule is false, or there is no such recording.
            ExpiredError: Its retention has ended. After the sweep it is as unknown as any other id.
        """
        _, details = self._gate.grant(
            Act.DETAILS, recording_id, EntryKind.DETAILS_SHOWN, lambda opened: opened.record.details
        )
        return mask_details(details) if self._is_masked else details

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
        return self._open_call(Act.OPEN, recording_id, part)

    def clip(self, recording_id: UUID, *, start: float, stop: float, part: str | None = None) -> bytes:
        """Return the seconds from start to stop of a call as a WAV file of its own, and close the call again.

        Raises:
            UnreadableAudioError: Start and stop do not lie within the recording; the attempt is in the log.
            DeniedError, ExpiredError, InvalidValueError, ObjectNotFoundError, IntegrityError: As `open`.
        """
        with self._open_call(Act.CLIP, recording_id, part) as reader:
            return reader.clip(start=start, stop=stop)

    def read_chat(self, recording_id: UUID) -> Chat:
        """Return the messages of a chat.

        Raises:
            DeniedError: A clause of the access rule is false, or there is no such recording.
            ExpiredError: Its retention has ended.
            InvalidValueError: The recording is a call.
            ObjectNotFoundError: Its content is missing.
            IntegrityError: The content is not as written.
        """
        opened, part = self._gate.grant(Act.READ_CHAT, recording_id, EntryKind.CONTENT_OPENED, self._pick("chat"))
        guard = self._gate.guard(Act.READ_CHAT, opened)
        with self._recordings.open_part(opened, part, guard, GuardedReader) as reader:
            return from_json(reader.read(), Chat)

    def hand_out(self, recording_id: UUID, *, part: str | None = None) -> tuple[str, SealedReader]:
        """Open the whole content to be handed out: to the person (Art. 15(3)), or as a disclosure that was registered.

        If there is a copy that was masked for this session's purpose (Art. 15(4)), that copy is handed out, and no part
        without one.

        Args:
            recording_id: Which recording.
            part: Which part, if it has several.

        Returns:
            The media type, and a seekable binary file: a WAV file, or a chat as JSON.

        Raises:
            DeniedError, ExpiredError, InvalidValueError, SpooledError, ObjectNotFoundError, IntegrityError: As `open`.
        """
        opened, found = self._gate.grant(
            Act.HAND_OUT,
            recording_id,
            EntryKind.CONTENT_HANDED_OUT,
            lambda opened: pick_for_handing_out(opened, part, self.terms.purpose),
        )
        guard = self._gate.guard(Act.HAND_OUT, opened)
        return found.media_type, self._recordings.open_part(opened, found, guard, GuardedReader)

    def mask(
        self,
        recording_id: UUID,
        *,
        masked_for: str,
        silenced: Sequence[tuple[float, float]] = (),
        words: Iterable[str] = (),
        part: str | None = None,
    ) -> MadeMask:
        """Make a masked copy of a recording for a purpose; the original never changes. See `mask_recording`.

        Raises:
            InvalidValueError: The purpose is undeclared, or intervals are given for a chat, or none for a call.
            UnreadableAudioError: An interval does not lie within the recording.
            ChangedMeanwhileError: Somebody else changed the recording in between.
            DeniedError, ExpiredError, ObjectNotFoundError, IntegrityError: As `open`.
        """
        return mask_recording(
            self._vault,
            self._log,
            self._registers,
            self._gate,
            recording_id,
            masked_for=masked_for,
            silenced=silenced,
            words=words,
            part_name=part,
        )

    def select(self, wanted: Wanted, *, seed: bytes) -> list[Recording]:
        """Select recordings for the training plan that is this session's matter. See `select_for_training`.

        Raises:
            DeniedError: The session may select nothing.
            InvalidValueError: The purpose is not one of training.
        """
        if not self._is_masked:
            self._gate.write_denial(Act.SELECT, "training")
            raise InvalidValueError(
                "Recordings are selected for training only.", advice="Begin a session for a purpose of training."
            )
        selected = select_for_training(self._vault, self._log, self._gate, wanted, seed)
        return [mask_recording_facts(each) for each in selected]

    def disclose(
        self,
        recording_ids: Iterable[UUID],
        *,
        recipient: str,
        country: str,
        ground: str,
        items: str,
        recurring: str | None = None,
    ) -> Disclosure:
        """Register one disclosure to one recipient; what is given is then had by `hand_out`.

        Args:
            recording_ids: Of which recordings.
            recipient: To whom, by name.
            country: Where the recipient is, ISO 3166-1 alpha-2.
            ground: The law that allows it, without a person's identifier.
            items: What of the recordings is given, in words.
            recurring: How often, if it is meant to recur; the notice allows none that does.

        Raises:
            StandingDisclosureError: It is meant to recur (notice, section 7).
            NotResidentError: The recipient is not in the EU/EEA (notice, section 8).
            LooksLikeIdentifierError: Ground or items look like they name a person.
            DeniedError: A clause of the access rule is false for one of the recordings; nothing was registered.
        """
        return disclose(
            self._vault,
            self._log,
            self._gate,
            tuple(recording_ids),
            kept=self._registers.now().disclosure_retention,
            recipient=recipient,
            country=country,
            ground=ground,
            items=items,
            recurring=recurring,
        )

    def list_disclosures(self, *terms: SearchTerm) -> list[Disclosure]:
        """Return the register's entries about whoever has an identifier, or about a case or contact, oldest first.

        Raises:
            DeniedError: The session may not.
            InvalidValueError: A term is not parsed, or there is none; the attempt is in the log.

        Source: Art. 15(1)(c), Art. 19; C-154/21.
        """
        self._gate.require(Act.LIST_DISCLOSURES)
        with self._gate.logging_refusals(Act.LIST_DISCLOSURES):
            wanted = Search(terms=terms)
        with self._vault.database.begin() as connection:
            found = DisclosureRegister(self._vault).find(connection, wanted.terms)
        self._log.write(self._gate.entry(EntryKind.DISCLOSURES_LISTED, found=str(len(found))))
        return found

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
        """End the session everywhere; readers opened in it give nothing more. Ending it twice is no error."""
        if self._is_over:
            return
        for reader in self._readers:
            reader.close()
        self._is_over = True
        self._gate.end()
        with self._log.transaction(self._gate.entry(EntryKind.SESSION_ENDED)) as connection:
            connection.execute(delete(tables.sessions).where(tables.sessions.c.id == self.terms.id.bytes))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    @property
    def _is_masked(self) -> bool:
        return self._registers.now().shows_masked_only(self.terms.purpose)

    def _begin_finding(self) -> Finding:
        self._gate.require(Act.FIND)
        return Finding(
            self._vault,
            lambda opened: self._gate.find_clause_against(Act.FIND, opened),
            lambda found, left_out: self._log.write(
                self._gate.entry(EntryKind.LOOKED_UP, found=str(found), left_out=str(left_out))
            ),
        )

    def _to_search(self, terms: tuple[SearchTerm, ...], criteria: Criteria) -> Search:
        with self._gate.logging_refusals(Act.FIND):
            return Search(terms=terms, **criteria)

    def _open_call(self, act: Act, recording_id: UUID, name: str | None) -> AudioReader:
        opened, part = self._gate.grant(act, recording_id, EntryKind.CONTENT_OPENED, self._pick(name))
        reader = self._recordings.open_part(opened, part, self._gate.guard(act, opened), AudioReader)
        if part.media_type == wav.MEDIA_TYPE:  # of other forms nobody can tell which seconds were read
            reader.report_to(
                lambda heard: self._report_heard(recording_id, heard, self._log.write_soon),
                later=lambda heard: self._report_heard(recording_id, heard, self._log.write_later),
                refuse=lambda: self._gate.write_denial(Act.CLIP, "clip", recording_id),
            )
        self._readers = [*(each for each in self._readers if not each.closed), reader]
        return reader

    def _pick(self, name: str | None) -> Callable[[OpenedRecord], Part]:
        masked_for = self.terms.purpose if self._is_masked else None
        return lambda opened: pick_part(opened, name, masked_for=masked_for)

    def _report_heard(self, recording_id: UUID, heard: Heard, write: Callable[[Entry], None]) -> None:
        if heard:
            ranges = format_ranges(coarsen_ranges(heard, _MOST_RANGES))
            write(self._gate.entry(EntryKind.CONTENT_HEARD, recording_id, heard=ranges))
