"""The log's rows in their order, a page at a time: writers wait for no more than a page."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import select

from kelarec.audit.entries import EntryKind
from kelarec.storage import catalog_tables as tables
from kelarec.storage.vault import Vault

_PAGE: Final = 5000
_CLEAR: Final = ("id", "kind", "at", "actor", "recording_id", "session_id", "purpose")
_SEALED: Final = ("ends_on", "payload", "leaf")
Row = dict[str, Any]


def iter_rows(vault: Vault, opened: frozenset[EntryKind]) -> Iterator[Row]:
    """Go through the rows of entries that still tell something, oldest first; some kinds with what they hold sealed.

    Args:
        vault: The archive's.
        opened: The kinds whose rows have a payload, for `open_entry`.
    """
    waiting = {row["id"]: row for row in _read(vault, tables.waiting, 0, opened)}
    last = -1
    while page := _read(vault, tables.entries, last + 1, opened):
        for row in page:
            waiting.pop(row["id"], None)  # it was numbered meanwhile
            yield row
        last = page[-1]["place"]
    yield from waiting.values()


def _read(vault: Vault, table: Any, first: int, opened: frozenset[EntryKind]) -> list[Row]:  # noqa: ANN401  a table
    place = table.c.leaf_index if table is tables.entries else table.c.position
    kinds = sorted(kind.value for kind in opened)
    wanted = select(place.label("place"), *(table.c[name] for name in _CLEAR)).where(table.c.actor != "")
    if table is tables.entries:
        wanted = wanted.where(place >= first).limit(_PAGE)
    with vault.database.begin() as connection:
        rows = [dict(row) for row in connection.execute(wanted.order_by(place)).mappings()]
        if not rows:
            return []
        sealed = select(place.label("place"), *(table.c[name] for name in _SEALED)).where(
            table.c.kind.in_(kinds), place.between(rows[0]["place"], rows[-1]["place"])
        )
        by_place = {row["place"]: dict(row) for row in connection.execute(sealed).mappings()}
    return [{**row, **by_place.get(row["place"], {})} for row in rows]
