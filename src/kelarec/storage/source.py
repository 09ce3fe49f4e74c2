"""Where an archive's objects and keys are: enough to open them again elsewhere, with no key in it."""

import os
from datetime import datetime

from attrs import field, frozen

from kelarec.errors import ClockError
from kelarec.storage.description import read_description
from kelarec.storage.engine import Database, open_memory_database
from kelarec.storage.keyring import Keyring
from kelarec.storage.objects import FolderObjects
from kelarec.storage.places import Place
from kelarec.storage.roots import load_root_key
from kelarec.storage.vault import Clock, Vault
from kelarec.storage.wrapping import Randomness


@frozen
class Source:
    """The places of one archive and the name of its root key; it may be pickled, since it holds no key.

    Attributes:
        objects: Where the objects are.
        keys: Where the keys are.
        root_key: Such as ``keyfile:/path``.
    """

    objects: Place
    keys: Place
    root_key: str = field(repr=False)

    def open(self, database: Database, clock: Clock, randomness: Randomness) -> Vault:
        """Open objects and keys beside a catalog, which is closed if that fails.

        Raises:
            ArchiveNotFoundError, FormatTooNewError, KeyPlaceMismatchError, WrongRootKeyError, RootKeyUnreadableError,
            IntegrityError: As `Archive.open`.
        """
        try:
            root = load_root_key(self.root_key, randomness)
            objects = FolderObjects(self.objects.folder)
            archive_id, _ = read_description(objects)
            keyring = Keyring.open(FolderObjects(self.keys.folder), archive_id, root, randomness)
        except BaseException:
            database.close()
            raise
        return Vault(archive_id, objects, keyring, database, clock, randomness)

    def open_bare(self) -> Vault:
        """Open objects and keys beside an empty catalog, for work that has no need of catalog and clock."""
        return self.open(open_memory_database(), _no_clock, os.urandom)


def _no_clock() -> datetime:
    raise ClockError("Bulk work goes by the time that it is given.", advice="Pass the time with the work.")
