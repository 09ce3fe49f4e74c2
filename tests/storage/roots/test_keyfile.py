"""The root key: made once, for its owner only, shown to nobody: the notice, section 10; GDPR, Art. 32(1)(a)."""

import base64
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from kelarec import create_key_file
from kelarec.errors import ObjectExistsError, RootKeyUnreadableError, UnknownSchemeError, WrongRootKeyError
from kelarec.storage.roots import LocalRootKey, load_root_key

KEY: Final = bytes(range(32))
CONTEXT: Final = b"kelarec v1\narchive test"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A new key file."""
    create_key_file(tmp_path / "root.key")
    return tmp_path / "root.key"


def test_a_key_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """A key file is made so that only its owner reads it, whatever the umask (section 10)."""
    usual = os.umask(0)
    try:
        create_key_file(tmp_path / "root.key")
    finally:
        os.umask(usual)
    assert (tmp_path / "root.key").stat().st_mode & 0o777 == 0o600


def test_each_key_file_holds_another_key(tmp_path: Path) -> None:
    """Root keys are random."""
    for name in ("one", "two"):
        create_key_file(tmp_path / name)
    assert (tmp_path / "one").read_bytes() != (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("form", ["keyfile:{}", "keyfile://{}"])
def test_a_key_file_opens_what_it_sealed(key_file: Path, form: str) -> None:
    """A ring key sealed under a key file opens under it again, by either form of its URI."""
    uri = form.format(key_file)
    sealed = load_root_key(uri, os.urandom).wrap(b"secret", CONTEXT)
    assert load_root_key(uri, os.urandom).unwrap(sealed, CONTEXT) == b"secret"


def test_what_create_returns_is_the_uri(tmp_path: Path) -> None:
    """The URI that creating gives is the one to open with."""
    uri = create_key_file(tmp_path / "root.key")
    assert uri == f"keyfile:{tmp_path / 'root.key'}"
    assert load_root_key(uri, os.urandom).scheme == "keyfile"


def test_a_key_file_is_never_overwritten(key_file: Path) -> None:
    """Overwriting a root key would lose an archive, so it is refused."""
    before = key_file.read_bytes()
    with pytest.raises(ObjectExistsError) as caught:
        create_key_file(key_file)
    assert caught.value.advice
    assert key_file.read_bytes() == before


def test_where_no_file_can_be_made_it_is_named(tmp_path: Path) -> None:
    """A key file in a folder that is not there is an error with a name."""
    with pytest.raises(RootKeyUnreadableError):
        create_key_file(tmp_path / "nowhere" / "root.key")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602, 0o610, 0o777], ids=oct)
def test_a_key_file_open_to_others_is_refused(key_file: Path, mode: int) -> None:
    """A key file that others may use is no secret; the error says how to close it (section 10)."""
    key_file.chmod(mode)
    with pytest.raises(RootKeyUnreadableError, match="chmod 600"):
        load_root_key(f"keyfile:{key_file}", os.urandom)


GOOD: Final = f"kelarec root key v1\n{base64.b64encode(KEY).decode()}\n"
BAD: Final[dict[str, str]] = {
    "empty": "",
    "another first line": GOOD.replace("v1", "v2"),
    "no first line": GOOD.split("\n", 1)[1],
    "no last newline": GOOD[:-1],
    "a line more": GOOD + "\n",
    "Windows lines": GOOD.replace("\n", "\r\n"),
    "a shorter key": GOOD.replace(base64.b64encode(KEY).decode(), base64.b64encode(KEY[:-1]).decode()),
    "a longer key": GOOD.replace(base64.b64encode(KEY).decode(), base64.b64encode(KEY + b"!").decode()),
    "no base64": GOOD.replace("A", "?", 1),
    "not ASCII": GOOD.replace("kelarec", "kelärec"),
    "much more": GOOD * 100,
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_what_is_no_key_file_is_refused(key_file: Path, content: str) -> None:
    """A root key is read from a whole key file only, and no error repeats any of it."""
    key_file.write_text(content, encoding="utf-8", newline="")
    with pytest.raises(RootKeyUnreadableError) as caught:
        load_root_key(f"keyfile:{key_file}", os.urandom)
    assert caught.value.advice
    assert base64.b64encode(KEY).decode()[:20] not in str(caught.value)


def test_the_good_one_of_these_is_read(key_file: Path) -> None:
    """The file that the bad ones above were made of is a key file."""
    key_file.write_text(GOOD)
    sealed = LocalRootKey(KEY, os.urandom).wrap(b"secret", CONTEXT)
    assert load_root_key(f"keyfile:{key_file}", os.urandom).unwrap(sealed, CONTEXT) == b"secret"


@pytest.mark.parametrize("uri", ["", "root.key", "sesame:open", "KEYFILE", "vault:token=kela", "file:/etc/passwd"])
def test_other_kinds_of_root_key_are_named(uri: str) -> None:
    """A root key of a kind that nobody knows is refused, and the error says which are known."""
    with pytest.raises(UnknownSchemeError, match="keyfile:/path"):
        load_root_key(uri, os.urandom)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: (bytes(32), line, CONTEXT),
        lambda line: (KEY, line, CONTEXT + b"!"),
        lambda line: (KEY, line.replace("A256GCM", "A128GCM"), CONTEXT),
        lambda line: (KEY, line[:-8], CONTEXT),
        lambda line: (KEY, line + "A", CONTEXT),
        lambda line: (KEY, line[:0], CONTEXT),
    ],
    ids=["key", "context", "algorithm", "cut", "lengthened", "empty"],
)
def test_only_the_right_key_and_context_open(spoil: Callable[[str], tuple[bytes, str, bytes]]) -> None:
    """Another root key, another archive or an altered wrap is a WrongRootKeyError with advice."""
    key, line, context = spoil(LocalRootKey(KEY, os.urandom).wrap(b"secret", CONTEXT))
    with pytest.raises(WrongRootKeyError) as caught:
        LocalRootKey(key, os.urandom).unwrap(line, context)
    assert caught.value.advice


def test_a_root_key_shows_and_sends_itself_to_nobody() -> None:
    """No repr, log or pickle carries a root key (section 10)."""
    key = LocalRootKey(KEY, os.urandom)
    assert repr(KEY)[2:20] not in repr(key)
    assert KEY.hex() not in repr(key)
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(key)
