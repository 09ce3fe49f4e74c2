"""Bulk work: the same done to many things, on threads, processes or a cluster, in order and with a bounded backlog.

A work item is ids and paths, and what comes back are plain values. What crosses to another process is a configuration
by which it opens keys and objects itself; no key is ever pickled.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from itertools import islice
from typing import Final, TypeVar

from attrs import frozen

from kelarec.errors import InvalidValueError
from kelarec.storage.vault import Vault

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

Reopen = Callable[[], Vault]
"""Opens keys and objects where the work is done: a function of a module with arguments that may be pickled."""


@frozen
class Progress:
    """How far a piece of bulk work is.

    Attributes:
        stage: What is being done, such as ``recording`` or ``log``.
        done: How many things of this stage are done.
    """

    stage: str
    done: int


ShowProgress = Callable[[Progress], object]

_BACKLOG: Final = 32
_MOST_THREADS: Final = 8


@frozen
class Bulk:
    """Where bulk work on one archive is done."""

    vault: Vault
    executor: Executor
    reopen: Reopen | None

    def run(
        self,
        work: Callable[[Vault, _Item], _Result],
        items: Iterable[_Item],
        *,
        unclaimed: Callable[[_Result], object] | None = None,
    ) -> Generator[_Result, None, None]:
        """Do a piece of work for each item; the results come in the order of the items.

        Args:
            work: A function of a module.
            items: What may be pickled.
            unclaimed: Is given each result still to come when the work is broken off; what runs is waited for.

        Raises:
            InvalidValueError: The executor may be another process, and the archive lives in this one's memory.
        """
        call: Callable[[_Item], _Result]
        if isinstance(self.executor, ThreadPoolExecutor):
            call = partial(work, self.vault)
        elif self.reopen is not None:
            call = partial(_work_elsewhere, self.reopen, work)
        else:
            raise InvalidValueError(
                "An archive in memory is worked on by threads only.", advice="Give a ThreadPoolExecutor, or none."
            )
        waiting = iter(items)
        running: deque[Future[_Result]] = deque()
        try:
            running.extend(self.executor.submit(call, item) for item in islice(waiting, _BACKLOG))
            while running:
                result = running.popleft().result()
                running.extend(self.executor.submit(call, item) for item in islice(waiting, 1))
                yield result
        finally:
            for future in running:
                future.cancel()
            if unclaimed is not None:
                for future in running:
                    with suppress(CancelledError, Exception):  # it failed like the one that broke the work off, or less
                        unclaimed(future.result())


@contextmanager
def open_bulk(vault: Vault, executor: Executor | None, reopen: Reopen | None) -> Iterator[Bulk]:
    """Have work done on an executor that stays the caller's, or on threads that end with the block."""
    if executor is not None:
        yield Bulk(vault, executor, reopen)
        return
    with ThreadPoolExecutor(min(_MOST_THREADS, (os.cpu_count() or 1) + 2)) as threads:
        yield Bulk(vault, threads, reopen)


def _work_elsewhere(reopen: Reopen, work: Callable[[Vault, _Item], _Result], item: _Item) -> _Result:
    return work(_open_once(reopen, os.getpid()), item)


@lru_cache(maxsize=4)
def _open_once(reopen: Reopen, _process_id: int) -> Vault:
    return reopen()
