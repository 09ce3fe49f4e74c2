"""Where an archive can stand: on each backend, with objects and keys in two places of the same kind."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from attrs import field, frozen

from kelarec import Archive, Place, Register, create_key_file, kela_register
from kelarec.storage.objects import ObjectPlace
from kelarec.storage.opening import Credentials, no_credentials, open_objects
from kelarec.testing.clock import MovableClock
from object_servers import NAMES, Servers

BACKENDS: Final = ("memory", "file", *NAMES)


@frozen
class Stage:
    """Two empty places of one backend, and all else that an archive needs.

    Attributes:
        backend: One of `BACKENDS`.
        objects: None for the memory, where an archive cannot be opened a second time.
        keys: As objects.
        credentials: Open the places.
        folder: Holds root key and catalog.
        clock: Of every archive that is created or opened here.
    """

    backend: str
    objects: Place | None
    keys: Place | None
    credentials: Credentials = field(repr=False)
    folder: Path
    clock: MovableClock = field(factory=MovableClock)

    @property
    def root_key(self) -> str:
        """The root key's URI."""
        return f"keyfile:{self.folder / 'root.key'}"

    @property
    def catalog(self) -> Place:
        """A SQLite file."""
        return Place(f"sqlite://{self.folder / 'catalog.sqlite'}", "FI")

    def create(self, register: Register | None = None) -> Archive:
        """Make an archive."""
        register = register or kela_register(contact_point="Registry office")
        if self.objects is None or self.keys is None:
            return Archive.in_memory(register, clock=self.clock)
        if not (self.folder / "root.key").exists():
            create_key_file(self.folder / "root.key")
        return Archive.create(
            objects=self.objects,
            keys=self.keys,
            root_key=self.root_key,
            catalog=self.catalog,
            register=register,
            credentials=self.credentials,
            clock=self.clock,
        )

    def reopen(self, archive: Archive) -> Archive:
        """Close an archive and open it anew; one in memory goes on."""
        if self.objects is None or self.keys is None:
            return archive
        archive.close()
        return Archive.open(
            objects=self.objects,
            keys=self.keys,
            root_key=self.root_key,
            catalog=self.catalog,
            credentials=self.credentials,
            clock=self.clock,
        )

    def open_places(self, archive: Archive) -> tuple[ObjectPlace, ObjectPlace]:
        """Open the places of objects and keys beside an archive, as whoever has the disks can."""
        if self.objects is None or self.keys is None:
            return archive._vault.objects, archive._vault.keyring._place
        opened = [open_objects(each, credentials=self.credentials) for each in (self.objects, self.keys)]
        return opened[0], opened[1]


def make_stage(backend: str, servers: Servers, folder: Path) -> Stage:
    """Make two empty places on a backend."""
    if backend == "memory":
        return Stage(backend, None, None, no_credentials, folder)
    if backend == "file":
        return Stage(backend, Place(folder / "archive", "FI"), Place(folder / "keys", "FI"), no_credentials, folder)
    server = servers.get(backend)
    return Stage(backend, server.make_place(None), server.make_place(None), server.credentials, folder)


@pytest.fixture(params=BACKENDS)
def stage(request: pytest.FixtureRequest, servers: Servers, tmp_path: Path) -> Stage:
    """Each backend in turn."""
    return make_stage(request.param, servers, tmp_path)


@pytest.fixture
def stage_archive(stage: Stage) -> Iterator[Archive]:
    """A new archive on each backend."""
    with stage.create() as archive:
        yield archive
