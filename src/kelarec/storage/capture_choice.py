"""Choices that every node of an archive makes alike: which contacts a share takes, which id an imported recording has.

    choice key = HMAC-SHA-256(index key of standing.key, "kelarec capture choice v1")
    percentile = the first 8 bytes of HMAC-SHA-256(choice key, contact id), times 100, over 2^64

The standing key is made with the archive and never changes, so a choice holds on every node and for ever. Nobody
without the keys can tell which contacts a share will take.
"""

from datetime import date, datetime
from hmac import digest as hmac_digest
from typing import Final
from uuid import UUID

from kelarec.domain.references import ContactId
from kelarec.domain.uuid7 import RANDOM_BYTES, uuid7
from kelarec.storage.keyring import STANDING
from kelarec.storage.vault import Vault

_PURPOSE: Final = b"kelarec capture choice v1"
_IMPORTED: Final = b"kelarec imported recording v1\n"
_DRAWN_BYTES: Final = 8


def get_percentile(vault: Vault, contact_id: str) -> int:
    """Return a contact's place among a hundred, 0 to 99; the same on every node that opens the archive.

    Raises:
        KeyUnavailableError: The key place has no standing key.
        IntegrityError: The standing key's file is damaged.
    """
    key = hmac_digest(vault.keyring.get(STANDING).index, _PURPOSE, "sha256")
    drawn = hmac_digest(key, ContactId(contact_id).text.encode(), "sha256")[:_DRAWN_BYTES]
    return int.from_bytes(drawn, "big") * 100 >> 8 * _DRAWN_BYTES


def make_imported_id(vault: Vault, contact_id: str, started_at: datetime, kept_through: date) -> UUID:
    """Return the id that a contact's recording has when it is imported, the same however often that is tried.

    It follows from the index key of the last day kept, so that once that day is over nobody can tell any more which
    contact an id of the log was of.

    Raises:
        KeyUnavailableError: The day's keys are not there.
    """
    key = vault.keyring.get(kept_through.isoformat()).index
    told = _IMPORTED + ContactId(contact_id).text.encode()
    return uuid7(started_at, hmac_digest(key, told, "sha256")[:RANDOM_BYTES])
