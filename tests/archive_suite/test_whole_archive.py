"""An archive keeps its promises wherever its objects and keys lie: the notice of 18.8.2020, sections 4, 8, 9 and 10."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Final

import pytest

from archive_stages import BACKENDS, Stage, make_stage
from kelarec import Archive, Chat, Kind, Place, Recording, StaffId, System
from kelarec.access.session import Session
from kelarec.audit.entries import EntryKind
from kelarec.domain.instants import end_of
from kelarec.errors import ArchiveExistsError, DeniedError, ExpiredError, IntegrityError, PlaceOverlapError
from kelarec.storage import opening
from kelarec.storage.apart import require_places_apart
from kelarec.storage.objects import ObjectPlace
from kelarec.testing.builders import make_contact, make_identity_code, make_person, make_staff_member, make_wav
from object_servers import Servers

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


class WholeArchiveSuite:
    """What an archive does on one backend; each is a class of its own, so that several can run at once.

    Attributes:
        backend: One of `archive_stages.BACKENDS`.
    """

    backend: ClassVar[str]

    @pytest.fixture
    def stage(self, request: pytest.FixtureRequest, servers: Servers, tmp_path: Path) -> Stage:
        """Two empty places on the backend."""
        on_postgresql = self.backend == "postgresql"
        url = request.getfixturevalue("postgres_url") if on_postgresql else f"sqlite://{tmp_path / 'catalog.sqlite'}"
        return make_stage(self.backend, servers, tmp_path, Place(url, "FI"))

    @pytest.fixture
    def stage_archive(self, stage: Stage) -> Iterator[Archive]:
        """A new archive on the backend."""
        with stage.create() as archive:
            yield archive

    def test_a_life_from_creation_to_expiry(self, stage: Stage, example_call: bytes, example_chat: Chat) -> None:
        """A call and a chat are stored, found, seen, heard and read, also after a reopening, to the end of their day.

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

    def test_one_flipped_byte_is_found(self, stage: Stage, stage_archive: Archive) -> None:
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

    def test_swapped_objects_are_refused(self, stage: Stage, stage_archive: Archive) -> None:
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

    def test_an_archive_is_created_once(self, stage: Stage, example_call: bytes) -> None:
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

    def test_a_failed_creation_leaves_nothing(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
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


class TestOnMemory(WholeArchiveSuite):
    """This process's memory."""

    backend = "memory"


class TestOnFolders(WholeArchiveSuite):
    """Folders of this machine."""

    backend = "file"


class TestOnPostgresql(WholeArchiveSuite):
    """Folders, with the catalog on PostgreSQL."""

    backend = "postgresql"


class TestOnRclone(WholeArchiveSuite):
    """S3, as rclone serves it."""

    backend = "rclone"


class TestOnSwift(WholeArchiveSuite):
    """S3, as OpenStack Swift serves it."""

    backend = "swift"


class TestOnAzurite(WholeArchiveSuite):
    """Azure Blob Storage, as Azurite serves it."""

    backend = "azurite"


class TestOnGoogle(WholeArchiveSuite):
    """Google Cloud Storage, as an emulator serves it."""

    backend = "gcs"


class TestOnSftp(WholeArchiveSuite):
    """Folders on OpenSSH's server."""

    backend = "sftp"


def test_every_backend_has_its_suite() -> None:
    """No backend is left out: each that an archive can stand on is that of one class."""
    assert sorted(each.backend for each in WholeArchiveSuite.__subclasses__()) == sorted(BACKENDS)
