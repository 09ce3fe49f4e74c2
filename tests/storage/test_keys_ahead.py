"""Day keys ahead of need, so that an older copy of the key place lacks none that is in use: Art. 32(1)(b) and (c)."""

from datetime import UTC, date, datetime, timedelta
from time import perf_counter
from typing import TYPE_CHECKING, Final

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from kelarec import Archive, Register, System, kela_register
from kelarec.domain.instants import end_of, helsinki_date
from kelarec.domain.register_versions import RegisterVersions
from kelarec.domain.retention import RetentionPolicy
from kelarec.storage.keys_ahead import AHEAD, find_days_needed, make_keys_ahead
from kelarec.testing.builders import make_contact, make_wav

if TYPE_CHECKING:
    from conftest import Disk

RECORDER: Final = System("recorder@test")
REGISTER: Final = kela_register(contact_point="Registry office")
DAY: Final = timedelta(days=1)
instants: Final = st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
years: Final = st.integers(1, 6)


@given(instants, years, years, st.timedeltas(timedelta(0), AHEAD - 2 * DAY), st.integers(0, 364))
def test_every_end_of_the_next_weeks_has_keys(now: datetime, kept: int, told: int, later: timedelta, age: int) -> None:
    """Whatever comes in during the next 33 days, of whatever age, ends on a date that has keys by now (section 9)."""
    register = evolve(REGISTER, retention=RetentionPolicy(kept), log_retention=RetentionPolicy(told))
    needed = set(find_days_needed(RegisterVersions([register]), now))
    assert register.log_retention.last_day(now + later) in needed
    last_day = register.retention.last_day(now + later - age * DAY)
    assert last_day in needed or last_day < helsinki_date(now)
    assert min(needed) == helsinki_date(now)


def list_days(archive: Archive) -> list[date]:
    """Return the dates that have keys."""
    return list(archive._vault.keyring.iter_days())


def test_a_new_archive_has_its_keys(disk: "Disk") -> None:
    """A new archive on disk has the keys of a year and five weeks, and of five weeks of log entries' ends."""
    with disk.create() as archive:
        assert list_days(archive) == find_days_needed(archive.registers, disk.clock())
        print(f"\n{len(list_days(archive))} dates")


def test_an_archive_in_memory_makes_keys_on_demand(kelarec_archive: Archive) -> None:
    """An archive in memory, of which there is no older copy, has no more keys than it uses."""
    kelarec_archive.retention.sweep(by=RECORDER)
    assert len(list_days(kelarec_archive)) == 1


@pytest.mark.parametrize("how", ["open", "sweep"])
def test_keys_are_made_daily(disk: "Disk", how: str) -> None:
    """Opening and sweeping make the keys that have become needed since (section 9)."""
    archive = disk.create()
    disk.clock.move(10 * DAY)
    if how == "open":
        archive.close()
        archive = disk.open()
    else:
        archive.retention.sweep(by=RECORDER)
    with archive:
        assert set(find_days_needed(archive.registers, disk.clock())) <= set(list_days(archive))
        assert make_keys_ahead(archive._vault, archive.registers) == ()


def test_lost_keys_are_named_and_not_made_anew(disk: "Disk") -> None:
    """A date that holds something and has no keys is named; new keys in their place would hide the loss (fault 15)."""
    with disk.create() as archive:
        ended_at = disk.clock() + timedelta(seconds=1)
        call = archive.capture.store(make_contact(), ended_at=ended_at, content=make_wav(), by=RECORDER)
    (disk.keys / "days" / f"{call.kept_through}.key").unlink()
    (disk.keys / "days" / f"{call.kept_through + DAY}.key").unlink()
    for _ in range(2):
        with disk.open() as archive:
            assert archive.lost_keys == (call.kept_through,)
            assert call.kept_through not in list_days(archive)
            assert call.kept_through + DAY in list_days(archive)
            opened = list(archive.audit.iter_entries(by=RECORDER))[-2]
            assert opened.facts == {"lost-keys": call.kept_through.isoformat()}


def test_dead_dates_stay_dead(disk: "Disk") -> None:
    """Making keys ahead never makes those of a date that is over (section 9)."""
    with disk.create() as archive:
        today = helsinki_date(disk.clock())
        disk.clock.set(end_of(today) + timedelta(hours=1))
        archive.retention.sweep(by=RECORDER)
        assert list_days(archive)[0] == today + DAY


def test_creation_stays_quick(disk: "Disk", kelarec_register: Register) -> None:
    """A new archive with the keys of 400 dates and more is there, durable, within seconds even on a busy machine."""
    started = perf_counter()
    disk.create(kelarec_register).close()
    took = perf_counter() - started
    print(f"\ncreated with all keys in {took * 1000:.0f} ms")
    assert took < 5  # a single fsync for each of them, one after the other, may take as long on a slow disk
