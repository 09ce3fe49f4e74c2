"""What happens to takes behind the recorder's back: rows while they go on, the archive once they have ended.

The store may be away for a day: takes that have ended wait in the spool, in their order, and follow when it is back.
"""

import heapq
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import InvalidStateError
from contextlib import suppress
from typing import Final

from attrs import evolve

from kelarec.audit.log import AuditLog
from kelarec.capture.deposit import Deposit, find_row
from kelarec.capture.rows import SpooledRows, parse_actor
from kelarec.capture.sealing_in import Taken, TakenPart, seal_in
from kelarec.capture.take import ERASED, Take
from kelarec.domain.recording import Recording
from kelarec.domain.take import EventKind, TakeEvent
from kelarec.errors import (
    EmptyContentError,
    ExpiredError,
    KelarecError,
    KeyUnavailableError,
    SpoolDamagedError,
    StorageError,
)
from kelarec.storage.spool import Spool
from kelarec.storage.spooled_take import SpooledPart
from kelarec.storage.vault import Vault

WORKERS: Final = 3
_MOST_ROWS: Final = 200
_LOOKED_FOR_EVERY: Final = 5.0  # seconds: well below the minute after which an erasure is looked at again
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_NO_CONTENT: Final = "nothing was taken in"
_LOGGER: Final = logging.getLogger("kelarec.capture")


class Drain:
    """Threads that make rows and seal takes into the archive."""

    def __init__(
        self,
        vault: Vault,
        log: AuditLog,
        on_gone: Callable[[Take], None],
        list_takes: Callable[[], list[Take]] = list,
    ) -> None:
        self._vault = vault
        self._log = log
        self._on_gone = on_gone
        self._list_takes = list_takes
        self._looked_at = time.monotonic()
        self._rows = SpooledRows(vault, log)
        self._changed: deque[Take] = deque()
        self._ended: list[tuple[int, Take]] = []
        self._tickets = 0
        self._in_hand: set[int] = set()
        self._turn = threading.Condition()
        self._catalog_turn = threading.Lock()
        self._is_stopped = False
        self._pause = 0.0
        self._away_until = 0.0
        self._threads: list[threading.Thread] = []

    def start(self, spool: Spool) -> None:
        """Begin to work on the takes of a spool."""
        self._spool = spool
        for number in range(WORKERS):
            thread = threading.Thread(target=self._seal_on, name=f"kelarec-drain-{number}", daemon=True)
            self._threads.append(thread)
        self._threads.append(threading.Thread(target=self._register_on, name="kelarec-rows", daemon=True))
        for thread in self._threads:
            thread.start()

    def note_change(self, take: Take) -> None:
        """See to it that the row of a take says what is known of it."""
        with self._turn:
            self._changed.append(take)
            self._turn.notify_all()

    def put(self, take: Take) -> None:
        """Take over a take that has ended and is durable."""
        with self._turn:
            self._tickets += 1
            heapq.heappush(self._ended, (self._tickets, take))
            is_away = time.monotonic() < self._away_until
            self._turn.notify_all()
        if is_away:
            self._tell_spooled(take)

    def stop(self) -> None:
        """Seal what can be sealed now, and stop; what cannot stays in the spool."""
        with self._turn:
            self._is_stopped = True
            self._turn.notify_all()
        for thread in self._threads:
            thread.join()

    def _register_on(self) -> None:
        while True:
            with self._turn:
                while not self._changed:
                    if self._is_stopped:
                        return
                    if not self._turn.wait(_LOOKED_FOR_EVERY):
                        break
                takes = [self._changed.popleft() for _ in range(min(len(self._changed), _MOST_ROWS))]
            self._look_for_erased()
            try:
                self._register(list(dict.fromkeys(takes)))
            except StorageError as error:
                _LOGGER.warning("Rows of spooled recordings wait: %s", error.code)
                with self._turn:
                    self._changed.extendleft(reversed(takes))
                    if self._is_stopped:
                        return
                    self._turn.wait(_FIRST_PAUSE)

    def _look_for_erased(self) -> None:
        """Drop the takes whose rows somebody has erased, perhaps in another process."""
        if time.monotonic() - self._looked_at < _LOOKED_FOR_EVERY:
            return
        self._looked_at = time.monotonic()
        try:
            for take in self._rows.list_gone(each for each in self._list_takes() if each.abandoned_because is None):
                take.erase()
        except KelarecError as error:
            _LOGGER.warning("It could not be told which takes were erased: %s", error.code)

    def _register(self, takes: list[Take]) -> None:
        try:
            with self._catalog_turn:
                self._rows.register(takes)
        except StorageError:
            raise
        except KelarecError as error:
            if len(takes) > 1:
                for take in takes:
                    self._register([take])
            else:  # its key is gone: it ends like all others of its date
                _LOGGER.warning("A spooled recording gets no row: %s", error.code)

    def _seal_on(self) -> None:
        while True:
            ticket, take = self._next()
            if take is None:
                return
            try:
                self._bring_in(ticket, take)
            except (KeyUnavailableError, ExpiredError) as error:
                self._give_up(ticket, take, error)
            except StorageError as error:
                self._wait_for_store(ticket, take, error)
            except Exception as error:  # noqa: BLE001  whatever it is, the other takes go on and this one stays spooled
                _LOGGER.warning("A take stays in the spool: %s", type(error).__name__)
                _fail(take, error)
                self._finished_one(ticket)
            else:
                self._pause = 0.0
                self._finished_one(ticket)

    def _next(self) -> tuple[int, Take | None]:
        with self._turn:
            while True:
                left = self._away_until - time.monotonic()
                if self._ended and (left <= 0 or self._is_stopped):
                    ticket, take = heapq.heappop(self._ended)
                    self._in_hand.add(ticket)
                    return ticket, take
                if self._is_stopped and not self._in_hand:
                    return 0, None
                self._turn.wait(left if self._ended else None)

    def _finished_one(self, ticket: int) -> None:
        with self._turn:
            self._in_hand.discard(ticket)
            self._turn.notify_all()

    def _wait_for_store(self, ticket: int, take: Take, error: StorageError) -> None:
        _LOGGER.warning("The store does not answer (%s); takes wait in the spool.", error.code)
        take.was_tried = True
        self._tell_spooled(take)
        with self._turn:
            self._in_hand.discard(ticket)
            self._pause = min(max(2 * self._pause, _FIRST_PAUSE), _LONGEST_PAUSE)
            self._away_until = time.monotonic() + self._pause
            waiting = [each for _, each in self._ended]
            if not self._is_stopped:  # else it stays in the spool, for whoever recovers it
                heapq.heappush(self._ended, (ticket, take))
            else:
                self._ended.clear()
            self._turn.notify_all()
        for each in waiting:
            self._tell_spooled(each)

    def _tell_spooled(self, take: Take) -> None:
        """Let the end be acknowledged: all of the take is durable, though not yet in the archive."""
        ended_at = take.story.ended_at or take.recording.ended_at
        if take.abandoned_because is None:
            _succeed(take, evolve(take.recording, ended_at=ended_at, adviser_id=take.story.contact.adviser_id))

    def _give_up(self, ticket: int, take: Take, error: KelarecError) -> None:
        self._spool.wipe(take.spooled)  # its key is dead, so it is noise already
        self._on_gone(take)
        try:
            self._tell_gone(take)
        except StorageError as refusal:
            _LOGGER.warning("The log is not told that a take was dropped: %s", refusal.code)
        _fail(take, error)
        self._finished_one(ticket)

    def _tell_gone(self, take: Take) -> None:
        """Say in the log that the spool has dropped a take, if its row is gone: an erasure waits for it."""
        if self._rows.list_gone([take]):
            self._rows.remove(take.recording, parse_actor(take.story.by), ERASED)

    def _bring_in(self, ticket: int, take: Take) -> None:
        if take.abandoned_because is not None:
            self._abandon(take, take.abandoned_because)
            return
        try:
            recording = self._seal(ticket, take)
        except EmptyContentError as error:
            self._abandon(take, _NO_CONTENT)
            _fail(take, error)
            return
        self._spool.let_go(take.spooled)
        self._on_gone(take)
        _succeed(take, recording)

    def _seal(self, ticket: int, take: Take) -> Recording:
        with take.spooled.turn:
            try:
                return self._seal_parts(ticket, take, self._to_parts(take))
            except SpoolDamagedError:
                # The disk of the spool lost something: what is whole from the beginning on is kept, and says so.
                parts = self._to_whole_parts(take)
                event = TakeEvent(kind=EventKind.CUT, at=take.story.ended_at or self._vault.now(), text="spool damaged")
                take.story = take.story.after(event)
                return self._seal_parts(ticket, take, parts)

    def _seal_parts(self, ticket: int, take: Take, parts: tuple[TakenPart, ...]) -> Recording:
        with self._catalog_turn:
            if not take.had_row:
                self._rows.register([take])
        if take.was_tried:
            row = find_row(self._vault, take.recording_id)
            if row is not None and row.record.details.parts:
                return row.record.recording  # only the answer was lost
            Deposit(self._vault, self._log, take.recording, take.data_key).discard_unless_committed()
        taken = Taken(take.recording, take.story, parts, take.piece, take.continues, had_row=take.had_row)
        by = parse_actor(take.story.by)
        return seal_in(self._vault, self._log, taken, take.data_key, by, lambda: self._wait_for_earlier(ticket))

    def _wait_for_earlier(self, ticket: int) -> None:
        """Wait until what ended earlier has come in: workers upload side by side and commit in order."""
        with self._turn:
            while min(self._in_hand) < ticket:
                self._turn.wait()

    def _to_parts(self, take: Take) -> tuple[TakenPart, ...]:
        spool = self._spool
        return tuple(
            TakenPart(form, part.length, lambda part=part: spool.iter_content(take.spooled, part))  # type: ignore[misc]
            for form, part in take.iter_parts()
        )

    def _to_whole_parts(self, take: Take) -> tuple[TakenPart, ...]:
        parts = []
        for form, part in take.iter_parts():
            length = 0
            try:
                for piece in self._spool.iter_content(take.spooled, part):
                    length += len(piece)
            except SpoolDamagedError:
                _LOGGER.warning("A part of a take is damaged in the spool.")
            parts.append(TakenPart(form, length, lambda part=part: _until_damage(self._spool, take, part)))  # type: ignore[misc]
        return tuple(parts)

    def _abandon(self, take: Take, reason: str) -> None:
        if take.is_erased:
            self._spool.wipe(take.spooled)  # first: that it was dropped is said when it is so
        with self._catalog_turn:
            take.had_row = True  # and must not get one any more
            self._rows.remove(take.recording, parse_actor(take.story.by), reason)
        self._spool.wipe(take.spooled)
        self._on_gone(take)
        ended_at = take.story.ended_at or take.recording.ended_at
        if take.is_erased:
            _fail(take, KeyUnavailableError("The recording was erased while it was in the spool."))
        elif reason != _NO_CONTENT:
            _succeed(take, evolve(take.recording, ended_at=ended_at))


def _until_damage(spool: Spool, take: Take, part: SpooledPart) -> Iterator[bytes]:
    """Go through a part up to the first message that does not open."""
    with suppress(SpoolDamagedError):
        yield from spool.iter_content(take.spooled, part)


def _succeed(take: Take, recording: Recording) -> None:
    with suppress(InvalidStateError):  # told before, or cancelled by one who wants to know nothing
        take.done.set_result(recording)


def _fail(take: Take, error: BaseException) -> None:
    with suppress(InvalidStateError):
        take.done.set_exception(error)
