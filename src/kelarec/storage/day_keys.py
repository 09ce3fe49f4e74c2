"""The keys of each date as they lie in the key place, every object sealed as a whole under the ring key.

    days/<date>.key           the wrapping key, the index key, and the top of the key tree: nodes of levels 0 to 2
    days/<date>/<xx>.nodes    the nodes below a node of level 2 in which a leaf was punctured; xx are its two steps

Before the first puncture the tree is its root, in the first object. A puncture writes the object of its branch and, the
first time in that branch, then the first object without the branch's node: until that is replaced the old state stands,
and what lies in the branch's object counts for nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from typing import Final
from uuid import UUID

from attrs import field, frozen

from kelarec.errors import IntegrityError, KeyUnavailableError, ObjectNotFoundError, StorageError
from kelarec.storage import key_tree
from kelarec.storage.key_tree import Nodes
from kelarec.storage.objects import ObjectPlace
from kelarec.storage.wrapping import KEY_BYTES, Randomness, bind, decrypt, encrypt

BRANCH_LEVEL: Final = 2
_FOLDER: Final = "days"
_DAY_FIRST_LINE: Final = b"kelarec day keys v1 A256GCM\n"
_NODES_FIRST_LINE: Final = b"kelarec nodes v1 A256GCM\n"


@frozen
class KeyPair:
    """The two keys of one date beside its tree: what wraps whatever is not erased by itself, and what makes tokens."""

    wrapping: bytes = field(repr=False)
    index: bytes = field(repr=False)


@frozen
class DayKeys:
    """What the first object of a date holds."""

    pair: KeyPair
    top: Nodes = field(repr=False)


class DayKeyPlace:
    """Makes, reads, punctures and destroys the keys of dates. What changes them runs under the turn ``keys``."""

    def __init__(self, place: ObjectPlace, archive_id: UUID, ring_key: bytes, randomness: Randomness) -> None:
        self._place = place
        self._archive_id = archive_id
        self._ring_key = ring_key
        self._randomness = randomness

    def make(self, days: Iterable[date]) -> None:
        """Make the keys of dates; those of a date that has some stay as they are.

        Raises:
            StorageError: The key place refuses.
        """
        self._place.write_many({_day_path(day): self._seal_day(day, self._make_keys()) for day in days})

    def read(self, day: date) -> DayKeys:
        """Return the keys of a date.

        Raises:
            KeyUnavailableError: They were destroyed, or are missing.
            IntegrityError: They were altered.
        """
        content = self._unseal(day, _day_path(day), _DAY_FIRST_LINE)
        pair = KeyPair(content[:KEY_BYTES], content[KEY_BYTES : 2 * KEY_BYTES])
        return DayKeys(pair, _unpack(day, content[2 * KEY_BYTES :]))

    def read_branch(self, day: date, branch: str) -> Nodes:
        """Return the nodes below a node of level 2 that the top of the tree no longer has.

        Raises:
            KeyUnavailableError: They are missing.
            IntegrityError: They were altered.
        """
        return _unpack(day, self._unseal(day, _branch_path(day, branch), _NODES_FIRST_LINE))

    def puncture(self, day: date, leaves: Collection[str]) -> frozenset[str]:
        """Destroy key leaves of a date for good; return those that were alive. Every other leaf stays as it is.

        Raises:
            KeyUnavailableError: The date has no keys, or a branch of its tree is missing.
            IntegrityError: They were altered.
            StorageError: The key place refuses, or still shows a leaf afterwards.
        """
        self._place.delete_unfinished(_day_prefix(day))
        keys = self.read(day)
        top = dict(keys.top)
        alive: set[str] = set()
        changed: dict[str, Nodes] = {}
        for branch, grouped in _group(leaves).items():
            secret = key_tree.derive(top, branch)
            nodes = self.read_branch(day, branch) if secret is None else {branch: secret}
            found = [leaf for leaf in grouped if key_tree.find_cover(nodes, leaf) is not None]
            if found:
                alive.update(found)
                changed[branch] = key_tree.puncture(nodes, *found)
                top = key_tree.puncture(top, branch)
        if changed:
            # A node of the top goes only when all that follows from it, save the leaves, is there to be read.
            self._replace({_branch_path(day, each): self._seal_branch(day, each, changed[each]) for each in changed})
            if top != keys.top:
                self._replace({_day_path(day): self._seal_day(day, DayKeys(keys.pair, top))})
            self._require_gone(day, alive)
        return frozenset(alive)

    def find_punctured(self, day: date, leaves: Collection[str]) -> frozenset[str]:
        """Return those of some leaves that were destroyed.

        Raises:
            KeyUnavailableError: The date has no keys, or a branch of its tree is missing.
            IntegrityError: They were altered.
        """
        top = self.read(day).top
        dead: set[str] = set()
        if key_tree.ROOT in top:
            return frozenset()
        for branch, grouped in _group(leaves).items():
            if key_tree.find_cover(top, branch) is None:
                nodes = self.read_branch(day, branch)
                dead.update(leaf for leaf in grouped if key_tree.find_cover(nodes, leaf) is None)
        return frozenset(dead)

    def destroy(self, day: date) -> bool:
        """Destroy the keys of a date for good; return whether there were any.

        Raises:
            StorageError: The key place refuses, or still shows some of them afterwards.
        """
        self._place.delete_unfinished(_day_prefix(day))
        paths = self._list(day)
        for path in paths:  # the top of the tree is the first: with it goes all that was not punctured
            self._place.delete(path)
        if self._list(day):
            raise StorageError(f"The keys of {day.isoformat()} are still there after they were deleted.")
        return bool(paths)

    def destroy_all(self, days: Collection[date]) -> None:
        """Destroy the keys of several dates for good, at once; a date that has none is no error.

        Raises:
            StorageError: The key place refuses, or still shows some of them afterwards.
        """
        for day in days:
            self._place.delete_unfinished(_day_prefix(day))
        paths = self._list_all(days)
        self._place.delete_many(sorted(paths, key=lambda path: not path.endswith(".key")))  # the tops first, as above
        if left := self._list_all(days):
            raise StorageError(f"Keys are still there after they were deleted: {left[0]} and perhaps others.")

    def iter_days(self) -> Iterator[date]:
        """Go through the dates that have keys or remains of them, earliest first."""
        days = dict.fromkeys(map(_to_day, self._place.iter_paths(_FOLDER)))
        yield from map(date.fromisoformat, days)

    def _list(self, day: date) -> list[str]:
        try:
            self._place.get_size(_day_path(day))
        except ObjectNotFoundError:
            return list(self._place.iter_paths(_day_prefix(day)))
        return [_day_path(day), *self._place.iter_paths(_day_prefix(day))]

    def _list_all(self, days: Collection[date]) -> list[str]:
        meant = {day.isoformat() for day in days}
        return [path for path in self._place.iter_paths(_FOLDER) if _to_day(path) in meant]

    def _replace(self, objects: Mapping[str, bytes]) -> None:
        self._place.replace_many(objects)
        for path, content in objects.items():
            if self._place.read(path) != content:
                raise StorageError(f"The object {path} in the key place is not what was just written.")

    def _require_gone(self, day: date, leaves: Iterable[str]) -> None:
        top = self.read(day).top
        for branch, grouped in _group(leaves).items():
            if key_tree.find_cover(top, branch) is None:
                nodes = self.read_branch(day, branch)
                if all(key_tree.find_cover(nodes, leaf) is None for leaf in grouped):
                    continue
            raise StorageError(f"A key leaf of {day.isoformat()} is still there after it was punctured.")

    def _make_keys(self) -> DayKeys:
        pair = KeyPair(self._randomness(KEY_BYTES), self._randomness(KEY_BYTES))
        return DayKeys(pair, {key_tree.ROOT: self._randomness(KEY_BYTES)})

    def _seal_day(self, day: date, keys: DayKeys) -> bytes:
        content = keys.pair.wrapping + keys.pair.index + key_tree.pack(keys.top)
        return self._seal(day, _day_path(day), _DAY_FIRST_LINE, content)

    def _seal_branch(self, day: date, branch: str, nodes: Nodes) -> bytes:
        return self._seal(day, _branch_path(day, branch), _NODES_FIRST_LINE, key_tree.pack(nodes))

    def _seal(self, day: date, path: str, first_line: bytes, content: bytes) -> bytes:
        return first_line + encrypt(self._ring_key, content, self._context(day, path), self._randomness)

    def _unseal(self, day: date, path: str, first_line: bytes) -> bytes:
        try:
            sealed = self._place.read(path)
        except ObjectNotFoundError:
            raise KeyUnavailableError(
                f"There are no keys {path}: destroyed on their day, or the key place is not whole.",
                advice="If the date is not over, restore the key place.",
            ) from None
        if not sealed.startswith(first_line):
            raise IntegrityError(f"The keys {path} are damaged.")
        return decrypt(self._ring_key, sealed[len(first_line) :], self._context(day, path))

    def _context(self, day: date, path: str) -> bytes:
        return bind(self._archive_id, ("key", day.isoformat()), ("object", path))


def _group(leaves: Iterable[str]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = defaultdict(list)
    for leaf in sorted(set(leaves)):
        grouped[leaf[:BRANCH_LEVEL]].append(leaf)
    return grouped


def _unpack(day: date, packed: bytes) -> Nodes:
    try:
        return key_tree.unpack(packed)
    except ValueError:
        raise IntegrityError(f"The keys of {day.isoformat()} are no nodes of a key tree.") from None


def _to_day(path: str) -> str:
    return path.split("/")[1].removesuffix(".key")


def _day_prefix(day: date) -> str:
    return f"{_FOLDER}/{day.isoformat()}"


def _day_path(day: date) -> str:
    return f"{_day_prefix(day)}.key"


def _branch_path(day: date, branch: str) -> str:
    return f"{_day_prefix(day)}/{branch}.nodes"
