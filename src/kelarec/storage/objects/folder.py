"""Objects as files below a folder of this machine."""

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fsspec.implementations.local import LocalFileSystem

from kelarec.errors import ObjectExistsError, StorageError
from kelarec.storage.objects.contract import UNFINISHED
from kelarec.storage.objects.local import LocalObjects


class FolderObjects(LocalObjects):
    """Objects as files below a folder.

    A file is written beside its final name, synced, renamed, and its folder synced: fsspec's own transactions stage in
    another file system and sync nothing.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(LocalFileSystem(auto_mkdir=False, skip_instance_cache=True), str(folder))
        self._folder = folder

    def write(self, path: str, chunks: Iterable[bytes]) -> int:
        """See `ObjectPlace.write`."""
        final = self._folder / path
        unfinished = _beside(final)
        try:
            with _named(path):
                _make_folders(final.parent)
            size = _write_synced(unfinished, chunks, path)
            with _named(path):
                _link_new(unfinished, final, path)
                _sync_folder(final.parent)
        except BaseException:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            self._remove_empty_folders(final.parent)
            raise
        unfinished.unlink(missing_ok=True)
        return size

    def replace(self, path: str, content: bytes) -> None:
        """See `ObjectPlace.replace`."""
        final = self._folder / path
        unfinished = _beside(final)
        with _named(path):
            _make_folders(final.parent)
        _write_synced(unfinished, [content], path)
        with _named(path):
            unfinished.replace(final)
            _sync_folder(final.parent)

    def delete(self, path: str) -> None:
        """See `ObjectPlace.delete`."""
        target = self._folder / path
        try:
            target.unlink()
            _sync_folder(target.parent)
            self._remove_empty_folders(target.parent)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError(
                f"The object {path} cannot be deleted: {error.strerror}.", advice="Make the place writable."
            ) from error

    def _remove_empty_folders(self, folder: Path) -> None:
        while folder not in {self._folder, self._folder.parent}:
            try:
                folder.rmdir()
            except OSError:  # not empty, or another process was quicker
                return
            folder = folder.parent


def _beside(final: Path) -> Path:
    """Return where this thread writes what shall become an object; a leftover of a dead process is in nobody's way."""
    return final.with_name(f"{final.name}.{os.getpid()}-{threading.get_ident()}{UNFINISHED}")


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Turn what the medium refuses into an error that names the object."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(f"The object {path} cannot be written: {error.strerror or error}.") from error


def _link_new(unfinished: Path, final: Path, path: str) -> None:
    try:
        os.link(unfinished, final)  # unlike a rename, refuses to replace what is there
    except FileExistsError:
        raise ObjectExistsError(f"There is an object {path} already.") from None


def _write_synced(file_path: Path, chunks: Iterable[bytes], path: str) -> int:
    """Write and sync a file; what the chunks raise comes through as it is."""
    size = 0
    try:
        with _named(path):
            file = file_path.open("wb")
        with file:
            for chunk in chunks:
                with _named(path):
                    size += file.write(chunk)
            with _named(path):
                file.flush()
                os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            file_path.unlink(missing_ok=True)
        raise
    return size


def _make_folders(folder: Path) -> None:
    """Make a folder and those above it, and sync each entry that is new."""
    if folder.is_dir():
        return
    _make_folders(folder.parent)
    folder.mkdir(exist_ok=True, mode=0o700)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
