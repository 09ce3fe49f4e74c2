"""A process that appends entries to an archive's log, for tests with several writers."""

import sys
from pathlib import Path

from kelarec import Archive, Place
from kelarec.audit.entries import EntryKind
from kelarec.domain.people import System


def open_archive(folder: Path, catalog_url: str) -> Archive:
    """Open the archive of a test."""
    return Archive.open(
        objects=Place(folder / "archive", "FI"),
        keys=Place(folder / "keys", "FI"),
        root_key=f"keyfile:{folder / 'root.key'}",
        catalog=Place(catalog_url, "FI"),
    )


def append(archive: Archive, writer: str, count: int) -> None:
    """Append so many entries, each in a transaction of its own."""
    for number in range(count):
        archive.audit.write(
            archive.audit.new_entry(EntryKind.LOOKED_UP, System(f"writer-{writer}"), number=f"{writer}-{number}")
        )


if __name__ == "__main__":
    with open_archive(Path(sys.argv[1]), sys.argv[2]) as opened:
        append(opened, sys.argv[3], int(sys.argv[4]))
