"""Root keys that others bring: held to the contract, and their own errors given a name."""

from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Final, TypeVar, cast

from attrs import field, frozen

from kelarec.errors import KelarecError, RootKeyUnreachableError, RootKeyUnreadableError
from kelarec.storage.roots._contract import NEVER_PICKLED, LoadRootKey, RootKey, Secrets
from kelarec.storage.wrapping import Randomness

_LONGEST_LINE: Final = 8192
_Given = TypeVar("_Given")


@frozen
class _ForeignRootKey:
    """A root key of a plug-in."""

    scheme: str
    _inner: RootKey = field(repr=False)

    def wrap(self, secret: bytes, context: bytes) -> str:
        """See `RootKey.wrap`."""
        line: object = _named(self.scheme, lambda: self._inner.wrap(secret, context))
        if not isinstance(line, str) or not line.isascii() or not line.isprintable() or len(line) > _LONGEST_LINE:
            raise RootKeyUnreadableError(f"The plug-in for {self.scheme} gives no line of printable ASCII as a wrap.")
        return line

    def unwrap(self, line: str, context: bytes) -> bytes:
        """See `RootKey.unwrap`."""
        secret: object = _named(self.scheme, lambda: self._inner.unwrap(line, context))
        if not isinstance(secret, bytes):
            raise RootKeyUnreadableError(f"The plug-in for {self.scheme} gives no bytes as a secret.")
        return secret

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError(NEVER_PICKLED)


def load_foreign(entry_point: EntryPoint, uri: str, secrets: Secrets, randomness: Randomness) -> RootKey:
    """Return the root key that a plug-in makes of a URI.

    Raises:
        RootKeyUnreadableError: The plug-in cannot be loaded.
        RootKeyUnreachableError: It failed in a way that it does not name.
    """
    scheme = entry_point.name
    try:
        load = cast("LoadRootKey", entry_point.load())
    except Exception as error:  # noqa: BLE001  whatever a plug-in raises while it is imported
        raise RootKeyUnreadableError(
            f"The plug-in for {scheme} cannot be loaded: {type(error).__name__}.", advice="Install it anew."
        ) from None
    return _ForeignRootKey(scheme, _named(scheme, lambda: load(uri, secrets, randomness)))


def _named(scheme: str, act: Callable[[], _Given]) -> _Given:
    try:
        return act()
    except KelarecError:
        raise
    except Exception as error:  # noqa: BLE001  a plug-in's own errors may show secrets, so only their kind is told
        raise RootKeyUnreachableError(f"The plug-in for {scheme} failed: {type(error).__name__}.") from None
