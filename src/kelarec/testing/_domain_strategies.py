"""Hypothesis strategies for the domain's smallest values."""

from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from kelarec.domain.identity_code import CENTURIES, PersonalIdentityCode, check_character
from kelarec.domain.instants import end_of, start_of

TEMPORARY: Final = range(900, 1000)
"""The individual numbers that no person has for life; a made-up code must come from here, or it may be somebody's."""

_FIRST_ON: Final = date(2020, 1, 1)
_LAST_ON: Final = date(2040, 12, 31)
_ZONES: Final = ("UTC", "Europe/Helsinki", "America/New_York", "Asia/Kolkata", "Pacific/Auckland")
_SMALLEST: Final = timedelta(microseconds=1)


@st.composite
def _identity_codes(draw: st.DrawFn, individual_numbers: range) -> PersonalIdentityCode:
    sign = draw(st.sampled_from(sorted(CENTURIES)))
    century = CENTURIES[sign]
    born_on = draw(st.dates(date(century, 1, 1), date(century + 99, 12, 31)))
    birth = f"{born_on.day:02}{born_on.month:02}{born_on.year % 100:02}"
    individual = f"{draw(st.sampled_from(individual_numbers)):03}"
    return PersonalIdentityCode(f"{birth}{sign}{individual}{check_character(birth + individual)}")


def identity_codes(*, individual_numbers: range = TEMPORARY) -> st.SearchStrategy[PersonalIdentityCode]:
    """Valid personal identity codes with every sign and century.

    Args:
        individual_numbers: Within 2 to 999; by default those no real person has.
    """
    return _identity_codes(individual_numbers)


def instants(*, first_on: date = _FIRST_ON, last_on: date = _LAST_ON) -> st.SearchStrategy[datetime]:
    """Aware instants in several time zones, often within a microsecond of midnight in Helsinki.

    Args:
        first_on: The first Helsinki date.
        last_on: The last Helsinki date, to its last microsecond.
    """
    first, last = start_of(first_on), end_of(last_on) - _SMALLEST
    anywhere = st.datetimes(first.replace(tzinfo=None), last.replace(tzinfo=None), timezones=st.just(UTC))
    at_midnight = st.builds(
        lambda day, shift: min(max(start_of(day) + shift, first), last),
        st.dates(first_on, last_on),
        st.sampled_from((-_SMALLEST, timedelta(0), _SMALLEST)),
    )
    zones = st.sampled_from(_ZONES).map(ZoneInfo)
    return st.builds(lambda instant, zone: instant.astimezone(zone), anywhere | at_midnight, zones)
