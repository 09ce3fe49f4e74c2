"""WAV files of PCM and G.711: what their header says, and clips of them.

The standard library's `wave` knows PCM only; telephony speaks A-law and µ-law.

Source: Multimedia Programming Interface and Data Specifications 1.0 (IBM and Microsoft, 1991), and RFC 2361 for the
format tags.
"""

import struct
from typing import BinaryIO, Final

from attrs import frozen

from kelarec.domain.recording import Sound
from kelarec.errors import UnreadableAudioError

MEDIA_TYPE: Final = "audio/wav"
LONGEST_HEADER: Final = 64 * 1024
_USUAL_HEADER: Final = 4 * 1024
_CODECS: Final = {1: "PCM", 6: "G.711 A-law", 7: "G.711 µ-law"}
_SHORTEST_FMT: Final = 16
_CHUNK_HEADER: Final = 8
_OPEN: Final = 0xFFFFFFFF
_UNKNOWN_LENGTHS: Final = {0, _OPEN}


@frozen
class WavFormat:
    """What the header of a WAV file says.

    Attributes:
        tag: The codec: 1 PCM, 6 A-law, 7 µ-law.
        channels: How many.
        rate: Frames a second.
        frame_bytes: Bytes of one sample on all channels.
        sample_bits: Bits of one sample on one channel.
        data_offset: Where the samples begin, in bytes of the file.
        data_length: Bytes of samples the header announces, or None if it was written live and left open.
    """

    tag: int
    channels: int
    rate: int
    frame_bytes: int
    sample_bits: int
    data_offset: int
    data_length: int | None

    @property
    def codec(self) -> str:
        """The codec's name."""
        return _CODECS[self.tag]

    def tell_sound(self, file_length: int) -> Sound:
        """Return what a file of so many bytes says of itself."""
        return Sound(
            codec=self.codec, channels=self.channels, rate=self.rate, seconds=self.duration(max(file_length, 0))
        )

    def duration(self, file_length: int) -> float:
        """Return how many seconds of sound a file of so many bytes holds."""
        return self._frames(file_length) / self.rate

    def require_whole(self, file_length: int) -> None:
        """Check that a file holds what its header announces.

        Raises:
            UnreadableAudioError: It was cut, or holds no sound at all.
        """
        present = file_length - self.data_offset
        if self.data_length is not None and present < self.data_length:
            raise UnreadableAudioError(
                f"The WAV file announces {self.data_length} bytes of sound and holds {present}: it was cut."
            )
        if self._frames(file_length) == 0:
            raise UnreadableAudioError("The WAV file holds no sound.")

    def require_within(self, file_length: int, start: float, stop: float) -> None:
        """Check that some seconds lie within the sound, start first.

        Raises:
            UnreadableAudioError: They do not.
        """
        duration = self.duration(file_length)
        if not 0 <= start < stop <= duration:
            raise UnreadableAudioError(
                f"The seconds from {start} to {stop} do not lie within the recording of {duration:.1f} s.",
                advice="Give start and stop in seconds, start first.",
            )

    def _frames(self, file_length: int) -> int:
        present = max(file_length - self.data_offset, 0)
        return min(present, present if self.data_length is None else self.data_length) // self.frame_bytes


def parse_wav(head: bytes) -> WavFormat:
    """Read the header of a WAV file from its first bytes (64 KiB are enough).

    Raises:
        UnreadableAudioError: It is no WAV file, or of a codec that is not PCM, A-law or µ-law.
    """
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        raise UnreadableAudioError("The audio is no WAV file.")
    position, described = 12, None
    while position + _CHUNK_HEADER <= len(head):
        name, length = struct.unpack_from("<4sI", head, position)
        body = position + _CHUNK_HEADER
        if name == b"fmt ":
            described = _parse_fmt(head[body : body + length])
        elif name == b"data":
            if described is None:
                raise UnreadableAudioError("The WAV file has no format before its sound.")
            return WavFormat(*described, body, None if length in _UNKNOWN_LENGTHS else length)
        position = body + length + length % 2
    raise UnreadableAudioError("The WAV file has no sound within its first 64 KiB.")


def _parse_fmt(body: bytes) -> tuple[int, int, int, int, int]:
    if len(body) < _SHORTEST_FMT:
        raise UnreadableAudioError("The WAV file's format is cut.")
    tag, channels, rate, _, frame_bytes, sample_bits = struct.unpack_from("<HHIIHH", body)
    if tag not in _CODECS:
        raise UnreadableAudioError(f"The WAV file's codec has the tag {tag}, which is neither PCM nor G.711.")
    if not channels or not rate or frame_bytes * 8 != channels * sample_bits:
        raise UnreadableAudioError("The WAV file's format contradicts itself.")
    return tag, channels, rate, frame_bytes, sample_bits


def write_wav(form: WavFormat, samples: bytes) -> bytes:
    """Return a WAV file of samples in a given format."""
    return write_wav_header(form, len(samples)) + samples + b"\0" * (len(samples) % 2)


def write_wav_header(form: WavFormat, length: int) -> bytes:
    """Return what stands before so many bytes of samples; an odd number of them is followed by a zero byte.

    A file beyond 4 GiB, which no such header can tell of, is left open.
    """
    fmt = struct.pack(
        "<HHIIHH",
        form.tag,
        form.channels,
        form.rate,
        form.rate * form.frame_bytes,
        form.frame_bytes,
        form.sample_bits,
    )
    chunks = [(b"fmt ", fmt)]
    if form.tag != 1:
        chunks = [(b"fmt ", fmt + b"\0\0"), (b"fact", struct.pack("<I", min(length // form.frame_bytes, _OPEN)))]
    before = b"WAVE" + b"".join(name + struct.pack("<I", len(content)) + content for name, content in chunks)
    whole = len(before) + _CHUNK_HEADER + length + length % 2
    told, announced = (whole, length) if whole < _OPEN else (_OPEN, _OPEN)
    return b"RIFF" + struct.pack("<I", told) + before + b"data" + struct.pack("<I", announced)


def read_format(file: BinaryIO) -> WavFormat:
    """Read the header at the beginning of a file, first from little, since nearly all are short.

    Raises:
        UnreadableAudioError: It is no WAV file, or of an unknown codec.
    """
    file.seek(0)
    head = file.read(_USUAL_HEADER)
    try:
        return parse_wav(head)
    except UnreadableAudioError:
        return parse_wav(head + file.read(LONGEST_HEADER - _USUAL_HEADER))


def clip_wav(file: BinaryIO, form: WavFormat, *, length: int, start: float, stop: float) -> bytes:
    """Return some seconds of a WAV file as a WAV file of its own, reading no more than they take.

    Args:
        file: A seekable binary file.
        form: What its header says, from `read_format`.
        length: Its length in bytes.
        start: Seconds from the beginning.
        stop: Seconds from the beginning, after start and at most the file's duration.

    Raises:
        UnreadableAudioError: Start and stop do not lie within the sound.
    """
    form.require_within(length, start, stop)
    first, last = round(start * form.rate), round(stop * form.rate)
    file.seek(form.data_offset + first * form.frame_bytes)
    return write_wav(form, file.read((last - first) * form.frame_bytes))
