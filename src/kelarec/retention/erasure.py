"""The death of single recordings' keys before their date, and its log entry.

Removing objects and rows afterwards is housekeeping: without its key leaf a recording is noise in every copy.
"""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from uuid import UUID

from kelarec.audit.entries import Entry, EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.people import Actor
from kelarec.storage.key_cache import CACHED_FOR_SECONDS
from kelarec.storage.key_leaves import KeyLeaf, puncture_leaves
from kelarec.storage.vault import Vault


def destroy_leaves(vault: Vault, log: AuditLog, leaves: Collection[KeyLeaf], *, by: Actor) -> datetime:
    """Destroy the key leaves of some recordings for good and log each; the caller has checked that it may be done.

    Doing it again is no error. Leaves of one date are best given together: they cost little more than one.

    Returns:
        The instant from which no process can use a leaf that it derived or read before; until then the erasure is
        pending.

    Raises:
        KeyUnavailableError: A date's keys are gone altogether, or a part of them is missing.
        StorageError: The key place refuses, or still shows a leaf; the entries are not written.
    """
    with vault.database.begin() as connection:
        puncture_leaves(vault, connection, leaves)
        for leaf in leaves:
            log.append(connection, new_leaf_entry(log, EntryKind.LEAF_DESTROYED, leaf, by=by))
    log.wake()
    return vault.now() + timedelta(seconds=CACHED_FOR_SECONDS)


def new_leaf_entry(log: AuditLog, kind: EntryKind, leaf: KeyLeaf, *, by: Actor) -> Entry:
    """Build the entry that tells of a key leaf."""
    hold = {} if leaf.hold_id is None else {"hold": str(leaf.hold_id)}
    day = leaf.day.isoformat()
    return log.new_entry(kind, by, recording_id=leaf.recording_id, terms=None, kept_through=day, **hold)


def read_leaf_entry(entry: Entry) -> KeyLeaf:
    """Return the key leaf that such an entry tells of."""
    hold = entry.facts.get("hold")
    day = date.fromisoformat(entry.facts["kept-through"])
    return KeyLeaf(day, entry.recording_id, None if hold is None else UUID(hold))  # type: ignore[arg-type]  # it has one
