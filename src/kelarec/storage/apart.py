"""Places that must be apart: what copies, replicates or versions one of them must not do so with the other."""

import posixpath
from typing import Final
from urllib.parse import unquote, urlsplit

from attrs import frozen

from kelarec.errors import PlaceOverlapError
from kelarec.storage.places import Place, require_apart

_STORES: Final = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gs",
    "gcs": "gs",
    "az": "az",
    "abfs": "az",
    "abfss": "az",
    "sftp": "sftp",
    "ssh": "sftp",
}
_ADVICE: Final = "Give the keys a place of their own, without versions and with backups of its own."


@frozen
class _Location:
    """Where a remote place lies: a store, and a folder in it. Buckets are apart or not as a whole."""

    store: tuple[str, ...]
    endpoint: str | None
    folder: str

    def overlaps(self, other: "_Location") -> bool:
        """Tell whether one is, or lies inside, the other; two endpoints of one store are told apart if both show."""
        if self.store != other.store:
            return False
        if self.endpoint and other.endpoint and self.endpoint != other.endpoint:
            return False
        one, another = f"{self.folder}/", f"{other.folder}/"
        return one.startswith(another) or another.startswith(one)


def require_places_apart(*places: Place) -> None:
    """Check that of several places none is, or lies inside, another: folders, or whole buckets.

    Raises:
        PlaceOverlapError: Two of them do.
    """
    for number, one in enumerate(places):
        for other in places[number + 1 :]:
            if one.scheme == other.scheme == "file":
                require_apart(one.folder, other.folder)
                continue
            first, second = _find_location(one), _find_location(other)
            if first is not None and second is not None and first.overlaps(second):
                raise PlaceOverlapError(f"The places {one!r} and {other!r} overlap.", advice=_ADVICE)


def _find_location(place: Place) -> _Location | None:
    parts = urlsplit(place.url)
    store = _STORES.get(place.scheme)
    if store is None:
        return None
    if store == "sftp":
        folder = posixpath.normpath(unquote(parts.path) or "/").rstrip("/")
        return _Location((store, parts.hostname or "", str(parts.port or 22)), None, folder)
    before, _, name = parts.netloc.rpartition("@")
    options = dict(place.options)
    endpoint = options.get("account") or options.get("endpoint")
    return _Location((store, unquote(before if before and store == "az" else name).lower()), endpoint, "")
