"""Calls into fsspec's asynchronous file systems, each with an end in time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fsspec.asyn import sync

_R = TypeVar("_R")


def wait_for(filesystem: Any, call: Callable[[], Awaitable[_R]], seconds: float) -> _R:  # noqa: ANN401  untyped
    """Run a call on fsspec's event loop; one that has not ended by then is cancelled.

    Raises:
        TimeoutError: It did not end.
    """

    async def bounded() -> _R:
        return await asyncio.wait_for(call(), seconds)

    answer: _R = sync(filesystem.loop, bounded)
    return answer
