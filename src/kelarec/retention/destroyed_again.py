"""What the log says has died stays dead: a key place that was restored from an older copy brings nothing back."""

from datetime import date, datetime, timedelta
from typing import Final

from attrs import frozen

from kelarec.audit.entries import Entry, EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.instants import helsinki_date, start_of
from kelarec.domain.people import Actor
from kelarec.domain.register_versions import RegisterVersions
from kelarec.errors import IntegrityError, KeyUnavailableError
from kelarec.retention.erasure import new_leaf_entry, read_leaf_entry
from kelarec.retention.plausible_time import GRACE
from kelarec.storage.key_leaves import KeyLeaf, puncture_leaves
from kelarec.storage.keyring import TURN
from kelarec.storage.recordings import microseconds
from kelarec.storage.vault import Vault

_LONGEST_YEAR: Final = timedelta(days=366)


@frozen
class DestroyedAgain:
    """What had come back and was destroyed again.

    Attributes:
        dates: Whose keys were there although the log says that they were destroyed.
        leaves: Whose key leaves were there although the log says that they were destroyed.
        unreadable_entries: How many entries may name more, but were altered or the key of their own end is lost.
    """

    dates: tuple[date, ...] = ()
    leaves: tuple[KeyLeaf, ...] = ()
    unreadable_entries: int = 0


def destroy_again(vault: Vault, log: AuditLog, registers: RegisterVersions, *, by: Actor) -> DestroyedAgain:
    """Destroy every key that the log says was destroyed and that is there nevertheless; log each.

    Raises:
        StorageError: The key place refuses, or still shows a key afterwards.
        IntegrityError: The keys were altered.
    """
    days = list(vault.keyring.iter_days())
    if not days:
        return DestroyedAgain()
    # A leaf's date lies ahead of its death by what recordings are kept for, or by the year of a hold.
    reach = registers.longest_retention.years * _LONGEST_YEAR
    entries, unreadable = _read(log, start_of(days[0]), reach)
    dates = _find_dead(days, entries, helsinki_date(vault.now() - GRACE))
    erasures = [each for each in entries if each.kind is EntryKind.LEAF_DESTROYED]
    living = set(days) - set(dates)
    leaves = [leaf for leaf in map(read_leaf_entry, erasures) if leaf.day in living and _is_alive(vault, leaf)]
    if dates or leaves:
        with vault.database.begin() as connection:
            vault.database.take_turn(connection, TURN)
            for day in dates:
                vault.keyring.destroy(day)
                entry = log.new_entry(EntryKind.DESTROYED_AGAIN, by, kept_through=day.isoformat())
                log.append(connection, entry)
            for leaf in puncture_leaves(vault, connection, leaves):
                log.append(connection, new_leaf_entry(log, EntryKind.DESTROYED_AGAIN, leaf, by=by))
        log.wake()
    return DestroyedAgain(tuple(dates), tuple(leaves), unreadable)


def _read(log: AuditLog, since: datetime, reach: timedelta) -> tuple[list[Entry], int]:
    """Return the entries about dates since the first that has keys; how many cannot be read."""
    entries, unreadable = [], 0
    for row in log.get_rows_of_dead_keys(since - reach):
        if row["kind"] != EntryKind.LEAF_DESTROYED and row["at"] < microseconds(since):
            continue
        try:
            entries.append(log.open_payload(row))
        except (KeyUnavailableError, IntegrityError):
            unreadable += 1  # told, but no reason to keep everybody from everything else
    return entries, unreadable


def _find_dead(days: list[date], entries: list[Entry], today: date) -> list[date]:
    """Return the dates that the log says have died: those it names, and all up to one through which it says so.

    Of the latter only those that are over: they held nothing then, so that keys of a date to come may be new ones, made
    after a clock that was far ahead had been set right.
    """
    named = {each.facts["kept-through"] for each in entries if each.kind is EntryKind.KEYS_DESTROYED}
    through = max(
        (each.facts["through"] for each in entries if each.kind is EntryKind.EMPTY_KEYS_DESTROYED), default=""
    )
    return [day for day in days if day.isoformat() in named or (day < today and day.isoformat() <= through)]


def _is_alive(vault: Vault, leaf: KeyLeaf) -> bool:
    try:
        vault.keyring.get_leaf(leaf.day, leaf.name)
    except KeyUnavailableError:
        return False
    return True
