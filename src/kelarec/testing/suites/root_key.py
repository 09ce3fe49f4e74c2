"""The contract of a root key as tests."""

import base64
import json
import logging
import os
import pickle
import subprocess
import sys
import traceback
from uuid import UUID

import pytest

from kelarec.errors import KelarecError, RootKeyError, RootKeyUnreadableError, WrongRootKeyError
from kelarec.storage.objects import MemoryObjects
from kelarec.storage.ring import open_ring, read_ring, replace_ring, write_ring
from kelarec.storage.roots import LocalRootKey, RootKey, Secrets, load_root_key

_ARCHIVE = UUID("019cbd02-c000-7000-8000-000000000001")
_CONTEXT = b"kelarec v1\narchive 019cbd02-c000-7000-8000-000000000001\nkey ring"
_OTHER_CONTEXT = b"kelarec v1\narchive 019cbd02-c000-7000-8000-000000000002\nkey ring"
_SECRET = bytes(range(100, 132))
_CHILD = """
import base64, json, os, sys
from kelarec.storage.roots import load_root_key

told = json.load(sys.stdin)
key = load_root_key(told["uri"], os.urandom, told["secrets"].__getitem__)
context = base64.b64decode(told["context"])
print(base64.b64encode(key.unwrap(told["line"], context)).decode())
print(key.wrap(b"from the child", context))
"""


def _shows(record: logging.LogRecord, hidden: list[str]) -> bool:
    return any(each in record.getMessage() for each in hidden)


class RootKeySuite:
    """Subclass it in your tests and override the fixtures `uri` and `other_uri`, and the secrets if there are any.

    A root key whose other key differs by its secrets alone overrides `other_secrets` instead of `other_uri`.
    """

    @pytest.fixture
    def uri(self) -> str:
        """The URI of a root key."""
        raise NotImplementedError

    @pytest.fixture
    def other_uri(self, uri: str) -> str:
        """The URI of another root key of the same kind."""
        return uri

    @pytest.fixture
    def secrets(self) -> dict[str, str]:
        """Its secrets by name."""
        return {}

    @pytest.fixture
    def other_secrets(self, secrets: dict[str, str]) -> dict[str, str]:
        """The other one's secrets by name."""
        return secrets

    @pytest.fixture
    def root_key(self, uri: str, secrets: dict[str, str]) -> RootKey:
        """The root key."""
        return load_root_key(uri, os.urandom, secrets.__getitem__)

    @pytest.fixture
    def other_root_key(self, other_uri: str, other_secrets: dict[str, str]) -> RootKey:
        """The other root key."""
        return load_root_key(other_uri, os.urandom, other_secrets.__getitem__)

    @pytest.fixture
    def line(self, root_key: RootKey) -> str:
        """A wrap."""
        return root_key.wrap(_SECRET, _CONTEXT)

    def test_it_opens_what_it_sealed(self, root_key: RootKey, uri: str, secrets: dict[str, str], line: str) -> None:
        """A wrap opens again, also under a root key that was loaded anew."""
        assert root_key.unwrap(line, _CONTEXT) == _SECRET
        assert load_root_key(uri, os.urandom, secrets.__getitem__).unwrap(line, _CONTEXT) == _SECRET

    def test_its_scheme_is_its_uris(self, root_key: RootKey, uri: str) -> None:
        """The ring key's file says by the scheme which kind of root key opens it."""
        assert root_key.scheme == uri.partition(":")[0]

    def test_a_wrap_is_one_line_that_shows_nothing(self, root_key: RootKey, line: str) -> None:
        """A wrap is printable ASCII, begins with its algorithm, hides the secret, and is never the same twice."""
        assert line.isascii()
        assert line.isprintable()
        assert line.partition(" ")[0].strip("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == ""
        for shown in (_SECRET.decode("latin-1"), _SECRET.hex(), base64.b64encode(_SECRET).decode()):
            assert shown not in line
        assert root_key.wrap(_SECRET, _CONTEXT) != line

    def test_another_root_key_does_not_open_it(self, other_root_key: RootKey, line: str) -> None:
        """Another root key of the same kind is a WrongRootKeyError, never garbage."""
        with pytest.raises(WrongRootKeyError):
            other_root_key.unwrap(line, _CONTEXT)

    def test_another_context_does_not_open_it(self, root_key: RootKey, line: str) -> None:
        """The context is bound: one archive's ring key does not open as another's."""
        with pytest.raises(WrongRootKeyError):
            root_key.unwrap(line, _OTHER_CONTEXT)

    def test_every_flipped_byte_is_found(self, root_key: RootKey, line: str) -> None:
        """One bit flipped in any byte of a wrap is a WrongRootKeyError."""
        unnoticed = []
        for position, character in enumerate(line):
            flipped = line[:position] + chr(ord(character) ^ (1 << position % 7)) + line[position + 1 :]
            try:
                root_key.unwrap(flipped, _CONTEXT)
            except WrongRootKeyError:
                continue
            unnoticed.append(position)
        print(f"\n{root_key.scheme}: {len(line)} bytes flipped one by one, {len(line) - len(unnoticed)} found")
        assert unnoticed == []

    @pytest.mark.parametrize("change", ["cut", "longer", "empty", "no algorithm", "another's", "first half twice"])
    def test_an_altered_wrap_does_not_open(self, root_key: RootKey, line: str, change: str) -> None:
        """A wrap that was cut, lengthened, or is of another kind is a WrongRootKeyError."""
        altered = {
            "cut": line[:-4],
            "longer": line + "AAAA",
            "empty": "",
            "no algorithm": line.partition(" ")[2],
            "another's": LocalRootKey(bytes(32), os.urandom).wrap(_SECRET, _CONTEXT),
            "first half twice": line[: len(line) // 2] + line,
        }[change]
        with pytest.raises(WrongRootKeyError):
            root_key.unwrap(altered, _CONTEXT)

    def test_it_shows_and_sends_itself_to_nobody(self, root_key: RootKey, secrets: dict[str, str]) -> None:
        """Neither its repr nor a pickle nor an error shows a secret."""
        with pytest.raises(TypeError, match="never pickled"):
            pickle.dumps(root_key)
        with pytest.raises(WrongRootKeyError) as caught:
            root_key.unwrap("A256GCM", _CONTEXT)
        shown = [repr(root_key), str(root_key), *traceback.format_exception(caught.value), repr(vars(caught.value))]
        for secret in secrets.values():
            assert all(secret not in each for each in shown)

    def test_nothing_is_logged(
        self, root_key: RootKey, secrets: dict[str, str], caplog: pytest.LogCaptureFixture
    ) -> None:
        """Not even at the level of debugging does any library beneath log the secret, a passphrase or a PIN."""
        with caplog.at_level(logging.DEBUG):
            assert root_key.unwrap(root_key.wrap(_SECRET, _CONTEXT), _CONTEXT) == _SECRET
        hidden = [_SECRET.hex(), base64.b64encode(_SECRET).decode(), repr(_SECRET)[2:-1], *secrets.values()]
        assert [(each.name, each.funcName) for each in caplog.records if _shows(each, hidden)] == []

    def test_another_process_opens_it(self, uri: str, secrets: dict[str, str], root_key: RootKey, line: str) -> None:
        """What one process seals another opens, both ways."""
        told = {"uri": uri, "secrets": secrets, "line": line, "context": base64.b64encode(_CONTEXT).decode()}
        child = subprocess.run(  # noqa: S603  our own interpreter and code
            [sys.executable, "-c", _CHILD],
            input=json.dumps(told),
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert child.returncode == 0, child.stderr
        opened, wrapped = child.stdout.splitlines()
        assert base64.b64decode(opened) == _SECRET
        assert root_key.unwrap(wrapped, _CONTEXT) == b"from the child"

    def test_a_secret_that_nobody_gives_is_named(self, uri: str, secrets: dict[str, str], line: str) -> None:
        """A root key that needs a secret says which, and how to give it."""
        if not secrets:
            return
        with pytest.raises(RootKeyUnreadableError, match="|".join(secrets)) as caught:
            load_root_key(uri, os.urandom).unwrap(line, _CONTEXT)
        assert "secrets=" in caught.value.advice

    def test_a_wrong_secret_is_named(self, uri: str, secrets: dict[str, str], line: str) -> None:
        """A wrong passphrase or PIN is an error with a name and advice that repeats neither."""
        for name, secret in secrets.items():
            wrong = secrets | {name: "wrong-horse-battery-staple"}
            with pytest.raises(RootKeyError) as caught:
                load_root_key(uri, os.urandom, wrong.__getitem__).unwrap(line, _CONTEXT)
            assert caught.value.advice
            shown = "".join(traceback.format_exception(caught.value))
            assert wrong[name] not in shown
            assert secret not in shown

    @pytest.mark.parametrize("given", ["", b"", b"\xff\xfe", None], ids=["empty", "no bytes", "not UTF-8", "None"])
    def test_a_secret_that_is_none_is_named(
        self, uri: str, secrets: dict[str, str], line: str, given: str | bytes | None
    ) -> None:
        """A callback that gives nothing, or no text, is an error with a name."""
        ask: Secrets = lambda _: given  # type: ignore[assignment,return-value]  # noqa: E731  what a caller may get wrong
        if secrets:
            with pytest.raises(RootKeyUnreadableError):
                load_root_key(uri, os.urandom, ask).unwrap(line, _CONTEXT)

    def test_it_wraps_a_ring_key(self, root_key: RootKey, other_root_key: RootKey) -> None:
        """A ring key's file opens under its root key alone, by kind and by key, and moves to another and back."""
        place = MemoryObjects()
        write_ring(place, _ARCHIVE, _SECRET, root_key)
        assert read_ring(place).scheme == root_key.scheme
        assert open_ring(place, _ARCHIVE, root_key) == _SECRET
        with pytest.raises(WrongRootKeyError):
            open_ring(place, _ARCHIVE, other_root_key)
        with pytest.raises(WrongRootKeyError, match="kind"):
            open_ring(place, _ARCHIVE, LocalRootKey(bytes(32), os.urandom, "of-another-kind"))
        replace_ring(place, _ARCHIVE, _SECRET, other_root_key)
        assert open_ring(place, _ARCHIVE, other_root_key) == _SECRET
        with pytest.raises(KelarecError):
            open_ring(place, _ARCHIVE, root_key)
