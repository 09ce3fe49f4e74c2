"""Which contacts have a recording, asked for many at once by the tokens of their ids."""

from collections.abc import Collection, Iterable
from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, select

from kelarec.domain.instants import helsinki_date
from kelarec.domain.references import ContactId
from kelarec.storage import catalog_tables as tables
from kelarec.storage.vault import Vault

_AT_ONCE: Final = 15_000
_TOKENS: Final = tables.tokens.c
_ROWS: Final = tables.recordings.c


class ContactRows:
    """Asks the catalog of one archive for the recordings of contacts."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def find_recorded(self, contacts: Iterable[tuple[str, Collection[date]]]) -> set[str]:
        """Return the ids of those contacts that have a recording, in the archive or still spooled.

        Args:
            contacts: Each id with the last days kept that its recording may have.
        """
        owners = self._to_tokens(contacts)
        with self._vault.database.begin() as connection:
            return self._find(connection, owners)

    def find_recorded_in(self, connection: Connection, contacts: Iterable[tuple[str, Collection[date]]]) -> set[str]:
        """Return what `find_recorded` does, within a transaction."""
        return self._find(connection, self._to_tokens(contacts))

    def find_ids(self, ids: Iterable[UUID]) -> set[UUID]:
        """Return those of some ids under which the catalog has a recording."""
        keys = [each.bytes for each in ids]
        found: set[UUID] = set()
        with self._vault.database.begin() as connection:
            for start in range(0, len(keys), _AT_ONCE):
                wanted = select(_ROWS.id).where(_ROWS.id.in_(keys[start : start + _AT_ONCE]))
                found |= {UUID(bytes=bytes(each)) for each in connection.execute(wanted).scalars()}
        return found

    def _to_tokens(self, contacts: Iterable[tuple[str, Collection[date]]]) -> dict[bytes, str]:
        today = helsinki_date(self._vault.now())
        list_tokens = self._vault.index_keys.list_tokens
        return {
            token: contact_id
            for contact_id, days in contacts
            for token in list_tokens(days, [ContactId(contact_id)], today)
        }

    @staticmethod
    def _find(connection: Connection, owners: dict[bytes, str]) -> set[str]:
        tokens = list(owners)
        found: set[str] = set()
        for start in range(0, len(tokens), _AT_ONCE):
            wanted = (
                select(_TOKENS.token)
                .join(tables.recordings, _ROWS.id == _TOKENS.recording_id)
                .where(_TOKENS.token.in_(tokens[start : start + _AT_ONCE]))
            )
            found |= {owners[bytes(token)] for token in connection.execute(wanted).scalars()}
        return found
