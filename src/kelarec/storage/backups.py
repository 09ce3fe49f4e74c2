"""For how long the backups of places are kept, as their operator declares: what a certificate does not reach."""

from collections.abc import Iterable
from datetime import timedelta

from attrs import field, frozen

from kelarec.storage.key_place import KeyPlaces, to_places
from kelarec.storage.places import Place


@frozen(kw_only=True)
class BackupHorizons:
    """For how long old copies may lie about.

    Attributes:
        keys: Of the key place, the longer of its two copies; None if nobody declares it.
        catalog: Of the catalog; None if nobody declares it.
    """

    keys: timedelta | None = field(default=None)
    catalog: timedelta | None = field(default=None)


UNDECLARED = BackupHorizons()


def read_horizons(keys: KeyPlaces, catalog: Place | None) -> BackupHorizons:
    """Return what the places declare."""
    return BackupHorizons(keys=_longest(to_places(keys)), catalog=None if catalog is None else catalog.backups_kept_for)


def _longest(places: Iterable[Place]) -> timedelta | None:
    declared = [place.backups_kept_for for place in places]
    known = [each for each in declared if each is not None]
    return max(known) if known and len(known) == len(declared) else None
