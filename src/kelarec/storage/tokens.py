"""Blind-index tokens: how a person is found without the catalog knowing who it is.

A token is the first 16 bytes of HMAC-SHA-256 under a key of the recording's last day kept, over the field and the
normalised identifier. Tokens of one person for two dates share nothing, and when a date's keys die nobody can make its
tokens again.
"""

from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from kelarec.domain.identity_code import PersonalIdentityCode
from kelarec.domain.people import EmailAddress, Identifier, PhoneNumber

TOKEN_BYTES: Final = 16
_NORMALISER: Final = "1"
_FIELDS: Final = {PersonalIdentityCode: "identity-code", PhoneNumber: "phone-number", EmailAddress: "email"}


def token(index_key: bytes, identifier: Identifier) -> bytes:
    """Return the token of an identifier under the index key of one date."""
    mac = HMAC(index_key, SHA256())
    mac.update(f"{_FIELDS[type(identifier)]}\n{_NORMALISER}\n{identifier.text}".encode())
    return mac.finalize()[:TOKEN_BYTES]


def contact_token(index_key: bytes, contact_id: str) -> bytes:
    """Return the token of a contact under the index key of one date."""
    mac = HMAC(index_key, SHA256())
    mac.update(f"contact-id\n{_NORMALISER}\n{contact_id}".encode())
    return mac.finalize()[:TOKEN_BYTES]
