"""PKCS#11: a root key in a hardware token, which seals the ring key and opens it again.

    PKCS11-A256GCM <base64 of: nonce, 12 bytes | ciphertext | tag, 16 bytes>
    PKCS11-A256KW <base64 of a key wrapped by the token> A256GCM <base64>

The first where the token's key may encrypt and the token has AES-GCM, which binds our context itself. Else the token
wraps a fresh key of this process by AES key wrap (RFC 3394), which binds nothing, and the ring key is sealed under that
one.
"""

import base64
import binascii
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from kelarec.errors import (
    IntegrityError,
    KelarecError,
    MissingExtraError,
    RootKeyUnreachableError,
    RootKeyUnreadableError,
    WrongRootKeyError,
)
from kelarec.storage.roots._contract import NEVER_PICKLED, RootKey, Secrets, ask
from kelarec.storage.roots._pkcs11_uri import Pkcs11Uri, parse_pkcs11_uri
from kelarec.storage.wrapping import KEY_BYTES, Randomness, unwrap, wrap

if TYPE_CHECKING:
    import pkcs11

_GCM: Final = "PKCS11-A256GCM"
_KW: Final = "PKCS11-A256KW"
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_PROBE: Final = b"kelarec probe"
_LOCK: Final = threading.Lock()  # who is logged in is the token's state, not the session's: one at a time


@frozen
class Pkcs11RootKey:
    """An AES key of 256 bits that a PKCS#11 token does not give away.

    Attributes:
        uri: Which key, without any secret.
    """

    uri: Pkcs11Uri
    _secrets: Secrets = field(repr=False)
    _randomness: Randomness = field(repr=False)
    scheme: str = "pkcs11"

    def wrap(self, secret: bytes, context: bytes) -> str:
        """See `RootKey.wrap`."""
        with self._key() as key:
            if _can_encrypt(key):
                return f"{_GCM} {_to_text(self._encrypt(key, secret, context))}"
            local = self._randomness(KEY_BYTES)
            return f"{_KW} {_to_text(_wrap_local(key, local))} {wrap(local, secret, context, self._randomness)}"

    def unwrap(self, line: str, context: bytes) -> bytes:
        """See `RootKey.unwrap`."""
        algorithm, _, rest = line.partition(" ")
        encoded, _, inner = rest.partition(" ")
        sealed = _to_bytes(encoded)
        if algorithm not in {_GCM, _KW} or len(sealed) < _NONCE_BYTES + _TAG_BYTES or (algorithm == _GCM and inner):
            raise WrongRootKeyError("The wrap of the ring key is not one of PKCS#11, or is damaged.")
        with self._key() as key:
            if algorithm == _GCM:
                return self._open_gcm(key, sealed, context)
            local = self._open_kw(key, sealed)
        try:
            return unwrap(local, inner, context)
        except IntegrityError:
            raise _wrong() from None

    def _open_gcm(self, key: Any, sealed: bytes, context: bytes) -> bytes:  # noqa: ANN401  an object of the token
        import pkcs11  # noqa: PLC0415  only with the extra

        if not _can_encrypt(key):
            raise _wrong()
        try:
            return _decrypt(key, sealed, context)
        except (pkcs11.EncryptedDataInvalid, pkcs11.EncryptedDataLenRange):
            raise _wrong() from None
        except (pkcs11.GeneralError, pkcs11.FunctionFailed):
            # Some tokens say no more when a tag is wrong. Is it this wrap alone? The key is asked to open another.
            if _decrypt(key, self._encrypt(key, _PROBE, _PROBE), _PROBE) != _PROBE:
                raise
            raise _wrong() from None

    def _open_kw(self, key: Any, sealed: bytes) -> bytes:  # noqa: ANN401  as above
        import pkcs11  # noqa: PLC0415  only with the extra

        if not _may(key, pkcs11.Attribute.UNWRAP):
            raise _wrong()
        try:
            return _unwrap_local(key, sealed)
        except (pkcs11.WrappedKeyInvalid, pkcs11.WrappedKeyLenRange, pkcs11.DataLenRange):
            raise _wrong() from None
        except (pkcs11.GeneralError, pkcs11.FunctionFailed):
            probe = self._randomness(KEY_BYTES)
            if _unwrap_local(key, _wrap_local(key, probe)) != probe:
                raise
            raise _wrong() from None

    def _encrypt(self, key: Any, secret: bytes, context: bytes) -> bytes:  # noqa: ANN401  as above
        nonce = self._randomness(_NONCE_BYTES)
        return nonce + bytes(key.encrypt(secret, **_gcm(nonce, context)))

    @contextmanager
    def _key(self) -> Iterator[Any]:
        """Log in, find the key, and log out again."""
        import pkcs11  # noqa: PLC0415  only with the extra

        pin = ask(self._secrets, "pin")
        try:
            with _LOCK, _open_session(self.uri, pin) as session:
                yield _find_key(session, self.uri)
        except KelarecError:
            raise
        except pkcs11.PKCS11Error as error:
            raise _to_named(error) from None

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError(NEVER_PICKLED)


def load(uri: str, secrets: Secrets, randomness: Randomness) -> RootKey:
    """See `LoadRootKey`."""
    parsed = parse_pkcs11_uri(uri)
    try:
        import pkcs11  # noqa: F401, PLC0415  only with the extra
    except ImportError:
        raise MissingExtraError.of("pkcs11") from None
    return Pkcs11RootKey(parsed, secrets, randomness)


def _open_session(uri: Pkcs11Uri, pin: str) -> Any:  # noqa: ANN401  a session of python-pkcs11
    import pkcs11  # noqa: PLC0415  only with the extra

    try:
        library = pkcs11.lib(uri.module_path)
    except pkcs11.PKCS11Error as error:
        if type(error) is not pkcs11.PKCS11Error:  # the library is there and says why
            raise
        raise RootKeyUnreadableError(
            f"The PKCS#11 module {uri.module_path} cannot be loaded.", advice="Install it, or correct module-path."
        ) from None
    token = library.get_token(token_label=uri.token, token_serial=uri.serial)
    try:
        return token.open(user_pin=pin)
    except pkcs11.UserAlreadyLoggedIn:  # by other code of this process, which also logs out
        return token.open()


def _find_key(session: Any, uri: Pkcs11Uri) -> Any:  # noqa: ANN401  objects of python-pkcs11
    from pkcs11 import Attribute, KeyType, ObjectClass  # noqa: PLC0415  only with the extra

    told = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: KeyType.AES}
    named = {Attribute.LABEL: uri.label, Attribute.ID: uri.id}
    found = list(session.get_objects(told | {each: value for each, value in named.items() if value is not None}))
    if len(found) != 1:
        raise RootKeyUnreadableError(
            f"The URI leads to {len(found) or 'no'} AES keys in the PKCS#11 token, and must lead to one.",
            advice="Correct the URI; object and id together say more than one of them.",
        )
    [key] = found
    if key.key_length != KEY_BYTES * 8:
        raise RootKeyUnreadableError("The key in the token is not one of 256 bits.", advice="Make one of 256 bits.")
    if key[Attribute.EXTRACTABLE] or not key[Attribute.SENSITIVE]:
        raise RootKeyUnreadableError(
            "The key in the token could be read out of it.", advice="Make one that is sensitive and not extractable."
        )
    return key


def _may(key: Any, attribute: Any) -> bool:  # noqa: ANN401  as above
    from pkcs11 import AttributeTypeInvalid  # noqa: PLC0415  only with the extra

    try:
        return bool(key[attribute])
    except AttributeTypeInvalid:
        return False


def _can_encrypt(key: Any) -> bool:  # noqa: ANN401  as above
    from pkcs11 import Attribute, Mechanism  # noqa: PLC0415  only with the extra

    allowed = _may(key, Attribute.ENCRYPT) and _may(key, Attribute.DECRYPT)
    return allowed and Mechanism.AES_GCM in key.session.token.slot.get_mechanisms()


def _gcm(nonce: bytes, context: bytes) -> dict[str, Any]:
    import pkcs11  # noqa: PLC0415  only with the extra

    return {
        "mechanism": pkcs11.Mechanism.AES_GCM,
        "mechanism_param": pkcs11.GCMParams(nonce, context, _TAG_BYTES * 8),
    }


def _decrypt(key: Any, sealed: bytes, context: bytes) -> bytes:  # noqa: ANN401  as above
    return bytes(key.decrypt(sealed[_NONCE_BYTES:], **_gcm(sealed[:_NONCE_BYTES], context)))


def _for_this_session() -> "dict[pkcs11.Attribute, Any]":
    from pkcs11 import Attribute  # noqa: PLC0415  only with the extra

    return {Attribute.TOKEN: False, Attribute.EXTRACTABLE: True, Attribute.SENSITIVE: False}


def _wrap_local(key: Any, local: bytes) -> bytes:  # noqa: ANN401  as above
    from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass  # noqa: PLC0415  only with the extra

    if not _may(key, Attribute.WRAP) or not _may(key, Attribute.UNWRAP):
        raise RootKeyUnreadableError(
            "The key in the token may neither encrypt by AES-GCM nor wrap.", advice="Allow it one of them, both ways."
        )
    told = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: KeyType.AES, Attribute.VALUE: local}
    carried = key.session.create_object(told | _for_this_session())
    return bytes(key.wrap_key(carried, mechanism=Mechanism.AES_KEY_WRAP))


def _unwrap_local(key: Any, sealed: bytes) -> bytes:  # noqa: ANN401  as above
    from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass  # noqa: PLC0415  only with the extra

    carried = key.unwrap_key(
        ObjectClass.SECRET_KEY,
        KeyType.AES,
        sealed,
        mechanism=Mechanism.AES_KEY_WRAP,
        template=_for_this_session(),
    )
    return bytes(carried[Attribute.VALUE])


def _to_text(sealed: bytes) -> str:
    return base64.b64encode(sealed).decode()


def _to_bytes(encoded: str) -> bytes:
    try:
        sealed = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return sealed if _to_text(sealed) == encoded else b""


def _wrong() -> WrongRootKeyError:
    return WrongRootKeyError("The key in the PKCS#11 token does not open the ring key.")


def _to_named(error: "pkcs11.PKCS11Error") -> KelarecError:
    """Return our error for one of the token's; its text is left out, since it is the maker's."""
    import pkcs11  # noqa: PLC0415  only with the extra

    kind = type(error).__name__
    if isinstance(error, (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange)):
        return RootKeyUnreadableError(
            "The PKCS#11 token refuses the PIN.", advice="Correct it; many tokens lock after a few wrong ones."
        )
    if isinstance(error, (pkcs11.PinLocked, pkcs11.PinExpired, pkcs11.UserPinNotInitialized)):
        return RootKeyUnreadableError(f"The PKCS#11 token lets nobody in: {kind}.", advice="Let its officer reset it.")
    if isinstance(error, pkcs11.MultipleTokensReturned):
        return RootKeyUnreadableError("The URI leads to several PKCS#11 tokens.", advice="Name its serial number too.")
    if isinstance(error, (pkcs11.NoSuchToken, pkcs11.TokenNotPresent, pkcs11.DeviceRemoved)):
        return RootKeyUnreachableError(f"The PKCS#11 token is not there: {kind}.", advice="Connect the token.")
    return RootKeyUnreachableError(f"The PKCS#11 token failed: {kind}.", advice="See to the token and its module.")
