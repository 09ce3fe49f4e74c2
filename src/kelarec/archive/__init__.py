"""The archive: places, keys and register put together. This is where the system's clock and randomness come in."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Final

from attrs import evolve

from kelarec.archive.clocks import SystemClock
from kelarec.archive.in_use import ArchiveInUse
from kelarec.audit.entries import EntryKind
from kelarec.audit.integrator import Witness
from kelarec.domain.people import Actor, System
from kelarec.domain.register import Register
from kelarec.domain.register_versions import RegisterVersions
from kelarec.domain.staff import Authenticator, Directory
from kelarec.domain.staff_acts import Act
from kelarec.domain.uuid7 import RANDOM_BYTES, uuid7
from kelarec.errors import InvalidValueError
from kelarec.oversight.rebuild import Rebuilt, rebuild_catalog
from kelarec.retention.opening import begin_use
from kelarec.storage.bulk import ShowProgress
from kelarec.storage.clocks import Clock
from kelarec.storage.description import read_description, write_description
from kelarec.storage.engine import (
    Database,
    create_schema,
    open_database,
    open_memory_database,
    or_without_schema,
    require_own,
)
from kelarec.storage.key_place import KeyPlaces
from kelarec.storage.keyring import Keyring
from kelarec.storage.keys_ahead import make_keys_ahead
from kelarec.storage.migrations import migrate
from kelarec.storage.objects import MemoryObjects, ObjectPlace
from kelarec.storage.opening import Credentials, no_credentials
from kelarec.storage.places import Place
from kelarec.storage.registers import (
    Registers,
    WrittenRegister,
    insert_register,
    read_kept_registers,
    read_registers,
    write_register,
)
from kelarec.storage.residency import NOTHING_DECLARED, Declarations
from kelarec.storage.roots import LocalRootKey, RootKey, Secrets
from kelarec.storage.source import Source, new_catalog
from kelarec.storage.vault import Vault
from kelarec.storage.wrapping import KEY_BYTES, Randomness

_HERE: Final = System("archive")


system_clock: Final = SystemClock()
"""The clock of an archive that is given none."""


class Archive(ArchiveInUse):
    """Recorded calls and chats, kept the way the register promises.

    Make one with `Archive.in_memory` or `Archive.create`, open one with `Archive.open`.

    Attributes:
        id: A UUID of version 7.
        register: The notice that is in force now.
        capture: Takes contacts in.
        staff: Who may work here.
        restrictions: Restricts recordings to storage.
        access_reviews: What a second person has to look at.
        retention: Ends what is over.
        rights: Keeps the requests of persons.
        audit: The log.
        destroyed_again: What the log says has died and was there again when the archive was opened.
        lost_keys: Dates that are not over, hold something and had no keys when the archive was opened.
        keys: What keys there are; a new root key.
        rebuilt: What the rebuild did that this archive comes from, or None.
    """

    @classmethod
    def in_memory(
        cls,
        register: Register,
        *,
        witnesses: Sequence[Witness] = (),
        directory: Directory | None = None,
        authenticator: Authenticator | None = None,
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
            directory=directory,
            authenticator=authenticator,
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
        directory: Directory | None = None,
        authenticator: Authenticator | None = None,
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
            directory: Where staff are known, if the archive is not to keep them itself.
            authenticator: Tells who the caller of a session is; without one, the staff id given is believed.
            clock: Gives the present as an aware instant; one that is a `kelarec.storage.clocks.Clocks` also asks
                others before keys are destroyed, as the one does that is used if none is given.
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
        source = Source(objects, keys, root_key, secrets, credentials, residency, spool, spool_limit)
        catalog = source.place_catalog(catalog)
        source = evolve(source, catalog=catalog)
        root = source.load_root(randomness)
        with new_catalog(catalog), source.new_places(randomness) as (store, key_place):
            return cls._create(
                register,
                objects=store,
                keys=key_place,
                root_key=root,
                make_database=lambda: open_database(catalog, must_exist=False),
                source=source,
                witnesses=witnesses,
                directory=directory,
                authenticator=authenticator,
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
        directory: Directory | None = None,
        authenticator: Authenticator | None = None,
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
        source = Source(objects, keys, root_key, secrets, credentials, residency, spool, spool_limit)
        catalog = source.place_catalog(catalog)
        source = evolve(source, catalog=catalog)
        database = open_database(catalog, must_exist=True)
        vault = source.open(database, clock, randomness, directory)
        try:
            require_own(database, archive_id=str(vault.archive_id))
            migrate(database)
            return cls._open(vault, source, witnesses, authenticator)
        except BaseException:
            database.close()
            raise

    @classmethod
    def rebuild_lost(
        cls,
        *,
        by: Actor,
        objects: Place,
        keys: KeyPlaces,
        root_key: str,
        secrets: Secrets | None = None,
        catalog: Place | None = None,
        spool: Place | None = None,
        spool_limit: int | None = None,
        credentials: Credentials = no_credentials,
        residency: Declarations = NOTHING_DECLARED,
        executor: Executor | None = None,
        progress: ShowProgress | None = None,
        witnesses: Sequence[Witness] = (),
        directory: Directory | None = None,
        authenticator: Authenticator | None = None,
        clock: Clock = system_clock,
        randomness: Randomness = os.urandom,
    ) -> "Archive":
        """Make a new catalog from the objects, in the place of one that was lost, and open the archive.

        A rebuild that was broken off goes on where it was. Writers with another catalog go on until this one takes
        over; then they are refused by name and open the archive anew. `archive.rebuilt` tells what was done. The place
        of the catalog must be empty: move away what is left of a damaged one. The work is done on threads of this
        process, or on an executor, which stays the caller's. Progress is called with how far it is, now and then. The
        other arguments are those of `create`.

        Raises:
            ArchiveExistsError: There is a whole catalog at the place already.
            DeniedError, IntegrityError: No role grants it, or the log does not prove itself; nothing was taken over.
            CatalogMismatchError: Another rebuild took over meanwhile.
            ArchiveNotFoundError, KeyPlaceMismatchError, RootKeyError, StorageError: As `open`.
        """
        source = Source(objects, keys, root_key, secrets, credentials, residency, spool, spool_limit)
        catalog = source.place_catalog(catalog)
        source = evolve(source, catalog=catalog)
        source.open_bare().database.close()  # what is wrong with objects or keys shows before a catalog is made
        vault = source.open(open_database(catalog, must_exist=None), clock, randomness, directory)
        work = partial(rebuild_catalog, by=by, executor=executor, progress=progress)
        return cls._open_rebuilt(vault, source, witnesses, authenticator, work)

    def rebuild(
        self,
        *,
        by: Actor,
        catalog: Place | None = None,
        executor: Executor | None = None,
        progress: ShowProgress | None = None,
    ) -> "Archive":
        """Make a new catalog from the objects beside this one, which is refused from then on, and open the archive.

        This archive is closed at the end; no log entry is lost, since its catalog can still be read. Takes that are
        live are sealed in as cut before; what cannot be is left for `capture.recover` of the new archive. The new
        catalog lies at an empty place, or in memory if the archive does. Executor and progress are as for
        `rebuild_lost`.

        Raises:
            InvalidValueError: No place is given for the catalog of an archive that does not live in memory.
            ArchiveExistsError, DeniedError, IntegrityError, CatalogMismatchError, StorageError: As `rebuild_lost`.
        """
        self._require_open()
        self.audit.require_in_charge()
        self.audit.require_may(by, Act.REBUILD)
        self.capture.close()
        if self._source is not None:
            if catalog is None:
                raise InvalidValueError("The new catalog has no place.", advice="Give an empty one as catalog.")
            catalog = self._source.place_catalog(catalog)
        database = open_memory_database() if catalog is None else open_database(catalog, must_exist=None)
        work = partial(rebuild_catalog, by=by, executor=executor, progress=progress, former=self._vault)
        vault = evolve(self._vault, database=database)
        source = None if self._source is None else evolve(self._source, catalog=catalog)
        archive = self._open_rebuilt(vault, source, self._witnesses, self._authenticator, work)
        self._is_closed = True
        self.audit.abandon()
        self._vault.database.close()
        return archive

    @classmethod
    def _open_rebuilt(
        cls,
        vault: Vault,
        source: Source | None,
        witnesses: Sequence[Witness],
        authenticator: Authenticator | None,
        work: Callable[..., Rebuilt],
    ) -> "Archive":
        try:
            kept = read_kept_registers(vault, read_description(vault.objects)[1])
            registers = Registers(vault, kept, is_provisional=True)
            rebuilt = work(vault, registers, reopen=None if source is None else source.open_bare)
            archive = cls._open(vault, source, witnesses, authenticator)
        except BaseException:
            vault.database.close()
            raise
        archive.rebuilt = rebuilt
        return archive

    @classmethod
    def _open(
        cls,
        vault: Vault,
        source: Source | None,
        witnesses: Sequence[Witness],
        authenticator: Authenticator | None,
    ) -> "Archive":
        registers = Registers(vault, read_registers(vault, read_description(vault.objects)[1]))
        archive = cls(vault, registers, witnesses, source, authenticator)
        archive.destroyed_again, archive.lost_keys = begin_use(vault, archive.audit, registers, by=_HERE)
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
        directory: Directory | None,
        authenticator: Authenticator | None,
        clock: Clock,
        randomness: Randomness,
        source: Source | None = None,
    ) -> "Archive":
        archive_id = uuid7(clock(), randomness(RANDOM_BYTES))
        keyring = Keyring.create(keys, archive_id, root_key, randomness)
        vault = Vault(archive_id, objects, keyring, make_database(), clock, randomness, directory)
        try:
            create_schema(vault.database, catalog_id=str(vault.new_id()), archive_id=str(archive_id))
            with or_without_schema(vault.database):
                written = write_register(vault, register)
                archive = cls(vault, Registers(vault, RegisterVersions([register])), witnesses, source, authenticator)
                try:
                    archive._begin(written)
                except BaseException:
                    archive.audit.abandon()  # or it would write into places that are being emptied
                    raise
        except BaseException:
            vault.database.close()
            raise
        return archive

    def _begin(self, written: WrittenRegister) -> None:
        """Make what a new archive has from the first moment; its description comes last."""
        make_keys_ahead(self._vault, self.registers)
        self.audit.begin()
        version = written.register.version.isoformat()
        created = self.audit.new_entry(EntryKind.ARCHIVE_CREATED, _HERE, register=version, record_sha256=written.sha256)
        with self.audit.transaction(created) as connection:
            insert_register(self._vault, connection, written, after=None)
        write_description(self._vault.objects, self._vault.archive_id, written.register)
