"""What kelarec asks of a place that holds objects, whatever it stands on."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Final, Protocol, TypeVar

from kelarec.errors import ObjectExistsError

UNFINISHED: Final = ".part"
"""How the name of a write ends that has not finished; no object is called so."""

_THREADS: Final = 8
_AHEAD: Final = 4 * _THREADS

_A = TypeVar("_A")
_R = TypeVar("_R")


class ObjectPlace(Protocol):
    """What kelarec asks of a place that holds objects. Paths are relative, with ``/`` between their steps.

    Each method may raise `UnreachableError`, which says that something could not be told, not that it is not so, and
    `CredentialsRefusedError`.
    """

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

    def read_many(self, paths: Iterable[str], executor: Executor | None = None) -> Iterator[tuple[str, bytes]]:
        """Go through objects in the order asked for, several being read ahead at once; by threads if none are given.

        Raises:
            ObjectNotFoundError: There is none of a name; those before it have been given.
        """
        ...

    def read_range(self, path: str, start: int, stop: int) -> bytes:
        """Return the bytes from start to before stop; fewer if the object ends earlier. One request on a network.

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

    def iter_sizes(self, below: str = "") -> Iterator[tuple[str, int]]:
        """Go through the paths of all objects below a folder, in order, each with its size in bytes."""
        ...

    def read_clock(self, path: str) -> datetime | None:
        """Return the time by the place's own clock, UTC; None if it has none of its own.

        Args:
            path: Of no object: one is written there for the time it gets, and removed again.

        Raises:
            StorageError: The medium refuses.
        """
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

    def delete_many(self, paths: Iterable[str], executor: Executor | None = None) -> None:
        """Remove many objects for good, several at once; by threads if none are given.

        Raises:
            StorageError: The medium refuses; some may be gone. Doing it again goes on.
        """
        ...

    def delete_unfinished(self, prefix: str) -> None:
        """Remove what writes that never finished have left of objects whose paths begin so; nobody may write them now.

        A prefix that ends in a slash looks into that folder only, and not at what lies beside it.

        Raises:
            StorageError: The medium refuses.
        """
        ...


class OneByOne:
    """Bulk operations of a place as many single ones, several at a time."""

    def write_many(self: ObjectPlace, objects: Mapping[str, bytes]) -> None:
        """See `ObjectPlace.write_many`."""

        def write(path: str) -> None:
            with suppress(ObjectExistsError):
                self.write(path, [objects[path]])

        deque(run_ahead(write, objects, None), maxlen=0)

    def replace_many(self: ObjectPlace, objects: Mapping[str, bytes]) -> None:
        """See `ObjectPlace.replace_many`."""
        deque(run_ahead(lambda path: self.replace(path, objects[path]), objects, None), maxlen=0)

    def iter_sizes(self: ObjectPlace, below: str = "") -> Iterator[tuple[str, int]]:
        """See `ObjectPlace.iter_sizes`."""
        yield from ((path, self.get_size(path)) for path in self.iter_paths(below))

    def read_clock(self, path: str) -> datetime | None:  # noqa: ARG002  what has no clock writes nothing
        """See `ObjectPlace.read_clock`."""
        return None

    def delete_unfinished(self, prefix: str) -> None:
        """See `ObjectPlace.delete_unfinished`: where objects appear whole, nothing is left."""

    def read_many(
        self: ObjectPlace, paths: Iterable[str], executor: Executor | None = None
    ) -> Iterator[tuple[str, bytes]]:
        """See `ObjectPlace.read_many`."""
        yield from run_ahead(self.read, paths, executor)

    def delete_many(self: ObjectPlace, paths: Iterable[str], executor: Executor | None = None) -> None:
        """See `ObjectPlace.delete_many`."""
        deque(run_ahead(self.delete, paths, executor), maxlen=0)


def run_ahead(act: Callable[[_A], _R], each: Iterable[_A], executor: Executor | None) -> Iterator[tuple[_A, _R]]:
    """Do something with each, in order, a bounded number ahead; the first error ends it."""
    waiting: deque[tuple[_A, Future[_R]]] = deque()
    with _threads(executor) as pool:
        try:
            for one in each:
                waiting.append((one, pool.submit(act, one)))
                if len(waiting) >= _AHEAD:
                    done, future = waiting.popleft()
                    yield done, future.result()
            while waiting:
                done, future = waiting.popleft()
                yield done, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


@contextmanager
def _threads(executor: Executor | None) -> Iterator[Executor]:
    if executor is not None:
        yield executor
        return
    with ThreadPoolExecutor(_THREADS) as pool:
        yield pool
