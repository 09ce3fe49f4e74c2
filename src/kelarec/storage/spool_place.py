"""The place of an archive's spool on this machine: one folder for each process that takes, and a line that says whose.

spool                two lines: ``kelarec spool v1`` and the archive's id
<random>/owner       locked by the process that the folder belongs to
<random>/segment-…   frames of all its takes
<random>/take-…      older frames of one take that goes on for long
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol
from uuid import UUID

from kelarec.errors import SpoolError, SpoolMismatchError
from kelarec.storage.spool_files import FolderFiles, MemoryFiles, SpoolFiles
from kelarec.storage.spool_frames import file_header
from kelarec.storage.wrapping import Randomness

OWNER_FILE: Final = "spool"
"""The file in a spool that says whose it is."""
_UNREADY: Final = ".new"


class SpoolPlace(Protocol):
    """Where spool folders come from."""

    def new_files(self) -> SpoolFiles:
        """Make a folder of this process's own.

        Raises:
            SpoolError: The medium refuses.
        """
        ...

    def iter_unowned(self) -> Iterator[SpoolFiles]:
        """Go through the folders that nobody owns any more; each is owned by this process until it is released."""
        ...


class MemorySpoolPlace:
    """A spool in this process's memory, for archives that live there."""

    def new_files(self) -> SpoolFiles:
        """See `SpoolPlace.new_files`."""
        return MemoryFiles()

    def iter_unowned(self) -> Iterator[SpoolFiles]:
        """See `SpoolPlace.iter_unowned`: nobody leaves memory behind."""
        return iter(())


class FolderSpoolPlace:
    """A spool in a folder of this machine.

    Raises:
        SpoolMismatchError: The folder is the spool of another archive.
        SpoolError: The medium refuses.
    """

    def __init__(self, folder: Path, archive_id: UUID, randomness: Randomness) -> None:
        self._folder = folder
        self._randomness = randomness
        whose = file_header(archive_id)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = folder / OWNER_FILE
            if not path.exists():
                beside = path.with_name(f"{OWNER_FILE}.{randomness(8).hex()}.part")
                beside.write_bytes(whose)
                beside.rename(path)
            found = path.read_bytes()
        except OSError as error:
            raise SpoolError(f"The spool {folder} cannot be used: {error.strerror}.") from error
        if found != whose:
            raise SpoolMismatchError(f"The folder {folder} is the spool of another archive.")

    def new_files(self) -> SpoolFiles:
        """See `SpoolPlace.new_files`."""
        try:
            return FolderFiles.create_folder(self._folder / self._randomness(12).hex())
        except OSError as error:
            raise SpoolError(f"No spool can be made in {self._folder}: {error.strerror}.") from error

    def iter_unowned(self) -> Iterator[SpoolFiles]:
        """See `SpoolPlace.iter_unowned`."""
        for folder in sorted(self._folder.iterdir()):
            if folder.is_dir() and folder.suffix != _UNREADY:
                files = FolderFiles.take_over(folder)
                if files is not None:
                    yield files
