"""Object places: named sequences of bytes that appear whole, stay as they are, and go for good.

One contract for every backend. What a backend adds is durability: how
the bytes of a finished write are brought onto the medium.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from kelarec.errors import ObjectExistsError, ObjectNotFoundError, StorageError

_UNFINISHED = ".part"
_SYNCED_AT_ONCE = 32  # a journalling file system commits what is synced at the same time together
_NO_SUCH_OBJECT = (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError)  # a name with a NUL byte


class ObjectPlace(Protocol):
    """What kelarec asks of a place that holds objects. Paths are relative, with ``/`` between their steps."""

    def write(self, path: str, chunks: Iterable[bytes]) -> int:
        """Write a new object; it appears whole and durable, or not at all. Return its size in bytes.

        Raises:
            ObjectExistsError: There is one of that name; nothing is ever overwritten.
            StorageError: The medium refuses. Whatever the chunks raise comes through.
        """
        ...

    def read(self, path: str) -> bytes:
        """Return a whole object.

        Raises:
            ObjectNotFoundError: There is none of that name.
        """
        ...

    def read_range(self, path: str, start: int, stop: int) -> bytes:
        """Return the bytes from start to before stop; fewer if the object ends earlier.

        Raises:
            ObjectNotFoundError: There is none of that name.
        """
        ...

    def get_size(self, path: str) -> int:
        """Return the size of an object in bytes.

        Raises:
            ObjectNotFoundError: There is none of that name.
        """
        ...

    def iter_paths(self, below: str = "") -> Iterator[str]:
        """Go through the paths of all objects below a folder, in order; none if there is no such folder."""
        ...

    def replace(self, path: str, content: bytes) -> None:
        """Put a new content in the place of an object, or make it; a reader sees the old or the new, whole.

        Only for what is a pointer, such as the newest checkpoint: everything else is written once.

        Raises:
            StorageError: The medium refuses; the old content stands.
        """
        ...

    def write_many(self, objects: Mapping[str, bytes]) -> None:
        """Write small new objects, each as `write` does; one that is there already stays as it is.

        Raises:
            StorageError: The medium refuses; some may have been written.
        """
        ...

    def replace_many(self, objects: Mapping[str, bytes]) -> None:
        """Replace small objects, each as `replace` does.

        Raises:
            StorageError: The medium refuses; some may have been replaced.
        """
        ...

    def delete(self, path: str) -> None:
        """Remove an object for good; one that is not there is no error.

        Raises:
            StorageError: The medium refuses, and the object is still there.
        """
        ...

    def delete_unfinished(self, prefix: str) -> None:
        """Remove what writes that never finished have left of objects whose paths begin so; nobody may write them now.

        Raises:
            StorageError: The medium refuses.
        """
        ...


class _Objects:
    """What the backends on fsspec have in common."""

    def __init__(self, filesystem: Any, root: str) -> None:  # noqa: ANN401  fsspec is untyped
        self._filesystem = filesystem
        self._root = root.rstrip("/")

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}"

    def read(self, path: str) -> bytes:
        try:
            return bytes(self._filesystem.cat_file(self._full(path)))
        except _NO_SUCH_OBJECT:
            raise ObjectNotFoundError(f"There is no object {path!r}.") from None
        except OSError as error:
            raise StorageError(f"The object {path} cannot be read: {error.strerror or error}.") from error

    def read_range(self, path: str, start: int, stop: int) -> bytes:
        try:
            return bytes(self._filesystem.cat_file(self._full(path), start=start, end=stop))
        except _NO_SUCH_OBJECT:
            raise ObjectNotFoundError(f"There is no object {path!r}.") from None
        except OSError as error:
            raise StorageError(f"The object {path} cannot be read: {error.strerror or error}.") from error

    def get_size(self, path: str) -> int:
        try:
            return int(self._filesystem.size(self._full(path)))
        except _NO_SUCH_OBJECT:
            raise ObjectNotFoundError(f"There is no object {path!r}.") from None

    def iter_paths(self, below: str = "") -> Iterator[str]:
        start = self._full(below) if below else self._root
        try:
            found = self._filesystem.find(start)
        except FileNotFoundError:
            return
        for path in sorted(found):
            relative = path[len(self._root) + 1 :]
            if not relative.endswith(_UNFINISHED):
                yield relative

    def delete_unfinished(self, prefix: str) -> None:
        """See `ObjectPlace.delete_unfinished`: where objects appear whole, nothing is left."""


class MemoryObjects(_Objects):
    """Objects in this process's memory, each place a store of its own; gone with the process."""

    def __init__(self) -> None:
        super().__init__(MemoryFileSystem(global_store=False, skip_instance_cache=True), "")
        self._writing = threading.Lock()

    def write(self, path: str, chunks: Iterable[bytes]) -> int:
        """See `ObjectPlace.write`."""
        content = b"".join(chunks)
        with self._writing:  # two threads that make one key must not both believe that theirs stands
            if self._filesystem.exists(self._full(path)):
                raise ObjectExistsError(f"There is an object {path} already.")
            self._filesystem.pipe_file(self._full(path), content)
        return len(content)

    def replace(self, path: str, content: bytes) -> None:
        """See `ObjectPlace.replace`."""
        self._filesystem.pipe_file(self._full(path), content)

    def write_many(self, objects: Mapping[str, bytes]) -> None:
        """See `ObjectPlace.write_many`."""
        for path, content in objects.items():
            with suppress(ObjectExistsError):
                self.write(path, [content])

    def replace_many(self, objects: Mapping[str, bytes]) -> None:
        """See `ObjectPlace.replace_many`."""
        for path, content in objects.items():
            self.replace(path, content)

    def delete(self, path: str) -> None:
        """See `ObjectPlace.delete`."""
        if self._filesystem.exists(self._full(path)):
            self._filesystem.rm_file(self._full(path))


class FolderObjects(_Objects):
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

    def write_many(self, objects: Mapping[str, bytes]) -> None:
        """See `ObjectPlace.write_many`."""

        def link(unfinished: Path, final: Path) -> None:
            with suppress(FileExistsError):
                os.link(unfinished, final)

        self._put_many(objects, link)

    def replace_many(self, objects: Mapping[str, bytes]) -> None:
        """See `ObjectPlace.replace_many`."""
        if len(objects) == 1:
            self.replace(*next(iter(objects.items())))
        else:
            self._put_many(objects, os.replace)

    def _put_many(self, objects: Mapping[str, bytes], put: Callable[[Path, Path], None]) -> None:
        """Write and sync all beside their names, then put them there, then sync their folders, each once."""
        finals = {path: self._folder / path for path in objects}
        unfinished = {path: _beside(final) for path, final in finals.items()}
        folders = {final.parent for final in finals.values()}
        try:
            with _named(f"{len(objects)} at once"):
                for folder in folders:
                    _make_folders(folder)
            with ThreadPoolExecutor(_SYNCED_AT_ONCE) as threads:
                for _ in threads.map(lambda path: _write_synced(unfinished[path], [objects[path]], path), objects):
                    pass
            for path in objects:
                with _named(path):
                    put(unfinished[path], finals[path])
                    unfinished[path].unlink(missing_ok=True)
            with _named(f"{len(objects)} at once"):
                for folder in folders:
                    _sync_folder(folder)
        except BaseException:
            for each in unfinished.values():
                with suppress(OSError):
                    each.unlink(missing_ok=True)
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

    def delete_unfinished(self, prefix: str) -> None:
        """See `ObjectPlace.delete_unfinished`."""
        start = self._folder / prefix
        with _named(prefix):
            for folder, beginning in ((start.parent, start.name), (start, "")):
                with suppress(FileNotFoundError), os.scandir(folder) as entries:
                    for each in entries:
                        if each.name.startswith(beginning) and each.name.endswith(_UNFINISHED):
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


def _beside(final: Path) -> Path:
    """Return where this thread writes what shall become an object; a leftover of a dead process is in nobody's way."""
    return final.with_name(f"{final.name}.{os.getpid()}-{threading.get_ident()}{_UNFINISHED}")


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
