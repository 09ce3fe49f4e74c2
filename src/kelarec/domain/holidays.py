"""The days on which a period does not end in Finland, reckoned and not looked up.

A period under Union law steps over the public holidays that the Member State has designated, Saturdays and Sundays
(Regulation (EEC, Euratom) 1182/71, Art. 2 and 3(4)).

Christmas Eve is missing on purpose. Finland's own act on time limits skips it, so general holiday libraries do as well,
but it is a working day under this regulation. The list that gives the earlier date is the safe one.
"""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import cache
from types import MappingProxyType
from typing import Final

from attrs import frozen

from kelarec.errors import InvalidValueError

HOLDS_FROM: Final = date(2018, 5, 25)
"""The day from which Regulation (EU) 2016/679 applies (its Art. 99(2)); no earlier period is reckoned here."""

_SATURDAY: Final = 5


def easter_sunday(year: int) -> date:
    """Return Easter Sunday of a year in the Gregorian calendar.

    Source: the anonymous Gregorian computus, as printed by J. Meeus, Astronomical Algorithms, chapter 8. The names are
    its quantities: the golden number, the epact that places the full moon, and the days from there to Sunday.
    """
    golden = year % 19
    century, of_century = divmod(year, 100)
    leap_centuries, century_rest = divmod(century, 4)
    moon_drift = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leap_centuries - moon_drift + 15) % 30
    leap_years, year_rest = divmod(of_century, 4)
    to_sunday = (32 + 2 * century_rest + 2 * leap_years - epact - year_rest) % 7
    late_moon = (golden + 11 * epact + 22 * to_sunday) // 451
    month, day_index = divmod(epact + to_sunday - 7 * late_moon + 114, 31)
    return date(year, month, day_index + 1)


@frozen
class HolidayRule:
    """One public holiday: its name, how its day is found in a year, and when the rule holds.

    Attributes:
        holds_from: The first day on which the rule holds.
        holds_until: The last day on which it holds; None while it is in force.
    """

    name: str
    day_in: Callable[[int], date]
    holds_from: date = HOLDS_FROM
    holds_until: date | None = None

    def holds_on(self, day: date) -> bool:
        """Tell whether the rule is law on a day."""
        return self.holds_from <= day and (self.holds_until is None or day <= self.holds_until)


def _fixed(month: int, day: int) -> Callable[[int], date]:
    return lambda year: date(year, month, day)


def _from_easter(days: int) -> Callable[[int], date]:
    return lambda year: easter_sunday(year) + timedelta(days=days)


def _from_first_saturday(month: int, day: int, days: int = 0) -> Callable[[int], date]:
    """Count from the first Saturday that is not before a date."""

    def day_in(year: int) -> date:
        earliest = date(year, month, day)
        return earliest + timedelta(days=(_SATURDAY - earliest.weekday()) % 7 + days)

    return day_in


HOLIDAY_RULES: Final = (
    HolidayRule("New Year's Day", _fixed(1, 1)),
    HolidayRule("Epiphany", _fixed(1, 6)),
    HolidayRule("Good Friday", _from_easter(-2)),
    HolidayRule("Easter Sunday", _from_easter(0)),
    HolidayRule("Easter Monday", _from_easter(1)),
    HolidayRule("May Day", _fixed(5, 1)),
    HolidayRule("Ascension Day", _from_easter(39)),
    HolidayRule("Pentecost", _from_easter(49)),
    HolidayRule("Midsummer Eve", _from_first_saturday(6, 20, days=-1)),
    HolidayRule("Midsummer Day", _from_first_saturday(6, 20)),
    HolidayRule("All Saints' Day", _from_first_saturday(10, 31)),
    HolidayRule("Independence Day", _fixed(12, 6)),
    HolidayRule("Christmas Day", _fixed(12, 25)),
    HolidayRule("St Stephen's Day", _fixed(12, 26)),
)
"""A changed law ends one rule and adds another; what was reckoned under the old one stays as it was."""


@cache
def _holidays_of(year: int) -> Mapping[date, str]:
    found = ((rule, rule.day_in(year)) for rule in HOLIDAY_RULES)
    return MappingProxyType({day: rule.name for rule, day in found if rule.holds_on(day)})


def public_holiday(day: date) -> str | None:
    """Return the English name of the public holiday that a Helsinki date is, or None.

    Raises:
        InvalidValueError: The day is before 25.5.2018, for which this module holds no rules.

    Source: Regulation 1182/71, Art. 2(1), with the days Finland has designated.
    """
    if day < HOLDS_FROM:
        raise InvalidValueError(
            f"The public holidays of {day.isoformat()} are not known here.",
            advice=f"Give a day from {HOLDS_FROM.isoformat()} on, when the GDPR began to apply.",
        )
    return _holidays_of(day.year).get(day)


def is_working_day(day: date) -> bool:
    """Tell whether a Helsinki date is neither a public holiday nor a Saturday nor a Sunday.

    Raises:
        InvalidValueError: The day is before 25.5.2018.

    Source: Regulation 1182/71, Art. 2(2).
    """
    return public_holiday(day) is None and day.weekday() < _SATURDAY
