"""What a sweep did."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import overload

from attrs import field, frozen

from kelarec.retention.holding import MovedHold


@frozen
class SweptDate:
    """What one sweep removed of one date.

    Attributes:
        kept_through: The last day kept.
        recordings: How many recordings, which had become unreadable for good with the date's keys.
        log_entries: How many log entries no longer tell whom they concern.
        size: How many bytes of sealed objects.
    """

    kept_through: date
    recordings: int
    log_entries: int
    size: int = field(default=0)


@frozen
class Swept(Sequence[SweptDate]):
    """What a sweep did: a sequence of the dates that it ended or went on to clear away, the earliest first.

    Attributes:
        dates: The same.
        moved_holds: Holds that nobody had reviewed and that go on nevertheless: somebody has to look at them.
        waiting: Dates whose keys could not be destroyed by this process: one with the root key has to move holds first.
        unfinished: Dates of which something is left, since another process is at it.
    """

    dates: tuple[SweptDate, ...] = ()
    moved_holds: tuple[MovedHold, ...] = ()
    waiting: tuple[date, ...] = ()
    unfinished: tuple[date, ...] = ()

    @overload
    def __getitem__(self, index: int) -> SweptDate: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[SweptDate]: ...
    def __getitem__(self, index: int | slice) -> SweptDate | Sequence[SweptDate]:
        return self.dates[index]

    def __len__(self) -> int:
        return len(self.dates)

    def __iter__(self) -> Iterator[SweptDate]:
        return iter(self.dates)


@frozen
class SweepProgress:
    """How far a sweep is.

    Attributes:
        kept_through: The date that is being cleared away.
        recordings: How many recordings of it are removed by this sweep.
        size: How many bytes.
    """

    kept_through: date
    recordings: int
    size: int


ShowProgress = Callable[[SweepProgress], object]
