"""Blind-index tokens: how a recording is found without the catalog knowing whom or what it is about.

A token belongs to a day: a recording's last day kept, or the review date of a hold. It is the day's number in four
bytes, then the first 12 bytes of HMAC-SHA-256 under that day's index key over the field and the normalised term. Beyond
the day's number, tokens of one person for two days share nothing, and when a day's keys die nobody can make its tokens
again.
"""

import time
from collections.abc import Callable, Collection, Iterable
from datetime import date
from hmac import digest as hmac_digest
from typing import Final

from kelarec.domain.identity_code import PersonalIdentityCode
from kelarec.domain.people import EmailAddress, PhoneNumber
from kelarec.domain.references import ContactId, MatterReference, SearchTerm
from kelarec.errors import KeyUnavailableError
from kelarec.storage.keyring import Keyring

TOKEN_BYTES: Final = 16
_DAY_BYTES: Final = 4
_MAC_BYTES: Final = TOKEN_BYTES - _DAY_BYTES
_NORMALISER: Final = "1"
_CACHED_FOR: Final = 60.0
_FIELDS: Final[dict[type, str]] = {
    PersonalIdentityCode: "identity-code",
    PhoneNumber: "phone-number",
    EmailAddress: "email",
    MatterReference: "matter",
    ContactId: "contact-id",
}
FINDABLE: Final = tuple(_FIELDS)
"""The types of what recordings can be found by."""

_DaysKey = tuple[float, bytes, bytes]  # when it was read, what the day's tokens begin with, the key


def token_range(day: date) -> tuple[bytes, bytes]:
    """Return the bounds of all tokens of a day: the first that may be one, and the first of the day after."""
    ordinal = day.toordinal()
    return ordinal.to_bytes(_DAY_BYTES, "big"), (ordinal + 1).to_bytes(_DAY_BYTES, "big")


class IndexKeys:
    """Makes the tokens of many days; keeps each day's index key for a minute, and never beyond its day."""

    def __init__(self, keyring: Keyring, ticks: Callable[[], float] = time.monotonic) -> None:
        self._keyring = keyring
        self._ticks = ticks
        self._cached: dict[date, _DaysKey] = {}

    def __repr__(self) -> str:
        return "IndexKeys(…)"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("Keys are never pickled; open the archive where they are needed.")

    def make_tokens(self, day: date, terms: Iterable[SearchTerm]) -> list[bytes]:
        """Return the tokens of a day that is not over, each once, in order.

        Raises:
            KeyUnavailableError: The day's keys are not there.
        """
        key = self._keyring.get(day.isoformat()).index
        prefix = token_range(day)[0]
        return sorted({prefix + hmac_digest(key, _message(term), "sha256")[:_MAC_BYTES] for term in terms})

    def list_tokens(self, days: Iterable[date], terms: Collection[SearchTerm], today: date) -> list[bytes]:
        """Return the tokens by which some terms are found; days that are over or without keys have none."""
        self._forget(today)
        messages = [_message(term) for term in terms]
        keys = [key for day in days if day >= today and (key := self._cached.get(day) or self._read(day)) is not None]
        return [
            prefix + hmac_digest(key, message, "sha256")[:_MAC_BYTES] for _, prefix, key in keys for message in messages
        ]

    def _forget(self, today: date) -> None:
        oldest = self._ticks() - _CACHED_FOR
        for day in [day for day, (read_at, _, _) in list(self._cached.items()) if read_at <= oldest or day < today]:
            self._cached.pop(day, None)

    def _read(self, day: date) -> _DaysKey | None:
        try:
            key = self._keyring.get(day.isoformat()).index
        except KeyUnavailableError:  # never cached: a key may be made, or brought back, at any moment
            return None
        self._cached[day] = read = (self._ticks(), token_range(day)[0], key)
        return read


def _message(term: SearchTerm) -> bytes:
    return f"{_FIELDS[type(term)]}\n{_NORMALISER}\n{term.text}".encode()
