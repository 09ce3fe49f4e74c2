"""An archive keeps its promises wherever its objects and keys lie: the notice of 18.8.2020, sections 4, 8, 9 and 10."""

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pytest

from kelarec import Archive, Chat, Kind, Recording, StaffId, System
from kelarec.access.session import Session
from kelarec.audit.entries import EntryKind
from kelarec.domain.instants import end_of
from kelarec.errors import ArchiveExistsError, DeniedError, ExpiredError, IntegrityError, PlaceOverlapError
from kelarec.storage import opening
from kelarec.storage.apart import require_places_apart
from kelarec.storage.objects import ObjectPlace
from kelarec.testing.builders import make_contact, make_identity_code, make_person, make_staff_member, make_wav

if TYPE_CHECKING:
    from archive_stages import Stage

RECORDER: Final = System("recorder@test")
SWEEPER: Final = System("sweep@test")
VEIKKO: Final = StaffId("veikko")
AINO: Final = make_identity_code()


def store_call(archive: Archive, content: bytes) -> Recording:
    """Store a call that starts now."""
    contact = make_contact(started_at=archive._vault.now())
    return archive.capture.store(
        contact, ended_at=contact.started_at + timedelta(seconds=51), content=content, by=RECORDER
    )


def store_chat(archive: Archive, chat: Chat) -> Recording:
    """Store a chat that starts now."""
    contact = make_contact(kind=Kind.CUSTOMER_CHAT, started_at=archive._vault.now())
    return archive.capture.store(contact, ended_at=contact.started_at + timedelta(minutes=9), content=chat, by=RECORDER)


def work(archive: Archive, by: StaffId = VEIKKO) -> Session:
    """Begin a session."""
    return archive.session(by=by, purpose="verify-service-event", matter="KELA-1")


def find_audio(place: ObjectPlace, recording: Recording) -> str:
    """Return the path of a recording's content."""
    paths = [path for path in place.iter_paths("recordings") if str(recording.id) in path]
    return next(path for path in paths if "/record-" not in path)


def put_instead(place: ObjectPlace, path: str, content: bytes) -> None:
    """Put other bytes where an object lay, as whoever has the disks can."""
    place.delete(path)
    place.write(path, [content])


def test_a_life_from_creation_to_expiry(stage: "Stage", example_call: bytes, example_chat: Chat) -> None:
    """A call and a chat are stored, found, seen, heard and read, also after a reopening, until their last day is over.

    Then nothing of them is left in objects and keys, and the log verifies (sections 4 and 9).
    """
    archive = stage.create()
    archive.staff.enrol(make_staff_member(), by=RECORDER)
    call, chat = store_call(archive, example_call), store_chat(archive, example_chat)
    archive = stage.reopen(archive)
    with work(archive) as session:
        assert {each.id for each in session.find(AINO)} == {call.id, chat.id}
        assert session.get_details(call.id).contact.customer == make_person()
        assert session.read_chat(chat.id) == example_chat
        with session.open(call.id) as audio:
            assert audio.clip(start=12, stop=17)[-80_000:] in example_call
            audio.seek(0)
            assert audio.read() == example_call
    with pytest.raises(DeniedError), work(archive, by=StaffId("nolla")) as session:
        session.open(call.id)
    objects, keys = stage.open_places(archive)
    assert any(call.kept_through.isoformat() in path for path in keys.iter_paths())
    stage.clock.set(end_of(call.kept_through))
    with work(archive) as session, pytest.raises(ExpiredError):
        session.open(call.id)
    stage.clock.move(timedelta(hours=1))
    swept = archive.retention.sweep(by=SWEEPER, catch_up=[call.kept_through])
    assert sum(each.recordings for each in swept) == 2
    assert not list(objects.iter_paths("recordings"))
    assert not any(call.kept_through.isoformat() in path for path in keys.iter_paths())
    archive = stage.reopen(archive)
    kinds = [entry.kind for entry in archive.audit.iter_entries(by=RECORDER)]
    assert EntryKind.KEYS_DESTROYED in kinds
    head = archive.audit.integrate()
    assert head is not None
    archive.close()


def test_one_flipped_byte_is_found(stage: "Stage", stage_archive: Archive) -> None:
    """A byte changed in the store is an integrity error, and what lies beside it is read (GDPR, Art. 5(1)(f))."""
    stage_archive.staff.enrol(make_staff_member(), by=RECORDER)
    call, other = store_call(stage_archive, make_wav()), store_call(stage_archive, make_wav())
    objects, _ = stage.open_places(stage_archive)
    path = find_audio(objects, call)
    sealed = bytearray(objects.read(path))
    sealed[len(sealed) // 2] ^= 1
    put_instead(objects, path, bytes(sealed))
    with work(stage_archive) as session:
        with pytest.raises(IntegrityError), session.open(call.id) as audio:
            audio.read()
        with session.open(other.id) as audio:
            assert audio.read() == make_wav()


def test_swapped_objects_are_refused(stage: "Stage", stage_archive: Archive) -> None:
    """The content of one recording in the place of another's is an integrity error (GDPR, Art. 5(1)(f))."""
    stage_archive.staff.enrol(make_staff_member(), by=RECORDER)
    calls = [store_call(stage_archive, make_wav()) for _ in range(2)]
    objects, _ = stage.open_places(stage_archive)
    paths = [find_audio(objects, call) for call in calls]
    contents = [objects.read(path) for path in paths]
    for path, content in zip(paths, reversed(contents), strict=True):
        put_instead(objects, path, content)
    with work(stage_archive) as session:
        for call in calls:
            with pytest.raises(IntegrityError), session.open(call.id) as audio:
                audio.read()


def test_an_archive_is_created_once(stage: "Stage", example_call: bytes) -> None:
    """Where an archive stands none is created, in neither place alone, nor in one place for both (section 10).

    In memory, where nobody else gets at its places, each creation is another archive.
    """
    archive = stage.create()
    if stage.objects is None or stage.keys is None:
        store_call(archive, example_call)
        with archive, stage.create() as other:
            assert other._vault.archive_id != archive._vault.archive_id
            assert list(stage.open_places(other)[0].iter_paths("recordings")) == []
        return
    archive.close()
    with stage.without_catalog(), pytest.raises(ArchiveExistsError):
        stage.create()
    with pytest.raises(PlaceOverlapError):
        require_places_apart(stage.objects, stage.objects)
    stage.reopen(archive).close()


def test_a_failed_creation_leaves_nothing(stage: "Stage", monkeypatch: pytest.MonkeyPatch) -> None:
    """If the last step of a creation fails, both places are empty again and the catalog is gone; then it works."""

    def fail(*_: object) -> None:
        raise RuntimeError("the power went")

    with monkeypatch.context() as patched:
        patched.setattr("kelarec.archive.write_description", fail)
        with pytest.raises(RuntimeError):
            stage.create()
    for place in (stage.objects, stage.keys):
        if place is not None:  # in memory they are gone with the exception
            assert list(opening.open_objects(place, credentials=stage.credentials).iter_paths()) == []
    assert not stage.has_catalog
    stage.create().close()
