"""Erasure before the date: GDPR, Art. 17 and 19; the notice of 18.8.2020, section 13."""

import threading
from datetime import date, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from erasable import HOUR, MINUTE, OFFICER, RECORDER, SWEEPER, TERMS, WAV, place_hold, store
from kelarec import Archive, Duty, DutyKind, StaffId
from kelarec.audit.entries import EntryKind
from kelarec.audit.erasure_entries import find_newest, list_unfinished
from kelarec.domain.erasure import Complete, Incomplete, Pending
from kelarec.domain.hold import HoldKind
from kelarec.errors import (
    ChangedMeanwhileError,
    DeniedError,
    HeldError,
    InvalidValueError,
    KelarecError,
    KeyUnavailableError,
    LooksLikeIdentifierError,
    ObjectNotFoundError,
    StorageError,
)
from kelarec.testing.builders import make_contact, make_identity_code, make_person, make_staff_member

if TYPE_CHECKING:
    from conftest import Disk


def list_kinds(archive: Archive, recording_id: UUID) -> list[EntryKind]:
    """Return what the log tells of one recording."""
    return [each.kind for each in archive.audit.iter_entries(by=OFFICER, recording_id=recording_id)]


def read(archive: Archive, recording_id: UUID) -> bytes:
    """Read a call in a session of its adviser's."""
    with archive.session(by=StaffId("veikko"), purpose="verify-service-event", matter="KELA-1") as session:
        return session.open(recording_id).read()


@pytest.fixture
def archive(disk_archive: Archive) -> Archive:
    """An archive on disk in which Veikko works."""
    disk_archive.staff.enrol(make_staff_member(), by=RECORDER)
    return disk_archive


def test_pending_for_a_minute_then_complete(archive: Archive, disk: "Disk") -> None:
    """What is erased is gone at once; it is complete when nobody can have its key cached, and only then."""
    first, second, kept = store(archive, disk.clock(), 3)
    preview = archive.retention.erasures.preview([first, second], by=OFFICER)
    assert (preview.recordings, preview.bytes, preview.parts) == (2, 2 * len(WAV), 2)
    assert (preview.spooled, preview.erased, preview.holds, preview.disclosures) == (0, 0, (), ())
    erasure = archive.retention.erasures.erase([first, second], by=OFFICER, **TERMS)
    assert erasure.recording_ids == (first, second)
    assert isinstance(erasure.outcome, Pending)
    assert erasure.outcome.until == disk.clock() + MINUTE
    assert not list(disk.objects.glob(f"recordings/*/{first}"))
    with pytest.raises(DeniedError):
        read(archive, first)
    assert read(archive, kept) == WAV
    disk.clock.move(MINUTE - timedelta(microseconds=1))
    assert [type(each.outcome) for each in archive.retention.erasures.finish(by=OFFICER)] == [Pending]
    disk.clock.move(timedelta(microseconds=1))
    (done,) = archive.retention.erasures.finish(by=OFFICER)
    assert (done.id, set(done.recording_ids), done.outcome) == (erasure.id, {first, second}, Complete())
    assert list_kinds(archive, first) == [
        EntryKind.RECORDING_STORED,
        EntryKind.ERASURE_BEGUN,
        EntryKind.LEAF_DESTROYED,
        EntryKind.DENIED,
        EntryKind.ERASED,
    ]
    assert archive.retention.erasures.finish(by=OFFICER) == ()
    archive.verify(by=OFFICER)


def test_erasing_again_is_no_error(archive: Archive, disk: "Disk") -> None:
    """Asked again it goes on with what was begun, and later says that it is done; the log tells each step once."""
    (call,) = store(archive, disk.clock())
    erasures = archive.retention.erasures
    ids = {erasures.erase([call], by=OFFICER, **TERMS).id for _ in range(3)}
    assert len(ids) == 1
    disk.clock.move(MINUTE)
    assert erasures.erase([call], by=OFFICER, **TERMS).outcome == Complete()
    assert erasures.erase([call], by=OFFICER, **TERMS).outcome == Complete()
    assert erasures.preview([call], by=OFFICER).erased == 1
    kinds = list_kinds(archive, call)
    for kind in (EntryKind.ERASURE_BEGUN, EntryKind.LEAF_DESTROYED, EntryKind.ERASED):
        assert kinds.count(kind) == 1


def test_masked_copies_and_transcripts_go_too(archive: Archive, disk: "Disk") -> None:
    """Every part goes: sound, transcript and what was added later (notice, section 13)."""
    call, other = store(archive, disk.clock(), 2)
    archive.capture.attach(call, "transcript", "text/plain", b"what was said", by=RECORDER)
    preview = archive.retention.erasures.preview([call], by=OFFICER)
    assert (preview.parts, preview.bytes) == (2, len(WAV) + len(b"what was said"))
    archive.retention.erasures.erase([call], by=OFFICER, **TERMS)
    assert not list(disk.objects.rglob(f"*{call}*"))
    assert read(archive, other) == WAV


def test_recipients_to_be_told_are_named(archive: Archive, disk: "Disk") -> None:
    """The entries of the disclosure register about it are named before and after (Art. 19)."""
    tiia = make_staff_member(
        id=StaffId("tiia"),
        identity_code=make_identity_code(3, born_on=date(1970, 1, 1)),
        roles={"data-protection-officer"},
        duties=[Duty(kind=DutyKind.CASE, purpose="legal-claim", matter="CASE-1", from_on=date(2020, 8, 18))],
    )
    archive.staff.enrol(tiia, by=RECORDER)
    (call,) = store(archive, disk.clock())
    with archive.session(by=tiia.id, purpose="legal-claim", matter="CASE-1") as session:
        disclosed = session.disclose(
            [call], recipient="A court", country="FI", ground="Act 1, section 2", items="the call"
        )
    assert archive.retention.erasures.preview([call], by=OFFICER).disclosures == (disclosed.id,)
    assert archive.retention.erasures.erase([call], by=OFFICER, **TERMS).disclosures == (disclosed.id,)
    disk.clock.move(MINUTE)
    assert [each.disclosures for each in archive.retention.erasures.finish(by=OFFICER)] == [(disclosed.id,)]


# Refusals ------------------------------------------------------------------------------------------------------------


def test_what_another_hold_keeps_is_refused_by_its_name(archive: Archive, disk: "Disk") -> None:
    """An erasure is never carried out under another's hold; nothing of the batch is erased (access rule)."""
    free, held = store(archive, disk.clock(), 2)
    hold = place_hold(archive, [held], HoldKind.OTHER)
    (against,) = archive.retention.erasures.preview([free, held], by=OFFICER).holds
    assert (against.id, against.kind, against.ground, against.recordings) == (hold.id, HoldKind.OTHER, "legal-claim", 1)
    for own in (None, hold.id):  # to call it the decision's own helps nobody
        with pytest.raises(HeldError, match=str(hold.id)):
            archive.retention.erasures.erase([free, held], by=OFFICER, hold_id=own, **TERMS)
    assert (read(archive, free), read(archive, held)) == (WAV, WAV)
    assert EntryKind.ERASURE_BEGUN not in list_kinds(archive, held)


def test_a_decision_is_carried_out_under_its_own_hold(archive: Archive, disk: "Disk") -> None:
    """The decision's own hold does not stand against it, and its further date's leaf and wrap go too."""
    erased, kept = store(archive, disk.clock(), 2)
    hold = place_hold(archive, [erased, kept], HoldKind.DECISION)
    assert archive.retention.erasures.preview([erased], by=OFFICER, hold_id=hold.id).holds == ()
    with pytest.raises(HeldError, match=str(hold.id)):
        archive.retention.erasures.erase([erased], by=OFFICER, **TERMS)
    archive.retention.erasures.erase([erased], by=OFFICER, hold_id=hold.id, **TERMS)
    assert not list(disk.objects.glob(f"recordings/*/{erased}"))
    with pytest.raises(KeyUnavailableError):
        archive._vault.keyring.get_leaf(hold.review_on, f"{hold.id} {erased}")
    assert archive._vault.keyring.get_leaf(hold.review_on, f"{hold.id} {kept}")
    disk.clock.move(MINUTE)
    assert [each.outcome for each in archive.retention.erasures.finish(by=OFFICER)] == [Complete()]
    assert list_kinds(archive, erased).count(EntryKind.LEAF_DESTROYED) == 2
    archive.verify(by=OFFICER)
    archive.retention.erasures.erase([kept], by=OFFICER, hold_id=hold.id, **TERMS)
    archive.verify(by=OFFICER)  # with the last one the hold ends


def test_a_hold_placed_meanwhile_is_not_missed(archive: Archive, disk: "Disk", monkeypatch: pytest.MonkeyPatch) -> None:
    """A hold that is placed between the check and the deed stops it; the log says that it was given up."""
    (call,) = store(archive, disk.clock())
    erasures = archive.retention.erasures
    begin = erasures._begin

    def begin_late(*args: object) -> object:
        begun = begin(*args)  # type: ignore[arg-type]  # passed on
        place_hold(archive, [call], HoldKind.REQUEST)
        return begun

    monkeypatch.setattr(erasures, "_begin", begin_late)
    with pytest.raises(HeldError):
        erasures.erase([call], by=OFFICER, **TERMS)
    assert read(archive, call) == WAV
    assert EntryKind.ERASURE_ABANDONED in list_kinds(archive, call)
    assert erasures.finish(by=OFFICER) == ()


@pytest.mark.parametrize("act", ["preview", "erase"])
def test_an_unknown_id_is_denied_like_a_forbidden_one(archive: Archive, disk: "Disk", act: str) -> None:
    """Nobody learns which ids exist: unknown, and about oneself, are one answer (access rule)."""
    code = make_identity_code(4, born_on=date(1970, 1, 1))
    osma = StaffId("osma")
    archive.staff.enrol(make_staff_member(id=osma, identity_code=code, roles={"registry-officer"}), by=RECORDER)
    contact = make_contact(started_at=disk.clock(), customer=make_person(identity_code=code))
    ended_at = disk.clock() + timedelta(seconds=1)
    about_oneself = archive.capture.store(contact, ended_at=ended_at, content=WAV, by=RECORDER).id
    (call,) = store(archive, disk.clock())
    told = []
    for each in (archive._vault.new_id(), about_oneself):
        with pytest.raises(DeniedError) as denied:
            getattr(archive.retention.erasures, act)([call, each], by=osma, **({} if act == "preview" else TERMS))
        told.append((str(denied.value), denied.value.clause))
    assert told[0] == told[1]
    assert read(archive, call) == WAV
    assert archive.retention.erasures.erase([call], by=osma, **TERMS).outcome != Complete()


@pytest.mark.parametrize("role", ["adviser", "operator", "auditor", "trainer"])
def test_only_who_may_erases(archive: Archive, disk: "Disk", role: str) -> None:
    """Erasing is for systems and for those whose role grants it (section 10)."""
    (call,) = store(archive, disk.clock())
    code = make_identity_code(5, born_on=date(1970, 1, 1))
    archive.staff.enrol(make_staff_member(id=StaffId("x"), identity_code=code, roles={role}, duties=[]), by=RECORDER)
    for act in (
        lambda: archive.retention.erasures.preview([call], by=StaffId("x")),
        lambda: archive.retention.erasures.erase([call], by=StaffId("x"), **TERMS),
        lambda: archive.retention.erasures.finish(by=StaffId("x")),
    ):
        with pytest.raises(DeniedError, match="role"):
            act()
    assert read(archive, call) == WAV


@pytest.mark.parametrize(
    ("ids", "terms", "error"),
    [
        ([], {}, InvalidValueError),
        (["not an id"], {}, InvalidValueError),
        (None, {"ground": "No code"}, InvalidValueError),
        (None, {"matter": "of 131052-308T"}, LooksLikeIdentifierError),
        (None, {"matter": ""}, InvalidValueError),
    ],
)
def test_bad_input_is_named(
    archive: Archive, disk: "Disk", ids: list[UUID] | None, terms: dict[str, str], error: type[KelarecError]
) -> None:
    """What makes no sense is refused by name before anything happens."""
    (call,) = store(archive, disk.clock())
    with pytest.raises(error):
        archive.retention.erasures.erase([call] if ids is None else ids, by=OFFICER, **TERMS | terms)
    assert read(archive, call) == WAV


def test_a_read_only_key_place_loses_nothing(archive: Archive, disk: "Disk", monkeypatch: pytest.MonkeyPatch) -> None:
    """If the key place cannot be written the error says so, nothing is erased, and nothing goes on by itself later."""
    (call,) = store(archive, disk.clock())

    def refuse(*_: object) -> None:
        raise StorageError("The place of the keys is read-only.")

    place = archive._vault.keyring.place
    for name in ("replace", "replace_many", "write", "write_many"):
        monkeypatch.setattr(place, name, refuse)
    with pytest.raises(StorageError, match="read-only"):
        archive.retention.erasures.erase([call], by=OFFICER, **TERMS)
    assert read(archive, call) == WAV
    monkeypatch.undo()
    disk.clock.move(HOUR)
    assert archive.retention.erasures.finish(by=OFFICER) == ()
    assert read(archive, call) == WAV
    archive.retention.erasures.erase([call], by=OFFICER, **TERMS)


def test_a_store_that_refuses_is_incomplete_and_goes_on(
    archive: Archive, disk: "Disk", monkeypatch: pytest.MonkeyPatch
) -> None:
    """If objects cannot be removed it is incomplete and says where; nothing is readable, and it is finished later."""
    (call,) = store(archive, disk.clock())

    def refuse(*_: object) -> None:
        raise StorageError("The object store does not answer.")

    monkeypatch.setattr(archive._vault.objects, "delete_many", refuse)
    outcome = archive.retention.erasures.erase([call], by=OFFICER, **TERMS).outcome
    assert isinstance(outcome, Incomplete)
    assert outcome.where == "objects"
    with pytest.raises(DeniedError):
        read(archive, call)
    disk.clock.move(MINUTE)
    assert [type(each.outcome) for each in archive.retention.erasures.finish(by=OFFICER)] == [Incomplete]
    monkeypatch.undo()
    assert [each.outcome for each in archive.retention.erasures.finish(by=OFFICER)] == [Complete()]
    assert not list(disk.objects.rglob(f"*{call}*"))


def test_something_that_stays_is_never_called_complete(archive: Archive, disk: "Disk") -> None:
    """What is read back decides: an object that lies there again is told, then removed (the harness proves itself)."""
    (call,) = store(archive, disk.clock())
    folder = next(disk.objects.glob(f"recordings/*/{call}"))
    archive.retention.erasures.erase([call], by=OFFICER, **TERMS)
    folder.mkdir(parents=True)
    (folder / "audio-left").write_bytes(b"noise")
    targets = [each for _, group in archive.retention.erasures._group(_list_begun(archive)) for each in group]
    found = archive.retention.erasures._steps.look(targets)
    assert found == Incomplete("objects", "1 objects are still there.")
    disk.clock.move(MINUTE)
    assert [each.outcome for each in archive.retention.erasures.finish(by=OFFICER)] == [Complete()]


def test_a_batch_over_several_dates(archive: Archive, disk: "Disk") -> None:
    """One batch may hold recordings of several dates; each date is punctured once."""
    ids = []
    for _ in range(3):
        ids += store(archive, disk.clock(), 2)
        disk.clock.move(timedelta(days=1))
    erasure = archive.retention.erasures.erase(ids[::2], by=OFFICER, **TERMS)
    assert isinstance(erasure.outcome, Pending)
    assert [read(archive, each) for each in ids[1::2]] == [WAV] * 3
    disk.clock.move(MINUTE)
    assert [each.outcome for each in archive.retention.erasures.finish(by=SWEEPER)] == [Complete()]


# While others work (fault 18) ----------------------------------------------------------------------------------------


def test_an_open_reader_gives_all_or_says_erased(archive: Archive, disk: "Disk") -> None:
    """A reader that is open when its recording is erased gives what was asked for or an error, never a part of it."""
    (call,) = store(archive, disk.clock())
    with archive.session(by=StaffId("veikko"), purpose="verify-service-event", matter="KELA-1") as session:
        reader = session.open(call)
        assert reader.read(10) == WAV[:10]
        archive.retention.erasures.erase([call], by=OFFICER, **TERMS)
        disk.clock.move(timedelta(seconds=1))
        with pytest.raises((DeniedError, ObjectNotFoundError)):
            reader.read()


def test_readers_and_an_erasure_at_once(archive: Archive, disk: "Disk") -> None:
    """Reads that run beside an erasure give every byte or an error by name; figures are printed."""
    ids = store(archive, disk.clock(), 12)
    whole: list[UUID] = []
    partial: list[UUID] = []
    refused: list[KelarecError] = []

    def read_on() -> None:
        for each in ids * 2:
            try:
                content = read(archive, each)
            except (DeniedError, ObjectNotFoundError) as error:
                refused.append(error)
            else:
                (whole if content == WAV else partial).append(each)

    threads = [threading.Thread(target=read_on) for _ in range(2)]
    for thread in threads:
        thread.start()
    for each in ids[::2]:
        archive.retention.erasures.erase([each], by=OFFICER, **TERMS)
    for thread in threads:
        thread.join()
    print(f"\nreads beside 6 erasures: {len(whole)} whole, {len(refused)} refused by name, {len(partial)} partial")
    assert not partial
    assert len(whole) + len(refused) == 48


def test_an_upload_that_is_overtaken_leaves_nothing(
    archive: Archive, disk: "Disk", monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transcript that is uploaded while its recording is erased is refused by name, and nothing of it stays."""
    (call,) = store(archive, disk.clock())
    objects = archive._vault.objects
    write = objects.write

    def erase_first(path: str, chunks: object) -> int:
        monkeypatch.setattr(objects, "write", write)
        size = write(path, chunks)  # type: ignore[arg-type]  # passed on
        archive.retention.erasures.erase([call], by=OFFICER, **TERMS)
        return size

    monkeypatch.setattr(objects, "write", erase_first)
    with pytest.raises(ChangedMeanwhileError):
        archive.capture.attach(call, "transcript", "text/plain", b"what was said", by=RECORDER)
    assert not list(disk.objects.rglob(f"*{call}*"))
    disk.clock.move(MINUTE)
    assert [each.outcome for each in archive.retention.erasures.finish(by=OFFICER)] == [Complete()]
    archive.verify(by=OFFICER)


def test_storing_goes_on_meanwhile(archive: Archive, disk: "Disk") -> None:
    """Recordings of the same date that are stored while others are erased are all there and read in full."""
    ids = store(archive, disk.clock(), 20)
    stored: list[UUID] = []

    def store_on() -> None:
        for _ in range(20):
            stored.extend(store(archive, disk.clock()))

    thread = threading.Thread(target=store_on)
    thread.start()
    for each in ids:
        archive.retention.erasures.erase([each], by=OFFICER, **TERMS)
    thread.join()
    assert [read(archive, each) for each in stored] == [WAV] * 20
    assert archive.retention.forecast().ending[0].recordings == 20


def _list_begun(archive: Archive) -> list[object]:
    with archive._vault.database.begin() as connection:
        return list(find_newest(connection, list_unfinished(connection)).values())
