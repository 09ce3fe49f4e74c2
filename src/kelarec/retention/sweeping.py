"""One sweep: what time it is, which dates are due, their end, what is left of them; with or without the root key."""

from collections.abc import Collection
from concurrent.futures import Executor
from datetime import date, datetime
from typing import Final

from sqlalchemy import delete

from kelarec.audit.log import AuditLog
from kelarec.audit.newest import find_newest_row
from kelarec.domain.instants import end_of, helsinki_date
from kelarec.domain.people import Actor
from kelarec.domain.register_versions import RegisterVersions
from kelarec.errors import ClockError
from kelarec.retention.clearing import Clearing
from kelarec.retention.due import DueDates, find_due, require_few
from kelarec.retention.expiry import Expiry
from kelarec.retention.holding import MovedHold
from kelarec.retention.plausible_time import GRACE, find_time, require_after_log
from kelarec.retention.results import ShowProgress, Swept
from kelarec.storage import catalog_tables as tables
from kelarec.storage.disclosures import DisclosureRegister
from kelarec.storage.recordings import microseconds
from kelarec.storage.vault import Vault

_NOTHING_DUE: Final = DueDates((), ())


class Sweep:
    """Sweeps one archive.

    Args:
        log: None if this process has no root key.
        versions: None if this process has no root key.
    """

    def __init__(self, vault: Vault, log: AuditLog | None, versions: RegisterVersions | None) -> None:
        self._vault = vault
        self._log = log
        self._versions = versions
        self._expiry = Expiry(vault, log)

    def run(
        self, *, by: Actor, catch_up: Collection[date], executor: Executor | None, progress: ShowProgress | None
    ) -> Swept:
        """Do it; see `Retention.sweep`."""
        now = find_time(self._vault)
        today = helsinki_date(now - GRACE)
        due = self._find_due(today, now, catch_up)
        self._expiry.tell_all()
        moved: list[MovedHold] = self._expiry.see_to_holds(today, by=by)
        waiting = tuple(day for day in due.to_end if not self._expiry.end(day, today, moved, by=by))
        self._destroy_empty(now, waiting, by)
        swept, unfinished = [], []
        for day in due.every:
            if day in waiting:
                continue
            clearing = Clearing(self._vault, self._log, self._versions, day, executor, progress)
            removed, is_finished = clearing.run(by=by)
            swept.append(removed)
            if not is_finished:
                unfinished.append(day)
        self._remove_what_has_no_date(now, today)
        return Swept(tuple(swept), tuple(moved), waiting, tuple(unfinished))

    def _find_due(self, today: date, now: datetime, named: Collection[date]) -> DueDates:
        with self._vault.database.begin() as connection:
            due = find_due(connection, today)
        require_few(due, named)
        try:
            require_after_log(now, self._find_newest)
        except ClockError:
            if not due.to_end or not set(due.to_end) <= set(named):
                raise
        return due

    def _find_newest(self) -> datetime | None:
        if self._log is not None:
            return self._log.find_newest_at()
        with self._vault.database.begin() as connection:
            return find_newest_row(connection)

    def _destroy_empty(self, now: datetime, waiting: Collection[date], by: Actor) -> None:
        """Destroy the keys of dates that held no more than sessions; whatever held more has died before."""
        over = (day for day in self._vault.keyring.iter_days() if end_of(day) + GRACE <= now)
        self._expiry.destroy_empty((day for day in over if day not in waiting), by=by)

    def _remove_what_has_no_date(self, now: datetime, today: date) -> None:
        with self._vault.database.begin() as connection:
            connection.execute(delete(tables.sessions).where(tables.sessions.c.ends_at <= microseconds(now)))
            DisclosureRegister(self._vault).remove_before(connection, today)
