"""UUIDs of version 7: ordered by time, random otherwise."""

from datetime import datetime
from uuid import UUID

from kelarec.domain.instants import to_utc
from kelarec.errors import InvalidValueError

RANDOM_BYTES = 10


def uuid7(at: datetime, randomness: bytes) -> UUID:
    """Return the UUID of an instant and ten random bytes.

    Raises:
        NaiveInstantError: The instant has no time zone.
        InvalidValueError: There are not ten random bytes.

    Source: RFC 9562, section 5.7.
    """
    if len(randomness) != RANDOM_BYTES:
        raise InvalidValueError("A UUID of version 7 takes ten random bytes.")
    milliseconds = int(to_utc(at).timestamp() * 1000)
    tail = int.from_bytes(randomness, "big")
    random_a, random_b = tail >> 68, tail & ((1 << 62) - 1)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | random_a << 64 | 0b10 << 62 | random_b)
