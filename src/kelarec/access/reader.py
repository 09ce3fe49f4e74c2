"""Listening: a call's WAV as a seekable file, clips of it, and which seconds were heard."""

import io
from collections.abc import Callable, Iterable
from typing import BinaryIO, cast

from kelarec.audit.consultations import merge_ranges
from kelarec.errors import UnreadableAudioError
from kelarec.media.wav import WavFormat, clip_wav, read_format
from kelarec.storage.sealing import SealedReader

Heard = tuple[tuple[float, float], ...]


class GuardedReader(SealedReader):
    """A seekable binary file over content that may not be given any more by the time it was fetched."""

    def _open_span(self, start: int, buffer: memoryview) -> None:
        super()._open_span(start, buffer)
        self._guard()  # a long read may outlast the end, or a second; what it had fetched is wiped then


class AudioReader(GuardedReader):
    """A seekable binary file over a call; opens only the chunks it is asked for."""

    _form: WavFormat | None = None
    _report: Callable[[Heard], None] | None = None
    _report_later: Callable[[Heard], None] | None = None
    _refuse: Callable[[], None] | None = None
    _ranges: tuple[tuple[float, float], ...] = ()

    @property
    def length(self) -> int:
        """Bytes of the whole WAV file."""
        return self._length

    def report_to(
        self, report: Callable[[Heard], None], *, later: Callable[[Heard], None], refuse: Callable[[], None]
    ) -> None:
        """From now on note which seconds are read, and report them once, when the reader is closed.

        Args:
            report: Is told what was heard, when the reader is closed.
            later: Is told it instead if nobody closed the reader and it is cleared away; it must touch no catalog.
            refuse: Is called before a clip is refused because it lies outside the recording.
        """
        self._form = self.get_format()
        self._report = report
        self._report_later = later
        self._refuse = refuse

    def _note_read(self, start: int, stop: int) -> None:
        if self._form is not None:
            self._ranges = merge_ranges([*self._ranges, *_seconds(self._form, start, stop)])

    def get_format(self) -> WavFormat:
        """Return what the WAV header says; the position stays."""
        if self._form is not None:
            return self._form
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
            form = self.get_format()
            self._require_within(form, start, stop)
            return clip_wav(cast("BinaryIO", self), form, length=self._length, start=start, stop=stop)
        finally:
            self.seek(position, io.SEEK_SET)

    def _require_within(self, form: WavFormat, start: float, stop: float) -> None:
        try:
            form.require_within(self._length, start, stop)
        except UnreadableAudioError:
            if self._refuse is not None:
                self._refuse()
            raise

    def __del__(self) -> None:
        # Garbage is collected anywhere, even in the middle of a transaction: one of our own here would undo that one.
        self._report = self._report_later
        super().__del__()

    def close(self) -> None:
        """Close it, and report what was heard."""
        report, self._report = self._report, None
        super().close()
        if report is not None:
            report(self._ranges)


def _seconds(form: WavFormat, start: int, stop: int) -> Iterable[tuple[float, float]]:
    first, last = max(start - form.data_offset, 0), stop - form.data_offset
    if last > 0:
        a_second = form.rate * form.frame_bytes
        yield first / a_second, last / a_second
