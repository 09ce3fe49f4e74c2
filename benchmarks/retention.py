"""What ending a day costs.

Work: a sweep of a day of 1,000 and of 10,000 recordings: from its call to the read-back absence of the day's keys, and
the whole. Baseline in the same run: plainly listing and deleting the same objects, by the place's own `delete_many`,
and the same rows and tokens in one transaction, of a day of as many recordings in an archive beside it.
"""

import statistics
import tempfile
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Final

from sqlalchemy import delete

from kelarec import Archive, Place, System, create_key_file, kela_register
from kelarec.domain.instants import end_of
from kelarec.storage import catalog_tables as tables
from kelarec.storage.keyring import Keyring
from kelarec.testing.builders import make_contact, make_wav
from kelarec.testing.clock import MovableClock

BY: Final = System("sweep@bench")
COUNTS: Final = (1_000, 10_000)
ROUNDS: Final = 3
WAV: Final = make_wav(0.1)


def fill(folder: Path, count: int, clock: MovableClock) -> Archive:
    """Make an archive on disk with so many calls of one day."""
    folder.mkdir()
    create_key_file(folder / "root.key")
    archive = Archive.create(
        objects=Place(folder / "archive", "FI"),
        keys=Place(folder / "keys", "FI"),
        root_key=f"keyfile:{folder / 'root.key'}",
        register=kela_register(contact_point="Registry office"),
        clock=clock,
    )
    contact = make_contact(started_at=clock())
    for _ in range(count):
        archive.capture.store(contact, ended_at=clock() + timedelta(seconds=1), content=WAV, by=BY)
    archive.audit.integrate()
    return archive


def delete_plainly(archive: Archive) -> float:
    """Delete all recordings' objects and rows; return the seconds."""
    vault = archive._vault
    started = perf_counter()
    vault.objects.delete_many(list(vault.objects.iter_paths("recordings")))
    with vault.database.begin() as connection:
        connection.execute(delete(tables.recordings))
        connection.execute(delete(tables.tokens))
    return perf_counter() - started


def sweep(archive: Archive, count: int) -> tuple[float, float]:
    """Sweep; return the seconds to the death of the keys, and of the whole."""
    dead_at = []
    destroy = Keyring.destroy

    def destroy_and_tell(self: Keyring, day: object) -> bool:
        destroyed = destroy(self, day)  # type: ignore[arg-type]  # a date
        dead_at.append(perf_counter())
        return destroyed

    Keyring.destroy = destroy_and_tell  # type: ignore[method-assign]
    try:
        started = perf_counter()
        [swept] = archive.retention.sweep(by=BY)
        took = perf_counter() - started
    finally:
        Keyring.destroy = destroy  # type: ignore[method-assign]
    if swept.recordings != count:
        raise AssertionError(f"{swept.recordings} of {count} were removed.")
    return dead_at[0] - started, took


def measure(count: int) -> None:
    """Print the figures of a day of so many recordings."""
    deaths, ratios, rates = [], [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as name:
            clock = MovableClock()
            plain, swept = fill(Path(name) / "plain", count, clock), fill(Path(name) / "swept", count, clock)
            clock.set(end_of(clock().date().replace(year=clock().year + 1)) - timedelta(hours=23))
            swept.retention.sweep(by=BY)  # as every day: what the days before have left is gone
            clock.move(timedelta(days=1))
            baseline = delete_plainly(plain)
            dead, took = sweep(swept, count)
            deaths.append(dead)
            ratios.append(baseline / took)
            rates.append(count / took)
            plain.close()
            swept.close()
    print(
        f"a day of {count:>6,}: keys dead and read back after {statistics.median(deaths) * 1e3:5.1f} ms (aim 50); "
        f"swept {statistics.median(rates):8,.0f} /s, {statistics.median(ratios):.2f} of plain deletion (aim 0.90)"
    )


def main() -> None:
    """Print each figure beside the baseline."""
    for count in COUNTS:
        measure(count)


if __name__ == "__main__":
    main()
