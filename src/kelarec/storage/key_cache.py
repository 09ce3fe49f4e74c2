"""A cache that forgets: what was read from the key place is used for a minute at most."""

import threading
from collections.abc import Callable
from typing import Final, Generic, TypeVar

CACHED_FOR_SECONDS: Final = 60.0
"""What was destroyed elsewhere may still be used for so long by a process that has read it before."""

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class ForgetfulCache(Generic[_Key, _Value]):
    """Values by key, each for `CACHED_FOR_SECONDS` after it was begun to be read."""

    def __init__(self, ticks: Callable[[], float]) -> None:
        self._ticks = ticks
        self._guard = threading.Lock()
        self._forgotten = 0
        self._kept: dict[_Key, tuple[float, _Value]] = {}

    def get(self, key: _Key, read: Callable[[], _Value]) -> _Value:
        """Return a value, read anew if it is not here or too old."""
        now = self._ticks()
        with self._guard:
            while self._kept and now - self._kept[oldest := next(iter(self._kept))][0] >= CACHED_FOR_SECONDS:
                del self._kept[oldest]
            kept = self._kept.get(key)
            forgotten = self._forgotten
        if kept is not None:
            return kept[1]
        value = read()
        with self._guard:
            if forgotten == self._forgotten:  # else it may have been read before what was forgotten meanwhile
                self._kept.pop(key, None)  # so that what was read last stands last
                self._kept[key] = (now, value)
        return value

    def forget(self, is_meant: Callable[[_Key], bool]) -> None:
        """Forget some values at once."""
        with self._guard:
            self._forgotten += 1
            for key in [key for key in self._kept if is_meant(key)]:
                del self._kept[key]
