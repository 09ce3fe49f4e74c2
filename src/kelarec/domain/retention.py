"""How long a recording is kept, and the instant from which nobody may read it (notice, section 9)."""

from datetime import date, datetime
from typing import Final

from attrs import field, frozen

from kelarec.domain.codes import Kind
from kelarec.domain.instants import add_months, end_of, helsinki_date
from kelarec.errors import InvalidValueError

LONGEST_YEARS: Final = 100


@frozen
class RetentionPolicy:
    """A recording is kept through the same date some years on, in Helsinki.

    The last day is never moved to a working day: that rule lengthens a time to act, and keeping is not an act that
    anyone is owed more time for.

    Attributes:
        years: Whole years, 1 to 100.

    Raises:
        InvalidValueError: The years are no whole number from 1 to 100.

    Source: the notice of 18.8.2020, section 9; GDPR, Art. 5(1)(e).
    """

    years: int = field(default=1)

    @years.validator
    def _is_whole_years(self, _: object, value: object) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= LONGEST_YEARS:
            raise InvalidValueError(
                "A retention period is not a whole number of years.",
                advice=f"Give whole years, from 1 to {LONGEST_YEARS}.",
            )

    def last_day(self, recorded_at: datetime) -> date:
        """Return the last Helsinki date on which a recording may be read; 29 February ends on 28 February.

        Raises:
            NaiveInstantError: The instant has no time zone.
        """
        return self.last_day_of(helsinki_date(recorded_at))

    def last_day_of(self, recorded_on: date) -> date:
        """Return the last Helsinki date on which what was recorded on a date may be read."""
        return add_months(recorded_on, 12 * self.years)

    def ends_at(self, recorded_at: datetime) -> datetime:
        """Return the UTC instant from which nothing may be read: the midnight that ends the last day in Helsinki.

        Raises:
            NaiveInstantError: The instant has no time zone.
        """
        return end_of(self.last_day(recorded_at))


@frozen(kw_only=True)
class KindRetention:
    """How long recordings of one kind are kept, if not as long as all others.

    Attributes:
        kind: Which.
        years: Whole years, 1 to 100.

    Raises:
        InvalidValueError: The years are no whole number from 1 to 100.
    """

    kind: Kind = field(converter=Kind)
    years: int = field()

    def __attrs_post_init__(self) -> None:
        RetentionPolicy(self.years)

    @property
    def policy(self) -> RetentionPolicy:
        """For how long."""
        return RetentionPolicy(self.years)

    @property
    def code(self) -> str:
        """The kind, by which a register names it once."""
        return self.kind.value
