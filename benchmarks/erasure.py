"""What erasing before the date costs, and showing it.

Work: one erasure, and 1,000 of one date as one batch, each until it is pending; the second look that makes them
complete; making certificates and checking them alone. Baselines in the same run: the same objects deleted and the same
rows removed plainly, with no key, log or reading back.
"""

import statistics
import tempfile
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import UUID

from sqlalchemy import delete

from kelarec import Archive, Place, System, create_key_file, kela_register
from kelarec.audit.verify_certificate import open_certificate
from kelarec.storage import catalog_tables as tables
from kelarec.testing.builders import make_contact, make_wav
from kelarec.testing.clock import MovableClock

HERE = System("benchmark")
BATCH, SINGLE, NEIGHBOURS = 1000, 50, 2000
TERMS: dict[str, Any] = {"ground": "made-by-mistake", "matter": "BENCH-1"}


def store(archive: Archive, clock: MovableClock, count: int) -> list[UUID]:
    """Store so many calls of one date."""
    wav, ended_at = make_wav(0.02), clock() + timedelta(seconds=1)
    return [
        archive.capture.store(make_contact(started_at=clock()), ended_at=ended_at, content=wav, by=HERE).id
        for _ in range(count)
    ]


def delete_plainly(archive: Archive, ids: list[UUID], clock: MovableClock) -> float:
    """Remove objects and rows as a program without keys would; return the seconds."""
    started = perf_counter()
    objects = archive._vault.objects
    for each in ids:
        objects.delete_many(list(objects.iter_paths(f"recordings/{clock():%Y-%m-%d}/{each}")))
    keys = [each.bytes for each in ids]
    with archive._vault.database.begin() as connection:
        connection.execute(delete(tables.recordings).where(tables.recordings.c.id.in_(keys)))
        connection.execute(delete(tables.tokens).where(tables.tokens.c.recording_id.in_(keys)))
    return perf_counter() - started


def main() -> None:
    """Print the figures."""
    clock = MovableClock()
    with tempfile.TemporaryDirectory(dir=Path.home()) as folder:
        root = Path(folder)
        create_key_file(root / "root.key")
        with Archive.create(
            objects=Place(root / "archive", "FI"),
            keys=Place(root / "keys", "FI"),
            root_key=f"keyfile:{root / 'root.key'}",
            register=kela_register(contact_point="Registry office"),
            clock=clock,
        ) as archive:
            erasures = archive.retention.erasures
            ids = store(archive, clock, 2 * BATCH + SINGLE + NEIGHBOURS)
            plain = delete_plainly(archive, [ids.pop() for _ in range(BATCH)], clock)
            times = []
            for _ in range(SINGLE):
                started = perf_counter()
                erasures.erase([ids.pop()], by=HERE, **TERMS)
                times.append(perf_counter() - started)
            single = statistics.median(times)
            started = perf_counter()
            outcome = erasures.erase([ids.pop() for _ in range(BATCH)], by=HERE, **TERMS).outcome
            batch = perf_counter() - started
            print(f"one erasure, of {len(ids) + BATCH} on its date: {single * 1000:.1f} ms (median of {SINGLE})")
            print(f"{BATCH} as one batch until {type(outcome).__name__.lower()}: {batch:.2f} s")
            print(f"  {BATCH} plainly deleted: {plain:.2f} s; ratio {batch / plain:.2f}")
            clock.move(timedelta(seconds=60))
            started = perf_counter()
            erasures.finish(by=HERE)
            print(f"the second look at {BATCH + SINGLE}: {perf_counter() - started:.2f} s")
            started = perf_counter()
            certificates = list(archive.retention.certificates.iter_all(by=HERE))
            print(f"a certificate made: {(perf_counter() - started) / len(certificates) * 1000:.2f} ms")
            started = perf_counter()
            for each in certificates:
                open_certificate(each.content, archive.audit.vkey)
            checked = (perf_counter() - started) / len(certificates)
            print(f"a certificate checked: {checked * 1000:.2f} ms ({len(certificates)} of them)")
            started = perf_counter()
            told = archive.retention.forecast()
            left = sum(each.recordings for each in told.ending)
            print(f"a forecast of {left} recordings: {(perf_counter() - started) * 1000:.1f} ms")


if __name__ == "__main__":
    main()
