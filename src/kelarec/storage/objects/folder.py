"""Objects as files below a folder of this machine."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from fsspec.implementations.local import LocalFileSystem

from kelarec.errors import ObjectExistsError, ObjectNotFoundError, StorageError
from kelarec.storage.objects.contract import UNFINISHED
from kelarec.storage.objects.local import NO_SUCH_OBJECT, LocalObjects

_SYNCED_AT_ONCE: Final = 32  # a journalling file system commits what is synced at the same time together
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC


class FolderObjects(LocalObjects):
    """Objects as files below a folder.

    A file is written beside its final name, synced, linked to it, and its folder synced: fsspec's own transactions
    stage in another file system and sync nothing. Small files are read and written by plain system calls, since
    anything above them costs more than the file.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(LocalFileSystem(auto_mkdir=False, skip_instance_cache=True), str(folder))
        self._folder = folder

    def read(self, path: str) -> bytes:
        """See `ObjectPlace.read`."""
        with _opened(self._full(path), path) as descriptor:
            return _read_up_to(descriptor, 0, os.fstat(descriptor).st_size)

    def read_range(self, path: str, start: int, stop: int) -> bytes:
        """See `ObjectPlace.read_range`."""
        with _opened(self._full(path), path) as descriptor:
            return _read_up_to(descriptor, start, stop)

    def write(self, path: str, chunks: Iterable[bytes]) -> int:
        """See `ObjectPlace.write`."""
        final = self._full(path)
        unfinished = _beside(final)
        try:
            size = _write_synced(unfinished, chunks, path)
            try:
                _link_new(unfinished, final, path)
                _sync_folder(os.path.dirname(final))  # noqa: PTH120  a Path costs as much as the write
            except StorageError:
                raise
            except OSError as error:
                raise _refusal(path, error) from error
        except BaseException:
            self._remove_empty_folders((self._folder / path).parent)
            raise
        finally:
            with suppress(OSError):
                os.unlink(unfinished)  # noqa: PTH108  as above
        return size

    def replace(self, path: str, content: bytes) -> None:
        """See `ObjectPlace.replace`."""
        final = self._full(path)
        unfinished = _beside(final)
        try:
            _write_synced(unfinished, [content], path)
            with _named(path):
                os.replace(unfinished, final)  # noqa: PTH105  as above
                _sync_folder(os.path.dirname(final))  # noqa: PTH120  as above
        except BaseException:
            with suppress(OSError):
                os.unlink(unfinished)  # noqa: PTH108  as above
            raise

    def write_many(self, objects: Mapping[str, bytes]) -> None:
        """See `ObjectPlace.write_many`."""

        def link(unfinished: str, final: str) -> None:
            with suppress(FileExistsError):
                os.link(unfinished, final)

        self._put_many(objects, link)

    def replace_many(self, objects: Mapping[str, bytes]) -> None:
        """See `ObjectPlace.replace_many`."""
        if len(objects) == 1:
            self.replace(*next(iter(objects.items())))
        else:
            self._put_many(objects, os.replace)

    def _put_many(self, objects: Mapping[str, bytes], put: Callable[[str, str], None]) -> None:
        """Write and sync all beside their names, then put them there, then sync their folders, each once."""
        finals = {path: self._full(path) for path in objects}
        unfinished = {path: _beside(final) for path, final in finals.items()}
        try:
            with ThreadPoolExecutor(_SYNCED_AT_ONCE) as threads:
                for _ in threads.map(lambda path: _write_synced(unfinished[path], [objects[path]], path), objects):
                    pass
            for path in objects:
                with _named(path):
                    put(unfinished[path], finals[path])
                    Path(unfinished[path]).unlink(missing_ok=True)
            with _named(f"{len(objects)} at once"):
                for folder in {os.path.dirname(final) for final in finals.values()}:  # noqa: PTH120  as above
                    _sync_folder(folder)
        except BaseException:
            for each in unfinished.values():
                with suppress(OSError):
                    Path(each).unlink(missing_ok=True)
            raise

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

    def iter_sizes(self, below: str = "") -> Iterator[tuple[str, int]]:
        """See `ObjectPlace.iter_sizes`."""
        start = self._full(below) if below else self._root
        yield from ((path[len(self._root) + 1 :], size) for path, size in _walk(start))

    def read_clock(self, path: str) -> datetime:
        """See `ObjectPlace.read_clock`; of a folder on this machine's own disk that is this machine's clock."""
        unfinished = _beside(self._full(path))
        with _named(path):
            try:
                descriptor = _open_new(unfinished, path)
                try:
                    os.write(descriptor, b"?")
                    modified = os.fstat(descriptor).st_mtime_ns
                finally:
                    os.close(descriptor)
            finally:
                Path(unfinished).unlink(missing_ok=True)
        self._remove_empty_folders(Path(unfinished).parent)
        return datetime.fromtimestamp(modified / 1e9, UTC)

    def delete_unfinished(self, prefix: str) -> None:
        """See `ObjectPlace.delete_unfinished`."""
        if prefix.endswith("/") and not os.path.isdir(self._full(prefix)):  # noqa: PTH112  a Path costs more
            return
        start = self._folder / prefix
        with _named(prefix):
            beside = [] if prefix.endswith("/") else [(start.parent, start.name)]
            for folder, beginning in (*beside, (start, "")):
                with suppress(FileNotFoundError), os.scandir(folder) as entries:
                    for each in entries:
                        if each.name.startswith(beginning) and each.name.endswith(UNFINISHED):
                            Path(each).unlink(missing_ok=True)
                            _sync_folder(folder)
        if start.is_dir():
            self._remove_empty_folders(start)

    def _remove_empty_folders(self, folder: Path) -> None:
        while folder not in {self._folder, self._folder.parent}:
            try:
                folder.rmdir()
            except OSError:  # not empty, or another process was quicker
                return
            folder = folder.parent


def _walk(folder: str) -> Iterator[tuple[str, int]]:
    """Go through the files below a folder in the order of their paths: a folder counts as its name and a slash."""
    try:
        with os.scandir(folder) as entries:
            found = sorted((f"{each.name}/" if each.is_dir() else each.name, each) for each in entries)
    except (FileNotFoundError, NotADirectoryError):
        return
    for name, each in found:
        if name.endswith("/"):
            yield from _walk(each.path)
        elif not name.endswith(UNFINISHED):
            try:
                yield each.path, each.stat().st_size
            except FileNotFoundError:  # removed meanwhile
                continue


def _beside(final: str) -> str:
    """Return where this thread writes what shall become an object; a leftover of a dead process is in nobody's way."""
    return f"{final}.{os.getpid()}-{threading.get_ident()}{UNFINISHED}"


def _refusal(path: str, error: OSError) -> StorageError:
    """Return the error that names the object which the medium refuses."""
    return StorageError(f"The object {path} cannot be written: {error.strerror or error}.")


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Turn what the medium refuses into an error that names the object."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise _refusal(path, error) from error


@contextmanager
def _opened(final: str, path: str) -> Iterator[int]:
    try:
        descriptor = os.open(final, os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
    except NO_SUCH_OBJECT:
        raise ObjectNotFoundError(f"There is no object {path!r}.") from None
    except OSError as error:
        raise StorageError(f"The object {path} cannot be read: {error.strerror or error}.") from error


def _read_up_to(descriptor: int, start: int, stop: int) -> bytes:
    content = os.pread(descriptor, stop - start, start)
    while start + len(content) < stop and (
        more := os.pread(descriptor, stop - start - len(content), start + len(content))
    ):
        content += more
    return content


def _link_new(unfinished: str, final: str, path: str) -> None:
    try:
        os.link(unfinished, final)  # unlike a rename, refuses to replace what is there
    except FileExistsError:
        raise ObjectExistsError(f"There is an object {path} already.") from None


def _write_synced(unfinished: str, chunks: Iterable[bytes], path: str) -> int:
    """Write and sync a file; what the chunks raise comes through as it is."""
    size = 0
    try:
        with open(_open_new(unfinished, path), "wb", buffering=0) as file:
            for chunk in chunks:
                try:
                    written = file.write(chunk)
                    while written < len(chunk):
                        written += file.write(memoryview(chunk)[written:])
                except OSError as error:
                    raise _refusal(path, error) from error
                size += len(chunk)
            try:
                os.fsync(file.fileno())
            except OSError as error:
                raise _refusal(path, error) from error
    except BaseException:
        with suppress(OSError):
            os.unlink(unfinished)  # noqa: PTH108  as above
        raise
    return size


def _open_new(unfinished: str, path: str) -> int:
    try:
        try:
            return os.open(unfinished, _NEW, 0o666)
        except FileNotFoundError:
            _make_folders(Path(unfinished).parent)
            return os.open(unfinished, _NEW, 0o666)
    except OSError as error:
        raise _refusal(path, error) from error


def _make_folders(folder: Path) -> None:
    """Make a folder and those above it, and sync each entry that is new."""
    if folder.is_dir():
        return
    _make_folders(folder.parent)
    folder.mkdir(exist_ok=True, mode=0o700)
    _sync_folder(folder.parent)


def _sync_folder(folder: str | Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
