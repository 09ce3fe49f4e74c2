"""Where an archive can stand: on each backend, with objects and keys in two places of the same kind.

Its catalog is a SQLite file; on one more stage, with folders, it is a PostgreSQL schema.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from attrs import field, frozen

from kelarec import Archive, Place, Register, create_key_file, kela_register
from kelarec.storage.engine import open_database
from kelarec.storage.objects import ObjectPlace
from kelarec.storage.opening import Credentials, no_credentials, open_objects
from kelarec.testing.clock import MovableClock
from object_servers import NAMES, Servers

BACKENDS: Final = ("memory", "file", "postgresql", *NAMES)


@frozen
class Stage:
    """Two empty places of one backend, and all else that an archive needs.

    Attributes:
        backend: One of `BACKENDS`.
        objects: None for the memory, where an archive cannot be opened a second time.
        keys: As objects.
        credentials: Open the places.
        folder: Holds the root key, and the catalog if it is a file.
        catalog: Where the catalog lies.
        clock: Of every archive that is created or opened here.
    """

    backend: str
    objects: Place | None
    keys: Place | None
    credentials: Credentials = field(repr=False)
    folder: Path
    catalog: Place
    clock: MovableClock = field(factory=MovableClock)

    @property
    def root_key(self) -> str:
        """The root key's URI."""
        return f"keyfile:{self.folder / 'root.key'}"

    @property
    def has_catalog(self) -> bool:
        """Whether a catalog lies in its place, or any part of one."""
        if self.catalog.scheme == "sqlite":
            return any(path.name.startswith("catalog") for path in self.folder.iterdir())
        database = open_database(self.catalog, must_exist=None)
        with database.begin() as connection:
            tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema()"
            count: int = connection.exec_driver_sql(tables).scalar_one()
        database.close()
        return count > 0

    @contextmanager
    def without_catalog(self) -> Iterator[None]:
        """Move the catalog away for a while."""
        if self.catalog.scheme == "sqlite":
            there, away = self.folder / "catalog.sqlite", self.folder / "moved.sqlite"
            there.rename(away)
            yield
            away.rename(there)
            return
        database = open_database(self.catalog, must_exist=True)
        with database.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE catalog RENAME TO moved")
        yield
        with database.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE moved RENAME TO catalog")
        database.close()

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


def make_stage(backend: str, servers: Servers, folder: Path, catalog: Place) -> Stage:
    """Make two empty places on a backend."""
    if backend == "memory":
        return Stage(backend, None, None, no_credentials, folder, catalog)
    if backend in {"file", "postgresql"}:
        objects, keys = Place(folder / "archive", "FI"), Place(folder / "keys", "FI")
        return Stage(backend, objects, keys, no_credentials, folder, catalog)
    server = servers.get(backend)
    return Stage(backend, server.make_place(None), server.make_place(None), server.credentials, folder, catalog)
