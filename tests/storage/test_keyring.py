"""A key for every day, and the day's key dies on its day: the notice, sections 9 and 10; GDPR, Art. 5(1)(e)."""

import os
import pickle
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest

from kelarec.errors import (
    ArchiveNotFoundError,
    IntegrityError,
    KeyPlaceMismatchError,
    KeyUnavailableError,
    ObjectExistsError,
    StorageError,
    WrongRootKeyError,
)
from kelarec.storage.day_keys import KeyPair
from kelarec.storage.key_cache import ForgetfulCache
from kelarec.storage.keyring import STANDING, Keyring
from kelarec.storage.objects import FolderObjects, MemoryObjects, ObjectPlace
from kelarec.storage.roots import LocalRootKey

ARCHIVE: Final = UUID("019cbd02-c000-7000-8000-000000000001")
OTHER: Final = UUID("019cbd02-c000-7000-8000-000000000002")
ROOT: Final = LocalRootKey(bytes(range(32)), os.urandom)
DAY: Final = date(2027, 3, 5)
NOW: Final = datetime(2026, 3, 5, 8, tzinfo=UTC)


@pytest.fixture
def place() -> ObjectPlace:
    """An empty key place."""
    return MemoryObjects()


@pytest.fixture
def keyring(place: ObjectPlace) -> Keyring:
    """The keys of a new archive."""
    return Keyring.create(place, ARCHIVE, ROOT, os.urandom)


def reopen(place: ObjectPlace) -> Keyring:
    """Open the keys anew, as another process would."""
    return Keyring.open(place, ARCHIVE, ROOT, os.urandom)


def test_a_days_keys_are_made_once(keyring: Keyring, place: ObjectPlace) -> None:
    """Everybody who asks for a day's keys has the same ones, in this process and the next."""
    pair = keyring.get_or_make(DAY, NOW)
    assert pair == keyring.get_or_make(DAY, NOW) == keyring.get(DAY.isoformat()) == reopen(place).get_or_make(DAY, NOW)
    assert pair.wrapping != pair.index
    assert (len(pair.wrapping), len(pair.index)) == (32, 32)


def test_each_day_has_keys_of_its_own(keyring: Keyring) -> None:
    """No two days share a key, nor does any with the standing key; so one dies without the other (section 9)."""
    pairs = [keyring.get_or_make(date(2027, 3, day), NOW) for day in range(1, 11)] + [keyring.get(STANDING)]
    assert len({key for pair in pairs for key in (pair.wrapping, pair.index)}) == 22


def test_nothing_in_the_key_place_is_bare(keyring: Keyring, place: ObjectPlace) -> None:
    """Every key lies wrapped under the one above it (section 10)."""
    pairs = [keyring.get_or_make(DAY, NOW), keyring.get(STANDING)]
    lying = b"".join(place.read(path) for path in place.iter_paths())
    for key in (*(each for pair in pairs for each in (pair.wrapping, pair.index)), bytes(range(32))):
        assert key not in lying
        assert key.hex().encode() not in lying


def test_a_dead_days_keys_never_come_back(keyring: Keyring, place: ObjectPlace) -> None:
    """Destroyed keys are gone from the place and from memory; destroying them again is no error (section 9)."""
    before = keyring.get_or_make(DAY, NOW)
    assert keyring.destroy(DAY) is True
    assert keyring.destroy(DAY) is False
    for each in (keyring, reopen(place)):
        with pytest.raises(KeyUnavailableError) as caught:
            each.get(DAY.isoformat())
        assert caught.value.advice
    assert list(keyring.iter_days()) == []
    assert keyring.get_or_make(DAY, NOW) != before


def test_days_come_in_order(keyring: Keyring) -> None:
    """The days that have keys are listed, earliest first."""
    for day in (date(2027, 3, 5), date(2026, 12, 31), date(2027, 1, 1)):
        keyring.get_or_make(day, NOW)
    assert list(keyring.iter_days()) == [date(2026, 12, 31), date(2027, 1, 1), date(2027, 3, 5)]


def test_keys_are_forgotten_within_a_minute(place: ObjectPlace) -> None:
    """Keys that another process destroyed are used for a minute at most (section 9)."""
    Keyring.create(place, ARCHIVE, ROOT, os.urandom)
    now = 1000.0
    ring_key = place.read("ring.key").decode().split("\n")[3]
    bare = ROOT.unwrap(ring_key, f"kelarec v1\narchive {ARCHIVE}\nkey ring".encode())
    keyring = Keyring(place, ARCHIVE, bare, os.urandom, ticks=lambda: now)
    keyring.get_or_make(DAY, NOW)
    reopen(place).destroy(DAY)
    now += 59.9
    keyring.get(DAY.isoformat())
    now += 0.1
    with pytest.raises(KeyUnavailableError):
        keyring.get(DAY.isoformat())


class StubbornObjects(MemoryObjects):
    """A place that says it deleted and did not, as a store with versions may."""

    def delete(self, path: str) -> None:
        """Do nothing."""


def test_what_is_forgotten_while_it_is_read_is_not_kept() -> None:
    """A key that was destroyed while another thread read it does not come back into the cache (Art. 17)."""
    cache: ForgetfulCache[str, str] = ForgetfulCache(lambda: 0.0)

    def read_slowly() -> str:
        cache.forget(lambda _: True)
        return "old"

    assert cache.get("day", read_slowly) == "old"
    assert cache.get("day", lambda: "new") == "new"
    assert cache.get("day", lambda: "newer") == "new"


def test_a_key_that_will_not_die_is_named() -> None:
    """Destruction is read back: if the keys are still there, the sweep must not say that they are gone (section 9)."""
    keyring = Keyring.create(StubbornObjects(), ARCHIVE, ROOT, os.urandom)
    keyring.get_or_make(DAY, NOW)
    with pytest.raises(StorageError, match="still there"):
        keyring.destroy(DAY)


def test_keys_are_not_made_over_others(keyring: Keyring, place: ObjectPlace) -> None:
    """A second archive in one key place is refused and the first one's keys stay."""
    standing = keyring.get(STANDING)
    with pytest.raises(ObjectExistsError):
        Keyring.create(place, OTHER, ROOT, os.urandom)
    assert reopen(place).get(STANDING) == standing


WRONG: Final[dict[str, tuple[type[Exception], Callable[[ObjectPlace], Keyring]]]] = {
    "no keys": (ArchiveNotFoundError, lambda _: reopen(MemoryObjects())),
    "another archive": (KeyPlaceMismatchError, lambda place: Keyring.open(place, OTHER, ROOT, os.urandom)),
    "another root key": (
        WrongRootKeyError,
        lambda place: Keyring.open(place, ARCHIVE, LocalRootKey(bytes(32), os.urandom), os.urandom),
    ),
    "another kind of root key": (
        WrongRootKeyError,
        lambda place: Keyring.open(place, ARCHIVE, LocalRootKey(bytes(32), os.urandom, "pkcs11"), os.urandom),
    ),
}


@pytest.mark.usefixtures("keyring")
@pytest.mark.parametrize(("error", "open_wrongly"), WRONG.values(), ids=WRONG.keys())
def test_what_does_not_belong_together_is_named(
    place: ObjectPlace, error: type[Exception], open_wrongly: Callable[[ObjectPlace], Keyring]
) -> None:
    """Archive, key place and root key belong together, and each mismatch has a name (section 10)."""
    with pytest.raises(error) as caught:
        open_wrongly(place)
    assert type(caught.value) is error


@pytest.mark.parametrize("source", ["days/2027-03-06.key", "standing.key"])
def test_one_days_keys_do_not_serve_another_day(tmp_path: Path, source: str) -> None:
    """A key file put in another's place does not open, so no day can be kept alive under another's name (section 9)."""
    keyring = Keyring.create(FolderObjects(tmp_path), ARCHIVE, ROOT, os.urandom)
    for day in (DAY, date(2027, 3, 6)):
        keyring.get_or_make(day, NOW)
    (tmp_path / "days" / f"{DAY}.key").write_bytes((tmp_path / source).read_bytes())
    with pytest.raises(IntegrityError):
        reopen(FolderObjects(tmp_path)).get(DAY.isoformat())


def test_the_two_standing_keys_cannot_be_exchanged(tmp_path: Path) -> None:
    """What wraps and what makes tokens are bound to their use."""
    Keyring.create(FolderObjects(tmp_path), ARCHIVE, ROOT, os.urandom)
    path = tmp_path / "standing.key"
    first, wrapping, index, end = path.read_text().split("\n")
    path.write_text("\n".join([first, index.replace("index", "wrapping"), wrapping.replace("wrapping", "index"), end]))
    with pytest.raises(IntegrityError):
        reopen(FolderObjects(tmp_path)).get(STANDING)


def test_keys_show_and_send_themselves_to_nobody(keyring: Keyring) -> None:
    """No repr, log or pickle carries a key (section 10)."""
    pair = keyring.get_or_make(DAY, NOW)
    assert repr(pair) == "KeyPair()"
    assert repr(keyring) == f"Keyring(archive {ARCHIVE})"
    assert isinstance(pair, KeyPair)
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(keyring)
