"""The ring key's file: the one key that the root key wraps.

    kelarec ring key v1
    archive <archive id>
    root <scheme of the root key's URI>
    <wrap by that kind of root key>

It is written once and replaced when the root key changes; the ring key itself stays.
"""

import re
from typing import Final
from uuid import UUID

from attrs import frozen

from kelarec.errors import (
    ArchiveNotFoundError,
    FormatTooNewError,
    IntegrityError,
    KeyPlaceMismatchError,
    ObjectNotFoundError,
    StorageError,
    WrongRootKeyError,
)
from kelarec.storage.objects import ObjectPlace
from kelarec.storage.roots import RootKey
from kelarec.storage.wrapping import KEY_BYTES, bind

RING: Final = "ring.key"
_FIRST_LINE: Final = "kelarec ring key v1"
_ANY_VERSION: Final = re.compile(r"kelarec ring key v\d+")
_ROOT_LINE: Final = re.compile(r"root ([a-z][a-z0-9+.-]*)")


@frozen
class RingFile:
    """What the ring key's file says in clear.

    Attributes:
        archive_id: Whose ring key it is.
        scheme: Which kind of root key wraps it.
        wrapped: The wrap.
    """

    archive_id: UUID
    scheme: str
    wrapped: str


def write_ring(place: ObjectPlace, archive_id: UUID, ring_key: bytes, root_key: RootKey) -> None:
    """Write the ring key of a new archive.

    Raises:
        ObjectExistsError: The key place holds a ring key already.
        RootKeyError: The root key cannot be had, or does not open what it has sealed.
        StorageError: The key place cannot be written.
    """
    place.write(RING, [_to_bytes(archive_id, ring_key, root_key)])


def replace_ring(place: ObjectPlace, archive_id: UUID, ring_key: bytes, root_key: RootKey) -> None:
    """Wrap the ring key under another root key: nothing else changes. A crash leaves the old file or the new.

    Raises:
        RootKeyError: The new root key cannot be had, or does not open what it has sealed; the old one stands.
        StorageError: The key place refuses.
    """
    require_ring_of(place, archive_id)
    content = _to_bytes(archive_id, ring_key, root_key)
    place.replace(RING, content)
    if place.read(RING) != content:
        raise StorageError("The ring key's file is not what was just written; the old root key may still be in force.")


def read_ring(place: ObjectPlace) -> RingFile:
    """Return what the ring key's file says in clear.

    Raises:
        ArchiveNotFoundError: There is no ring key in the key place.
        FormatTooNewError: A newer version wrote it.
        IntegrityError: It is damaged.
    """
    try:
        content = place.read(RING)
    except ObjectNotFoundError:
        raise ArchiveNotFoundError(
            "There is no ring key in the key place.",
            advice="Correct the place or restore its copy; without one, what storage.loss.list_sealed names is lost.",
        ) from None
    try:
        first, archive, root, wrapped, end = content.decode("ascii").split("\n")
        archive_id = UUID(archive.removeprefix("archive "))
    except (UnicodeDecodeError, ValueError):
        raise IntegrityError("The ring key's file is damaged.") from None
    scheme = _ROOT_LINE.fullmatch(root)
    if first != _FIRST_LINE and _ANY_VERSION.fullmatch(first):
        raise FormatTooNewError("The ring key's file is of a newer version.")
    if first != _FIRST_LINE or archive != f"archive {archive_id}" or scheme is None or end:
        raise IntegrityError("The ring key's file is damaged.")
    return RingFile(archive_id, scheme[1], wrapped)


def require_ring_of(place: ObjectPlace, archive_id: UUID) -> RingFile:
    """Check that a key place is an archive's, and return what its file says.

    Raises:
        KeyPlaceMismatchError: It is another archive's.
        ArchiveNotFoundError, FormatTooNewError, IntegrityError: As `read_ring`.
    """
    ring = read_ring(place)
    if ring.archive_id != archive_id:
        raise KeyPlaceMismatchError("The key place belongs to another archive.")
    return ring


def open_ring(place: ObjectPlace, archive_id: UUID, root_key: RootKey) -> bytes:
    """Return the ring key of an archive.

    Raises:
        KeyPlaceMismatchError: The ring key is another archive's.
        WrongRootKeyError: The root key is of another kind, or does not open it.
        RootKeyUnreadableError, RootKeyUnreachableError: The root key cannot be had now.
        ArchiveNotFoundError, FormatTooNewError, IntegrityError: As `read_ring`.
    """
    ring = require_ring_of(place, archive_id)
    if ring.scheme != root_key.scheme:
        raise WrongRootKeyError(
            f"The ring key is wrapped under a root key of the kind {ring.scheme}, and a {root_key.scheme} was given."
        )
    return _require_key(root_key.unwrap(ring.wrapped, _context(archive_id)))


def _to_bytes(archive_id: UUID, ring_key: bytes, root_key: RootKey) -> bytes:
    wrapped = root_key.wrap(ring_key, _context(archive_id))
    if _require_key(root_key.unwrap(wrapped, _context(archive_id))) != ring_key:
        raise WrongRootKeyError("The root key does not give back what it has sealed.", advice="Use another root key.")
    return f"{_FIRST_LINE}\narchive {archive_id}\nroot {root_key.scheme}\n{wrapped}\n".encode("ascii")


def _require_key(secret: bytes) -> bytes:
    if len(secret) != KEY_BYTES:
        raise WrongRootKeyError("What the root key opens is no ring key.")
    return secret


def _context(archive_id: UUID) -> bytes:
    return bind(archive_id, ("key", "ring"))
