"""Holds: what keeps recordings beyond their last day, placed by one and released by another.

A hold on the ground of an open request belongs to the request and ends with its answer; every other one is released by
a second person (notice, section 10). Each names a review date, a year ahead at most; a sweep that meets one which
nobody has reviewed moves it on and says so.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from attrs import frozen

from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.access_rule import Clause
from kelarec.domain.free_text import require_text
from kelarec.domain.hold import OPEN_REQUEST, Hold, HoldKind, HoldState, require_ground, require_review_date
from kelarec.domain.instants import helsinki_date
from kelarec.domain.people import Actor
from kelarec.domain.staff_acts import Act
from kelarec.errors import (
    ChangedMeanwhileError,
    ExpiredError,
    InvalidHoldError,
    InvalidValueError,
    KeyUnavailableError,
    SamePersonError,
    UnknownHoldError,
)
from kelarec.retention.erasure import new_leaf_entry
from kelarec.retention.placing import MOST_TRIES, Placing
from kelarec.storage.holds import Holds
from kelarec.storage.key_leaves import KeyLeaf, puncture_leaves
from kelarec.storage.keyring import TURN
from kelarec.storage.recordings import Recordings
from kelarec.storage.vault import Vault

_SOON: Final = timedelta(days=30)


@frozen
class MovedHold:
    """A hold that nobody had reviewed by its date, and that a sweep has moved on: an alarm.

    Attributes:
        hold_id: Which.
        recordings: How many recordings it keeps.
        unreviewed_since: By when it was to be reviewed.
        review_on: Until when it goes on now.
    """

    hold_id: UUID
    recordings: int
    unreviewed_since: date
    review_on: date


class Holding:
    """Places, reviews and releases the holds of one archive."""

    def __init__(self, vault: Vault, log: AuditLog) -> None:
        self._vault = vault
        self._log = log
        self._recordings = Recordings(vault)
        self._holds = Holds(vault, self._recordings)
        self._placing = Placing(vault, log)

    def hold(self, recording_ids: Iterable[UUID], *, ground: str, reason: str, review_on: date, by: Actor) -> Hold:
        """Hold recordings; see `Retention.hold`."""
        self._log.require_may(by, Act.HOLD)
        ids = tuple(recording_ids)
        now = self._vault.now()
        hold = Hold(
            id=self._vault.new_id(),
            recording_ids=ids,
            kind=HoldKind.REQUEST if require_ground(ground) == OPEN_REQUEST else HoldKind.OTHER,
            ground=ground,
            reason=_require_reason(reason),
            placed_by=str(by),
            placed_at=now,
            review_on=require_review_date(review_on, helsinki_date(now)),
        )
        for recording_id in hold.recording_ids:
            self._require_can_be_held(recording_id, by)
        self._placing.place(hold, by=by)
        return hold

    def _require_can_be_held(self, recording_id: UUID, by: Actor) -> None:
        with self._vault.database.begin() as connection:
            opened = self._recordings.find_one(connection, recording_id)
            is_held = opened is not None and self._recordings.is_held(connection, recording_id)
        clause = Clause.KNOWN_RECORDING if opened is None else Clause.END
        if opened is not None and (is_held or self._vault.now() < opened.record.recording.ends_at):
            return
        entry = self._log.new_entry(
            EntryKind.DENIED, by, recording_id=recording_id, act=Act.HOLD.value, clause=clause.value
        )
        if opened is None:
            raise self._log.deny(entry, "There is no such recording.", clause=clause.value)
        self._log.write(entry)
        raise ExpiredError("The recording's last day is over; nobody holds it any more.", clause=clause.value)

    def list_holds(self, *, by: Actor, recording_id: UUID | None = None) -> tuple[Hold, ...]:
        """Return the holds that were not released; see `Retention.list_holds`."""
        self._log.require_may(by, Act.HOLD)
        return self._find(lambda hold: recording_id is None or recording_id in hold.recording_ids)

    def due_reviews(self, *, by: Actor, within: timedelta = _SOON) -> tuple[Hold, ...]:
        """Return the holds that are to be reviewed; see `Retention.due_reviews`."""
        self._log.require_may(by, Act.HOLD)
        last = helsinki_date(self._vault.now() + within)
        return self._find(lambda hold: hold.unreviewed_since is not None or hold.review_on <= last)

    def _find(self, is_wanted: Callable[[Hold], bool]) -> tuple[Hold, ...]:
        with self._vault.database.begin() as connection:
            return tuple(hold for hold, _ in self._holds.iter_all(connection) if is_wanted(hold))

    def review(self, hold_id: UUID, review_on: date, *, by: Actor) -> Hold:
        """Let a hold go on to another review date; see `Retention.review`."""
        self._log.require_may(by, Act.HOLD)
        until = require_review_date(review_on, helsinki_date(self._vault.now()))
        for tries_left in reversed(range(MOST_TRIES)):
            before = self._get_placed(hold_id)
            moved = before.review(until)
            try:
                self._placing.move(before, moved, EntryKind.HOLD_REVIEWED, by=by)
            except KeyUnavailableError:
                raise InvalidHoldError(
                    f"The hold gave up the date {until.isoformat()} before.", advice="Choose another date."
                ) from None
            except ChangedMeanwhileError:
                if not tries_left:
                    raise
                continue
            if until < before.review_on:
                self._give_up(before, by)
            return moved
        raise AssertionError  # pragma: no cover  the last try returns or raises

    def move_on(self, before: Hold, *, by: Actor) -> MovedHold:
        """Let a hold go on that nobody has reviewed; the log tells it as an alarm.

        Raises:
            ChangedMeanwhileError: It was reviewed, moved or released meanwhile.
        """
        moved = before.move_on(helsinki_date(self._vault.now()))
        count = self._placing.move(before, moved, EntryKind.HOLD_MOVED_ON, by=by)
        return MovedHold(moved.id, count, moved.unreviewed_since or before.review_on, moved.review_on)

    def release(self, hold_id: UUID, *, by: Actor) -> None:
        """Let a hold keep nothing any more; see `Retention.release`."""
        self._log.require_may(by, Act.RELEASE_HOLD)
        hold = self._get_placed(hold_id)
        if hold.kind is HoldKind.OTHER and hold.placed_by == str(by):
            clause = SamePersonError.code
            entry = self._log.new_entry(
                EntryKind.DENIED, by, hold=str(hold_id), act=Act.RELEASE_HOLD.value, clause=clause
            )
            self._log.write(entry)
            raise SamePersonError(f"{by} has placed the hold {hold_id}; nobody releases their own.", clause=clause)
        entry = self._log.new_entry(EntryKind.HOLD_RELEASED, by, hold=str(hold_id), placed_by=hold.placed_by)
        try:
            with self._log.transaction(entry) as connection:
                self._holds.release(connection, hold_id)
        except ChangedMeanwhileError:
            raise _unknown(hold_id) from None
        self.finish_release(hold, by=by)

    def finish_release(self, hold: Hold, *, by: Actor) -> None:
        """Destroy what a released hold has wrapped, and remove its objects and row; what was begun is completed.

        Raises:
            StorageError: A place refuses; the next sweep goes on with it.
        """
        self._holds.discard(hold.id)
        leaves = self._list_leaves(hold, [*hold.formerly_on, hold.review_on])
        with self._vault.database.begin() as connection:
            self._vault.database.take_turn(connection, TURN)
            if not self._holds.remove_row(connection, hold.id):
                return  # another process was quicker
            alive = puncture_leaves(self._vault, connection, leaves)
            for leaf in leaves:
                if (
                    leaf in alive or leaf.day == hold.review_on
                ):  # told once, also if who destroyed it was killed at that
                    self._log.append(connection, new_leaf_entry(self._log, EntryKind.LEAF_DESTROYED, leaf, by=by))
        self._log.wake()

    def _give_up(self, hold: Hold, by: Actor) -> None:
        """Destroy what a hold has wrapped under its review date, since it goes on to an earlier one."""
        leaves = self._list_leaves(hold, [hold.review_on])
        with self._vault.database.begin() as connection:
            for leaf in sorted(puncture_leaves(self._vault, connection, leaves), key=lambda each: each.name):
                self._log.append(connection, new_leaf_entry(self._log, EntryKind.LEAF_DESTROYED, leaf, by=by))
        self._log.wake()

    def _list_leaves(self, hold: Hold, days: Iterable[date]) -> list[KeyLeaf]:
        living = [day for day in sorted(set(days)) if self._vault.keyring.has(day)]
        return [KeyLeaf(day, each, hold.id) for day in living for each in hold.recording_ids]

    def _get_placed(self, hold_id: UUID) -> Hold:
        with self._vault.database.begin() as connection:
            found = self._holds.find(connection, hold_id)
        if found is None or found[1] is HoldState.RELEASED:
            raise _unknown(hold_id)
        hold, state = found
        if state is HoldState.INTENT:
            with suppress(ChangedMeanwhileError):
                self._placing.complete(hold)
        return hold


def _require_reason(reason: object) -> str:
    try:
        return require_text(reason, "reason of the hold")
    except InvalidValueError as error:
        raise InvalidHoldError(error.happened, advice=error.advice) from None


def _unknown(hold_id: UUID) -> UnknownHoldError:
    return UnknownHoldError(f"There is no hold {hold_id}, or it was released before.")
