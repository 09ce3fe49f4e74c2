"""Who works here: staff members as sealed objects, and their newest version in the catalog."""

from typing import Final

from sqlalchemy import Connection, delete, insert, select

from kelarec.domain.people import StaffId
from kelarec.domain.staff import StaffMember
from kelarec.storage import catalog_tables as tables
from kelarec.storage.json_form import from_json, to_json
from kelarec.storage.vault import Vault, get_revision

_FOLDER: Final = "staff"


class StaffDirectory:
    """The staff whom an archive knows."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def write(self, member: StaffMember) -> tuple[str, bytes]:
        """Seal what is known of a staff member into the archive; return the object's path and envelope.

        Revisions count from 1. Two that were written at once are of one revision; the log tells which came last.
        """
        with self._vault.database.begin() as connection:
            wanted = select(tables.staff.c.member_object).where(tables.staff.c.id == member.id.text)
            revision = get_revision(connection.execute(wanted).scalar_one_or_none() or "") + 1
        path = f"{_FOLDER}/{member.id}/{self._vault.new_object_name(f'member-{revision}')}"
        subject = self._vault.subject("staff", member.id.text)
        return path, self._vault.write_standing(path, subject, to_json(member))

    def put(self, connection: Connection, member: StaffMember, path: str, envelope: bytes) -> None:
        """Make a staff member's newest version the one in force."""
        connection.execute(delete(tables.staff).where(tables.staff.c.id == member.id.text))
        connection.execute(insert(tables.staff), to_row(member, path, envelope))

    def find(self, connection: Connection, staff_id: StaffId) -> StaffMember | None:
        """Return what is known of a staff member, or None."""
        envelope = connection.execute(
            select(tables.staff.c.member).where(tables.staff.c.id == staff_id.text)
        ).scalar_one_or_none()
        if envelope is None:
            return None
        return from_json(self._vault.open_envelope(self._vault.subject("staff", staff_id.text), envelope), StaffMember)


def to_row(member: StaffMember, path: str, envelope: bytes) -> dict[str, object]:
    """Return the row that follows from a version of a staff member."""
    return {"id": member.id.text, "member_object": path, "member": envelope}
