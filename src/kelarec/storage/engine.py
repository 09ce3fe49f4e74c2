"""The catalog's database: how it is opened, and the settings that keep its promises.

SQLite keeps its journal by truncation: it leaves no old rows in a write-ahead log and is immune to the WAL-reset fault
of SQLite before 3.51.3. `secure_delete` overwrites what is deleted; `BEGIN IMMEDIATE` makes writers wait in line.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from sqlalchemy import (
    URL,
    Connection,
    Dialect,
    Engine,
    Insert,
    Table,
    create_engine,
    delete,
    event,
    func,
    insert,
    inspect,
    select,
)
from sqlalchemy.exc import DatabaseError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from kelarec.errors import (
    ArchiveExistsError,
    CatalogError,
    CatalogReplacedError,
    ClosedError,
    ForkedError,
    UnfinishedCatalogError,
    UnknownSchemeError,
)
from kelarec.storage import catalog_tables as tables
from kelarec.storage.places import Place

POSTGRESQL: Final = "postgresql+psycopg"
_UNFINISHED: Final = "unfinished"
_WAIT_SECONDS: Final = 60  # SQLite lets waiting writers try again by chance, not in turn


class Database:
    """Transactions on one catalog."""

    def __init__(self, engine: Engine, *, shares_one_connection: bool, path: Path | None = None) -> None:
        self._engine = engine
        self._path = path
        self._file = None if path is None else _identify(path)
        self._process_id = os.getpid()
        self._is_closed = False
        self._turn = threading.RLock() if shares_one_connection else nullcontext()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Run one transaction: committed at the end of the block, rolled back on an exception.

        Raises:
            CatalogError: The database refuses; nothing of the transaction remains.
            ClosedError, ForkedError: See `require_usable`.
        """
        self.require_usable()
        try:
            with self._turn, self._engine.begin() as connection:
                yield connection
        except DatabaseError as error:
            raise CatalogError(
                f"The catalog refuses: {error.orig}.", advice="Nothing of this step was done; mend it and repeat."
            ) from error
        except UnicodeDecodeError as error:  # SQLite's own tables were damaged, so not even its complaint can be read
            raise CatalogError(
                "The catalog is damaged.", advice="Restore it, or rebuild it from the objects."
            ) from error

    def take_turn(self, connection: Connection, name: str) -> None:
        """Wait until no other transaction of this catalog holds a named turn; it ends with the transaction.

        SQLite runs one writing transaction at a time, so there the turn is had already.
        """
        if connection.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(name))))

    def require_usable(self) -> None:
        """Check that the catalog is open, and open in this very process.

        Raises:
            ClosedError: It was closed.
            ForkedError: This process is a fork of the one that opened it.
            CatalogReplacedError: Its file is no longer the one at its path.
        """
        if self._is_closed:
            raise ClosedError("The archive was closed.", advice="Open it again.")
        if os.getpid() != self._process_id:
            raise ForkedError("The archive was opened before this process was forked from its parent.")
        if self._path is not None and _identify(self._path) != self._file:
            raise CatalogReplacedError(f"The catalog {self._path} was deleted or replaced while it was in use.")

    def close(self) -> None:
        """Let go of all connections; nothing can be done with the catalog any more."""
        self._is_closed = True
        self._engine.dispose()


def open_memory_database() -> Database:
    """Make an empty catalog in this process's memory."""
    engine = create_engine(
        "sqlite://", hide_parameters=True, poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    _use_sqlite_settings(engine)
    return Database(engine, shares_one_connection=True)


def open_database(place: Place, *, must_exist: bool | None) -> Database:
    """Open the catalog at a place; if nothing is said of whether it must exist, either will do.

    Raises:
        UnknownSchemeError: No database is known for the scheme.
        CatalogError: There is no catalog although there must be, or one although there must not.
    """
    if place.scheme == POSTGRESQL:
        return _open_postgresql(place, must_exist=must_exist)
    place.require_scheme("sqlite", "file", POSTGRESQL)
    path = find_sqlite_file(place)
    exists = path.exists()
    if must_exist not in {exists, None}:
        there = "no catalog" if must_exist else "a file already"
        raise CatalogError(f"There is {there} at {path}.", advice="Correct the catalog's place.")
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        hide_parameters=True,
        connect_args={"timeout": _WAIT_SECONDS, "check_same_thread": False},
    )
    _use_sqlite_settings(engine)
    if not exists:
        _make_private_file(path)
    return Database(engine, shares_one_connection=False, path=path)


def _identify(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


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


def _open_postgresql(place: Place, *, must_exist: bool | None) -> Database:
    try:
        engine = create_engine(place.url, hide_parameters=True, pool_pre_ping=True)
        with engine.connect() as connection:
            if connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "off":
                raise CatalogError(
                    "The database acknowledges what is not durable: synchronous_commit is off.",
                    advice="Set synchronous_commit to on for the catalog's database or user.",
                )
            exists = inspect(connection).has_table(tables.catalog.name)
    except ModuleNotFoundError:
        raise UnknownSchemeError("PostgreSQL needs a driver.", advice="Install kelarec[postgres].") from None
    except SQLAlchemyError as error:
        raise CatalogError("The database does not answer.", advice="Check its URL, and that it runs.") from error
    if must_exist not in {exists, None}:
        engine.dispose()
        there = "no catalog" if must_exist else "a catalog already"
        raise CatalogError(f"There is {there} in the database.", advice="Correct the catalog's place.")
    return Database(engine, shares_one_connection=False)


def _use_sqlite_settings(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _: object) -> None:  # noqa: ANN401  the driver's own type
        connection.isolation_level = None  # transactions are begun below, not by the driver's guess
        for setting in (
            "journal_mode=TRUNCATE",
            "synchronous=FULL",
            "secure_delete=ON",
            "foreign_keys=ON",
            "trusted_schema=OFF",
            "cell_size_check=ON",
        ):
            connection.execute(f"PRAGMA {setting}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def insert_now(connection: Connection, statement: Insert, values: dict[str, object]) -> None:
    """Insert one row by a statement that is compiled once for each database: it takes a third less time.

    The values are those of the driver: no type of SQLAlchemy's converts them.
    """
    text, order = _compile(statement, type(connection.dialect), tuple(values))  # type: ignore[arg-type]  # a class hashes
    connection.exec_driver_sql(text, values if order is None else tuple(values[name] for name in order))


@lru_cache(maxsize=64)
def _compile(statement: Insert, dialect: type[Dialect], names: tuple[str, ...]) -> tuple[str, tuple[str, ...] | None]:
    compiled = statement.compile(dialect=dialect(), column_keys=list(names))
    order = getattr(compiled, "positiontup", None)
    return str(compiled), None if order is None else tuple(order)


def create_schema(database: Database, *, catalog_id: str, archive_id: str, is_finished: bool = True) -> None:
    """Make the tables of a new catalog, all or none; one that is not finished is opened by its rebuild only."""
    facts = {"schema": str(tables.SCHEMA_VERSION), "catalog": catalog_id, "archive": archive_id}
    if not is_finished:
        facts[_UNFINISHED] = "rebuild"
    with database.begin() as connection:
        tables.metadata.create_all(connection)
        rows = [{"name": name, "value": value} for name, value in facts.items()]
        connection.execute(insert(tables.catalog), rows)


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
    """Check that a catalog belongs to an archive, and that its rebuild is over, or not over.

    Raises:
        UnfinishedCatalogError: It is being rebuilt, or its rebuild was broken off.
        ArchiveExistsError: It was to be unfinished, and is not.
        CatalogError: It is another archive's, or no catalog at all.
    """
    with database.begin() as connection:
        try:
            rows = connection.execute(select(tables.catalog.c.name, tables.catalog.c.value)).all()
        except SQLAlchemyError as error:
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
