"""Migrations: each step is done or not done, whoever is killed or runs beside it (fault 23)."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import inspect, select, text

from kelarec import Archive, Place, Register, create_key_file
from kelarec.errors import CatalogError, FormatTooNewError, InvalidValueError
from kelarec.storage import catalog_tables as tables
from kelarec.storage.engine import Database, open_database
from kelarec.storage.migrations import STEPS, Step, migrate
from migrating import BASE, EXPAND, EXPANDED, LEARN, LEARNED, OLD, read_shape

MIGRATING = Path(__file__).parents[1] / "migrating.py"


@pytest.fixture
def database(tmp_path: Path, catalog_url: str, kelarec_register: Register) -> Iterator[Database]:
    """The catalog of an archive that has been closed, of the newest schema."""
    create_key_file(tmp_path / "root.key")
    Archive.create(
        objects=Place(tmp_path / "archive", "FI"),
        keys=Place(tmp_path / "keys", "FI"),
        root_key=f"keyfile:{tmp_path / 'root.key'}",
        catalog=Place(catalog_url, "FI"),
        register=kelarec_register,
    ).close()
    opened = open_database(Place(catalog_url, "FI"), must_exist=True)
    yield opened
    opened.close()


def reopen(folder: Path, catalog_url: str) -> Archive:
    """Open the archive with this version of the library."""
    return Archive.open(
        objects=Place(folder / "archive", "FI"),
        keys=Place(folder / "keys", "FI"),
        root_key=f"keyfile:{folder / 'root.key'}",
        catalog=Place(catalog_url, "FI"),
    )


def test_every_step_is_taken_once(database: Database) -> None:
    """A catalog is brought from its schema to the newest, a step a schema; what is there already is left."""
    assert migrate(database, steps=[EXPAND, LEARN], known=BASE + 2) == 2
    assert read_shape(database) == LEARNED
    assert migrate(database, steps=[EXPAND, LEARN], known=BASE + 2) == 0


def test_today_there_is_nothing_to_migrate(database: Database) -> None:
    """A new catalog has the newest schema, and a step leads to each since the first."""
    assert migrate(database) == 0
    assert [step.schema for step in STEPS] == list(range(2, tables.SCHEMA_VERSION + 1))


def test_the_size_of_recordings_comes_with_schema_2(database: Database, tmp_path: Path, catalog_url: str) -> None:
    """A catalog of schema 1 gets the column of sizes, both indexes and the register's versions; the archive opens."""
    with database.begin() as connection:
        for statement in (
            "DROP TABLE registers",
            "DROP TABLE closed_dates",
            "DROP INDEX recordings_by_end",
            "DROP INDEX entries_of_erasures",
            "ALTER TABLE recordings DROP COLUMN bytes",
            "CREATE INDEX recordings_by_end ON recordings (kept_through, held_through)",
            "UPDATE catalog SET value = '1' WHERE name = 'schema'",
        ):
            connection.exec_driver_sql(statement)
    assert migrate(database) == 1
    with database.begin() as connection:
        found = inspect(connection)
        assert {"registers", "closed_dates"} <= set(found.get_table_names())
        assert "bytes" in {column["name"] for column in found.get_columns("recordings")}
        by_end = next(each for each in found.get_indexes("recordings") if each["name"] == "recordings_by_end")
        assert by_end["column_names"] == ["kept_through", "held_through", "bytes"]
        assert "entries_of_erasures" in {each["name"] for each in found.get_indexes("entries")}
    reopen(tmp_path, catalog_url).close()


@pytest.mark.parametrize("point", ["statement", "commit"])
def test_killed_anywhere_it_is_old_or_new(database: Database, catalog_url: str, point: str) -> None:
    """A migration killed before any statement, or before any commit, leaves one schema or the next, never between."""
    database.close()
    told = subprocess.run(
        [sys.executable, str(MIGRATING), catalog_url, point], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert set(told) == {repr(shape) for shape in (OLD, EXPANDED, LEARNED)}
    assert told[-1] == repr(LEARNED)
    assert len(told) > 3
    print(f"\nmigration killed before each {point}: {len(told) - 1} points, {len(set(told))} schemas seen, 0 between")


def test_a_torn_step_would_be_seen(database: Database) -> None:
    """The shapes tell it when a step is not one transaction: the harness proves itself."""
    with database.begin() as connection:
        assert isinstance(EXPAND.changes[0], str)
        connection.exec_driver_sql(EXPAND.changes[0])
    assert read_shape(database) == (str(BASE), None, "mood")


def test_two_that_migrate_at_once_take_turns(database: Database, catalog_url: str) -> None:
    """Of two processes that migrate at once each step is taken by one, and both find the newest schema."""
    taken: list[int] = []
    other = open_database(Place(catalog_url, "FI"), must_exist=True)
    both = [
        threading.Thread(target=lambda each=each: taken.append(migrate(each, steps=[EXPAND, LEARN], known=BASE + 2)))
        for each in (database, other)
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    other.close()
    assert sum(taken) == 2
    assert read_shape(database) == LEARNED


def test_two_versions_work_side_by_side_for_one_step(database: Database, tmp_path: Path, catalog_url: str) -> None:
    """After a step that only adds, the version before goes on writing; after the one that follows it is refused."""
    with reopen(tmp_path, catalog_url) as archive:
        before = archive.audit.count_waiting()
        assert migrate(database, steps=[EXPAND, LEARN], known=BASE + 1) == 1
        archive.close()
    with reopen(tmp_path, catalog_url) as archive:  # this library knows one schema and opens the next
        assert archive.audit.count_waiting() >= before > 0
    assert migrate(database, steps=[EXPAND, LEARN], known=BASE + 2) == 1
    with pytest.raises(FormatTooNewError, match=f"version {BASE + 2}") as refused:
        reopen(tmp_path, catalog_url)
    assert "Upgrade kelarec" in refused.value.advice
    assert read_shape(database) == LEARNED


def test_a_gap_between_schemas_is_named(database: Database) -> None:
    """If no step leads on, nothing is done and the rebuild is named as the way out."""
    with pytest.raises(CatalogError, match=f"No step leads on from schema {BASE}") as refused:
        migrate(database, steps=[LEARN], known=BASE + 2)
    assert "Rebuild" in refused.value.advice
    assert read_shape(database) == OLD


@pytest.mark.parametrize("value", ["", "one", "-1"])
def test_a_schema_that_is_no_number_is_named(database: Database, value: str) -> None:
    """A catalog that does not say its schema is refused by name."""
    with database.begin() as connection:
        connection.execute(text("UPDATE catalog SET value = :value WHERE name = 'schema'"), {"value": value})
    with pytest.raises(CatalogError, match="does not say"):
        migrate(database, steps=[EXPAND], known=BASE + 1)


def test_a_failing_step_changes_nothing(database: Database) -> None:
    """A step of which one statement fails leaves the schema before."""
    broken = Step(BASE + 1, BASE, (*EXPAND.changes, "SELECT nothing FROM nowhere"))
    with pytest.raises(CatalogError):
        migrate(database, steps=[broken], known=BASE + 1)
    assert read_shape(database) == OLD
    with database.begin() as connection:
        assert connection.execute(select(tables.catalog.c.value)).scalars().all()
        assert inspect(connection).has_table("recordings")


@pytest.mark.parametrize(("schema", "oldest_writer"), [(1, 1), (2, 0)])
def test_a_step_leads_on(schema: int, oldest_writer: int) -> None:
    """No step leads to schema 1 or lets a schema write that never was."""
    with pytest.raises((ValueError, InvalidValueError)):
        Step(schema, oldest_writer, ())
