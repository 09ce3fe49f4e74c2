"""Lines (palvelunumerot, sivut): what contacts come through, and how many of them are recorded (notice, section 5)."""

from collections.abc import Iterable
from enum import StrEnum

from attrs import field, frozen
from attrs.validators import instance_of

from kelarec.domain.codes import Direction, Kind, is_code
from kelarec.domain.notice_facts import ALWAYS, Label, Validity, is_not_empty, to_text
from kelarec.domain.people import to_service_number
from kelarec.errors import InvalidValueError


class Coverage(StrEnum):
    """How many of a line's contacts are recorded (notice, section 5)."""

    ALL = "all"
    SOME = "some"


def _to_kinds(kinds: Iterable[str]) -> frozenset[Kind]:
    return frozenset(Kind(each) for each in kinds)


def _to_directions(directions: Iterable[str]) -> frozenset[Direction]:
    return frozenset(Direction(each) for each in directions)


def _to_coverage_or_none(coverage: str | None) -> Coverage | None:
    return None if coverage is None else Coverage(coverage)


def _to_texts(texts: Iterable[str]) -> tuple[str, ...]:
    if isinstance(texts, str):
        raise InvalidValueError("One text stands where several belong.", advice="Put it into a list.")
    return tuple(to_text(text) for text in texts)


@frozen(kw_only=True)
class Line:
    """A number or page that contacts come through, and what of it the notice covers (notice, section 5).

    Attributes:
        coverage: How many of its contacts are recorded.
        outbound_coverage: How many of those made through it, if it is not the same.
        share_percent: Of a line that is recorded in part: how many in a hundred, 1 to 99; or
        recorded_numbers: which of its numbers. With neither, the notice does not say how the part is chosen.
        valid: When contacts through it are recorded.

    Raises:
        InvalidValueError: A part is told of a line that is recorded as a whole, or told in both ways.
    """

    code: str = field(validator=is_code)
    label: Label = field(validator=instance_of(Label))
    kinds: frozenset[Kind] = field(converter=_to_kinds, validator=is_not_empty)
    directions: frozenset[Direction] = field(converter=_to_directions, validator=is_not_empty)
    coverage: Coverage = field(converter=Coverage)
    outbound_coverage: Coverage | None = field(default=None, converter=_to_coverage_or_none)
    share_percent: int | None = field(default=None)
    recorded_numbers: tuple[str, ...] = field(default=(), converter=_to_texts)
    valid: Validity = field(default=ALWAYS, validator=instance_of(Validity))

    @share_percent.validator
    def _is_a_part(self, _: object, value: object) -> None:
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 99):  # noqa: PLR2004  less than the whole
            raise InvalidValueError("The share is no part of a hundred.", advice="Give a whole number from 1 to 99.")

    def __attrs_post_init__(self) -> None:
        if self.leaves_part_open:
            return
        if all(self.get_coverage(direction) is Coverage.ALL for direction in self.directions):
            raise InvalidValueError(f"The line {self.code} is recorded as a whole, so no part can be chosen.")
        if self.share_percent is not None and self.recorded_numbers:
            raise InvalidValueError(f"The line {self.code} tells its part as a share and as a list.")

    @property
    def leaves_part_open(self) -> bool:
        """Whether it says of a part that is recorded neither how large it is nor which numbers it is made of."""
        return self.share_percent is None and not self.recorded_numbers

    def records_number(self, number: str) -> bool:
        """Whether one of its numbers is among those that are recorded, however either is written."""
        return to_service_number(number) in map(to_service_number, self.recorded_numbers)

    def get_coverage(self, direction: Direction) -> Coverage:
        """Return how many of the contacts in one direction are recorded."""
        if direction is Direction.OUTBOUND and self.outbound_coverage is not None:
            return self.outbound_coverage
        return self.coverage
