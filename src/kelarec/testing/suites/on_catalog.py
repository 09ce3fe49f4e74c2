"""What the suites on a catalog stand on."""

from collections.abc import Iterator
from typing import Final
from uuid import UUID

import pytest

from kelarec.storage.engine import Database, create_schema
from kelarec.storage.vault import Vault
from kelarec.testing.catalog_vault import make_vault
from kelarec.testing.clock import MovableClock

_ARCHIVE_ID: Final = UUID("019cbd02-c000-7000-8000-000000000001")


class OnCatalog:
    """Fixtures that suites on a catalog have in common; override `database`."""

    @pytest.fixture
    def database(self) -> Database:
        """Return a database without any table."""
        raise NotImplementedError

    @pytest.fixture
    def clock(self) -> MovableClock:
        """Return the clock that the vault goes by."""
        return MovableClock()

    @pytest.fixture
    def vault(self, database: Database, clock: MovableClock) -> Iterator[Vault]:
        """Return a vault on the catalog."""
        create_schema(database, catalog_id=str(_ARCHIVE_ID), archive_id=str(_ARCHIVE_ID))
        yield make_vault(database, _ARCHIVE_ID, clock)
        database.close()
