"""A hold: what suspends the end of recordings until a review."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from attrs import evolve, field, frozen
from attrs.validators import deep_iterable, ge, instance_of, optional

from kelarec.domain.codes import is_code
from kelarec.domain.free_text import require_text
from kelarec.domain.instants import add_months, to_utc
from kelarec.domain.register_rules import DATA_SUBJECT_RIGHT, LEGAL_CLAIM, STATUTORY_PURPOSES
from kelarec.errors import InvalidHoldError, InvalidValueError, ReviewTooFarError

OPEN_REQUEST: Final = "open-request"
GROUNDS: Final[Mapping[str, frozenset[str]]] = {
    OPEN_REQUEST: frozenset({DATA_SUBJECT_RIGHT}),
    "art-18-1-c": frozenset({LEGAL_CLAIM}),
    "legal-claim": frozenset({LEGAL_CLAIM}),
    "statutory-duty": frozenset(),
}
"""The grounds of a hold, each with the purposes for which it lets recordings be read past their last day.

An open request (notice, section 11; rules, R10); the person needs them for a legal claim (Art. 18(1)(c)); a legal claim
of or against the authority (Art. 17(3)(e)); a statutory duty to keep (Art. 17(3)(b)), under which nobody reads.
"""

MOVED_ON_BY: Final = timedelta(days=30)
"""How far a hold that nobody has reviewed is moved on: so long, and then the alarm comes again."""

_LONGEST_MONTHS: Final = 12


class HoldKind(StrEnum):
    """What a hold belongs to, and so what ends it."""

    REQUEST = "request"
    """An open request of a person; it ends with the answer."""
    DECISION = "decision"
    """A decision that is being carried out; it ends when that is done."""
    OTHER = "other"
    """Another ground, such as a legal claim (Art. 18(1)(c)); placed by one and released by another."""


class HoldState(StrEnum):
    """Where a hold is in its life."""

    INTENT = "intent"
    """It is announced; its recordings are not held yet."""
    PLACED = "placed"
    """Its recordings outlive their day."""
    RELEASED = "released"
    """It keeps nothing any more; its objects are still to be removed."""


def _to_reason(text: object) -> str:
    return require_text(text, "reason of the hold")


def _to_sorted_ids(ids: Iterable[UUID]) -> tuple[UUID, ...]:
    return tuple(sorted(set(ids)))


def _to_dates(days: Iterable[date]) -> tuple[date, ...]:
    return tuple(days)


@frozen(kw_only=True)
class Hold:
    """Keeps recordings readable beyond their last day, until a review date.

    Attributes:
        id: A UUID of version 7.
        recording_ids: Which recordings; without doubles, in order.
        kind: What it belongs to.
        ground: A code of the ground; see `purposes`.
        reason: In a few words; sealed.
        placed_by: A staff id, or ``system:`` and a name.
        placed_at: UTC.
        review_on: The last Helsinki date on which it holds; it is reviewed by then.
        revision: Counts its versions from 1: each review makes one.
        formerly_on: The review dates that it had before.
        unreviewed_since: The review date that passed without a review, if one did.

    Raises:
        InvalidValueError: It holds nothing, or its reason is empty.
        NaiveInstantError: The instant has no time zone.
    """

    id: UUID = field(validator=instance_of(UUID))
    recording_ids: tuple[UUID, ...] = field(converter=_to_sorted_ids, validator=deep_iterable(instance_of(UUID)))
    kind: HoldKind = field(converter=HoldKind)
    ground: str = field(validator=is_code)
    reason: str = field(repr=False, converter=_to_reason)
    placed_by: str = field(validator=instance_of(str))
    placed_at: datetime = field(converter=to_utc)
    review_on: date = field(validator=instance_of(date))
    revision: int = field(default=1, validator=[instance_of(int), ge(1)])
    formerly_on: tuple[date, ...] = field(default=(), converter=_to_dates, validator=deep_iterable(instance_of(date)))
    unreviewed_since: date | None = field(default=None, validator=optional(instance_of(date)))

    def __attrs_post_init__(self) -> None:
        if not self.recording_ids:
            raise InvalidValueError("The hold names no recording.", advice="Name at least one.")

    @property
    def purposes(self) -> frozenset[str]:
        """For which purposes its recordings may be read past their last day.

        A hold of a request or decision serves the person's right. Another serves what `GROUNDS` says of its ground, or
        the statutory purpose that its ground is the code of; on any other ground it keeps, and nobody reads.
        """
        if self.kind is HoldKind.OTHER:
            return GROUNDS.get(self.ground, STATUTORY_PURPOSES & {self.ground})
        return frozenset({DATA_SUBJECT_RIGHT})

    def review(self, review_on: date) -> "Hold":
        """Return the next version: somebody has looked at it and it goes on to another date.

        Raises:
            InvalidHoldError: It is the date that it has.
        """
        return evolve(self._move(review_on), unreviewed_since=None)

    def move_on(self, today: date) -> "Hold":
        """Return the next version: nobody has looked at it, and it goes on nevertheless, with an alarm."""
        since = self.review_on if self.unreviewed_since is None else self.unreviewed_since
        return evolve(self._move(today + MOVED_ON_BY), unreviewed_since=since)

    def _move(self, review_on: date) -> "Hold":
        if review_on == self.review_on:
            raise InvalidHoldError("The hold has this review date already.", advice="Choose another date.")
        return evolve(
            self, review_on=review_on, revision=self.revision + 1, formerly_on=(*self.formerly_on, self.review_on)
        )


def require_review_date(review_on: object, today: date) -> date:
    """Return the review date of a hold: after today and at most a year ahead.

    Raises:
        InvalidHoldError: It is no date, or not after today.
        ReviewTooFarError: It is more than a year ahead.
    """
    if not isinstance(review_on, date) or isinstance(review_on, datetime):
        raise InvalidHoldError("The hold has no review date.", advice="Give a date after today, at most a year ahead.")
    if review_on <= today:
        raise InvalidHoldError("The review date of the hold is not after today.", advice="Choose a later date.")
    if review_on > add_months(today, _LONGEST_MONTHS):
        raise ReviewTooFarError(f"The review date {review_on.isoformat()} is more than a year ahead.")
    return review_on


def require_ground(ground: object) -> str:
    """Return the ground of a hold.

    Raises:
        InvalidHoldError: It is none of `GROUNDS`.
    """
    if not isinstance(ground, str) or ground not in GROUNDS:
        raise InvalidHoldError("The hold has no ground.", advice=f"Name one of: {', '.join(GROUNDS)}.")
    return ground
