"""Sweeping as a task that the application starts: a thread that sweeps, waits, and sweeps again."""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from kelarec.errors import ClosedError, InvalidValueError, KelarecError
from kelarec.retention.results import Swept

_A_DAY: Final = timedelta(days=1)
_LOGGER: Final = logging.getLogger("kelarec.retention")


class SweepTask:
    """A sweep every now and then, until it is stopped or the archive is closed.

    An error is kept and told, and the next sweep tries again.

    Attributes:
        last: What the last sweep that succeeded did, or None.
        error: What the last sweep was refused by, or None if it succeeded.

    Raises:
        InvalidValueError: There is nothing to do, or the pause is none.
    """

    def __init__(self, sweep: Callable[[], Swept], every: timedelta) -> None:
        if not callable(sweep) or not timedelta() < every <= _A_DAY:  # type: ignore[redundant-expr]  # not all are typed
            raise InvalidValueError(
                "A task sweeps again after a pause of a day at most.", advice="Give a pause, such as an hour."
            )
        self.last: Swept | None = None
        self.error: KelarecError | None = None
        self._sweep = sweep
        self._seconds = every.total_seconds()
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kelarec-sweep", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Sweep no more, and wait for what is being swept. Stopping it twice is no error."""
        self._is_stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_stopped.is_set():
            try:
                self.last = self._sweep()
                self.error = None
            except ClosedError as error:
                self.error = error
                return
            except KelarecError as error:
                self.error = error
                _LOGGER.error("A sweep was refused: %s", error.code)  # noqa: TRY400  a traceback says no more
            self._is_stopped.wait(self._seconds)
