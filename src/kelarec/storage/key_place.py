"""The place of the keys: apart from what they open, without versions, in one copy or two."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final
from uuid import UUID

from kelarec.errors import InvalidValueError, KeyPlaceVersionedError, ObjectNotFoundError
from kelarec.storage.apart import require_places_apart
from kelarec.storage.mirrored import MirroredObjects
from kelarec.storage.objects import ObjectPlace
from kelarec.storage.places import Place
from kelarec.storage.ring import RING, require_ring_of

KeyPlaces = Place | tuple[Place, Place]
_COPIES: Final = 2


def to_places(keys: object) -> tuple[Place, ...]:
    """Return one or two places of keys as a tuple.

    Raises:
        InvalidValueError: It is neither a place nor a pair of them.
    """
    places = (keys,) if isinstance(keys, Place) else keys
    if isinstance(places, tuple) and 1 <= len(places) <= _COPIES and all(isinstance(each, Place) for each in places):
        return places
    raise InvalidValueError("The keys lie in one place or in two.", advice="Give a Place, or a tuple of two.")


def open_key_place(keys: KeyPlaces, open_place: Callable[[Place], ObjectPlace]) -> ObjectPlace:
    """Return the place of the keys: two copies look like one."""
    return join_copies([open_place(each) for each in to_places(keys)])


def join_copies(copies: Sequence[ObjectPlace]) -> ObjectPlace:
    """Return one or two opened places of keys as one."""
    return copies[0] if len(copies) == 1 else MirroredObjects(copies[0], copies[1], marker=RING)


def require_keys_apart(keys: KeyPlaces, *others: Place) -> None:
    """Check that no copy of the keys lies beneath, above or beside anything else, nor two copies in one another.

    Folders must not contain one another. In a bucket, beside is as bad as beneath: what copies, replicates or versions
    the bucket does so with both.

    Raises:
        PlaceOverlapError: Two of them do.
    """
    copies = to_places(keys)
    require_places_apart(*copies)
    for one in copies:
        for other in others:
            require_places_apart(one, other)


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
