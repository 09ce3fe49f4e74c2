"""Wrapping: one key sealed under another, with the place it belongs to bound in.

A wrap is a line of text, ``A256GCM`` and the base64 of nonce, ciphertext and tag, so that it names its algorithm. The
context is the additional data of AES-256-GCM (NIST SP 800-38D): a wrap that is moved to another name does not open.
"""

import base64
import binascii
from collections.abc import Callable
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kelarec.errors import IntegrityError

ALGORITHM: Final = "A256GCM"
KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16

Randomness = Callable[[int], bytes]


def bind(archive_id: UUID, *facts: tuple[str, str]) -> bytes:
    """Return a context: the archive and what else is bound in, one fact a line, in the order given."""
    lines = ["kelarec v1", f"archive {archive_id}", *(f"{name} {value}" for name, value in facts)]
    return "\n".join(lines).encode()


def wrap(key: bytes, secret: bytes, context: bytes, randomness: Randomness) -> str:
    """Return a secret sealed under a key of 32 bytes as one line of text."""
    return f"{ALGORITHM} {base64.b64encode(encrypt(key, secret, context, randomness)).decode()}"


def unwrap(key: bytes, line: str, context: bytes) -> bytes:
    """Return the secret of a wrap.

    Raises:
        IntegrityError: The line is no wrap, names another algorithm, or does not open under this key and context.
    """
    algorithm, _, encoded = line.partition(" ")
    if algorithm != ALGORITHM:
        raise IntegrityError("A wrapped key names an algorithm that this version does not know.")
    try:
        sealed = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise IntegrityError("A wrapped key is damaged: its text is not base64.") from None
    if base64.b64encode(sealed).decode() != encoded:
        raise IntegrityError("A wrapped key is damaged: its form is wrong.")
    return decrypt(key, sealed, context)


def encrypt(key: bytes, secret: bytes, context: bytes, randomness: Randomness) -> bytes:
    """Return what is inside a wrap: nonce, ciphertext and tag."""
    nonce = randomness(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, secret, context)


def decrypt(key: bytes, sealed: bytes, context: bytes) -> bytes:
    """Return the secret inside a wrap.

    Raises:
        IntegrityError: It does not open under this key and context.
    """
    if len(sealed) < _NONCE_BYTES + _TAG_BYTES:
        raise IntegrityError("A wrapped key is damaged: its length is wrong.")
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
    except InvalidTag:
        raise IntegrityError("A wrapped key does not open: another key sealed it, or it was altered.") from None
