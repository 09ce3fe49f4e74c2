"""Log leaves: what the tree is built of, in clear, and the payload each commits to, sealed.

    kelarec leaf v1
    content-opened
    2026-03-05T08:00:00.000000+00:00
    <base64 of the commitment>

The commitment is HMAC-SHA-256 of the payload under a salt of 32 random bytes. While payload and salt are there, anyone
who may read them can check the leaf; once they are erased the leaf tells no more than that something of its kind was
done at its time, and every proof still holds.
"""

import base64
from datetime import datetime
from typing import Final

from attrs import field, frozen
from cryptography.hazmat.primitives import constant_time
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from kelarec.audit.entries import Entry
from kelarec.errors import IntegrityError
from kelarec.storage.json_form import from_json, to_json
from kelarec.storage.wrapping import Randomness

SALT_BYTES: Final = 32
_FIRST_LINE: Final = "kelarec leaf v1"


@frozen
class CommittedEntry:
    """An entry in the two forms in which it is kept.

    Attributes:
        leaf: What goes into the tree, in clear.
        secret: The salt and the payload, to be sealed.
    """

    leaf: bytes
    secret: bytes = field(repr=False)


def commit(entry: Entry, randomness: Randomness) -> CommittedEntry:
    """Return the leaf of an entry and the secret that it commits to."""
    secret = randomness(SALT_BYTES) + to_json(entry)
    return CommittedEntry(_make_leaf(entry, secret), secret)


def open_commitment(leaf: bytes, secret: bytes) -> Entry:
    """Return the entry of a secret that was unsealed.

    Raises:
        IntegrityError: The leaf commits to another entry.
    """
    entry = from_json(secret[SALT_BYTES:], Entry)
    if not constant_time.bytes_eq(_make_leaf(entry, secret), leaf):
        raise IntegrityError(f"The log leaf of entry {entry.id} commits to another payload.")
    return entry


def reopen(secret: bytes) -> tuple[Entry, bytes]:
    """Return the entry of a secret that was unsealed, and the leaf that commits to it.

    Raises:
        IntegrityError: It holds no entry.
    """
    entry = from_json(secret[SALT_BYTES:], Entry)
    return entry, _make_leaf(entry, secret)


def read_leaf(leaf: bytes) -> tuple[str, datetime]:
    """Return the kind and time that a leaf tells in clear.

    Raises:
        IntegrityError: It is no leaf.
    """
    try:
        first, kind, at, _, end = leaf.decode("ascii").split("\n")
        if first == _FIRST_LINE and not end:
            return kind, datetime.fromisoformat(at)
    except ValueError:
        pass
    raise IntegrityError("A leaf of the log is not one that this version writes.")


def _make_leaf(entry: Entry, secret: bytes) -> bytes:
    mac = HMAC(secret[:SALT_BYTES], SHA256())
    mac.update(secret[SALT_BYTES:])
    commitment = base64.b64encode(mac.finalize()).decode()
    at = entry.at.isoformat(timespec="microseconds")
    return f"{_FIRST_LINE}\n{entry.kind.value}\n{at}\n{commitment}\n".encode()
