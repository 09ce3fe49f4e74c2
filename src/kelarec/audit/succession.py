"""Which one catalog is in charge: `audit/catalog` names it, and every other is refused for ever.

Each change looks there once more, inside its transaction and after its objects are durable. A new catalog is named
first and lists the objects afterwards. So a change was either seen to be durable before the new catalog listed, or it
was refused: none that was acknowledged is missed.
"""

from typing import Final

from kelarec.errors import CatalogMismatchError, IntegrityError, ObjectNotFoundError
from kelarec.storage.objects import ObjectPlace

_PATH: Final = "audit/catalog"
_FIRST_LINE: Final = "kelarec catalog v1"


def begin(objects: ObjectPlace, catalog_id: str) -> None:
    """Name the catalog of a new archive.

    Raises:
        ObjectExistsError: One is named already.
    """
    objects.write(_PATH, [_to_text(catalog_id)])


def find_in_charge(objects: ObjectPlace) -> str | None:
    """Return the id of the catalog in charge, or None if none is named.

    Raises:
        IntegrityError: What stands there is no id.
    """
    try:
        content = objects.read(_PATH)
    except ObjectNotFoundError:
        return None
    first, _, catalog_id = content.decode("ascii", "replace").removesuffix("\n").partition("\n")
    if first != _FIRST_LINE or _to_text(catalog_id) != content:
        raise IntegrityError("The object audit/catalog is damaged.", advice="Rebuild the catalog from the objects.")
    return catalog_id


def require_in_charge(objects: ObjectPlace, catalog_id: str) -> None:
    """Check that a catalog may still change this archive.

    Raises:
        CatalogMismatchError: Another catalog has taken over, or none is named.
    """
    if find_in_charge(objects) != catalog_id:
        raise CatalogMismatchError("Another catalog numbers this archive's log entries; this one may change nothing.")


def take_over(objects: ObjectPlace, catalog_id: str) -> None:
    """Put a new catalog in charge: from here on no other one acknowledges anything.

    Raises:
        StorageError: The place refuses; the old one stays in charge.
    """
    objects.replace(_PATH, _to_text(catalog_id))


def _to_text(catalog_id: str) -> bytes:
    return f"{_FIRST_LINE}\n{catalog_id}\n".encode("ascii", "replace")
