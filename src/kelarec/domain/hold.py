"""A hold: what suspends the end of recordings until a review."""

from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from attrs import field, frozen
from attrs.validators import deep_iterable, instance_of

from kelarec.domain.codes import is_code
from kelarec.domain.free_text import require_text
from kelarec.domain.instants import to_utc
from kelarec.domain.register_rules import DATA_SUBJECT_RIGHT, STATUTORY_PURPOSES
from kelarec.errors import InvalidValueError


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

    def __attrs_post_init__(self) -> None:
        if not self.recording_ids:
            raise InvalidValueError("The hold names no recording.", advice="Name at least one.")

    @property
    def purposes(self) -> frozenset[str]:
        """For which purposes its recordings may be read past their last day.

        A hold of a request or decision serves the person's right. Another serves the statutory purpose that its ground
        is the code of, such as ``legal-claim``; on any other ground it keeps, and nobody reads.
        """
        if self.kind is HoldKind.OTHER:
            return STATUTORY_PURPOSES & {self.ground}
        return frozenset({DATA_SUBJECT_RIGHT})
