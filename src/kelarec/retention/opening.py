"""What is seen to whenever an archive is opened, before anybody uses it."""

from datetime import date

from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.people import Actor
from kelarec.retention.destroyed_again import DestroyedAgain, destroy_again
from kelarec.retention.expiry import Expiry
from kelarec.storage.keys_ahead import make_keys_ahead
from kelarec.storage.registers import Registers
from kelarec.storage.vault import Vault


def begin_use(
    vault: Vault, log: AuditLog, registers: Registers, *, by: Actor
) -> tuple[DestroyedAgain, tuple[date, ...]]:
    """Destroy again what has died, make keys ahead, and log that the archive was opened and what was found.

    Returns:
        What was there again, and the dates that are not over, hold something and have no keys.

    Raises:
        StorageError: A place refuses, or still shows a key that was to die.
        IntegrityError: The keys were altered.
    """
    Expiry(vault, log).tell_all()
    destroyed = destroy_again(vault, log, registers.versions, by=by)
    lost_keys = make_keys_ahead(vault, registers.versions)
    found = {
        "lost_keys": " ".join(map(str, lost_keys)),
        "unreadable_entries": str(destroyed.unreadable_entries or ""),
    }
    facts = {name: fact for name, fact in found.items() if fact}
    log.write(log.new_entry(EntryKind.ARCHIVE_OPENED, by, recording_id=None, terms=None, **facts))
    return destroyed, lost_keys
