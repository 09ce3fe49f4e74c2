"""The ring key's file: it names its root key's kind, and every byte of it is checked: the notice, section 10."""

import os
from collections.abc import Callable
from typing import Final
from uuid import UUID

import pytest

from kelarec.errors import (
    ArchiveNotFoundError,
    FormatTooNewError,
    IntegrityError,
    KelarecError,
    KeyPlaceMismatchError,
    StorageError,
    WrongRootKeyError,
)
from kelarec.storage.objects import MemoryObjects
from kelarec.storage.ring import RING, open_ring, read_ring, replace_ring, write_ring
from kelarec.storage.roots import LocalRootKey

ARCHIVE: Final = UUID("019cbd02-c000-7000-8000-000000000001")
OTHER: Final = UUID("019cbd02-c000-7000-8000-000000000002")
ROOT: Final = LocalRootKey(bytes(range(32)), os.urandom)
RING_KEY: Final = bytes(range(32, 64))


@pytest.fixture
def place() -> MemoryObjects:
    """A key place with a ring key."""
    place = MemoryObjects()
    write_ring(place, ARCHIVE, RING_KEY, ROOT)
    return place


def test_every_flipped_bit_of_the_file_is_found(place: MemoryObjects) -> None:
    """One bit flipped anywhere in the ring key's file is an error with a name, never another key."""
    content = place.read(RING)
    unnoticed = []
    for position in range(len(content)):
        for bit in range(8):
            flipped = bytes([*content[:position], content[position] ^ (1 << bit), *content[position + 1 :]])
            place.replace(RING, flipped)
            try:
                open_ring(place, ARCHIVE, ROOT)
            except KelarecError:
                continue
            unnoticed.append((position, bit))
    print(f"\nring.key: {len(content)} bytes, {8 * len(content)} bits flipped, {len(unnoticed)} unnoticed")
    assert unnoticed == []


FILES: Final[dict[str, tuple[type[KelarecError], Callable[[bytes], bytes]]]] = {
    "newer": (FormatTooNewError, lambda file: file.replace(b"ring key v1", b"ring key v2")),
    "another first line": (IntegrityError, lambda file: file.replace(b"ring key v1", b"ring keys")),
    "no last line": (IntegrityError, lambda file: file[:-1]),
    "a line more": (IntegrityError, lambda file: file + b"\n"),
    "empty": (IntegrityError, lambda _: b""),
    "not ASCII": (IntegrityError, lambda file: file.replace(b"archive", "ärchive".encode())),
    "no id": (IntegrityError, lambda file: file.replace(b"019cbd02", b"********")),
    "no kind": (IntegrityError, lambda file: file.replace(b"root keyfile", b"root ")),
    "another archive's": (KeyPlaceMismatchError, lambda file: file.replace(b"000001", b"000002")),
    "another kind": (WrongRootKeyError, lambda file: file.replace(b"root keyfile", b"root pkcs11")),
}


@pytest.mark.parametrize(("error", "alter"), FILES.values(), ids=FILES)
def test_what_is_no_ring_key_is_named(
    place: MemoryObjects, error: type[KelarecError], alter: Callable[[bytes], bytes]
) -> None:
    """A newer format, damage, another archive and another kind of root key are told apart."""
    place.replace(RING, alter(place.read(RING)))
    with pytest.raises(error) as caught:
        open_ring(place, ARCHIVE, ROOT)
    assert type(caught.value) is error


def test_a_wrong_kind_is_refused_before_it_is_asked(place: MemoryObjects) -> None:
    """The error names both kinds, so that nobody enters a PIN for a passphrase."""
    with pytest.raises(WrongRootKeyError, match=r"the kind keyfile, and a pkcs11 was given"):
        open_ring(place, ARCHIVE, LocalRootKey(bytes(range(32)), os.urandom, "pkcs11"))


def test_a_ring_key_does_not_open_as_another_archives(place: MemoryObjects) -> None:
    """The archive is bound into the wrap, not only written beside it."""
    place.replace(RING, place.read(RING).replace(str(ARCHIVE).encode(), str(OTHER).encode()))
    with pytest.raises(WrongRootKeyError):
        open_ring(place, OTHER, ROOT)


class Forgetful(LocalRootKey):
    """A root key that does not give back what it has sealed."""

    def unwrap(self, line: str, context: bytes) -> bytes:
        """Return another key."""
        return super().unwrap(line, context)[::-1]


class Cutting(LocalRootKey):
    """A root key that gives back too little."""

    def unwrap(self, line: str, context: bytes) -> bytes:
        """Return half a key."""
        return super().unwrap(line, context)[:16]


@pytest.mark.parametrize("kind", [Forgetful, Cutting])
def test_a_root_key_is_tried_before_it_is_relied_on(place: MemoryObjects, kind: type[LocalRootKey]) -> None:
    """A new root key must open what it has sealed before the old wrap goes: else the archive would be lost."""
    before = place.read(RING)
    with pytest.raises(WrongRootKeyError):
        replace_ring(place, ARCHIVE, RING_KEY, kind(bytes(32), os.urandom))
    assert place.read(RING) == before
    assert open_ring(place, ARCHIVE, ROOT) == RING_KEY


class DeafObjects(MemoryObjects):
    """A place that says it replaced an object and did not."""

    def replace(self, path: str, content: bytes) -> None:
        """Do nothing."""


def test_a_replaced_ring_key_is_read_back() -> None:
    """Rotation is not done before the new file is seen."""
    place = DeafObjects()
    write_ring(place, ARCHIVE, RING_KEY, ROOT)
    with pytest.raises(StorageError, match="old root key"):
        replace_ring(place, ARCHIVE, RING_KEY, LocalRootKey(bytes(32), os.urandom))


def test_another_archives_ring_key_is_never_replaced(place: MemoryObjects) -> None:
    """Rotation with the wrong key place would lose the other archive."""
    with pytest.raises(KeyPlaceMismatchError):
        replace_ring(place, OTHER, RING_KEY, ROOT)
    assert open_ring(place, ARCHIVE, ROOT) == RING_KEY


def test_an_empty_place_says_what_is_lost() -> None:
    """Without a ring key there is no archive, and the error says where to read what that means."""
    with pytest.raises(ArchiveNotFoundError, match="list_sealed"):
        read_ring(MemoryObjects())
