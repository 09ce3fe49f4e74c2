"""A live take: what a recorder holds while a contact goes on."""

import os
from collections.abc import Callable, Collection
from concurrent.futures import Future
from contextlib import AbstractContextManager
from datetime import datetime
from types import TracebackType
from typing import Final
from uuid import UUID

from kelarec.capture.take_part import EVENTS_FORM, MOST_WAITING, Bar, TakePart
from kelarec.domain.chat import Message
from kelarec.domain.people import Person, StaffId
from kelarec.domain.recording import Recording
from kelarec.domain.take import EventKind, PartForm, TakeEvent, TakeStory
from kelarec.errors import (
    ForkedError,
    InvalidValueError,
    OutOfOrderError,
    SpoolError,
    SpoolFullError,
    TakeEndedError,
    TakePausedError,
)
from kelarec.storage.envelopes import DataKey
from kelarec.storage.json_form import to_json
from kelarec.storage.spool import Spool
from kelarec.storage.spool_frames import from_microseconds
from kelarec.storage.spooled_take import SpooledPart, SpooledTake

ERASED: Final = "erased before its date"


class Take(AbstractContextManager["Take"]):
    """One contact while it is recorded: begin, write, finish.

    At the end of a ``with`` block it is finished; an exception seals what is there as cut.

    Attributes:
        recording_id: The id of the recording that it becomes.
        bar: Why nothing is taken in just now; None if it is.
        story: What is known of the contact.
        done: The future that `finish`, `cut` and `abandon` give.
        is_erased: The recording was erased while it was taken.
        had_row: The catalog has, or had, a row of it.
        was_tried: It was once tried in vain to seal it into the archive.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        recording: Recording,
        story: TakeStory,
        data_key: DataKey,
        spooled: SpooledTake,
        prefix_of: Callable[[PartForm], bytes],
        clock: Callable[[], datetime],
        on_change: Callable[["Take"], None],
        require_declared: Callable[[Collection[str]], None],
    ) -> None:
        self._spool = spool
        self._prefix_of = prefix_of
        self._clock = clock
        self._on_change = on_change
        self._require_declared = require_declared
        self._process_id = os.getpid()
        self._parts: dict[str, TakePart] = {}
        self._failed: Future[SpoolError] | None = None
        self._failure: SpoolError | None = None
        self._last_sent_at: datetime | None = None
        self._began_at = clock()
        self.recording_id: UUID = recording.id
        self.recording = recording
        self.story = story
        self.data_key = data_key
        self.spooled = spooled
        self.bar: Bar | None = None
        self.abandoned_because: str | None = None
        self.is_erased = False
        self.had_row = False
        self.was_tried = False
        self.piece = 1
        self.continues: UUID | None = None
        self.done: Future[Recording] = Future()
        self._events = SpooledPart(0, prefix_of(EVENTS_FORM))
        spooled.parts.append(self._events)
        for form in story.parts:
            self._add_part(form)

    def __repr__(self) -> str:
        return f"Take({self.recording_id})"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("A take is never pickled; it belongs to the process that began it.")

    def part(self, name: str) -> TakePart:
        """Return a part to write to.

        Raises:
            InvalidValueError: The take has no part of that name.
        """
        found = self._parts.get(name)
        if found is None:
            raise InvalidValueError(
                f"The take has no part {name}.", advice=f"It has {', '.join(self._parts)}; name others when it begins."
            )
        return found

    def iter_parts(self) -> list[tuple[PartForm, SpooledPart]]:
        """Return the parts in their order, with what the spool holds of each."""
        return [(part.form, part.spooled) for part in self._parts.values()]

    def say(self, by: str, text: str, *, sent_at: datetime | None = None) -> None:
        """Take in one message of a chat.

        Args:
            by: Who wrote it: ``customer``, ``adviser`` or another party's code.
            text: What it says.
            sent_at: When it was sent; now if that is not given.

        Raises:
            InvalidValueError: The take is a call, or the message is none.
            OutOfOrderError: It was sent before the one that came in before it.
            TakeEndedError, TakePausedError, SpoolFullError, ForkedError: As `TakePart.write`.
        """
        if "chat" not in self._parts:
            raise InvalidValueError("A call is not said in messages.", advice="Write sound to its parts.")
        message = Message(self._clock() if sent_at is None else sent_at, by, text)
        if self._last_sent_at is not None and message.sent_at < self._last_sent_at:
            raise OutOfOrderError("The message was sent before the one that came in before it.")
        self._parts["chat"].write(to_json(message) + b"\n")
        self._last_sent_at = message.sent_at

    def flush(self) -> "Future[None]":
        """Return a future that is done when all that was written before is durable.

        It fails with SpoolError if the disk refuses; what was written stays in memory and is tried again.
        """
        self._require_same_process()
        return self._spool.flush()

    @property
    def durable_until(self) -> datetime | None:
        """The instant until which all that was written is durable; None if nothing is yet."""
        at = from_microseconds(self._spool.synced_at)
        return at if self.spooled.is_durable and at >= self._began_at else None

    @property
    def failed(self) -> "Future[SpoolError]":
        """A future that is done with the error as soon as the disk of the spool has failed once."""
        if self._failed is None:
            self._failed = Future()
            if self._failure is not None:
                self.tell_failure(self._failure)
        return self._failed

    def tell_failure(self, error: SpoolError) -> None:
        """Let `failed` be done."""
        self._failure = error
        if self._failed is not None and not self._failed.done():
            self._failed.set_result(error)

    def pause(self, reason: str) -> None:
        """Take nothing in until `resume`; it leaves a marked gap.

        Raises:
            LooksLikeIdentifierError, InvalidValueError: The reason names a person, or is empty.
            TakeEndedError: The take has ended.
        """
        self._require_not_ended()
        if self.bar is not Bar.PAUSED:
            self.happen(TakeEvent(kind=EventKind.PAUSED, at=self._clock(), text=reason))
            self.bar = Bar.PAUSED

    def resume(self) -> None:
        """Go on after a pause."""
        self._require_not_ended()
        if self.bar is Bar.PAUSED:
            self.happen(TakeEvent(kind=EventKind.RESUMED, at=self._clock()))
            self.bar = None

    def mark(self, label: str, *, offset: float | None = None) -> None:
        """Mark a place.

        Args:
            label: What is there, in words that name nobody.
            offset: Seconds from the start of the contact; now if that is not given.
        """
        self._require_not_ended()
        now = self._clock()
        seconds = (now - self.recording.started_at).total_seconds() if offset is None else offset
        self.happen(TakeEvent(kind=EventKind.MARKED, at=now, text=label, offset=max(seconds, 0.0)))

    def identify(self, customer: Person) -> None:
        """Say who the customer is; from now on the recording is found by them."""
        self._require_not_ended()
        self.happen(TakeEvent(kind=EventKind.IDENTIFIED, at=self._clock(), person=customer))
        self._on_change(self)

    def assign(self, matter: str) -> None:
        """Say which case it belongs to, without a person's identifier."""
        self._require_not_ended()
        self.happen(TakeEvent(kind=EventKind.ASSIGNED, at=self._clock(), text=matter))
        self._on_change(self)

    def categorise(self, categories: Collection[str]) -> None:
        """Say which of the register's data categories have come up.

        Raises:
            InvalidValueError: One is undeclared.
        """
        self._require_not_ended()
        self._require_declared(categories)
        self.happen(TakeEvent(kind=EventKind.CATEGORISED, at=self._clock(), categories=frozenset(categories)))

    def transfer(self, adviser_id: StaffId) -> None:
        """Say that another adviser goes on with the contact."""
        self._require_not_ended()
        self.happen(TakeEvent(kind=EventKind.TRANSFERRED, at=self._clock(), adviser_id=adviser_id))
        self._on_change(self)

    def attach(self, name: str, media_type: str, content: bytes) -> None:
        """Add a part that belongs to the recording, such as a transcript.

        Raises:
            InvalidValueError: The take has a part of that name, or there is no content.
        """
        self._require_not_ended()
        if not content:
            raise InvalidValueError("There is nothing to attach.", advice="Attach it when there is.")
        self.happen(TakeEvent(kind=EventKind.ATTACHED, at=self._clock(), text=name, media_type=media_type))
        self._add_part(self.story.parts[-1])
        part = self._parts[name].spooled  # an attachment may be larger than what a take may leave waiting
        part.taken += len(content)
        part.chunks.append(bytes(content))

    def finish(self, *, ended_at: datetime | None = None) -> "Future[Recording]":
        """End the take; return a future that is done with the recording when all of it is durable.

        Usually the recording is in the archive by then. While the store is away, it is in the spool, its state says so,
        and it follows by itself.

        Raises:
            EndBeforeStartError: It ends before it starts.
            ForkedError: This process is a fork of the one that began it.
        """
        self._require_same_process()
        if self.bar is not Bar.ENDED:
            at = self._clock() if ended_at is None else ended_at
            self._end(TakeEvent(kind=EventKind.ENDED, at=at, lengths=self._lengths))
        return self.done

    def cut(self, reason: str) -> "Future[Recording]":
        """End the take before the contact has ended; the recording says so. See `finish`."""
        self._require_same_process()
        if self.bar is not Bar.ENDED:
            at = max(self._clock(), self.recording.started_at)
            self._end(TakeEvent(kind=EventKind.CUT, at=at, text=reason, lengths=self._lengths))
        return self.done

    def abandon(self, reason: str) -> "Future[Recording]":
        """End the take and keep nothing of it; the log says that and why.

        Raises:
            LooksLikeIdentifierError, InvalidValueError: The reason names a person, or is empty.
            TakeEndedError: The take has ended already.
        """
        self._require_not_ended()
        self.story.after(TakeEvent(kind=EventKind.PAUSED, at=self._clock(), text=reason))  # checks the reason
        self.abandoned_because = reason
        self.spooled.is_abandoned = True
        self.bar = Bar.ENDED
        self.spooled.is_ended = True
        self._spool.hurry()
        return self.done

    def erase(self) -> None:
        """Keep nothing of it, since the recording was erased; its recorder is told at the next call that it ended."""
        self.is_erased = True
        self.abandoned_because = ERASED
        if self.bar is not Bar.ENDED:
            self.spooled.is_abandoned = True
            self.bar = Bar.ENDED
            self.spooled.is_ended = True
            self._spool.hurry()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is Bar.ENDED:
            return
        if kind is None:
            self.finish().result()
        else:
            self.cut(f"an error of the recorder: {kind.__name__}").exception()

    def require_writable(self, waiting: int) -> None:
        """Check that something may be taken in just now; a gap that a full spool left begins or ends here.

        Args:
            waiting: Bytes of the part that are in memory only.

        Raises:
            TakeEndedError, TakePausedError, SpoolFullError, SpoolError, ForkedError: It may not.
        """
        self._require_not_ended()
        if self.bar is Bar.PAUSED:
            raise TakePausedError("The take is paused; nothing was taken in.")
        refusal = self._spool.refusal
        if refusal is None and waiting > MOST_WAITING:
            refusal = SpoolFullError("The spool does not keep up with what is written.")
        if refusal is not None:
            if self.bar is None:
                self.bar = Bar.REFUSED
                self.happen(TakeEvent(kind=EventKind.PAUSED, at=self._clock(), text=refusal.code))
            raise type(refusal)(refusal.happened, lost="the chunk that was offered", advice=refusal.advice)
        if self.bar is Bar.REFUSED:
            self.happen(TakeEvent(kind=EventKind.RESUMED, at=self._clock()))
            self.bar = None

    def happen(self, event: TakeEvent) -> None:
        """Let something happen: it is part of the story, and durable with the next group."""
        self.story = self.story.after(event)
        self._events.chunks.append(to_json(event) + b"\n")

    @property
    def _lengths(self) -> tuple[int, ...]:
        return tuple(part.taken for _, part in self.iter_parts())

    def _end(self, event: TakeEvent) -> None:
        self.happen(event)
        self.bar = Bar.ENDED
        self.spooled.is_ended = True
        self._spool.hurry()

    def _add_part(self, form: PartForm) -> None:
        spooled = SpooledPart(len(self.spooled.parts), self._prefix_of(form))
        self.spooled.parts.append(spooled)
        self._parts[form.name] = TakePart(self, form, spooled, self._spool)

    def _require_not_ended(self) -> None:
        self._require_same_process()
        if self.bar is Bar.ENDED:
            raise TakeEndedError("The take has ended.")

    def _require_same_process(self) -> None:
        if os.getpid() != self._process_id:
            raise ForkedError(
                "The take was begun before this process was forked from its parent.",
                advice="Go on with it in the process that began it.",
            )
