"""The newest instant that the log tells: no clock that is right says less."""

from datetime import datetime

from sqlalchemy import Connection, func, select

from kelarec.audit.integrator import Integrator
from kelarec.audit.leaf import read_leaf
from kelarec.audit.restore import read_leaves
from kelarec.storage import catalog_tables as tables
from kelarec.storage.recordings import from_microseconds
from kelarec.storage.vault import Vault


def find_newest_row(connection: Connection) -> datetime | None:
    """Return the time of the newest entry that the catalog holds, or None for an empty log."""
    newest = [connection.execute(select(func.max(log.c.at))).scalar_one() for log in (tables.entries, tables.waiting)]
    return max((from_microseconds(each) for each in newest if each is not None), default=None)


def find_newest_leaf(vault: Vault, integrator: Integrator) -> datetime | None:
    """Return the time of the last entry under the newest signed checkpoint, or None for an empty log.

    Raises:
        IntegrityError: The checkpoint is not one that this archive signed, or its last entry is missing.
    """
    head = integrator.find_head()
    if head is None or head.checkpoint.size == 0:
        return None
    (leaf,) = read_leaves(vault.objects, head.checkpoint.size - 1, head.checkpoint.size)
    return read_leaf(leaf)[1]
