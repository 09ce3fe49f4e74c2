"""A hypothesis state machine that does to an object place what it does to a dict, and compares."""

from collections.abc import Iterator

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kelarec.errors import ObjectExistsError, ObjectNotFoundError
from kelarec.storage.objects import ObjectPlace

_STEPS = st.sampled_from(["a", "b", "ä", "1", "10", "x y", "a-b"])
_PATHS = st.lists(_STEPS, min_size=2, max_size=3).map(lambda steps: "/".join([*steps, "object"]))
_CONTENTS = st.binary(max_size=40) | st.binary(min_size=1, max_size=8).map(lambda each: each * 3000)


class _BreakingError(Exception):
    """What happens to a source of bytes."""


class ObjectPlaceMachine(RuleBasedStateMachine):
    """Compares a place with a dict.

    Args:
        place: Emptied first.
    """

    def __init__(self, place: ObjectPlace) -> None:
        super().__init__()
        self._place = place
        self._model: dict[str, bytes] = {}

    @initialize()
    def empty(self) -> None:
        """Remove all that lies there."""
        self._place.delete_many(list(self._place.iter_paths()))

    @rule(path=_PATHS, content=_CONTENTS)
    def write(self, path: str, content: bytes) -> None:
        """Write a new object, or be refused."""
        try:
            size = self._place.write(path, [content[:7], content[7:]])
        except ObjectExistsError:
            assert path in self._model, "refused what is not there"
        else:
            assert path not in self._model, "overwrote what is there"
            assert size == len(content)
            self._model[path] = content

    @rule(path=_PATHS, content=_CONTENTS)
    def break_off(self, path: str, content: bytes) -> None:
        """Begin an object and never finish it."""

        def chunks() -> Iterator[bytes]:
            yield content
            raise _BreakingError

        try:
            self._place.write(path, chunks())
        except ObjectExistsError:
            assert path in self._model, "refused what is not there"
        except _BreakingError:
            pass

    @rule(path=_PATHS, content=_CONTENTS)
    def replace(self, path: str, content: bytes) -> None:
        """Make a pointer or change it."""
        self._place.replace(path, content)
        self._model[path] = content

    @rule(path=_PATHS)
    def delete(self, path: str) -> None:
        """Remove an object that is there or not."""
        self._place.delete(path)
        self._model.pop(path, None)

    @rule(paths=st.lists(_PATHS, max_size=4))
    def delete_many(self, paths: list[str]) -> None:
        """Remove several objects that are there or not, some named twice."""
        self._place.delete_many(paths)
        for path in paths:
            self._model.pop(path, None)

    @rule(path=_PATHS, start=st.integers(0, 50), length=st.integers(0, 50))
    def read(self, path: str, start: int, length: int) -> None:
        """Read an object and a range of it, or be told that it is not there."""
        expected = self._model.get(path)
        try:
            found = self._place.read_range(path, start, start + length)
        except ObjectNotFoundError:
            assert expected is None, "did not find what is there"
        else:
            assert expected is not None, "found what is not there"
            assert found == expected[start : start + length]
            assert self._place.get_size(path) == len(expected)

    @rule(below=st.lists(_STEPS, max_size=2).map("/".join))
    def list_below(self, below: str) -> None:
        """List a folder."""
        expected = sorted(path for path in self._model if not below or path.startswith(f"{below}/"))
        assert list(self._place.iter_paths(below)) == expected

    @invariant()
    def is_the_same(self) -> None:
        """Hold the same objects as the dict."""
        paths = list(self._place.iter_paths())
        assert dict(self._place.read_many(paths)) == self._model
        assert paths == sorted(self._model)
