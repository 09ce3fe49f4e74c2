"""A sweeper without the root key: it destroys the keys of dates that are over, and can read nothing.

Destroying a date's keys is deleting objects of the key place. What needs a key it leaves: holds that are announced or
that nobody has reviewed keep their date until a process with the root key has seen to them, and that process writes the
log's entry of what was ended here, from the catalog, when it next opens the archive or sweeps.
"""

import os
from collections.abc import Collection
from concurrent.futures import Executor
from datetime import date
from functools import partial
from types import TracebackType
from typing import Self

from kelarec.archive.clocks import SystemClock
from kelarec.domain.people import System
from kelarec.retention.results import ShowProgress, Swept
from kelarec.retention.sweeping import Sweep
from kelarec.storage.clocks import Clock
from kelarec.storage.description import read_description
from kelarec.storage.engine import open_database, require_own
from kelarec.storage.key_place import KeyPlaces, open_key_place, require_copies_of
from kelarec.storage.keyring import RootlessKeyring
from kelarec.storage.migrations import migrate
from kelarec.storage.opening import Credentials, no_credentials, open_objects
from kelarec.storage.places import Place
from kelarec.storage.residency import NOTHING_DECLARED, Declarations
from kelarec.storage.source import Source
from kelarec.storage.vault import Vault


class Sweeper:
    """Sweeps one archive without its root key. Make one with `Sweeper.open`."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    @classmethod
    def open(
        cls,
        *,
        objects: Place,
        keys: KeyPlaces,
        catalog: Place | None = None,
        credentials: Credentials = no_credentials,
        residency: Declarations = NOTHING_DECLARED,
        clock: Clock | None = None,
    ) -> "Sweeper":
        """Open an archive's places and catalog; the arguments are those of `kelarec.Archive.open`.

        Raises:
            ArchiveNotFoundError, KeyPlaceMismatchError, CatalogError, StorageError, NotResidentError: As there.
        """
        source = Source(objects, keys, "", None, credentials, residency)
        database = open_database(source.place_catalog(catalog), must_exist=True)
        try:
            store = open_objects(objects, declared=residency, credentials=credentials)
            archive_id, _ = read_description(store)
            key_place = open_key_place(
                keys, partial(open_objects, what="keys", declared=residency, credentials=credentials)
            )
            require_copies_of(key_place, archive_id)
            keyring = RootlessKeyring(key_place, archive_id, b"", os.urandom)
            vault = Vault(archive_id, store, keyring, database, clock or SystemClock(), os.urandom)
            require_own(database, archive_id=str(archive_id))
            migrate(database)
        except BaseException:
            database.close()
            raise
        return cls(vault)

    def sweep(
        self,
        *,
        by: System,
        catch_up: Collection[date] = (),
        executor: Executor | None = None,
        progress: ShowProgress | None = None,
    ) -> Swept:
        """Destroy the keys of dates that are over, then remove what they sealed; see `Retention.sweep`.

        Dates that a hold keeps from ending are named as ``waiting``.

        Raises:
            ClockError, ClocksDisagreeError, StorageError: As there.
        """
        return Sweep(self._vault, None, None).run(by=by, catch_up=catch_up, executor=executor, progress=progress)

    def close(self) -> None:
        """Let go of the catalog."""
        self._vault.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
