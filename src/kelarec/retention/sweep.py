"""Ends what is over, and holds what must not end: the retention of one archive.

Reading stops at the exact end by itself; the sweep makes it final, everywhere and in every backup. A sweep that is
killed anywhere is finished by the next one.
"""

from collections.abc import Collection, Iterable
from concurrent.futures import Executor
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from kelarec.audit.log import AuditLog
from kelarec.domain.hold import Hold
from kelarec.domain.people import Actor
from kelarec.domain.register import Register
from kelarec.domain.staff_acts import Act
from kelarec.errors import InvalidValueError
from kelarec.retention.certificates import Certificates
from kelarec.retention.due import MOST_DATES
from kelarec.retention.erasing import Erasures
from kelarec.retention.forecast import Forecast, forecast
from kelarec.retention.holding import Holding
from kelarec.retention.plausible_time import GRACE
from kelarec.retention.results import ShowProgress, Swept, SweptDate
from kelarec.retention.returned import remove_returned
from kelarec.retention.shortening import RetentionPreview, preview_register
from kelarec.retention.sweep_task import SweepTask
from kelarec.retention.sweeping import Sweep
from kelarec.storage.keys_ahead import make_keys_ahead
from kelarec.storage.registers import Registers
from kelarec.storage.vault import Vault

__all__ = ["GRACE", "MOST_DATES", "Retention", "Swept", "SweptDate"]

_A_MONTH: Final = timedelta(days=30)
_A_MINUTE: Final = timedelta(minutes=1)
_AN_HOUR: Final = timedelta(hours=1)


class Retention:
    """Ends what is over, and holds what must not end."""

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
        self._holding = Holding(vault, log)
        self.erasures = Erasures(vault, log) if erasures is None else erasures
        self.certificates = Certificates(vault, log) if certificates is None else certificates

    def forecast(self) -> Forecast:
        """Return what ends when; see `kelarec.retention.forecast`."""
        return forecast(self._vault)

    def sweep(
        self,
        *,
        by: Actor,
        catch_up: Collection[date] = (),
        executor: Executor | None = None,
        progress: ShowProgress | None = None,
    ) -> Swept:
        """Destroy the keys of every date that ended at least an hour ago, then remove what they sealed.

        Before a date's keys die, holds that were announced are completed, those that nobody has reviewed are moved on
        for 30 days with an alarm, and the date is closed: nobody stores or holds anything under it any more. Several
        processes may sweep at once; one that is killed leaves nothing that the next does not finish.

        Args:
            by: The system or operator who sweeps.
            catch_up: Dates that may be swept beyond the three a sweep takes by itself, or although the log holds an
                entry of a later time than now.
            executor: Threads that delete objects; the place's own if none are given.
            progress: Is called with how far it is, after every few hundred recordings.

        Raises:
            ClockError: More than three dates are due, which a sweep in daily use never meets but a wrong clock makes
                look so; or the log holds an entry of a later time. Nothing was destroyed; name the dates to go on.
            ClocksDisagreeError: The clocks of this machine, the database and the object store are more than five
                minutes apart. Nothing was destroyed.
            DeniedError: A staff member without a role that grants it.
            StorageError: A key could not be destroyed, or something removed; the next sweep goes on.

        Source: the notice, section 9; GDPR, Art. 5(1)(e).
        """
        self._log.require_may(by, Act.SWEEP)
        swept = Sweep(self._vault, self._log, self._registers.versions).run(
            by=by, catch_up=catch_up, executor=executor, progress=progress
        )
        self._log.wake()
        make_keys_ahead(self._vault, self._registers.versions)
        self.erasures.finish_all(by=by)
        remove_returned(self._vault, self._log, self._registers.versions, by=by)
        return swept

    def start(self, *, by: Actor, every: timedelta = _AN_HOUR) -> SweepTask:
        """Sweep now and then again and again, in a thread of this process, until the task is stopped.

        Args:
            by: The system that sweeps.
            every: How long to wait from the end of one sweep to the next; a minute to a day.

        Raises:
            InvalidValueError: The pause is shorter or longer.
        """
        if every < _A_MINUTE:
            raise InvalidValueError("A pause between sweeps is a minute at least.", advice="Once an hour is plenty.")
        return SweepTask(lambda: self.sweep(by=by), every)

    def preview(self, register: Register, *, by: Actor) -> RetentionPreview:
        """Tell what another version of the register would mean for the recordings there are; nothing is changed.

        Each recording keeps the last day that it was promised when it was made: a longer period is for what is recorded
        under the new version only.

        Raises:
            DeniedError: A staff member without a role that grants it.
        """
        self._log.require_may(by, Act.SWEEP)
        return preview_register(self._vault, register)

    def hold(self, recording_ids: Iterable[UUID], *, ground: str, reason: str, review_on: date, by: Actor) -> Hold:
        """Let recordings outlive their last day until a review date, read only for the purpose of the hold.

        Several holds may keep one recording; each keeps by itself. On the ground ``open-request`` it belongs to the
        request and ends with its answer.

        Args:
            recording_ids: Which; all of them are held, or none.
            ground: One of `kelarec.domain.hold.GROUNDS`.
            reason: In a few words; sealed with the hold.
            review_on: The last date on which it holds; somebody looks at it by then. At most a year ahead.
            by: Who places it.

        Raises:
            InvalidHoldError: No ground, no reason, no review date, or one that is not after today.
            ReviewTooFarError: The review date is more than a year ahead.
            InvalidValueError: It names no recording.
            DeniedError: A staff member without a role that grants it, or there is no such recording.
            ExpiredError: A recording's last day is over and nothing holds it.
            DateClosedError: A recording's last day is just being ended.
            ChangedMeanwhileError: A recording was erased or changed again and again; nothing is held.
            StorageError: A place refuses.

        Source: GDPR, Art. 17(3) and 18(1)(c); the rules, R8 and R10.
        """
        return self._holding.hold(recording_ids, ground=ground, reason=reason, review_on=review_on, by=by)

    def list_holds(self, *, by: Actor, recording_id: UUID | None = None) -> tuple[Hold, ...]:
        """Return the holds that were not released, of all recordings or of one; the earliest review first.

        Raises:
            DeniedError: A staff member without a role that grants it.
        """
        return self._holding.list_holds(by=by, recording_id=recording_id)

    def due_reviews(self, *, by: Actor, within: timedelta = _A_MONTH) -> tuple[Hold, ...]:
        """Return the holds whose review date is near or over, and those that a sweep had to move on unreviewed.

        Args:
            by: Who asks.
            within: How near.

        Raises:
            DeniedError: A staff member without a role that grants it.
        """
        return self._holding.due_reviews(by=by, within=within)

    def review(self, hold_id: UUID, review_on: date, *, by: Actor) -> Hold:
        """Let a hold go on to another review date, since somebody has looked at it and its ground still stands.

        Raises:
            UnknownHoldError: There is no such hold, or it was released.
            InvalidHoldError, ReviewTooFarError: The date is not after today, more than a year ahead, the one it has, or
                one that it gave up before.
            DeniedError: A staff member without a role that grants it.
            DateClosedError: That date is just being ended.
            StorageError: A place refuses; the hold stands as it was.
        """
        return self._holding.review(hold_id, review_on, by=by)

    def release(self, hold_id: UUID, *, by: Actor) -> None:
        """Let a hold keep nothing any more: what no other holds ends on its own day, or now if that is over.

        Raises:
            SamePersonError: Who releases has placed it, and it is not a request's.
            UnknownHoldError: There is no such hold, or it was released before.
            DeniedError: A staff member without a role that grants it.
            StorageError: A place refuses; the next sweep completes what was begun.
        """
        self._holding.release(hold_id, by=by)
