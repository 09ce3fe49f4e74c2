"""Expiry: the keys of dates that are over are destroyed, then objects and rows are cleared away.

Reading stops at the exact end by itself; the sweep makes it final, everywhere and in every backup. A sweep that is
killed anywhere is finished by the next one.
"""

from collections.abc import Collection
from datetime import date, timedelta
from typing import Final

from attrs import frozen
from sqlalchemy import delete, select, update

from kelarec.audit.entries import EntryKind
from kelarec.audit.integrator import FOLDER
from kelarec.audit.log import AuditLog
from kelarec.domain.instants import end_of, helsinki_date
from kelarec.domain.people import Actor
from kelarec.domain.staff_acts import Act
from kelarec.errors import ClockError
from kelarec.storage import catalog_tables as tables
from kelarec.storage.recordings import Recordings, microseconds
from kelarec.storage.vault import Vault

GRACE: Final = timedelta(hours=1)
MOST_DATES: Final = 3


@frozen
class SweptDate:
    """What ended with one date.

    Attributes:
        kept_through: The last day kept.
        recordings: How many recordings became unreadable for good.
        log_entries: How many log entries no longer tell whom they concern.
    """

    kept_through: date
    recordings: int
    log_entries: int


class Retention:
    """Ends what is over."""

    def __init__(self, vault: Vault, log: AuditLog) -> None:
        self._vault = vault
        self._log = log
        self._recordings = Recordings(vault)

    def sweep(self, *, by: Actor, catch_up: Collection[date] = ()) -> tuple[SweptDate, ...]:
        """Destroy the keys of every date that ended at least an hour ago, then remove what they sealed.

        Args:
            by: The system or operator who sweeps.
            catch_up: Dates that may be swept beyond the three a sweep takes by itself.

        Raises:
            ClockError: More than three dates are due, which a sweep in daily use never meets but a wrong clock makes
                look so. Nothing was destroyed; name the dates to go on.
            DeniedError: A staff member without a role that grants it.
            StorageError: A key could not be destroyed.
        """
        self._log.require_may(by, Act.SWEEP)
        now = self._vault.now()
        today = helsinki_date(now - GRACE)
        due = self._find_due(today)
        unnamed = [day for day in due if day not in set(catch_up)]
        if len(unnamed) > MOST_DATES:
            raise ClockError(
                f"{len(unnamed)} dates are due at once, from {unnamed[0]} to {unnamed[-1]}; nothing was destroyed.",
                advice="Check this machine's clock; if it is right, name the dates in catch_up.",
            )
        swept = tuple(self._sweep_date(day, by) for day in due)
        self._log.wake()
        for day in [day for day in self._vault.keyring.iter_days() if end_of(day) + GRACE <= now]:
            self._vault.keyring.destroy(day)  # dates that held no more than sessions
        with self._vault.database.begin() as connection:
            connection.execute(delete(tables.sessions).where(tables.sessions.c.ends_at <= microseconds(now)))
        return swept

    def _find_due(self, today: date) -> list[date]:
        entries = tables.entries.c
        with self._vault.database.begin() as connection:
            due = set(self._recordings.iter_dates_before(connection, today))
            told = select(entries.ends_on).where(entries.ends_on < today.toordinal(), entries.actor != "").distinct()
            due.update(date.fromordinal(each) for each in connection.execute(told).scalars())
        return sorted(due)

    def _sweep_date(self, day: date, by: Actor) -> SweptDate:
        self._vault.keyring.destroy(day)
        with self._vault.database.begin() as connection:
            recordings = self._recordings.delete_objects(connection, day)
            for path in list(self._vault.objects.iter_paths(f"{FOLDER}/payloads/{day.isoformat()}")):
                self._vault.objects.delete(path)
            entries = tables.entries.c
            silent = connection.execute(
                update(tables.entries)
                .where(entries.ends_on == day.toordinal(), entries.actor != "")
                .values(id=b"", actor="", recording_id=None, session_id=None, purpose=None, payload=b"")
            ).rowcount
            self._recordings.delete_rows(connection, day)
            self._log.append(
                connection,
                self._log.new_entry(
                    EntryKind.KEYS_DESTROYED,
                    by,
                    kept_through=day.isoformat(),
                    recordings=str(recordings),
                    log_entries=str(silent),
                ),
            )
        return SweptDate(day, recordings, silent)
