"""The catalog is lost while two processes write: it is rebuilt, and no acknowledged recording is missing (fault 13)."""

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from kelarec import Archive, Place, Recording, Register, create_key_file
from kelarec.errors import CatalogBusyError
from kelarec.oversight.difference import Difference, DifferenceKind
from kelarec.storage import catalog_tables as tables
from kelarec.storage.engine import open_database
from kelarec.storage.object_kinds import KINDS, Subject
from kelarec.storage.vault import get_revision
from oversight_archive import OPERATOR, Tables, dump, fill, ids

WRITER = Path(__file__).parents[1] / "oversight_writer.py"
SIZES = [
    pytest.param(200, 50, 20, 50, id="200"),
    pytest.param(10_000, 50, 20, 50, id="10000", marks=pytest.mark.deep),
]


def lose(catalog_url: str) -> None:
    """Delete the catalog under whoever uses it."""
    if catalog_url.startswith("sqlite"):
        Path(catalog_url.removeprefix("sqlite://")).unlink()
    else:
        former = open_database(Place(catalog_url, "FI"), must_exist=True)
        for _ in range(20):
            with suppress(CatalogBusyError), former.begin() as connection:  # who waits for a writer that waits for us
                tables.metadata.drop_all(connection)
                break
        former.close()


DERIVED = ("registers", "recordings", "tokens", "staff", "requests", "holds", "held_recordings")


def derive(archive: Archive) -> Tables:
    """Return what the rows must be, read from the objects one by one, without the code that rebuilds."""
    vault = archive._vault
    rows: Tables = {name: [] for name in DERIVED}
    held: dict[str, list[tuple[bytes, int, bytes]]] = {}
    for kind in KINDS:
        newest: dict[str, str] = {}
        for path in vault.objects.iter_paths(kind.folder):
            name, file = path.split("/")[-2:]
            is_newer = get_revision(path) >= get_revision(newest.get(name, ""))
            if file.startswith(f"{kind.prefix}-") and is_newer:
                newest[name] = path
        for name, path in newest.items():
            keeping = tuple(sorted(held.get(name, ()))) if kind.name == "recording" else ()
            subject = Subject(kind.name, name, path.rpartition("/")[0], (path,), keeping)
            for table, made in kind.read(vault, subject, path, vault.objects.read(path)).rows.items():
                rows[table] += [tuple((column, row[column]) for column in _columns(table)) for row in made]
                if table == "held_recordings":
                    for row in map(dict[str, Any], made):
                        keep = (row["hold_id"], row["review_on"], row["wrap"])
                        held.setdefault(str(UUID(bytes=row["recording_id"])), []).append(keep)
    return {table: sorted(each, key=repr) for table, each in rows.items()}


def _columns(table: str) -> list[str]:
    return sorted(column.name for column in tables.metadata.tables[table].columns)


def wait_for(told: list[Path], count: int, writers: "list[subprocess.Popen[bytes]]") -> None:
    """Wait until each writer has acknowledged so many recordings."""
    end = time.monotonic() + 120
    while any(not path.exists() or path.read_text().count("\n") < count for path in told):
        assert time.monotonic() < end, "the writers do not get on"
        assert all(writer.poll() is None for writer in writers), "a writer died"
        time.sleep(0.02)


def make_places(folder: Path, catalog_url: str) -> dict[str, Any]:
    """Return the places of an archive in a folder."""
    return {
        "objects": Place(folder / "archive", "FI"),
        "keys": Place(folder / "keys", "FI"),
        "root_key": f"keyfile:{folder / 'root.key'}",
        "catalog": Place(catalog_url, "FI"),
    }


def rebuild_under_writers(
    folder: Path, former_url: str, catalog_url: str, stored: list[Recording], do_first: Callable[[], None]
) -> None:
    """Let two processes write, rebuild meanwhile, let them go on; then compare everything."""
    told = [folder / f"acknowledged-{number}" for number in range(2)]
    urls = dict.fromkeys((former_url, catalog_url))
    writers = [subprocess.Popen([sys.executable, str(WRITER), str(folder), str(path), *urls]) for path in told]
    try:
        wait_for(told, 10, writers)
        do_first()
        started = time.monotonic()
        archive = Archive.rebuild_lost(**make_places(folder, catalog_url), by=OPERATOR)
        took = time.monotonic() - started
        before = [path.read_text().count("\n") for path in told]
        wait_for(told, max(before) + 5, writers)
    finally:
        (folder / "stop").touch()
        codes = [writer.wait(timeout=60) for writer in writers]
    assert codes == [0, 0]

    acknowledged = {UUID(line) for path in told for line in path.read_text().split()}
    with archive:
        missing = ({each.id for each in stored} | acknowledged) - ids(archive)
        assert missing == set()
        held, wanted = dump(archive), derive(archive)
        for table, rows in wanted.items():
            assert held[table] == rows, table
        left = [each for each in archive.iter_differences(by=OPERATOR) if not is_unacknowledged(each, acknowledged)]
        assert left == []
        assert archive.rebuilt is not None
        counts, adopted = archive.rebuilt.counts, archive.rebuilt.adopted
    refused = [path.with_suffix(".refused").read_text() for path in told]
    print(
        f"\n{counts['recordings']} recordings, {counts['holds']} holds, {counts['requests']} requests rebuilt in "
        f"{took:.2f} s beside two writers, {len(acknowledged)} "
        f"acknowledged by them ({sum(before)} before the end of it), 0 missing; {adopted} adopted; refused: {refused}"
    )


def is_unacknowledged(difference: Difference, acknowledged: set[UUID]) -> bool:
    """Whether a difference is a record that a refused writer left after the last listing."""
    kind, _, name = difference.subject.partition(" ")
    return difference.kind is DifferenceKind.ORPHANED and kind == "recording" and UUID(name) not in acknowledged


@pytest.mark.parametrize(("recordings", "restrictions", "requests", "holds"), SIZES)
def test_nothing_acknowledged_is_missing(
    tmp_path: Path,
    catalog_url: str,
    kelarec_register: Register,
    recordings: int,
    restrictions: int,
    requests: int,
    holds: int,
) -> None:
    """Delete the catalog while two processes write, rebuild: every row is what the objects say, none is missing."""
    create_key_file(tmp_path / "root.key")
    with Archive.create(**make_places(tmp_path, catalog_url), register=kelarec_register) as archive:
        stored = fill(archive, recordings, restrictions, requests, holds)
    rebuild_under_writers(tmp_path, catalog_url, catalog_url, stored, lambda: lose(catalog_url))


def test_writers_go_on_until_the_new_catalog_takes_over(tmp_path: Path, kelarec_register: Register) -> None:
    """Beside a catalog that lives, two processes acknowledge recordings until they are refused: none is missing."""
    create_key_file(tmp_path / "root.key")
    former, new = (f"sqlite://{tmp_path / name}.sqlite" for name in ("former", "new"))
    with Archive.create(**make_places(tmp_path, former), register=kelarec_register) as archive:
        stored = fill(archive, 60, 10, 5)
    rebuild_under_writers(tmp_path, former, new, stored, lambda: None)
    refused = [(tmp_path / f"acknowledged-{number}").with_suffix(".refused").read_text() for number in range(2)]
    assert all("catalog-mismatch" in each for each in refused)
