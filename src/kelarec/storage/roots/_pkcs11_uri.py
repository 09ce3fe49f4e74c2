"""The URI of a key in a PKCS#11 token (RFC 7512), as far as a root key needs it."""

from typing import Final
from urllib.parse import unquote_to_bytes

from attrs import frozen

from kelarec.errors import RootKeyUnreadableError

_ADVICE: Final = "Such as pkcs11:token=kelarec;object=root?module-path=/usr/lib/softhsm/libsofthsm2.so."
_SECRETS: Final = frozenset({"pin-value", "pin-source"})
_IN_PATH: Final = frozenset({"token", "serial", "object", "id", "type"})
_IN_QUERY: Final = frozenset({"module-path"})


@frozen
class Pkcs11Uri:
    """Which key of which token, and whose library speaks to it.

    Attributes:
        module_path: The library's file.
        token: The token's label, or None if the serial number says which.
        serial: The token's serial number, or None.
        label: The key's label (``object``), or None if the id says which.
        id: The key's ``CKA_ID``, or None.
    """

    module_path: str
    token: str | None
    serial: bytes | None
    label: str | None
    id: bytes | None


def parse_pkcs11_uri(uri: str) -> Pkcs11Uri:
    """Return what a URI says.

    Raises:
        RootKeyUnreadableError: It holds a PIN, an attribute that is not used here, one twice, or too little.
    """
    path, _, query = uri.partition(":")[2].partition("?")
    known = {**_parse(path, ";", _IN_PATH), **_parse(query, "&", _IN_QUERY)}
    if known.get("type", b"secret-key") != b"secret-key":
        raise RootKeyUnreadableError("The URI names a PKCS#11 object that is no secret key.", advice=_ADVICE)
    if "module-path" not in known:
        raise RootKeyUnreadableError("The URI of the PKCS#11 key has no module-path.", advice=_ADVICE)
    if not known.keys() & {"token", "serial"} or not known.keys() & {"object", "id"}:
        raise RootKeyUnreadableError("The URI of the PKCS#11 key names no token or no object.", advice=_ADVICE)
    texts = {name: _to_text(known.get(name)) for name in ("module-path", "token", "object")}
    return Pkcs11Uri(texts["module-path"] or "", texts["token"], known.get("serial"), texts["object"], known.get("id"))


def _parse(part: str, separator: str, allowed: frozenset[str]) -> dict[str, bytes]:
    known: dict[str, bytes] = {}
    for attribute in filter(None, part.split(separator)):
        name, equals, value = attribute.partition("=")
        if name in _SECRETS:
            raise RootKeyUnreadableError(
                f"The URI of the PKCS#11 key holds a {name}; a PIN never stands in a URI.",
                advice="Take it out, give the PIN through secrets=, and change it: a URI is shown in many places.",
            )
        if name not in allowed or not equals or not value or name in known:
            shown = name if name in _IN_PATH | _IN_QUERY else "an unknown one"  # it might be anything, also a PIN
            raise RootKeyUnreadableError(
                f"The URI of the PKCS#11 key has an attribute that is empty, doubled or not used here: {shown}.",
                advice=_ADVICE,
            )
        known[name] = unquote_to_bytes(value)
    return known


def _to_text(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        raise RootKeyUnreadableError("The URI of the PKCS#11 key is not in UTF-8.", advice=_ADVICE) from None
