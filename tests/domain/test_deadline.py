"""When answers are due: GDPR, Art. 12(3), counted as Regulation (EEC, Euratom) 1182/71 says."""

import csv
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from attrs.exceptions import FrozenInstanceError
from dateutil.easter import easter
from dateutil.relativedelta import SA, relativedelta
from hypothesis import given

from kelarec.domain.deadline import Deadline, Step
from kelarec.errors import InvalidValueError, NaiveInstantError
from kelarec.testing._domain_strategies import instants

OWN = Path(__file__).parents[1] / "data" / "deadlines.csv"
SHARED = Path(__file__).parents[2].parent / "shared" / "vectors" / "deadlines.csv"


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


OWN_ROWS = [pytest.param(*list(row.values())[:4], id=f"{row['received']} {row['why']}") for row in _rows(OWN)]
SHARED_ROWS = (
    [pytest.param(*list(row.values())[:4], id=f"{row['received']} {row['why']}") for row in _rows(SHARED)]
    if SHARED.exists()
    else [pytest.param("", "", "", "", marks=pytest.mark.skip(reason=f"no shared vectors at {SHARED}"), id="absent")]
)


def _assert_reckoned(received: str, received_on: str, due_on: str, extended_due_on: str) -> None:
    deadline = Deadline.for_request(datetime.fromisoformat(received))
    reckoned = [deadline.received_on, deadline.due_on, deadline.extended_due_on]
    assert [day.isoformat() for day in reckoned] == [received_on, due_on, extended_due_on]


@pytest.mark.parametrize(("received", "received_on", "due_on", "extended_due_on"), OWN_ROWS)
def test_own_vectors(received: str, received_on: str, due_on: str, extended_due_on: str) -> None:
    """An answer is due one month from receipt, or three if extended, counted as in Regulation 1182/71, Art. 3."""
    _assert_reckoned(received, received_on, due_on, extended_due_on)


@pytest.mark.parametrize(("received", "received_on", "due_on", "extended_due_on"), SHARED_ROWS)
def test_shared_vectors(received: str, received_on: str, due_on: str, extended_due_on: str) -> None:
    """The founders' vectors for GDPR, Art. 12(3), hold, each as a case of its own."""
    _assert_reckoned(received, received_on, due_on, extended_due_on)


def _days_off(year: int) -> set[date]:
    """Reckon the holidays by other means than the library does."""
    sunday = easter(year)
    midsummer = date(year, 6, 20) + relativedelta(weekday=SA)
    fixed = {date(year, month, day) for month, day in ((1, 1), (1, 6), (5, 1), (12, 6), (12, 25), (12, 26))}
    around_easter = {sunday + relativedelta(days=days) for days in (-2, 0, 1, 39, 49)}
    saturdays = {midsummer, date(year, 10, 31) + relativedelta(weekday=SA)}
    return fixed | around_easter | saturdays | {midsummer - relativedelta(days=1)}


def test_all_days_from_2020_to_2040_agree_with_an_independent_reckoning() -> None:
    """Art. 3(2)(c) and 3(4) of Regulation 1182/71, done with another library, give the same dates every day."""
    off = {day for year in range(2020, 2042) for day in _days_off(year)}

    def due(received_on: date, months: int) -> date:
        last = received_on + relativedelta(months=months)
        while last in off or last.isoweekday() > 5:
            last += relativedelta(days=1)
        return last

    days = [date(2020, 1, 1) + timedelta(days=index) for index in range((date(2041, 1, 1) - date(2020, 1, 1)).days)]
    assert days[-1] == date(2040, 12, 31)
    reckoned = [(each.due_on, each.extended_due_on) for each in map(Deadline, days)]
    assert reckoned == [(due(day, 1), due(day, 3)) for day in days]


@given(instants())
def test_the_clock_starts_on_the_helsinki_date(received_at: datetime) -> None:
    """The day of receipt is the date in Helsinki, in whichever time zone the instant is written."""
    deadline = Deadline.for_request(received_at)
    assert deadline == Deadline.for_request(received_at.astimezone(UTC))
    ahead = timedelta(hours=3 if _is_summer(received_at) else 2)
    assert deadline.received_on == (received_at.astimezone(UTC) + ahead).date()


def _is_summer(instant: datetime) -> bool:
    """Directive 2000/84/EC, Art. 2 and 3: from the last Sunday of March to that of October, at 1:00 UTC."""
    year = instant.astimezone(UTC).year
    first, last = (datetime(year, month, 31, 1, tzinfo=UTC) for month in (3, 10))
    begin, end = (each - timedelta(days=each.isoweekday() % 7) for each in (first, last))
    return begin <= instant < end


@pytest.mark.parametrize(
    ("received_on", "due_at", "extended_due_at"),
    [
        (date(2026, 3, 5), datetime(2026, 4, 7, 21, tzinfo=UTC), datetime(2026, 6, 5, 21, tzinfo=UTC)),
        (date(2026, 1, 31), datetime(2026, 3, 2, 22, tzinfo=UTC), datetime(2026, 4, 30, 21, tzinfo=UTC)),
        (date(2026, 8, 31), datetime(2026, 9, 30, 21, tzinfo=UTC), datetime(2026, 11, 30, 22, tzinfo=UTC)),
    ],
)
def test_a_period_ends_with_the_last_hour_of_its_day(
    received_on: date, due_at: datetime, extended_due_at: datetime
) -> None:
    """The period ends with the expiry of the last hour of its last day (Regulation 1182/71, Art. 3(2)(c))."""
    deadline = Deadline(received_on)
    assert (deadline.due_at, deadline.extended_due_at) == (due_at, extended_due_at)
    assert deadline.due_at.tzinfo is UTC
    assert deadline.extended_due_at.tzinfo is UTC


def test_an_extension_counts_from_receipt_and_not_from_the_moved_date() -> None:
    """Two further months (GDPR, Art. 12(3)) make three from receipt, though a holiday moved the first date."""
    deadline = Deadline(date(2026, 3, 5))
    assert deadline.due_on == date(2026, 4, 7)
    assert deadline.extended_due_on == date(2026, 6, 5)


def test_each_step_names_its_rule() -> None:
    """A deadline tells each step by which it was found, with the article that makes it."""
    working_day = "Regulation 1182/71, Art. 3(4)"
    assert Deadline(date(2026, 3, 5)).steps == (
        Step(
            date(2026, 3, 5),
            "Regulation 1182/71, Art. 3(1)",
            "The request came in on 5.3.2026, Helsinki time, and that day itself does not count",
        ),
        Step(
            date(2026, 4, 5),
            "GDPR, Art. 12(3); Regulation 1182/71, Art. 3(2)(c)",
            "One month from receipt ends with 5.4.2026",
        ),
        Step(date(2026, 4, 5), working_day, "5.4.2026 is Easter Sunday"),
        Step(date(2026, 4, 6), working_day, "6.4.2026 is Easter Monday"),
        Step(date(2026, 4, 7), working_day, "7.4.2026 is the next working day"),
    )


def test_a_weekend_and_a_missing_day_are_explained() -> None:
    """If the last month lacks the day, its last day counts (Regulation 1182/71, Art. 3(2)(c)), then Art. 3(4)."""
    texts = [step.text for step in Deadline(date(2026, 1, 31)).steps[1:]]
    assert texts == [
        "One month from receipt ends with 28.2.2026, the last day of its month, as there is no 31.2.2026",
        "28.2.2026 is a Saturday",
        "1.3.2026 is a Sunday",
        "2.3.2026 is the next working day",
    ]


@given(instants())
def test_the_steps_lead_to_the_dates(received_at: datetime) -> None:
    """Steps begin at receipt, go forward only, end at the due date, and each cites an article."""
    deadline = Deadline.for_request(received_at)
    for steps, due_on in (
        (deadline.steps, deadline.due_on),
        (deadline.extended_steps, deadline.extended_due_on),
    ):
        days = [step.on for step in steps]
        assert days == sorted(days)
        assert (days[0], days[-1]) == (deadline.received_on, due_on)
        assert all("Art. " in step.rule and step.text for step in steps)


def test_a_deadline_explains_itself_in_sentences() -> None:
    """Printed, a deadline tells both reckonings and both dates."""
    deadline = Deadline(date(2023, 12, 31))
    assert str(deadline) == deadline.explain()
    assert deadline.explain() == (
        "The request came in on 31.12.2023, Helsinki time, and that day itself does not count "
        "(Regulation 1182/71, Art. 3(1)). "
        "One month from receipt ends with 31.1.2024 (GDPR, Art. 12(3); Regulation 1182/71, Art. 3(2)(c)). "
        "The answer is due by 24:00 Helsinki time on 31.1.2024. "
        "If an extension is notified with its reasons by then (GDPR, Art. 12(3)), this follows instead. "
        "The extended period, three months from receipt, ends with 31.3.2024 "
        "(GDPR, Art. 12(3); Regulation 1182/71, Art. 3(2)(c)). "
        "31.3.2024 is Easter Sunday (Regulation 1182/71, Art. 3(4)). "
        "1.4.2024 is Easter Monday (Regulation 1182/71, Art. 3(4)). "
        "2.4.2024 is the next working day (Regulation 1182/71, Art. 3(4)). "
        "The answer is then due by 24:00 Helsinki time on 2.4.2024."
    )


def test_a_naive_instant_is_refused() -> None:
    """Without a time zone nobody can say on which Helsinki date a request came in."""
    with pytest.raises(NaiveInstantError):
        Deadline.for_request(datetime(2026, 3, 5, 10))  # noqa: DTZ001  the naive one is the point


@pytest.mark.parametrize("received_on", [datetime(2026, 3, 5, tzinfo=UTC), "2026-03-05", None])
def test_only_a_date_is_a_day_of_receipt(received_on: object) -> None:
    """An instant is no day until it is put on the Helsinki calendar, so it is not taken for one."""
    with pytest.raises(InvalidValueError, match="no date"):
        Deadline(received_on)


def test_no_deadline_before_the_gdpr_applied() -> None:
    """The regulation applies from 25.5.2018 (GDPR, Art. 99(2)); an earlier receipt is a wrong clock."""
    assert Deadline.for_request(datetime(2018, 5, 24, 21, tzinfo=UTC)).received_on == date(2018, 5, 25)
    with pytest.raises(InvalidValueError, match=r"24\.5\.2018"):
        Deadline.for_request(datetime(2018, 5, 24, 20, 59, 59, tzinfo=UTC))


def test_a_deadline_cannot_be_moved_by_hand() -> None:
    """Dates follow from receipt alone: they are neither given nor changed, and equal receipts are equal deadlines."""
    deadline = Deadline(date(2026, 3, 5))
    with pytest.raises(FrozenInstanceError):
        deadline.due_on = date(2027, 1, 1)  # type: ignore[misc] # the forbidden write is the point
    with pytest.raises(TypeError):
        Deadline(date(2026, 3, 5), due_on=date(2027, 1, 1))  # type: ignore[call-arg] # the forbidden argument too
    assert deadline == Deadline.for_request(datetime(2026, 3, 4, 22, 30, tzinfo=UTC))
    assert hash(deadline) == hash(Deadline(date(2026, 3, 5)))
    assert deadline != Deadline(date(2026, 3, 6))
