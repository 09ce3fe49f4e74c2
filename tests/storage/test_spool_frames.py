"""Frames of the spool prove themselves: what a crash or a stranger left there is never taken for one."""

from datetime import UTC, datetime
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from kelarec.storage.sealing import sealed_length
from kelarec.storage.spool_frames import (
    FRAME_HEADER,
    FrameKind,
    content_length,
    frame,
    from_microseconds,
    iter_frames,
    to_microseconds,
)

TAKE: Final = bytes(range(16))
contents = st.lists(st.binary(max_size=300), min_size=1, max_size=6)


def write(several: list[bytes]) -> bytes:
    """Return a file of several messages, without its first lines."""
    return b"".join(frame(FrameKind.MESSAGE, TAKE, 1, number, 7, content) for number, content in enumerate(several))


def read(file: bytes) -> list[bytes]:
    """Return the contents of the frames of a file."""
    frames = iter_frames(lambda offset, length: file[offset : offset + length], 0)
    return [file[each.offset : each.offset + each.length] for each in frames]


@given(contents)
def test_what_was_written_is_read(several: list[bytes]) -> None:
    """Frames come back in order, each with its content."""
    assert read(write(several)) == several


@given(contents, st.data())
@settings(max_examples=200)
def test_a_damaged_header_ends_the_file(several: list[bytes], data: st.DataObject) -> None:
    """A flipped byte in a header is noticed: nothing from there on is read as a frame."""
    file = bytearray(write(several))
    broken = data.draw(st.integers(0, len(several) - 1))
    start = sum(FRAME_HEADER + len(content) for content in several[:broken])
    file[start + data.draw(st.integers(0, FRAME_HEADER - 1))] ^= data.draw(st.integers(1, 255))
    assert read(bytes(file)) == several[:broken]


@given(st.binary(max_size=2000))
def test_noise_holds_no_frame(noise: bytes) -> None:
    """Bytes that nobody wrote as frames are none, and are no error either."""
    assert read(noise) == []


@given(st.integers(0, 200_000))
def test_the_length_of_a_message_follows_from_its_seal(length: int) -> None:
    """How much content a sealed message holds is known without opening it: a WAV header comes before its samples."""
    assert content_length(sealed_length(length)) == length


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001  hypothesis asks
def test_an_instant_survives(at: datetime) -> None:
    """A frame keeps an instant to the microsecond."""
    assert from_microseconds(to_microseconds(at)) == at
