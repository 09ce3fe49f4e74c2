"""Storing a finished recording."""

import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import BinaryIO, Final

from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.chat import Chat
from kelarec.domain.contact import Contact
from kelarec.domain.people import Actor
from kelarec.domain.recording import Part, Recording, RecordingDetails
from kelarec.domain.register import Register
from kelarec.domain.staff_acts import Act
from kelarec.errors import EmptyContentError, InvalidValueError, OutsideNoticeError
from kelarec.media import wav
from kelarec.storage.json_form import to_json
from kelarec.storage.recordings import Record, Recordings
from kelarec.storage.vault import Vault

_PIECE: Final = 256 * 1024
_CLOCKS_APART: Final = timedelta(minutes=5)


class Capture:
    """Takes contacts into the archive."""

    def __init__(self, vault: Vault, log: AuditLog, register: Register) -> None:
        self._vault = vault
        self._log = log
        self._register = register
        self._recordings = Recordings(vault)

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
        self._register.require_covers(contact)
        undeclared = categories - {category.code for category in self._register.categories}
        if undeclared:
            raise InvalidValueError(
                f"The register declares no category {', '.join(sorted(undeclared))}.",
                advice="Use codes of the register's categories.",
            )
        if contact.started_at > self._vault.now() + _CLOCKS_APART:
            raise OutsideNoticeError("The contact starts in the future.", advice="Check the clock that dated it.")
        recording = Recording(
            id=self._vault.new_id(),
            kind=contact.kind,
            direction=contact.direction,
            line=contact.line,
            started_at=contact.started_at,
            ended_at=ended_at,
            kept_through=self._register.retention.last_day(contact.started_at),
            register_version=self._register.version,
            adviser_id=contact.adviser_id,
        )
        if recording.ends_at <= self._vault.now():
            raise OutsideNoticeError("The recording's retention is over already.", advice="Do not store it.")
        source = self._prepare(contact, content)
        try:
            return self._write(recording, contact, categories, source, by)
        except BaseException:
            self._recordings.discard(recording.id, recording.recorded_on)
            raise

    def _prepare(self, contact: Contact, content: bytes | BinaryIO | Chat) -> "_Source":
        if contact.kind.is_chat:
            if not isinstance(content, Chat):
                raise InvalidValueError("A chat's content is messages.", advice="Give a Chat.")
            return _Source("chat", "application/json", io.BytesIO(to_json(content)))
        if isinstance(content, Chat):
            raise InvalidValueError("A call's content is audio.", advice="Give a WAV file.")
        file = io.BytesIO(content) if isinstance(content, bytes) else content
        return _Source("audio", wav.MEDIA_TYPE, file)

    def _write(
        self, recording: Recording, contact: Contact, categories: frozenset[str], source: "_Source", by: Actor
    ) -> Recording:
        data_key = self._recordings.new_data_key(recording.id, recording.kept_through)
        name = self._vault.new_object_name(source.name)
        announced = Part(name=source.name, media_type=source.media_type, length=1, object_name=name)
        part = self._recordings.write_part(
            recording.id, recording.recorded_on, data_key, announced, source.iter_pieces()
        )
        details = RecordingDetails(contact=contact, categories=categories, parts=(part,))
        written = self._recordings.write_record(Record(1, recording, details), data_key)
        entry = self._log.new_entry(
            EntryKind.RECORDING_STORED,
            by,
            recording_id=recording.id,
            record_sha256=written.sha256,
            contact_kind=recording.kind.value,
            kept_through=recording.kept_through.isoformat(),
        )
        with self._log.transaction(entry) as connection:
            self._recordings.insert(connection, written)
        return recording


class _Source:
    """Content on its way in, checked as it passes."""

    def __init__(self, name: str, media_type: str, file: BinaryIO) -> None:
        self.name = name
        self.media_type = media_type
        self.length = 0
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
        piece = head
        while piece:
            self.length += len(piece)
            yield piece
            piece = self._file.read(_PIECE)
        if form is not None:
            form.require_whole(self.length)
