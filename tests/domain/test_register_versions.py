"""Versions of a notice follow one another: each recording has the one that was in force when it was made (head)."""

from datetime import date, datetime, timedelta

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from facts import change
from kelarec import Register, RetentionPolicy, kela_register
from kelarec.domain.instants import helsinki_date, start_of
from kelarec.domain.notice_facts import ContactPoint, Label, Validity
from kelarec.domain.register import Purpose, Rank
from kelarec.domain.register_versions import TIME_TO_LEARN, RegisterVersions
from kelarec.errors import InvalidValueError, VersionFaultsError
from kelarec.testing.clock import USUAL_START
from kelarec.testing.strategies import instants

KELA = kela_register(contact_point="Registry office")
DAY = timedelta(days=1)
dates = st.dates(date(2020, 8, 18), date(2090, 1, 1))


def at_version(version: date, register: Register = KELA) -> Register:
    """Return a register of another date."""
    return evolve(register, version=version)


@given(st.sets(dates, min_size=1, max_size=6), instants())
def test_exactly_one_version_is_in_force(days: set[date], at: datetime) -> None:
    """At each instant one version is in force: the newest that has begun, in Helsinki; before the first, the first."""
    versions = RegisterVersions(at_version(day) for day in sorted(days))
    begun = [day for day in days if day <= helsinki_date(at)]
    assert versions.in_force(at).version == max(begun, default=min(days))
    assert versions.on(helsinki_date(at)) == versions.in_force(at)


@given(st.sets(dates, min_size=2, max_size=6), st.data())
def test_a_version_begins_and_ends_at_a_helsinki_midnight(days: set[date], data: st.DataObject) -> None:
    """The instant before a version begins the one before it is in force: no gap, no overlap."""
    ordered = sorted(days)
    number = data.draw(st.integers(1, len(ordered) - 1))
    versions = RegisterVersions(at_version(day) for day in ordered)
    begins_at = start_of(ordered[number])
    assert versions.in_force(begins_at).version == ordered[number]
    assert versions.in_force(begins_at - timedelta(microseconds=1)).version == ordered[number - 1]


@given(st.lists(dates, min_size=2, max_size=4).filter(lambda days: days != sorted(set(days))))
def test_versions_out_of_order_are_none(days: list[date]) -> None:
    """Two versions of one date, or a later one before an earlier, cannot be built."""
    with pytest.raises(InvalidValueError):
        RegisterVersions(at_version(day) for day in days)


@given(st.sets(dates, min_size=1, max_size=5), instants(), st.timedeltas(timedelta(0), timedelta(days=90)))
def test_what_is_in_force_within_a_time(days: set[date], first: datetime, length: timedelta) -> None:
    """Asked for a stretch of time, every version that is in force at some instant of it is named."""
    versions = RegisterVersions(at_version(day) for day in sorted(days))
    found = versions.in_force_between(first, first + length)
    steps = (first + number * DAY for number in range(length.days + 1))
    assert {versions.in_force(each) for each in (*steps, first + length)} <= set(found)
    assert found[0] == versions.in_force(first)
    assert found[-1] == versions.in_force(first + length)


@given(st.timedeltas(timedelta(days=-400), timedelta(days=400)))
def test_a_version_never_reaches_back(ahead: timedelta) -> None:
    """A version begins at least ten minutes after it is adopted, and after every other."""
    now = USUAL_START
    register = at_version(helsinki_date(now + ahead))
    versions = RegisterVersions([KELA])
    if start_of(register.version) < now + TIME_TO_LEARN:
        with pytest.raises(VersionFaultsError) as caught:
            versions.require_may_follow(register, now)
        assert [fault.place for fault in caught.value.faults] == ["version"]
    else:
        versions.require_may_follow(register, now)


def test_every_fault_is_told_at_once() -> None:
    """Another name, a date that is taken, and facts about a time that is over: all listed, each with its place."""
    over = Validity(through_on=date(2025, 12, 31))
    left = ContactPoint(name="Somebody who left", telephone="1", valid=over)
    meanwhile = Purpose(
        code="surveys",
        label=Label("kyselyt", "enkäter", "surveys"),
        rank=Rank.SECONDARY,
        legal_basis=Label("laki", "lag", "act"),
        valid=Validity(from_on=date(2024, 1, 1)),
    )
    wrong = change(
        KELA,
        name="Another register",
        version=date(2026, 3, 5),
        contact_points=[*KELA.contact_points, left],
        purposes=[*KELA.purposes, meanwhile],
    )
    with pytest.raises(VersionFaultsError) as caught:
        RegisterVersions([KELA]).require_may_follow(wrong, USUAL_START)
    places = [fault.place for fault in caught.value.faults]
    number = len(KELA.purposes)
    assert places == ["version", "contact_points[1].valid.through_on", f"purposes[{number}].valid.from_on", "name"]
    assert "nothing was adopted" in str(caught.value)


def test_what_was_said_before_may_be_said_again() -> None:
    """History that the version before tells, too, is no rewriting of the past."""
    over = Validity(through_on=date(2022, 12, 31))
    left = ContactPoint(name="Somebody who left", telephone="1", valid=over)
    came = ContactPoint(name="Somebody who came", telephone="1", valid=Validity(from_on=date(2023, 1, 1)))
    before = change(KELA, contact_points=[left, came])
    RegisterVersions([before]).require_may_follow(at_version(date(2026, 4, 1), before), USUAL_START)


def test_the_longest_retention_of_all_versions() -> None:
    """Whoever looks for what may still be there asks all versions."""
    versions = RegisterVersions(
        evolve(KELA, version=date(year, 1, 1), retention=RetentionPolicy(years))
        for year, years in ((2021, 1), (2022, 3), (2023, 2))
    )
    assert versions.longest_retention == RetentionPolicy(3)
