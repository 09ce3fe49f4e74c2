"""Reading a spool: the content of one take, and what a folder that a dead process left behind still holds."""

from array import array
from collections.abc import Callable, Iterator
from typing import Final, Self
from uuid import UUID

from attrs import define, field

from kelarec.errors import IntegrityError, SpoolDamagedError, SpoolError, SpoolMismatchError
from kelarec.storage.sealing import unseal
from kelarec.storage.spool_files import SpoolFiles
from kelarec.storage.spool_frames import (
    FIRST_LINE,
    FRAME_HEADER,
    Frame,
    FrameKind,
    file_header,
    iter_frames,
    parse_frame,
)
from kelarec.storage.spool_frames import message_context as bind_message
from kelarec.storage.spooled_take import WORDS, SpooledPart, SpooledTake

_ABSENT: Final = (1 << 64) - 1


class SpoolReader:
    """Reads stretches of spool files; keeps the file it read last open."""

    def __init__(self, files: SpoolFiles) -> None:
        self._files = files
        self._name = ""
        self._handle: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        handle, self._handle = self._handle, None
        if handle is not None:
            self._files.close(handle)

    def read(self, name: str, offset: int, length: int) -> bytes:
        """Return up to so many bytes of a file.

        Raises:
            SpoolDamagedError: There is no such file any more.
            SpoolError: The medium does not give them.
        """
        try:
            if self._handle is None or name != self._name:
                self.close()
                self._handle = self._files.open(name)
                self._name = name
            return self._files.read(self._handle, offset, length)
        except (FileNotFoundError, KeyError):
            raise SpoolDamagedError(f"The file {name} of the spool is missing.", lost="what it held") from None
        except OSError as error:
            raise SpoolError(f"The file {name} of the spool cannot be read: {error.strerror}.") from error

    def iter_frames(self, name: str, start: int) -> Iterator[Frame]:
        """Go through the frames of a file."""
        return iter_frames(lambda offset, length: self.read(name, offset, length), start)

    def find_frame(self, name: str, start: int) -> Frame | None:
        """Return the frame that begins at an offset, or None if none does."""
        return next(iter_frames(lambda offset, _: self.read(name, offset, FRAME_HEADER), start), None)


def open_message(reader: SpoolReader, name: str, found: Frame, key: bytes, prefix: bytes) -> bytes:
    """Return the content of one message.

    Raises:
        SpoolDamagedError: It is not as it was written, or not all of it was.
    """
    return _open(reader.read(name, found.offset, found.length), found, key, prefix)


def _open(sealed: bytes, found: Frame, key: bytes, prefix: bytes) -> bytes:
    try:
        return unseal(key, bind_message(prefix, found.number, found.at), sealed)
    except IntegrityError:
        raise SpoolDamagedError("A message in the spool does not open.", lost="it and what followed it") from None


def iter_messages(
    files: SpoolFiles, take: SpooledTake, part: SpooledPart, name_of: Callable[[int], str]
) -> Iterator[bytes]:
    """Go through the durable content of one part of a take, message by message.

    Raises:
        SpoolDamagedError: A message is missing or is not as it was written.
    """
    number = 0
    with SpoolReader(files) as reader:
        for name in take.chapters:
            for found in reader.iter_frames(name, _skip_header(reader, name)):
                if found.kind is FrameKind.MESSAGE and found.part == part.number and found.number == number:
                    yield open_message(reader, name, found, take.key, part.prefix)
                    number += 1
        for index in range(len(part.places) // WORDS):
            segment, offset, length = part.get_place(index)
            start = offset - FRAME_HEADER
            written = reader.read(name_of(segment), start, FRAME_HEADER + length)
            there = parse_frame(written, start)
            if there is None or (there.take, there.part, there.number) != (take.id, part.number, number):
                raise SpoolDamagedError("A message in the spool is not where it was written.", lost="what followed it")
            yield _open(written[FRAME_HEADER:], there, take.key, part.prefix)
            number += 1


def _skip_header(reader: SpoolReader, name: str) -> int:
    """Return where the frames of a file begin."""
    head = reader.read(name, 0, 128)
    return head.index(b"\n", head.index(b"\n") + 1) + 1


@define
class FoundTake:
    """What a folder holds of one take.

    Attributes:
        head: File, offset and length of its head, or None.
        parts: Places of its messages by part and number: file, offset of the content, sealed length.
        last_at: When its newest frame was written, microseconds since 1970.
    """

    id: bytes
    head: tuple[str, int, int] | None = field(default=None)
    is_abandoned: bool = field(default=False)
    parts: "dict[int, FoundPart]" = field(factory=dict)


class FoundPart:
    """Where the messages of one part lie, by number; the same message may lie in several files."""

    def __init__(self) -> None:
        self.places = array("Q")
        self.others: dict[int, list[tuple[int, int]]] = {}

    def note(self, number: int, file: int, offset: int) -> None:
        """Note one place of a message."""
        while len(self.places) <= number:
            self.places.append(_ABSENT)
        place = file << 40 | offset
        if self.places[number] == _ABSENT:
            self.places[number] = place
        else:
            self.others.setdefault(number, []).append((file, offset))

    def iter_places(self, number: int) -> Iterator[tuple[int, int]]:
        """Go through the places where a message may lie: file and offset of its frame's content."""
        if number < len(self.places) and self.places[number] != _ABSENT:
            yield self.places[number] >> 40, self.places[number] & ((1 << 40) - 1)
        yield from self.others.get(number, ())


class FoundSpool:
    """All takes that a folder holds."""

    def __init__(self, files: SpoolFiles, archive_id: UUID) -> None:
        self.files = files
        self.names = files.list_names()
        self.takes: dict[bytes, FoundTake] = {}
        header = file_header(archive_id)
        with SpoolReader(files) as reader:
            for file, name in enumerate(self.names):
                if not _is_ours(reader.read(name, 0, len(header)), header):
                    continue  # made and never synced: nothing in it was ever acknowledged
                for found in reader.iter_frames(name, len(header)):
                    self._note(file, found)

    def _note(self, file: int, found: Frame) -> None:
        take = self.takes.setdefault(found.take, FoundTake(found.take))
        if found.kind is FrameKind.HEAD:
            take.head = take.head or (self.names[file], found.offset, found.length)
        elif found.kind is FrameKind.ABANDONED:
            take.is_abandoned = True
        else:
            take.parts.setdefault(found.part, FoundPart()).note(found.number, file, found.offset)

    def read_head(self, take: FoundTake) -> bytes:
        """Return the sealed head of a take; nothing if there is none."""
        if take.head is None:
            return b""
        name, offset, length = take.head
        with SpoolReader(self.files) as reader:
            return reader.read(name, offset, length)

    def gather(self, take: FoundTake, into: SpooledPart, key: bytes) -> tuple[int, bool]:
        """Find the messages of one part that are there from the first on without a break, and open each.

        Returns:
            When the last of them was written (microseconds since 1970, 0 if there is none), and whether a later message
            is there as well, so that something between is lost.
        """
        known = take.parts.get(into.number, FoundPart())
        last_at = 0
        with SpoolReader(self.files) as reader:
            while True:
                number = into.next_number
                for file, offset in known.iter_places(number):
                    name = self.names[file]
                    found = reader.find_frame(name, offset - FRAME_HEADER)
                    if found is None:
                        continue
                    try:
                        content = open_message(reader, name, found, key, into.prefix)
                    except SpoolDamagedError:
                        continue
                    into.note(file, offset, found.length)
                    into.length += len(content)
                    into.next_number += 1
                    last_at = found.at
                    break
                if into.next_number == number:
                    return last_at, number < len(known.places)


def _is_ours(head: bytes, header: bytes) -> bool:
    """Whether a file begins as one of this archive's.

    Raises:
        SpoolMismatchError: It begins as one of another archive's.
    """
    if head == header:
        return True
    if head.startswith(FIRST_LINE.encode() + b"\narchive ") and len(head) == len(header) and head.endswith(b"\n"):
        raise SpoolMismatchError("The spool holds the takes of another archive.")
    return False
