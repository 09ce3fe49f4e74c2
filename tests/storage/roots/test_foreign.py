"""Root keys that others bring by entry point are held to the contract: the notice, section 10."""

import os
import pickle
from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Final

import pytest
from attrs import frozen

from kelarec.errors import KelarecError, RootKeyUnreachableError, RootKeyUnreadableError, UnknownSchemeError
from kelarec.storage import roots
from kelarec.storage.roots import LocalRootKey, RootKey, Secrets, load_root_key
from kelarec.storage.wrapping import Randomness
from kelarec.testing.suites import RootKeySuite

CONTEXT: Final = b"kelarec v1\narchive test"


def load_paper(uri: str, secrets: Secrets, randomness: Randomness) -> RootKey:
    """Make a root key of a word in a URI: what a plug-in's function looks like."""
    secrets("unused")
    return LocalRootKey(uri.partition(":")[2].encode().ljust(32), randomness, "paper")


def load_broken(uri: str, secrets: Secrets, randomness: Randomness) -> RootKey:
    """Fail the way a plug-in may."""
    raise ConnectionError(f"{uri} {secrets} {randomness}")


@frozen
class Strange:
    """A root key that keeps no part of the contract."""

    answer: object
    scheme: str = "strange"

    def wrap(self, secret: bytes, context: bytes) -> str:
        """Answer as told."""
        del secret, context
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer  # type: ignore[return-value]  # on purpose

    def unwrap(self, line: str, context: bytes) -> bytes:
        """Answer as told."""
        return self.wrap(line.encode(), context)  # type: ignore[return-value]  # on purpose


@pytest.fixture
def bring(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that registers plug-ins as an installed distribution would."""

    def register(**functions: str) -> None:
        found = [EntryPoint(name.rstrip("_"), value, roots.ENTRY_POINTS) for name, value in functions.items()]
        monkeypatch.setattr(roots, "entry_points", lambda group: [each for each in found if each.group == group])

    return register


def test_a_plug_in_is_found_by_its_scheme(bring: Callable[..., None]) -> None:
    """The name of the entry point is the scheme of the URI."""
    bring(paper=f"{__name__}:load_paper")
    root = load_root_key("paper:clip", os.urandom, lambda _: "")
    assert root.unwrap(root.wrap(b"secret", CONTEXT), CONTEXT) == b"secret"
    assert root.scheme == "paper"
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(root)


def test_a_plug_in_never_takes_the_place_of_a_built_in(bring: Callable[..., None]) -> None:
    """What comes with kelarec is what a built-in scheme means, whoever else claims it."""
    bring(passphrase=f"{__name__}:load_broken")
    assert load_root_key("passphrase:", os.urandom, lambda _: "").scheme == "passphrase"


def test_two_plug_ins_of_one_scheme_are_refused(bring: Callable[..., None]) -> None:
    """None of two is picked in silence; the same one found twice is one."""
    bring(paper=f"{__name__}:load_paper", paper_=f"{__name__}:load_broken")
    with pytest.raises(UnknownSchemeError, match="Two plug-ins"):
        load_root_key("paper:clip", os.urandom)
    bring(paper=f"{__name__}:load_paper", paper_=f"{__name__}:load_paper")
    assert load_root_key("paper:clip", os.urandom, lambda _: "").scheme == "paper"


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("no_such_module_at_all:load", RootKeyUnreadableError),
        (f"{__name__}:no_such_function", RootKeyUnreadableError),
        (f"{__name__}:load_broken", RootKeyUnreachableError),
    ],
)
def test_a_plug_in_that_fails_is_named(bring: Callable[..., None], value: str, error: type[KelarecError]) -> None:
    """What a plug-in raises comes as our error, without its text, which may hold a secret."""
    bring(paper=value)
    with pytest.raises(error, match="plug-in for paper") as caught:
        load_root_key("paper:s3cr3t", os.urandom, lambda _: "")
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("answer", [None, b"bytes", "two\nlines", "kelärec", "x" * 9000, KeyError("s3cr3t")])
def test_what_breaks_the_contract_is_named(
    bring: Callable[..., None], monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    """A wrap that is no line of printable ASCII, or a secret that is no bytes, is refused before it is stored."""
    bring(strange=f"{__name__}:load_paper")
    monkeypatch.setattr(EntryPoint, "load", lambda _: lambda *_: Strange(answer))
    root = load_root_key("strange:", os.urandom)
    with pytest.raises((RootKeyUnreadableError, RootKeyUnreachableError)) as caught:
        root.wrap(b"secret", CONTEXT)
    assert "s3cr3t" not in str(caught.value)
    if not isinstance(answer, bytes):
        with pytest.raises((RootKeyUnreadableError, RootKeyUnreachableError)):
            root.unwrap("line", CONTEXT)


class TestTheSuiteItself:
    """The suite proves itself: it fails for root keys that break the contract."""

    @pytest.mark.parametrize("planted", ["no context", "no tag", "shows itself", "hides nothing", "never another"])
    def test_a_planted_fault_is_found(self, planted: str) -> None:
        """A root key that forgets the context, the tag, or to be silent, does not pass."""
        suite, root = RootKeySuite(), Planted()
        line = root.wrap(bytes(range(100, 132)), b"context")
        asked: dict[str, Callable[[], None]] = {
            "no context": lambda: suite.test_another_context_does_not_open_it(root, line),
            "no tag": lambda: suite.test_every_flipped_byte_is_found(root, line),
            "shows itself": lambda: suite.test_it_shows_and_sends_itself_to_nobody(root, {"pin": "4711"}),
            "hides nothing": lambda: suite.test_a_wrap_is_one_line_that_shows_nothing(root, line),
            "never another": lambda: suite.test_another_root_key_does_not_open_it(root, line),
        }
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            asked[planted]()


@frozen
class Planted:
    """A root key with every fault: it seals nothing and shows its PIN."""

    pin: str = "4711"
    scheme: str = "planted"

    def wrap(self, secret: bytes, context: bytes) -> str:
        """Return the secret itself."""
        del context
        return f"PLANTED {secret.hex()}"

    def unwrap(self, line: str, context: bytes) -> bytes:
        """Return what stands there."""
        del context
        return line.partition(" ")[2].encode()
