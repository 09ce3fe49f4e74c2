"""The catalog's database: transactions on it.

Each first asks whether the catalog is still the one that was opened, and which version of the register is the newest.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from sqlalchemy import Connection, Engine, Table, create_engine, delete, func, insert, inspect, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from kelarec.errors import (
    ArchiveExistsError,
    CatalogDamagedError,
    CatalogError,
    CatalogReplacedError,
    ClosedError,
    ForkedError,
    UnfinishedCatalogError,
)
from kelarec.storage import catalog_tables as tables
from kelarec.storage.engine_settings import execute_on_driver, open_postgresql, open_sqlite, use_sqlite_settings
from kelarec.storage.places import Place
from kelarec.storage.refusals import name_refusal

POSTGRESQL: Final = "postgresql+psycopg"
_UNFINISHED: Final = "unfinished"
_NEWEST_VERSION: Final = f"SELECT max(version) FROM {tables.registers.name}"  # noqa: S608  a constant
_WHICH_CATALOG: Final = f"SELECT value, ({_NEWEST_VERSION}) FROM {tables.catalog.name} WHERE name = 'catalog'"  # noqa: S608  a constant


class Database:
    """Transactions on one catalog."""

    def __init__(self, engine: Engine, *, shares_one_connection: bool) -> None:
        self._engine = engine
        self._process_id = os.getpid()
        self._is_closed = False
        self._catalog_id: str | None = None
        self._newest_version: str | None = None
        self._on_other_version: Callable[[Connection], None] = lambda _: None
        self._shares_one_connection = shares_one_connection
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
        if row[1] != self._newest_version:
            self._on_other_version(connection)
            self._newest_version = row[1]

    def watch_versions(self, newest: str, on_other: Callable[[Connection], None]) -> None:
        """Call, at the beginning of a transaction, what learns of versions of the register if another is the newest."""
        self._newest_version = newest
        self._on_other_version = on_other

    def bind(self, catalog_id: str) -> None:
        """Work with one catalog only: from now on each transaction asks whether it is the one."""
        self._catalog_id = catalog_id

    def find_damage(self) -> Iterator[str]:
        """Go through what SQLite finds damaged in its own file: pages, indexes, rows that an index does not lead to.

        The file is read anew, and a table at a time, so that writers wait for no more than one. PostgreSQL has tools of
        its own for that.
        """
        if self._engine.dialect.name != "sqlite":
            return
        if not self._shares_one_connection:
            self._engine.dispose()  # or SQLite would answer from its memory
        for table in tables.metadata.sorted_tables:
            with self.begin() as connection:
                found = connection.exec_driver_sql(f"PRAGMA integrity_check({table.name})").scalars().all()
            yield from (f"{table.name}: {each}" for each in found if each != "ok")

    def take_turn(self, connection: Connection, name: str) -> None:
        """Wait until no other transaction of this catalog holds a named turn; it ends with the transaction.

        SQLite runs one writing transaction at a time, so there the turn is had already.
        """
        if connection.dialect.name == "postgresql":
            of_schema = func.hashtext(func.concat(func.current_schema(), name))
            connection.execute(select(func.pg_advisory_xact_lock(of_schema)))

    def read_clock(self) -> datetime | None:
        """Return the time by the database server's own clock, UTC; None if there is no server.

        Raises:
            CatalogUnreachableError: It does not answer.
        """
        if self._engine.dialect.name != "postgresql":
            return None
        with self.begin() as connection:
            told: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        return told.astimezone(UTC)

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


def open_database(place: Place, *, must_exist: bool | None) -> Database:
    """Open the catalog at a place; if nothing is said of whether it must exist, either will do.

    Raises:
        UnknownSchemeError: No database is known for the scheme.
        CatalogError: There is no catalog although there must be, or one although there must not.
    """
    if place.scheme == POSTGRESQL:
        return Database(open_postgresql(place.url, must_exist=must_exist), shares_one_connection=False)
    place.require_scheme("sqlite", "file", POSTGRESQL)
    path = find_sqlite_file(place)
    exists = path.exists()
    if must_exist not in {exists, None}:
        there = "no catalog" if must_exist else "a file already"
        raise CatalogError(f"There is {there} at {path}.", advice="Correct the catalog's place.")
    if not exists:
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


def create_schema(database: Database, *, catalog_id: str, archive_id: str, is_finished: bool = True) -> None:
    """Make the tables of a new catalog, all or none; one that is not finished is opened by its rebuild only."""
    facts = {"schema": str(tables.SCHEMA_VERSION), "catalog": catalog_id, "archive": archive_id}
    if not is_finished:
        facts[_UNFINISHED] = "rebuild"
    with database.begin() as connection:
        tables.metadata.create_all(connection)
        rows = [{"name": name, "value": value} for name, value in facts.items()]
        connection.execute(insert(tables.catalog), rows)
    database.bind(catalog_id)


@contextmanager
def or_without_schema(database: Database) -> Iterator[None]:
    """Run a block, and remove the tables that were just made before it if it fails.

    Raises:
        BaseException: What the block raises, also if the tables cannot be removed.
    """
    try:
        yield
    except BaseException:
        with suppress(CatalogError), database.begin() as connection:
            tables.metadata.drop_all(connection)
        raise


def begin_catalog(database: Database, *, catalog_id: str, archive_id: str) -> None:
    """Make the tables of a catalog to be rebuilt, unless a rebuild that was broken off has made them."""
    with database.begin() as connection:
        exists = inspect(connection).has_table(tables.catalog.name)
    if not exists:
        create_schema(database, catalog_id=catalog_id, archive_id=archive_id, is_finished=False)


def finish_catalog(connection: Connection) -> bool:
    """Let a catalog be opened by everybody; return whether it was unfinished until now."""
    unfinished = delete(tables.catalog).where(tables.catalog.c.name == _UNFINISHED)
    return bool(connection.execute(unfinished).rowcount)


def wait_for_writers(connection: Connection, table: Table) -> None:
    """Wait for every transaction that has written to a table; on SQLite, which runs one at a time, there is none."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"LOCK TABLE {table.name} IN SHARE MODE")


def find_catalog_fact(connection: Connection, name: str) -> str | None:
    """Return what a catalog says of itself under a name, or None."""
    wanted = select(tables.catalog.c.value).where(tables.catalog.c.name == name)
    value: str | None = connection.execute(wanted).scalar_one_or_none()
    return value


def put_catalog_fact(connection: Connection, name: str, value: str) -> None:
    """Let a catalog say something of itself, in the place of what it said before."""
    connection.execute(delete(tables.catalog).where(tables.catalog.c.name == name))
    connection.execute(insert(tables.catalog).values(name=name, value=value))


def read_catalog_fact(connection: Connection, name: str) -> str:
    """Return what a catalog says of itself: its ``schema`` version, its own id, or its ``archive``'s.

    Raises:
        CatalogError: It does not say.
    """
    value = find_catalog_fact(connection, name)
    if value is None:
        raise CatalogError(f"The catalog does not say its {name}.", advice="Rebuild it from the objects.")
    return value


def require_own(database: Database, *, archive_id: str, is_finished: bool = True) -> None:
    """Check that a catalog belongs to an archive, and that its rebuild is over, or not over; bind to it.

    Raises:
        UnfinishedCatalogError: It is being rebuilt, or its rebuild was broken off.
        ArchiveExistsError: It was to be unfinished, and is not.
        CatalogError: It is another archive's, or no catalog at all.
    """
    with database.begin() as connection:
        try:
            rows = connection.execute(select(tables.catalog.c.name, tables.catalog.c.value)).all()
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise CatalogError("The file is no catalog.", advice="Correct the catalog's place.") from error
    facts = {row.name: row.value for row in rows}
    if facts.get("archive") != archive_id:
        raise CatalogError("The catalog belongs to another archive.", advice="Correct the catalog's place.")
    if is_finished and _UNFINISHED in facts:
        raise UnfinishedCatalogError("The catalog is being rebuilt.")
    if not is_finished and _UNFINISHED not in facts:
        raise ArchiveExistsError(
            "There is a catalog already.", advice="Open the archive, or move its catalog away before you rebuild it."
        )
    database.bind(facts.get("catalog", ""))
