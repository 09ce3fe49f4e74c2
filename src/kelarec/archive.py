"""The archive: places, keys and register put together. This is where the system's clock and randomness come in."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final
from urllib.parse import quote

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
from kelarec.errors import ArchiveExistsError, CatalogError, ClosedError
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
from kelarec.storage.objects import MemoryObjects, ObjectPlace
from kelarec.storage.opening import Credentials, new_places, no_credentials, open_objects, require_places_apart
from kelarec.storage.places import Place, require_apart
from kelarec.storage.roots import LocalRootKey, RootKey, load_root_key
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

    def __init__(self, vault: Vault, register: Register, witnesses: Sequence[Witness] = ()) -> None:
        self._vault = vault
        self._is_closed = False
        self.id = vault.archive_id
        self.register = register
        self.audit = AuditLog(vault, register, witnesses)
        self.staff = Staff(vault, self.audit, register)
        self.capture = Capture(vault, self.audit, register)
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
        credentials: Credentials = no_credentials,
        witnesses: Sequence[Witness] = (),
        clock: Clock = system_clock,
        randomness: Randomness = os.urandom,
    ) -> "Archive":
        """Make a new archive in empty places.

        Args:
            objects: A folder or bucket for all that is kept, sealed.
            keys: A folder or bucket of its own for the keys; neither contains the other.
            root_key: Such as ``keyfile:/path``, made by `kelarec.create_key_file`.
            register: The notice to obey.
            catalog: ``sqlite:///path`` or ``postgresql+psycopg://…`` (`kelarec[postgres]`); a SQLite file beside the
                objects' folder if none is given.
            credentials: Gives what opens a remote place, as keyword arguments of its fsspec file system; without it
                the environment does, as each provider's own tools have it.
            witnesses: Each is shown every signed checkpoint and keeps it elsewhere; see `kelarec.audit.integrator`.
            clock: Gives the present as an aware instant.
            randomness: Gives so many random bytes.

        Raises:
            NotResidentError, UnknownSchemeError: A place is not in the EU/EEA, or nothing knows its scheme.
            MissingExtraError: A place needs an extra of kelarec that is not installed.
            PlaceNotFoundError, UnreachableError, CredentialsRefusedError: A bucket is not there, or a server does not
                answer or does not let in.
            PlaceOverlapError: Keys and objects, or the catalog and the keys, lie in one another.
            ArchiveExistsError: A place is not empty.
            RootKeyUnreadableError: The root key cannot be had.
            StorageError: A place refuses. Nothing half-made stays behind.
        """
        catalog = _place_catalog(objects, keys, catalog)
        root = load_root_key(root_key, randomness)
        catalog_file = _find_catalog_file(catalog)
        if catalog_file is not None and catalog_file.exists():
            raise ArchiveExistsError(f"There is a catalog already at {catalog_file}.")
        with new_places(objects, keys, credentials, randomness) as (store, key_store), _removed_on_error(catalog_file):
            return cls._create(
                register,
                objects=store,
                keys=key_store,
                root_key=root,
                make_database=lambda: open_database(catalog, must_exist=False),
                witnesses=witnesses,
                clock=clock,
                randomness=randomness,
            )

    @classmethod
    def open(
        cls,
        *,
        objects: Place,
        keys: Place,
        root_key: str,
        catalog: Place | None = None,
        credentials: Credentials = no_credentials,
        witnesses: Sequence[Witness] = (),
        clock: Clock = system_clock,
        randomness: Randomness = os.urandom,
    ) -> "Archive":
        """Open an archive; it reads its own register.

        Raises:
            ArchiveNotFoundError: There is no archive, or no ring key, at the places.
            MissingExtraError, PlaceNotFoundError, UnreachableError, CredentialsRefusedError: As in `create`.
            FormatTooNewError: A newer version made it.
            KeyPlaceMismatchError, WrongRootKeyError, RootKeyUnreadableError: The keys are not those of this archive.
            CatalogError: The catalog is missing, damaged or another archive's.
            IntegrityError: Something was altered.
        """
        catalog = _place_catalog(objects, keys, catalog)
        root = load_root_key(root_key, randomness)
        store = open_objects(objects, credentials=credentials, randomness=randomness)
        archive_id, register_name = read_description(store)
        key_store = open_objects(keys, credentials=credentials, randomness=randomness)
        keyring = Keyring.open(key_store, archive_id, root, randomness)
        database = open_database(catalog, must_exist=True)
        vault = Vault(archive_id, store, keyring, database, clock, randomness)
        try:
            require_schema(database, archive_id=str(archive_id))
            register = read_register(vault, register_name)
            archive = cls(vault, register, witnesses)
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
            archive = cls(vault, register, witnesses)
            try:
                archive.audit.begin()
                created = archive.audit.new_entry(
                    EntryKind.ARCHIVE_CREATED, _HERE, register_version=register.version.isoformat()
                )
                archive.audit.write(created)
                write_description(objects, archive_id, register)
            except BaseException:
                archive.audit.abandon()  # or it would write into places that are being emptied
                raise
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


def _place_catalog(objects: Place, keys: Place, catalog: Place | None) -> Place:
    """Return where the catalog lies, once all places are apart."""
    require_places_apart(objects, keys)
    catalog = _catalog_beside(objects) if catalog is None else catalog
    catalog_file = _find_catalog_file(catalog)
    if catalog_file is not None and keys.scheme == "file":
        require_apart(keys.folder, catalog_file)
    return catalog


def _catalog_beside(objects: Place) -> Place:
    if objects.scheme != "file":
        raise CatalogError(
            "There is no folder beside the objects in which the catalog could lie.",
            advice="Give catalog=: sqlite:///path on this machine, or postgresql+psycopg://…",
        )
    return Place(f"sqlite://{quote(str(objects.folder))}.catalog.sqlite", objects.country)


def _find_catalog_file(catalog: Place) -> Path | None:
    if catalog.scheme == POSTGRESQL:
        return None
    catalog.require_scheme("sqlite", "file", POSTGRESQL)
    return find_sqlite_file(catalog)


@contextmanager
def _removed_on_error(catalog_file: Path | None) -> Iterator[None]:
    try:
        yield
    except BaseException:
        if catalog_file is not None:
            for file in (catalog_file, catalog_file.with_name(f"{catalog_file.name}-journal")):
                file.unlink(missing_ok=True)
        raise
