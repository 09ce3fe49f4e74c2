"""Where an archive's objects and keys are: enough to open them again elsewhere, with no key in it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

from attrs import field, frozen

from kelarec.domain.staff import Directory
from kelarec.errors import ArchiveExistsError, CatalogError, ClockError
from kelarec.storage.apart import require_places_apart
from kelarec.storage.clocks import Clock
from kelarec.storage.description import read_description
from kelarec.storage.engine import POSTGRESQL, Database, find_sqlite_file, open_memory_database
from kelarec.storage.key_place import (
    KeyPlaces,
    join_copies,
    open_key_place,
    require_copies_of,
    require_keys_apart,
    to_places,
)
from kelarec.storage.keyring import Keyring
from kelarec.storage.objects import ObjectPlace
from kelarec.storage.opening import SCHEMES, Credentials, new_places, no_credentials, open_objects
from kelarec.storage.places import Place
from kelarec.storage.residency import NOTHING_DECLARED, Declarations, require_resident
from kelarec.storage.roots import RootKey, Secrets, load_root_key
from kelarec.storage.spool_place import OWNER_FILE, FolderSpoolPlace, SpoolPlace
from kelarec.storage.vault import Vault
from kelarec.storage.wrapping import Randomness


@frozen
class Source:
    """The places of one archive and the name of its root key; it may be pickled if its callbacks may.

    Attributes:
        objects: Where the objects are.
        keys: Where the keys are, in one copy or two.
        root_key: Such as ``keyfile:/path``.
        secrets: Gives a passphrase or PIN when the root key asks for it.
        credentials: Gives what opens a remote place.
        declared: What the operator says of where servers lie.
        spool: A folder of this machine for takes while they go on; none can begin without one.
        spool_limit: Bytes that it may take, at about.
        catalog: Where the catalog is, once `place_catalog` was asked.
    """

    objects: Place
    keys: KeyPlaces
    root_key: str = field(repr=False)
    secrets: Secrets | None = field(default=None, repr=False)
    credentials: Credentials = field(default=no_credentials, repr=False)
    declared: Declarations = field(default=NOTHING_DECLARED, repr=False)
    spool: Place | None = None
    spool_limit: int | None = None
    catalog: Place | None = None

    def iter_places(self) -> Iterator[tuple[str, Place]]:
        """Go through all places, each with what lies there."""
        yield "objects", self.objects
        for place in to_places(self.keys):
            yield "keys", place
        for what, each in (("catalog", self.catalog), ("spool", self.spool)):
            if each is not None:
                yield what, each

    def require_resident(self, what: str, place: Place) -> None:
        """Ask anew whether a place lies where it is declared to; its provider may have been told otherwise since.

        Raises:
            NotResidentError, ResidencyUnknownError: It is elsewhere, or nobody tells where it is.
            StorageError: It does not answer.
        """
        if what in {"objects", "keys"}:
            self._open(place, os.urandom)
        else:
            require_resident(place, what=what)

    def place_catalog(self, catalog: Place | None) -> Place:
        """Return where the catalog lies, beside a folder of objects if nobody says, once all places are apart.

        Raises:
            PlaceOverlapError: Keys and objects, the catalog and the keys, or the spool and either, lie in one another.
            CatalogError: Nobody says, and the objects lie in no folder.
            UnknownSchemeError: No database is known for the scheme, or the spool is no folder.
            NotResidentError, ResidencyUnknownError: The database or the spool is elsewhere.
        """
        for place in (self.objects, *to_places(self.keys)):
            place.require_scheme(*SCHEMES)
        require_keys_apart(self.keys, self.objects)
        self._require_spool()
        catalog = _place_beside(self.objects) if catalog is None else catalog
        require_resident(catalog, what="catalog")
        file = find_catalog_file(catalog)
        if file is not None:
            for place in to_places(self.keys):
                require_places_apart(place, Place(file, catalog.country))
        return catalog

    def _require_spool(self) -> None:
        if self.spool is None:
            return
        self.spool.require_scheme("file")
        require_resident(self.spool, what="spool")
        for place in (self.objects, *to_places(self.keys)):
            require_places_apart(self.spool, place)

    def open_spool(self, archive_id: UUID, randomness: Randomness) -> SpoolPlace | None:
        """Return the spool of the archive, or None if it has no place for one.

        Raises:
            SpoolMismatchError: The folder is the spool of another archive.
            SpoolError: The medium refuses.
        """
        return None if self.spool is None else FolderSpoolPlace(self.spool.folder, archive_id, randomness)

    def load_root(self, randomness: Randomness) -> RootKey:
        """Return the root key.

        Raises:
            RootKeyError, MissingExtraError, UnknownSchemeError: It cannot be had.
        """
        return load_root_key(self.root_key, randomness, self.secrets)

    @contextmanager
    def new_places(self, randomness: Randomness) -> Iterator[tuple[ObjectPlace, ObjectPlace]]:
        """Open the places of objects and keys, both empty; if what is done with them fails, they are so again.

        Raises:
            ArchiveExistsError: A place is not empty.
            StorageError, NotResidentError: As `open_objects`.
        """
        places = [self.objects, *to_places(self.keys)]
        opened = new_places(places, lambda place: self._open(place, randomness))
        with opened as (store, *copies), self._new_spool():
            yield store, join_copies(copies)

    @contextmanager
    def _new_spool(self) -> Iterator[None]:
        """Let a spool be made; if the block fails it is nobody's again."""
        owner = None if self.spool is None else self.spool.folder / OWNER_FILE
        is_new = owner is not None and not owner.exists()
        try:
            yield
        except BaseException:
            if owner is not None and is_new:
                owner.unlink(missing_ok=True)
            raise

    def open(
        self, database: Database, clock: Clock, randomness: Randomness, directory: Directory | None = None
    ) -> Vault:
        """Open objects and keys beside a catalog, which is closed if that fails.

        Raises:
            ArchiveNotFoundError, FormatTooNewError, KeyPlaceMismatchError, RootKeyError, IntegrityError, StorageError,
            NotResidentError: As `Archive.open`.
        """
        try:
            root = self.load_root(randomness)
            objects = self._open(self.objects, randomness)
            archive_id, _ = read_description(objects)
            key_place = open_key_place(self.keys, lambda place: self._open(place, randomness))
            require_copies_of(key_place, archive_id)
            keyring = Keyring.open(key_place, archive_id, root, randomness)
        except BaseException:
            database.close()
            raise
        return Vault(archive_id, objects, keyring, database, clock, randomness, directory)

    def open_bare(self) -> Vault:
        """Open objects and keys beside an empty catalog, for work that has no need of catalog and clock."""
        return self.open(open_memory_database(), _no_clock, os.urandom)

    def _open(self, place: Place, randomness: Randomness) -> ObjectPlace:
        what = "objects" if place == self.objects else "keys"
        return open_objects(
            place, what=what, declared=self.declared, credentials=self.credentials, randomness=randomness
        )


def find_catalog_file(catalog: Place) -> Path | None:
    """Return the file of a catalog, or None if it lies in a database server.

    Raises:
        UnknownSchemeError: No database is known for the scheme.
    """
    if catalog.scheme == POSTGRESQL:
        return None
    catalog.require_scheme("sqlite", "file", POSTGRESQL)
    return find_sqlite_file(catalog)


@contextmanager
def new_catalog(catalog: Place) -> Iterator[None]:
    """Let a catalog be made in a place that is empty; if the block fails, a file of it is gone again.

    Raises:
        ArchiveExistsError: There is a file at the place.
    """
    file = find_catalog_file(catalog)
    if file is not None and file.exists():
        raise ArchiveExistsError(f"There is a catalog already at {file}.")
    try:
        yield
    except BaseException:
        if file is not None:
            for each in (file, file.with_name(f"{file.name}-journal")):
                each.unlink(missing_ok=True)
        raise


def _place_beside(objects: Place) -> Place:
    if objects.scheme != "file":
        raise CatalogError(
            "There is no folder beside the objects in which the catalog could lie.",
            advice="Give catalog=: sqlite:///path on this machine, or postgresql+psycopg://…",
        )
    return Place(f"sqlite://{quote(str(objects.folder))}.catalog.sqlite", objects.country)


def _no_clock() -> datetime:
    raise ClockError("Bulk work goes by the time that it is given.", advice="Pass the time with the work.")
