"""The steps of an erasure, each of which may be done again: keys and rows, objects, spool, and looking for remains.

Rows and key leaves go in one transaction, so that nobody finds what cannot be opened any more. What the log says was
begun is found there and finished by whoever comes next, wherever a process died.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from kelarec.audit.entries import EntryKind
from kelarec.audit.erasure_entries import find_leaf_deaths, find_unspooled
from kelarec.audit.log import AuditLog
from kelarec.domain.erasure import Complete, Incomplete, Outcome, Pending
from kelarec.domain.people import Actor
from kelarec.errors import HeldError, KelarecError, StorageError
from kelarec.retention.erasure import new_leaf_entry, read_leaf_entry
from kelarec.retention.erasure_targets import ErasureTarget
from kelarec.storage.erased_rows import (
    StandingHold,
    erase_rows,
    is_placed_in_vain,
    iter_remaining_rows,
    list_standing_holds,
)
from kelarec.storage.holds import Holds
from kelarec.storage.key_cache import CACHED_FOR_SECONDS
from kelarec.storage.key_leaves import KeyLeaf, puncture_leaves
from kelarec.storage.keyring import TURN
from kelarec.storage.objects.contract import run_ahead
from kelarec.storage.recordings import Recordings, from_microseconds
from kelarec.storage.vault import Vault

CACHED_FOR: Final = timedelta(seconds=CACHED_FOR_SECONDS)


class ErasureSteps:
    """What is done to the recordings of an erasure, in this order."""

    def __init__(self, vault: Vault, log: AuditLog, drop_from_spool: Callable[[Collection[UUID]], None]) -> None:
        self._vault = vault
        self._log = log
        self._drop_from_spool = drop_from_spool

    def destroy(self, targets: Sequence[ErasureTarget], *, by: Actor) -> None:
        """Remove the rows of recordings of one date and destroy their key leaves, in one transaction.

        Raises:
            HeldError: A hold that is not the decision's own was placed meanwhile.
            KeyUnavailableError, IntegrityError, StorageError: The keys are not whole, or a place refuses.
        """
        ids = [target.recording_id for target in targets]
        leaves = [leaf for target in targets for leaf in target.leaves]
        day = targets[0].kept_through
        with self._vault.database.begin() as connection:
            self._vault.database.take_turn(connection, TURN)
            require_unheld(list_standing_holds(connection, ids), {t.recording_id: t.held for t in targets})
            erase_rows(connection, ids, day)
            for hold_id in {target.held[0] for target in targets if target.held is not None}:
                self._end_hold(connection, hold_id)
            there = {each for each in {leaf.day for leaf in leaves} if self._vault.keyring.has(each)}
            alive = puncture_leaves(self._vault, connection, [leaf for leaf in leaves if leaf.day in there])
            deaths = [row for rows in find_leaf_deaths(connection, ids).values() for row in rows]
            told = {read_leaf_entry(self._log.open_payload(row)) for row in deaths}
            for leaf in leaves:
                if leaf in alive or leaf not in told:
                    self._log.append(connection, new_leaf_entry(self._log, EntryKind.LEAF_DESTROYED, leaf, by=by))
        self._log.wake()

    def _end_hold(self, connection: Connection, hold_id: UUID) -> None:
        """Release the decision's own hold once it keeps nothing; its objects, whose wraps are noise, go with it."""
        if is_placed_in_vain(connection, hold_id):
            Holds(self._vault, Recordings(self._vault)).release(connection, hold_id)

    def is_untouched(self, targets: Iterable[ErasureTarget]) -> bool:
        """Whether every key leaf is still there: a step that failed has destroyed nothing. If in doubt it is not."""
        leaves = [leaf for target in targets for leaf in target.leaves]
        try:
            return not any(self._find_dead(leaves))
        except KelarecError:
            return False

    def _find_dead(self, leaves: Iterable[KeyLeaf]) -> Iterator[str]:
        by_day: dict[date, list[str]] = {}
        for leaf in leaves:
            by_day.setdefault(leaf.day, []).append(leaf.name)
        for day, names in by_day.items():
            yield from self._vault.keyring.find_punctured(day, names)

    def remove(self, targets: Sequence[ErasureTarget]) -> None:
        """Drop takes from the spool of this process, and remove the objects, records before content.

        Raises:
            StorageError: A place refuses; doing it again goes on.
        """
        self._drop_from_spool({target.recording_id for target in targets if target.is_spooled})
        paths = self._list_objects(targets)
        records = [path for path in paths if path.rpartition("/")[2].startswith("record-")]
        self._vault.objects.delete_many(records)
        self._vault.objects.delete_many(sorted(set(paths) - set(records)))
        for target in targets:
            self._vault.objects.delete_unfinished(f"{target.folder}/")

    def _list_objects(self, targets: Sequence[ErasureTarget]) -> list[str]:
        def list_below(folder: str) -> list[str]:
            return list(self._vault.objects.iter_paths(folder))

        listed = run_ahead(list_below, [target.folder for target in targets], None)
        return [path for _, paths in listed for path in paths]

    def look(self, targets: Sequence[ErasureTarget]) -> Outcome:
        """Look for what is left, as everybody else would find it, and tell.

        Raises:
            CatalogError: It cannot be told from the catalog.
        """
        ids = [target.recording_id for target in targets]
        days = {leaf.day for target in targets for leaf in target.leaves}
        with self._vault.database.begin() as connection:
            rows = ", ".join(iter_remaining_rows(connection, ids, days))
            died_at = self._find_death(connection, targets)
            undropped = {t.recording_id for t in targets if t.is_spooled} - find_unspooled(connection, ids)
        left = self._look_at_keys(targets) or self._look_at_objects(targets)
        if left is not None:
            return left
        if rows:
            return Incomplete("catalog", f"It still has {rows}.")
        until = died_at + CACHED_FOR
        if self._vault.now() < until:
            return Pending("processes that have read the keys before forget them", until)
        if undropped:
            return Incomplete("spool", f"{len(undropped)} live takes elsewhere have not said that they were dropped.")
        return Complete()

    def _look_at_keys(self, targets: Sequence[ErasureTarget]) -> Incomplete | None:
        leaves = [leaf for target in targets for leaf in target.leaves]
        try:
            there = [leaf for leaf in leaves if self._vault.keyring.has(leaf.day)]
            alive = len(there) - sum(1 for _ in self._find_dead(there))
        except (KelarecError, OSError) as error:
            return Incomplete("keys", f"It could not be told: {error}")
        return Incomplete("keys", f"{alive} key leaves are still there.") if alive else None

    def _look_at_objects(self, targets: Sequence[ErasureTarget]) -> Incomplete | None:
        try:
            left = self._list_objects(targets)
        except StorageError as error:
            return Incomplete("objects", f"It could not be told: {error}")
        return Incomplete("objects", f"{len(left)} objects are still there.") if left else None

    def _find_death(self, connection: Connection, targets: Sequence[ErasureTarget]) -> datetime:
        deaths = find_leaf_deaths(connection, [target.recording_id for target in targets])
        if len(deaths) < len({target.recording_id for target in targets}):
            return self._vault.now()  # one is still to come
        return from_microseconds(max(row["at"] for rows in deaths.values() for row in rows))


def require_unheld(holds: Iterable[StandingHold], own: "dict[UUID, tuple[UUID, date] | None]") -> None:
    """Check that no hold but the decision's own keeps any of some recordings (design: never under another's).

    Raises:
        HeldError: One does; it is named.
    """
    for hold in holds:
        held = own[hold.recording_id]
        if held is None or held[0] != hold.id:
            raise HeldError(
                f"The hold {hold.id} ({hold.kind.value}, {hold.ground}) keeps the recording {hold.recording_id}; "
                "nothing was erased."
            )
