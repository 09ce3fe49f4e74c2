"""The key file: a root key of 32 bytes in a file that only its owner can read."""

import base64
import binascii
import os
import stat
from pathlib import Path
from typing import Final

from attrs import field, frozen

from kelarec.errors import IntegrityError, ObjectExistsError, RootKeyUnreadableError, WrongRootKeyError
from kelarec.storage.roots._contract import NEVER_PICKLED, RootKey, Secrets
from kelarec.storage.wrapping import KEY_BYTES, Randomness, unwrap, wrap

_FIRST_LINE: Final = "kelarec root key v1"
_LARGEST: Final = 200


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
        except IntegrityError:
            raise WrongRootKeyError("The root key does not open the ring key.") from None

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError(NEVER_PICKLED)


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


def load(uri: str, secrets: Secrets, randomness: Randomness) -> RootKey:  # noqa: ARG001  a key file needs no secret
    """See `LoadRootKey`."""
    return LocalRootKey(_read_key_file(Path(uri.partition(":")[2].removeprefix("//"))), randomness)


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
