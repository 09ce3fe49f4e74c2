"""The contract of a place of keys as tests."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from uuid import UUID

import pytest

from kelarec.errors import KeyPlaceMismatchError, KeyUnavailableError, ObjectExistsError, ObjectNotFoundError
from kelarec.storage.keyring import STANDING, Keyring
from kelarec.storage.objects import ObjectPlace
from kelarec.storage.roots import LocalRootKey
from kelarec.testing.clock import USUAL_START

_ARCHIVE = UUID("019cbd02-c000-7000-8000-000000000001")
_OTHER = UUID("019cbd02-c000-7000-8000-000000000002")
_DAY = date(2027, 3, 5)
_ROOT = LocalRootKey(bytes(range(32)), os.urandom)
_WRITERS = 4

OpenPlace = Callable[[], ObjectPlace]


class KeyPlaceSuite:
    """Subclass it in your tests and override the fixture `open_place`."""

    @pytest.fixture
    def open_place(self) -> OpenPlace:
        """A function that opens the same place anew each time it is called; the place is empty at first."""
        raise NotImplementedError

    @pytest.fixture
    def place(self, open_place: OpenPlace) -> ObjectPlace:
        """The place, with the one object that every place of keys has."""
        place = open_place()
        place.write("ring.key", [b"ring"])
        return place

    def test_what_is_written_is_read_everywhere(self, place: ObjectPlace, open_place: OpenPlace) -> None:
        """An object is there whole for whoever opens the place, as soon as the write is done."""
        assert place.write("days/2027-03-05.key", [b"one ", b"two"]) == 7
        for each in (place, open_place()):
            assert each.read("days/2027-03-05.key") == b"one two"
            assert each.read_range("days/2027-03-05.key", 2, 5) == b"e t"
            assert each.get_size("days/2027-03-05.key") == 7

    def test_nothing_is_overwritten(self, place: ObjectPlace) -> None:
        """A second write of one name is refused and the first one's bytes stay."""
        place.write("standing.key", [b"first"])
        with pytest.raises(ObjectExistsError):
            place.write("standing.key", [b"second"])
        assert place.read("standing.key") == b"first"

    def test_of_many_writers_one_wins(self, place: ObjectPlace, open_place: OpenPlace) -> None:
        """Of several that make one key at once exactly one does, and all read that one."""

        def write(number: int) -> bytes | None:
            content = bytes([number]) * 32
            try:
                open_place().write("days/2027-03-06.key", [content])
            except ObjectExistsError:
                return None
            return content

        with ThreadPoolExecutor(_WRITERS) as pool:
            written = [each for each in pool.map(write, range(_WRITERS)) if each is not None]
        assert written == [place.read("days/2027-03-06.key")]

    def test_a_replaced_object_is_the_new_one(self, place: ObjectPlace, open_place: OpenPlace) -> None:
        """Rotation and puncturing replace an object whole."""
        place.replace("ring.key", b"another ring")
        assert open_place().read("ring.key") == place.read("ring.key") == b"another ring"
        assert list(place.iter_paths()) == ["ring.key"]

    def test_a_deleted_object_is_gone(self, place: ObjectPlace, open_place: OpenPlace) -> None:
        """A key that was destroyed is nowhere, at once; destroying it again is no error."""
        place.write("days/2027-03-05.key", [b"secret"])
        place.delete("days/2027-03-05.key")
        place.delete("days/2027-03-05.key")
        for each in (place, open_place()):
            assert list(each.iter_paths()) == ["ring.key"]
            for ask in (each.read, each.get_size, lambda path, each=each: each.read_range(path, 0, 1)):
                with pytest.raises(ObjectNotFoundError):
                    ask("days/2027-03-05.key")

    def test_a_name_can_be_used_again(self, place: ObjectPlace) -> None:
        """No trace of a deleted object keeps its name, as a delete marker or version might."""
        for content in (b"one", b"two"):
            place.write("days/2027-03-05.key", [content])
            assert place.read("days/2027-03-05.key") == content
            place.delete("days/2027-03-05.key")

    def test_a_write_that_fails_leaves_nothing(self, place: ObjectPlace, open_place: OpenPlace) -> None:
        """What the chunks raise comes through, and no half of a key stays."""

        def chunks() -> Iterator[bytes]:
            yield b"half"
            raise RuntimeError("cut")

        with pytest.raises(RuntimeError, match="cut"):
            place.write("days/2027-03-05.key", chunks())
        assert list(open_place().iter_paths()) == ["ring.key"]

    def test_paths_come_in_order(self, place: ObjectPlace) -> None:
        """All paths below a folder are listed, in order; none where there is no such folder."""
        for path in ("days/2027-03-05.key", "days/2026-12-31.key", "standing.key", "days/2027-01-01.key"):
            place.write(path, [b"key"])
        days = ["days/2026-12-31.key", "days/2027-01-01.key", "days/2027-03-05.key"]
        assert list(place.iter_paths("days")) == days
        assert list(place.iter_paths()) == [*days, "ring.key", "standing.key"]
        assert list(place.iter_paths("nowhere")) == []

    @pytest.mark.parametrize("path", ["nothing.key", "days/nothing.key", "ring.key/below"])
    def test_what_is_not_there_is_named(self, place: ObjectPlace, path: str) -> None:
        """An unknown name is an ObjectNotFoundError."""
        with pytest.raises(ObjectNotFoundError):
            place.read(path)

    def test_a_keyring_lives_in_it(self, open_place: OpenPlace) -> None:
        """An archive's keys are made, found by another process, put under another root key, and destroyed."""
        keyring = Keyring.create(open_place(), _ARCHIVE, _ROOT, os.urandom)
        standing, day = keyring.get(STANDING), keyring.get_or_make(_DAY, USUAL_START)
        again = Keyring.open(open_place(), _ARCHIVE, _ROOT, os.urandom)
        assert (again.get(STANDING), again.get_or_make(_DAY, USUAL_START)) == (standing, day)
        with pytest.raises(KeyPlaceMismatchError):
            Keyring.open(open_place(), _OTHER, _ROOT, os.urandom)
        other_root = LocalRootKey(bytes(32), os.urandom)
        again.rewrap(other_root)
        third = Keyring.open(open_place(), _ARCHIVE, other_root, os.urandom)
        assert third.get_or_make(_DAY, USUAL_START) == day
        assert third.destroy(_DAY) is True
        assert third.destroy(_DAY) is False
        with pytest.raises(KeyUnavailableError):
            Keyring.open(open_place(), _ARCHIVE, other_root, os.urandom).get(_DAY.isoformat())
