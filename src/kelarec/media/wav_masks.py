"""Silencing intervals of a WAV file: a copy that holds no sound there and is the same byte for byte elsewhere."""

from collections.abc import Iterator, Sequence
from math import ceil, floor
from typing import BinaryIO, Final

from kelarec.errors import InvalidValueError
from kelarec.media.wav import WavFormat

_PIECE: Final = 256 * 1024
_A_LAW, _MU_LAW = 6, 7
_UNSIGNED_BITS: Final = 8


def silence_wav(
    file: BinaryIO, form: WavFormat, *, length: int, intervals: Sequence[tuple[float, float]]
) -> Iterator[bytes]:
    """Give a WAV file piece by piece, with silence on all channels in some intervals.

    Each interval is widened to whole frames. Silence is the codec's own: in A-law its smallest value, since it has no
    zero.

    Args:
        file: A seekable binary file.
        form: What its header says.
        length: Its length in bytes.
        intervals: Seconds from the beginning, each from and to.

    Raises:
        InvalidValueError: There is no interval.
        UnreadableAudioError: An interval does not lie within the sound.
    """
    if not intervals:
        raise InvalidValueError("No interval is to be silenced.", advice="Give from and to, in seconds.")
    for start, stop in intervals:
        form.require_within(length, start, stop)
    silent = [_to_bytes(form, start, stop, length) for start, stop in intervals]
    return _iter_silenced(file, silent, _silence(form))


def _to_bytes(form: WavFormat, start: float, stop: float, length: int) -> tuple[int, int]:
    first, last = floor(start * form.rate), ceil(stop * form.rate)
    begin = form.data_offset + first * form.frame_bytes
    return begin, min(form.data_offset + last * form.frame_bytes, length)


def _silence(form: WavFormat) -> int:
    if form.tag == _A_LAW:
        return 0xD5
    if form.tag == _MU_LAW:
        return 0xFF
    return 0x80 if form.sample_bits == _UNSIGNED_BITS else 0


def _iter_silenced(file: BinaryIO, silent: list[tuple[int, int]], value: int) -> Iterator[bytes]:
    file.seek(0)
    position = 0
    while piece := file.read(_PIECE):
        masked = bytearray(piece)
        for start, stop in silent:
            begin, end = max(start - position, 0), min(stop - position, len(piece))
            if begin < end:
                masked[begin:end] = bytes([value]) * (end - begin)
        yield bytes(masked)
        position += len(piece)
