"""What an archive says of itself, in clear: ``archive.json``."""

import json
from typing import Final
from uuid import UUID

from kelarec.domain.register import Register
from kelarec.errors import ArchiveNotFoundError, FormatTooNewError, IntegrityError, ObjectNotFoundError
from kelarec.storage.objects import ObjectPlace

FORMAT: Final = 1
_DESCRIPTION: Final = "archive.json"


def write_description(objects: ObjectPlace, archive_id: UUID, register: Register) -> None:
    """Write the description of a new archive: from here on it is one.

    Raises:
        ObjectExistsError: There is an archive already.
        StorageError: The place refuses.
    """
    objects.write(_DESCRIPTION, [_to_text(archive_id, register.name)])


def read_description(objects: ObjectPlace) -> tuple[UUID, str]:
    """Return the archive's id and its register's name.

    Raises:
        ArchiveNotFoundError: There is no archive at the place.
        FormatTooNewError: A newer version made it.
        IntegrityError: The description was altered.
    """
    try:
        content = objects.read(_DESCRIPTION)
    except ObjectNotFoundError:
        raise ArchiveNotFoundError("There is no archive at the place of the objects.") from None
    try:
        description = json.loads(content)
        form, archive_id, name = description["format"], UUID(description["archive"]), str(description["register"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise IntegrityError("The archive's description is damaged.") from None
    if isinstance(form, int) and form > FORMAT:
        raise FormatTooNewError(f"The archive is of format {form}.")
    if _to_text(archive_id, name) != content:
        raise IntegrityError("The archive's description is damaged.")
    return archive_id, name


def _to_text(archive_id: UUID, register_name: str) -> bytes:
    description = {"archive": str(archive_id), "format": FORMAT, "register": register_name}
    return json.dumps(description, ensure_ascii=False, indent=2, sort_keys=True).encode() + b"\n"
