"""Ending dates: holds are seen to, the date is closed, its keys die, the log is told. Nothing is listed before that.

    1  intents of holds are completed, holds that nobody has reviewed are moved on, those released are finished
    2  in one transaction under the turn of holds: none is in the way any more, and the date is closed
    3  in one transaction under the turn of keys: the date's keys are destroyed and read back, the log is told

Each step may be repeated, and of several processes at it one does it. A process without the root key can do all but
step 1 and the log entry, which one with the root key writes when it next opens the archive or sweeps.
"""

from collections.abc import Iterable
from contextlib import suppress
from datetime import date
from typing import Final

from sqlalchemy import Connection, func, select

from kelarec.audit import succession
from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.hold import HoldState
from kelarec.domain.people import Actor, StaffId, System
from kelarec.errors import ChangedMeanwhileError
from kelarec.retention.holding import Holding, MovedHold
from kelarec.retention.placing import Placing
from kelarec.storage import catalog_tables as tables
from kelarec.storage import closed_dates
from kelarec.storage.ended_recordings import count_ending
from kelarec.storage.engine import read_catalog_fact
from kelarec.storage.holds import Holds
from kelarec.storage.keyring import TURN
from kelarec.storage.recordings import Recordings, from_microseconds, microseconds
from kelarec.storage.vault import Vault

_MOST_TRIES: Final = 5
_SYSTEM: Final = "system:"


class Expiry:
    """Ends the dates of one archive.

    Args:
        log: Is told; None if this process has no root key and so can seal no entry.
    """

    def __init__(self, vault: Vault, log: AuditLog | None) -> None:
        self._vault = vault
        self._log = log
        self._holds = Holds(vault, Recordings(vault))

    def see_to_holds(self, today: date, *, by: Actor) -> list[MovedHold]:
        """Complete the holds that are announced, finish those released, move on those that nobody has reviewed.

        Raises:
            StorageError: A place refuses; doing it again goes on.
        """
        if self._log is None:
            return []
        placing, holding = Placing(self._vault, self._log), Holding(self._vault, self._log)
        with self._vault.database.begin() as connection:
            intents = list(self._holds.iter_in(connection, HoldState.INTENT))
            released = list(self._holds.iter_in(connection, HoldState.RELEASED))
        for hold in intents:
            with suppress(ChangedMeanwhileError):  # whoever changed it completes it, or the date is not closed
                placing.complete(hold)
        for hold in released:
            holding.finish_release(hold, by=by)
        with self._vault.database.begin() as connection:
            due = [hold for hold, state in self._holds.iter_due_before(connection, today) if state is HoldState.PLACED]
        moved = []
        for hold in due:
            with suppress(ChangedMeanwhileError):  # it was reviewed, moved or released this very moment
                moved.append(holding.move_on(hold, by=by))
        return moved

    def end(self, day: date, today: date, moved: list[MovedHold], *, by: Actor) -> bool:
        """Close a date and destroy its keys for good; false if a hold is in the way that this process cannot see to.

        Raises:
            CatalogMismatchError: Another catalog is in charge; nothing was destroyed.
            StorageError: The key place refuses, or still shows a key afterwards.
        """
        for _ in range(_MOST_TRIES):
            if self._close(day, by):
                self._destroy(day, by)
                return True
            moved += self.see_to_holds(today, by=by)
        return False

    def _close(self, day: date, by: Actor) -> bool:
        with self._vault.database.begin() as connection:
            self._vault.database.take_turn(connection, closed_dates.TURN)
            if self._holds.is_in_the_way(connection, day):
                return False
            closed_dates.close(connection, day, by=str(by), at=microseconds(self._vault.now()))
            succession.require_in_charge(self._vault.objects, read_catalog_fact(connection, "catalog"))
        return True

    def _destroy(self, day: date, by: Actor) -> None:
        with self._vault.database.begin() as connection:
            self._vault.database.take_turn(connection, TURN)
            self._vault.keyring.destroy(day)
            at = microseconds(self._vault.now())
            if closed_dates.note_once(connection, day, "keys_destroyed_at", at):
                ended, silenced = count_ending(connection, day), _count_telling(connection, day)
                closed_dates.note(connection, day, ended=ended, silenced=silenced)
            self._tell(connection, day, by)
        if self._log is not None:
            self._log.wake()

    def _tell(self, connection: Connection, day: date, by: Actor) -> None:
        """Write the log's entry of the death of a date's keys, unless it is written."""
        at = microseconds(self._vault.now())
        if self._log is None or not closed_dates.note_once(connection, day, "told_at", at):
            return
        closed = closed_dates.find(connection, day)
        if closed is not None:
            entry = self._log.new_entry(
                EntryKind.KEYS_DESTROYED,
                by,
                kept_through=day.isoformat(),
                recordings=str(closed.ended),
                log_entries=str(closed.silenced),
                destroyed_at=from_microseconds(closed.keys_destroyed_at or at).isoformat(),
            )
            self._log.append(connection, entry)

    def tell_all(self) -> tuple[date, ...]:
        """Write the log's entries of dates that a process without the root key has ended; return those dates."""
        if self._log is None:
            return ()
        with self._vault.database.begin() as connection:
            rows = tables.closed_dates.c
            untold = select(rows.day).where(rows.keys_destroyed_at.is_not(None), rows.told_at.is_(None))
            days = [date.fromordinal(each) for each in connection.execute(untold.order_by(rows.day)).scalars()]
        for day in days:
            with self._vault.database.begin() as connection:
                closed = closed_dates.find(connection, day)
                if closed is not None:
                    self._tell(connection, day, _to_actor(closed.closed_by))
        if days:
            self._log.wake()
        return tuple(days)

    def destroy_empty(self, days: Iterable[date], *, by: Actor) -> None:
        """Destroy the keys of dates that are over and hold nothing, such as those of sessions.

        Raises:
            StorageError: The key place refuses.
        """
        empty = sorted(days)
        if not empty:
            return
        with self._vault.database.begin() as connection:
            self._vault.database.take_turn(connection, TURN)
            self._vault.keyring.destroy_all(empty)
        if self._log is not None:
            through, count = empty[-1].isoformat(), str(len(empty))
            self._log.write(self._log.new_entry(EntryKind.EMPTY_KEYS_DESTROYED, by, through=through, dates=count))


def _count_telling(connection: Connection, day: date) -> int:
    counted = (
        select(func.count()).where(log.c.ends_on == day.toordinal(), log.c.actor != "")
        for log in (tables.entries, tables.waiting)
    )
    return sum(int(connection.execute(each).scalar_one()) for each in counted)


def _to_actor(text: str) -> Actor:
    return System(text.removeprefix(_SYSTEM)) if text.startswith(_SYSTEM) else StaffId(text)
