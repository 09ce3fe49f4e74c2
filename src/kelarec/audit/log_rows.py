"""The log's rows in the catalog: those in the tree, those that wait for it, and what a row holds sealed."""

from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, literal, select, text, union_all

from kelarec.audit.entries import Entry
from kelarec.audit.leaf import open_commitment
from kelarec.domain.instants import to_utc
from kelarec.domain.people import Actor
from kelarec.errors import IntegrityError
from kelarec.storage import catalog_tables as tables
from kelarec.storage.recordings import microseconds
from kelarec.storage.vault import Vault
from kelarec.storage.wrapping import unwrap

COLUMNS: Final = tuple(column.name for column in tables.waiting.c if column.name != "position")

# What is in the tree and what waits for it, in one statement: nothing can move from one to the other meanwhile.
HALVES: Final = tuple(
    select(literal(is_waiting).label("is_waiting"), place.label("place"), *(table.c[name] for name in COLUMNS))
    for is_waiting, table, place in (
        (0, tables.entries, tables.entries.c.leaf_index),
        (1, tables.waiting, tables.waiting.c.position),
    )
)
LOG: Final = union_all(*HALVES).subquery("log")
OLDEST_FIRST: Final = (LOG.c.is_waiting, LOG.c.place)
_OF_DEAD_KEYS: Final = (tables.tells_of_dead_keys, "at >= :since", "actor != ''")
DEAD_KEYS: Final = union_all(*(half.where(*map(text, _OF_DEAD_KEYS)) for half in HALVES)).order_by(
    "is_waiting", "place"
)


def open_entry(vault: Vault, row: Any) -> Entry:  # noqa: ANN401  a mapping of the driver's types
    """Return the entry of a row of the catalog.

    Raises:
        KeyUnavailableError: The key of its end is not there.
        IntegrityError: Leaf and payload do not belong together, or one was altered.
    """
    return open_commitment(row["leaf"], open_secret(vault, row))


def open_secret(vault: Vault, row: Any) -> bytes:  # noqa: ANN401  as above
    """Return the salt and payload of a row of the catalog; see `open_entry`."""
    key = vault.keyring.get(date.fromordinal(row["ends_on"]).isoformat()).wrapping
    if not isinstance(row["payload"], bytes) or not isinstance(row["leaf"], bytes):
        raise IntegrityError("A row of the log in the catalog is damaged.")
    payload = row["payload"].decode("ascii", "replace")
    return unwrap(key, payload, entry_context(vault, UUID(bytes=row["id"])))


def entry_context(vault: Vault, entry_id: UUID) -> bytes:
    """Return what is bound into the seal of an entry's payload."""
    return vault.subject("entry", str(entry_id)).context()


def select_entries(
    *,
    recording_id: UUID | None,
    actor: Actor | None,
    purpose: str | None,
    since: datetime | None,
    until: datetime | None,
) -> Select[Any]:
    """Return the query for entries that still tell whom they concern; see `AuditLog.iter_entries`."""
    wanted = select(LOG).where(LOG.c.actor != "")
    for column, value in (
        (LOG.c.recording_id, None if recording_id is None else recording_id.bytes),
        (LOG.c.actor, None if actor is None else str(actor)),
        (LOG.c.purpose, purpose),
    ):
        if value is not None:
            wanted = wanted.where(column == value)
    if since is not None:
        wanted = wanted.where(LOG.c.at >= microseconds(to_utc(since)))
    if until is not None:
        wanted = wanted.where(LOG.c.at < microseconds(to_utc(until)))
    return wanted
