"""AWS KMS: a root key that never leaves the service, which seals the ring key and opens it again.

    AWSKMS <base64 of the service's ciphertext>

What the wrap is for is bound in as the encryption context ``kelarec-context``: the SHA-256 of our context in
hexadecimal.
"""

import base64
import binascii
import hashlib
import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote

from attrs import field, frozen

from kelarec.errors import MissingExtraError, RootKeyUnreachableError, RootKeyUnreadableError, WrongRootKeyError
from kelarec.storage.roots._contract import NEVER_PICKLED, RootKey, Secrets
from kelarec.storage.wrapping import Randomness

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_ALGORITHM: Final = "AWSKMS"
_KEY: Final = re.compile(r"(?:arn:[a-z-]+:kms:(?P<region>[a-z0-9-]+):\d{12}:)?(?:alias/|key/)?[A-Za-z0-9/_-]+")
_REGION: Final = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d+")
_PROBE: Final = b"kelarec probe"
_OTHER_WRAP: Final = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})
_UNTOLD: Final = frozenset({"AccessDeniedException"})  # also the answer for a wrap of a key that one may not use
_NOT_NOW: Final = frozenset(
    {
        "DependencyTimeoutException",
        "InternalFailure",
        "KMSInternalException",
        "KeyUnavailableException",
        "LimitExceededException",
        "RequestTimeout",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
    }
)
_SERVER_ERRORS: Final = 500
_HERE: Final = threading.local()


@frozen
class AwsKmsRootKey:
    """A symmetric key of AWS KMS.

    Attributes:
        key: Its ARN, alias or id.
        region: Where the service lies.
    """

    key: str
    region: str
    _client: Any = field(repr=False)
    scheme: str = "awskms"

    def wrap(self, secret: bytes, context: bytes) -> str:
        """See `RootKey.wrap`."""
        return f"{_ALGORITHM} {base64.b64encode(self._encrypt(secret, context)).decode()}"

    def unwrap(self, line: str, context: bytes) -> bytes:
        """See `RootKey.unwrap`."""
        algorithm, _, encoded = line.partition(" ")
        try:
            sealed = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            sealed = b""
        if algorithm != _ALGORITHM or not sealed or base64.b64encode(sealed).decode() != encoded:
            raise WrongRootKeyError("The wrap of the ring key is not one of AWS KMS, or is damaged.")
        return self._decrypt(sealed, context)

    def _encrypt(self, secret: bytes, context: bytes) -> bytes:
        return bytes(self._call("encrypt", Plaintext=secret, EncryptionContext=_bind(context))["CiphertextBlob"])

    def _decrypt(self, sealed: bytes, context: bytes, *, is_probe: bool = False) -> bytes:
        from botocore.exceptions import ClientError  # noqa: PLC0415  only with the extra

        try:
            answer = self._call("decrypt", CiphertextBlob=sealed, EncryptionContext=_bind(context))
        except ClientError as error:
            if not is_probe and _code(error) in _UNTOLD:
                # Refused for this wrap alone, or for all? The key is asked to open something else.
                self._decrypt(self._encrypt(_PROBE, _PROBE), _PROBE, is_probe=True)
            elif _code(error) not in _OTHER_WRAP:
                raise _refused(error) from None
            raise WrongRootKeyError("The key of AWS KMS does not open the ring key.") from None
        return bytes(answer["Plaintext"])

    def _call(self, act: str, **arguments: object) -> Any:  # noqa: ANN401  boto3 is untyped
        """Ask the service.

        Raises:
            ClientError: It says no to a decryption, and the caller must find out why.
            RootKeyUnreadableError: It says no.
            RootKeyUnreachableError: It says nothing.
        """
        from botocore import exceptions  # noqa: PLC0415  as above

        try:
            with _unlogged():
                return getattr(self._client, act)(KeyId=self.key, **arguments)
        except exceptions.ClientError as error:
            if _is_not_now(error):
                raise RootKeyUnreachableError(f"AWS KMS in {self.region} cannot serve now: {_code(error)}.") from None
            if act == "decrypt":
                raise
            raise _refused(error) from None
        except (exceptions.HTTPClientError, exceptions.ConnectionError) as error:
            raise RootKeyUnreachableError(
                f"AWS KMS in {self.region} cannot be reached: {type(error).__name__}."
            ) from None
        except exceptions.BotoCoreError as error:  # such as no credentials
            raise RootKeyUnreadableError(
                f"AWS KMS cannot be asked: {type(error).__name__}.", advice="See to the credentials of this machine."
            ) from None

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError(NEVER_PICKLED)


def load(uri: str, secrets: Secrets, randomness: Randomness) -> RootKey:  # noqa: ARG001  credentials are the machine's
    """See `LoadRootKey`. Credentials and endpoint are found the way boto3 finds them."""
    key, region = _parse(uri)
    try:
        import boto3  # noqa: PLC0415  only with the extra
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError.of("awskms") from None
    retries = {"total_max_attempts": 3, "mode": "standard"}
    config = Config(connect_timeout=5, read_timeout=10, retries=retries)
    try:
        client = boto3.session.Session().client("kms", region_name=region, config=config)
    except (BotoCoreError, ValueError) as error:  # a profile that is not there, an endpoint that is no URL
        raise RootKeyUnreadableError(
            f"AWS KMS cannot be asked: {type(error).__name__}.", advice="See to boto3's configuration."
        ) from None
    return AwsKmsRootKey(key, region, client)


def _parse(uri: str) -> tuple[str, str]:
    advice = "Such as awskms:alias/kelarec?region=eu-north-1."
    key, _, query = uri.partition(":")[2].partition("?")
    asked = parse_qs(query, keep_blank_values=True)
    key = unquote(key)
    found = _KEY.fullmatch(key)
    if found is None:
        raise RootKeyUnreadableError("The URI names no key of AWS KMS.", advice=advice)
    unknown = sorted(set(asked) - {"region"})
    if unknown or len(asked.get("region", [])) > 1:
        raise RootKeyUnreadableError(
            "The URI of a key of AWS KMS may have one region and nothing else behind the question mark.",
            advice=f"{advice} Credentials never stand in it.",
        )
    region = asked.get("region", [found["region"] or ""])[0]
    if not _REGION.fullmatch(region) or (found["region"] and region != found["region"]):
        raise RootKeyUnreadableError("The URI names no region, or another one than the key's.", advice=advice)
    return key, region


class _WhileNotAsking(logging.Filter):
    """Lets no record through while this thread asks the service."""

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002  whatever it is
        return not getattr(_HERE, "is_asking", False)


_WHILE_NOT_ASKING: Final = _WhileNotAsking()


@contextmanager
def _unlogged() -> Iterator[None]:
    """Keep botocore silent: for debugging it logs whole requests and answers, and with them the ring key."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in {"boto3", "botocore"}:
            logging.getLogger(name).addFilter(_WHILE_NOT_ASKING)
    _HERE.is_asking = True
    try:
        yield
    finally:
        _HERE.is_asking = False


def _bind(context: bytes) -> dict[str, str]:
    return {"kelarec-context": hashlib.sha256(context).hexdigest()}


def _code(error: "ClientError") -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))


def _is_not_now(error: "ClientError") -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return _code(error) in _NOT_NOW or status >= _SERVER_ERRORS


def _refused(error: "ClientError") -> RootKeyUnreadableError:
    return RootKeyUnreadableError(
        f"AWS KMS does not give the key: {_code(error)}.",
        advice="See that the key is there and enabled, and that this machine's role may encrypt and decrypt with it.",
    )
