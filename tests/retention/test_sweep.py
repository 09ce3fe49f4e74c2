"""One year, then gone: the notice of 18.8.2020, section 9; GDPR, Art. 5(1)(e)."""

import shutil
from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import pytest
from sqlalchemy import func, select

from kelarec import Archive, Recording, StaffId, System
from kelarec.access.session import Session
from kelarec.audit.entries import EntryKind
from kelarec.domain.instants import end_of
from kelarec.errors import ClockError, DeniedError, ExpiredError
from kelarec.storage import catalog_tables as tables
from kelarec.storage.vault import Vault
from kelarec.testing.builders import make_contact, make_identity_code, make_staff_member, make_wav
from kelarec.testing.clock import USUAL_START, MovableClock

if TYPE_CHECKING:
    from conftest import Disk

RECORDER: Final = System("recorder@test")
SWEEPER: Final = System("sweep@test")
VEIKKO: Final = StaffId("veikko")
AINO: Final = make_identity_code()
SECOND: Final = timedelta(seconds=1)
HOUR: Final = timedelta(hours=1)
INSTANT: Final = timedelta(microseconds=1)
LAST_DAY: Final = date(2027, 3, 5)

Ways = dict[str, Callable[[Session, Recording], object]]
WAYS: Final[Ways] = {
    "details": lambda session, call: session.get_details(call.id),
    "sound": lambda session, call: session.open(call.id),
}


def store(archive: Archive, clock: MovableClock) -> Recording:
    """Store a call that starts now."""
    contact = make_contact(started_at=clock())
    return archive.capture.store(contact, ended_at=clock() + SECOND, content=make_wav(), by=RECORDER)


def work(archive: Archive) -> Session:
    """Begin a session of Veikko's."""
    return archive.session(by=VEIKKO, purpose="verify-service-event", matter="KELA-1")


@pytest.fixture
def call(disk_archive: Archive, disk: "Disk") -> Recording:
    """A call on disk that Veikko took."""
    disk_archive.staff.enrol(make_staff_member(), by=RECORDER)
    return store(disk_archive, disk.clock)


def count_rows(vault: Vault) -> tuple[int, int]:
    """Return how many recordings and tokens the catalog holds."""
    with vault.database.begin() as connection:
        recordings = connection.execute(select(func.count()).select_from(tables.recordings)).scalar_one()
        return recordings, connection.execute(select(func.count()).select_from(tables.tokens)).scalar_one()


def list_ended(archive: Archive) -> list[str]:
    """Return the dates whose keys the log says were destroyed."""
    entries = archive.audit.iter_entries(by=SWEEPER)
    return [entry.facts["kept-through"] for entry in entries if entry.kind is EntryKind.KEYS_DESTROYED]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_readable_to_the_last_microsecond_and_no_longer(
    disk_archive: Archive, disk: "Disk", call: Recording, way: Callable[[Session, Recording], object]
) -> None:
    """A call is kept through the same date a year on; from that midnight on nothing is read, swept or not."""
    assert call.kept_through == LAST_DAY
    disk.clock.set(call.ends_at - INSTANT)
    with work(disk_archive) as session:
        way(session, call)
        assert session.find(AINO) == [call]
        disk.clock.set(call.ends_at)
        with pytest.raises(ExpiredError):
            way(session, call)
        assert session.find(AINO) == []


@pytest.mark.usefixtures("call")
def test_the_keys_die_an_hour_later(disk_archive: Archive, disk: "Disk", vault: Vault) -> None:
    """The sweep waits an hour, for clocks that disagree; then keys, objects and rows of the date are gone."""
    key = disk.keys / "days" / f"{LAST_DAY}.key"
    disk.clock.set(end_of(LAST_DAY) + HOUR - INSTANT)
    assert disk_archive.retention.sweep(by=SWEEPER).dates == ()
    assert key.exists()
    disk.clock.move(INSTANT)
    [swept] = disk_archive.retention.sweep(by=SWEEPER)
    assert (swept.kept_through, swept.recordings, swept.log_entries) == (LAST_DAY, 1, 0)
    assert not key.exists()
    assert not (disk.objects / "recordings").exists()
    assert count_rows(vault) == (0, 0)
    assert list_ended(disk_archive) == [LAST_DAY.isoformat()]


@pytest.mark.usefixtures("call")
def test_a_second_sweep_changes_nothing(disk_archive: Archive, disk: "Disk") -> None:
    """Sweeping again is no error and finds nothing to do."""
    disk.clock.set(end_of(LAST_DAY) + HOUR)
    disk_archive.retention.sweep(by=SWEEPER)
    files = [path for path in disk.list_files() if "/audit/" not in path]
    assert disk_archive.retention.sweep(by=SWEEPER).dates == ()
    assert [path for path in disk.list_files() if "/audit/" not in path] == files
    assert list_ended(disk_archive) == [LAST_DAY.isoformat()]


def test_what_is_not_due_stays(disk_archive: Archive, disk: "Disk", call: Recording) -> None:
    """The key of one date dies and the neighbour of the day after stays readable (section 9)."""
    disk.clock.move(timedelta(days=1))
    later = store(disk_archive, disk.clock)
    disk.clock.set(call.ends_at + HOUR)
    assert len(disk_archive.retention.sweep(by=SWEEPER)) == 1
    with work(disk_archive) as session:
        assert session.find(AINO) == [later]
        assert session.open(later.id).read() == make_wav()
        with pytest.raises(DeniedError):
            session.get_details(call.id)


def test_a_restored_backup_brings_nothing_back(disk: "Disk") -> None:
    """Objects and catalog put back from a backup are found by nobody and read by nobody (section 9)."""
    with disk.create() as archive:
        archive.staff.enrol(make_staff_member(), by=RECORDER)
        call = store(archive, disk.clock)
    shutil.copytree(disk.objects, disk.folder / "backup")
    shutil.copy(disk.catalog, disk.folder / "backup.sqlite")
    disk.clock.set(call.ends_at + HOUR)
    with disk.open() as archive:
        assert [each.recordings for each in archive.retention.sweep(by=SWEEPER)] == [1]
    shutil.rmtree(disk.objects)
    shutil.copytree(disk.folder / "backup", disk.objects)
    shutil.copy(disk.folder / "backup.sqlite", disk.catalog)
    for at in (disk.clock(), USUAL_START + HOUR):  # a clock put back helps nobody either
        disk.clock.set(at)
        with disk.open() as archive, work(archive) as session:
            assert session.find(AINO) == []
            for way in WAYS.values():
                with pytest.raises(DeniedError):
                    way(session, call)
    disk.clock.set(call.ends_at + HOUR)
    with disk.open() as archive:
        assert [each.recordings for each in archive.retention.sweep(by=SWEEPER)] == [1]
        assert not any("/recordings/" in path for path in disk.list_files() if not path.startswith("backup"))


def store_on_days(archive: Archive, clock: MovableClock, count: int) -> list[date]:
    """Store a call on each of so many days; return their last days kept."""
    kept = []
    for _ in range(count):
        kept.append(store(archive, clock).kept_through)
        clock.move(timedelta(days=1))
    return kept


def test_three_dates_are_swept_without_asking(disk_archive: Archive, disk: "Disk") -> None:
    """A sweep that was left out over a weekend is caught up with by itself."""
    kept = store_on_days(disk_archive, disk.clock, 3)
    disk.clock.set(end_of(kept[-1]) + HOUR)
    assert [each.kept_through for each in disk_archive.retention.sweep(by=SWEEPER)] == kept


def test_a_clock_that_looks_wrong_destroys_nothing(disk_archive: Archive, disk: "Disk", vault: Vault) -> None:
    """If more than three dates are due, nothing is destroyed until somebody names them (Art. 5(1)(f))."""
    kept = store_on_days(disk_archive, disk.clock, 5)
    disk.clock.set(end_of(kept[-1]) + HOUR)
    before = disk.list_files()
    for named in ([], kept[:1], [date(2020, 1, 1)]):
        with pytest.raises(ClockError) as caught:
            disk_archive.retention.sweep(by=SWEEPER, catch_up=named)
        assert caught.value.advice
    assert [path for path in before if path not in disk.list_files()] == []
    assert count_rows(vault)[0] == 5
    swept = disk_archive.retention.sweep(by=SWEEPER, catch_up=kept[:2])
    assert [(each.kept_through, each.recordings) for each in swept] == [(day, 1) for day in kept]
    assert count_rows(vault) == (0, 0)


def test_a_sweep_that_died_is_finished_by_the_next(disk_archive: Archive, disk: "Disk", vault: Vault) -> None:
    """Whatever a killed sweep left of a date whose keys are dead, the next one clears away."""
    call = store(disk_archive, disk.clock)
    disk.clock.set(call.ends_at + HOUR)
    vault.keyring.destroy(LAST_DAY)
    [swept] = disk_archive.retention.sweep(by=SWEEPER)
    assert (swept.kept_through, swept.recordings, swept.log_entries) == (LAST_DAY, 1, 0)
    assert count_rows(vault) == (0, 0)
    assert not any("/recordings/" in path for path in disk.list_files())


@pytest.mark.usefixtures("call")
def test_a_session_leaves_nothing(disk_archive: Archive, disk: "Disk", vault: Vault) -> None:
    """What is known of a session that nobody ended goes with its day: row and key (section 10)."""
    work(disk_archive)
    key = disk.keys / "days" / f"{USUAL_START:%Y-%m-%d}.key"
    assert key.exists()
    disk.clock.set(end_of(USUAL_START.date()) + HOUR)
    assert disk_archive.retention.sweep(by=SWEEPER).dates == ()
    assert not key.exists()
    with vault.database.begin() as connection:
        assert connection.execute(select(tables.sessions)).all() == []


def test_log_entries_last_five_years_and_then_tell_nothing(disk_archive: Archive, disk: "Disk", vault: Vault) -> None:
    """The log outlives the recordings and tells whom it concerns for its own five years, and then nobody."""
    disk_archive.staff.enrol(make_staff_member(), by=RECORDER)
    call = store(disk_archive, disk.clock)
    disk.clock.set(call.ends_at + HOUR)
    disk_archive.retention.sweep(by=SWEEPER)

    def list_told() -> list[EntryKind]:
        return [each.kind for each in disk_archive.audit.iter_entries(by=SWEEPER) if each.recording_id == call.id]

    log_ends_at = end_of(date(2031, 3, 5))
    disk.clock.set(log_ends_at + HOUR - INSTANT)
    assert disk_archive.retention.sweep(by=SWEEPER).dates == ()
    assert list_told() == [EntryKind.RECORDING_STORED]
    disk.clock.set(log_ends_at + HOUR)
    (swept,) = disk_archive.retention.sweep(by=SWEEPER)
    assert (swept.kept_through, swept.recordings) == (date(2031, 3, 5), 0)
    assert swept.log_entries >= 3  # created, enrolled, stored
    assert list_told() == []
    with vault.database.begin() as connection:
        told = [
            (row.actor, row.recording_id, row.payload)
            for log in (tables.entries, tables.waiting)
            for row in connection.execute(select(log).where(log.c.ends_on <= swept.kept_through.toordinal()))
        ]
    assert told == [("", None, b"")] * swept.log_entries


@pytest.mark.parametrize(("role", "may"), [("adviser", False), ("operator", True)])
def test_only_who_may_sweeps(kelarec_archive: Archive, role: str, may: bool) -> None:  # noqa: FBT001  a column
    """Sweeping is for systems and for those whose role grants it (section 10)."""
    member = make_staff_member(roles={role}, duties=[])
    kelarec_archive.staff.enrol(member, by=RECORDER)
    if may:
        assert kelarec_archive.retention.sweep(by=member.id).dates == ()
    else:
        with pytest.raises(DeniedError):
            kelarec_archive.retention.sweep(by=member.id)
