"""How far an import is, how fast, and what came of it."""

import time
from collections.abc import Callable
from typing import Final

from attrs import frozen

_EVERY: Final = 100


@frozen(kw_only=True)
class Imported:
    """What an import did.

    Attributes:
        rows: How many rows the manifest has.
        imported: How many recordings came in.
        present: How many were there already.
    """

    rows: int = 0
    imported: int = 0
    present: int = 0


@frozen(kw_only=True)
class ImportProgress:
    """How far an import is.

    Attributes:
        stage: ``checking`` or ``importing``.
        done: How many rows of this stage are done.
        total: Of how many; None while that is not known.
        content_bytes: How much content they have.
        rows_per_second: Since the stage began.
        bytes_per_second: Since the stage began.
    """

    stage: str
    done: int
    total: int | None
    content_bytes: int
    rows_per_second: float
    bytes_per_second: float


ShowImportProgress = Callable[[ImportProgress], object]


class Meter:
    """Counts what is done in one stage, and shows it now and then."""

    def __init__(self, stage: str, show: ShowImportProgress | None, total: int | None = None) -> None:
        self._stage = stage
        self._show = show
        self._total = total
        self._began = time.monotonic()
        self._done = self._bytes = self._shown = 0

    def count(self, rows: int, content_bytes: int) -> None:
        """Add what is done."""
        self._done += rows
        self._bytes += content_bytes
        if self._done - self._shown >= _EVERY:
            self.tell()

    def finish(self) -> None:
        """Show where the stage ended, unless that was just shown."""
        if self._done != self._shown or not self._done:
            self.tell()

    def tell(self) -> None:
        """Show how far it is."""
        self._shown = self._done
        if self._show is not None:
            seconds = max(time.monotonic() - self._began, 1e-6)
            self._show(
                ImportProgress(
                    stage=self._stage,
                    done=self._done,
                    total=self._total,
                    content_bytes=self._bytes,
                    rows_per_second=self._done / seconds,
                    bytes_per_second=self._bytes / seconds,
                )
            )
