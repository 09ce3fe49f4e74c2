"""Both databases keep the rules of a catalog."""

from pathlib import Path

import pytest

from kelarec import Place
from kelarec.storage.engine import Database, open_database, open_memory_database
from kelarec.testing.suites.catalog import CatalogSuite
from kelarec.testing.suites.catalog_holds import CatalogHoldsSuite


class TestInMemory(CatalogSuite, CatalogHoldsSuite):
    """SQLite in this process's memory."""

    @pytest.fixture
    def database(self) -> Database:
        """Return an empty database."""
        return open_memory_database()


class TestOnSqlite(CatalogSuite, CatalogHoldsSuite):
    """SQLite in a file."""

    @pytest.fixture
    def database(self, tmp_path: Path) -> Database:
        """Return an empty database."""
        return open_database(Place(f"sqlite://{tmp_path}/catalog.sqlite", "FI"), must_exist=False)


class TestOnPostgresql(CatalogSuite, CatalogHoldsSuite):
    """PostgreSQL, in a schema of its own."""

    @pytest.fixture
    def database(self, postgres_url: str) -> Database:
        """Return an empty database."""
        return open_database(Place(postgres_url, "FI"), must_exist=False)
