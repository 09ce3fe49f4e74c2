"""Removing recordings whose date has ended: claimed a few at a time, their objects and rows together.

Several processes may be at it: each claims rows that no other has claimed, reads them anew while it does, and holds
them until their objects are gone. Who is killed or stalls holds up no more than what it has claimed.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from itertools import groupby
from typing import Final
from uuid import UUID

from attrs import field, frozen
from sqlalchemy import ColumnElement, Connection, bindparam, delete, exists, func, select

from kelarec.domain.instants import end_of, helsinki_date, start_of
from kelarec.storage import catalog_tables as tables
from kelarec.storage.compiled import execute_all_now
from kelarec.storage.objects import ObjectPlace
from kelarec.storage.recordings import FOLDER, from_microseconds, microseconds, to_date
from kelarec.storage.tokens import token_range

_ROWS: Final = tables.recordings.c
_HELD: Final = tables.held_recordings.c
_DELETE: Final = delete(tables.recordings).where(_ROWS.id == bindparam("wanted"))
_HOUR: Final = 3_600_000_000
_DEPTH: Final = 4  # recordings, the date, the id, the object


@frozen
class FoundObjects:
    """The objects of one recording that a listing shows.

    Attributes:
        recording_id: Of the recording, or None if its folder has no such name.
        paths: Of the objects.
        size: Of all together, in bytes.
    """

    recording_id: UUID | None
    paths: tuple[str, ...] = field(repr=False)
    size: int


def list_dates(connection: Connection, *, is_held: bool, before: date) -> set[date]:
    """Return the last days kept before a day, of recordings that a hold keeps or of those that none does."""
    held = _ROWS.held_through.is_not(None) if is_held else _ROWS.held_through.is_(None)
    wanted = select(_ROWS.kept_through).where(_ROWS.kept_through < before.toordinal(), held).distinct()
    return {to_date(each) for each in connection.execute(wanted).scalars()}


def count_ending(connection: Connection, kept_through: date) -> int:
    """Count the recordings that end with a date."""
    return int(connection.execute(select(func.count()).where(*_ending(kept_through))).scalar_one())


def list_recorded_dates(connection: Connection, kept_through: date) -> set[date]:
    """Return the dates on which the recordings that end with a date were made."""
    starts = connection.execute(select(_ROWS.started_at).where(*_ending(kept_through))).scalars()
    hours = {each // _HOUR for each in starts}  # no date begins within an hour, wherever its clocks stand
    return {helsinki_date(from_microseconds(each * _HOUR)) for each in hours}


def claim(connection: Connection, kept_through: date, first: UUID, last: UUID) -> set[UUID]:
    """Claim, until the transaction ends, recordings of a range that end with a date and nobody else has claimed."""
    wanted = select(_ROWS.id).where(_ROWS.id.between(first.bytes, last.bytes), *_ending(kept_through))
    found = connection.execute(wanted.order_by(_ROWS.id).with_for_update(skip_locked=True)).scalars()
    return {UUID(bytes=each) for each in found}


def claim_any(connection: Connection, kept_through: date, most: int) -> dict[UUID, date]:
    """Claim a few of the recordings that end with a date; return when they were made."""
    wanted = select(_ROWS.id, _ROWS.started_at).where(*_ending(kept_through)).order_by(_ROWS.id).limit(most)
    found = connection.execute(wanted.with_for_update(skip_locked=True)).all()
    return {UUID(bytes=row.id): helsinki_date(from_microseconds(row.started_at)) for row in found}


def delete_claimed(connection: Connection, ids: Collection[UUID]) -> None:
    """Remove the rows of recordings that were claimed."""
    execute_all_now(connection, _DELETE, [{"wanted": each.bytes} for each in ids])


def delete_ended_tokens(connection: Connection, kept_through: date) -> None:
    """Remove every token of a date and of those before it."""
    connection.execute(delete(tables.tokens).where(tables.tokens.c.token < token_range(kept_through)[1]))


def find_known(connection: Connection, recorded_on: date) -> set[UUID]:
    """Return the recordings of a date on which they were made that have a row, or that a hold keeps."""
    first, beyond = microseconds(start_of(recorded_on)), microseconds(end_of(recorded_on))
    rows = select(_ROWS.id).where(_ROWS.started_at >= first, _ROWS.started_at < beyond)
    found = [*connection.execute(rows).scalars(), *connection.execute(select(_HELD.recording_id).distinct()).scalars()]
    return {UUID(bytes=each) for each in found}


def iter_found(objects: ObjectPlace, recorded_on: date, recording_id: UUID | None = None) -> Iterator[FoundObjects]:
    """Go through the objects of the recordings that were made on a date, or of one of them."""
    below = f"{FOLDER}/{recorded_on.isoformat()}" + ("" if recording_id is None else f"/{recording_id}")
    for name, group in groupby(objects.iter_sizes(below), lambda each: _to_name(each[0])):
        found = tuple(group)
        yield FoundObjects(_to_id(name), tuple(path for path, _ in found), sum(size for _, size in found))


def iter_chunks(found: Iterable[FoundObjects], most: int) -> Iterator[Sequence[FoundObjects]]:
    """Cut what was found into pieces."""
    chunk: list[FoundObjects] = []
    for each in found:
        chunk.append(each)
        if len(chunk) == most:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _ending(kept_through: date) -> tuple[ColumnElement[bool], ...]:
    held = exists().where(_HELD.recording_id == _ROWS.id)
    return _ROWS.kept_through == kept_through.toordinal(), _ROWS.held_through.is_(None), ~held


def _to_name(path: str) -> str:
    steps = path.split("/")
    return steps[2] if len(steps) == _DEPTH else ""


def _to_id(name: str) -> UUID | None:
    try:
        recording_id = UUID(name)
    except ValueError:
        return None
    return recording_id if str(recording_id) == name else None
