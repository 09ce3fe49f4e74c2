"""Keys with a life of their own: root key, ring key, the keys of each last day kept, a standing key.

Each key lies in the key place, sealed under the one above. A date's keys are destroyed when the date is over: from then
on nothing that was sealed for it opens anywhere, in no backup and no replica. Before that a single recording is erased
by puncturing its date's key tree.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from datetime import date, datetime
from typing import Final
from uuid import UUID

from kelarec.domain.instants import end_of
from kelarec.errors import (
    IntegrityError,
    KeyUnavailableError,
    ObjectExistsError,
    ObjectNotFoundError,
    RootKeyError,
)
from kelarec.storage import key_tree
from kelarec.storage.day_keys import BRANCH_LEVEL, DayKeyPlace, DayKeys, KeyPair
from kelarec.storage.key_cache import ForgetfulCache
from kelarec.storage.key_tree import Nodes
from kelarec.storage.objects import MemoryObjects, ObjectPlace
from kelarec.storage.ring import open_ring, replace_ring, write_ring
from kelarec.storage.roots import RootKey
from kelarec.storage.wrapping import KEY_BYTES, Randomness, bind, unwrap, wrap

STANDING: Final = "standing"
SIGNING: Final = "signing"
TURN: Final = "keys"
"""Whoever punctures or destroys keys, or makes them ahead, first takes this turn of the catalog."""

_KEY_FIRST_LINE: Final = "kelarec keys v1"


class Keyring:
    """The keys of one archive, unsealed when they are needed; a cached one is used for a minute at most."""

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
        self._days = DayKeyPlace(place, archive_id, ring_key, randomness)
        self._cached_standing: ForgetfulCache[str, KeyPair] = ForgetfulCache(ticks)
        self._cached_days: ForgetfulCache[date, DayKeys] = ForgetfulCache(ticks)
        self._cached_branches: ForgetfulCache[tuple[date, str], Nodes] = ForgetfulCache(ticks)

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

    @property
    def outlives_process(self) -> bool:
        """Whether the key place is there after this process, so that it may be restored from a copy one day."""
        return not isinstance(self._place, MemoryObjects)

    def get(self, key_id: str) -> KeyPair:
        """Return the keys of a date or the standing keys.

        Raises:
            KeyUnavailableError: They were destroyed, or are missing.
            IntegrityError: Their file is damaged.
        """
        if key_id == STANDING:
            return self._cached_standing.get(key_id, lambda: KeyPair(*self._read(key_id, ("wrapping", "index"))))
        return self._get_day(date.fromisoformat(key_id)).pair

    def has(self, day: date) -> bool:
        """Tell whether a date has keys.

        Raises:
            IntegrityError: They were altered.
        """
        try:
            self._get_day(day)
        except KeyUnavailableError:
            return False
        return True

    def get_leaf(self, day: date, name: str) -> bytes:
        """Return the key leaf of a name in the tree of a date: 32 bytes.

        Raises:
            KeyUnavailableError: It was punctured, or the date's keys were destroyed or are missing.
            IntegrityError: They were altered.
        """
        leaf = key_tree.name_leaf(name)
        top = self._get_day(day).top
        secret = key_tree.derive(top, leaf)
        if secret is None:
            branch = leaf[:BRANCH_LEVEL]
            nodes = self._cached_branches.get((day, branch), lambda: self._days.read_branch(day, branch))
            secret = key_tree.derive(nodes, leaf)
        if secret is None:
            raise KeyUnavailableError(f"The key leaf of {name} was destroyed before its date, {day.isoformat()}.")
        return secret

    def get_signing_seed(self) -> bytes:
        """Return the seed of the log's signing key: 32 bytes.

        Raises:
            KeyUnavailableError: It is missing.
            IntegrityError: Its file is damaged.
        """
        return self._read(SIGNING, ("seed",))[0]

    def get_or_make(self, day: date, now: datetime) -> KeyPair:
        """Return the keys of a date, making them if nobody made them ahead; those of a date that is over never.

        Raises:
            KeyUnavailableError: There are none and the date is over.
        """
        try:
            return self.get(day.isoformat())
        except KeyUnavailableError:
            self.make([day], now)
            return self.get(day.isoformat())

    def make(self, days: Iterable[date], now: datetime) -> None:
        """Make the keys of dates that have none; those of a date that is over are never made again.

        Raises:
            StorageError: The key place refuses.
        """
        self._days.make(day for day in days if now < end_of(day))

    def puncture(self, day: date, names: Collection[str]) -> frozenset[str]:
        """Destroy the key leaves of names for good; return those that were alive. Every other leaf stays as it is.

        The caller has taken the `TURN`. A process that read the keys before may use them for `CACHED_FOR_SECONDS` more.

        Raises:
            KeyUnavailableError: The date has no keys, or a branch of its tree is missing.
            StorageError: The key place refuses, or still shows a leaf afterwards.
            IntegrityError: The keys were altered.
        """
        leaves = {name: key_tree.name_leaf(name) for name in names}
        try:
            alive = self._days.puncture(day, leaves.values())
        finally:
            self._forget(day)
        return frozenset(name for name, leaf in leaves.items() if leaf in alive)

    def is_punctured(self, day: date) -> bool:
        """Tell whether any key leaf of a date was destroyed by itself, as the key place has it now.

        Raises:
            KeyUnavailableError, IntegrityError, StorageError: As `find_punctured`.
        """
        return key_tree.ROOT not in self._days.read(day).top

    def find_punctured(self, day: date, names: Collection[str]) -> frozenset[str]:
        """Return the names whose key leaves were destroyed by themselves, as the key place has it now.

        Raises:
            KeyUnavailableError: The date has no keys, or a branch of its tree is missing.
            IntegrityError: They were altered.
            StorageError: The key place does not answer.
        """
        leaves = {name: key_tree.name_leaf(name) for name in names}
        dead = self._days.find_punctured(day, leaves.values())
        return frozenset(name for name, leaf in leaves.items() if leaf in dead)

    def destroy(self, day: date) -> bool:
        """Destroy the keys of a date for good; return whether there were any. The caller has taken the `TURN`.

        Raises:
            StorageError: The key place refuses, or still shows the keys afterwards.
        """
        try:
            return self._days.destroy(day)
        finally:
            self._forget(day)

    def destroy_all(self, days: Collection[date]) -> None:
        """Destroy the keys of several dates for good. The caller has taken the `TURN`.

        Raises:
            StorageError: The key place refuses, or still shows some of them afterwards.
        """
        try:
            self._days.destroy_all(days)
        finally:
            for day in days:
                self._forget(day)

    def iter_days(self) -> Iterator[date]:
        """Go through the dates that have keys, or remains of them, earliest first."""
        return self._days.iter_days()

    def _get_day(self, day: date) -> DayKeys:
        return self._cached_days.get(day, lambda: self._days.read(day))

    def _forget(self, day: date) -> None:
        self._cached_days.forget(lambda key: key == day)
        self._cached_branches.forget(lambda key: key[0] == day)

    def _make(self, key_id: str, uses: tuple[str, ...]) -> None:
        lines = [_KEY_FIRST_LINE]
        for use in uses:
            secret = self._randomness(KEY_BYTES)
            lines.append(f"{use} {wrap(self._ring_key, secret, self._context(key_id, use), self._randomness)}")
        with suppress(ObjectExistsError):  # another process was quicker; its keys are the ones
            self._place.write(f"{key_id}.key", ["\n".join([*lines, ""]).encode()])

    def _read(self, key_id: str, uses: tuple[str, ...]) -> tuple[bytes, ...]:
        try:
            content = self._place.read(f"{key_id}.key")
        except ObjectNotFoundError:
            raise KeyUnavailableError(
                f"There are no keys {key_id}: the key place is not whole.", advice="Restore the key place."
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


class RootlessKeyring(Keyring):
    """The keys of an archive as a process has them that has no root key: it can destroy dates' keys, and use none."""

    def get(self, key_id: str) -> KeyPair:
        """Refuse: no key can be unwrapped.

        Raises:
            RootKeyError: Always.
        """
        raise _rootless(key_id)

    def _get_day(self, day: date) -> DayKeys:
        raise _rootless(day.isoformat())

    def make(self, days: Iterable[date], now: datetime) -> None:  # noqa: ARG002  as `Keyring.make`
        """Refuse: nothing can be wrapped.

        Raises:
            RootKeyError: Always.
        """
        raise _rootless("to come")

    def puncture(self, day: date, names: Collection[str]) -> frozenset[str]:  # noqa: ARG002  as `Keyring.puncture`
        """Refuse: no tree can be read.

        Raises:
            RootKeyError: Always.
        """
        raise _rootless(day.isoformat())


def _rootless(key_id: str) -> RootKeyError:
    return RootKeyError(
        f"The keys {key_id} cannot be used by a process without the root key.", advice="Open the archive with it."
    )
