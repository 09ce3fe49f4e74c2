"""A date's keys in the key place: one leaf dies, a date dies, and no kill in between costs a neighbour (section 9)."""

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest

from kelarec.errors import IntegrityError, KeyUnavailableError, StorageError
from kelarec.storage.day_keys import DayKeyPlace
from kelarec.storage.key_tree import name_leaf
from kelarec.storage.keyring import Keyring
from kelarec.storage.objects import FolderObjects, MemoryObjects, ObjectPlace
from kelarec.storage.roots import LocalRootKey

ARCHIVE: Final = UUID("019cbd02-c000-7000-8000-000000000001")
ROOT: Final = LocalRootKey(bytes(range(32)), os.urandom)
DAY: Final = date(2027, 3, 5)
NEXT_DAY: Final = date(2027, 3, 6)
NOW: Final = datetime(2026, 3, 5, 8, tzinfo=UTC)
NAMES: Final = [f"recording {number}" for number in range(600)]


def in_branch_of(name: str) -> list[str]:
    """Return the names whose leaves lie in the branch of a name's, that one included."""
    return [each for each in NAMES if name_leaf(each)[:2] == name_leaf(name)[:2]]


CROWDED: Final = max((in_branch_of(name) for name in NAMES), key=len)  # six names or so of one branch


class KilledError(BaseException):
    """The process dies here: nothing of ours catches it."""


class FaultyObjects(MemoryObjects):
    """A key place in which the process is killed at the n-th change, before or after it is done."""

    def __init__(self) -> None:
        super().__init__()
        self.changes = 0
        self.killed_at: int | None = None
        self.is_done_first = False

    def _change(self, change: Callable[[], None]) -> None:
        self.changes += 1
        is_last = self.changes == self.killed_at
        if not is_last or self.is_done_first:
            change()
        if is_last:
            raise KilledError

    def write(self, path: str, chunks: Iterable[bytes]) -> int:
        """Write, or be killed."""
        content = b"".join(chunks)
        self._change(lambda: (MemoryObjects.write(self, path, [content]), None)[1])
        return len(content)

    def replace(self, path: str, content: bytes) -> None:
        """Replace, or be killed."""
        self._change(lambda: MemoryObjects.replace(self, path, content))

    def delete(self, path: str) -> None:
        """Delete, or be killed."""
        self._change(lambda: MemoryObjects.delete(self, path))


def reopen(place: ObjectPlace) -> Keyring:
    """Open the keys anew, as another process would."""
    return Keyring.open(place, ARCHIVE, ROOT, os.urandom)


def make(place: ObjectPlace) -> Keyring:
    """Make the keys of a new archive, with two dates."""
    keyring = Keyring.create(place, ARCHIVE, ROOT, os.urandom)
    keyring.make([DAY, NEXT_DAY], NOW)
    return keyring


def read_leaves(keyring: Keyring, day: date = DAY) -> dict[str, bytes]:
    """Return the leaves of all names that can be had."""
    leaves = {}
    for name in NAMES:
        try:
            leaves[name] = keyring.get_leaf(day, name)
        except KeyUnavailableError:
            continue
    return leaves


def without(leaves: Mapping[str, bytes], gone: Iterable[str]) -> dict[str, bytes]:
    """Return all leaves but some."""
    return {name: leaf for name, leaf in leaves.items() if name not in set(gone)}


def test_one_leaf_dies_and_its_neighbours_do_not(tmp_path: Path) -> None:
    """After a puncture nobody has that leaf, and all others are what they were, in memory and on disk (Art. 17)."""
    for place in (MemoryObjects(), FolderObjects(tmp_path)):
        keyring = make(place)
        before, next_day = read_leaves(keyring), read_leaves(keyring, NEXT_DAY)
        assert keyring.puncture(DAY, [CROWDED[0]]) == {CROWDED[0]}
        for each in (keyring, reopen(place)):
            assert read_leaves(each) == without(before, [CROWDED[0]])
            assert read_leaves(each, NEXT_DAY) == next_day
            assert each.get(DAY.isoformat()) == keyring.get(DAY.isoformat())


def test_puncturing_again_is_no_error_and_changes_nothing() -> None:
    """A name that was punctured is punctured again without a write."""
    place = FaultyObjects()
    keyring = make(place)
    keyring.puncture(DAY, CROWDED[:2])
    changes, before = place.changes, read_leaves(keyring)
    assert keyring.puncture(DAY, CROWDED[:2]) == frozenset()
    assert (place.changes, read_leaves(keyring)) == (changes, before)


def test_a_batch_is_the_same_as_one_after_the_other() -> None:
    """Many punctures in one call leave what they leave one by one, and name each leaf that was alive."""
    place = MemoryObjects()
    keyring = make(place)
    before = read_leaves(keyring)
    assert keyring.puncture(DAY, NAMES[:50]) == set(NAMES[:50])
    assert keyring.puncture(DAY, NAMES[25:75]) == set(NAMES[50:75])
    assert read_leaves(reopen(place)) == without(before, NAMES[:75])


def test_a_second_puncture_rewrites_one_small_object() -> None:
    """Once a branch has its own object, a puncture in it writes that one alone."""
    place = FaultyObjects()
    keyring = make(place)
    keyring.puncture(DAY, CROWDED[:1])
    changes = place.changes
    keyring.puncture(DAY, CROWDED[1:2])
    assert place.changes - changes == 1
    (branch,) = place.iter_paths(f"days/{DAY}")
    assert place.get_size(branch) < 17_000


def test_a_cached_root_still_makes_the_right_leaves() -> None:
    """A writer that read the keys before a puncture makes the leaves that everybody else opens with (section 10)."""
    place = MemoryObjects()
    writer = make(place)
    before = read_leaves(writer)
    reopen(place).puncture(DAY, CROWDED[:3])
    assert read_leaves(writer) == before
    assert read_leaves(reopen(place)) == without(before, CROWDED[:3])


@pytest.mark.parametrize("is_branch_cached", [False, True])
def test_a_dead_leaf_is_forgotten_within_a_minute(*, is_branch_cached: bool) -> None:
    """A process that read root or branch before a puncture elsewhere has the leaf for a minute at most (section 9)."""
    place = MemoryObjects()
    now = 1000.0
    keyring = make(place)
    other = Keyring(place, ARCHIVE, keyring._ring_key, os.urandom, ticks=lambda: now)
    if is_branch_cached:
        keyring.puncture(DAY, CROWDED[1:2])
    leaf = other.get_leaf(DAY, CROWDED[0])
    keyring.puncture(DAY, CROWDED[:1])
    now += 59.9
    assert other.get_leaf(DAY, CROWDED[0]) == leaf
    now += 0.1
    with pytest.raises(KeyUnavailableError, match="destroyed before its date"):
        other.get_leaf(DAY, CROWDED[0])


# Kills ---------------------------------------------------------------------------------------------------------------


class Harness:
    """Kills an operation on a date's keys at each change it makes, and looks at what is left."""

    def __init__(self, prepare: Callable[[Keyring], object], operate: Callable[[DayKeyPlace], object]) -> None:
        self._prepare = prepare
        self._operate = operate
        self.kills = 0

    def run(self, kind: type[DayKeyPlace], judge: Callable[[dict[str, bytes], dict[str, bytes]], bool]) -> int:
        """Return how many kills left a state that the judge does not allow."""
        violations = 0
        for is_done_first in (False, True):
            killed_at = 0
            is_killed = True
            while is_killed:
                killed_at += 1
                place = FaultyObjects()
                keyring = make(place)
                self._prepare(keyring)
                before = read_leaves(keyring)
                place.changes, place.killed_at, place.is_done_first = 0, killed_at, is_done_first
                days = kind(place, ARCHIVE, keyring._ring_key, os.urandom)
                try:
                    self._operate(days)
                    is_killed = False
                except KilledError:
                    self.kills += 1
                place.killed_at = None
                if not judge(before, read_leaves(reopen(place))):
                    violations += 1
                    continue
                self._operate(DayKeyPlace(place, ARCHIVE, keyring._ring_key, os.urandom))  # it is begun again
                self.finished = read_leaves(reopen(place))
                violations += not judge(before, self.finished)
        return violations


class TopFirst(DayKeyPlace):
    """A wrong order: the node of the top goes before the nodes that take its place are there."""

    _held: Mapping[str, bytes] = {}

    def _replace(self, objects: Mapping[str, bytes]) -> None:
        if all(path.endswith(".nodes") for path in objects):
            self._held = objects
        else:
            super()._replace(objects)
            super()._replace(self._held)


class BranchesFirst(DayKeyPlace):
    """A wrong order: a date's death begins with some of its leaves."""

    def _list(self, day: date) -> list[str]:
        return super()._list(day)[::-1]


GONE: Final = [*CROWDED[:3], *NAMES[:4]]


def is_old_or_new(before: dict[str, bytes], after: dict[str, bytes]) -> bool:
    """Whether each leaf that was not to die is what it was, and those that were are so or gone."""
    return without(after, GONE) == without(before, GONE) and after.items() <= before.items()


def test_a_kill_in_a_puncture_costs_no_neighbour() -> None:
    """A puncture killed before or after any change leaves old or new, and done again it is done (fault 15)."""
    harness = Harness(
        lambda keyring: keyring.puncture(DAY, CROWDED[4:5]), lambda days: days.puncture(DAY, leaves(GONE))
    )
    assert harness.run(DayKeyPlace, is_old_or_new) == 0
    assert not harness.finished.keys() & set(GONE)
    kills = harness.kills
    planted = harness.run(TopFirst, is_old_or_new)
    print(f"\npuncture: {kills} kills, 0 violations; {planted} with the wrong order planted")
    assert planted > 0
    assert kills >= 10


def test_a_kill_in_a_destruction_leaves_all_or_nothing() -> None:
    """A date killed in its death is whole or gone, and destroyed again it is gone to the last object (section 9)."""

    def judge(before: dict[str, bytes], after: dict[str, bytes]) -> bool:
        return after in (before, {})

    harness = Harness(lambda keyring: keyring.puncture(DAY, GONE), lambda days: days.destroy(DAY))
    assert harness.run(DayKeyPlace, judge) == 0
    assert harness.finished == {}
    kills = harness.kills
    planted = harness.run(BranchesFirst, judge)
    print(f"\ndestruction: {kills} kills, 0 violations; {planted} with the wrong order planted")
    assert planted > 0
    assert kills >= 10


def leaves(names: Iterable[str]) -> list[str]:
    """Return the leaves of names."""
    return [name_leaf(name) for name in names]


def test_remains_of_a_date_are_listed() -> None:
    """A date of which only a branch is left has keys still to be destroyed."""
    place = MemoryObjects()
    keyring = make(place)
    keyring.puncture(DAY, GONE)
    place.delete(f"days/{DAY}.key")
    assert list(keyring.iter_days()) == [DAY, NEXT_DAY]
    assert keyring.destroy(DAY) is True
    assert list(place.iter_paths("days")) == [f"days/{NEXT_DAY}.key"]


def test_several_dates_die_at_once_and_no_other(tmp_path: Path) -> None:
    """Tops, branches and unfinished writes of the dates named are gone; another date is as before (section 9)."""
    place = FolderObjects(tmp_path)
    keyring = make(place)
    third = date(2027, 3, 7)
    keyring.make([third], NOW)
    keyring.puncture(DAY, GONE)
    before = read_leaves(keyring, third)
    (tmp_path / "days" / f"{DAY}.key.1-1.part").write_bytes(b"old nodes")
    keyring.destroy_all([DAY, NEXT_DAY, date(2020, 1, 1)])
    assert [path.name for path in (tmp_path / "days").iterdir()] == [f"{third}.key"]
    assert read_leaves(keyring, DAY) == {}
    assert read_leaves(reopen(place), third) == before


def test_writes_that_never_finished_die_with_what_they_held(tmp_path: Path) -> None:
    """What a killed puncture left beside the objects goes before the next one, and with the date (section 9)."""
    place = FolderObjects(tmp_path)
    keyring = make(place)
    keyring.puncture(DAY, CROWDED[:1])
    days = tmp_path / "days"
    left = [
        days / f"{DAY}.key.1-1.part",
        days / DAY.isoformat() / "00.nodes.1-1.part",
        days / f"{NEXT_DAY}.key.1-1.part",
    ]
    for operate in (lambda: keyring.puncture(DAY, CROWDED[1:2]), lambda: keyring.destroy(DAY)):
        for each in left:
            each.write_bytes(b"old nodes")
        assert operate()
        assert [each.exists() for each in left] == [False, False, True]
    assert not (days / DAY.isoformat()).exists()


# Places that lie -----------------------------------------------------------------------------------------------------


class StubbornObjects(MemoryObjects):
    """A place that says it replaced objects of some kind and did not."""

    stubborn = ""

    def delete(self, path: str) -> None:
        """Delete, but not what it is stubborn about."""
        if not self.stubborn or not path.endswith(self.stubborn):
            super().delete(path)

    def replace(self, path: str, content: bytes) -> None:
        """Replace, but not what it is stubborn about."""
        if not self.stubborn or not path.endswith(self.stubborn):
            super().replace(path, content)
        elif self.stubborn == ".nodes":
            super().replace(path, content[:-1])


@pytest.mark.parametrize("stubborn", [".key", ".nodes"])
def test_a_puncture_is_read_back(stubborn: str) -> None:
    """A place that does not do what it says is an error, and no neighbour is lost by it (Art. 17)."""
    place = StubbornObjects()
    keyring = make(place)
    before = read_leaves(keyring)
    place.stubborn = stubborn
    with pytest.raises(StorageError, match="not what was just written"):
        keyring.puncture(DAY, CROWDED[:1])
    assert read_leaves(reopen(place)) == before


@pytest.mark.parametrize("destroy", [lambda keyring: keyring.destroy(DAY), lambda keyring: keyring.destroy_all([DAY])])
def test_a_destruction_is_read_back(destroy: Callable[[Keyring], object]) -> None:
    """A place that keeps what it was told to delete is an error: nobody believes that the date is dead (section 9)."""
    place = StubbornObjects()
    keyring = make(place)
    place.stubborn = ".key"
    with pytest.raises(StorageError, match="still there"):
        destroy(keyring)


def test_a_lost_branch_is_lost_alone() -> None:
    """Without a branch's object exactly its leaves cannot be had; the rest of the date is unharmed (fault 15)."""
    place = MemoryObjects()
    keyring = make(place)
    before = read_leaves(keyring)
    keyring.puncture(DAY, CROWDED[:1])
    (branch,) = place.iter_paths(f"days/{DAY}")
    place.delete(branch)
    assert read_leaves(reopen(place)) == without(before, CROWDED)
    with pytest.raises(KeyUnavailableError):
        reopen(place).puncture(DAY, CROWDED[1:2])
    print(f"\nbranch lost: {len(CROWDED)} of {len(NAMES)} leaves unreadable, as many as lie in it")


def test_an_object_does_not_serve_in_anothers_place() -> None:
    """Archive, date and name are bound in: a branch or date moved to another's name is an error, not another key."""
    place = MemoryObjects()
    keyring = make(place)
    keyring.puncture(DAY, CROWDED[:1])
    keyring.puncture(NEXT_DAY, [CROWDED[0], next(name for name in NAMES if name not in CROWDED)])
    (branch,) = place.iter_paths(f"days/{DAY}")
    others = list(place.iter_paths(f"days/{NEXT_DAY}"))
    whole = place.read(branch)
    for other in [*others, f"days/{DAY}.key"]:
        place.replace(branch, place.read(other))
        with pytest.raises(IntegrityError):
            reopen(place).get_leaf(DAY, CROWDED[1])
    place.replace(branch, whole)
    assert reopen(place).get_leaf(DAY, CROWDED[1])


def test_keys_of_a_date_that_is_over_are_never_made() -> None:
    """From its last midnight on nobody makes keys of a date, ahead or on demand (section 9)."""
    keyring = Keyring.create(MemoryObjects(), ARCHIVE, ROOT, os.urandom)
    midnight = datetime(2027, 3, 5, 22, tzinfo=UTC)
    keyring.make([DAY, NEXT_DAY], midnight)
    assert list(keyring.iter_days()) == [NEXT_DAY]
    with pytest.raises(KeyUnavailableError):
        keyring.get_or_make(DAY, midnight)
