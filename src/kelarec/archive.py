"""The archive: places, keys and register put together. This is where the system's clock and randomness come in."""

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final
from urllib.parse import quote
from uuid import UUID

from kelarec.access.enrolment import Staff
from kelarec.access.session import Session
from kelarec.access.sessions import Sessions
from kelarec.audit.entries import EntryKind
from kelarec.audit.integrator import Witness
from kelarec.audit.log import AuditLog
from kelarec.capture.store import Capture
from kelarec.domain.people import StaffId, System
from kelarec.domain.register import Register
from kelarec.domain.uuid7 import RANDOM_BYTES, uuid7
from kelarec.errors import ArchiveExistsError, ClosedError
from kelarec.retention.sweep import Retention
from kelarec.rights.receive import Rights
from kelarec.storage.description import read_description, read_register, write_description, write_register
from kelarec.storage.engine import (
    POSTGRESQL,
    Database,
    create_schema,
    find_sqlite_file,
    open_database,
    open_memory_database,
    require_schema,
)
from kelarec.storage.keyring import Keyring
from kelarec.storage.objects import FolderObjects, MemoryObjects, ObjectPlace
from kelarec.storage.places import Place, require_apart
from kelarec.storage.roots import LocalRootKey, RootKey, load_root_key
from kelarec.storage.spool_place import FolderSpoolPlace, MemorySpoolPlace, SpoolPlace
from kelarec.storage.vault import Clock, Vault
from kelarec.storage.wrapping import KEY_BYTES, Randomness

_HERE: Final = System("archive")


def system_clock() -> datetime:
    """Return the present by this machine's clock."""
    return datetime.now(UTC)  # noqa: TID251  the composition root is where the system's clock enters


class Archive(AbstractContextManager["Archive"]):
    """Recorded calls and chats, kept the way the register promises.

    Make one with `Archive.in_memory` or `Archive.create`, open one with `Archive.open`.

    Attributes:
        id: A UUID of version 7.
        register: The notice it obeys.
        capture: Takes contacts in.
        staff: Who may work here.
        retention: Ends what is over.
        rights: Keeps the requests of persons.
        audit: The log.
    """

    def __init__(
        self,
        vault: Vault,
        register: Register,
        witnesses: Sequence[Witness] = (),
        spool: SpoolPlace | None = None,
        spool_limit: int | None = None,
    ) -> None:
        self._vault = vault
        self._is_closed = False
        self.id = vault.archive_id
        self.register = register
        self.audit = AuditLog(vault, register, witnesses)
        self.staff = Staff(vault, self.audit, register)
        self.capture = Capture(vault, self.audit, register, spool, spool_limit)
        self.retention = Retention(vault, self.audit)
        self.rights = Rights(vault, self.audit, register)
        self._sessions = Sessions(vault, self.audit, register)

    def __repr__(self) -> str:
        return f"Archive({self.id})"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("An archive is never pickled; open it where it is needed.")

    @classmethod
    def in_memory(
        cls,
        register: Register,
        *,
        witnesses: Sequence[Witness] = (),
        clock: Clock = system_clock,
        randomness: Randomness = os.urandom,
    ) -> "Archive":
        """Make an archive that lives in this process and leaves nothing behind, for test suites."""
        root_key = LocalRootKey(randomness(KEY_BYTES), randomness)
        return cls._create(
            register,
            objects=MemoryObjects(),
            keys=MemoryObjects(),
            root_key=root_key,
            make_database=open_memory_database,
            make_spool=lambda _: MemorySpoolPlace(),
            spool_limit=None,
            witnesses=witnesses,
            clock=clock,
            randomness=randomness,
        )

    @classmethod
    def create(
        cls,
        *,
        objects: Place,
        keys: Place,
        root_key: str,
        register: Register,
        catalog: Place | None = None,
        spool: Place | None = None,
        spool_limit: int | None = None,
        witnesses: Sequence[Witness] = (),
        clock: Clock = system_clock,
        randomness: Randomness = os.urandom,
    ) -> "Archive":
        """Make a new archive in empty places.

        Args:
            objects: A folder for all that is kept, sealed.
            keys: A folder of its own for the keys; neither contains the other.
            root_key: Such as ``keyfile:/path``, made by `kelarec.create_key_file`.
            register: The notice to obey.
            catalog: ``sqlite:///path`` or ``postgresql+psycopg://…`` (`kelarec[postgres]`); a SQLite file beside the
                objects' folder if none is given.
            spool: A folder of this machine for takes while they go on; without one none can begin.
            spool_limit: Bytes that the spool may take, at about; as much as its disk has room for if none are given.
            witnesses: Each is shown every signed checkpoint and keeps it elsewhere; see `kelarec.audit.integrator`.
            clock: Gives the present as an aware instant.
            randomness: Gives so many random bytes.

        Raises:
            NotResidentError, UnknownSchemeError: A place is not in the EU/EEA, or nothing knows its scheme.
            PlaceOverlapError: Keys and objects, or the catalog and the keys, lie in one another.
            ArchiveExistsError: A place is not empty.
            RootKeyUnreadableError: The root key cannot be had.
            StorageError: A place refuses. Nothing half-made stays behind.
        """
        catalog = _catalog_beside(objects) if catalog is None else catalog
        _require_apart(objects, keys, catalog, spool)
        root = load_root_key(root_key, randomness)
        for place in (objects, keys):
            if place.folder.exists() and any(place.folder.iterdir()):
                raise ArchiveExistsError(f"The folder {place.folder} is not empty.")
        catalog_file = _find_catalog_file(catalog)
        if catalog_file is not None and catalog_file.exists():
            raise ArchiveExistsError(f"There is a catalog already at {catalog_file}.")
        missing = [
            folder
            for place in (objects, keys)
            for folder in (place.folder, *place.folder.parents)
            if not folder.exists()
        ]
        try:
            return cls._create(
                register,
                objects=FolderObjects(objects.folder),
                keys=FolderObjects(keys.folder),
                root_key=root,
                make_database=lambda: open_database(catalog, must_exist=False),
                make_spool=lambda archive_id: _open_spool(spool, archive_id, randomness),
                spool_limit=spool_limit,
                witnesses=witnesses,
                clock=clock,
                randomness=randomness,
            )
        except BaseException:
            _remove_half_made([objects.folder, keys.folder], missing, catalog_file)
            raise

    @classmethod
    def open(
        cls,
        *,
        objects: Place,
        keys: Place,
        root_key: str,
        catalog: Place | None = None,
        spool: Place | None = None,
        spool_limit: int | None = None,
        witnesses: Sequence[Witness] = (),
        clock: Clock = system_clock,
        randomness: Randomness = os.urandom,
    ) -> "Archive":
        """Open an archive; it reads its own register.

        Raises:
            ArchiveNotFoundError: There is no archive, or no ring key, at the places.
            FormatTooNewError: A newer version made it.
            KeyPlaceMismatchError, WrongRootKeyError, RootKeyUnreadableError: The keys are not those of this archive.
            CatalogError: The catalog is missing, damaged or another archive's.
            SpoolMismatchError: The spool is another archive's.
            IntegrityError: Something was altered.
        """
        catalog = _catalog_beside(objects) if catalog is None else catalog
        _require_apart(objects, keys, catalog, spool)
        root = load_root_key(root_key, randomness)
        store = FolderObjects(objects.folder)
        archive_id, register_name = read_description(store)
        keyring = Keyring.open(FolderObjects(keys.folder), archive_id, root, randomness)
        database = open_database(catalog, must_exist=True)
        vault = Vault(archive_id, store, keyring, database, clock, randomness)
        try:
            require_schema(database, archive_id=str(archive_id))
            register = read_register(vault, register_name)
            place = _open_spool(spool, archive_id, randomness)
            archive = cls(vault, register, witnesses, place, spool_limit)
            archive.audit.write(archive.audit.new_entry(EntryKind.ARCHIVE_OPENED, _HERE))
        except BaseException:
            database.close()
            raise
        return archive

    @classmethod
    def _create(
        cls,
        register: Register,
        *,
        objects: ObjectPlace,
        keys: ObjectPlace,
        root_key: RootKey,
        make_database: Callable[[], Database],
        make_spool: Callable[[UUID], SpoolPlace | None],
        spool_limit: int | None,
        witnesses: Sequence[Witness],
        clock: Clock,
        randomness: Randomness,
    ) -> "Archive":
        archive_id = uuid7(clock(), randomness(RANDOM_BYTES))
        keyring = Keyring.create(keys, archive_id, root_key, randomness)
        vault = Vault(archive_id, objects, keyring, make_database(), clock, randomness)
        try:
            create_schema(vault.database, catalog_id=str(vault.new_id()), archive_id=str(archive_id))
            write_register(vault, register)
            archive = cls(vault, register, witnesses, make_spool(archive_id), spool_limit)
            archive.audit.begin()
            archive.audit.write(
                archive.audit.new_entry(EntryKind.ARCHIVE_CREATED, _HERE, register_version=register.version.isoformat())
            )
            write_description(objects, archive_id, register)
        except BaseException:
            vault.database.close()
            raise
        return archive

    def session(self, *, by: StaffId, purpose: str, matter: str, country: str | None = None) -> Session:
        """Begin a session: the only way to content and personal data. See `Sessions.begin`."""
        self._require_open()
        return self._sessions.begin(by=by, purpose=purpose, matter=matter, country=country)

    def close(self) -> None:
        """Write that it closed, and let go of the catalog. Closing it twice is no error."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self.capture.close()
            self.audit.write(self.audit.new_entry(EntryKind.ARCHIVE_CLOSED, _HERE))
            self.audit.close()
        finally:
            self._vault.database.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _require_open(self) -> None:
        if self._is_closed:
            raise ClosedError("The archive was closed.", advice="Open it again.")


def _require_apart(objects: Place, keys: Place, catalog: Place, spool: Place | None) -> None:
    require_apart(objects.folder, keys.folder, *([] if spool is None else [spool.folder]))
    catalog_file = _find_catalog_file(catalog)
    if catalog_file is not None:
        require_apart(keys.folder, catalog_file)


def _open_spool(spool: Place | None, archive_id: UUID, randomness: Randomness) -> SpoolPlace | None:
    return None if spool is None else FolderSpoolPlace(spool.folder, archive_id, randomness)


def _catalog_beside(objects: Place) -> Place:
    return Place(f"sqlite://{quote(str(objects.folder))}.catalog.sqlite", objects.country)


def _find_catalog_file(catalog: Place) -> Path | None:
    if catalog.scheme == POSTGRESQL:
        return None
    catalog.require_scheme("sqlite", "file", POSTGRESQL)
    return find_sqlite_file(catalog)


def _remove_half_made(folders: list[Path], missing: list[Path], catalog_file: Path | None) -> None:
    """Remove what a failed creation wrote into places that were empty before, and the folders it made itself."""
    if catalog_file is not None:
        catalog_file.unlink(missing_ok=True)
    for folder in folders:
        for entry in folder.iterdir() if folder.exists() else ():
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    for folder in missing:  # from the innermost outwards
        with suppress(OSError):
            folder.rmdir()
