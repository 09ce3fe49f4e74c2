"""Keys with a life of their own: root key, ring key, one pair of day keys for each last day kept, a standing key.

Each key lies in the key place as a line of text, wrapped under the one above. A date's keys are destroyed when the date
is over: from then on nothing that was sealed for it opens anywhere, in no backup and no replica.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from typing import Final
from uuid import UUID

from attrs import field, frozen

from kelarec.errors import (
    IntegrityError,
    KeyUnavailableError,
    ObjectExistsError,
    ObjectNotFoundError,
    StorageError,
)
from kelarec.storage.objects import ObjectPlace
from kelarec.storage.ring import open_ring, replace_ring, write_ring
from kelarec.storage.roots import RootKey
from kelarec.storage.wrapping import KEY_BYTES, Randomness, bind, unwrap, wrap

STANDING: Final = "standing"
SIGNING: Final = "signing"
_DAYS: Final = "days/"
_KEY_FIRST_LINE: Final = "kelarec keys v1"
_CACHED_FOR: Final = 60.0


@frozen
class KeyPair:
    """The two keys of one date: what wraps data keys, and what makes look-up tokens."""

    wrapping: bytes = field(repr=False)
    index: bytes = field(repr=False)


class Keyring:
    """The keys of one archive, unwrapped when they are needed; a cached one is used for a minute at most."""

    def __init__(
        self,
        place: ObjectPlace,
        archive_id: UUID,
        ring_key: bytes,
        randomness: Randomness,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._place = place
        self._archive_id = archive_id
        self._ring_key = ring_key
        self._randomness = randomness
        self._ticks = ticks
        self._cached: dict[str, tuple[float, KeyPair]] = {}

    def __repr__(self) -> str:
        return f"Keyring(archive {self._archive_id})"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("Keys are never pickled; open the archive where they are needed.")

    @classmethod
    def create(cls, place: ObjectPlace, archive_id: UUID, root_key: RootKey, randomness: Randomness) -> "Keyring":
        """Make the ring key and the standing key of a new archive.

        Raises:
            ObjectExistsError, RootKeyError, StorageError: As `write_ring`.
        """
        ring_key = randomness(KEY_BYTES)
        write_ring(place, archive_id, ring_key, root_key)
        keyring = cls(place, archive_id, ring_key, randomness)
        keyring._make(STANDING, ("wrapping", "index"))
        keyring._make(SIGNING, ("seed",))
        return keyring

    @classmethod
    def open(cls, place: ObjectPlace, archive_id: UUID, root_key: RootKey, randomness: Randomness) -> "Keyring":
        """Unwrap the ring key of an archive.

        Raises:
            ArchiveNotFoundError, KeyPlaceMismatchError, RootKeyError, IntegrityError: As `open_ring`.
        """
        return cls(place, archive_id, open_ring(place, archive_id, root_key), randomness)

    @property
    def place(self) -> ObjectPlace:
        """Where the keys lie, wrapped."""
        return self._place

    def rewrap(self, root_key: RootKey) -> None:
        """Put the ring key under another root key; see `replace_ring`."""
        replace_ring(self._place, self._archive_id, self._ring_key, root_key)

    def get(self, key_id: str) -> KeyPair:
        """Return the keys of a date or the standing keys.

        Raises:
            KeyUnavailableError: They were destroyed, or are missing.
            IntegrityError: Their file is damaged.
        """
        now = self._ticks()
        for stale in [each for each, (read_at, _) in list(self._cached.items()) if now - read_at >= _CACHED_FOR]:
            self._cached.pop(stale, None)
        cached = self._cached.get(key_id)
        if cached is not None:
            return cached[1]
        pair = KeyPair(*self._read(key_id, ("wrapping", "index")))
        self._cached[key_id] = (self._ticks(), pair)
        return pair

    def get_signing_seed(self) -> bytes:
        """Return the seed of the log's signing key: 32 bytes.

        Raises:
            KeyUnavailableError: It is missing.
            IntegrityError: Its file is damaged.
        """
        return self._read(SIGNING, ("seed",))[0]

    def get_or_make(self, day: date) -> KeyPair:
        """Return the keys of a date that is not over, making them if they are needed for the first time.

        The caller has checked that the date is not over: a dead date's keys must never be made again.
        """
        try:
            return self.get(day.isoformat())
        except KeyUnavailableError:
            self._make(day.isoformat(), ("wrapping", "index"))
            return self.get(day.isoformat())

    def destroy(self, day: date) -> bool:
        """Destroy the keys of a date for good; return whether there were any.

        Raises:
            StorageError: The key place refuses, or still shows the keys afterwards.
        """
        path = _path(day.isoformat())
        self._cached.pop(day.isoformat(), None)
        try:
            self._place.get_size(path)
        except ObjectNotFoundError:
            return False
        self._place.delete(path)
        try:
            self._place.get_size(path)
        except ObjectNotFoundError:
            return True
        raise StorageError(f"The keys of {day.isoformat()} are still there after they were deleted.")

    def iter_days(self) -> Iterator[date]:
        """Go through the dates that have keys, earliest first."""
        for path in self._place.iter_paths(_DAYS.rstrip("/")):
            yield date.fromisoformat(path.removeprefix(_DAYS).removesuffix(".key"))

    def _make(self, key_id: str, uses: tuple[str, ...]) -> None:
        lines = [_KEY_FIRST_LINE]
        for use in uses:
            secret = self._randomness(KEY_BYTES)
            lines.append(f"{use} {wrap(self._ring_key, secret, self._context(key_id, use), self._randomness)}")
        with suppress(ObjectExistsError):  # another process was quicker; its keys are the ones
            self._place.write(_path(key_id), ["\n".join([*lines, ""]).encode()])

    def _read(self, key_id: str, uses: tuple[str, ...]) -> tuple[bytes, ...]:
        try:
            content = self._place.read(_path(key_id))
        except ObjectNotFoundError:
            raise KeyUnavailableError(
                f"There are no keys for {key_id}: destroyed on their day, or the key place is not whole.",
                advice="If the date is not over, restore the key place.",
            ) from None
        try:
            first, *wraps, end = content.decode("ascii").split("\n")
        except (UnicodeDecodeError, ValueError):
            raise IntegrityError(f"The file of the keys for {key_id} is damaged.") from None
        if first != _KEY_FIRST_LINE or end or len(wraps) != len(uses):
            raise IntegrityError(f"The file of the keys for {key_id} is damaged.")
        return tuple(self._open(key_id, use, line) for use, line in zip(uses, wraps, strict=True))

    def _open(self, key_id: str, use: str, line: str) -> bytes:
        if not line.startswith(f"{use} "):
            raise IntegrityError(f"The file of the keys for {key_id} is damaged.")
        return unwrap(self._ring_key, line.removeprefix(f"{use} "), self._context(key_id, use))

    def _context(self, key_id: str, use: str) -> bytes:
        return bind(self._archive_id, ("key", key_id), ("use", use))


def _path(key_id: str) -> str:
    return f"{key_id}.key" if key_id in {STANDING, SIGNING} else f"{_DAYS}{key_id}.key"
