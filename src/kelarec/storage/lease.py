"""A lease: one process at a time does a named piece of work on a catalog; who died loses it after a few seconds."""

import time
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, delete, insert, select, update

from kelarec.storage import catalog_tables as tables
from kelarec.storage.recordings import microseconds
from kelarec.storage.vault import Vault

_TERM: Final = timedelta(seconds=5)
_PAUSE: Final = 0.2
_LEASES: Final = tables.leases.c


class Lease:
    """A named lease on the catalog of a vault; its term is five seconds, and each renewal begins it anew."""

    def __init__(self, vault: Vault, name: str) -> None:
        self._vault = vault
        self._name = name
        self._holder = str(vault.new_id())

    def take(self) -> bool:
        """Take it; wait for the term of one that another holds and does not renew. Return whether it was had."""
        until = time.monotonic() + 2 * _TERM.total_seconds()
        seen: set[tuple[str, int]] = set()
        while True:
            held = self._try()
            if held is None:
                return True
            seen.add(held)
            if len(seen) > 1 or time.monotonic() >= until:  # it was renewed: its holder lives
                return False
            time.sleep(_PAUSE)

    def _try(self) -> tuple[str, int] | None:
        """Take it if it is free or over; return who holds it and until when if it is neither."""
        now = self._vault.now()
        with self._vault.database.begin() as connection:
            self._vault.database.take_turn(connection, f"lease {self._name}")
            held = connection.execute(
                select(_LEASES.holder, _LEASES.ends_at).where(_LEASES.name == self._name)
            ).one_or_none()
            if held is not None and held.ends_at > microseconds(now):
                return held.holder, held.ends_at
            connection.execute(delete(tables.leases).where(_LEASES.name == self._name))
            connection.execute(
                insert(tables.leases).values(name=self._name, holder=self._holder, ends_at=microseconds(now + _TERM))
            )
        return None

    def renew(self, connection: Connection) -> bool:
        """Begin its term anew, in the transaction of what is done under it; return whether it is still held.

        One that is over and that nobody took meanwhile is still held.
        """
        ends_at = microseconds(self._vault.now() + _TERM)
        own = (_LEASES.name == self._name, _LEASES.holder == self._holder)
        return bool(connection.execute(update(tables.leases).where(*own).values(ends_at=ends_at)).rowcount)

    def keep(self) -> bool:
        """Renew it in a transaction of its own; return whether it is still held."""
        with self._vault.database.begin() as connection:
            return self.renew(connection)

    def release(self) -> None:
        """Give it back, if it is still held."""
        own = (_LEASES.name == self._name, _LEASES.holder == self._holder)
        with self._vault.database.begin() as connection:
            connection.execute(delete(tables.leases).where(*own))
