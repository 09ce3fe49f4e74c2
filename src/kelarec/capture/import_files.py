"""The files of an import: found below their folder, checked against what the manifest says, sealed into the archive."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final
from uuid import UUID

from attrs import evolve, field, frozen

from kelarec.capture.content import CHAT_TYPE, IncomingContent, open_content
from kelarec.capture.manifest import Manifest
from kelarec.capture.manifest_row import RowReading, read_row, to_relative_path
from kelarec.domain.chat import Chat
from kelarec.domain.contact import Contact
from kelarec.domain.recording import Part, Recording, RecordingDetails
from kelarec.errors import (
    EmptyContentError,
    IntegrityError,
    InvalidValueError,
    KelarecError,
    ManifestFault,
    ManifestFaultsError,
    MediaTypeMismatchError,
    StorageError,
    UnreadableAudioError,
)
from kelarec.media import audio
from kelarec.storage.envelopes import make_data_key
from kelarec.storage.json_form import from_json
from kelarec.storage.recordings import Record, Recordings, recording_folder
from kelarec.storage.vault import Vault

_LONGEST_CHAT: Final = 64 * 1024 * 1024
_CONTENT_ERRORS: Final = (EmptyContentError, InvalidValueError, MediaTypeMismatchError, UnreadableAudioError)


@frozen
class RowPlace:
    """Where a row and its file are found again, by whoever does the work.

    Attributes:
        manifest: The manifest.
        folder: The folder of the files.
        line: The line on which the row begins.
        offset: Where the row begins, in bytes.
        length: How many bytes it has.
        digest: The SHA-256 of them.
    """

    manifest: Manifest
    folder: str
    line: int
    offset: int
    length: int
    digest: bytes = field(repr=False)

    def read(self) -> RowReading:
        """Read the row again.

        Raises:
            ManifestFaultsError: It was changed since it was checked.
        """
        content = self.manifest.read_row(self.offset, self.length)
        reading = read_row(self.manifest, self.line, content)
        if self.manifest.digest(content) != self.digest:
            raise ManifestFaultsError([self.fault(None, "The row was changed during the import.", "Import again.")])
        return reading

    def fault(self, column: str | None, sentence: str, advice: str) -> ManifestFault:
        """Return a fault of the row."""
        return ManifestFault(self.line, column, sentence, advice)


@frozen
class ImportItem:
    """One recording to be imported: ids and places, nothing of what the row says.

    Attributes:
        kept_through: The last day on which it is kept.
        register_version: Of the notice it is made under.
    """

    place: RowPlace
    recording_id: UUID
    kept_through: date
    register_version: date


@frozen
class Made:
    """What lies in the archive of a recording whose row is still to come: no key, nothing in clear.

    Attributes:
        path: Of the record.
        envelope: The sealed record.
        part_path: Of its content.
        length: Bytes of content.
        leftovers: What an import that was killed had left of it before.
    """

    item: ImportItem
    path: str
    envelope: bytes = field(repr=False)
    part_path: str
    length: int
    leftovers: tuple[str, ...]


@frozen
class Checked:
    """What came of checking the file of a row.

    Attributes:
        faults: What is wrong.
        ended_at: When the contact ended, by the row or by what the content tells; None if the row has no start.
        length: Bytes of the file.
    """

    faults: tuple[ManifestFault, ...]
    ended_at: datetime | None = None
    length: int = 0


def check_file(_vault: Vault, place: RowPlace) -> Checked:
    """Check that the file of a row is there, below the folder, whole, and what the row declares."""
    reading = place.read()
    if reading.file is None:
        return Checked(())
    try:
        with _open_content(place.folder, reading) as (_, ended_at, length):
            return Checked((), ended_at, length)
    except _FileError as error:
        return Checked((place.fault(error.column, error.sentence, error.advice),))


def seal_row(vault: Vault, item: ImportItem) -> Made:
    """Seal the recording of a row into the archive; its row and log entry are still to come.

    Raises:
        ManifestFaultsError: The row or its file was changed since it was checked.
        StorageError: The place refuses; nothing of it stays behind.
    """
    reading = item.place.read()
    contact = reading.contact
    if contact is None or reading.file is None:
        raise ManifestFaultsError(reading.faults)
    try:
        with _open_content(item.place.folder, reading) as (incoming, ended_at, length):
            return _seal(vault, item, contact, reading, incoming, ended_at or contact.started_at, length)
    except _FileError as error:
        raise ManifestFaultsError([item.place.fault(error.column, error.sentence, error.advice)]) from None


def _seal(  # noqa: PLR0917  used in one place, named alike there
    vault: Vault,
    item: ImportItem,
    contact: Contact,
    reading: RowReading,
    incoming: IncomingContent,
    ended_at: datetime,
    length: int,
) -> Made:
    recording = Recording(
        id=item.recording_id,
        kind=contact.kind,
        direction=contact.direction,
        line=contact.line,
        started_at=contact.started_at,
        ended_at=ended_at,
        kept_through=item.kept_through,
        register_version=item.register_version,
        adviser_id=contact.adviser_id,
    )
    recordings = Recordings(vault)
    folder = recording_folder(recording.id, recording.recorded_on)
    vault.objects.delete_unfinished(f"{folder}/")
    leftovers = tuple(vault.objects.iter_paths(folder))
    subject = vault.subject("recording", str(recording.id))
    data_key = make_data_key(vault.keyring, item.kept_through.isoformat(), subject, vault.randomness)
    announced = Part(
        name=incoming.name,
        media_type=incoming.media_type,
        length=1,
        object_name=vault.new_object_name(incoming.name),
    )
    try:
        pieces = _name_refusals(incoming)
        part = recordings.write_part(recording.id, recording.recorded_on, data_key, announced, pieces)
        details = RecordingDetails(
            contact=contact, categories=reading.categories, parts=(evolve(part, sound=incoming.sound),)
        )
        written = recordings.write_record(Record(1, recording, details), data_key)
    except BaseException:
        with suppress(StorageError):
            recordings.remove_part(recording, announced)
        raise
    return Made(item, written.path, written.envelope, f"{folder}/{announced.object_name}", length, leftovers)


class _FileError(Exception):
    """The file of a row cannot be taken."""

    def __init__(self, sentence: str, advice: str, column: str = "file") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.advice = advice
        self.column = column


def _name_refusals(incoming: IncomingContent) -> Iterator[bytes]:
    try:
        yield from incoming.iter_pieces()
    except _CONTENT_ERRORS as error:
        raise _FileError(error.happened, error.advice) from None
    except OSError as error:
        raise _FileError(f"The file cannot be read: {error.strerror}.", "Look at its disk.") from None


@contextmanager
def _open_content(folder: str, reading: RowReading) -> Iterator[tuple[IncomingContent, datetime | None, int]]:
    """Open the file of a row; also tell when the contact ended and how long the file is."""
    with _open_file(Path(folder), reading.file or "") as file:
        length = file.seek(0, 2)
        file.seek(0)
        if not length:
            raise _FileError("The file is empty.", EmptyContentError.default_advice)
        started_at = None if reading.contact is None else reading.contact.started_at
        if _is_chat(reading):
            chat = _read_chat(file, reading.media_type)
            last = chat.messages[-1].sent_at
            told = last if started_at is None else max(last, started_at)
            yield open_content(chat, is_chat=True), reading.ended_at or told, length
            return
        incoming, seconds = _open_audio(file, reading.media_type, length)
        heard = None if started_at is None else started_at + timedelta(seconds=seconds)
        yield incoming, reading.ended_at or heard, length


def _is_chat(reading: RowReading) -> bool:
    if reading.kind is not None:
        return reading.kind.is_chat
    return reading.media_type == CHAT_TYPE


def _open_audio(file: BinaryIO, declared: str | None, length: int) -> tuple[IncomingContent, float]:
    if declared == CHAT_TYPE:
        raise _FileError("A call is declared as a chat.", "Give the media type of its audio, or none.", "media_type")
    try:
        head = file.read(64)
        sound = audio.read_sound(file, audio.recognise(head, declared=declared), length)
        file.seek(0)
        incoming = open_content(file, is_chat=False, declared=declared)
    except MediaTypeMismatchError as error:
        raise _FileError(error.happened, error.advice, "media_type") from None
    except _CONTENT_ERRORS as error:
        raise _FileError(error.happened, error.advice) from None
    except OSError as error:
        raise _FileError(f"The file cannot be read: {error.strerror}.", "Look at its disk.") from None
    incoming.sound = sound
    return incoming, sound.seconds


def _read_chat(file: BinaryIO, declared: str | None) -> Chat:
    if declared not in {None, CHAT_TYPE}:
        raise _FileError("A chat is declared as audio.", f"Declare it as {CHAT_TYPE}, or not at all.", "media_type")
    content = file.read(_LONGEST_CHAT + 1)
    try:
        if len(content) > _LONGEST_CHAT:
            raise IntegrityError("A chat is longer than 64 MiB.")
        return from_json(content, Chat)
    except (KelarecError, RecursionError):
        advice = 'Such as {"messages": [{"sent_at": "2026-03-05T10:00:00+02:00", "by": "customer", "text": "Hei"}]}.'
        raise _FileError("The file holds no chat.", advice) from None


@contextmanager
def _open_file(folder: Path, name: str) -> Iterator[BinaryIO]:
    try:
        root = folder.resolve()
        path = (root / to_relative_path(name)).resolve()
        if not path.is_relative_to(root):
            raise _FileError("The path leaves the folder.", "Put the file itself there instead of a link.")
        if not path.exists():
            raise _FileError("There is no such file.", "Put it there, or correct the row.")
        if not path.is_file():
            raise _FileError("That is no file.", "Name a file.")
        file = path.open("rb")
    except (OSError, RuntimeError, ValueError):  # no access, a ring of links, a name that no system takes
        raise _FileError("The file cannot be opened.", "Look at its name and its rights.") from None
    with file:
        yield file
