"""A hardware token as root key, against SoftHSM2: the notice, section 10; GDPR, Art. 32(1)(a)."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from kelarec.errors import MissingExtraError, RootKeyUnreachableError, RootKeyUnreadableError
from kelarec.storage.roots import RootKey, load_root_key
from kelarec.storage.roots._pkcs11_uri import Pkcs11Uri, parse_pkcs11_uri
from key_services import SoftHsm

CONTEXT: Final = b"kelarec v1\narchive test"
MODULE: Final = "?module-path=/usr/lib/hsm.so"


def load(softhsm: SoftHsm, uri: str) -> RootKey:
    """Return a root key of the tokens."""
    return load_root_key(uri, os.urandom, lambda _: softhsm.pin)


def test_the_key_does_not_leave_the_token(softhsm: SoftHsm) -> None:
    """A key that could be read out of its token is refused, and the error says how it must be made."""
    for uri in (softhsm.make_key("loose", EXTRACTABLE=True), softhsm.make_key("open", SENSITIVE=False)):
        with pytest.raises(RootKeyUnreadableError, match="read out of it") as caught:
            load(softhsm, uri).wrap(b"secret", CONTEXT)
        assert "not extractable" in caught.value.advice


def test_only_a_key_of_256_bits_serves(softhsm: SoftHsm) -> None:
    """A shorter key would be the weakest one of all."""
    with pytest.raises(RootKeyUnreadableError, match="256 bits"):
        load(softhsm, softhsm.make_key("short", bits=128)).wrap(b"secret", CONTEXT)


def test_a_key_that_may_do_nothing_is_named(softhsm: SoftHsm) -> None:
    """A key that may neither encrypt nor wrap serves nobody."""
    uri = softhsm.make_key("idle", ENCRYPT=False, DECRYPT=False, WRAP=False, UNWRAP=False)
    with pytest.raises(RootKeyUnreadableError, match="neither encrypt"):
        load(softhsm, uri).wrap(b"secret", CONTEXT)


def test_each_way_of_wrapping_names_itself(softhsm: SoftHsm) -> None:
    """A key that encrypts binds the context in the token; one that only wraps carries a key of this process."""
    gcm = load(softhsm, softhsm.make_key("encrypts"))
    key_wrap = load(softhsm, softhsm.make_key("wraps", ENCRYPT=False, DECRYPT=False))
    lines = gcm.wrap(b"secret", CONTEXT), key_wrap.wrap(b"secret", CONTEXT)
    assert [line.split(" ")[0] for line in lines] == ["PKCS11-A256GCM", "PKCS11-A256KW"]


def test_what_the_uri_does_not_find_is_named(softhsm: SoftHsm) -> None:
    """No such token, no such key, two such keys and no such module are told apart."""
    softhsm.make_key("twin")
    softhsm.make_key("twin")
    wanted = {
        softhsm.uri("nobody"): (RootKeyUnreadableError, "no AES keys"),
        softhsm.uri("twin"): (RootKeyUnreadableError, "2 AES keys"),
        softhsm.uri("nobody", token="unplugged"): (RootKeyUnreachableError, "NoSuchToken"),
        f"pkcs11:token=kelarec;object=x{MODULE}": (RootKeyUnreadableError, "cannot be loaded"),
    }
    for uri, (kind, told) in wanted.items():
        with pytest.raises(kind, match=told) as caught:
            load(softhsm, uri).wrap(b"secret", CONTEXT)
        assert caught.value.advice
        assert caught.value.__cause__ is None


def test_a_token_is_found_by_its_serial_number(softhsm: SoftHsm) -> None:
    """A token and a key are found by label, or by serial number and id."""
    import pkcs11  # noqa: PLC0415  only where SoftHSM2 is

    by_label = softhsm.make_key("numbered")
    serial = pkcs11.lib(softhsm.module).get_token(token_label="kelarec").serial.decode()
    by_serial = by_label.replace("token=kelarec", f"serial={serial}")
    line = load(softhsm, by_label).wrap(b"secret", CONTEXT)
    assert load(softhsm, by_serial).unwrap(line, CONTEXT) == b"secret"


def test_threads_take_turns_at_the_token(softhsm: SoftHsm) -> None:
    """Being logged in is the token's state: several threads neither lock one another out nor log one another out."""
    root = load(softhsm, softhsm.make_key("shared"))
    with ThreadPoolExecutor(4) as pool:
        lines = list(pool.map(lambda _: root.wrap(b"secret", CONTEXT), range(12)))
        assert list(pool.map(lambda line: root.unwrap(line, CONTEXT), lines)) == [b"secret"] * 12


def test_a_login_of_the_embedder_stays(softhsm: SoftHsm) -> None:
    """Where the program is logged in at the token by itself, kelarec uses that and does not end it."""
    import pkcs11  # noqa: PLC0415  only where SoftHSM2 is

    root = load(softhsm, softhsm.make_key("mine"))
    with pkcs11.lib(softhsm.module).get_token(token_label="kelarec").open(user_pin=softhsm.pin) as session:
        line = root.wrap(b"secret", CONTEXT)
        assert root.unwrap(line, CONTEXT) == b"secret"
        assert session.get_key(label="mine").key_length == 256


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without python-pkcs11 the error says what to install."""
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'kelarec\[pkcs11\]'"):
        load_root_key(f"pkcs11:token=kelarec;object=root{MODULE}", os.urandom)


def test_a_uri_says_what_rfc_7512_says() -> None:
    """Attributes come in any order, with escapes; the id is bytes (RFC 7512, section 2.3)."""
    uri = (
        "pkcs11:id=%00%ff;type=secret-key;object=ring%20root;serial=12ab;token=Kela%3bFI?module-path=/usr/lib/a%20b.so"
    )
    assert parse_pkcs11_uri(uri) == Pkcs11Uri("/usr/lib/a b.so", "Kela;FI", b"12ab", "ring root", b"\x00\xff")


@pytest.mark.parametrize(
    "uri",
    [
        f"pkcs11:token=k;object=o{MODULE}&pin-value=4711",
        f"pkcs11:token=k;object=o;pin-value=4711{MODULE}",
        f"pkcs11:token=k;object=o{MODULE}&pin-source=/etc/4711",
    ],
)
def test_a_pin_in_a_uri_is_refused_by_name(uri: str) -> None:
    """RFC 7512 allows a PIN in a URI and warns of it (section 4); here it is refused, and not repeated."""
    with pytest.raises(RootKeyUnreadableError, match=r"pin-(value|source)") as caught:
        load_root_key(uri, os.urandom, lambda _: "4711")
    assert "4711" not in str(caught.value)
    assert "change it" in caught.value.advice


@pytest.mark.parametrize(
    "uri",
    [
        "pkcs11:",
        "pkcs11:token=k;object=o",
        f"pkcs11:object=o{MODULE}",
        f"pkcs11:token=k{MODULE}",
        f"pkcs11:token=k;object=o;type=private{MODULE}",
        f"pkcs11:token=k;token=j;object=o{MODULE}",
        f"pkcs11:token=;object=o{MODULE}",
        f"pkcs11:token;object=o{MODULE}",
        f"pkcs11:token=k;object=o;4711=4711{MODULE}",
        f"pkcs11:token=%ff;object=o{MODULE}",
        f"pkcs11:token=k;object=o{MODULE}&x-pin=4711",
    ],
)
def test_a_uri_that_names_no_key_is_refused(uri: str) -> None:
    """A URI names module, token and key, each once, and nothing that is not used; the error shows an example."""
    with pytest.raises(RootKeyUnreadableError, match="Such as pkcs11:") as caught:
        load_root_key(uri, os.urandom)
    assert "4711" not in str(caught.value)
