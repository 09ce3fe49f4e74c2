"""What a spool file is made of: two lines of text, then frames, each with a header that proves itself.

A frame is the head of a take (whom it is about and its wrapped key, as a sealed document), one message of one part of
it (a whole Cobblestone-256 stream), or the mark that it was abandoned. Frames of many takes stand in one file; one
frame may stand in two files, and then is the same to the last byte.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Final
from uuid import UUID

from attrs import frozen

from kelarec.storage.sealing import CHUNK, HEADER, TAG

FIRST_LINE: Final = "kelarec spool v1"
_MAGIC: Final = b"krsf"
_FIELDS: Final = struct.Struct(">4sIBBIQ16s")
_CHECK: Final = struct.Struct(">I")
FRAME_HEADER: Final = _FIELDS.size + _CHECK.size
LONGEST: Final = 1 << 30
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WINDOW: Final = 1 << 20


class FrameKind(IntEnum):
    """What a frame holds."""

    HEAD = 1
    MESSAGE = 2
    ABANDONED = 3


_KINDS: Final = {kind.value: kind for kind in FrameKind}


@frozen
class Frame:
    """Where one frame of a file lies and what its header says.

    Attributes:
        take: The id of the take, 16 bytes.
        part: The number of the part; 0 are the events.
        number: Counts the messages of one part, from 0.
        at: When it was written, microseconds since 1970.
        offset: Where its content begins in the file.
        length: Bytes of its content.
    """

    kind: FrameKind
    take: bytes
    part: int
    number: int
    at: int
    offset: int
    length: int


def file_header(archive_id: UUID) -> bytes:
    """Return what each spool file of an archive begins with."""
    return f"{FIRST_LINE}\narchive {archive_id}\n".encode()


def frame(kind: FrameKind, take: bytes, part: int, number: int, at: int, content: bytes) -> bytes:  # noqa: PLR0917  called 25,000 times a second
    """Return a frame."""
    return frame_header(kind, take, part, number, at, len(content)) + content


def frame_header(kind: int, take: bytes, part: int, number: int, at: int, length: int) -> bytes:  # noqa: PLR0917  as above
    """Return what comes before the content of a frame: the two are written one after the other, never joined."""
    fields = _FIELDS.pack(_MAGIC, length, kind, part, number, at, take)
    return fields + _CHECK.pack(zlib.crc32(fields))


def iter_frames(read: Callable[[int, int], bytes], start: int) -> Iterator[Frame]:
    """Go through the frames of a file up to the first header that does not prove itself: there the writing stopped.

    Args:
        read: Gives up to so many bytes from an offset on.
        start: Where the first frame begins.
    """
    offset, window, window_at = start, b"", 0
    while True:
        at = offset - window_at
        if at < 0 or at + FRAME_HEADER > len(window):
            window, window_at, at = read(offset, _WINDOW), offset, 0
        header = window[at : at + FRAME_HEADER]
        found = _parse(header, offset)
        if found is None:
            return
        yield found
        offset = found.offset + found.length


def parse_frame(header: bytes, offset: int) -> Frame | None:
    """Return the frame whose header begins some bytes that were read at an offset; None if it does not prove itself."""
    return _parse(header[:FRAME_HEADER], offset)


def _parse(header: bytes, offset: int) -> Frame | None:
    if len(header) < FRAME_HEADER or header[:4] != _MAGIC:
        return None
    if zlib.crc32(header[: _FIELDS.size]) != _CHECK.unpack_from(header, _FIELDS.size)[0]:
        return None
    _, length, kind, part, number, at, take = _FIELDS.unpack_from(header)
    known = _KINDS.get(kind)
    if length > LONGEST or known is None:
        return None
    return Frame(known, take, part, number, at, offset + FRAME_HEADER, length)


def content_length(sealed: int) -> int:
    """Return how many bytes of content a sealed message of so many bytes holds."""
    body = sealed - HEADER
    return body - TAG * (body // (CHUNK + TAG) + 1)


def to_microseconds(at: datetime) -> int:
    """Return an instant as a frame keeps it."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(at: int) -> datetime:
    """Return the instant that a frame keeps."""
    return _EPOCH + timedelta(microseconds=at)


def message_context(prefix: bytes, number: int, at: int) -> bytes:
    """Return what is bound into the seal of one message.

    Args:
        prefix: What is bound into all messages of the part: archive, recording, part, format and take.
        number: The message's.
        at: When it was written.
    """
    return b"%b\nmessage %d\nat %d" % (prefix, number, at)
