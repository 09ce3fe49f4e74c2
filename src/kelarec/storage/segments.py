"""The shared files of a spool: frames of all takes, in the order in which they came, file after file.

A file is closed after 256 MiB or a minute, and removed when no take needs it or one before it.
"""

import errno
from collections.abc import Sequence
from contextlib import suppress
from typing import Final
from uuid import UUID

from attrs import define, field

from kelarec.storage.spool_files import SpoolFiles
from kelarec.storage.spool_frames import file_header

LARGEST: Final = 256 * 1024 * 1024
LONGEST_SECONDS: Final = 60.0
_PREFIX: Final = "segment-"


@define
class Segment:
    """One shared file.

    Attributes:
        opened_at: By the spool's monotonic clock, in seconds.
        length: Bytes that are written and synced.
    """

    number: int
    handle: int
    opened_at: float
    length: int = field(default=0)


def segment_name(number: int) -> str:
    """Return the name of a shared file."""
    return f"{_PREFIX}{number:08}"


class Segments:
    """The shared files of one spool folder, of which one is written."""

    def __init__(self, files: SpoolFiles, archive_id: UUID) -> None:
        self._files = files
        self._header = file_header(archive_id)
        self._current: Segment | None = None
        self._next = 0
        self.lengths: dict[int, int] = {}
        self.opened_at: dict[int, float] = {}

    @property
    def size(self) -> int:
        """Bytes of all shared files."""
        return sum(list(self.lengths.values()))

    def append(self, frames: Sequence[bytes], now: float) -> Segment:
        """Write frames and sync them; return the file they are in, whose length is still the one before them.

        Raises:
            OSError: The medium refuses. Nothing that was not durable before counts as durable.
        """
        segment = self._get_current(now)
        try:
            self._files.append(segment.handle, frames)
        except OSError:
            self._cut_back(segment)
            raise
        try:
            self._files.sync(segment.handle)
        except OSError:
            self.retire()  # what a failed sync leaves on the medium nobody knows; it is never asked twice
            raise
        return segment

    def advance(self, segment: Segment, length: int) -> None:
        """Count what was just written and synced."""
        segment.length += length
        self.lengths[segment.number] = segment.length

    def _get_current(self, now: float) -> Segment:
        current = self._current
        if current is not None and (current.length >= LARGEST or now - current.opened_at >= LONGEST_SECONDS):
            self.retire()
            current = None
        if current is None:
            current = self._open(now)
        return current

    def _open(self, now: float) -> Segment:
        number = self._next
        self._next += 1
        name = segment_name(number)
        handle = self._files.create(name)
        segment = Segment(number, handle, now)
        try:
            self._files.append(handle, [self._header])
            self._files.sync_names()
        except OSError:
            self._files.close(handle)
            with suppress(OSError):
                self._files.remove(name)
            raise
        self.opened_at[number] = now
        self.advance(segment, len(self._header))
        self._current = segment
        return segment

    def _cut_back(self, segment: Segment) -> None:
        try:
            self._files.cut(segment.handle, segment.length)
        except OSError:
            self.retire()

    def retire(self) -> None:
        """Write no more to the present file; the next frames go to a new one."""
        current, self._current = self._current, None
        if current is not None:
            self._files.close(current.handle)

    @property
    def newest(self) -> int:
        """The number of the newest file; -1 if there has been none."""
        return self._next - 1

    def remove_before(self, oldest: int) -> None:
        """Remove the files before the earliest one that is needed."""
        for number in list(self.lengths):
            if number < oldest:
                self._files.remove(segment_name(number))
                self.lengths.pop(number, None)
                self.opened_at.pop(number, None)


def is_no_space(error: OSError) -> bool:
    """Whether the medium is full rather than broken."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT}
