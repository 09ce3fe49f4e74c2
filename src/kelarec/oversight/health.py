"""How an archive is, in figures for monitoring: no personal data, no session, no listing of objects."""

from datetime import date, datetime, timedelta
from typing import Final

from attrs import frozen
from sqlalchemy import Connection, func, select

from kelarec.audit.log import AuditLog
from kelarec.capture.spool_state import SpoolState
from kelarec.domain.instants import helsinki_date
from kelarec.domain.subject_request import RequestState
from kelarec.errors import StorageError
from kelarec.retention.sweep import GRACE
from kelarec.storage import catalog_tables as tables
from kelarec.storage.keys_ahead import AHEAD
from kelarec.storage.recordings import Recordings, from_microseconds
from kelarec.storage.registers import Registers
from kelarec.storage.vault import Vault

_DAY: Final = timedelta(days=1)


@frozen(kw_only=True)
class Health:
    """Figures of one instant.

    Attributes:
        at: When, UTC.
        spooled_takes: How many takes of this process are not in the archive yet.
        spooled_bytes: How large the files of this process's spool are.
        flush_lag: How long ago the spool was durable as a whole; None while nothing is being taken.
        spool_refusal: Why no take can begin just now, as an error code; None if one can.
        objects_answer: Whether the place of the objects answers.
        checkpoint_age: How long ago the newest entry was made that is under the newest signed checkpoint; None before
            the first one, or if the objects do not answer.
        waiting_entries: How many log entries wait for a checkpoint.
        longest_wait: How long the oldest of them has waited; nothing if none waits.
        overdue_dates: How many dates are over by more than the hour of grace and were not swept.
        overdue_requests: How many open requests are past their due date.
        keys_ahead: For how many of the next 35 days the keys of recordings are there; None if keys are made on demand.
    """

    at: datetime
    spooled_takes: int
    spooled_bytes: int
    flush_lag: timedelta | None
    spool_refusal: str | None
    objects_answer: bool
    checkpoint_age: timedelta | None
    waiting_entries: int
    longest_wait: timedelta
    overdue_dates: int
    overdue_requests: int
    keys_ahead: int | None


def measure_health(vault: Vault, log: AuditLog, registers: Registers, spool: SpoolState) -> Health:
    """Measure one archive; see `kelarec.Archive.health`."""
    now = vault.now()
    size, objects_answer = _read_size(log)
    with vault.database.begin() as connection:
        waiting = tables.waiting.c
        count, oldest = connection.execute(select(func.count(), func.min(waiting.at))).one()
        return Health(
            at=now,
            spooled_takes=spool.takes,
            spooled_bytes=spool.bytes,
            flush_lag=None if spool.durable_at is None else now - spool.durable_at,
            spool_refusal=spool.refusal,
            objects_answer=objects_answer,
            checkpoint_age=None if not size else _find_age(connection, size - 1, now),
            waiting_entries=count,
            longest_wait=timedelta(0) if oldest is None else now - from_microseconds(oldest),
            overdue_dates=len(list(Recordings(vault).iter_dates_before(connection, helsinki_date(now - GRACE)))),
            overdue_requests=_count_late(connection, helsinki_date(now)),
            keys_ahead=_count_keys_ahead(vault, registers, now),
        )


def _read_size(log: AuditLog) -> tuple[int | None, bool]:
    try:
        return log.find_checkpoint_size(), True
    except StorageError:
        return None, False


def _find_age(connection: Connection, leaf_index: int, now: datetime) -> timedelta | None:
    entries = tables.entries.c
    at = connection.execute(select(entries.at).where(entries.leaf_index == leaf_index)).scalar_one_or_none()
    return None if at is None else now - from_microseconds(at)


def _count_late(connection: Connection, today: date) -> int:
    columns = tables.requests.c
    late = (columns.state == RequestState.OPEN.value) & (columns.due_on < today.toordinal())
    return int(connection.execute(select(func.count()).where(late)).scalar_one())


def _count_keys_ahead(vault: Vault, registers: Registers, now: datetime) -> int | None:
    """Count from the last day of what is made now; the keys are made in order, so a few dates are asked for."""
    if not vault.keyring.outlives_process:
        return None
    last = registers.in_force(now).retention.last_day(now)
    there, beyond = 0, AHEAD.days + 1
    while beyond - there > 1:
        middle = (there + beyond) // 2
        if vault.keyring.has(last + middle * _DAY):
            there = middle
        else:
            beyond = middle
    return there
