"""Objects in this process's memory."""

import threading
from collections.abc import Iterable

from fsspec.implementations.memory import MemoryFileSystem

from kelarec.errors import ObjectExistsError
from kelarec.storage.objects.local import LocalObjects


class MemoryObjects(LocalObjects):
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

    def delete(self, path: str) -> None:
        """See `ObjectPlace.delete`."""
        if self._filesystem.exists(self._full(path)):
            self._filesystem.rm_file(self._full(path))
