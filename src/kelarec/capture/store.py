"""Taking contacts in: finished ones at once, live ones as takes."""

import io
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import BinaryIO, Final
from uuid import UUID

from attrs import evolve

from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.capture.admission import Admission
from kelarec.capture.deposit import Deposit
from kelarec.capture.live import LiveTakes
from kelarec.capture.recover import Recovered, Recovery
from kelarec.capture.take import Take
from kelarec.domain.chat import Chat
from kelarec.domain.contact import Contact
from kelarec.domain.people import Actor
from kelarec.domain.recording import Recording, RecordingDetails
from kelarec.domain.register import Register
from kelarec.domain.staff_acts import Act
from kelarec.domain.take import AudioForm
from kelarec.errors import EmptyContentError, InvalidValueError, NoSpoolError, ObjectNotFoundError, SpooledError
from kelarec.media import wav
from kelarec.storage.json_form import to_json
from kelarec.storage.recordings import Record, Recordings
from kelarec.storage.spool_place import SpoolPlace
from kelarec.storage.vault import Vault

_PIECE: Final = 256 * 1024


class Capture:
    """Takes contacts into the archive."""

    def __init__(
        self,
        vault: Vault,
        log: AuditLog,
        register: Register,
        spool: SpoolPlace | None = None,
        spool_limit: int | None = None,
    ) -> None:
        self._vault = vault
        self._log = log
        self._recordings = Recordings(vault)
        self._admission = Admission(vault, register)
        self._spool = spool
        self._live = LiveTakes(vault, log, self._admission, spool, spool_limit)

    def begin(
        self,
        contact: Contact,
        *,
        by: Actor,
        parts: Collection[str] = (),
        form: AudioForm | None = None,
        categories: Collection[str] = (),
        linked_to: UUID | None = None,
    ) -> Take:
        """Begin a live take of a contact that the notice covers.

        A contact whose take was cut is taken again as its next piece.

        Args:
            contact: What is known of it; more can be told while it goes on.
            by: The recorder.
            parts: One name for each party that comes apart, such as ``["customer", "adviser"]``; one part ``audio`` if
                none is named. A chat has its messages.
            form: How the sound of each part comes; G.711 A-law, one channel, 8,000 a second, if it is not given.
            categories: Which of the register's data categories are known to occur.
            linked_to: The recording that it belongs to, such as the call during which support is consulted.

        Raises:
            NoSpoolError: The archive was opened without a spool.
            SpoolFullError, SpoolError: The spool can take no more just now.
            ContactTakenError: This process is taking the contact already.
            UnknownLineError, OutsideNoticeError, InvalidValueError, DeniedError: As `store`.
        """
        self._vault.database.require_usable()
        self._log.require_may(by, Act.STORE)
        return self._live.begin(contact, parts=parts, form=form, by=by, categories=categories, linked_to=linked_to)

    def recover(self) -> tuple[Recovered, ...]:
        """Bring in what processes that died have left in the spool; leave alone what living ones own.

        Each take is sealed under a new key and says that it was cut and when, unless it had ended. A second recovery
        finds nothing to do.

        Raises:
            NoSpoolError: The archive was opened without a spool.
            SpoolMismatchError: A folder holds the takes of another archive.
            StorageError: A place refuses; what was not brought in stays in the spool.
        """
        self._vault.database.require_usable()
        if self._spool is None:
            raise NoSpoolError("There is nothing to recover from: the archive has no spool.")
        return tuple(Recovery(self._vault, self._log, self._spool).run())

    def attach(self, recording_id: UUID, name: str, media_type: str, content: bytes, *, by: Actor) -> Recording:
        """Add a sealed part, such as a transcript, to a recording that is in the archive: a new version of its record.

        Raises:
            ObjectNotFoundError: There is no such recording.
            SpooledError: It is still in the spool; attach to its take instead.
            InvalidValueError: It has a part of that name, or there is no content.
            ChangedMeanwhileError: Somebody changed the recording at the same time.
            DeniedError: A staff member attaches without a role that grants it.
            StorageError: A place refuses. Nothing half-written stays behind.
        """
        self._log.require_may(by, Act.STORE)
        if not content:
            raise InvalidValueError("There is nothing to attach.", advice="Attach it when there is.")
        with self._vault.database.begin() as connection:
            opened = self._recordings.find_one(connection, recording_id)
        if opened is None:
            raise ObjectNotFoundError(f"There is no recording {recording_id}.")
        recording, details = opened.record.recording, opened.record.details
        if not details.parts:
            raise SpooledError("The recording is still in the spool.")
        if any(part.name == name for part in details.parts):
            raise InvalidValueError(f"The recording has a part {name} already.", advice="Choose another name.")
        deposit = Deposit(self._vault, self._log, recording, opened.data_key)
        part = deposit.add(name, media_type, [content])
        record = Record(opened.record.revision + 1, recording, evolve(details, parts=(*details.parts, part)))
        with self._log.or_discard(lambda: deposit.discard_part(part)):
            written = self._recordings.write_record(record, opened.data_key)
            entry = self._log.new_entry(
                EntryKind.RECORDING_AMENDED, by, recording_id=recording_id, part=name, record_sha256=written.sha256
            )
            with (
                self._log.or_discard(lambda: self._vault.objects.delete(written.path)),
                self._log.transaction(entry) as connection,
            ):
                self._recordings.replace(connection, written)
        return recording

    def drop_erased(self, recording_ids: Collection[UUID]) -> None:
        """Keep nothing of the takes of recordings that were erased, as far as they are this process's.

        Other processes find out by themselves within seconds; each says in the log when it has dropped one.
        """
        self._live.drop_erased(recording_ids)

    def close(self) -> None:
        """Seal what is live as cut and let go of the spool; what cannot be sealed in now stays there."""
        self._live.close()

    def store(
        self,
        contact: Contact,
        *,
        ended_at: datetime,
        content: bytes | BinaryIO | Chat,
        by: Actor,
        categories: frozenset[str] = frozenset(),
    ) -> Recording:
        """Store a finished call or chat; when this returns it is sealed, durable and in the log.

        Args:
            contact: What is known of it.
            ended_at: When it ended, an aware instant.
            content: A WAV file, as bytes or as a file at its beginning, or a `Chat`.
            by: The recorder.
            categories: Which of the register's data categories are known to occur.

        Raises:
            UnknownLineError: The register declares no such line.
            OutsideNoticeError: The notice does not cover it, its retention would be over already, or it starts more
                than five minutes in the future.
            EndBeforeStartError: It ends before it starts.
            EmptyContentError: There is no content.
            UnreadableAudioError: A call's content is no whole WAV file.
            InvalidValueError: A call comes with messages or a chat with audio, or a category is undeclared.
            DeniedError: A staff member stores without a role that grants it.
            StorageError: A place refuses. Nothing half-written stays behind.
        """
        self._log.require_may(by, Act.STORE)
        recording = self._admission.admit(contact, ended_at=ended_at, categories=categories)
        source = self._prepare(contact, content)
        deposit = Deposit(self._vault, self._log, recording)
        with self._log.or_discard(deposit.discard):
            part = deposit.add(source.name, source.media_type, source.iter_pieces())
            return deposit.commit(RecordingDetails(contact=contact, categories=categories, parts=(part,)), by)

    def _prepare(self, contact: Contact, content: bytes | BinaryIO | Chat) -> "_Source":
        if contact.kind.is_chat:
            if not isinstance(content, Chat):
                raise InvalidValueError("A chat's content is messages.", advice="Give a Chat.")
            return _Source("chat", "application/json", io.BytesIO(to_json(content)))
        if isinstance(content, Chat):
            raise InvalidValueError("A call's content is audio.", advice="Give a WAV file.")
        file = io.BytesIO(content) if isinstance(content, bytes) else content
        return _Source("audio", wav.MEDIA_TYPE, file)


class _Source:
    """Content on its way in, checked as it passes."""

    def __init__(self, name: str, media_type: str, file: BinaryIO) -> None:
        self.name = name
        self.media_type = media_type
        self._file = file

    def _read_head(self) -> bytes:
        head = b""
        while len(head) < wav.LONGEST_HEADER:  # a socket gives less than it is asked for
            piece = self._file.read(_PIECE)
            if not isinstance(piece, bytes):
                raise InvalidValueError("The content is not a binary file.", advice="Open it in binary mode.")
            if not piece:
                break
            head += piece
        return head

    def iter_pieces(self) -> Iterator[bytes]:
        """Go through the content once; raises if it is empty or, being audio, no whole WAV file."""
        head = self._read_head()
        if not head:
            raise EmptyContentError("The recording has no content.")
        form = wav.parse_wav(head) if self.media_type == wav.MEDIA_TYPE else None
        piece, length = head, 0
        while piece:
            length += len(piece)
            yield piece
            piece = self._file.read(_PIECE)
        if form is not None:
            form.require_whole(length)
