"""Removing the rows of single recordings before their day, with all by which they were found or held."""

from collections.abc import Collection, Iterator, Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

from attrs import frozen
from sqlalchemy import ColumnElement, Connection, and_, delete, func, select

from kelarec.domain.hold import HoldKind, HoldState
from kelarec.storage import catalog_tables as tables
from kelarec.storage.recordings import to_date
from kelarec.storage.tokens import token_range

_ROWS: Final = tables.recordings.c
_HELD: Final = tables.held_recordings.c
_HOLDS: Final = tables.holds.c
_TOKENS: Final = tables.tokens.c


@frozen
class StandingHold:
    """A hold that keeps a recording, by what its row tells in clear."""

    id: UUID
    recording_id: UUID
    kind: HoldKind
    ground: str
    review_on: date


def list_standing_holds(connection: Connection, recording_ids: Collection[UUID]) -> tuple[StandingHold, ...]:
    """Return the holds that keep any of some recordings; none that is placed meanwhile is missed.

    The recordings' rows are locked, so whoever places a hold waits and finds them gone, or has placed it before.
    """
    ids = [each.bytes for each in recording_ids]
    connection.execute(select(_ROWS.id).where(_ROWS.id.in_(ids)).order_by(_ROWS.id).with_for_update()).all()
    wanted = (
        select(_HOLDS.id, _HELD.recording_id, _HOLDS.kind, _HOLDS.ground, _HELD.review_on)
        .join(tables.held_recordings, _HELD.hold_id == _HOLDS.id)
        .where(_HELD.recording_id.in_(ids), _HOLDS.state == HoldState.PLACED.value)
        .order_by(_HOLDS.id, _HELD.recording_id)
    )
    return tuple(
        StandingHold(
            UUID(bytes=row.id), UUID(bytes=row.recording_id), HoldKind(row.kind), row.ground, to_date(row.review_on)
        )
        for row in connection.execute(wanted)
    )


def is_placed_in_vain(connection: Connection, hold_id: UUID) -> bool:
    """Whether a hold is placed and keeps no recording any more."""
    placed = select(_HOLDS.id).where(_HOLDS.id == hold_id.bytes, _HOLDS.state == HoldState.PLACED.value)
    held = select(_HELD.recording_id).where(_HELD.hold_id == hold_id.bytes)
    return connection.execute(placed).first() is not None and connection.execute(held).first() is None


def erase_row(connection: Connection, recording_id: UUID, kept_through: date) -> bool:
    """Remove the row of a recording, its tokens and what holds have of it; return whether there was a row."""
    return erase_rows(connection, [recording_id], kept_through) > 0


def erase_rows(connection: Connection, recording_ids: Sequence[UUID], kept_through: date) -> int:
    """Remove the rows of recordings of one date, their tokens and what holds have of them; return how many there were.

    A date's tokens are gone through once, however many recordings there are.
    """
    ids = [each.bytes for each in recording_ids]
    removed = connection.execute(delete(tables.recordings).where(_ROWS.id.in_(ids))).rowcount
    reviews = connection.execute(select(_HELD.review_on).where(_HELD.recording_id.in_(ids)).distinct()).scalars()
    for day in {kept_through, *map(to_date, reviews)}:
        connection.execute(delete(tables.tokens).where(_are_tokens_of(ids, day)))
    connection.execute(delete(tables.held_recordings).where(_HELD.recording_id.in_(ids)))
    return removed


def iter_remaining_rows(connection: Connection, recording_ids: Sequence[UUID], days: Collection[date]) -> Iterator[str]:
    """Go through what the catalog still holds of recordings that were erased, in words."""
    ids = [each.bytes for each in recording_ids]
    counted: list[tuple[str, Any]] = [
        ("rows", select(func.count()).select_from(tables.recordings).where(_ROWS.id.in_(ids))),
        ("wraps of holds", select(func.count()).select_from(tables.held_recordings).where(_HELD.recording_id.in_(ids))),
    ]
    counted += [("tokens", select(func.count()).select_from(tables.tokens).where(_are_tokens_of(ids, d))) for d in days]
    for what, wanted in counted:
        count = connection.execute(wanted).scalar_one()
        if count:
            yield f"{count} {what}"


def _are_tokens_of(ids: Sequence[bytes], day: date) -> ColumnElement[bool]:
    first, beyond = token_range(day)
    return and_(_TOKENS.token >= first, _TOKENS.token < beyond, _TOKENS.recording_id.in_(ids))
