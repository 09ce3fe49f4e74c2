"""Root keys: what wraps the one ring key, found by URI.

Here the key file; further kinds register beside it. No root key is ever shown by ``repr``.
"""

import base64
import binascii
import os
import stat
from pathlib import Path
from typing import Final, Protocol

from attrs import field, frozen

from kelarec.errors import IntegrityError as _IntegrityError
from kelarec.errors import ObjectExistsError, RootKeyUnreadableError, UnknownSchemeError, WrongRootKeyError
from kelarec.storage.wrapping import KEY_BYTES, Randomness, unwrap, wrap

_FIRST_LINE: Final = "kelarec root key v1"
_LARGEST: Final = 200


class RootKey(Protocol):
    """What wraps the ring key, wherever it lives."""

    @property
    def scheme(self) -> str:
        """What the URI of such a key begins with."""
        ...

    def wrap(self, secret: bytes, context: bytes) -> str:
        """Return a secret sealed under the root key as one line of text."""
        ...

    def unwrap(self, line: str, context: bytes) -> bytes:
        """Return the secret.

        Raises:
            WrongRootKeyError: It was sealed under another root key, or altered.
        """
        ...


@frozen
class LocalRootKey:
    """A root key of 32 bytes in this process's memory."""

    _key: bytes = field(repr=False)
    _randomness: Randomness = field(repr=False)
    scheme: str = "keyfile"

    def wrap(self, secret: bytes, context: bytes) -> str:
        """See `RootKey.wrap`."""
        return wrap(self._key, secret, context, self._randomness)

    def unwrap(self, line: str, context: bytes) -> bytes:
        """See `RootKey.unwrap`."""
        try:
            return unwrap(self._key, line, context)
        except _IntegrityError:
            raise WrongRootKeyError("The root key does not open the ring key.") from None

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("A root key is never pickled; open the archive where the key is needed.")


def create_key_file(path: Path | str, randomness: Randomness = os.urandom) -> str:
    """Make a new key file that only its owner can read, and return its URI for ``root_key=``.

    Raises:
        ObjectExistsError: There is a file already; a root key is never overwritten.
        RootKeyUnreadableError: The folder cannot be written.
    """
    target = Path(path).absolute()
    text = f"{_FIRST_LINE}\n{base64.b64encode(randomness(KEY_BYTES)).decode()}\n"
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ObjectExistsError(f"There is a key file {target} already.", advice="Choose another name.") from None
    except OSError as error:
        raise RootKeyUnreadableError(f"The key file {target} cannot be made: {error.strerror}.") from None
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return f"keyfile:{target}"


def load_root_key(uri: str, randomness: Randomness) -> RootKey:
    """Return the root key that a URI names.

    Raises:
        UnknownSchemeError: No kind of root key has that scheme.
        RootKeyUnreadableError: The file is not there, not readable, open to others, or no key file.
    """
    scheme, separator, rest = uri.partition(":")
    if not separator or scheme != "keyfile":
        raise UnknownSchemeError(f"No kind of root key has the scheme {scheme}.", advice="Use keyfile:/path.")
    return LocalRootKey(_read_key_file(Path(rest.removeprefix("//"))), randomness)


def _read_key_file(path: Path) -> bytes:
    advice = "Make one with kelarec.create_key_file, or restore it."
    try:
        mode = path.stat().st_mode
        with path.open("rb") as file:
            content = file.read(_LARGEST)
    except OSError as error:
        raise RootKeyUnreadableError(f"The key file {path} cannot be read: {error.strerror}.", advice=advice) from None
    if stat.S_IMODE(mode) & 0o077:
        raise RootKeyUnreadableError(
            f"The key file {path} is open to other users.", advice="Take their rights away: chmod 600."
        )
    try:
        first, encoded, end = content.decode("ascii").split("\n")
        key = base64.b64decode(encoded, validate=True)
    except (UnicodeDecodeError, ValueError, binascii.Error):
        raise RootKeyUnreadableError(f"The file {path} is no key file.", advice=advice) from None
    canonical = base64.b64encode(key).decode() == encoded
    if first != _FIRST_LINE or end or len(key) != KEY_BYTES or not canonical:
        raise RootKeyUnreadableError(f"The file {path} is no key file.", advice=advice)
    return key
