"""The place of the keys: apart from what they open, without versions, in one copy or two."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit
from uuid import UUID

from kelarec.errors import InvalidValueError, KeyPlaceVersionedError, ObjectNotFoundError, PlaceOverlapError
from kelarec.storage.mirrored import MirroredObjects
from kelarec.storage.objects import FolderObjects, ObjectPlace
from kelarec.storage.places import Place, require_apart
from kelarec.storage.ring import RING, require_ring_of

KeyPlaces = Place | tuple[Place, Place]
_COPIES: Final = 2
_BUCKETS: Final = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "az": "az", "abfs": "az", "abfss": "az"}
_FOLDERS_ELSEWHERE: Final = frozenset({"sftp", "ssh"})


def to_places(keys: object) -> tuple[Place, ...]:
    """Return one or two places of keys as a tuple.

    Raises:
        InvalidValueError: It is neither a place nor a pair of them.
    """
    places = (keys,) if isinstance(keys, Place) else keys
    if isinstance(places, tuple) and 1 <= len(places) <= _COPIES and all(isinstance(each, Place) for each in places):
        return places
    raise InvalidValueError("The keys lie in one place or in two.", advice="Give a Place, or a tuple of two.")


def open_key_place(keys: KeyPlaces, open_place: Callable[[Place], ObjectPlace] | None = None) -> ObjectPlace:
    """Return the place of the keys: two copies look like one.

    Args:
        keys: One place, or two copies.
        open_place: Makes the objects of one place; folders of this machine if none is given.
    """
    first, *others = [(open_place or _open_folder)(each) for each in to_places(keys)]
    return MirroredObjects(first, others[0], marker=RING) if others else first


def _open_folder(place: Place) -> ObjectPlace:
    return FolderObjects(place.folder)


def require_keys_apart(keys: KeyPlaces, *others: Place) -> None:
    """Check that no copy of the keys lies beneath, above or beside anything else, nor two copies in one another.

    Folders must not contain one another. In a bucket, beside is as bad as beneath: what copies, replicates or versions
    the bucket does so with both.

    Raises:
        PlaceOverlapError: Two of them do.
    """
    places = to_places(keys)
    for number, one in enumerate(places):
        for other in (*places[number + 1 :], *others):
            _require_two_apart(one, other)


def _require_two_apart(keys: Place, other: Place) -> None:
    if keys.scheme == other.scheme == "file":
        require_apart(keys.folder, other.folder)
    elif keys.scheme in _BUCKETS and _to_bucket(keys) == _to_bucket(other):
        raise PlaceOverlapError(
            f"The keys lie in the bucket {_to_bucket(keys)[1]}, where something else lies.",
            advice="Give the keys a bucket of their own, without versions and with backups of its own.",
        )
    elif {keys.scheme, other.scheme} <= _FOLDERS_ELSEWHERE and _overlap_elsewhere(keys, other):
        raise PlaceOverlapError("The keys and something else lie in one another on the same server.")


def _to_bucket(place: Place) -> tuple[str, str]:
    """Return the kind of store and the bucket's or container's name; accounts cannot be told from every URL."""
    kind = _BUCKETS.get(place.scheme, place.scheme)
    before, _, name = urlsplit(place.url).netloc.rpartition("@")
    return kind, unquote(before if before and kind == "az" else name).lower()


def _overlap_elsewhere(one: Place, other: Place) -> bool:
    urls = [urlsplit(each.url) for each in (one, other)]
    if urls[0].hostname != urls[1].hostname:
        return False
    first, second = (PurePosixPath("/", unquote(each.path)) for each in urls)
    return first == second or first in second.parents or second in first.parents


def require_unversioned(place: Place, find_versioning: Callable[[Place], bool | None]) -> None:
    """Check that a place keeps no old versions: there a destroyed key would live on.

    Args:
        place: Of the keys.
        find_versioning: Asks the backend; None if it cannot tell, which passes: the documentation says what is then
            yours to see to.

    Raises:
        KeyPlaceVersionedError: It does.
    """
    if find_versioning(place):
        raise KeyPlaceVersionedError(f"The place of the keys {place!r} keeps old versions of its objects.")


def require_copies_of(place: ObjectPlace, archive_id: UUID) -> None:
    """Check that each copy of the keys that is there is an archive's.

    Raises:
        KeyPlaceMismatchError: One is another archive's.
        IntegrityError: The ring key's file of one is damaged.
    """
    if isinstance(place, MirroredObjects):
        for copy in place.iter_copies():
            with suppress(ObjectNotFoundError):  # gone between two looks, which the next read says by name
                require_ring_of(copy, archive_id)


def list_key_folders(keys: KeyPlaces) -> list[Path]:
    """Return the folders in which keys lie on this machine."""
    return [each.folder for each in to_places(keys)]
