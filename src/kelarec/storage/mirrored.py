"""Two copies of a place as one: written and destroyed together, read from either. Nobody else knows that they are two.

The second copy is always changed first. So what stands in the first one alone was not wholly destroyed, and what stands
in the second one alone, or differs, was not wholly written: neither was ever reported done, and doing it again
completes it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Final, TypeVar

from attrs import frozen

from kelarec.errors import KeyCopiesDifferError, KeyCopyAwayError, ObjectExistsError, ObjectNotFoundError, StorageError
from kelarec.storage.objects import ObjectPlace
from kelarec.storage.objects.contract import OneByOne

_Given = TypeVar("_Given")
_NAMES: Final = ("first", "second")


@frozen
class CopyDifference:
    """One object that the two copies do not agree on.

    Attributes:
        path: Which object.
        only_in: ``first`` or ``second``; None if both have it, with different contents.
    """

    path: str
    only_in: str | None


class MirroredObjects(OneByOne):
    """Two places that hold the same objects; the contract is that of `ObjectPlace`.

    Args:
        first: One copy, which is read.
        second: The other, which is read where the first cannot be.
        marker: An object that every whole copy has and that is written first: a copy without it is away, such as a
            disk that is not mounted, and not merely empty.
    """

    def __init__(self, first: ObjectPlace, second: ObjectPlace, *, marker: str) -> None:
        self._first = first
        self._second = second
        self._marker = marker

    def write(self, path: str, chunks: Iterable[bytes]) -> int:
        """See `ObjectPlace.write`."""
        content = b"".join(chunks)
        if path != self._marker:
            self._require_there()
        elif any(_find(place, path) is not None for place in (self._first, self._second)):
            raise ObjectExistsError(f"There is an object {path} already.")
        try:
            self._second.write(path, [content])
        except ObjectExistsError:  # another process is at it or died at it: what it began is completed, and stands
            with suppress(ObjectExistsError):
                self._first.write(path, [self._second.read(path)])
            raise
        try:
            self._first.write(path, [content])
        except ObjectExistsError:
            standing = self._first.read(path)
            if standing != content:
                self._second.replace(path, standing)
                raise
        except BaseException:
            with suppress(StorageError):
                self._second.delete(path)
            raise
        return len(content)

    def read(self, path: str) -> bytes:
        """See `ObjectPlace.read`; from the first copy if it can give it."""
        return self._from_either(path, lambda place: place.read(path))

    def read_range(self, path: str, start: int, stop: int) -> bytes:
        """See `ObjectPlace.read_range`."""
        return self._from_either(path, lambda place: place.read_range(path, start, stop))

    def get_size(self, path: str) -> int:
        """See `ObjectPlace.get_size`."""
        return self._from_either(path, lambda place: place.get_size(path))

    def iter_paths(self, below: str = "") -> Iterator[str]:
        """See `ObjectPlace.iter_paths`: what either copy has."""
        yield from sorted({*self._first.iter_paths(below), *self._second.iter_paths(below)})

    def replace(self, path: str, content: bytes) -> None:
        """See `ObjectPlace.replace`.

        Raises:
            KeyCopyAwayError: One of them is away; neither was changed.
            KeyCopiesDifferError: One of them does not hold the new content afterwards.
        """
        self._require_there()
        self._second.replace(path, content)
        self._first.replace(path, content)
        if not self._first.read(path) == self._second.read(path) == content:
            raise KeyCopiesDifferError(f"The copies of {path} are not what was just written.")

    def write_many(self, objects: Mapping[str, bytes]) -> None:
        """See `ObjectPlace.write_many`; where the first copy holds another content already, that one stands.

        Raises:
            KeyCopyAwayError: One of them is away; nothing was written.
        """
        self._require_there()
        self._second.write_many(objects)
        self._first.write_many({path: self._second.read(path) for path in objects})
        for path in objects:
            standing = self._first.read(path)
            if self._second.read(path) != standing:
                self._second.replace(path, standing)

    def replace_many(self, objects: Mapping[str, bytes]) -> None:
        """See `ObjectPlace.replace_many`.

        Raises:
            KeyCopyAwayError: One of them is away; neither was changed.
            KeyCopiesDifferError: One of them does not hold the new contents afterwards.
        """
        self._require_there()
        self._second.replace_many(objects)
        self._first.replace_many(objects)
        for path, content in objects.items():
            if not self._first.read(path) == self._second.read(path) == content:
                raise KeyCopiesDifferError(f"The copies of {path} are not what was just written.")

    def delete_unfinished(self, prefix: str) -> None:
        """See `ObjectPlace.delete_unfinished`."""
        self._require_there()
        self._second.delete_unfinished(prefix)
        self._first.delete_unfinished(prefix)

    def delete(self, path: str) -> None:
        """See `ObjectPlace.delete`.

        Raises:
            KeyCopyAwayError: One of them is away, so the object may live on there; the other one's is gone.
        """
        failed: StorageError | None = None
        for name, place in ((_NAMES[1], self._second), (_NAMES[0], self._first)):
            try:
                self._require_one_there(name, place)
                place.delete(path)
            except StorageError as error:
                failed = error
        if failed is not None:
            raise failed

    def find_differences(self) -> tuple[CopyDifference, ...]:
        """Return what the copies do not agree on, in order of the paths.

        Raises:
            KeyCopyAwayError: One of them is away, so there is nothing to compare with.
        """
        self._require_there()
        found = []
        for path in self.iter_paths():
            first, second = _find(self._first, path), _find(self._second, path)
            if first != second:
                found.append(
                    CopyDifference(path, _NAMES[0] if second is None else _NAMES[1] if first is None else None)
                )
        return tuple(found)

    def iter_copies(self) -> Iterator[ObjectPlace]:
        """Go through the copies that are there."""
        for name, place in zip(_NAMES, (self._first, self._second), strict=True):
            with suppress(KeyCopyAwayError):
                self._require_one_there(name, place)
                yield place

    def _from_either(self, path: str, read: Callable[[ObjectPlace], _Given]) -> _Given:
        away: KeyCopyAwayError | None = None
        for name, place in zip(_NAMES, (self._first, self._second), strict=True):
            try:
                return read(place)
            except ObjectNotFoundError:
                if path == self._marker:
                    continue
                try:
                    self._require_one_there(name, place)
                except KeyCopyAwayError as error:
                    away = error
            except StorageError:
                away = _away(name)
        if away is not None:  # the object may be there, so nobody can say that it is gone
            raise away
        raise ObjectNotFoundError(f"There is no object {path!r}.")

    def _require_there(self) -> None:
        for name, place in zip(_NAMES, (self._first, self._second), strict=True):
            self._require_one_there(name, place)

    def _require_one_there(self, name: str, place: ObjectPlace) -> None:
        try:
            place.get_size(self._marker)
        except StorageError:
            raise _away(name) from None


def find_differences(place: ObjectPlace) -> tuple[CopyDifference, ...]:
    """Return what the copies of a place do not agree on; nothing if there is only one.

    Raises:
        KeyCopyAwayError: One of them is away.
    """
    return place.find_differences() if isinstance(place, MirroredObjects) else ()


def _find(place: ObjectPlace, path: str) -> bytes | None:
    try:
        return place.read(path)
    except ObjectNotFoundError:
        return None


def _away(name: str) -> KeyCopyAwayError:
    return KeyCopyAwayError(f"The {name} copy of the key place is away.")
