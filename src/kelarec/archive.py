"""The archive: places, keys and register put together. This is where the system's clock and randomness come in."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import Final
from uuid import UUID

from kelarec.access.enrolment import Staff
from kelarec.access.session import Session
from kelarec.access.sessions import Sessions
from kelarec.audit.entries import EntryKind
from kelarec.audit.integrator import Witness
from kelarec.audit.log import AuditLog
from kelarec.capture.store import Capture
from kelarec.custody.keys import Keys
from kelarec.domain.people import StaffId, System
from kelarec.domain.register import Register
from kelarec.domain.uuid7 import RANDOM_BYTES, uuid7
from kelarec.errors import ArchiveExistsError, ClosedError
from kelarec.retention.destroyed_again import DestroyedAgain, destroy_again
from kelarec.retention.sweep import Retention
from kelarec.rights.receive import Rights
from kelarec.storage.description import read_description, read_register, write_description, write_register
from kelarec.storage.engine import Database, create_schema, open_database, open_memory_database, require_schema
from kelarec.storage.key_place import KeyPlaces
from kelarec.storage.keyring import Keyring
from kelarec.storage.keys_ahead import make_keys_ahead
from kelarec.storage.objects import MemoryObjects, ObjectPlace
from kelarec.storage.opening import Credentials, no_credentials
from kelarec.storage.places import Place
from kelarec.storage.residency import NOTHING_DECLARED, Declarations
from kelarec.storage.roots import LocalRootKey, RootKey, Secrets
from kelarec.storage.source import Source, find_catalog_file
from kelarec.storage.spool_place import OWNER_FILE, MemorySpoolPlace, SpoolPlace, open_spool
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
        destroyed_again: What the log says has died and was there again when the archive was opened.
        lost_keys: Dates that are not over, hold something and had no keys when the archive was opened.
        keys: What keys there are; a new root key.
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
        self.retention = Retention(vault, self.audit, register)
        self.rights = Rights(vault, self.audit, register)
        self.destroyed_again = DestroyedAgain()
        self.lost_keys: tuple[date, ...] = ()
        self.keys = Keys(vault, self.audit)
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
        keys: KeyPlaces,
        root_key: str,
        register: Register,
        secrets: Secrets | None = None,
        catalog: Place | None = None,
        spool: Place | None = None,
        spool_limit: int | None = None,
        credentials: Credentials = no_credentials,
        residency: Declarations = NOTHING_DECLARED,
        witnesses: Sequence[Witness] = (),
        clock: Clock = system_clock,
        randomness: Randomness = os.urandom,
    ) -> "Archive":
        """Make a new archive in empty places.

        Args:
            objects: A folder or bucket for all that is kept, sealed.
            keys: A folder or bucket of its own for the keys; neither contains the other. Or a pair of them, two copies
                that are written and destroyed together and read from either.
            root_key: Such as ``keyfile:/path``, made by `kelarec.create_key_file`; or ``passphrase:``, ``pkcs11:…``,
                ``awskms:…``, or what a plug-in brings.
            register: The notice to obey.
            secrets: Is called with ``passphrase`` or ``pin`` when the root key needs one, and returns it.
            catalog: ``sqlite:///path`` or ``postgresql+psycopg://…`` (`kelarec[postgres]`); a SQLite file beside the
                objects' folder if none is given.
            spool: A folder of this machine for takes while they go on; without one none can begin.
            spool_limit: Bytes that the spool may take, at about; as much as its disk has room for if none are given.
            credentials: Gives what opens a remote place, as keyword arguments of its fsspec file system; without it
                the environment does, as each provider's own tools have it.
            residency: Where servers lie that no provider tells of.
            witnesses: Each is shown every signed checkpoint and keeps it elsewhere; see `kelarec.audit.integrator`.
            clock: Gives the present as an aware instant.
            randomness: Gives so many random bytes.

        Raises:
            NotResidentError, ResidencyUnknownError: A place is not in the EU/EEA, or nobody tells where it is.
            UnknownSchemeError, MissingExtraError: Nothing knows a place's scheme, or its extra is not installed.
            PlaceNotFoundError, UnreachableError, CredentialsRefusedError: A bucket is not there, or a server does not
                answer or does not let in.
            PlaceOverlapError: Keys and objects, the catalog and the keys, or the spool and either, lie in one another.
            SpoolMismatchError: The spool is another archive's.
            ArchiveExistsError: A place is not empty.
            RootKeyError: The root key cannot be had.
            StorageError: A place refuses. Nothing half-made stays behind.
        """
        source = Source(objects, keys, root_key, secrets, credentials, residency)
        catalog = source.place_catalog(catalog)
        source.require_spool(spool)
        root = source.load_root(randomness)
        catalog_file = find_catalog_file(catalog)
        if catalog_file is not None and catalog_file.exists():
            raise ArchiveExistsError(f"There is a catalog already at {catalog_file}.")
        made = [*_list_catalog_files(catalog_file), *([] if spool is None else [spool.folder / OWNER_FILE])]
        with source.new_places(randomness) as (store, key_place), _removed_on_error(made):
            return cls._create(
                register,
                objects=store,
                keys=key_place,
                root_key=root,
                make_database=lambda: open_database(catalog, must_exist=False),
                make_spool=lambda archive_id: open_spool(spool, archive_id, randomness),
                spool_limit=spool_limit,
                witnesses=witnesses,
                clock=clock,
                randomness=randomness,
            )

    @classmethod
    def open(
        cls,
        *,
        objects: Place,
        keys: KeyPlaces,
        root_key: str,
        secrets: Secrets | None = None,
        catalog: Place | None = None,
        spool: Place | None = None,
        spool_limit: int | None = None,
        credentials: Credentials = no_credentials,
        residency: Declarations = NOTHING_DECLARED,
        witnesses: Sequence[Witness] = (),
        clock: Clock = system_clock,
        randomness: Randomness = os.urandom,
    ) -> "Archive":
        """Open an archive; it reads its own register. The arguments are those of `create`.

        Raises:
            ArchiveNotFoundError: There is no archive, or no ring key, at the places.
            MissingExtraError, PlaceNotFoundError, UnreachableError, CredentialsRefusedError, NotResidentError: As in
                `create`.
            FormatTooNewError: A newer version made it.
            KeyPlaceMismatchError, WrongRootKeyError: The keys are not those of this archive.
            RootKeyUnreadableError, RootKeyUnreachableError, MissingExtraError: The root key cannot be had.
            CatalogError: The catalog is missing, damaged or another archive's.
            SpoolMismatchError: The spool is another archive's.
            IntegrityError: Something was altered.
        """
        source = Source(objects, keys, root_key, secrets, credentials, residency)
        catalog = source.place_catalog(catalog)
        source.require_spool(spool)
        database = open_database(catalog, must_exist=True)
        vault = source.open(database, clock, randomness)
        try:
            require_schema(database, archive_id=str(vault.archive_id))
            register = read_register(vault, read_description(vault.objects)[1])
            place = open_spool(spool, vault.archive_id, randomness)
            archive = cls(vault, register, witnesses, place, spool_limit)
            archive.destroyed_again = destroy_again(vault, archive.audit, register, by=_HERE)
            archive.lost_keys = make_keys_ahead(vault, register)
            found = {
                "lost_keys": " ".join(map(str, archive.lost_keys)),
                "unreadable_entries": str(archive.destroyed_again.unreadable_entries or ""),
            }
            facts = {name: fact for name, fact in found.items() if fact}
            archive.audit.write(
                archive.audit.new_entry(EntryKind.ARCHIVE_OPENED, _HERE, recording_id=None, terms=None, **facts)
            )
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
            try:
                make_keys_ahead(vault, register)
                archive.audit.begin()
                version = register.version.isoformat()
                archive.audit.write(archive.audit.new_entry(EntryKind.ARCHIVE_CREATED, _HERE, register_version=version))
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


def _list_catalog_files(catalog_file: Path | None) -> list[Path]:
    return [] if catalog_file is None else [catalog_file, catalog_file.with_name(f"{catalog_file.name}-journal")]


@contextmanager
def _removed_on_error(files: list[Path]) -> Iterator[None]:
    """Remove files that are made meanwhile if what is done then fails; those that are there already stay."""
    made = [file for file in files if not file.exists()]
    try:
        yield
    except BaseException:
        for file in made:
            file.unlink(missing_ok=True)
        raise
