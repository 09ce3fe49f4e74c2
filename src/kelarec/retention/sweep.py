"""Expiry: the keys of dates that are over are destroyed, then objects and rows are cleared away.

Reading stops at the exact end by itself; the sweep makes it final, everywhere and in every backup. A sweep that is
killed anywhere is finished by the next one.
"""

from collections.abc import Collection
from datetime import date, datetime, timedelta
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
from kelarec.retention.certificates import Certificates
from kelarec.retention.erasing import Erasures
from kelarec.retention.forecast import Forecast, forecast
from kelarec.retention.returned import remove_returned
from kelarec.storage import catalog_tables as tables
from kelarec.storage.disclosures import DisclosureRegister
from kelarec.storage.keyring import TURN
from kelarec.storage.keys_ahead import make_keys_ahead
from kelarec.storage.recordings import Recordings, microseconds
from kelarec.storage.registers import Registers
from kelarec.storage.vault import Vault

GRACE: Final = timedelta(hours=1)
MOST_DATES: Final = 3
_LOG_TABLES: Final = (tables.entries, tables.waiting)
_SILENCED: Final = {"actor": "", "recording_id": None, "session_id": None, "purpose": None, "payload": b""}


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

    def __init__(
        self,
        vault: Vault,
        log: AuditLog,
        registers: Registers,
        *,
        erasures: Erasures | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        self._vault = vault
        self._log = log
        self._registers = registers
        self._recordings = Recordings(vault)
        self.erasures = Erasures(vault, log) if erasures is None else erasures
        self.certificates = Certificates(vault, log) if certificates is None else certificates

    def forecast(self) -> Forecast:
        """Return what ends when; see `kelarec.retention.forecast`."""
        return forecast(self._vault)

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
        self._destroy_empty_keys(now, by)
        make_keys_ahead(self._vault, self._registers.versions)
        with self._vault.database.begin() as connection:
            connection.execute(delete(tables.sessions).where(tables.sessions.c.ends_at <= microseconds(now)))
            DisclosureRegister(self._vault).remove_before(connection, today)
        self.erasures.finish_all(by=by)
        remove_returned(self._vault, self._log, self._registers.versions, by=by)
        return swept

    def _find_due(self, today: date) -> list[date]:
        with self._vault.database.begin() as connection:
            due = set(self._recordings.iter_dates_before(connection, today))
            disclosed = (
                select(tables.disclosures.c.ends_on).where(tables.disclosures.c.ends_on < today.toordinal()).distinct()
            )
            due.update(date.fromordinal(each) for each in connection.execute(disclosed).scalars())
            for log in _LOG_TABLES:
                told = select(log.c.ends_on).where(log.c.ends_on < today.toordinal(), log.c.actor != "").distinct()
                due.update(date.fromordinal(each) for each in connection.execute(told).scalars())
        return sorted(due)

    def _destroy_empty_keys(self, now: datetime, by: Actor) -> None:
        """Destroy the keys of dates that held no more than sessions; whatever held more has died before."""
        empty = [day for day in self._vault.keyring.iter_days() if end_of(day) + GRACE <= now]
        if empty:
            with self._vault.database.begin() as connection:
                self._vault.database.take_turn(connection, TURN)
                self._vault.keyring.destroy_all(empty)
            through, count = empty[-1].isoformat(), str(len(empty))
            self._log.write(self._log.new_entry(EntryKind.EMPTY_KEYS_DESTROYED, by, through=through, dates=count))

    def _destroy_keys(self, day: date) -> None:
        with self._vault.database.begin() as connection:
            self._vault.database.take_turn(connection, TURN)
            self._vault.keyring.destroy(day)

    def _sweep_date(self, day: date, by: Actor) -> SweptDate:
        self._destroy_keys(day)
        with self._vault.database.begin() as connection:
            recordings = self._recordings.delete_objects(connection, day)
            for path in list(self._vault.objects.iter_paths(f"{FOLDER}/payloads/{day.isoformat()}")):
                self._vault.objects.delete(path)
            silent = sum(
                connection.execute(
                    update(log)
                    .where(log.c.ends_on == day.toordinal(), log.c.actor != "")
                    .values(_SILENCED if log is tables.waiting else {**_SILENCED, "id": b""})
                ).rowcount
                for log in _LOG_TABLES
            )
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
