"""Masked audio holds no energy in its intervals and is unchanged elsewhere; the notice, section 4; GDPR, Art. 15(4)."""

import io
import struct
from math import ceil, floor
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelarec.errors import InvalidValueError, UnreadableAudioError
from kelarec.media.wav import WavFormat, parse_wav, write_wav
from kelarec.media.wav_masks import silence_wav
from kelarec.testing.builders import make_wav

SECONDS: Final = 4
RATE: Final = 400
CODECS: Final = {"A-law": (6, 8), "mu-law": (7, 8), "PCM 8": (1, 8), "PCM 16": (1, 16), "PCM 24": (1, 24)}
QUIETEST_A_LAW: Final = 8


def make_loud(tag: int, bits: int, channels: int = 2) -> bytes:
    """Return a WAV file of four seconds whose every sample is loud."""
    frame = channels * bits // 8
    form = WavFormat(tag, channels, RATE, frame, bits, 0, 0)
    loud = {(6, 8): b"\x2a\xaa", (7, 8): b"\x00\x80", (1, 8): b"\x00\xff"}.get((tag, bits))
    one = loud or {16: struct.pack("<hh", 30_000, -30_000), 24: b"\xff\xff\x6f\x00\x00\x90"}[bits]
    return write_wav(form, (one * (RATE * SECONDS * frame))[: RATE * SECONDS * frame])


def decode(sample: bytes, tag: int, bits: int) -> int:
    """Return the linear value of one sample, on a scale of 16 bits for G.711 (ITU-T G.711, tables 1a to 2b)."""
    if tag == 6:
        value = sample[0] ^ 0x55
        exponent, mantissa = (value >> 4) & 7, (value & 15) << 4
        magnitude = mantissa + 8 if exponent == 0 else (mantissa + 0x108) << (exponent - 1)
        return magnitude if value & 0x80 else -magnitude
    if tag == 7:
        value = ~sample[0] & 0xFF
        magnitude = (((value & 15) << 3) + 0x84) << ((value >> 4) & 7)
        return 0x84 - magnitude if value & 0x80 else magnitude - 0x84
    return sample[0] - 128 if bits == 8 else int.from_bytes(sample, "little", signed=True)


def silence(wav: bytes, *intervals: tuple[float, float]) -> bytes:
    """Return a WAV file with silence in some intervals."""
    return b"".join(silence_wav(io.BytesIO(wav), parse_wav(wav), length=len(wav), intervals=intervals))


@pytest.mark.parametrize(("tag", "bits"), CODECS.values(), ids=CODECS.keys())
@settings(deadline=None, max_examples=40)
@given(spans=st.lists(st.tuples(st.floats(0, 3.9), st.floats(0.0001, 4)), min_size=1, max_size=3))
def test_silence_inside_and_nothing_changed_outside(tag: int, bits: int, spans: list[tuple[float, float]]) -> None:
    """Each interval holds no energy, on every channel and to its last frame; every other byte is as it was."""
    intervals = [(start, min(start + length, float(SECONDS))) for start, length in spans]
    wav = make_loud(tag, bits)
    masked, form = silence(wav, *intervals), parse_wav(wav)
    assert len(masked) == len(wav)
    silent = set()
    for start, stop in intervals:
        silent |= set(range(floor(start * RATE), min(ceil(stop * RATE), SECONDS * RATE)))
    assert masked[: form.data_offset] == wav[: form.data_offset]
    width = bits // 8
    for frame in range(SECONDS * RATE):
        at = form.data_offset + frame * form.frame_bytes
        sounds = masked[at : at + form.frame_bytes]
        if frame not in silent:
            if sounds != wav[at : at + form.frame_bytes]:
                pytest.fail(f"frame {frame} was changed")
        elif len({sounds[each : each + width] for each in range(0, len(sounds), width)}) != 1:
            pytest.fail(f"frame {frame} differs between channels")
    for frame in {floor(start * RATE) for start, _ in intervals} | {ceil(stop * RATE) - 1 for _, stop in intervals}:
        at = form.data_offset + frame * form.frame_bytes
        assert abs(decode(masked[at : at + width], tag, bits)) <= (QUIETEST_A_LAW if tag == 6 else 0)
        assert abs(decode(wav[at : at + width], tag, bits)) > 100
    inside = {masked[form.data_offset + each * form.frame_bytes :][: form.frame_bytes] for each in silent}
    assert len(inside) == 1  # one value throughout: no energy, whatever its level


def test_the_end_of_the_file_stays() -> None:
    """What follows the sound in the file, such as a chunk of notes, is copied as it is."""
    wav = make_wav(1) + b"LIST\x04\0\0\0abcd"
    assert silence(wav, (0.0, 1.0)).endswith(b"LIST\x04\0\0\0abcd")


@pytest.mark.parametrize("interval", [(0.0, 1.1), (-0.1, 0.5), (0.5, 0.5), (0.6, 0.5), (float("nan"), 1.0)])
def test_an_interval_outside_the_sound_is_refused(interval: tuple[float, float]) -> None:
    """Nobody believes they masked what they did not: an interval outside the recording is an error."""
    with pytest.raises(UnreadableAudioError):
        silence(make_wav(1), interval)


def test_no_interval_is_refused() -> None:
    """A masked copy without a mask is none."""
    with pytest.raises(InvalidValueError):
        silence(make_wav(1))
