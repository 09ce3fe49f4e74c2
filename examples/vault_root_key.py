"""A root key of one's own, found by the URI ``vault:<name>``: what a package brings by an entry point.

The vault is a folder of key files here, named by ``VAULT``; a real one answers over a network.
"""

import base64
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kelarec.errors import RootKeyUnreachableError, WrongRootKeyError
from kelarec.storage.roots import Secrets
from kelarec.storage.wrapping import Randomness

_ALGORITHM = "VAULT-A256GCM"
_NONCE_BYTES = 12
_SHORTEST = _NONCE_BYTES + 16


class VaultRootKey:
    """One key of the vault; the key stays there, so neither a repr nor a pickle of this shows it."""

    scheme = "vault"

    def __init__(self, name: str, randomness: Randomness) -> None:
        self._name = name
        self._randomness = randomness

    def wrap(self, secret: bytes, context: bytes) -> str:
        """Seal a secret, bound to its context, as one line that begins with its algorithm."""
        nonce = self._randomness(_NONCE_BYTES)
        sealed = nonce + AESGCM(self._read()).encrypt(nonce, secret, context)
        return f"{_ALGORITHM} {base64.b64encode(sealed).decode()}"

    def unwrap(self, line: str, context: bytes) -> bytes:
        """Open it again, or raise a WrongRootKeyError."""
        algorithm, _, encoded = line.partition(" ")
        try:
            sealed = base64.b64decode(encoded, validate=True)
        except ValueError:
            sealed = b""
        if algorithm != _ALGORITHM or len(sealed) < _SHORTEST or base64.b64encode(sealed).decode() != encoded:
            raise WrongRootKeyError("The wrap is not one of the vault, or is damaged.")
        try:
            return AESGCM(self._read()).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
        except InvalidTag:
            raise WrongRootKeyError("The vault's key does not open it.") from None

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("A root key is never pickled; open the archive where the key is needed.")

    def _read(self) -> bytes:
        try:
            return (Path(os.environ["VAULT"]) / self._name).read_bytes()
        except (KeyError, OSError):  # "it is the wrong key" and "nobody could be asked" are two errors
            raise RootKeyUnreachableError(f"The vault does not answer for {self._name}.") from None


def load(uri: str, secrets: Secrets, randomness: Randomness) -> VaultRootKey:
    """Make the root key of a URI; one that needs a secret calls ``secrets("its name")`` when it needs it."""
    del secrets
    return VaultRootKey(uri.partition(":")[2], randomness)


if __name__ == "__main__":
    with TemporaryDirectory() as vault:
        os.environ["VAULT"] = vault
        (Path(vault) / "archive").write_bytes(AESGCM.generate_key(256))
        key = load("vault:archive", lambda name: name, os.urandom)
        print(key.unwrap(key.wrap(b"opened again", b"context"), b"context").decode())
