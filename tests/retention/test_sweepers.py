"""Who sweeps, and what is told: without the root key, as a task, in small steps with counts (section 9)."""

import threading
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from kelarec import Archive, Kind, Place, Register, StaffId, Sweeper, System
from kelarec.audit.entries import EntryKind
from kelarec.domain.instants import end_of, helsinki_date
from kelarec.domain.retention import KindRetention, RetentionPolicy
from kelarec.errors import ClosedError, DateClosedError, DeniedError, ExpiredError, InvalidValueError, StorageError
from kelarec.retention import clearing
from kelarec.retention.results import SweepProgress, Swept
from kelarec.retention.sweep_task import SweepTask
from kelarec.storage import closed_dates
from kelarec.storage.objects import FolderObjects
from kelarec.testing.builders import make_chat, make_contact, make_identity_code, make_staff_member, make_wav
from kelarec.testing.clock import MovableClock

if TYPE_CHECKING:
    from conftest import Disk

RECORDER: Final = System("recorder@test")
SWEEPER: Final = System("sweep@test")
HOUR: Final = timedelta(hours=1)
INSTANT: Final = timedelta(microseconds=1)
WAV: Final = make_wav(0.02)
LAST_DAY: Final = date(2027, 3, 5)


def store(archive: Archive, count: int = 1) -> list[date]:
    """Store calls that start now; return their last days."""
    at = archive._vault.now()
    contact = make_contact(started_at=at)
    ended_at = at + timedelta(seconds=1)
    return [
        archive.capture.store(contact, ended_at=ended_at, content=WAV, by=RECORDER).kept_through for _ in range(count)
    ]


def open_sweeper(disk: "Disk") -> Sweeper:
    """Open the archive's places without its root key."""
    disk.root_key.rename(disk.folder / "root.key.away")
    return Sweeper.open(
        objects=Place(disk.objects, "FI"), keys=Place(disk.keys, "FI"), catalog=disk.catalog_place, clock=disk.clock
    )


def test_a_sweeper_needs_no_root_key(disk: "Disk") -> None:
    """Without the root key a date ends all the same; who opens the archive next tells the log, once."""
    with disk.create() as archive:
        store(archive, 3)
    disk.clock.set(end_of(LAST_DAY) + HOUR)
    with open_sweeper(disk) as sweeper:
        swept = sweeper.sweep(by=System("sweep@keyless"))
        assert [(each.kept_through, each.recordings) for each in swept] == [(LAST_DAY, 3)]
        assert sweeper.sweep(by=System("sweep@keyless")).dates == ()
    assert not list((disk.keys / "days").glob(f"{LAST_DAY}*"))
    assert not (disk.objects / "recordings").exists()
    (disk.folder / "root.key.away").rename(disk.root_key)
    for _ in range(2):
        with disk.open() as archive:
            entries = [e for e in archive.audit.iter_entries(by=SWEEPER) if e.kind is EntryKind.KEYS_DESTROYED]
            assert [(each.actor, each.facts["recordings"]) for each in entries] == [("system:sweep@keyless", "3")]
            archive.verify(by=SWEEPER)


def test_without_the_root_key_a_hold_keeps_its_date(disk: "Disk") -> None:
    """A hold that must be moved on keeps the keys of its date until a process with the root key has moved it."""
    with disk.create() as archive:
        at = disk.clock()
        contact = make_contact(started_at=at)
        call = archive.capture.store(contact, ended_at=at + timedelta(seconds=1), content=WAV, by=RECORDER)
        archive.retention.hold(
            [call.id], ground="legal-claim", reason="It is needed", review_on=date(2027, 3, 4), by=RECORDER
        )
    disk.clock.set(end_of(LAST_DAY) + HOUR)
    with open_sweeper(disk) as sweeper:
        assert sweeper.sweep(by=SWEEPER).waiting == (date(2027, 3, 4), LAST_DAY)
    (disk.folder / "root.key.away").rename(disk.root_key)
    with disk.open() as archive:
        swept = archive.retention.sweep(by=SWEEPER)
        assert [each.hold_id for each in swept.moved_holds] == [
            each.id for each in archive.retention.list_holds(by=SWEEPER)
        ]
        assert swept.waiting == ()


def test_counts_bytes_and_progress_are_told(
    disk: "Disk", disk_archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a sweep removes is counted in recordings and bytes, to whoever watches, in the result and in the log."""
    monkeypatch.setattr(clearing, "RECORDINGS_AT_ONCE", 2)
    store(disk_archive, 5)
    size = sum(path.stat().st_size for path in (disk.objects / "recordings").rglob("*") if path.is_file())
    disk.clock.set(end_of(LAST_DAY) + HOUR)
    shown: list[SweepProgress] = []
    [swept] = disk_archive.retention.sweep(by=SWEEPER, progress=shown.append)
    assert (swept.recordings, swept.size) == (5, size)
    assert [each.recordings for each in shown] == [2, 4, 5]
    entries = [e for e in disk_archive.audit.iter_entries(by=SWEEPER) if e.kind is EntryKind.DATE_CLEARED]
    assert [each.facts for each in entries] == [
        {"kept-through": LAST_DAY.isoformat(), "recordings": "5", "size": str(size)}
    ]


def test_orphans_go_with_their_date(disk: "Disk", disk_archive: Archive) -> None:
    """What a writer that died left of a recording goes when its date dies, and not before."""
    store(disk_archive)
    orphan = disk.objects / "recordings" / "2026-03-05" / str(disk_archive._vault.new_id()) / "audio-1"
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"sealed")
    disk.clock.set(end_of(LAST_DAY) + HOUR - INSTANT)
    disk_archive.retention.sweep(by=SWEEPER)
    assert orphan.exists()
    disk.clock.move(INSTANT)
    disk_archive.retention.sweep(by=SWEEPER)
    assert not (disk.objects / "recordings").exists()


def test_a_key_place_that_is_read_only_loses_nothing(
    disk: "Disk", disk_archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the keys cannot be destroyed the sweep says so, removes nothing, and the next one does it all."""
    store(disk_archive, 2)
    disk.clock.set(end_of(LAST_DAY) + HOUR)

    def refuse(_: object, path: str) -> None:
        raise StorageError(f"The object {path} cannot be deleted: Read-only file system.")

    before = [path for path in disk.list_files() if "recordings/" in path]
    with monkeypatch.context() as patched:
        patched.setattr(FolderObjects, "delete", refuse)
        with pytest.raises(StorageError, match="Read-only"):
            disk_archive.retention.sweep(by=SWEEPER)
    assert [path for path in disk.list_files() if "recordings/" in path] == before
    assert [each.recordings for each in disk_archive.retention.sweep(by=SWEEPER)] == [2]


def test_no_keys_are_made_for_a_closed_date(disk_archive: Archive) -> None:
    """If a wrong clock has ended a date too early, nothing is stored under it: it would not last."""
    vault = disk_archive._vault
    with vault.database.begin() as connection:
        closed_dates.close(connection, LAST_DAY, by="system:sweep", at=0)
    vault.keyring.destroy(LAST_DAY)
    with pytest.raises(DateClosedError):
        store(disk_archive)
    disk_archive.retention.sweep(by=SWEEPER)
    assert LAST_DAY not in set(vault.keyring.iter_days())


def test_a_task_sweeps_until_it_is_stopped(kelarec_archive: Archive, kelarec_clock: MovableClock) -> None:
    """An application starts sweeping as a task of its own; what was refused is kept, and the next sweep tries again."""
    [last_day] = store(kelarec_archive)
    kelarec_clock.set(end_of(last_day) + HOUR)
    done = threading.Event()
    sweep = kelarec_archive.retention.sweep
    answers: list[Swept | StorageError] = [StorageError("away")]

    def work() -> Swept:
        if answers:
            raise answers.pop()  # type: ignore[misc]  # the one that is there
        swept = sweep(by=SWEEPER)
        done.set()
        return swept

    task = SweepTask(work, timedelta(seconds=0.01))
    assert done.wait(30)
    task.stop()
    task.stop()
    assert task.error is None
    assert task.last is not None
    started = kelarec_archive.retention.start(by=SWEEPER)
    started.stop()
    assert started.error is None


@pytest.mark.parametrize("pause", [timedelta(), timedelta(seconds=59), timedelta(days=1, seconds=1), -timedelta(1)])
def test_a_pause_that_is_none_or_too_long_is_refused(kelarec_archive: Archive, pause: timedelta) -> None:
    """Nobody sweeps without a pause, or so rarely that a date outlives its end by more than a day."""
    with pytest.raises(InvalidValueError):
        kelarec_archive.retention.start(by=SWEEPER, every=pause)


def test_a_task_ends_with_its_archive(kelarec_archive: Archive) -> None:
    """A task whose archive was closed sweeps no more, and says why."""
    begun, closed = threading.Event(), threading.Event()

    def work() -> Swept:
        begun.set()
        closed.wait(30)
        return kelarec_archive.retention.sweep(by=SWEEPER)

    task = SweepTask(work, timedelta(seconds=0.01))
    assert begun.wait(30)
    kelarec_archive.close()
    closed.set()
    task._thread.join(30)
    assert not task._thread.is_alive()
    assert isinstance(task.error, ClosedError)


# The rule (done line 1) ----------------------------------------------------------------------------------------------

instants: Final = st.datetimes(datetime(2020, 8, 18, 12), datetime(2040, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@settings(max_examples=12, deadline=None)
@given(recorded_at=instants, years=st.integers(1, 3))
def test_readable_one_microsecond_before_the_rules_end_and_unreadable_at_it(recorded_at: datetime, years: int) -> None:
    """For any instant the end is the midnight after the same date some years on, in a real archive (section 9)."""
    from kelarec import kela_register  # noqa: PLC0415

    register = evolve(
        kela_register(contact_point="Registry office"),
        kind_retention=(KindRetention(kind=Kind.CUSTOMER_CALL, years=years),),
    )
    clock = MovableClock(recorded_at)
    with Archive.in_memory(register, clock=clock) as archive:
        archive.staff.enrol(make_staff_member(), by=RECORDER)
        contact = make_contact(started_at=recorded_at)
        call = archive.capture.store(contact, ended_at=recorded_at, content=WAV, by=RECORDER)
        on = helsinki_date(recorded_at)
        leap = (on.month, on.day) == (2, 29) and (on.year + years) % 4
        assert call.kept_through == (
            on.replace(year=on.year + years, day=28) if leap else on.replace(year=on.year + years)
        )
        clock.set(end_of(call.kept_through) - INSTANT)
        terms = {"by": StaffId("veikko"), "purpose": "verify-service-event", "matter": "KELA-1"}
        with archive.session(**terms) as session:  # type: ignore[arg-type]  # they fit
            assert session.open(call.id).read() == WAV
            clock.move(INSTANT)
            with pytest.raises(ExpiredError):
                session.open(call.id)


def test_each_kind_ends_by_its_own_policy_and_a_change_is_previewed(kelarec_register: Register) -> None:
    """A policy per kind; what was promised is never lengthened; what shortening would mean is counted before."""
    register = evolve(kelarec_register, kind_retention=(KindRetention(kind=Kind.CUSTOMER_CHAT, years=2),))
    clock = MovableClock()
    with Archive.in_memory(register, clock=clock) as archive:
        store(archive, 2)
        chat = make_contact(kind=Kind.CUSTOMER_CHAT, started_at=clock(), line="kela-fi")
        stored = archive.capture.store(chat, ended_at=clock(), content=make_chat(), by=RECORDER)
        assert stored.kept_through == date(2028, 3, 5)
        clock.set(end_of(date(2027, 3, 1)))
        told = archive.retention.preview(evolve(kelarec_register, retention=RetentionPolicy(years=1)), by=SWEEPER)
        assert [(each.kind, each.kept, each.shorter, each.longer) for each in told.kinds] == [
            (Kind.CUSTOMER_CALL, 2, 0, 0),
            (Kind.CUSTOMER_CHAT, 1, 1, 0),
        ]
        assert (told.shorter, told.over_now) == (1, 0)
        longer = archive.retention.preview(evolve(kelarec_register, retention=RetentionPolicy(years=5)), by=SWEEPER)
        assert [(each.kept, each.longer) for each in longer.kinds] == [(2, 2), (1, 1)]
        clock.set(end_of(LAST_DAY) + HOUR)
        later = archive.retention.preview(evolve(kelarec_register, retention=RetentionPolicy(years=1)), by=SWEEPER)
        assert (later.shorter, later.over_now) == (1, 1)
        assert [each.recordings for each in archive.retention.sweep(by=SWEEPER)] == [2]
        member = make_staff_member(identity_code=make_identity_code(9))
        archive.staff.enrol(member, by=RECORDER)
        with pytest.raises(DeniedError):
            archive.retention.preview(register, by=member.id)
