"""The look-up tokens of recordings: those of their days in one place each, and those that nobody accounts for."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection, and_, or_, select

from kelarec.storage import catalog_tables as tables
from kelarec.storage.engine import Database
from kelarec.storage.object_kinds import Subject
from kelarec.storage.recordings import to_date
from kelarec.storage.tokens import TOKEN_BYTES, token_range

_PAGE: Final = 5000
_TOKENS: Final = tables.tokens.c
_ROWS: Final = tables.recordings.c
_HELD: Final = tables.held_recordings.c
_DAY_BYTES: Final = 4


def find_tokens(
    connection: Connection,
    rows: Mapping[str, Mapping[str, Any]],
    subjects: Iterable[Subject],
) -> dict[object, list[Mapping[str, Any]]]:
    """Return the tokens of recordings under the days of their rows and of the holds on them, by recording id."""
    by_day: dict[int, set[bytes]] = defaultdict(set)
    for subject in subjects:
        row = rows.get(subject.name)
        if row is not None:
            for day in {row["kept_through"], *(review_on for _, review_on, _ in subject.held)}:
                by_day[day].add(row["id"])
    found: dict[object, list[Mapping[str, Any]]] = {}
    for day, ids in by_day.items():
        first, beyond = token_range(to_date(day))
        wanted = select(tables.tokens).where(
            _TOKENS.token >= first, _TOKENS.token < beyond, _TOKENS.recording_id.in_(ids)
        )
        for each in connection.execute(wanted).mappings():
            found.setdefault(each["recording_id"], []).append(dict(each))
    return found


def iter_strays(database: Database) -> Iterator[tuple[object, str | None]]:
    """Go through the recordings that have tokens of a day which is none of theirs, or no row.

    Returns:
        The recording's id as the token's row has it, and the path of its record; None if it has no row.
    """
    last: tuple[Any, Any] | None = None
    page = select(tables.tokens).order_by(_TOKENS.token, _TOKENS.recording_id).limit(_PAGE)
    while True:
        with database.begin() as connection:  # a recording's row and tokens are written in one transaction
            after = page
            if last is not None:
                token, recording_id = last
                same = and_(_TOKENS.token == token, _TOKENS.recording_id > recording_id)
                after = page.where(or_(_TOKENS.token > token, same))
            found = [(row.token, row.recording_id) for row in connection.execute(after)]
            ids = {recording_id for _, recording_id in found}
            known = select(_ROWS.id, _ROWS.kept_through, _ROWS.record_object).where(_ROWS.id.in_(ids))
            days: dict[object, set[int]] = {}
            paths: dict[object, str] = {}
            for key, kept_through, path in connection.execute(known):
                days[key], paths[key] = {kept_through}, path
            held = select(_HELD.recording_id, _HELD.review_on).where(_HELD.recording_id.in_(ids))
            for key, review_on in connection.execute(held):
                days.setdefault(key, set()).add(review_on)
        strays = {
            recording_id
            for token, recording_id in found
            if recording_id not in paths or _day_of(token) not in days[recording_id]
        }
        yield from ((each, paths.get(each)) for each in strays)
        if len(found) < _PAGE:
            return
        last = found[-1]


def _day_of(token: object) -> int | None:
    is_one = isinstance(token, bytes) and len(token) == TOKEN_BYTES
    return int.from_bytes(token[:_DAY_BYTES], "big") if is_one else None  # type: ignore[index]  # bytes
