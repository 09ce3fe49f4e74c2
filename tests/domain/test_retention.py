"""One year, to the end of the same date in Helsinki: the notice of 18.8.2020, section 9."""

from datetime import UTC, date, datetime, timedelta

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import example, given
from hypothesis import strategies as st

from kelarec.domain.retention import RetentionPolicy
from kelarec.errors import InvalidValueError, NaiveInstantError
from kelarec.testing._domain_strategies import instants

MICROSECOND = timedelta(microseconds=1)


def _to_helsinki_clock(instant: datetime) -> datetime:
    """Turn the hands by Directive 2000/84/EC, without the time zone database that the library asks."""
    utc = instant.astimezone(UTC).replace(tzinfo=None)
    begin, end = (
        datetime(utc.year, month, 31, 1) + relativedelta(days=-(datetime(utc.year, month, 31).isoweekday() % 7))  # noqa: DTZ001  clock hands have no zone
        for month in (3, 10)
    )
    return utc + timedelta(hours=3 if begin <= utc < end else 2)


@pytest.mark.parametrize(
    ("recorded_at", "last_day", "ends_at"),
    [
        ("2024-02-29T12:00:00+02:00", date(2025, 2, 28), "2025-02-28T22:00:00+00:00"),
        ("2023-03-01T12:00:00+02:00", date(2024, 3, 1), "2024-03-01T22:00:00+00:00"),
        ("2023-02-28T12:00:00+02:00", date(2024, 2, 28), "2024-02-28T22:00:00+00:00"),
        ("2020-08-18T20:59:59.999999+00:00", date(2021, 8, 18), "2021-08-18T21:00:00+00:00"),
        ("2020-08-18T21:00:00+00:00", date(2021, 8, 19), "2021-08-19T21:00:00+00:00"),
        ("2025-03-29T12:00:00+02:00", date(2026, 3, 29), "2026-03-29T21:00:00+00:00"),
        ("2025-03-28T12:00:00+02:00", date(2026, 3, 28), "2026-03-28T22:00:00+00:00"),
        ("2025-10-25T12:00:00+03:00", date(2026, 10, 25), "2026-10-25T22:00:00+00:00"),
        ("2025-10-24T12:00:00+03:00", date(2026, 10, 24), "2026-10-24T21:00:00+00:00"),
        ("2024-12-25T12:00:00+02:00", date(2025, 12, 25), "2025-12-25T22:00:00+00:00"),
    ],
    ids=[
        "leap day", "over a leap day", "28.2 into a leap year", "last microsecond of a day", "first instant of a day",
        "onto the day summer time begins", "the day before", "onto the day it ends", "the day before that",
        "a holiday",
    ],
)  # fmt: skip
def test_one_year_ends_with_the_same_date(recorded_at: str, last_day: date, ends_at: str) -> None:
    """Kept one year (notice, section 9): through the same Helsinki date, or 28.2 where there is no 29.2."""
    policy, instant = RetentionPolicy(), datetime.fromisoformat(recorded_at)
    assert policy.last_day(instant) == last_day
    assert policy.ends_at(instant).isoformat() == ends_at


@given(instants(), st.integers(1, 100))
@example(datetime(2024, 2, 29, tzinfo=UTC), 1)
@example(datetime(2024, 2, 29, tzinfo=UTC), 4)
@example(datetime(2025, 3, 29, tzinfo=UTC), 1)
@example(datetime(2025, 10, 25, tzinfo=UTC), 1)
def test_the_end_is_right_to_the_microsecond(recorded_at: datetime, years: int) -> None:
    """A recording is readable through its last Helsinki date and from the next midnight it is not (section 9)."""
    policy = RetentionPolicy(years)
    same_date = _to_helsinki_clock(recorded_at).date() + relativedelta(years=years)
    ends_at = policy.ends_at(recorded_at)
    assert policy.last_day(recorded_at) == same_date
    assert _to_helsinki_clock(ends_at) == datetime.combine(same_date + timedelta(days=1), datetime.min.time())
    assert _to_helsinki_clock(ends_at - MICROSECOND).date() == same_date
    assert ends_at.tzinfo is UTC


@given(instants())
def test_the_end_is_never_moved_to_a_working_day(recorded_at: datetime) -> None:
    """Regulation 1182/71, Art. 3(4) is not for retention: the day-number stays, whatever weekday it is."""
    recorded_on = _to_helsinki_clock(recorded_at).date()
    last_day = RetentionPolicy().last_day(recorded_at)
    leap_day = (recorded_on.month, recorded_on.day) == (2, 29)
    assert (last_day.month, last_day.day) == ((2, 28) if leap_day else (recorded_on.month, recorded_on.day))
    assert last_day.year == recorded_on.year + 1


def test_weekends_and_holidays_end_retention_too() -> None:
    """A year on may be a Saturday, a Sunday or a holiday, and ends there (notice, section 9)."""
    ends = [RetentionPolicy().last_day(datetime(2024, 3, day, 12, tzinfo=UTC)) for day in range(1, 32)]
    assert ends == [date(2025, 3, day) for day in range(1, 32)]
    assert {day.isoweekday() for day in ends} == set(range(1, 8))


@pytest.mark.parametrize("years", [1, 2, 100])
def test_whole_years_are_a_policy(years: int) -> None:
    """A policy counts whole years, from one to a hundred."""
    assert RetentionPolicy(years).years == years
    assert RetentionPolicy(years).last_day(datetime(2021, 5, 5, tzinfo=UTC)) == date(2021 + years, 5, 5)


@pytest.mark.parametrize("years", [0, -1, 101, True, False, 1.0, "1", None])
def test_other_years_are_no_policy(years: object) -> None:
    """A policy without an end, or without a whole year, cannot be built (GDPR, Art. 5(1)(e))."""
    with pytest.raises(InvalidValueError, match="whole number"):
        RetentionPolicy(years)  # type: ignore[arg-type] # the wrong type is the point


def test_the_default_is_the_notice() -> None:
    """The notice says one year (section 9)."""
    assert RetentionPolicy() == RetentionPolicy(years=1)


def test_a_naive_instant_is_refused() -> None:
    """Without a time zone nobody can say on which Helsinki date a recording was made."""
    naive = datetime(2026, 3, 5, 10)  # noqa: DTZ001  the naive one is the point
    for ask in (RetentionPolicy().last_day, RetentionPolicy().ends_at):
        with pytest.raises(NaiveInstantError):
            ask(naive)
