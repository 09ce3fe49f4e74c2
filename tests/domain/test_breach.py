"""The breach clock of Art. 33(1)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelarec.domain.breach import BreachClock
from kelarec.errors import NaiveInstantError
from kelarec.testing.strategies import instants


@given(instants(), st.timedeltas(timedelta(days=-1), timedelta(days=9)))
def test_seventy_two_hours_are_hours(aware_at: datetime, later: timedelta) -> None:
    """72 hours pass on any clock, whatever nights, weekends, holidays or summer time lie between (Art. 33(1))."""
    clock = BreachClock(aware_at)
    now = clock.aware_at + later
    assert clock.due_at - clock.aware_at == timedelta(hours=72)
    assert clock.remaining(now) == timedelta(hours=72) - later
    assert clock.is_late(now) == (later > timedelta(hours=72))


def test_the_clock_explains_itself_across_summer_time() -> None:
    """Aware on Good Friday 2024, before summer time: due on Easter Monday, an hour later by the wall, never rolled."""
    clock = BreachClock(datetime(2024, 3, 29, 10, 0, tzinfo=UTC))
    assert clock.explain() == (
        "Aware at 29.3.2024 12:00 EET; 72 hours later, counted as hours and never rolled, is 1.4.2024 13:00 EEST "
        "(Art. 33(1))."
    )


def test_a_naive_instant_is_refused() -> None:
    """Nobody can say when it was."""
    with pytest.raises(NaiveInstantError):
        BreachClock(datetime(2024, 3, 29, 10, 0))  # noqa: DTZ001  the point of the test
