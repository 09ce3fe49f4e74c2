"""How fast a catalog is rebuilt from the objects, against storing the same recordings.

Work: short calls stored one by one on file://, durable; then their catalog is deleted and rebuilt, on threads and on
processes, and compared with the objects by `verify`. Baseline: the rate of storing, in the same run; beside it, reading
and opening every record in one thread without a catalog, which no rebuild on one core can beat.
"""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from kelarec import Archive, Place, System, create_key_file, kela_register
from kelarec.oversight.subjects import read_subject
from kelarec.storage.object_kinds import get_kind
from kelarec.testing.builders import make_contact, make_wav

RECORDINGS = int(os.environ.get("KELAREC_BENCH_RECORDINGS", "500"))
OPERATOR = System("bench")


def fill(archive: Archive) -> None:
    """Store the recordings."""
    wav = make_wav(0.1)
    started_at = datetime.now(UTC) - timedelta(hours=1)  # noqa: TID251  the archive goes by the system's clock
    for _ in range(RECORDINGS):
        archive.capture.store(
            make_contact(started_at=started_at),
            ended_at=started_at + timedelta(seconds=1),
            content=wav,
            by=OPERATOR,
        )


def open_all(archive: Archive) -> None:
    """Read and open every record, one after the other."""
    vault, kind = archive._vault, get_kind("recording")
    for subject in kind.iter_subjects(vault.objects.iter_paths(kind.folder)):
        assert read_subject(vault, subject).versions  # noqa: S101


def rate(work: Callable[[], object]) -> float:
    """Return recordings a second."""
    started = perf_counter()
    work()
    return RECORDINGS / (perf_counter() - started)


def main() -> None:
    """Print each rate beside that of storing."""
    with TemporaryDirectory() as home, ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        folder = Path(home)
        create_key_file(folder / "root.key")
        places: dict[str, Any] = {
            "objects": Place(folder / "archive", "FI"),
            "keys": Place(folder / "keys", "FI"),
            "root_key": f"keyfile:{folder / 'root.key'}",
        }
        with Archive.create(**places, register=kela_register(contact_point="Registry office")) as archive:
            baseline = rate(lambda: fill(archive))
        list(processes.map(abs, range(8)))  # the processes have started
        figures = {}
        for name, executor in (("rebuild on threads", None), ("rebuild on 2 processes", processes)):
            (folder / "archive.catalog.sqlite").unlink()
            figures[name] = rate(lambda: Archive.rebuild_lost(**places, by=OPERATOR, executor=executor).close())  # noqa: B023
        with Archive.open(**places) as archive:
            figures["opening every record"] = rate(lambda: open_all(archive))
            figures["verify"] = rate(lambda: archive.verify(by=OPERATOR))
    print(f"{RECORDINGS} recordings on file://, 2 objects, 1 row, 2 tokens and 1 log entry each")
    print(f"{'storing, durable':<26} {baseline:8.0f} /s  (baseline)")
    for name, figure in figures.items():
        aim = "  (aim 3)" if name == "rebuild on threads" else ""
        print(f"{name:<26} {figure:8.0f} /s  {figure / baseline:6.1f} of storing{aim}")


if __name__ == "__main__":
    main()
