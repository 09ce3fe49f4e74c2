"""The file operations of the spool: a thin seam, so that a test can record them, drop what was not synced, and refuse.

One set of operations for every spool; what differs is where the bytes lie.
"""

import fcntl
import os
import threading
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

_LOCK: Final = "owner"
_MOST_BUFFERS: Final = 1000  # Linux takes 1,024 in one call


class SpoolFiles(Protocol):
    """What the spool asks of the medium that it lies on. Names are those of files in one folder."""

    def create(self, name: str) -> int:
        """Make a new, empty file and return a handle to it; its name is durable after `sync_names`."""
        ...

    def open(self, name: str) -> int:
        """Return a handle to read an existing file by."""
        ...

    def append(self, handle: int, pieces: Sequence[bytes]) -> None:
        """Write at the end of a file; durable after `sync`."""
        ...

    def wipe(self, name: str, offset: int, length: int) -> None:
        """Write zeros over a stretch of a file, and sync it."""
        ...

    def sync(self, handle: int) -> None:
        """Bring what was written to a file onto the medium."""
        ...

    def sync_names(self) -> None:
        """Bring the names of files onto the medium."""
        ...

    def cut(self, handle: int, length: int) -> None:
        """Take away what a file holds beyond a length."""
        ...

    def read(self, handle: int, offset: int, length: int) -> bytes:
        """Return up to so many bytes of a file."""
        ...

    def close(self, handle: int) -> None:
        """Let go of a handle."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""
        ...

    def list_names(self) -> list[str]:
        """Return the names of all files, in order."""
        ...

    def release(self) -> None:
        """Let go of the folder; without files in it, it goes too."""
        ...


class FolderFiles:
    """Files in a folder of this machine, owned by one process at a time.

    Ownership is a lock (flock) on the file ``owner``, which ends with the process however it ends.
    """

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder = folder
        self._lock = lock
        _close_in_forks(self)

    @classmethod
    def create_folder(cls, folder: Path) -> "FolderFiles":
        """Make a folder and own it.

        Raises:
            OSError: The medium refuses.
        """
        unready = folder.with_name(f"{folder.name}.new")  # nobody can take what does not yet bear its name
        unready.mkdir(mode=0o700)
        lock = os.open(unready / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        unready.rename(folder)
        files = cls(folder, lock)
        files.sync_names()
        _sync_folder(folder.parent)
        return files

    @classmethod
    def take_over(cls, folder: Path) -> "FolderFiles | None":
        """Own a folder that nobody owns any more; None if somebody does, or it is gone."""
        try:
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_same = os.path.samestat(os.fstat(lock), (folder / _LOCK).stat())
        except (BlockingIOError, FileNotFoundError):
            is_same = False
        if not is_same:
            os.close(lock)
            return None
        return cls(folder, lock)

    def create(self, name: str) -> int:
        """See `SpoolFiles.create`."""
        return os.open(self.folder / name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def open(self, name: str) -> int:
        """See `SpoolFiles.open`."""
        return os.open(self.folder / name, os.O_RDONLY | os.O_CLOEXEC)

    def append(self, handle: int, pieces: Sequence[bytes]) -> None:
        """See `SpoolFiles.append`."""
        for start in range(0, len(pieces), _MOST_BUFFERS):
            batch = pieces[start : start + _MOST_BUFFERS]
            written = os.writev(handle, batch)
            left = sum(map(len, batch)) - written
            if left:  # a medium that is nearly full takes a part
                _write_all(handle, b"".join(batch)[written:])

    def wipe(self, name: str, offset: int, length: int) -> None:
        """See `SpoolFiles.wipe`."""
        descriptor = os.open(self.folder / name, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.pwrite(descriptor, bytes(length), offset)
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)

    def sync(self, handle: int) -> None:
        """See `SpoolFiles.sync`."""
        os.fdatasync(handle)

    def sync_names(self) -> None:
        """See `SpoolFiles.sync_names`."""
        _sync_folder(self.folder)

    def cut(self, handle: int, length: int) -> None:
        """See `SpoolFiles.cut`."""
        os.ftruncate(handle, length)

    def read(self, handle: int, offset: int, length: int) -> bytes:
        """See `SpoolFiles.read`."""
        return os.pread(handle, length, offset)

    def close(self, handle: int) -> None:
        """See `SpoolFiles.close`."""
        os.close(handle)

    def remove(self, name: str) -> None:
        """See `SpoolFiles.remove`."""
        (self.folder / name).unlink(missing_ok=True)

    def list_names(self) -> list[str]:
        """See `SpoolFiles.list_names`."""
        return sorted(entry.name for entry in os.scandir(self.folder) if entry.name != _LOCK)

    def release(self) -> None:
        """See `SpoolFiles.release`."""
        if self._lock < 0:
            return
        if not self.list_names():
            with suppress(OSError):
                (self.folder / _LOCK).unlink()
                self.folder.rmdir()
        self.forget_lock()

    def forget_lock(self) -> None:
        """Close the lock's descriptor."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)


class MemoryFiles:
    """Files in this process's memory; gone with the process."""

    def __init__(self) -> None:
        self._files: dict[str, bytearray] = {}
        self._handles: dict[int, bytearray] = {}
        self._next = 0
        self._turn = threading.Lock()

    def create(self, name: str) -> int:
        """See `SpoolFiles.create`."""
        self._files[name] = bytearray()
        return self.open(name)

    def open(self, name: str) -> int:
        """See `SpoolFiles.open`."""
        with self._turn:
            self._next += 1
            self._handles[self._next] = self._files[name]
            return self._next

    def append(self, handle: int, pieces: Sequence[bytes]) -> None:
        """See `SpoolFiles.append`."""
        self._handles[handle] += b"".join(pieces)

    def wipe(self, name: str, offset: int, length: int) -> None:
        """See `SpoolFiles.wipe`."""
        self._files[name][offset : offset + length] = bytes(length)

    def sync(self, handle: int) -> None:
        """See `SpoolFiles.sync`: memory has no medium."""

    def sync_names(self) -> None:
        """See `SpoolFiles.sync_names`: memory has no medium."""

    def cut(self, handle: int, length: int) -> None:
        """See `SpoolFiles.cut`."""
        del self._handles[handle][length:]

    def read(self, handle: int, offset: int, length: int) -> bytes:
        """See `SpoolFiles.read`."""
        return bytes(self._handles[handle][offset : offset + length])

    def close(self, handle: int) -> None:
        """See `SpoolFiles.close`."""
        self._handles.pop(handle, None)

    def remove(self, name: str) -> None:
        """See `SpoolFiles.remove`."""
        self._files.pop(name, None)

    def list_names(self) -> list[str]:
        """See `SpoolFiles.list_names`."""
        return sorted(self._files)

    def release(self) -> None:
        """See `SpoolFiles.release`."""
        self._files.clear()


def _write_all(handle: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _close_in_forks(files: FolderFiles) -> None:
    """See to it that a forked child does not keep the folder owned when its parent is gone."""
    known = weakref.ref(files)

    def let_go() -> None:
        alive = known()
        if alive is not None:
            alive.forget_lock()

    os.register_at_fork(after_in_child=let_go)
