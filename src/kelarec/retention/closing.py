"""Which dates are closed, made anew from what the log tells of keys that were destroyed."""

from datetime import UTC, date, datetime

from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.errors import IntegrityError, KeyUnavailableError
from kelarec.storage import closed_dates
from kelarec.storage.recordings import microseconds
from kelarec.storage.vault import Vault


def restore_closed_dates(vault: Vault, log: AuditLog) -> None:
    """Write which dates are closed, in a catalog that was made anew; the next sweep looks for what is left of them."""
    found = []
    for row in log.get_rows_of_dead_keys(datetime(1970, 1, 1, tzinfo=UTC)):
        if row["kind"] == EntryKind.KEYS_DESTROYED:
            try:
                found.append(log.open_payload(row))
            except (KeyUnavailableError, IntegrityError):
                continue  # the comparison of the log names it
    with vault.database.begin() as connection:
        for entry in found:
            day = date.fromisoformat(entry.facts["kept-through"])
            closed_dates.restore(connection, [day], by=entry.actor, at=microseconds(entry.at))
