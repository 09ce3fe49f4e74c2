"""The tree is built behind the writers: two seconds after an entry, by a thread that lives no longer than its work."""

import logging
import threading
from collections.abc import Callable
from typing import Final

from kelarec.errors import KelarecError

PAUSE_SECONDS: Final = 2.0
_LOGGER: Final = logging.getLogger("kelarec.audit")


class Background:
    """Runs a piece of work once, some time after it was woken, however often it was woken meanwhile."""

    def __init__(self, work: Callable[[], object], pause_seconds: float = PAUSE_SECONDS) -> None:
        self._work = work
        self._pause_seconds = pause_seconds
        self._guard = threading.Lock()
        self._timer: threading.Timer | None = None
        self._is_stopped = False
        self._busy = threading.Lock()

    def wake(self) -> None:
        """See to it that the work is done soon; returns at once."""
        with self._guard:
            if self._timer is None and not self._is_stopped:
                self._timer = threading.Timer(self._pause_seconds, self._run)
                self._timer.daemon = True
                self._timer.start()

    def stop(self) -> None:
        """Do no more work in the background, and wait for what is being done."""
        with self._guard:
            self._is_stopped = True
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        with self._busy:  # what has begun is waited for
            pass

    def _run(self) -> None:
        with self._guard:
            self._timer = None
        with self._busy:
            if not self._is_stopped:
                self._do()

    def _do(self) -> None:
        try:
            self._work()
        except KelarecError as error:
            # Who finds entries waiting does the work in the foreground and gets the error there.
            _LOGGER.warning("Log entries wait to be integrated: %s", error.code)
