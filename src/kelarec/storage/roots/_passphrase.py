"""The passphrase: a root key derived by Argon2id (RFC 9106) from what a person knows.

    ARGON2ID t=3 p=4 m=65536 <base64 of the salt> A256GCM <base64>

Salt and cost stand in the wrap, so that a later version may ask for more and still open what is there.
"""

import base64
import binascii
import re
import unicodedata
from typing import Final

from attrs import field, frozen
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from kelarec.errors import IntegrityError, RootKeyUnreachableError, RootKeyUnreadableError, WrongRootKeyError
from kelarec.storage.roots._contract import NEVER_PICKLED, RootKey, Secrets, ask
from kelarec.storage.wrapping import KEY_BYTES, Randomness, unwrap, wrap

_SALT_BYTES: Final = 16
_SHORTEST: Final = 15
_LINE: Final = re.compile(r"ARGON2ID t=(\d{1,3}) p=(\d{1,2}) m=(\d{1,7}) ([A-Za-z0-9+/]{22}==) (.+)", re.ASCII)


@frozen
class Cost:
    """What one guess costs: the second recommended set of RFC 9106, section 4, which fits every machine.

    Attributes:
        passes: How often the memory is gone through.
        lanes: How many threads share it.
        memory: In KiB.
    """

    passes: int = 3
    lanes: int = 4
    memory: int = 64 * 1024


COST: Final = Cost()
_MOST: Final = Cost(passes=100, lanes=64, memory=4 * 1024 * 1024)


@frozen
class PassphraseRootKey:
    """A root key that is derived from a passphrase each time it is used, and kept nowhere."""

    _secrets: Secrets = field(repr=False)
    _randomness: Randomness = field(repr=False)
    _cost: Cost = COST
    scheme: str = "passphrase"

    def wrap(self, secret: bytes, context: bytes) -> str:
        """See `RootKey.wrap`.

        Raises:
            RootKeyUnreadableError: The passphrase is shorter than 15 characters (NIST SP 800-63B-4, 3.1.1.2).
        """
        passphrase = self._ask()
        if len(passphrase) < _SHORTEST:
            raise RootKeyUnreadableError(
                f"The passphrase has fewer than {_SHORTEST} characters.", advice="Take five or more random words."
            )
        salt = self._randomness(_SALT_BYTES)
        cost = self._cost
        head = f"ARGON2ID t={cost.passes} p={cost.lanes} m={cost.memory} {base64.b64encode(salt).decode()}"
        return f"{head} {wrap(_derive(passphrase, salt, cost), secret, _bind(context, head), self._randomness)}"

    def unwrap(self, line: str, context: bytes) -> bytes:
        """See `RootKey.unwrap`."""
        found = _LINE.fullmatch(line)
        if found is None:
            raise WrongRootKeyError("The wrap of the ring key is not one of a passphrase, or is damaged.")
        cost = Cost(*(int(number) for number in found.group(1, 2, 3)))
        try:
            salt = base64.b64decode(found[4], validate=True)
        except (binascii.Error, ValueError):
            raise WrongRootKeyError("The wrap of the ring key is damaged.") from None
        head = f"ARGON2ID t={cost.passes} p={cost.lanes} m={cost.memory} {base64.b64encode(salt).decode()}"
        if not _is_possible(cost) or not line.startswith(f"{head} "):
            raise WrongRootKeyError("The wrap of the ring key is damaged: its cost or salt is not possible.")
        try:
            return unwrap(_derive(self._ask(), salt, cost), found[5], _bind(context, head))
        except IntegrityError:
            raise WrongRootKeyError(
                "The passphrase does not open the ring key.",
                advice="Give the passphrase that the archive was created with, or last rotated to.",
            ) from None

    def _ask(self) -> str:
        # One passphrase has several encodings, and keyboards differ: RFC 8265, section 4.2.2, takes form C.
        return unicodedata.normalize("NFC", ask(self._secrets, "passphrase"))

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError(NEVER_PICKLED)


def load(uri: str, secrets: Secrets, randomness: Randomness) -> RootKey:
    """See `LoadRootKey`."""
    if uri != "passphrase:":
        raise RootKeyUnreadableError(
            "Something stands behind passphrase: in the URI.",
            advice="Write passphrase: alone and give the passphrase through secrets=; change one that stood in a URI.",
        )
    return PassphraseRootKey(secrets, randomness, COST)


def _is_possible(cost: Cost) -> bool:
    return (
        1 <= cost.passes <= _MOST.passes
        and 1 <= cost.lanes <= _MOST.lanes
        and 8 * cost.lanes <= cost.memory <= _MOST.memory
    )


def _bind(context: bytes, head: str) -> bytes:
    return context + b"\n" + head.encode()


def _derive(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    try:
        return Argon2id(
            salt=salt, length=KEY_BYTES, iterations=cost.passes, lanes=cost.lanes, memory_cost=cost.memory
        ).derive(passphrase.encode())
    except MemoryError:
        raise RootKeyUnreachableError(
            f"There is no memory for the passphrase: it takes {cost.memory // 1024} MiB.", advice="Free some memory."
        ) from None
