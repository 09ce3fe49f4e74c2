"""A catalog that refuses, vanishes or is replaced: named errors, nothing half-done, no unlogged use (faults 21, 22)."""

import collections
import itertools
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg
import pytest

from kelarec import Archive, Place, System
from kelarec.errors import (
    CatalogBusyError,
    CatalogDamagedError,
    CatalogError,
    CatalogFullError,
    CatalogReadOnlyError,
    CatalogReplacedError,
    CatalogUnreachableError,
    ForkedError,
)
from kelarec.storage import catalog_tables as tables
from kelarec.storage import engine_settings
from kelarec.storage.engine import Database, create_schema, open_database
from kelarec.testing.builders import make_contact, make_identity_code, make_staff_member, make_wav
from kelarec.testing.clock import USUAL_START

if TYPE_CHECKING:
    from conftest import Disk

RECORDER: Final = System("recorder@test")
AINO: Final = make_identity_code()


def store(archive: Archive) -> None:
    """Store a call of a hundredth of a second."""
    archive.capture.store(make_contact(), ended_at=USUAL_START, content=make_wav(0.01), by=RECORDER)


def count_found(archive: Archive) -> int:
    """Return how many recordings a session of Veikko's finds."""
    with archive.session(by=make_staff_member().id, purpose="verify-service-event", matter="KELA-1") as session:
        return len(session.find(AINO))


@contextmanager
def tmpfs(folder: Path, size: str) -> Iterator[None]:
    """Let a folder be a small file system of its own; skips where that may not be done."""
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], check=False).returncode:  # noqa: S607
        pytest.skip("only root may mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)  # noqa: S607


@pytest.fixture
def on_file(disk: "Disk") -> "Disk":
    """The places of an archive whose catalog is a SQLite file, whatever else the tests run on."""
    return type(disk)(disk.folder, disk.clock)


def test_a_locked_catalog_is_named_and_nothing_is_used(on_file: "Disk", monkeypatch: pytest.MonkeyPatch) -> None:
    """While another holds the catalog nothing is found or stored; afterwards all is as before (fault 21)."""
    monkeypatch.setattr(engine_settings, "_WAIT_SECONDS", 0.05)
    with on_file.create() as archive:
        archive.staff.enrol(make_staff_member(), by=RECORDER)
        store(archive)
        before = on_file.list_files()
        with _lock(on_file.catalog):
            for use in (store, count_found):
                with pytest.raises(CatalogBusyError):
                    use(archive)
        assert [path for path in on_file.list_files() if "recordings/" in path] == [
            path for path in before if "recordings/" in path
        ]
        assert count_found(archive) == 1


@contextmanager
def _lock(catalog: Path) -> Iterator[None]:
    connection = sqlite3.connect(catalog, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    yield
    connection.execute("ROLLBACK")
    connection.close()


def test_a_read_only_catalog_is_named_and_nothing_is_used(on_file: "Disk") -> None:
    """What cannot be logged is not done: a catalog that can only be read gives nothing (fault 21)."""
    small = on_file.folder / "small"
    with tmpfs(small, "4m"):
        place = Place(f"sqlite://{small}/catalog.sqlite", "FI")
        archive = type(on_file)(on_file.folder, on_file.clock, place).create()
        archive.staff.enrol(make_staff_member(), by=RECORDER)
        store(archive)
        archive.audit.integrate()
        archive._vault.database._engine.dispose()
        subprocess.run(["mount", "-o", "remount,ro", small], check=True)  # noqa: S607
        for use in (store, count_found):
            with pytest.raises(CatalogReadOnlyError):
                use(archive)
        subprocess.run(["mount", "-o", "remount,rw", small], check=True)  # noqa: S607
        archive._vault.database._engine.dispose()
        assert count_found(archive) == 1
        archive.close()


def test_a_full_disk_loses_nothing_that_was_acknowledged(on_file: "Disk") -> None:
    """When the catalog's disk is full the recording is refused whole; with space again all goes on."""
    small = on_file.folder / "small"
    with tmpfs(small, "512k"):
        place = Place(f"sqlite://{small}/catalog.sqlite", "FI")
        archive = type(on_file)(on_file.folder, on_file.clock, place).create()
        archive.staff.enrol(make_staff_member(), by=RECORDER)
        with pytest.raises(CatalogFullError) as caught:
            collections.deque(map(store, itertools.repeat(archive, 400)), maxlen=0)
        assert caught.value.advice
        records = [path for path in on_file.list_files() if "/record-1-" in path]
        stored = len(records)
        assert stored > 20
        subprocess.run(["mount", "-o", "remount,size=4m", small], check=True)  # noqa: S607
        store(archive)
        assert count_found(archive) == stored + 1
        print(f"\n{stored} recordings before the disk was full, {stored + 1} found afterwards, none half-written")
        archive.close()


REPLACED: Final = ("deleted", "an older copy", "another archive's", "an empty file")


@pytest.mark.parametrize("how", REPLACED)
def test_a_replaced_catalog_is_refused(on_file: "Disk", how: str) -> None:
    """A catalog that is deleted or replaced under a writer is named; nothing is written to what lies there now."""
    archive = on_file.create()
    archive.staff.enrol(make_staff_member(), by=RECORDER)
    store(archive)
    archive.audit.integrate()
    kept = on_file.folder / "kept"
    shutil.copy(on_file.catalog, on_file.folder / "older")
    on_file.catalog.rename(kept)
    if how == "an older copy":
        (on_file.folder / "older").rename(on_file.catalog)
    elif how == "another archive's":
        other = type(on_file)(on_file.folder / "other", on_file.clock)
        other.folder.mkdir()
        other.create().close()
        other.catalog.rename(on_file.catalog)
    elif how == "an empty file":
        on_file.catalog.touch()
    there = on_file.catalog.read_bytes() if on_file.catalog.exists() else None
    for use in (store, count_found, count_found):
        with pytest.raises(CatalogReplacedError):
            use(archive)
    archive._vault.database._engine.dispose()
    with pytest.raises(CatalogError):
        count_found(archive)
    assert (on_file.catalog.read_bytes() if on_file.catalog.exists() else None) == there
    kept.replace(on_file.catalog)
    assert count_found(archive) == 1
    archive.close()


def test_another_catalog_in_the_same_file_is_refused(on_file: "Disk") -> None:
    """Content that is exchanged inside the file is noticed by the catalog's own id."""
    archive = on_file.create()
    archive.audit.integrate()
    with archive._vault.database.begin() as connection:
        connection.execute(tables.catalog.update().where(tables.catalog.c.name == "catalog").values(value="another"))
    with pytest.raises(CatalogReplacedError):
        store(archive)
    archive._vault.database.close()


def test_a_damaged_catalog_is_named(on_file: "Disk") -> None:
    """Pages that are overwritten with noise give a named error, and no recording that is none."""
    archive = on_file.create()
    archive.staff.enrol(make_staff_member(), by=RECORDER)
    for _ in range(30):
        store(archive)
    archive.close()
    content = bytearray(on_file.catalog.read_bytes())
    content[4096 : 4096 * 30] = os.urandom(4096 * 29)
    on_file.catalog.write_bytes(content)
    with pytest.raises(CatalogDamagedError):
        on_file.open()


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    """A catalog on PostgreSQL."""
    database = open_database(Place(postgres_url, "FI"), must_exist=False)
    create_schema(database, catalog_id="c", archive_id="a")
    yield database
    database.close()


def _kill_connections(server: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname > ''"
        )


def test_a_server_that_goes_away_while_idle_is_not_noticed(postgres_server: str, database: Database) -> None:
    """A connection that died between two transactions is replaced without an error."""
    _kill_connections(postgres_server)
    with database.begin() as connection:
        connection.execute(tables.leases.insert().values(name="x", holder="y", ends_at=1))


def _write_around_a_death(database: Database, server: str, *names: str) -> None:
    with database.begin() as connection:
        connection.execute(tables.leases.insert().values(name="first", holder="y", ends_at=1))
        _kill_connections(server)
        for name in names:
            connection.execute(tables.leases.insert().values(name=name, holder="y", ends_at=1))


def test_a_server_that_goes_away_in_the_middle_leaves_nothing(postgres_server: str, database: Database) -> None:
    """The running transaction ends with a named error and without a trace; the next one works."""
    with pytest.raises(CatalogUnreachableError, match="refuses") as caught:
        _write_around_a_death(database, postgres_server, "second")
    assert "Nothing of this step was done" in caught.value.advice
    with database.begin() as connection:
        assert connection.execute(tables.leases.select()).all() == []


def test_a_server_that_goes_away_at_the_end_leaves_it_open(postgres_server: str, database: Database) -> None:
    """If the answer to the commit is lost, the error does not claim that nothing was done."""
    with pytest.raises(CatalogUnreachableError) as caught:
        _write_around_a_death(database, postgres_server)
    assert "cannot be told" in caught.value.advice


def test_two_archives_share_a_database_in_schemas_of_their_own(postgres_server: str, postgres_url: str) -> None:
    """Each schema is a catalog of its own, and a catalog is never made twice in one (``schema=``)."""
    other = postgres_url.replace("schema=Test", "schema=Other%20Test")
    for url in (postgres_url, other):
        database = open_database(Place(url, "FI"), must_exist=False)
        create_schema(database, catalog_id=url[-9:], archive_id="a")
        database.close()
    for url in (postgres_url, other):
        with pytest.raises(CatalogError, match="already"):
            open_database(Place(url, "FI"), must_exist=False)
        open_database(Place(url, "FI"), must_exist=True).close()
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        schema = other.rpartition("schema=")[2].replace("%20", " ")
        connection.execute(f'DROP SCHEMA "{schema}" CASCADE'.encode())


def test_a_database_that_is_not_durable_is_refused(postgres_url: str) -> None:
    """What is acknowledged must be durable: ``synchronous_commit=off`` is refused by name."""
    with pytest.raises(CatalogError, match="synchronous_commit"):
        open_database(Place(f"{postgres_url}&options=-csynchronous_commit%3Doff", "FI"), must_exist=False)


def test_a_server_that_is_not_there_is_named() -> None:
    """An URL at which nothing answers is a named error."""
    with pytest.raises(CatalogUnreachableError):
        open_database(Place("postgresql+psycopg://nobody@127.0.0.1:1/nothing", "FI"), must_exist=True)


def test_a_forked_process_is_refused(on_file: "Disk") -> None:
    """A catalog that was opened before the fork is not used after it, and the parent's goes on."""
    with on_file.create() as archive:
        database = archive._vault.database
        database._process_id += 1
        with pytest.raises(ForkedError), database.begin():
            pass
        database._process_id -= 1
        with database.begin():
            pass
