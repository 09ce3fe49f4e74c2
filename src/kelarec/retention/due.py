"""Which dates are due: over for an hour, with something under their keys or something left of them."""

from collections.abc import Collection
from datetime import date
from typing import Any, Final

from attrs import frozen
from sqlalchemy import Connection, Select, select

from kelarec.domain.hold import HoldState
from kelarec.errors import ClockError
from kelarec.storage import catalog_tables as tables
from kelarec.storage import closed_dates
from kelarec.storage.ended_recordings import list_dates

MOST_DATES: Final = 3
"""How many dates a sweep ends that nobody has named: a weekend leaves no more, and a wrong clock may not."""

_LOGS: Final = (tables.entries, tables.waiting)


@frozen
class DueDates:
    """The dates that are due, the earliest first.

    Attributes:
        to_end: Whose keys are still to be destroyed.
        to_clear: Whose keys are destroyed, and of which something is left.
    """

    to_end: tuple[date, ...]
    to_clear: tuple[date, ...]

    @property
    def every(self) -> tuple[date, ...]:
        """All of them."""
        return tuple(sorted({*self.to_end, *self.to_clear}))


def find_due(connection: Connection, today: date) -> DueDates:
    """Return the dates before a day that are due."""
    closed = closed_dates.find_before(connection, today)
    dead = {day for day, each in closed.items() if each.keys_destroyed_at is not None}
    cleared = {day for day, each in closed.items() if each.cleared_at is not None}
    ended = list_dates(connection, is_held=False, before=today)
    held = list_dates(connection, is_held=True, before=today)  # the original day dies on its day all the same
    holds = tables.holds.c
    reviews = _dates(
        connection,
        select(holds.review_on).where(holds.review_on < today.toordinal(), holds.state != HoldState.RELEASED.value),
    )
    disclosures = tables.disclosures.c
    disclosed = _dates(connection, select(disclosures.ends_on).where(disclosures.ends_on < today.toordinal()))
    told = _find_telling(connection, today, max(cleared, default=date.min))
    holding_something = ended | held | reviews | disclosed | told | closed.keys()
    return DueDates(
        to_end=tuple(sorted(holding_something - dead)),
        to_clear=tuple(sorted(dead & (ended | disclosed | told | (closed.keys() - cleared)))),
    )


def require_few(due: DueDates, named: Collection[date]) -> None:
    """Check that no more than three dates are to end that nobody has named.

    Raises:
        ClockError: There are more.
    """
    unnamed = [day for day in due.to_end if day not in set(named)]
    if len(unnamed) > MOST_DATES:
        raise ClockError(
            f"{len(unnamed)} dates are due at once, from {unnamed[0]} to {unnamed[-1]}; nothing was destroyed.",
            advice="Check this machine's clock; if it is right, name the dates in catch_up.",
        )


def _find_telling(connection: Connection, today: date, cleared: date) -> set[date]:
    """Return the dates that end log entries which still tell; those up to one that is cleared tell no more."""
    found: set[date] = set()
    for log in _LOGS:
        within = (log.c.ends_on < today.toordinal(), log.c.ends_on > cleared.toordinal(), log.c.actor != "")
        found |= _dates(connection, select(log.c.ends_on).where(*within))
    return found


def _dates(connection: Connection, wanted: Select[Any]) -> set[date]:
    return {date.fromordinal(each) for each in connection.execute(wanted.distinct()).scalars()}
