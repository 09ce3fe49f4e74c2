"""What the access rule costs a listener.

Decision: the pure rule on one recording, all clauses true, so that each is asked. Work: open a call within a session
already begun, read 64 KiB, close; the catalog is SQLite and the objects lie on file://, both synced. Baselines in the
same run, block by block in turn: the same with the log's entries left out; two bare durable commits of SQLite, which is
what the two entries of one listening cost at the least on this disk; the same bytes read from a plain file.
"""

import sqlite3
import statistics
import tempfile
import timeit
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest import mock
from uuid import UUID

from kelarec import Archive, Place, System, create_key_file, kela_register
from kelarec.access.session import Session
from kelarec.audit.log import AuditLog
from kelarec.domain.access_rule import decide
from kelarec.domain.staff_acts import Act
from kelarec.storage.recordings import Recordings
from kelarec.testing.builders import make_contact, make_staff_member, make_wav

PIECE = 64 * 1024
DECISIONS, BLOCK, BLOCKS = 2_000, 25, 9


def time_decision(archive: Archive, session: Session, recording_id: UUID) -> float:
    """Return the microseconds of one decision, in the best of some blocks: others may be at work here."""
    with archive._vault.database.begin() as connection:
        opened = Recordings(archive._vault).find_one(connection, recording_id)
    assert opened is not None  # noqa: S101  the benchmark's own recording
    asked: dict[str, Any] = {
        "act": Act.OPEN,
        "terms": session.terms,
        "staff": make_staff_member(),
        "registers": archive.registers,
        "at": session.terms.begun_at + timedelta(seconds=1),
        "recording": opened.record.recording,
        "details": opened.record.details,
    }
    assert decide(**asked).is_allowed  # noqa: S101  the slowest way through the rule
    return min(timeit.repeat(lambda: decide(**asked), number=DECISIONS, repeat=BLOCKS)) / DECISIONS * 1e6


def rate(use: Callable[[], object]) -> float:
    """Return how often a second something can be done."""
    started = perf_counter()
    for _ in range(BLOCK):
        use()
    return BLOCK / (perf_counter() - started)


def listen(session: Session, recording_id: UUID) -> None:
    """Open a call, read 64 KiB and close it."""
    with session.open(recording_id) as audio:
        audio.read(PIECE)


def read_plain(path: Path) -> None:
    """Read the same bytes from a plain file."""
    with path.open("rb") as file:
        file.read(PIECE)


def make_bare_table(path: Path) -> sqlite3.Connection:
    """Make a table in a file of its own, with the settings of the catalog."""
    connection = sqlite3.connect(path, isolation_level=None)
    for setting in ("journal_mode=TRUNCATE", "synchronous=FULL"):
        connection.execute(f"PRAGMA {setting}")
    connection.execute("CREATE TABLE entries (payload BLOB)")
    return connection


def commit_twice(connection: sqlite3.Connection) -> None:
    """Write two rows of the length of a log entry, each durable by itself."""
    for _ in range(2):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO entries VALUES (?)", (bytes(600),))
        connection.execute("COMMIT")


@contextmanager
def without_log() -> Iterator[None]:
    """Leave the log's entries out: what is decided and read stays the same."""
    with mock.patch.object(AuditLog, "append"), mock.patch.object(AuditLog, "write"):
        yield


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        create_key_file(folder / "root.key")
        by = System("bench")
        with Archive.create(
            objects=Place(folder / "archive", "FI"),
            keys=Place(folder / "keys", "FI"),
            root_key=f"keyfile:{folder / 'root.key'}",
            register=kela_register(contact_point="Registry"),
        ) as archive:
            member = make_staff_member()
            archive.staff.enrol(member, by=by)
            now = datetime.now(UTC)  # noqa: TID251  a benchmark runs by the real clock
            wav = make_wav(60)
            (folder / "plain.wav").write_bytes(wav)
            call = archive.capture.store(make_contact(started_at=now), ended_at=now, content=wav, by=by)
            connection = make_bare_table(folder / "bare.sqlite")
            with archive.session(by=member.id, purpose="verify-service-event", matter="BENCH-1") as session:
                print(f"decision: {time_decision(archive, session, call.id):.1f} µs  (aim 20)")
                logged, unlogged, bare, plain = [], [], [], []
                for _ in range(BLOCKS):
                    logged.append(rate(lambda: listen(session, call.id)))
                    with without_log():
                        unlogged.append(rate(lambda: listen(session, call.id)))
                    bare.append(rate(lambda: commit_twice(connection)))
                    plain.append(rate(lambda: read_plain(folder / "plain.wav")))
                middle = statistics.median(logged)
                share = 1 - statistics.median(a / b for a, b in zip(logged, unlogged, strict=True))
                print(f"open, read 64 KiB, close, logged: {middle:.0f} /s  (aim 200)")
                print(f"the same without the log's entries: {statistics.median(unlogged):.0f} /s")
                print(f"the log's share of the time: {share:.0%}")
                print(f"two bare durable commits on this disk: {statistics.median(bare):.0f} /s")
                print(f"the same bytes of a plain file: {statistics.median(plain):.0f} /s")


if __name__ == "__main__":
    main()
