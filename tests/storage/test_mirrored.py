"""Two copies of the keys: written and destroyed together, read from either: the notice, sections 9 and 10."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest
from attrs import field, frozen

from kelarec.errors import (
    KeyCopiesDifferError,
    KeyCopyAwayError,
    KeyUnavailableError,
    ObjectExistsError,
    ObjectNotFoundError,
    StorageError,
)
from kelarec.storage.keyring import Keyring
from kelarec.storage.mirrored import CopyDifference, MirroredObjects, find_differences
from kelarec.storage.objects import FolderObjects, MemoryObjects, ObjectPlace
from kelarec.storage.roots import LocalRootKey
from kelarec.testing.clock import USUAL_START

ARCHIVE: Final = UUID("019cbd02-c000-7000-8000-000000000001")
ROOT: Final = LocalRootKey(bytes(range(32)), os.urandom)
DAY: Final = date(2027, 3, 5)
PATH: Final = "days/2027-03-05.key"


@frozen
class Copies:
    """Two folders that are one key place with a ring key, and the same from outside."""

    first: Path
    second: Path
    keyring: Keyring = field(init=False)

    @keyring.default
    def _create(self) -> Keyring:
        return Keyring.create(self.open(), ARCHIVE, ROOT, os.urandom)

    def open(self, wrap: Callable[[ObjectPlace], ObjectPlace] = lambda place: place) -> MirroredObjects:
        """Open the two as one; the second may be wrapped in something that fails."""
        return MirroredObjects(FolderObjects(self.first), wrap(FolderObjects(self.second)), marker="ring.key")

    def reopen(self) -> Keyring:
        """Open the keys anew."""
        return Keyring.open(self.open(), ARCHIVE, ROOT, os.urandom)

    def unmount(self, copy: Path) -> Callable[[], None]:
        """Take a copy away as if its disk were not mounted; return what brings it back."""
        aside = copy.with_name(f"{copy.name}-aside")
        copy.rename(aside)
        copy.mkdir()

        def mount() -> None:
            assert list(copy.iterdir()) == [], "something was written beneath the mount point"
            copy.rmdir()
            aside.rename(copy)

        return mount


@pytest.fixture
def copies(tmp_path: Path) -> Copies:
    """Two copies of the keys of a new archive."""
    return Copies(tmp_path / "first", tmp_path / "second")


@pytest.fixture(params=["first", "second"])
def one(request: pytest.FixtureRequest, copies: Copies) -> Path:
    """Either copy."""
    return copies.first if request.param == "first" else copies.second


def list_files(folder: Path) -> dict[str, bytes]:
    """Return all files of a folder with their content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_both_copies_hold_the_same(copies: Copies) -> None:
    """What is made, replaced and destroyed is so in both."""
    copies.keyring.get_or_make(DAY, USUAL_START)
    copies.keyring.get_or_make(date(2027, 3, 6), USUAL_START)
    copies.keyring.rewrap(LocalRootKey(bytes(32), os.urandom))
    copies.keyring.destroy(DAY)
    assert list_files(copies.first) == list_files(copies.second)
    assert sorted(list_files(copies.first)) == ["days/2027-03-06.key", "ring.key", "signing.key", "standing.key"]
    assert copies.open().find_differences() == find_differences(copies.open()) == ()


def test_keys_are_read_from_either(copies: Copies, one: Path) -> None:
    """With one copy away the archive opens, and every key is read."""
    day = copies.keyring.get_or_make(DAY, USUAL_START)
    copies.unmount(one)
    assert copies.reopen().get(DAY.isoformat()) == day
    assert list(copies.reopen().iter_days()) == [DAY]


def test_no_key_is_made_in_one_copy_only(copies: Copies, one: Path) -> None:
    """A key that one copy lacks would be lost with the other; nothing is written beneath an empty mount point."""
    mount = copies.unmount(one)
    with pytest.raises(KeyCopyAwayError) as caught:
        copies.reopen().get_or_make(DAY, USUAL_START)
    assert caught.value.advice
    with pytest.raises(KeyCopyAwayError):
        copies.reopen().rewrap(LocalRootKey(bytes(32), os.urandom))
    mount()
    assert list_files(copies.first) == list_files(copies.second)
    assert len(copies.reopen().get_or_make(DAY, USUAL_START).index) == 32


def test_a_copy_that_is_away_stops_destruction_from_being_done(copies: Copies, one: Path) -> None:
    """A date is not reported dead while a copy of its keys may live; doing it again finishes it (section 9)."""
    copies.keyring.get_or_make(DAY, USUAL_START)
    mount = copies.unmount(one)
    for _ in range(3):
        with pytest.raises(KeyCopyAwayError, match=one.name):
            copies.reopen().destroy(DAY)
    with pytest.raises(KeyCopyAwayError):
        copies.open().find_differences()
    mount()
    assert PATH in list_files(one)
    assert copies.reopen().destroy(DAY) is True
    assert not {*list_files(copies.first), *list_files(copies.second)} & {PATH}
    with pytest.raises(KeyUnavailableError):
        copies.reopen().get(DAY.isoformat())


def test_what_only_an_absent_copy_may_have_is_not_called_gone(copies: Copies, one: Path) -> None:
    """That it is gone, and that it could not be told, differ."""
    copies.unmount(one)
    place = copies.open()
    for ask in (place.read, place.get_size, lambda path: place.read_range(path, 0, 1)):
        with pytest.raises(KeyCopyAwayError):
            ask(PATH)


def test_both_copies_away_is_no_archive(copies: Copies) -> None:
    """Without any ring key there is no archive to open."""
    copies.unmount(copies.first)
    copies.unmount(copies.second)
    with pytest.raises(ObjectNotFoundError):
        copies.open().read("ring.key")


DIFFERENCES: Final[dict[str, tuple[Callable[[Copies], object], CopyDifference]]] = {
    "lost in the first": (lambda copies: (copies.first / PATH).unlink(), CopyDifference(PATH, "second")),
    "lost in the second": (lambda copies: (copies.second / PATH).unlink(), CopyDifference(PATH, "first")),
    "altered in the first": (lambda copies: (copies.first / PATH).write_bytes(b"x"), CopyDifference(PATH, None)),
    "altered in the second": (lambda copies: (copies.second / PATH).write_bytes(b"x"), CopyDifference(PATH, None)),
    "added to the second": (
        lambda copies: (copies.second / "days" / "2020-01-01.key").write_bytes(b"x"),
        CopyDifference("days/2020-01-01.key", "second"),
    ),
}


@pytest.mark.parametrize(("change", "difference"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_a_difference_is_named(copies: Copies, change: Callable[[Copies], object], difference: CopyDifference) -> None:
    """What one copy has and the other has not, or otherwise, is told by path."""
    copies.keyring.get_or_make(DAY, USUAL_START)
    change(copies)
    assert copies.open().find_differences() == (difference,)


class DyingObjects(MemoryObjects):
    """A place whose process dies at one of its changes, before or after it is done."""

    left = 0
    is_done = False
    shared: "list[DyingObjects]"

    def _change(self, act: Callable[[], int | None]) -> int:
        for each in self.shared:
            each.left -= 1
        if self.left:
            return act() or 0
        if self.is_done:
            act()
        raise KeyboardInterrupt

    def write(self, path: str, chunks: Iterable[bytes]) -> int:
        """Write, or die."""
        return self._change(lambda: super(DyingObjects, self).write(path, chunks))

    def replace(self, path: str, content: bytes) -> None:
        """Replace, or die."""
        self._change(lambda: super(DyingObjects, self).replace(path, content))

    def delete(self, path: str) -> None:
        """Delete, or die."""
        self._change(lambda: super(DyingObjects, self).delete(path))


STEPS: Final = 10  # a ring key rewrapped, a day's keys made and destroyed, a tree written and replaced: two each


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_a_crash_between_the_copies_is_finished_by_the_next_try(step: int, *, is_done: bool) -> None:
    """Killed at any change of any copy, the keys open under the old or the new root key and all converges."""
    first, second = DyingObjects(), DyingObjects()
    first.shared = second.shared = [first, second]
    place = MirroredObjects(first, second, marker="ring.key")
    Keyring.create(place, ARCHIVE, ROOT, os.urandom)
    new_root = LocalRootKey(bytes(32), os.urandom)
    first.left = second.left = step
    first.is_done = second.is_done = is_done

    def work(root: LocalRootKey) -> None:
        keyring = Keyring.open(place, ARCHIVE, root, os.urandom)
        keyring.rewrap(new_root)
        keyring.get_or_make(DAY, USUAL_START)
        with suppress(ObjectExistsError):
            place.write("tree.key", [b"whole"])
        place.replace("tree.key", b"punctured")
        keyring.destroy(DAY)

    with pytest.raises(KeyboardInterrupt):
        work(ROOT)
    opened = []
    for root in (ROOT, new_root):
        try:
            work(root)
        except StorageError:
            raise
        except ValueError:  # the other root key is in force
            continue
        opened.append(root)
    assert len(opened) >= 1
    assert place.find_differences() == ()
    assert PATH not in {*first.iter_paths(), *second.iter_paths()}
    assert first.read("tree.key") == second.read("tree.key") == b"punctured"


def test_a_harness_that_never_dies_is_noticed() -> None:
    """The crash test above counts its steps right: one more, and nothing is left to kill."""
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        test_a_crash_between_the_copies_is_finished_by_the_next_try(STEPS + 1, is_done=True)


def test_a_key_that_another_process_half_made_is_completed(copies: Copies) -> None:
    """Who comes second finishes what the first one began, and both use that key."""
    FolderObjects(copies.second).write(PATH, [b"half"])
    with pytest.raises(ObjectExistsError):
        copies.open().write(PATH, [b"mine"])
    assert list_files(copies.first)[PATH] == list_files(copies.second)[PATH] == b"half"


def test_a_replacement_is_read_back(copies: Copies) -> None:
    """A copy that says it replaced a key and did not is an error."""

    class Deaf(FolderObjects):
        """Replaces nothing."""

        def replace(self, path: str, content: bytes) -> None:
            """Do nothing."""

    with pytest.raises(KeyCopiesDifferError):
        copies.open(lambda _: Deaf(copies.second)).replace("ring.key", b"new")
