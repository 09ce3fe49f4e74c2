"""What an archive says of itself: ``archive.json``, in clear, and the versions of its register, sealed."""

import json
from typing import Final
from uuid import UUID

from kelarec.domain.register import Register
from kelarec.errors import ArchiveNotFoundError, FormatTooNewError, IntegrityError, ObjectNotFoundError
from kelarec.storage.json_form import from_json, to_json
from kelarec.storage.objects import ObjectPlace
from kelarec.storage.vault import Vault

FORMAT: Final = 1
_DESCRIPTION: Final = "archive.json"
_REGISTERS: Final = "registers"


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


def write_register(vault: Vault, register: Register) -> None:
    """Seal a version of the register into the archive.

    Raises:
        StorageError: The place refuses.
    """
    version = register.version.isoformat()
    path = f"{_REGISTERS}/{version}/{vault.new_object_name('register')}"
    vault.write_standing(path, vault.subject("register", version), to_json(register))


def read_register(vault: Vault, name: str) -> Register:
    """Return the newest version of the archive's register, which must bear the name that the description gives.

    Raises:
        IntegrityError: It is missing, was altered, or bears another name.
    """
    newest = max(vault.objects.iter_paths(_REGISTERS), default=None)
    if newest is None:
        raise IntegrityError("The archive's register is missing.", lost="the register")
    version = newest.split("/")[1]
    envelope = vault.objects.read(newest)
    register = from_json(vault.open_envelope(vault.subject("register", version), envelope), Register)
    if register.name != name:
        raise IntegrityError("The archive's description names another register than the one it holds.")
    return register
