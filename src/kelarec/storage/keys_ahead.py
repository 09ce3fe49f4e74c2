"""Day keys ahead of need: a key place restored from an older copy must hold the keys of everything in use.

Every date on which something may end that is taken in during the next five weeks has its keys already. So a copy of the
key place that is younger than that lacks no key that anything was sealed under since.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, select

from kelarec.domain.instants import helsinki_date
from kelarec.domain.register import Register
from kelarec.domain.register_versions import RegisterVersions
from kelarec.storage import catalog_tables as tables
from kelarec.storage.closed_dates import find_before
from kelarec.storage.keyring import TURN
from kelarec.storage.vault import Vault

AHEAD: Final = timedelta(days=35)
_DAY: Final = timedelta(days=1)


def find_days_needed(registers: RegisterVersions, now: datetime) -> list[date]:
    """Return the dates that may be the end of whatever is made from now until 35 days from now, earliest first.

    A version that begins within that time counts from now on.
    """
    in_force = registers.in_force_between(now, now + AHEAD)
    return sorted({day for register in in_force for day in _iter_days_needed(register, now)})


def _iter_days_needed(register: Register, now: datetime) -> Iterator[date]:
    last = max(policy.last_day(now) for policy in register.retention_policies) + AHEAD
    yield from _iter_days(helsinki_date(now), last)
    firsts = (each.last_day(now) for each in (register.log_retention, register.disclosure_retention))
    for first in sorted(firsts):
        yield from _iter_days(max(first, last + _DAY), first + AHEAD)
        last = max(last, first + AHEAD)


def make_keys_ahead(vault: Vault, registers: RegisterVersions) -> tuple[date, ...]:
    """Make the keys of all dates needed that have none, and return those of them that must have had keys before.

    Their keys are lost: what was sealed under them stays unreadable, and new keys in their place would only hide it.
    A key place in memory makes each date's keys on demand, since nobody can restore it from a copy.

    Raises:
        StorageError: The key place refuses.
    """
    if not vault.keyring.outlives_process:
        return ()
    now = vault.now()
    needed = find_days_needed(registers, now)
    if not _without_keys(vault, needed):
        return ()
    with vault.database.begin() as connection:
        vault.database.take_turn(connection, TURN)
        closed = find_before(connection, max(needed) + _DAY)
        missing = [day for day in _without_keys(vault, needed) if day not in closed]
        in_use = _find_in_use(connection, missing)
        vault.keyring.make((day for day in missing if day not in in_use), now)
    return tuple(sorted(in_use))


def _without_keys(vault: Vault, needed: list[date]) -> list[date]:
    there = set(vault.keyring.iter_days())
    return [day for day in needed if day not in there]


def _find_in_use(connection: Connection, days: list[date]) -> set[date]:
    ordinals = [day.toordinal() for day in days]
    others = (tables.entries, tables.waiting, tables.disclosures)
    ends = (tables.recordings.c.kept_through, *(table.c.ends_on for table in others))
    rows = (connection.execute(select(end).where(end.in_(ordinals)).distinct()).scalars() for end in ends)
    return {date.fromordinal(ordinal) for each in rows for ordinal in each}


def _iter_days(first: date, last: date) -> Iterator[date]:
    day = first
    while day <= last:
        yield day
        day += _DAY
