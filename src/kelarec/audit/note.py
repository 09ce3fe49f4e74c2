"""Sign notes and checkpoints. What reads and verifies them is in ``kelarec.audit.verify``; ``open_note`` is from there.

Source: C2SP signed-note, tlog-checkpoint. Private keys are passed in and never kept, and no error repeats one.
"""

import base64
from typing import Final, final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kelarec.audit.verify import (
    ED25519,
    Checkpoint,
    VerificationError,
    VerificationKey,
    open_checkpoint,
    open_note,
)
from kelarec.errors import InvalidValueError

__all__ = [
    "EXPORT_SIGNING_KEY",
    "add_cosignature",
    "from_skey",
    "open_note",
    "sign_checkpoint",
    "sign_note",
    "to_verification_key",
    "to_vkey",
    "unsafe_to_skey",
]

_PRIVATE = "PRIVATE+KEY"


@final
class _ExportToken:
    """Whoever imports it can export a signing key, and can be searched for."""


EXPORT_SIGNING_KEY: Final = _ExportToken()


def to_verification_key(name: str, public: Ed25519PublicKey) -> VerificationKey:
    """Return the public key under a name, which for a log is its origin; ``key_id`` and ``to_vkey()`` are on it.

    Raises:
        VerificationError: The name is empty or has a space, a plus sign or a control character.
    """
    return VerificationKey(name, ED25519, public.public_bytes_raw())


def to_vkey(name: str, public: Ed25519PublicKey) -> str:
    """Return the public key as text, ``name+id+base64``. Source: signed-note, Verifier keys.

    Raises:
        VerificationError: The name is empty or has a space, a plus sign or a control character.
    """
    return to_verification_key(name, public).to_vkey()


def from_skey(text: str) -> tuple[str, Ed25519PrivateKey]:
    """Read a name and private key from ``PRIVATE+KEY+name+id+base64``, as Go's sumdb/note writes them.

    Raises:
        InvalidValueError: It is not written exactly so; the text is not repeated.
    """
    try:
        name, _, material = text.removeprefix(f"{_PRIVATE}+").split("+", 2)
        private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(material, validate=True)[1:])
        exact = unsafe_to_skey(name, private, EXPORT_SIGNING_KEY) == text
    except (ValueError, VerificationError):
        exact = False
    if not exact:
        raise InvalidValueError("A signing key is not PRIVATE+KEY+name+id+base64 with the id of that key.")
    return name, private


def unsafe_to_skey(name: str, private: Ed25519PrivateKey, token: _ExportToken) -> str:
    """Write a private key as text that anyone can sign with; it takes ``EXPORT_SIGNING_KEY``.

    Raises:
        TypeError: The token is missing.
    """
    if not isinstance(token, _ExportToken):
        raise TypeError("A signing key is exported only with kelarec.audit.note.EXPORT_SIGNING_KEY.")
    material = base64.b64encode(bytes([ED25519]) + private.private_bytes_raw()).decode()
    return f"{_PRIVATE}+{to_verification_key(name, private.public_key())}+{material}"


def sign_note(text: bytes, name: str, private: Ed25519PrivateKey) -> bytes:
    """Sign a text that ends in a newline. Source: signed-note, Format.

    Raises:
        VerificationError: It would be no note: the text is not UTF-8, has control characters or no newline at its end.
    """
    key = to_verification_key(name, private.public_key())
    signature = base64.b64encode(key.key_id + private.sign(text)).decode()
    note = text + f"\n\N{EM DASH} {name} {signature}\n".encode()
    open_note(note, [key])
    return note


def sign_checkpoint(checkpoint: Checkpoint, private: Ed25519PrivateKey) -> bytes:
    """Sign a log's size and root under its origin, which is also the key's name. Source: tlog-checkpoint.

    Raises:
        VerificationError: The origin, size (0 or more) or root (32 bytes) cannot be a checkpoint's.
    """
    note = sign_note(checkpoint.to_text(), checkpoint.origin, private)
    key = to_verification_key(checkpoint.origin, private.public_key())
    open_checkpoint(note, key)  # what a verifier would refuse never leaves here
    return note


def add_cosignature(checkpoint: bytes, line: bytes, witness: VerificationKey) -> bytes:
    """Append a witness's signature line, newline included, to a signed checkpoint. Source: tlog-cosignature, Format.

    Raises:
        InvalidValueError: It is more or less than one line.
        VerificationError: It is not that witness's signature of this checkpoint.
    """
    if line.count(b"\n") != 1:
        raise InvalidValueError("A witness's answer is not one line that ends in a newline.")
    open_note(checkpoint + line, [witness])
    return checkpoint + line
