"""What the key tree costs.

Work: deriving a key leaf from the root of a date's tree, and puncturing one durably, on a fresh date and after 1,000
punctures of the same date; 1,000 punctures in one call; making a new archive's day keys. Baselines in the same run: a
bare chain of 16 HMAC-SHA-256, and the same number of small files written, synced, renamed and their folder synced.
"""

import os
import statistics
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import perf_counter
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from kelarec.storage.key_tree import LEVELS
from kelarec.storage.keyring import Keyring
from kelarec.storage.objects import FolderObjects
from kelarec.storage.roots import LocalRootKey

ARCHIVE = UUID("019cbd02-c000-7000-8000-000000000001")
DAY = date(2027, 3, 5)
NOW = datetime(2026, 3, 5, 8, tzinfo=UTC)
DATES = 437
HASH = SHA256()


def median_of(count: int, work: Callable[[int], object]) -> float:
    """Return the median seconds of a piece of work."""
    times = []
    for number in range(count):
        started = perf_counter()
        work(number)
        times.append(perf_counter() - started)
    return statistics.median(times)


def chain(_: int) -> bytes:
    """Chain 16 bare HMACs."""
    secret = bytes(32)
    for _ in range(LEVELS):
        mac = HMAC(secret, HASH)
        mac.update(b"kelarec key tree v1\nlevel 10\nchild 10")
        secret = mac.finalize()
    return secret


def put(folder: Path, name: str, content: bytes) -> str:
    """Write, sync, rename and sync the folder, with bare system calls."""
    descriptor = os.open(folder / f"{name}.part", os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(descriptor, content)
    os.fsync(descriptor)
    os.close(descriptor)
    (folder / f"{name}.part").rename(folder / name)
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    return name


def make(folder: Path) -> Keyring:
    """Make an archive's keys, those of one date among them."""
    keyring = Keyring.create(FolderObjects(folder), ARCHIVE, LocalRootKey(bytes(32), os.urandom), os.urandom)
    keyring.make([DAY], NOW)
    return keyring


def show(name: str, seconds: float, baseline: float, aim: str) -> None:
    """Print a figure beside its baseline."""
    unit, factor = ("µs", 1e6) if seconds < 1e-3 else ("ms", 1e3)  # noqa: PLR2004
    figures = f"{seconds * factor:7.1f} {unit}  baseline {baseline * factor:7.1f} {unit}"
    print(f"{name:<42} {figures}  ratio {seconds / baseline:5.2f}  ({aim})")


def main() -> None:
    """Print each figure beside the baseline."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keyring = make(folder / "keys")
        bare = median_of(3000, chain)
        show(
            "a key leaf from a cached root",
            median_of(3000, lambda n: keyring.get_leaf(DAY, f"a{n}")),
            bare,
            "aim 50 µs",
        )
        two_writes = median_of(40, lambda n: (put(folder, f"x{n}", bytes(8_800)), put(folder, f"y{n}", bytes(1_300))))
        show(
            "a puncture, the first in its branch",
            median_of(40, lambda n: keyring.puncture(DAY, [f"b{n}"])),
            two_writes,
            "aim 10 ms; two writes",
        )
        crowd = [f"c{number}" for number in range(1000)]
        one_by_one = median_of(3, lambda n: [put(folder, f"z{n}-{each}", bytes(30_000)) for each in range(256)])
        started = perf_counter()
        keyring.puncture(DAY, crowd)
        show("1,000 punctures of one date in one call", perf_counter() - started, one_by_one, "256 writes one by one")
        write = median_of(40, lambda n: put(folder, f"w{n}", bytes(32_000)))
        show(
            "a puncture after 1,000 of the same date",
            median_of(40, lambda n: keyring.puncture(DAY, [f"d{n}"])),
            write,
            "aim 10 ms; one write",
        )
        leaf = median_of(2000, lambda n: keyring.get_leaf(DAY, f"e{n}"))
        show("a key leaf after 1,000 punctures", leaf, bare, "aim 50 µs")
        other = make(folder / "others")
        days = [DAY + timedelta(days=number) for number in range(1, DATES + 1)]
        started = perf_counter()
        other.make(days, NOW)
        took = perf_counter() - started
        separate = median_of(1, lambda _: [put(folder, f"k{number}", bytes(160)) for number in range(DATES)])
        show(f"the keys of {DATES} dates, durable", took, separate, "aim 300 ms; one by one")


if __name__ == "__main__":
    main()
