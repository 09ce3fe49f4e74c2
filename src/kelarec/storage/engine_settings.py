"""How each database is opened, and the settings that keep the catalog's promises.

SQLite keeps its journal by truncation: it leaves no old rows in a write-ahead log and is immune to the WAL-reset fault
of SQLite before 3.51.3. `secure_delete` overwrites what is deleted; `BEGIN IMMEDIATE` makes writers wait in line.
PostgreSQL must not acknowledge what is not durable.
"""

import sqlite3
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from kelarec.errors import CatalogError, CatalogReplacedError, CatalogUnreachableError, UnknownSchemeError
from kelarec.storage import catalog_tables as tables

_WAIT_SECONDS: Final = 60  # SQLite lets waiting writers try again by chance, not in turn

_PAGE_BYTES: Final = 8192  # five rows with their sealed records, where 4,096 would hold two and waste a third
_CACHE_KIB: Final = 16 * 1024  # for each connection: the inner pages of twelve million tokens, and a year's days

_UNSAFE: Final = "SELECT name FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit') AND setting = 'off'"


def open_sqlite(path: Path) -> Engine:
    """Open a file that is there: SQLite is never asked to make one, or a deleted catalog would come back empty."""
    uri = f"file:{quote(str(path.absolute()))}?mode=rw"
    opened = _find_identity(path)

    def require_same_file(_: object = None) -> None:
        if _find_identity(path) != opened:
            raise CatalogReplacedError(f"The catalog's file {path} was deleted or replaced since it was opened.")

    def connect() -> sqlite3.Connection:
        require_same_file()
        connection = sqlite3.connect(uri, uri=True, timeout=_WAIT_SECONDS, check_same_thread=False)
        try:
            require_same_file()  # else a connection to another file would wait in the pool for the right one to return
        except CatalogReplacedError:
            connection.close()
            raise
        return connection

    url = URL.create("sqlite", database=str(path))
    engine = create_engine(url, hide_parameters=True, poolclass=QueuePool, creator=connect)
    event.listen(engine, "begin", require_same_file)
    use_sqlite_settings(engine)
    return engine


def _find_identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def open_postgresql(place_url: str, *, must_exist: bool | None) -> Engine:
    """Open a database whose URL may name a ``schema`` of the catalog's own.

    Raises:
        UnknownSchemeError: There is no driver, or the URL is none.
        CatalogUnreachableError: The database does not answer.
        CatalogError: It acknowledges what is not durable; or there is no catalog, or one, against what must be.
    """
    try:
        url = make_url(place_url)
        schema = url.query.get("schema")
        engine = create_engine(url.difference_update_query(["schema"]), hide_parameters=True)
    except (ModuleNotFoundError, ArgumentError):
        raise UnknownSchemeError("PostgreSQL needs a driver and a URL.", advice="Install kelarec[postgres].") from None
    try:
        if isinstance(schema, str):
            _use_schema(engine, schema, is_made=not must_exist)
        _require_durable(engine)
        _require_there(engine, schema if isinstance(schema, str) else None, must_exist=must_exist)
    except SQLAlchemyError as error:
        engine.dispose()
        raise CatalogUnreachableError(
            "The database does not answer.", advice="Check its URL, and that it runs."
        ) from error
    except CatalogError:
        engine.dispose()
        raise
    return engine


def _require_there(engine: Engine, schema: str | None, *, must_exist: bool | None) -> None:
    if must_exist not in {inspect(engine).has_table(tables.catalog.name, schema), None}:
        there = "no catalog" if must_exist else "a catalog already"
        raise CatalogError(f"There is {there} in the database.", advice="Correct the catalog's place.")


def _require_durable(engine: Engine) -> None:
    with engine.connect() as connection:
        unsafe = connection.exec_driver_sql(_UNSAFE).scalars().all()
    if unsafe:
        raise CatalogError(
            f"The database acknowledges what is not durable: {', '.join(unsafe)} is off.",
            advice="Set it to on for the catalog's database or user.",
        )


def _use_schema(engine: Engine, schema: str, *, is_made: bool) -> None:
    """Let every connection work in a schema of its own, and make that if a catalog is made."""
    quoted = '"' + schema.replace('"', '""') + '"'
    if is_made:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {quoted}".replace("%", "%%"))
        engine.dispose()  # what is in the pool was connected before it was told of the schema

    @event.listens_for(engine, "connect", insert=True)
    def _enter(connection: Any, _: object) -> None:  # noqa: ANN401  the driver's own type
        connection.execute(f"SET search_path TO {quoted}")
        connection.commit()


def use_sqlite_settings(engine: Engine) -> None:
    """Let every connection keep the promises, and every transaction wait for its turn at its start."""

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _: object) -> None:  # noqa: ANN401  the driver's own type
        connection.isolation_level = None  # transactions are begun below, not by the driver's guess
        for setting in (
            "journal_mode=TRUNCATE",
            "synchronous=FULL",
            "secure_delete=ON",
            "temp_store=MEMORY",  # nothing of the catalog in the machine's temporary files
            "foreign_keys=ON",
            "trusted_schema=OFF",
            "cell_size_check=ON",
            f"page_size={_PAGE_BYTES}",  # of a new file; one that is there keeps its own
            f"cache_size=-{_CACHE_KIB}",
        ):
            connection.execute(f"PRAGMA {setting}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        execute_on_driver(connection, "BEGIN IMMEDIATE")


def execute_on_driver(connection: Connection, sql: str) -> sqlite3.Cursor:
    """Execute what every transaction on SQLite begins with, past SQLAlchemy, at a fifth of the time.

    Raises:
        sqlite3.Error: It refuses; not wrapped.
    """
    driver: sqlite3.Connection = connection.connection.dbapi_connection  # type: ignore[assignment]  # it is SQLite's
    return driver.execute(sql)
