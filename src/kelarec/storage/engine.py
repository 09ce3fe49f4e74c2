"""The catalog's database: transactions on it. Each first asks whether the catalog is still the one that was opened."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from sqlalchemy import Connection, Engine, create_engine, func, insert, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from kelarec.errors import (
    CatalogDamagedError,
    CatalogError,
    CatalogReplacedError,
    ClosedError,
    ForkedError,
    FormatTooNewError,
)
from kelarec.storage import catalog_tables as tables
from kelarec.storage.engine_settings import execute_on_driver, open_postgresql, open_sqlite, use_sqlite_settings
from kelarec.storage.places import Place
from kelarec.storage.refusals import name_refusal

POSTGRESQL: Final = "postgresql+psycopg"
_WHICH_CATALOG: Final = f"SELECT value FROM {tables.catalog.name} WHERE name = 'catalog'"  # noqa: S608  a constant


class Database:
    """Transactions on one catalog."""

    def __init__(self, engine: Engine, *, shares_one_connection: bool) -> None:
        self._engine = engine
        self._process_id = os.getpid()
        self._is_closed = False
        self._catalog_id: str | None = None
        self._turn = threading.RLock() if shares_one_connection else nullcontext()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Run one transaction: committed at the end of the block, rolled back on an exception.

        Raises:
            CatalogBusyError, CatalogReadOnlyError, CatalogFullError, CatalogDamagedError, CatalogUnreachableError: The
                database refuses; nothing of the transaction remains, unless the error says that it cannot be told.
            CatalogReplacedError: Another catalog lies in its place.
            CatalogError: The database refuses for another reason.
            ClosedError, ForkedError: See `require_usable`.
        """
        self.require_usable()
        at_commit = False
        try:
            with self._turn, self._connect() as connection:
                yield connection
                at_commit = True
                connection.commit()
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise name_refusal(error, at_commit=at_commit) from error
        except UnicodeDecodeError as error:  # SQLite's own tables were damaged, so not even its complaint can be read
            raise CatalogDamagedError("The catalog is damaged.") from error

    def _connect(self) -> Connection:
        """Return a connection in a new transaction; one that died while it was idle is replaced."""
        try:
            return self._begin_on(self._engine.connect())
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            return self._begin_on(self._engine.connect())

    def _begin_on(self, connection: Connection) -> Connection:
        try:
            connection.begin()
            self._require_same(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _require_same(self, connection: Connection) -> None:
        if self._catalog_id is None:
            connection.exec_driver_sql("SELECT 1")
            return
        if connection.dialect.name == "sqlite":
            row = execute_on_driver(connection, _WHICH_CATALOG).fetchone()
        else:
            row = connection.exec_driver_sql(_WHICH_CATALOG).fetchone()
        if row is None or row[0] != self._catalog_id:
            raise CatalogReplacedError("The catalog is another one than was opened.")

    def bind(self, catalog_id: str) -> None:
        """Work with one catalog only: from now on each transaction asks whether it is the one."""
        self._catalog_id = catalog_id

    def take_turn(self, connection: Connection, name: str) -> None:
        """Wait until no other transaction of this catalog holds a named turn; it ends with the transaction.

        SQLite runs one writing transaction at a time, so there the turn is had already.
        """
        if connection.dialect.name == "postgresql":
            of_schema = func.hashtext(func.concat(func.current_schema(), name))
            connection.execute(select(func.pg_advisory_xact_lock(of_schema)))

    def require_usable(self) -> None:
        """Check that the catalog is open, and open in this very process.

        Raises:
            ClosedError: It was closed.
            ForkedError: This process is a fork of the one that opened it.
        """
        if self._is_closed:
            raise ClosedError("The archive was closed.", advice="Open it again.")
        if os.getpid() != self._process_id:
            raise ForkedError("The archive was opened before this process was forked from its parent.")

    def close(self) -> None:
        """Let go of all connections; nothing can be done with the catalog any more."""
        self._is_closed = True
        self._engine.dispose()


def open_memory_database() -> Database:
    """Make an empty catalog in this process's memory."""
    engine = create_engine(
        "sqlite://", hide_parameters=True, poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    use_sqlite_settings(engine)
    return Database(engine, shares_one_connection=True)


def open_database(place: Place, *, must_exist: bool) -> Database:
    """Open the catalog at a place.

    Raises:
        UnknownSchemeError: No database is known for the scheme.
        CatalogError: There is no catalog although there must be, or one although there must not.
    """
    if place.scheme == POSTGRESQL:
        return Database(open_postgresql(place.url, must_exist=must_exist), shares_one_connection=False)
    place.require_scheme("sqlite", "file", POSTGRESQL)
    path = find_sqlite_file(place)
    if must_exist != path.exists():
        there = "no catalog" if must_exist else "a file already"
        raise CatalogError(f"There is {there} at {path}.", advice="Correct the catalog's place.")
    if not must_exist:
        _make_private_file(path)
    return Database(open_sqlite(path), shares_one_connection=False)


def find_sqlite_file(place: Place) -> Path:
    """Return the file of a catalog on SQLite."""
    return Path(unquote(place.url.partition("://")[2]))


def _make_private_file(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise CatalogError(
            f"The catalog {path} cannot be made: {error.strerror}.", advice="Make its folder first, writable."
        ) from error


def create_schema(database: Database, *, catalog_id: str, archive_id: str) -> None:
    """Make the tables of a new catalog, all or none."""
    with database.begin() as connection:
        tables.metadata.create_all(connection)
        connection.execute(
            insert(tables.catalog),
            [
                {"name": "schema", "value": str(tables.SCHEMA_VERSION)},
                {"name": "catalog", "value": catalog_id},
                {"name": "archive", "value": archive_id},
            ],
        )
    database.bind(catalog_id)


def read_catalog_fact(connection: Connection, name: str) -> str:
    """Return what a catalog says of itself: its ``schema`` version, its own id, or its ``archive``'s.

    Raises:
        CatalogError: It does not say.
    """
    wanted = select(tables.catalog.c.value).where(tables.catalog.c.name == name)
    value: str | None = connection.execute(wanted).scalar_one_or_none()
    if value is None:
        raise CatalogError(f"The catalog does not say its {name}.", advice="Rebuild it from the objects.")
    return value


def require_schema(database: Database, *, archive_id: str) -> None:
    """Check that a catalog belongs to an archive and that this version knows its schema.

    Raises:
        FormatTooNewError: A newer version made the schema.
        CatalogError: It is another archive's, or no catalog at all.
    """
    with database.begin() as connection:
        try:
            rows = connection.execute(select(tables.catalog.c.name, tables.catalog.c.value)).all()
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise CatalogError("The file is no catalog.", advice="Correct the catalog's place.") from error
    facts = {row.name: row.value for row in rows}
    version = facts.get("schema", "")
    if not version.isdigit():
        raise CatalogError("The catalog does not say its schema's version.")
    if int(version) > tables.SCHEMA_VERSION:
        raise FormatTooNewError(f"The catalog's schema is of version {version}.")
    if facts.get("archive") != archive_id:
        raise CatalogError("The catalog belongs to another archive.", advice="Correct the catalog's place.")
    database.bind(facts.get("catalog", ""))
