"""A process that stores recordings until it is told to stop, and opens the archive anew whenever it is refused.

It writes each id to a file once the recording is acknowledged. Refused because another catalog has taken over, it goes
on with the next one that it was told of.
"""

import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from kelarec import Archive, System
from kelarec.errors import CatalogError, CatalogMismatchError
from kelarec.testing.builders import make_contact, make_wav
from log_writer import open_archive

MISMATCH: Final = CatalogMismatchError.code


def write(folder: Path, acknowledged: Path, *catalog_urls: str) -> None:
    """Store until there is a file ``stop``."""
    wav = make_wav(0.1)
    refused: dict[str, int] = {}
    with acknowledged.open("a") as told:
        while not (folder / "stop").exists():
            try:
                archive = open_archive(folder, catalog_urls[min(refused.get(MISMATCH, 0), len(catalog_urls) - 1)])
                while not (folder / "stop").exists():
                    store(archive, wav, told.write)
                    told.flush()
                archive.close()
            except CatalogError as error:
                refused[error.code] = refused.get(error.code, 0) + 1
                time.sleep(0.02)
    acknowledged.with_suffix(".refused").write_text(" ".join(f"{code}={count}" for code, count in refused.items()))


def store(archive: Archive, wav: bytes, tell: object) -> None:
    """Store one recording and tell its id."""
    started_at = datetime.now(UTC) - timedelta(minutes=1)  # noqa: TID251  the archive goes by the system's clock
    recording = archive.capture.store(
        make_contact(started_at=started_at),
        ended_at=started_at + timedelta(seconds=1),
        content=wav,
        by=System("writer"),
    )
    tell(f"{recording.id}\n")  # type: ignore[operator]  # the file's own method


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
