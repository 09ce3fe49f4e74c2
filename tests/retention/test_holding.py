"""What must not end is held, for a reason and until somebody looks again (rules R8, R10; Art. 17(3) and 18(1)(c))."""

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import pytest
from sqlalchemy import delete, select

from kelarec import Archive, Duty, DutyKind, Recording, StaffId, System
from kelarec.audit.entries import EntryKind
from kelarec.domain.hold import GROUNDS, Hold, HoldKind, HoldState
from kelarec.domain.instants import end_of, helsinki_date
from kelarec.errors import (
    ChangedMeanwhileError,
    DateClosedError,
    DeniedError,
    ExpiredError,
    InvalidHoldError,
    InvalidValueError,
    KelarecError,
    ReviewTooFarError,
    SamePersonError,
    UnknownHoldError,
)
from kelarec.oversight.difference import DifferenceKind
from kelarec.storage import catalog_tables as tables
from kelarec.storage import closed_dates
from kelarec.storage.holds import Holds
from kelarec.storage.recordings import OpenedRecord, Recordings
from kelarec.testing.builders import make_contact, make_identity_code, make_staff_member, make_wav
from oversight_archive import rebuild

if TYPE_CHECKING:
    from conftest import Disk

RECORDER: Final = System("recorder@test")
SWEEPER: Final = System("sweep@test")
TIIA, OLLI, VEIKKO = StaffId("tiia"), StaffId("olli"), StaffId("veikko")
DAY: Final = timedelta(days=1)
HOUR: Final = timedelta(hours=1)
CLAIM: Final = "legal-claim"
RIGHTS: Final = "data-subject-right"
WAV: Final = make_wav(0.1)


def store(archive: Archive) -> Recording:
    """Store a call that starts now."""
    started_at = archive._vault.now()
    return archive.capture.store(
        make_contact(started_at=started_at), ended_at=started_at + timedelta(seconds=1), content=WAV, by=RECORDER
    )


@pytest.fixture
def archive(disk_archive: Archive) -> Archive:
    """An archive on disk with Tiia and Olli, data protection officers, and Veikko, an adviser."""
    since = date(2020, 8, 18)
    duties = [
        Duty(kind=DutyKind.CASE, purpose=CLAIM, matter="CASE-1", from_on=since),
        Duty(kind=DutyKind.REQUEST, purpose=RIGHTS, matter="REQ-1", from_on=since),
    ]
    for number, staff_id in enumerate((TIIA, OLLI)):
        code = make_identity_code(20 + number, born_on=date(1975, 3, 1))
        member = make_staff_member(id=staff_id, identity_code=code, roles={"data-protection-officer"}, duties=duties)
        disk_archive.staff.enrol(member, by=RECORDER)
    disk_archive.staff.enrol(make_staff_member(id=VEIKKO), by=RECORDER)
    return disk_archive


def hold(archive: Archive, *held: Recording, by: StaffId = TIIA, ground: str = CLAIM, days: int = 300) -> Hold:
    """Place a hold that is to be reviewed some days from now."""
    review_on = helsinki_date(archive._vault.now()) + days * DAY
    ids = [each.id for each in held]
    return archive.retention.hold(ids, ground=ground, reason="It is before the court", review_on=review_on, by=by)


def sweep_after(archive: Archive, disk: "Disk", day: date) -> Any:  # noqa: ANN401  what the sweep returns
    """Sweep an hour after the end of a date."""
    disk.clock.set(end_of(day) + HOUR)
    return archive.retention.sweep(by=SWEEPER)


def listen(archive: Archive, recording: Recording, purpose: str, by: StaffId = TIIA) -> bytes:
    """Read a recording in full for a purpose."""
    matter = "CASE-1" if purpose == CLAIM else "REQ-1"
    with archive.session(by=by, purpose=purpose, matter=matter) as session, session.open(recording.id) as audio:
        return bytes(audio.read())


def list_facts(archive: Archive, kind: EntryKind) -> list[dict[str, str]]:
    """Return the facts of all entries of a kind."""
    return [each.facts for each in archive.audit.iter_entries(by=SWEEPER) if each.kind is kind]


def test_a_held_recording_outlives_its_day_and_only_it(archive: Archive, disk: "Disk") -> None:
    """Past its end it is read for the hold's purpose and no other; released by a second person it goes (R8)."""
    held, other = store(archive), store(archive)
    disk.clock.set(end_of(held.kept_through) - 2 * HOUR)
    placed = hold(archive, held)
    swept = sweep_after(archive, disk, held.kept_through)
    assert [(each.kept_through, each.recordings) for each in swept] == [(held.kept_through, 1)]
    assert swept.moved_holds == swept.waiting == swept.unfinished == ()
    assert listen(archive, held, CLAIM) == WAV
    for purpose in (RIGHTS, "verify-service-event"):
        with pytest.raises(DeniedError):
            listen(archive, held, purpose, by=TIIA if purpose == RIGHTS else VEIKKO)
    with pytest.raises(DeniedError):
        listen(archive, other, CLAIM)
    archive.verify(by=SWEEPER)
    assert [each.id for each in archive.retention.list_holds(by=TIIA, recording_id=held.id)] == [placed.id]
    archive.retention.release(placed.id, by=OLLI)
    with pytest.raises(DeniedError):
        listen(archive, held, CLAIM)
    [cleared] = archive.retention.sweep(by=SWEEPER)
    assert (cleared.kept_through, cleared.recordings) == (held.kept_through, 1)
    assert not any("/recordings/" in path or "/holds/" in path for path in disk.list_files())
    assert len(list_facts(archive, EntryKind.KEYS_DESTROYED)) == 1
    archive.verify(by=SWEEPER)


def test_who_places_does_not_release(archive: Archive) -> None:
    """A hold is placed by one and released by another; the refusal is in the log (notice, section 10)."""
    placed = hold(archive, store(archive))
    with pytest.raises(SamePersonError) as caught:
        archive.retention.release(placed.id, by=TIIA)
    assert caught.value.advice
    assert archive.retention.list_holds(by=TIIA) == (placed,)
    assert list_facts(archive, EntryKind.DENIED)[-1]["clause"] == "same-person"
    archive.retention.release(placed.id, by=OLLI)
    with pytest.raises(UnknownHoldError):
        archive.retention.release(placed.id, by=OLLI)
    leaf = list_facts(archive, EntryKind.LEAF_DESTROYED)
    assert [each["hold"] for each in leaf] == [str(placed.id)]


def test_a_requests_hold_belongs_to_the_request(archive: Archive, disk: "Disk") -> None:
    """What an open request covers is not destroyed under it, and is read for the person's right only (R10)."""
    covered = store(archive)
    disk.clock.set(end_of(covered.kept_through) - HOUR)
    placed = hold(archive, covered, ground="open-request", days=60)
    assert placed.kind is HoldKind.REQUEST
    sweep_after(archive, disk, covered.kept_through)
    assert listen(archive, covered, RIGHTS) == WAV
    with pytest.raises(DeniedError):
        listen(archive, covered, CLAIM)
    archive.retention.release(placed.id, by=TIIA)  # its answer ends it, whoever gives that
    assert [each.recordings for each in archive.retention.sweep(by=SWEEPER)] == [1]


def test_several_holds_each_keep_by_themselves(archive: Archive, disk: "Disk") -> None:
    """Of two overlapping holds the one goes and the other keeps, each for its own purpose."""
    held = store(archive)
    disk.clock.set(end_of(held.kept_through) - HOUR)
    first, second = hold(archive, held), hold(archive, held, ground="open-request", days=90)
    sweep_after(archive, disk, held.kept_through)
    assert listen(archive, held, CLAIM) == listen(archive, held, RIGHTS) == WAV
    archive.retention.release(first.id, by=OLLI)
    assert listen(archive, held, RIGHTS) == WAV
    with pytest.raises(DeniedError):
        listen(archive, held, CLAIM)
    assert archive.retention.sweep(by=SWEEPER).dates == ()
    archive.retention.release(second.id, by=OLLI)
    assert [each.recordings for each in archive.retention.sweep(by=SWEEPER)] == [1]


def test_a_hold_under_a_statutory_duty_is_read_by_nobody(archive: Archive, disk: "Disk") -> None:
    """A statutory duty keeps and gives nobody a purpose (Art. 17(3)(b))."""
    held = store(archive)
    disk.clock.set(end_of(held.kept_through) - HOUR)
    hold(archive, held, ground="statutory-duty")
    assert sweep_after(archive, disk, held.kept_through).dates[0].recordings == 0
    for purpose in (CLAIM, RIGHTS):
        with pytest.raises(ExpiredError):
            listen(archive, held, purpose)


def test_an_unreviewed_hold_is_moved_on_with_an_alarm(archive: Archive, disk: "Disk") -> None:
    """Nobody looked by the review date: the recording stays, the sweep says so and it is due until somebody looks."""
    held = store(archive)
    placed = hold(archive, held, days=360)
    sweep_after(archive, disk, placed.review_on)
    swept = sweep_after(archive, disk, held.kept_through)
    [alarm] = swept.moved_holds or archive.retention.due_reviews(by=TIIA)
    [due] = archive.retention.due_reviews(by=TIIA, within=timedelta())
    assert due.unreviewed_since == placed.review_on
    assert due.review_on > placed.review_on
    assert alarm is not None
    [told] = list_facts(archive, EntryKind.HOLD_MOVED_ON)
    assert (told["moved-from"], told["review-on"]) == (str(placed.review_on), str(due.review_on))
    assert listen(archive, held, CLAIM) == WAV
    archive.verify(by=SWEEPER)
    reviewed = archive.retention.review(placed.id, due.review_on + 100 * DAY, by=TIIA)
    assert archive.retention.due_reviews(by=TIIA, within=timedelta()) == ()
    assert reviewed.formerly_on == (placed.review_on, due.review_on)
    sweep_after(archive, disk, due.review_on)
    assert listen(archive, held, CLAIM) == WAV
    assert sorted(path.name[:6] for path in (disk.objects / "holds" / str(placed.id)).iterdir()) == [
        str(held.id)[:6],
        "hold-3",
    ]
    archive.verify(by=SWEEPER)


def test_a_review_may_come_early_and_shorten(archive: Archive, disk: "Disk") -> None:
    """A hold that goes on to an earlier date gives up the later one for good; nobody gets that date back."""
    held = store(archive)
    placed = hold(archive, held, days=300)
    earlier = archive.retention.review(placed.id, placed.review_on - 100 * DAY, by=OLLI)
    assert [each["kept-through"] for each in list_facts(archive, EntryKind.LEAF_DESTROYED)] == [str(placed.review_on)]
    with pytest.raises(InvalidHoldError):
        archive.retention.review(placed.id, placed.review_on, by=OLLI)
    with pytest.raises(InvalidHoldError):
        archive.retention.review(placed.id, earlier.review_on, by=OLLI)
    assert archive.retention.list_holds(by=OLLI) == (earlier,)
    archive.verify(by=SWEEPER)
    assert disk.clock() < end_of(earlier.review_on)


TODAY: Final = date(2026, 3, 5)
BAD: Final[dict[str, tuple[dict[str, Any], type[KelarecError]]]] = {
    "no ground": ({"ground": None}, InvalidHoldError),
    "a ground nobody knows": ({"ground": "curiosity"}, InvalidHoldError),
    "no reason": ({"reason": " "}, InvalidHoldError),
    "no review date": ({"review_on": None}, InvalidHoldError),
    "reviewed today": ({"review_on": TODAY}, InvalidHoldError),
    "reviewed in more than a year": ({"review_on": date(2027, 3, 6)}, ReviewTooFarError),
    "no recording": ({"recording_ids": []}, InvalidValueError),
    "a recording nobody knows": ({"recording_ids": [UUID(int=7)]}, DeniedError),
    "by an adviser": ({"by": VEIKKO}, DeniedError),
    "by nobody known": ({"by": StaffId("nobody")}, DeniedError),
}


@pytest.mark.parametrize(("wrong", "error"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_refused_by_name(archive: Archive, disk: "Disk", wrong: dict[str, Any], error: Any) -> None:  # noqa: ANN401
    """A hold without ground, reason, review date or recording, or by nobody who may: named, and nothing is written."""
    usual: dict[str, Any] = {
        "recording_ids": [store(archive).id],
        "ground": CLAIM,
        "reason": "It is before the court",
        "review_on": date(2027, 3, 5),
        "by": TIIA,
    }
    with pytest.raises(error):
        archive.retention.hold(**usual | wrong)
    assert not (disk.objects / "holds").exists()
    assert archive.retention.list_holds(by=TIIA) == ()
    placed = archive.retention.hold(**usual)
    assert placed.purposes == GROUNDS[CLAIM]


def test_what_is_over_cannot_be_held_any_more(archive: Archive, disk: "Disk") -> None:
    """From the end on nobody brings a recording back by a hold (section 9); at the last microsecond it still can be."""
    call, other = store(archive), store(archive)
    disk.clock.set(call.ends_at - timedelta(microseconds=1))
    hold(archive, call)
    disk.clock.set(call.ends_at)
    with pytest.raises(ExpiredError):
        hold(archive, other)
    hold(archive, call)  # what another hold keeps may be held further


def test_nothing_is_held_under_a_closed_date(archive: Archive, disk: "Disk") -> None:
    """Once the sweep has closed a date no hold comes between that and the death of its keys."""
    call = store(archive)
    disk.clock.set(call.ends_at - HOUR)
    with archive._vault.database.begin() as connection:
        closed_dates.close(connection, call.kept_through, by="system:sweep", at=0)
    with pytest.raises(DateClosedError):
        hold(archive, call)
    assert not (disk.objects / "holds").exists()


def test_a_hold_does_not_wrap_a_key_that_was_replaced(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a recording comes in under another key between wrap and place, that one is wrapped, and it stays readable."""
    call = store(archive)
    vault, recordings = archive._vault, Recordings(archive._vault)
    interleaved: list[bytes] = []

    def rekey() -> None:
        with vault.database.begin() as connection:
            opened = recordings.find_one(connection, call.id)
        assert opened is not None
        fresh = recordings.new_data_key(call.id, call.kept_through)
        newer = opened.record.change_details(opened.record.details)
        written = recordings.write_record(newer, fresh)
        with vault.database.begin() as connection:
            recordings.replace(connection, written)
        interleaved.append(fresh.bare)

    wrap_all = Holds.wrap_all

    def wrap_and_lose(self: Holds, placed: Hold, opened: list[OpenedRecord]) -> Any:  # noqa: ANN401
        wraps = wrap_all(self, placed, opened)
        if not interleaved:
            rekey()
        return wraps

    monkeypatch.setattr(Holds, "wrap_all", wrap_and_lose)
    placed = hold(archive, call)
    with vault.database.begin() as connection:
        [row] = connection.execute(select(tables.held_recordings)).all()
        found = Holds(vault, recordings).find(connection, placed.id)
    assert found is not None
    assert found[1] is HoldState.PLACED
    held_key = recordings._find_held_key(call.id, [(placed.id, row.wrap)])
    assert held_key == interleaved[0]


@pytest.mark.parametrize("lost_at", ["intent", "wraps", "place"])
def test_a_hold_that_was_broken_off_is_completed_by_the_sweep(
    archive: Archive, disk: "Disk", monkeypatch: pytest.MonkeyPatch, lost_at: str
) -> None:
    """A process that dies in the middle of placing a hold leaves an intent, and no date ends before it is completed."""
    call, other = store(archive), store(archive)
    disk.clock.set(call.ends_at - HOUR)
    name = {"intent": "wrap_all", "wraps": "place", "place": "place"}[lost_at]

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Holds, name, die)
        with pytest.raises(KeyboardInterrupt):
            hold(archive, call)
    assert [state for _, state in _states(archive)] == [HoldState.INTENT]
    [swept] = sweep_after(archive, disk, call.kept_through)
    assert swept.recordings == 1  # the other one
    assert [state for _, state in _states(archive)] == [HoldState.PLACED]
    assert listen(archive, call, CLAIM) == WAV
    with pytest.raises(DeniedError):
        listen(archive, other, CLAIM)
    archive.verify(by=SWEEPER)


def _states(archive: Archive) -> list[tuple[Hold, HoldState]]:
    with archive._vault.database.begin() as connection:
        return list(Holds(archive._vault, Recordings(archive._vault)).iter_all(connection))


def test_an_older_hold_put_back_is_found(archive: Archive, disk: "Disk") -> None:
    """The log tells the hash of a hold's object; an older version in the place of it is a roll-back (fault 11)."""
    call = store(archive)
    placed = hold(archive, call, days=100)
    [old] = (disk.objects / "holds" / str(placed.id)).glob("hold-1-*")
    content = old.read_bytes()
    archive.retention.review(placed.id, placed.review_on + DAY, by=OLLI)
    [new] = (disk.objects / "holds" / str(placed.id)).glob("hold-2-*")
    archive.audit.integrate()
    archive.verify(by=SWEEPER)
    new.write_bytes(content)
    found = {(each.kind, each.subject) for each in archive.iter_differences(by=SWEEPER)}
    assert (DifferenceKind.ROLLED_BACK, f"hold {placed.id}") in found
    new.unlink()
    found = {(each.kind, each.subject) for each in archive.iter_differences(by=SWEEPER)}
    assert (DifferenceKind.MISSING, f"hold {placed.id}") in found


def test_a_lost_catalog_loses_no_reviewed_hold(disk: "Disk", archive: Archive) -> None:
    """The newest review is what a rebuild brings back, with the dates that are closed; a released hold stays away."""
    call, other = store(archive), store(archive)
    disk.clock.set(call.ends_at - HOUR)
    placed, released = hold(archive, call, days=100), hold(archive, other)
    reviewed = archive.retention.review(placed.id, placed.review_on + 50 * DAY, by=OLLI)
    archive.retention.release(released.id, by=OLLI)
    sweep_after(archive, disk, call.kept_through)
    archive.close()
    disk.catalog.unlink()
    with rebuild(disk) as rebuilt:
        assert rebuilt.rebuilt is not None
        assert (rebuilt.rebuilt.differences, rebuilt.rebuilt.adopted) == ((), 0)
        assert rebuilt.retention.list_holds(by=TIIA) == (reviewed,)
        assert listen(rebuilt, call, CLAIM) == WAV
        with rebuilt._vault.database.begin() as connection:
            closed = closed_dates.find(connection, call.kept_through)
        assert closed is not None
        assert closed.told_at is not None
        rebuilt.verify(by=SWEEPER)
        assert [each.recordings for each in rebuilt.retention.sweep(by=SWEEPER)] == [0]
        assert len(list_facts(rebuilt, EntryKind.KEYS_DESTROYED)) == 1
        assert rebuilt.retention.sweep(by=SWEEPER).dates == ()


def test_erased_meanwhile_nothing_is_held(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hold on recordings of which one goes while it is placed holds none of them, and says so."""
    call, other = store(archive), store(archive)
    vault = archive._vault
    wrap_all = Holds.wrap_all

    def wrap_and_lose(self: Holds, placed: Hold, opened: list[OpenedRecord]) -> Any:  # noqa: ANN401
        wraps = wrap_all(self, placed, opened)
        with vault.database.begin() as connection:
            connection.execute(delete(tables.recordings).where(tables.recordings.c.id == other.id.bytes))
        return wraps

    monkeypatch.setattr(Holds, "wrap_all", wrap_and_lose)
    with pytest.raises(ChangedMeanwhileError):
        hold(archive, call, other)
    assert archive.retention.list_holds(by=TIIA) == ()
    assert list(vault.objects.iter_paths("holds")) == []
