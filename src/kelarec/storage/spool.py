"""The spool: where a take lies, sealed and durable, while it goes on.

Who writes a take only leaves bytes in memory. One thread seals what waits of all takes every 400 ms, each part's share
as one finished message, writes it to a shared file and syncs that once; only then are the waiting told that it is
durable.
"""

import logging
import os
import threading
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from typing import Final
from uuid import UUID
from weakref import WeakSet

from cryptography.cobblestone import Cobblestone256Encryptor

from kelarec.errors import ClosedError, SpoolError, SpoolFullError
from kelarec.storage.clocks import Clock
from kelarec.storage.segments import Segments, is_no_space, segment_name
from kelarec.storage.spool_files import SpoolFiles
from kelarec.storage.spool_frames import (
    FRAME_HEADER,
    FrameKind,
    content_length,
    file_header,
    frame_header,
    message_context,
    to_microseconds,
)
from kelarec.storage.spool_reading import SpoolReader, iter_messages
from kelarec.storage.spooled_take import SpooledPart, SpooledTake

GROUP_SECONDS: Final = 0.4
MOST_UNSYNCED: Final = 128 * 1024 * 1024
_RESTED_SHARE: Final = (
    4  # a group that somebody waits for begins once the spool has rested three times as long as it worked
)
_TIDY_SECONDS: Final = 1.0
_SHARED_SECONDS: Final = 600.0
_MOST_SHARED: Final = 1536
_HEAD: Final = FrameKind.HEAD.value
_MESSAGE: Final = FrameKind.MESSAGE.value
_LOGGER: Final = logging.getLogger("kelarec.spool")

_SPOOLS: "Final[WeakSet[Spool]]" = WeakSet()
_Sealed = tuple[SpooledTake, SpooledPart | None, bytes, bytes]


class Spool:
    """One spool folder, or its like in memory.

    Attributes:
        refusal: Why nothing more can be taken in just now; None if it can.
        trouble: What the last group ran into; None if the medium took it. What it could not take waits in memory.
        synced_at: When the newest group began that is durable, microseconds since 1970: all that came before is.
    """

    def __init__(
        self,
        files: SpoolFiles,
        archive_id: UUID,
        clock: Clock,
        *,
        limit: int | None,
        on_ended: Callable[[SpooledTake], None],
        on_durable: Callable[[SpooledTake], None],
        on_failure: Callable[[SpoolError], None],
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self.files = files
        self._archive_id = archive_id
        self._clock = clock
        self._limit = limit
        self._on_ended = on_ended
        self._on_durable = on_durable
        self._on_failure = on_failure
        self._ticks = ticks
        self._segments = Segments(files, archive_id)
        self._new: deque[SpooledTake] = deque()
        self._live: dict[bytes, SpooledTake] = {}
        self._held: dict[bytes, SpooledTake] = {}
        self._chapter_sizes: dict[str, int] = {}
        self._unsynced: list[_Sealed] = []
        self._waiters: deque[Future[None]] = deque()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._started_at = 0.0
        self._last_seconds = 0.0
        self.refusal: SpoolError | None = None
        self.trouble: SpoolError | None = None
        self.synced_at = 0
        _SPOOLS.add(self)

    def start(self) -> None:
        """Begin to work behind the writers."""
        for work in (self._write_on, self._tidy_on):
            thread = threading.Thread(target=work, name=f"kelarec-spool{work.__name__.replace('_', '-')}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def add(self, take: SpooledTake) -> None:
        """Take charge of a take; its head becomes durable with the next group."""
        self._new.append(take)
        self._wake.set()

    def flush(self) -> "Future[None]":
        """Return a future that is done once all that was written before is durable.

        It fails if the medium refuses; what it was to tell of stays in memory and is tried again with the next group.
        """
        future: Future[None] = Future()
        if self._stopping.is_set():
            future.set_exception(ClosedError("The archive was closed.", advice="Open it again."))
            return future
        self._waiters.append(future)
        self._wake.set()
        return future

    def hurry(self) -> None:
        """See to it that the next group begins as soon as the load allows."""
        self._wake.set()

    @property
    def size(self) -> int:
        """Bytes in files."""
        return self._segments.size + sum(list(self._chapter_sizes.values()))

    @property
    def depth(self) -> int:
        """How many takes it holds that are not in the archive yet."""
        return len(self._new) + len(self._held)

    @property
    def is_writing(self) -> bool:
        """Whether a take is going on, or something of one is not durable yet."""
        return bool(self._new or self._live or self._unsynced)

    @property
    def is_empty(self) -> bool:
        """Whether no take needs it."""
        return not (self._new or self._live or self._held)

    def _write_on(self) -> None:
        while not self._stopping.is_set():
            self._rest()
            self.run_group()

    def _rest(self) -> None:
        while not self._stopping.is_set():
            now = self._ticks()
            if not (self._live or self._new or self._waiters or self._unsynced):
                self._wake.wait()
                self._wake.clear()
                continue
            early = bool(self._waiters) or bool(self._new) or any(take.is_ended for take in self._iter_ended())
            pause = min(GROUP_SECONDS, _RESTED_SHARE * self._last_seconds) if early else GROUP_SECONDS
            if self.trouble is not None:
                pause = GROUP_SECONDS
            left = self._started_at + pause - now
            if left <= 0:
                return
            if self._wake.wait(left):
                self._wake.clear()

    def _iter_ended(self) -> Iterator[SpooledTake]:
        return (take for take in list(self._live.values()) if take.is_ended)

    def run_group(self) -> bool:
        """Seal, write and sync all that waits; return whether the medium took it."""
        self._started_at = self._ticks()
        waiters = [self._waiters.popleft() for _ in range(len(self._waiters))]
        while self._new:
            take = self._new.popleft()
            self._live[take.id] = self._held[take.id] = take
        ended = list(self._iter_ended())
        at = to_microseconds(self._clock())
        self._seal_waiting(at)
        try:
            self._store_unsynced()
        except Exception as error:  # noqa: BLE001  whatever it is, this thread goes on: all takes hang on it
            self._refuse(error, waiters)
            return False
        finally:
            self._last_seconds = self._ticks() - self._started_at
        self.synced_at = at
        self.trouble = None
        is_full = self._limit is not None and self.size >= self._limit
        self.refusal = SpoolFullError(f"The spool has reached its limit of {self._limit} bytes.") if is_full else None
        for future in waiters:
            with suppress(Exception):  # one that was cancelled wants to know nothing
                future.set_result(None)
        for take in ended:
            self._live.pop(take.id, None)
            self._on_ended(take)
        return True

    def _seal_waiting(self, at: int) -> None:
        sealed = self._unsynced
        for take in self._live.values():
            if take.head is not None:
                sealed.append((take, None, frame_header(_HEAD, take.id, 0, 0, at, len(take.head)), take.head))
                take.head = None
            if take.is_abandoned:
                for part in take.parts:
                    part.take_chunks()
                sealed.append((take, None, frame_header(FrameKind.ABANDONED, take.id, 0, 0, at, 0), b""))
                continue
            for part in take.parts:
                if part.chunks:
                    content = part.take_chunks()
                    number = part.next_number
                    part.next_number = number + 1
                    encryptor = Cobblestone256Encryptor(take.key, message_context(part.prefix, number, at))
                    message = encryptor.update(content) + encryptor.finalize()
                    header = frame_header(_MESSAGE, take.id, part.number, number, at, len(message))
                    sealed.append((take, part, header, message))

    def _store_unsynced(self) -> None:
        """Write what is sealed and sync it; once more in a new file if the first one breaks.

        Raises:
            OSError: The medium refuses; all that is sealed stays in memory.
        """
        unsynced = self._unsynced
        if not unsynced:
            return
        frames = [piece for _, _, *frame in unsynced for piece in frame if piece]
        try:
            segment = self._segments.append(frames, self._ticks())
        except OSError as error:
            self._on_failure(_to_spool_error(error))
            if is_no_space(error):
                raise
            self._segments.retire()
            segment = self._segments.append(frames, self._ticks())
        offset = segment.length
        for take, part, header, content in unsynced:
            offset += len(header)
            length = len(content)
            if part is not None:
                part.note(segment.number, offset, length)
                part.length += content_length(length)
            elif length:
                take.head_places.append((segment_name(segment.number), offset, length))
                take.head_segment = segment.number
                take.is_durable = True
                self._on_durable(take)
            offset += length
        self._segments.advance(segment, offset - segment.length)
        self._unsynced = []

    def _refuse(self, error: Exception, waiters: "list[Future[None]]") -> None:
        self.trouble = _to_spool_error(error)
        if sum(len(content) for *_, content in self._unsynced) > MOST_UNSYNCED:
            self.refusal = self.trouble
        self._on_failure(self.trouble)
        for future in waiters:
            with suppress(Exception):
                future.set_exception(self.trouble)

    def iter_content(self, take: SpooledTake, part: SpooledPart) -> Iterator[bytes]:
        """Go through the durable content of one part of a take.

        Raises:
            IntegrityError: A message is not as it was written.
        """
        return iter_messages(self.files, take, part, segment_name)

    def let_go(self, take: SpooledTake) -> None:
        """Keep nothing of a take any more; what it holds in shared files goes with them."""
        with take.turn:
            take.is_gone = True
            self._held.pop(take.id, None)
            for name in take.chapters:
                self.files.remove(name)
                self._chapter_sizes.pop(name, None)

    def wipe(self, take: SpooledTake) -> None:
        """Destroy the only key of a take, so that what still lies in shared files is noise, and let go of it."""
        with take.turn:
            for name, offset, length in take.head_places:
                with suppress(FileNotFoundError, KeyError):
                    self.files.wipe(name, offset, length)
        self.let_go(take)

    def _tidy_on(self) -> None:
        while not self._stopping.wait(_TIDY_SECONDS):
            try:
                self.tidy()
            except OSError as error:
                _LOGGER.warning("The spool cannot be tidied: %s", error.strerror)

    def tidy(self) -> None:
        """Give takes that go on for long a file of their own, and remove shared files that nobody needs."""
        before = self._ticks() - _SHARED_SECONDS
        oldest = self._segments.newest  # what a take that comes meanwhile needs lies there or behind it
        for take in list(self._held.values()):
            needed = take.oldest_segment
            is_old = needed is not None and self._segments.opened_at.get(needed, before) < before
            if not take.is_ended and (is_old or take.message_count > _MOST_SHARED):
                self._give_own_file(take)
                needed = take.oldest_segment
            if needed is not None:
                oldest = min(oldest, needed)
        self._segments.remove_before(oldest)

    def _give_own_file(self, take: SpooledTake) -> None:
        """Copy what a take has in shared files into a file of its own, sync it, and need the shared ones no more."""
        with take.turn:
            if take.is_ended or take.is_gone or not take.head_places:
                return
            counts = [(part, part.places[:]) for part in take.parts]
            name = f"take-{take.id.hex()}-{len(take.chapters):06}"
            handle = self.files.create(name)
            try:
                size = self._copy(take, counts, handle)
                self.files.sync(handle)
                self.files.sync_names()
            except OSError:
                self.files.remove(name)
                raise
            finally:
                self.files.close(handle)
            self._chapter_sizes[name] = size
            header = len(file_header(self._archive_id))
            overhead = FRAME_HEADER
            length = take.head_places[-1][2]
            take.head_places = [*take.head_places, (name, header + overhead, length)]
            take.head_segment = None
            take.chapters.append(name)
            for part, places in counts:
                del part.places[: len(places)]

    def _copy(self, take: SpooledTake, counts: "list[tuple[SpooledPart, array[int]]]", handle: int) -> int:
        overhead = FRAME_HEADER
        pieces, size = [file_header(self._archive_id)], 0
        with SpoolReader(self.files) as reader:
            name, offset, length = take.head_places[-1]
            pieces.append(reader.read(name, offset - overhead, overhead + length))
            for part, places in counts:
                for index in range(len(places) // 2):
                    segment, offset, length = part.get_place(index)
                    pieces.append(reader.read(segment_name(segment), offset - overhead, overhead + length))
                    if len(pieces) >= 256:  # noqa: PLR2004  some 1.5 MB
                        size += sum(map(len, pieces))
                        self.files.append(handle, pieces)
                        pieces = []
        self.files.append(handle, pieces)
        return size + sum(map(len, pieces))

    def stop(self) -> bool:
        """Make a last group and stop working; return whether all that was taken in is durable."""
        self._stopping.set()
        self._wake.set()
        for thread in self._threads:
            thread.join()
        return self.run_group()

    def release(self) -> None:
        """Let go of the folder; if no take needs it, nothing of it stays."""
        self._segments.retire()
        if self.is_empty:
            for name in self.files.list_names():
                self.files.remove(name)
        self.files.release()


def _refuse_in_fork() -> None:
    """Let no fork take anything in: a write then asks why, so that it need not ask for the process each time."""
    for each in list(_SPOOLS):
        each.refusal = SpoolError("The spool belongs to the process that this one was forked from.")


os.register_at_fork(after_in_child=_refuse_in_fork)


def _to_spool_error(error: Exception) -> SpoolError:
    if isinstance(error, SpoolError):
        return error
    if not isinstance(error, OSError):
        return SpoolError(f"The spool fails for a reason of its own: {type(error).__name__}.", advice="Report it.")
    if is_no_space(error):
        return SpoolFullError("The medium of the spool is full; what was taken in before is safe.")
    return SpoolError(
        f"The medium of the spool fails: {error.strerror or error}.",
        advice="What was acknowledged is safe; take a look at the disk. The spool goes on in a new file.",
    )
