"""Fixtures for all tests: an archive on disk, the usual staff member, call and chat in it, a real PostgreSQL."""

import json
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from attrs import field, frozen

from kelarec import (
    Archive,
    Chat,
    Kind,
    Message,
    Place,
    Recording,
    Register,
    StaffMember,
    System,
    create_key_file,
    kela_register,
)
from kelarec.access.session import Session
from kelarec.storage.engine import open_database
from kelarec.storage.objects import MemoryObjects
from kelarec.storage.roots import LocalRootKey
from kelarec.storage.vault import Vault
from kelarec.testing.builders import make_contact, make_staff_member
from kelarec.testing.clock import MovableClock
from key_services import kms_server, softhsm
from object_servers import servers
from postgres_catalog import ON_POSTGRESQL, catalog_url, postgres_server, postgres_url

__all__ = ["catalog_url", "kms_server", "postgres_server", "postgres_url", "servers", "softhsm"]

EXAMPLES: Final = Path(__file__).parent.parent / "examples"
RECORDER: Final = System("recorder@test")


@frozen
class Disk:
    """An archive in a folder, laid out as ``Archive.create`` lays it out by itself.

    Attributes:
        folder: Holds ``archive/``, ``keys/``, ``root.key`` and the catalog.
        clock: Of every archive that is created or opened here.
        catalog_place: Where the catalog lies, if not beside the objects.
    """

    folder: Path
    clock: MovableClock = field(factory=MovableClock)
    catalog_place: Place | None = None

    @property
    def objects(self) -> Path:
        """Where the sealed objects lie."""
        return self.folder / "archive"

    @property
    def keys(self) -> Path:
        """Where the keys lie."""
        return self.folder / "keys"

    @property
    def catalog(self) -> Path:
        """The catalog's file."""
        if self.catalog_place is not None:
            pytest.skip("it looks into SQLite's file")
        return self.folder / "archive.catalog.sqlite"

    @property
    def root_key(self) -> Path:
        """The root key's file."""
        return self.folder / "root.key"

    @property
    def spool(self) -> Path:
        """Where takes lie while they go on, in an archive that has a spool."""
        return self.folder / "spool"

    def create(self, register: Register | None = None, *, spool: bool = False) -> Archive:
        """Make the root key, if there is none yet, and a new archive."""
        if not self.root_key.exists():
            create_key_file(self.root_key)
        return Archive.create(
            objects=Place(self.objects, "FI"),
            keys=Place(self.keys, "FI"),
            root_key=f"keyfile:{self.root_key}",
            spool=Place(self.spool, "FI") if spool else None,
            register=register or kela_register(contact_point="Registry office"),
            catalog=self.catalog_place,
            clock=self.clock,
        )

    def open(self, *, spool: bool = False, spool_limit: int | None = None) -> Archive:
        """Open the archive anew."""
        return Archive.open(
            objects=Place(self.objects, "FI"),
            keys=Place(self.keys, "FI"),
            root_key=f"keyfile:{self.root_key}",
            spool=Place(self.spool, "FI") if spool else None,
            spool_limit=spool_limit,
            catalog=self.catalog_place,
            clock=self.clock,
        )

    def list_files(self) -> list[str]:
        """Return the paths of all files, relative to the folder, in order."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Disk:
    """A folder in which an archive can be created and opened; it is empty at first."""
    return Disk(tmp_path, catalog_place=Place(request.getfixturevalue("postgres_url"), "FI") if ON_POSTGRESQL else None)


@pytest.fixture
def kelarec_archive(
    kelarec_register: Register, kelarec_clock: MovableClock, request: pytest.FixtureRequest
) -> Iterator[Archive]:
    """An archive in memory; its catalog is on PostgreSQL if the environment says so."""
    if ON_POSTGRESQL:
        place = Place(request.getfixturevalue("postgres_url"), "FI")
        archive = Archive._create(
            kelarec_register,
            objects=MemoryObjects(),
            keys=MemoryObjects(),
            root_key=LocalRootKey(os.urandom(32), os.urandom),
            make_database=lambda: open_database(place, must_exist=False),
            witnesses=(),
            directory=None,
            authenticator=None,
            clock=kelarec_clock,
            randomness=os.urandom,
        )
    else:
        archive = Archive.in_memory(kelarec_register, clock=kelarec_clock)
    with archive:
        yield archive


@pytest.fixture
def disk_archive(disk: Disk) -> Iterator[Archive]:
    """A new archive on disk."""
    with disk.create() as archive:
        yield archive


@pytest.fixture
def spooled_archive(disk: Disk) -> Iterator[Archive]:
    """A new archive on disk that has a spool."""
    with disk.create(spool=True) as archive:
        yield archive


@pytest.fixture
def vault(disk_archive: Archive) -> Vault:
    """What the new archive on disk works on, for tests of what lies below its API."""
    return disk_archive._vault


@pytest.fixture
def memory_vault(kelarec_archive: Archive) -> Vault:
    """What the archive in memory works on."""
    return kelarec_archive._vault


@pytest.fixture
def adviser(kelarec_archive: Archive) -> StaffMember:
    """Veikko, an adviser enrolled in the archive in memory, with a duty for his own contacts."""
    member = make_staff_member()
    kelarec_archive.staff.enrol(member, by=RECORDER)
    return member


@pytest.fixture
def call(kelarec_archive: Archive, adviser: StaffMember, example_call: bytes) -> Recording:
    """The example call, stored in the archive in memory; Veikko took it."""
    contact = make_contact(adviser_id=adviser.id)
    ended_at = contact.started_at + timedelta(seconds=51)
    return kelarec_archive.capture.store(contact, ended_at=ended_at, content=example_call, by=RECORDER)


@pytest.fixture
def chat(kelarec_archive: Archive, adviser: StaffMember, example_chat: Chat) -> Recording:
    """The example chat, stored in the archive in memory; Veikko took it."""
    contact = make_contact(kind=Kind.CUSTOMER_CHAT, adviser_id=adviser.id, started_at=example_chat.messages[0].sent_at)
    ended_at = example_chat.messages[-1].sent_at
    return kelarec_archive.capture.store(contact, ended_at=ended_at, content=example_chat, by=RECORDER)


@pytest.fixture
def session(kelarec_archive: Archive, adviser: StaffMember) -> Iterator[Session]:
    """A session of Veikko's in the archive in memory."""
    with kelarec_archive.session(by=adviser.id, purpose="verify-service-event", matter="KELA-1") as session:
        yield session


@pytest.fixture(scope="session")
def example_call() -> bytes:
    """The example call: 51 seconds of G.711 A-law in two channels."""
    return (EXAMPLES / "data" / "call.wav").read_bytes()


@pytest.fixture(scope="session")
def example_chat() -> Chat:
    """The example chat: ten messages in Finnish."""
    told = json.loads((EXAMPLES / "data" / "chat.json").read_text(encoding="utf-8"))["messages"]
    return Chat(tuple(Message(datetime.fromisoformat(each["sent_at"]), each["by"], each["text"]) for each in told))
