"""A passphrase as root key: Argon2id, its cost stored with the wrap: the notice, section 10; GDPR, Art. 32(1)(a)."""

import os
import unicodedata
from typing import Final, Literal

import pytest

from kelarec.errors import RootKeyUnreadableError, WrongRootKeyError
from kelarec.storage.roots import RootKey, load_root_key
from kelarec.storage.roots._passphrase import Cost, PassphraseRootKey

CONTEXT: Final = b"kelarec v1\narchive test"
PASSPHRASE: Final = "kevätpäivä kolme hölmöä hauvaa"
CHEAP: Final = Cost(passes=1, lanes=1, memory=256)


def of(passphrase: str | bytes, cost: Cost = CHEAP) -> RootKey:
    """Return the root key of a passphrase."""
    return PassphraseRootKey(lambda _: passphrase, os.urandom, cost)


def test_a_guess_costs_what_is_declared() -> None:
    """A new wrap takes three passes over 64 MiB in four lanes (RFC 9106, section 4), and opens again."""
    line = load_root_key("passphrase:", os.urandom, lambda _: PASSPHRASE).wrap(b"secret", CONTEXT)
    assert line.startswith("ARGON2ID t=3 p=4 m=65536 ")
    assert of(PASSPHRASE).unwrap(line, CONTEXT) == b"secret"


def test_the_published_form_is_what_is_written() -> None:
    """Whoever knows docs/formats.md opens a wrap with Argon2id and AES-256-GCM alone."""
    import base64  # noqa: PLC0415  as an outsider would

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id  # noqa: PLC0415

    line = of(PASSPHRASE).wrap(b"secret", CONTEXT)
    head, algorithm, encoded = line.rsplit(" ", 2)
    _, passes, lanes, memory, salt = head.split(" ")
    key = Argon2id(
        salt=base64.b64decode(salt),
        length=32,
        iterations=int(passes.removeprefix("t=")),
        lanes=int(lanes.removeprefix("p=")),
        memory_cost=int(memory.removeprefix("m=")),
    ).derive(PASSPHRASE.encode())
    sealed = base64.b64decode(encoded)
    assert algorithm == "A256GCM"
    assert AESGCM(key).decrypt(sealed[:12], sealed[12:], CONTEXT + b"\n" + head.encode()) == b"secret"


def test_a_raised_cost_still_opens_what_was_sealed_before() -> None:
    """The cost stands in the wrap, so it can be raised later."""
    line = of(PASSPHRASE).wrap(b"secret", CONTEXT)
    assert of(PASSPHRASE, Cost(passes=2, lanes=2, memory=512)).unwrap(line, CONTEXT) == b"secret"


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_passphrase_is_the_same_however_it_is_typed(form: Literal["NFC", "NFD"]) -> None:
    """Letters with accents have several encodings; a passphrase opens in each, as text and as UTF-8 (RFC 8265)."""
    typed = unicodedata.normalize("NFC" if form == "NFD" else "NFD", PASSPHRASE)
    line = of(unicodedata.normalize(form, PASSPHRASE)).wrap(b"secret", CONTEXT)
    assert of(typed).unwrap(line, CONTEXT) == of(typed.encode()).unwrap(line, CONTEXT) == b"secret"


def test_a_short_passphrase_is_refused() -> None:
    """What stands alone between a thief and an archive has 15 characters at least (NIST SP 800-63B-4, 3.1.1.2)."""
    with pytest.raises(RootKeyUnreadableError, match="fewer than 15") as caught:
        of("x" * 14).wrap(b"secret", CONTEXT)
    assert caught.value.advice
    assert of("x" * 15).wrap(b"secret", CONTEXT)


@pytest.mark.parametrize("uri", ["passphrase:hunter2-hunter2-hunter2", "passphrase://", "passphrase:?passphrase=x"])
def test_no_passphrase_stands_in_a_uri(uri: str) -> None:
    """A URI is shown in many places, so one with anything behind its scheme is refused and not repeated."""
    with pytest.raises(RootKeyUnreadableError, match="secrets=") as caught:
        load_root_key(uri, os.urandom, lambda _: PASSPHRASE)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [("t=1", "t=0"), ("t=1", "t=999"), ("p=1", "p=0"), ("p=1", "p=65"), ("m=256", "m=7"), ("m=256", "m=9999999")],
)
def test_an_impossible_cost_is_refused_before_it_is_paid(old: str, new: str) -> None:
    """Whoever alters the ring key's file cannot make opening take all memory or for ever."""
    line = of(PASSPHRASE).wrap(b"secret", CONTEXT).replace(old, new, 1)
    with pytest.raises(WrongRootKeyError, match="not possible"):
        of(PASSPHRASE).unwrap(line, CONTEXT)


def test_what_the_callback_raises_comes_through() -> None:
    """A vault's own error is the caller's to handle."""

    def refuse(name: str) -> str:
        raise ConnectionError(name)

    with pytest.raises(ConnectionError, match="passphrase"):
        load_root_key("passphrase:", os.urandom, refuse).wrap(b"secret", CONTEXT)
