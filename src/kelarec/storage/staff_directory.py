"""Who works here: staff members as sealed objects, and their newest version in the catalog; or another directory.

staff/<staff id>/member-<random>      a version of a staff member
staff/<staff id>/change-<random>      a change that was proposed and not decided yet
"""

from collections.abc import Callable
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, insert, select

from kelarec.domain.people import StaffId
from kelarec.domain.staff import Directory, StaffMember
from kelarec.domain.staff_change import StaffChange
from kelarec.errors import ChangedMeanwhileError, DirectoryError
from kelarec.storage import catalog_tables as tables
from kelarec.storage.envelopes import Subject
from kelarec.storage.json_form import from_json, to_json
from kelarec.storage.recordings import microseconds
from kelarec.storage.vault import Vault, get_revision

_FOLDER: Final = "staff"
_MEMBER: Final = select(tables.staff.c.member).where(tables.staff.c.id == bindparam("staff"))
Lookup = Callable[[Connection], StaffMember | None]


class StaffDirectory:
    """The staff whom an archive knows."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    @property
    def is_elsewhere(self) -> bool:
        """Whether staff are known by a directory that the archive does not keep."""
        return self._vault.directory is not None

    def ask(self, staff_id: StaffId) -> Lookup:
        """Return what tells, within a transaction, what is known of a staff member now.

        A directory elsewhere is asked here, before the transaction: the catalog waits for no network.

        Raises:
            DirectoryError: It cannot be asked.
        """
        if self._vault.directory is None:
            return lambda connection: self.find(connection, staff_id)
        member = _ask_elsewhere(self._vault.directory, staff_id)
        return lambda _: member

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
        """Return what the archive itself knows of a staff member, or None."""
        envelope = connection.execute(_MEMBER, {"staff": staff_id.text}).scalar_one_or_none()
        if envelope is None:
            return None
        return from_json(self._vault.open_envelope(self._vault.subject("staff", staff_id.text), envelope), StaffMember)

    def find_version(self, connection: Connection, staff_id: StaffId) -> str | None:
        """Return which version of a staff member is in force, or None for somebody unknown."""
        wanted = select(tables.staff.c.member_object).where(tables.staff.c.id == staff_id.text)
        version: str | None = connection.execute(wanted).scalar_one_or_none()
        return version

    def write_change(self, change: StaffChange) -> tuple[str, bytes]:
        """Seal a proposed change into the archive; return the object's path and envelope."""
        path = f"{_FOLDER}/{change.member.id}/{self._vault.new_object_name('change')}"
        return path, self._vault.write_standing(path, self._change_subject(change.id), to_json(change))

    def put_change(self, connection: Connection, change: StaffChange, path: str, envelope: bytes) -> None:
        """Make the row of a proposed change."""
        connection.execute(
            insert(tables.staff_changes).values(
                id=change.id.bytes,
                staff_id=change.member.id.text,
                proposed_at=microseconds(change.proposed_at),
                change_object=path,
                change=envelope,
            )
        )

    def find_changes(self, connection: Connection, change_id: UUID | None = None) -> list[tuple[StaffChange, str]]:
        """Return the changes that nobody has decided yet, oldest first, or the one of an id; each with its path."""
        changes = tables.staff_changes.c
        wanted = select(tables.staff_changes).order_by(changes.proposed_at, changes.id)
        if change_id is not None:
            wanted = wanted.where(changes.id == change_id.bytes)
        return [
            (
                from_json(self._vault.open_envelope(self._change_subject(UUID(bytes=row.id)), row.change), StaffChange),
                row.change_object,
            )
            for row in connection.execute(wanted)
        ]

    def decide_change(self, connection: Connection, change: StaffChange) -> None:
        """Take a change out of the undecided ones, if the version that it replaces is still in force.

        Raises:
            ChangedMeanwhileError: It was decided meanwhile, or the staff member was changed.
        """
        if self.find_version(connection, change.member.id) != change.replaces:
            raise ChangedMeanwhileError("The staff member was changed since this was proposed.")
        self.remove_change(connection, change.id)

    def remove_change(self, connection: Connection, change_id: UUID) -> None:
        """Remove the row of a change that is decided.

        Raises:
            ChangedMeanwhileError: It was decided meanwhile.
        """
        removed = connection.execute(delete(tables.staff_changes).where(tables.staff_changes.c.id == change_id.bytes))
        if not removed.rowcount:
            raise ChangedMeanwhileError("The change was decided meanwhile.")

    def _change_subject(self, change_id: UUID) -> Subject:
        return self._vault.subject("staff-change", str(change_id))


def _ask_elsewhere(directory: Directory, staff_id: StaffId) -> StaffMember | None:
    try:
        member: object = directory.find(staff_id)  # others write directories, so what they give is looked at
    except Exception as error:
        raise DirectoryError(f"The directory of staff cannot be asked: {type(error).__name__}.") from error
    if member is None:
        return None
    if not isinstance(member, StaffMember) or member.id != staff_id:
        raise DirectoryError("The directory of staff answers with something else than the staff member asked for.")
    return member


def to_row(member: StaffMember, path: str, envelope: bytes) -> dict[str, object]:
    """Return the row that follows from a version of a staff member."""
    return {"id": member.id.text, "member_object": path, "member": envelope}
