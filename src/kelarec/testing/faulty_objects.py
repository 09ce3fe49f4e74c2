"""Object stores that fail on purpose, at the call that is named: for the tests of whoever stands on a place."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from datetime import datetime
from enum import Enum
from typing import TypeVar

from kelarec.errors import KelarecError, UnreachableError
from kelarec.storage.objects import ObjectPlace
from kelarec.storage.objects.contract import OneByOne
from kelarec.storage.objects.requests import Page, Part, Requests, name_builtin_error, unreachable

_R = TypeVar("_R")


class Fault(Enum):
    """What goes wrong with a call."""

    TIMEOUT = "time-out"
    """Nothing arrives, and no answer comes."""
    UNAVAILABLE = "503"
    """The server says that it is not there for anybody now."""
    RESET = "reset"
    """The connection breaks before anything arrives."""
    SLOW = "slow"
    """It is done, and the answer comes at last."""
    LOST_REPLY = "lost reply"
    """It is done, and nobody hears of it."""
    TORN = "torn"
    """Half of it arrives, then the connection breaks; a store that shows nothing unfinished shows nothing."""


class _UnavailableError(Exception):
    """What a client library makes of 503."""


class Faults:
    """Which calls of one or several stores go wrong, counted from 1 over all of them.

    Args:
        fault: What goes wrong.
        at: The calls with it; none if empty.
        sleep: Waits the seconds that a slow answer takes.
        slow_seconds: So many.

    Attributes:
        calls: How many there were.
        names: What each was.
    """

    def __init__(
        self,
        fault: Fault,
        at: Iterable[int] = (),
        *,
        sleep: Callable[[float], None] = lambda _: None,
        slow_seconds: float = 2.0,
    ) -> None:
        self._fault = fault
        self._at = frozenset(at)
        self._sleep = sleep
        self._slow_seconds = slow_seconds
        self._turn = threading.Lock()
        self.calls = 0
        self.names: list[str] = []

    def run(self, name: str, call: Callable[[], _R], half: Callable[[], object] | None = None) -> _R:
        """Make a call, or let it go wrong if it is one of those."""
        with self._turn:
            self.calls += 1
            self.names.append(name)
            fault = self._fault if self.calls in self._at else None
        match fault:
            case Fault.TIMEOUT:
                raise TimeoutError("no answer")
            case Fault.UNAVAILABLE:
                raise _UnavailableError("503")
            case Fault.RESET:
                raise ConnectionResetError("reset")
            case Fault.TORN:
                if half is not None:
                    half()
                raise ConnectionResetError("reset half-way")
            case Fault.LOST_REPLY:
                call()
                raise TimeoutError("no answer")
            case Fault.SLOW:
                self._sleep(self._slow_seconds)
        return call()


class FaultyRequests:
    """The requests of a backend, of which some go wrong; `RemoteObjects` is to make good for it.

    Args:
        inner: The real ones.
        faults: Which go wrong.
        shows_half: A torn write leaves half an object under its name: a store that breaks its word, to prove that a
            test would notice.
    """

    def __init__(self, inner: Requests, faults: Faults, *, shows_half: bool = False) -> None:
        self._inner = inner
        self._faults = faults
        self._shows_half = shows_half
        self.part_bytes = inner.part_bytes
        self.most_deleted = inner.most_deleted

    def put(self, path: str, content: bytes, *, is_new: bool) -> None:
        """See `Requests.put`."""
        half = content[: len(content) // 2]
        torn = (lambda: self._inner.put(path, half, is_new=False)) if self._shows_half else None
        self._faults.run("put", lambda: self._inner.put(path, content, is_new=is_new), torn)

    def begin(self, path: str) -> str:
        """See `Requests.begin`."""
        return self._faults.run("begin", lambda: self._inner.begin(path))

    def put_part(self, path: str, upload: str, part: Part) -> str:
        """See `Requests.put_part`."""
        return self._faults.run("put_part", lambda: self._inner.put_part(path, upload, part))

    def complete(self, path: str, upload: str, receipts: Sequence[str]) -> None:
        """See `Requests.complete`."""
        self._faults.run("complete", lambda: self._inner.complete(path, upload, receipts))

    def abort(self, path: str, upload: str | None) -> None:
        """See `Requests.abort`."""
        self._faults.run("abort", lambda: self._inner.abort(path, upload))

    def get(self, path: str, start: int, stop: int | None) -> bytes:
        """See `Requests.get`."""
        return self._faults.run("get", lambda: self._inner.get(path, start, stop))

    def get_size(self, path: str) -> int:
        """See `Requests.get_size`."""
        return self._faults.run("get_size", lambda: self._inner.get_size(path))

    def get_modified_at(self, path: str) -> datetime:
        """See `Requests.get_modified_at`."""
        return self._faults.run("get_modified_at", lambda: self._inner.get_modified_at(path))

    def iter_pages(self, below: str) -> Iterator[Page]:
        """See `Requests.iter_pages`."""
        for page in self._inner.iter_pages(below):
            yield lambda page=page: self._faults.run("list", page)

    def delete(self, paths: Sequence[str]) -> None:
        """See `Requests.delete`."""
        half = paths[: len(paths) // 2]
        self._faults.run("delete", lambda: self._inner.delete(paths), lambda: self._inner.delete(half))

    def require_place(self) -> None:
        """See `Requests.require_place`."""
        self._faults.run("require_place", self._inner.require_place)

    def name_error(self, error: Exception, what: str) -> KelarecError | None:
        """See `Requests.name_error`."""
        if isinstance(error, _UnavailableError):
            return unreachable(what, "503")
        return self._inner.name_error(error, what)


class FaultyObjects(OneByOne):
    """An object place of which some calls go wrong for good, after all retries: what its users must bear.

    Args:
        inner: The real place.
        faults: Which go wrong.

    Attributes:
        is_away: The place does not answer at all.
    """

    def __init__(self, inner: ObjectPlace, faults: Faults | None = None) -> None:
        self._inner = inner
        self._faults = faults or Faults(Fault.TIMEOUT)
        self.is_away = False

    def write(self, path: str, chunks: Iterable[bytes]) -> int:
        """See `ObjectPlace.write`."""
        return self._run("write", lambda: self._inner.write(path, chunks))

    def read(self, path: str) -> bytes:
        """See `ObjectPlace.read`."""
        return self._run("read", lambda: self._inner.read(path))

    def read_range(self, path: str, start: int, stop: int) -> bytes:
        """See `ObjectPlace.read_range`."""
        return self._run("read_range", lambda: self._inner.read_range(path, start, stop))

    def get_size(self, path: str) -> int:
        """See `ObjectPlace.get_size`."""
        return self._run("get_size", lambda: self._inner.get_size(path))

    def iter_paths(self, below: str = "") -> Iterator[str]:
        """See `ObjectPlace.iter_paths`."""
        return iter(self._run("iter_paths", lambda: list(self._inner.iter_paths(below))))

    def iter_sizes(self, below: str = "") -> Iterator[tuple[str, int]]:
        """See `ObjectPlace.iter_sizes`."""
        return iter(self._run("iter_sizes", lambda: list(self._inner.iter_sizes(below))))

    def read_clock(self, path: str) -> datetime | None:
        """See `ObjectPlace.read_clock`."""
        return self._run("read_clock", lambda: self._inner.read_clock(path))

    def replace(self, path: str, content: bytes) -> None:
        """See `ObjectPlace.replace`."""
        self._run("replace", lambda: self._inner.replace(path, content))

    def delete(self, path: str) -> None:
        """See `ObjectPlace.delete`."""
        self._run("delete", lambda: self._inner.delete(path))

    def delete_many(self, paths: Iterable[str], executor: Executor | None = None) -> None:
        """See `ObjectPlace.delete_many`."""
        listed = list(paths)
        self._run("delete_many", lambda: self._inner.delete_many(listed, executor))

    def _run(self, name: str, call: Callable[[], _R]) -> _R:
        if self.is_away:
            raise UnreachableError("The place is away.")
        try:
            return self._faults.run(name, call)
        except (TimeoutError, ConnectionError, _UnavailableError) as error:
            raise name_builtin_error(error, "The place") or unreachable("The place", "503") from None
