"""Root keys: what wraps the one ring key, found by URI. Every kind that comes with kelarec stands in one table here.

Further kinds come by entry points of the group ``kelarec.root_keys``. Secrets come through a callback, never in a URI.
"""

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Final, cast

from kelarec.errors import UnknownSchemeError
from kelarec.storage.roots._contract import LoadRootKey, RootKey, Secrets, no_secrets
from kelarec.storage.roots._foreign import load_foreign
from kelarec.storage.roots._keyfile import LocalRootKey, create_key_file
from kelarec.storage.wrapping import Randomness

__all__ = ["ENTRY_POINTS", "LoadRootKey", "LocalRootKey", "RootKey", "Secrets", "create_key_file", "load_root_key"]

ENTRY_POINTS: Final = "kelarec.root_keys"

_KINDS: Final[Mapping[str, str]] = {
    "keyfile": "kelarec.storage.roots._keyfile",
    "passphrase": "kelarec.storage.roots._passphrase",
    "awskms": "kelarec.storage.roots._awskms",
    "pkcs11": "kelarec.storage.roots._pkcs11",
}
_FORMS: Final = (
    "keyfile:/path, passphrase:, awskms:<key>?region=<region>, pkcs11:token=<label>;object=<label>?module-path=…"
)


def load_root_key(uri: str, randomness: Randomness, secrets: Secrets | None = None) -> RootKey:
    """Return the root key that a URI names.

    Args:
        uri: Such as ``keyfile:/path``; it holds no secret.
        randomness: Gives so many random bytes.
        secrets: Is asked for a passphrase or PIN by name when one is needed.

    Raises:
        UnknownSchemeError: No kind of root key has that scheme, or two plug-ins claim it.
        MissingExtraError: Its kind needs packages that are not installed.
        RootKeyUnreadableError: The URI is wrong, or the key is not there, not readable, or open to others.
    """
    scheme, separator, _ = uri.partition(":")
    secrets = no_secrets if secrets is None else secrets
    if separator and scheme in _KINDS:
        load = cast("LoadRootKey", import_module(_KINDS[scheme]).load)
        return load(uri, secrets, randomness)
    foreign = [each for each in entry_points(group=ENTRY_POINTS) if separator and each.name == scheme]
    if not foreign:
        raise UnknownSchemeError(
            f"No kind of root key has the scheme {scheme}.",
            advice=f"Use one of: {_FORMS}; or install the plug-in that brings it.",
        )
    if len({each.value for each in foreign}) > 1:  # none is picked for the archive in silence
        raise UnknownSchemeError(
            f"Two plug-ins bring root keys with the scheme {scheme}.", advice="Uninstall the one that is not meant."
        )
    return load_foreign(foreign[0], uri, secrets, randomness)
