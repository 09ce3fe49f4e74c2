"""What the log tells of erasures: which were begun and neither done nor given up. The log is their only list."""

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, func, select, text, union_all

from kelarec.audit.entries import EntryKind
from kelarec.audit.log_rows import HALVES, LOG, OLDEST_FIRST
from kelarec.storage import catalog_tables as tables

_ASKED_AT_ONCE: Final = 10_000  # parameters: SQLite takes three times as many
_KINDS: Final = (EntryKind.ERASURE_BEGUN, EntryKind.ERASURE_ABANDONED, EntryKind.ERASED)
_TOLD: Final = union_all(
    *(half.where(text(tables.tells_of_erasures), text("actor != ''")) for half in HALVES)
).subquery("told")
_STEP: Final = func.sum(text("CASE kind WHEN 'erasure-begun' THEN 1 WHEN 'data-key-exported' THEN 0 ELSE -1 END"))
_UNFINISHED: Final = select(_TOLD.c.recording_id).group_by(_TOLD.c.recording_id).having(_STEP > 0)


def list_unfinished(connection: Connection) -> list[UUID]:
    """Return the recordings whose erasure was begun and is neither done nor given up."""
    found = connection.execute(_UNFINISHED).scalars()
    return sorted(UUID(bytes=each) for each in found if each is not None)


def find_newest(connection: Connection, recording_ids: Collection[UUID]) -> dict[UUID, Any]:
    """Return the newest row of the log about the erasure of each of some recordings that it tells of."""
    return dict(_iter_rows(connection, recording_ids, _KINDS))


def find_leaf_deaths(connection: Connection, recording_ids: Collection[UUID]) -> dict[UUID, list[Any]]:
    """Return the rows of the log that tell of destroyed leaves of some recordings, oldest first."""
    found: dict[UUID, list[Any]] = {}
    for each, row in _iter_rows(connection, recording_ids, (EntryKind.LEAF_DESTROYED,)):
        found.setdefault(each, []).append(row)
    return found


def find_unspooled(connection: Connection, recording_ids: Collection[UUID]) -> set[UUID]:
    """Return those of some recordings of whose take the log says that the spool has dropped it or given it on."""
    kinds = (EntryKind.RECORDING_ABANDONED, EntryKind.RECORDING_STORED)
    return {each for each, _ in _iter_rows(connection, recording_ids, kinds)}


def count_exports(connection: Connection, recording_ids: Collection[UUID]) -> Counter[UUID]:
    """Return how often the data keys of some recordings were handed out."""
    return Counter(each for each, _ in _iter_rows(connection, recording_ids, (EntryKind.DATA_KEY_EXPORTED,)))


def list_exported(connection: Connection) -> list[UUID]:
    """Return the recordings whose data keys were handed out, one for each time."""
    wanted = select(_TOLD.c.recording_id).where(_TOLD.c.kind == EntryKind.DATA_KEY_EXPORTED.value)
    return [UUID(bytes=each) for each in connection.execute(wanted).scalars() if each is not None]


def list_erased(connection: Connection) -> list[Any]:
    """Return the rows of the log that tell of recordings that were erased before their date."""
    return list(connection.execute(select(_TOLD).where(_TOLD.c.kind == EntryKind.ERASED.value)).mappings())


def find_days_kept(connection: Connection, recording_ids: Collection[UUID]) -> dict[UUID, Any]:
    """Return the log's row that tells the last day kept of each of some recordings: when it was stored or begun."""
    return dict(_iter_rows(connection, recording_ids, (EntryKind.RECORDING_STORED, EntryKind.RECORDING_BEGUN)))


def _iter_rows(
    connection: Connection, recording_ids: Collection[UUID], kinds: Collection[EntryKind]
) -> Iterator[tuple[UUID, Any]]:
    ids = [each.bytes for each in recording_ids]
    wanted = select(LOG).where(LOG.c.kind.in_([kind.value for kind in kinds]), LOG.c.actor != "")
    for start in range(0, len(ids), _ASKED_AT_ONCE):
        some = wanted.where(LOG.c.recording_id.in_(ids[start : start + _ASKED_AT_ONCE]))
        for row in connection.execute(some.order_by(*OLDEST_FIRST)).mappings():
            yield UUID(bytes=row["recording_id"]), row
