"""Public holidays of Finland under Regulation (EEC, Euratom) 1182/71."""

from datetime import date, timedelta

import pytest
from dateutil.easter import easter
from dateutil.relativedelta import FR, SA, relativedelta

from kelarec.domain.holidays import HOLDS_FROM, HolidayRule, easter_sunday, is_working_day, public_holiday
from kelarec.errors import InvalidValueError


@pytest.mark.parametrize("year", [1818, 1886, 1943, 1954, 1981, 2000, 2008, 2038, 2049, 2076, 2285])
def test_easter_agrees_with_an_almanac_where_reckonings_go_wrong(year: int) -> None:
    """Easter falls from 22 March to 25 April; the earliest, the latest and the corrected years are the hard ones."""
    almanac = {
        1818: (3, 22), 1886: (4, 25), 1943: (4, 25), 1954: (4, 18), 1981: (4, 19), 2000: (4, 23),
        2008: (3, 23), 2038: (4, 25), 2049: (4, 18), 2076: (4, 19), 2285: (3, 22),
    }  # fmt: skip
    assert easter_sunday(year) == date(year, *almanac[year])


def test_easter_agrees_with_dateutil_for_2500_years() -> None:
    """Easter Sunday is that of the Gregorian calendar, in every year that the oracle knows."""
    assert [easter_sunday(year) for year in range(1583, 4100)] == [easter(year) for year in range(1583, 4100)]


HOLIDAYS_OF_2026 = {
    date(2026, 1, 1): "New Year's Day",
    date(2026, 1, 6): "Epiphany",
    date(2026, 4, 3): "Good Friday",
    date(2026, 4, 5): "Easter Sunday",
    date(2026, 4, 6): "Easter Monday",
    date(2026, 5, 1): "May Day",
    date(2026, 5, 14): "Ascension Day",
    date(2026, 5, 24): "Pentecost",
    date(2026, 6, 19): "Midsummer Eve",
    date(2026, 6, 20): "Midsummer Day",
    date(2026, 10, 31): "All Saints' Day",
    date(2026, 12, 6): "Independence Day",
    date(2026, 12, 25): "Christmas Day",
    date(2026, 12, 26): "St Stephen's Day",
}


def test_2026_has_these_public_holidays_and_no_others() -> None:
    """Public holidays are the days that the Member State has designated (Regulation 1182/71, Art. 2(1))."""
    days = [date(2026, 1, 1) + timedelta(days=index) for index in range(365)]
    assert {day: name for day in days if (name := public_holiday(day))} == HOLIDAYS_OF_2026


@pytest.mark.parametrize("year", range(2019, 2100))
def test_midsummer_and_all_saints_are_saturdays_in_their_week(year: int) -> None:
    """Midsummer Day is the Saturday of 20 to 26 June, its eve the Friday before, All Saints' that of 31.10 to 6.11."""
    midsummer = date(year, 6, 20) + relativedelta(weekday=SA(+1))
    named = {
        midsummer: "Midsummer Day",
        midsummer + relativedelta(weekday=FR(-1)): "Midsummer Eve",
        date(year, 10, 31) + relativedelta(weekday=SA(+1)): "All Saints' Day",
    }
    assert {day: public_holiday(day) for day in named} == named


@pytest.mark.parametrize("year", range(2018, 2100))
def test_christmas_eve_is_no_public_holiday(year: int) -> None:
    """24 December is not among the days designated for Regulation 1182/71, so it is free only at a weekend."""
    eve = date(year, 12, 24)
    assert public_holiday(eve) is None
    assert is_working_day(eve) is (eve.isoweekday() <= 5)


def test_working_days_are_all_other_days() -> None:
    """Working days are all days but public holidays, Sundays and Saturdays (Regulation 1182/71, Art. 2(2))."""
    days = [date(2026, 1, 1) + timedelta(days=index) for index in range(365)]
    off = [day for day in days if not is_working_day(day)]
    assert off == [day for day in days if day in HOLIDAYS_OF_2026 or day.strftime("%w") in "06"]


def test_no_rule_is_guessed_for_days_before_the_gdpr() -> None:
    """Law is dated: before 25.5.2018 (GDPR, Art. 99(2)) there is no answer rather than a wrong one."""
    assert public_holiday(HOLDS_FROM) is None
    for ask in (public_holiday, is_working_day):
        with pytest.raises(InvalidValueError, match="2018-05-24"):
            ask(date(2018, 5, 24))


def test_a_rule_holds_from_its_first_to_its_last_day() -> None:
    """A holiday rule carries the dates it holds for, both included."""
    rule = HolidayRule("Old Day", lambda year: date(year, 7, 1), date(2020, 7, 1), date(2021, 7, 1))
    assert [rule.holds_on(date(year, 7, 1)) for year in (2019, 2020, 2021, 2022)] == [False, True, True, False]
    assert not rule.holds_on(date(2020, 6, 30))
    assert not rule.holds_on(date(2021, 7, 2))
