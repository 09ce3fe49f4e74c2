"""How far the end of each date has come: closed, its keys destroyed, told in the log, cleared away.

A date is closed before its keys die: from then on nobody stores or holds anything under it, and no keys are ever made
for it again. What is written here follows from the log; a rebuild makes it anew from there.
"""

from collections.abc import Collection, Iterable
from datetime import date
from typing import Any, Final

from attrs import frozen
from sqlalchemy import Connection, insert, select, update

from kelarec.errors import DateClosedError
from kelarec.storage import catalog_tables as tables

TURN: Final = "closing"
"""Whoever closes a date, or announces a hold, first takes this turn: a hold comes wholly before or wholly after."""

_ROWS: Final = tables.closed_dates.c


@frozen
class ClosedDate:
    """How far the end of one date has come.

    Attributes:
        day: The last day kept.
        closed_by: Who closed it, as the log names who acts.
        keys_destroyed_at: Since when its keys are gone for sure, in microseconds since 1970; None if that is to come.
        told_at: When the log was told of it; None if that is to come.
        cleared_at: When the last of its objects and rows was removed; None if that is to come.
        ended: How many recordings became unreadable for good with its keys.
        silenced: How many log entries no longer tell whom they concern.
        removed: How many recordings were removed.
        removed_bytes: How many bytes of sealed objects were removed.
    """

    day: date
    closed_by: str
    keys_destroyed_at: int | None
    told_at: int | None
    cleared_at: int | None
    ended: int
    silenced: int
    removed: int
    removed_bytes: int


def close(connection: Connection, day: date, *, by: str, at: int) -> None:
    """Close a date, unless it is closed; the caller has taken the `TURN`."""
    if find(connection, day) is None:
        counts = {"ended": 0, "silenced": 0, "removed": 0, "removed_bytes": 0}
        connection.execute(
            insert(tables.closed_dates).values(day=day.toordinal(), closed_at=at, closed_by=by, **counts)
        )


def find(connection: Connection, day: date) -> ClosedDate | None:
    """Return how far the end of a date has come, or None if it is not closed."""
    row = connection.execute(select(tables.closed_dates).where(_ROWS.day == day.toordinal())).one_or_none()
    return None if row is None else _to_closed(row)


def find_before(connection: Connection, day: date) -> dict[date, ClosedDate]:
    """Return all dates before a day that are closed."""
    rows = connection.execute(select(tables.closed_dates).where(_ROWS.day < day.toordinal())).all()
    return {each.day: each for each in map(_to_closed, rows)}


def note(connection: Connection, day: date, **facts: int) -> None:
    """Write how far a date has come."""
    connection.execute(update(tables.closed_dates).where(_ROWS.day == day.toordinal()).values(**facts))


def note_once(connection: Connection, day: date, fact: str, at: int) -> bool:
    """Write that something is done; return whether it was not before, so that of several only one tells of it."""
    wanted = (_ROWS.day == day.toordinal(), _ROWS[fact].is_(None))
    return bool(connection.execute(update(tables.closed_dates).where(*wanted).values({fact: at})).rowcount)


def count_removed(connection: Connection, day: date, recordings: int, size: int) -> None:
    """Add to the counts of what was removed of a date."""
    connection.execute(
        update(tables.closed_dates)
        .where(_ROWS.day == day.toordinal())
        .values(removed=_ROWS.removed + recordings, removed_bytes=_ROWS.removed_bytes + size)
    )


def take_if_uncleared(connection: Connection, day: date) -> bool:
    """Take a closed date for this transaction alone; false if it is cleared, or another transaction has it."""
    wanted = select(_ROWS.day).where(_ROWS.day == day.toordinal(), _ROWS.cleared_at.is_(None))
    return connection.execute(wanted.with_for_update(skip_locked=True)).first() is not None


def require_not_closed(connection: Connection, days: Collection[date]) -> None:
    """Check that dates are not closed.

    Raises:
        DateClosedError: One is.
    """
    ordinals = sorted({day.toordinal() for day in days})
    closed = connection.execute(select(_ROWS.day).where(_ROWS.day.in_(ordinals)).order_by(_ROWS.day)).scalars().first()
    if closed is not None:
        raise DateClosedError(f"The date {date.fromordinal(closed).isoformat()} is being ended, or has ended.")


def restore(connection: Connection, days: Iterable[date], *, by: str, at: int) -> None:
    """Write that the keys of dates were destroyed and told of; what is left of them is looked for by the next sweep."""
    for day in sorted(set(days)):
        close(connection, day, by=by, at=at)
        note(connection, day, keys_destroyed_at=at, told_at=at)


def _to_closed(row: Any) -> ClosedDate:  # noqa: ANN401  a row of the driver's types
    return ClosedDate(
        day=date.fromordinal(row.day),
        closed_by=row.closed_by,
        keys_destroyed_at=row.keys_destroyed_at,
        told_at=row.told_at,
        cleared_at=row.cleared_at,
        ended=row.ended,
        silenced=row.silenced,
        removed=row.removed,
        removed_bytes=row.removed_bytes,
    )
