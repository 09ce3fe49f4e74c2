"""Objects on a server: retries, whole-or-nothing and no overwriting, once for every remote backend."""

import posixpath
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from typing import TypeVar

from kelarec.errors import (
    ForkedError,
    KelarecError,
    ObjectExistsError,
    ObjectNotFoundError,
    StorageError,
    UnreachableError,
)
from kelarec.storage.objects.contract import OneByOne, run_ahead
from kelarec.storage.objects.requests import Part, Requests, already_there, iter_parts, not_there
from kelarec.storage.objects.retries import Retries, never_settled

_R = TypeVar("_R")


class RemoteObjects(OneByOne):
    """An object place over the requests of a backend.

    A request without an answer is made again, a bounded number of times. Before a write is, the place is asked whether
    the first attempt did it and only the reply was lost: so that it yields one object and no error.
    """

    def __init__(self, requests: Requests, retries: Retries | None = None) -> None:
        self._requests = requests
        self._retries = retries or Retries()

    def __repr__(self) -> str:
        return f"RemoteObjects({type(self._requests).__name__})"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("A place is opened where it is needed; its credentials are never pickled.")

    def require_place(self) -> None:
        """Check that the bucket or server is there and lets this client in.

        Raises:
            PlaceNotFoundError: There is no such bucket or container.
            UnreachableError: The server does not answer.
            CredentialsRefusedError: It refuses these credentials.
        """
        self._ask("The place cannot be opened", self._requests.require_place)

    def write(self, path: str, chunks: Iterable[bytes]) -> int:
        """See `ObjectPlace.write`."""
        _require_name(path)
        if self._find_size(path) is not None:
            raise already_there(path)
        parts = iter_parts(chunks, self._requests.part_bytes)
        first = next(parts)
        if first.is_last:
            self._ask(
                f"The object {path} cannot be written",
                lambda: self._requests.put(path, first.content, is_new=True),
                is_settled=lambda: self._is_written(path, first),
            )
            return first.stop
        return self._write_in_parts(path, first, parts)

    def read(self, path: str) -> bytes:
        """See `ObjectPlace.read`."""
        return self._get(path, 0, None)

    def read_range(self, path: str, start: int, stop: int) -> bytes:
        """See `ObjectPlace.read_range`."""
        return self._get(path, start, stop)[: max(0, stop - start)]

    def get_size(self, path: str) -> int:
        """See `ObjectPlace.get_size`."""
        size = self._find_size(path)
        if size is None:
            raise not_there(path)
        return size

    def iter_paths(self, below: str = "") -> Iterator[str]:
        """See `ObjectPlace.iter_paths`."""
        yield from (path for path, _ in self.iter_sizes(below))

    def iter_sizes(self, below: str = "") -> Iterator[tuple[str, int]]:
        """See `ObjectPlace.iter_sizes`."""
        last = ""
        for page in self._requests.iter_pages(below):
            for path, size in self._ask("The place cannot be listed", page) or ():
                if path != last:  # a server may show an object twice while it is being replaced
                    yield path, size
                last = path

    def read_clock(self, path: str) -> datetime:
        """See `ObjectPlace.read_clock`."""
        self.replace(path, b"?")
        try:
            told = self._ask("The place's clock cannot be read", lambda: self._requests.get_modified_at(path))
        finally:
            self.delete(path)
        if told is None:
            raise UnreachableError("The place does not tell its time.")
        return told.astimezone(UTC)

    def replace(self, path: str, content: bytes) -> None:
        """See `ObjectPlace.replace`."""
        _require_name(path)
        whole = Part(0, 0, content, is_last=True)
        self._ask(
            f"The object {path} cannot be replaced",
            lambda: self._requests.put(path, content, is_new=False),
            is_settled=lambda: self._is_written(path, whole, must_be_ours=False),
        )

    def write_many(self, objects: Mapping[str, bytes]) -> None:
        """See `ObjectPlace.write_many`; what is there is asked once for all."""
        for path in objects:
            _require_name(path)
        there = set(self.iter_paths(posixpath.commonpath([posixpath.dirname(path) for path in objects] or [""])))

        def put(path: str) -> None:
            whole = Part(0, 0, objects[path], is_last=True)
            with suppress(ObjectExistsError):
                self._ask(
                    f"The object {path} cannot be written",
                    lambda: self._requests.put(path, whole.content, is_new=True),
                    is_settled=lambda: self._is_written(path, whole),
                )

        deque(run_ahead(put, (path for path in objects if path not in there), None), maxlen=0)

    def delete(self, path: str) -> None:
        """See `ObjectPlace.delete`."""
        self._delete([path])

    def delete_many(self, paths: Iterable[str], executor: Executor | None = None) -> None:
        """See `ObjectPlace.delete_many`."""
        for _ in run_ahead(self._delete, _batches(paths, self._requests.most_deleted), executor):
            pass

    def _delete(self, paths: Sequence[str]) -> None:
        named = [path for path in paths if _is_name(path)]
        if named:
            what = f"The object {named[0]}" if len(named) == 1 else f"{len(named)} objects"
            self._ask(f"{what} cannot be deleted", lambda: self._requests.delete(named))

    def _get(self, path: str, start: int, stop: int | None) -> bytes:
        if not _is_name(path):
            raise not_there(path)
        try:
            content = self._ask(f"The object {path} cannot be read", lambda: self._requests.get(path, start, stop))
        except ObjectNotFoundError:
            raise not_there(path) from None
        return content or b""

    def _find_size(self, path: str) -> int | None:
        if not _is_name(path):
            return None
        try:
            return self._ask(f"The object {path} cannot be looked up", lambda: self._requests.get_size(path))
        except ObjectNotFoundError:
            return None

    def _write_in_parts(self, path: str, first: Part, others: Iterator[Part]) -> int:
        what = f"The object {path} cannot be written"
        upload: str | None = None
        try:
            upload = self._begin(path, what)
            receipts = [self._put_part(path, upload, first, what)]
            last = first
            for part in others:
                receipts.append(self._put_part(path, upload, part, what))
                last = part
            self._complete(path, upload, receipts, last, what)
        except BaseException:
            with suppress(StorageError):  # what it was that failed says more
                self._ask(what, lambda: self._requests.abort(path, upload))
            raise
        return last.stop

    def _begin(self, path: str, what: str) -> str:
        def discard_unknown() -> bool:
            self._named(what, lambda: self._requests.abort(path, None))  # begun, but its name was lost with the reply
            return False

        upload = self._ask(what, lambda: self._requests.begin(path), is_settled=discard_unknown)
        if upload is None:
            raise UnreachableError(f"{what}: it was not begun.")
        return upload

    def _put_part(self, path: str, upload: str, part: Part, what: str) -> str:
        # Some stores let the object appear with its last part, and then know the upload no more.
        is_settled = (lambda: self._is_written(path, part)) if part.is_last else never_settled
        return self._ask(what, lambda: self._requests.put_part(path, upload, part), is_settled=is_settled) or ""

    def _complete(self, path: str, upload: str, receipts: Sequence[str], last: Part, what: str) -> None:
        self._ask(
            what,
            lambda: self._requests.complete(path, upload, receipts),
            is_settled=lambda: self._is_written(path, last),
        )

    def _is_written(self, path: str, last: Part, *, must_be_ours: bool = True) -> bool:
        """Tell whether the object is there as this writer wrote it: its length and its last part are the same."""
        what = f"The object {path} cannot be looked up"
        try:
            size = self._named(what, lambda: self._requests.get_size(path))
            end = self._named(what, lambda: self._requests.get(path, last.start, None)) if size == last.stop else None
        except ObjectNotFoundError:
            return False
        if end == last.content:
            return True
        if must_be_ours:
            raise already_there(path)
        return False

    def _ask(
        self, what: str, request: Callable[[], _R], *, is_settled: Callable[[], bool] = never_settled
    ) -> _R | None:
        return self._retries.run(lambda: self._named(what, request), is_settled=is_settled)

    def _named(self, what: str, request: Callable[[], _R]) -> _R:
        try:
            return request()
        except KelarecError:
            raise
        except Exception as error:
            if isinstance(error, RuntimeError) and "fork" in str(error):
                raise ForkedError("A place is used in a process forked from the one that opened it.") from None
            named = self._requests.name_error(error, what)
            if named is None:
                raise
            raise named from None


def _is_name(path: str) -> bool:
    return bool(path) and "\0" not in path


def _require_name(path: str) -> None:
    if not _is_name(path) or any(step in {"", ".", ".."} for step in path.split("/")):
        raise StorageError(f"No object can be called {path!r}.")


def _batches(paths: Iterable[str], size: int) -> Iterator[list[str]]:
    source = iter(paths)
    while batch := list(islice(source, size)):
        yield batch
