"""Listening: a call's WAV as a seekable file, and clips of it."""

import io
from typing import BinaryIO, cast

from kelarec.media.wav import WavFormat, clip_wav, read_format
from kelarec.storage.sealing import SealedReader


class AudioReader(SealedReader):
    """A seekable binary file over a call; opens only the chunks it is asked for."""

    @property
    def length(self) -> int:
        """Bytes of the whole WAV file."""
        return self._length

    def get_format(self) -> WavFormat:
        """Return what the WAV header says; the position stays."""
        position = self.tell()
        try:
            return read_format(cast("BinaryIO", self))
        finally:
            self.seek(position)

    def get_duration(self) -> float:
        """Return the seconds of sound."""
        return self.get_format().duration(self._length)

    def clip(self, *, start: float, stop: float) -> bytes:
        """Return the seconds from start to stop as a WAV file of its own; the position stays.

        Raises:
            UnreadableAudioError: Start and stop do not lie within the recording.
            IntegrityError: The content is not as written.
            ExpiredError: Retention ended meanwhile.
        """
        position = self.tell()
        try:
            return clip_wav(cast("BinaryIO", self), length=self._length, start=start, stop=stop)
        finally:
            self.seek(position, io.SEEK_SET)
