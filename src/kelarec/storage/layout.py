"""How the places of an archive lie to each other, and what a failed creation takes back."""

import shutil
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from kelarec.storage import places
from kelarec.storage.engine import POSTGRESQL, find_sqlite_file
from kelarec.storage.places import Place


def require_apart(objects: Place, keys: Place, catalog: Place) -> None:
    """Check that keys lie apart from objects and catalog.

    Raises:
        PlaceOverlapError: Two of them lie in one another.
    """
    places.require_apart(objects.folder, keys.folder)
    catalog_file = find_catalog_file(catalog)
    if catalog_file is not None:
        places.require_apart(keys.folder, catalog_file)


def catalog_beside(objects: Place) -> Place:
    """Return where the catalog lies if no place is given for it."""
    return Place(f"sqlite://{quote(str(objects.folder))}.catalog.sqlite", objects.country)


def find_catalog_file(catalog: Place) -> Path | None:
    """Return the file of a catalog, or None if it is on a server."""
    if catalog.scheme == POSTGRESQL:
        return None
    catalog.require_scheme("sqlite", "file", POSTGRESQL)
    return find_sqlite_file(catalog)


def remove_half_made(folders: list[Path], missing: list[Path], catalog_file: Path | None) -> None:
    """Remove what a failed creation wrote into places that were empty before, and the folders it made itself."""
    if catalog_file is not None:
        catalog_file.unlink(missing_ok=True)
    for folder in folders:
        for entry in folder.iterdir() if folder.exists() else ():
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    for folder in missing:  # from the innermost outwards
        with suppress(OSError):
            folder.rmdir()
