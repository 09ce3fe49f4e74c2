"""Staff: who may work here at all, and how that is changed by two persons (notice, section 10)."""

import hashlib
from typing import Final
from uuid import UUID

from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.free_text import require_impersonal
from kelarec.domain.people import Actor, StaffId, System
from kelarec.domain.staff import StaffMember
from kelarec.domain.staff_acts import Act
from kelarec.domain.staff_change import StaffChange
from kelarec.errors import DeniedError, InvalidValueError
from kelarec.storage.registers import Registers
from kelarec.storage.staff_directory import StaffDirectory
from kelarec.storage.vault import Vault

_BY_TWO: Final = "two-persons"


class Staff:
    """The staff of one archive: roles, unit, confidentiality commitments and duties.

    A named system, such as the feed of an HR system, makes staff known by itself; so the first staff come in. A person
    only proposes, and another person confirms.
    """

    def __init__(self, vault: Vault, log: AuditLog, registers: Registers) -> None:
        self._vault = vault
        self._log = log
        self._registers = registers
        self._directory = StaffDirectory(vault)

    def enrol(self, member: StaffMember, *, by: Actor) -> None:
        """Make a staff member known, or known anew, on a system's word; earlier versions stay as sealed objects.

        Raises:
            InvalidValueError: A role or purpose is not declared in the register, or staff are known elsewhere.
            DeniedError: A staff member enrols by themself: two persons do, with `propose` and `confirm`.
            StorageError: A place refuses; nothing half-written stays behind.
        """
        self._log.require_may(by, Act.ENROL_STAFF)
        if not isinstance(by, System):
            raise self._deny(by, member.id, "One person alone enrols nobody.", "Propose it; another one confirms it.")
        self._require_sound(member)
        path, envelope = self._directory.write(member)
        entry = self._log.new_entry(
            EntryKind.STAFF_ENROLLED, by, staff=member.id.text, record_sha256=hashlib.sha256(envelope).hexdigest()
        )
        with (
            self._log.or_discard(lambda: self._vault.objects.delete(path)),
            self._log.transaction(entry) as connection,
        ):
            self._directory.put(connection, member, path, envelope)

    def propose(self, member: StaffMember, *, by: StaffId) -> StaffChange:
        """Propose how a staff member is to be known: roles, unit, commitments and duties as a whole.

        Raises:
            InvalidValueError: A role or purpose is not declared in the register, or staff are known elsewhere.
            DeniedError: A staff member without a role that grants it, or one who proposes something for themself.
            StorageError: A place refuses; nothing half-written stays behind.
        """
        self._require_person(by)
        self._log.require_may(by, Act.ENROL_STAFF)
        if by == member.id:
            raise self._deny(by, member.id, "Nobody enrols themself.", "Ask another operator.", clause="oneself")
        self._require_sound(member)
        with self._vault.database.begin() as connection:
            replaces = self._directory.find_version(connection, member.id)
        change = StaffChange(
            id=self._vault.new_id(),
            member=member,
            replaces=replaces,
            proposed_by=by,
            proposed_at=self._vault.now(),
        )
        path, envelope = self._directory.write_change(change)
        entry = self._log.new_entry(
            EntryKind.STAFF_CHANGE_PROPOSED,
            by,
            staff=member.id.text,
            change=str(change.id),
            change_sha256=hashlib.sha256(envelope).hexdigest(),
        )
        with (
            self._log.or_discard(lambda: self._vault.objects.delete(path)),
            self._log.transaction(entry) as connection,
        ):
            self._directory.put_change(connection, change, path, envelope)
        return change

    def list_proposed(self, *, by: Actor) -> list[StaffChange]:
        """Return the changes that nobody has decided yet, oldest first.

        Raises:
            DeniedError: A staff member without a role that grants it.
        """
        self._log.require_may(by, Act.ENROL_STAFF)
        with self._vault.database.begin() as connection:
            return [change for change, _ in self._directory.find_changes(connection)]

    def confirm(self, change_id: UUID, *, by: StaffId) -> StaffMember:
        """Make a change that somebody else proposed the one in force, and return the staff member as now known.

        Raises:
            DeniedError: Who confirms proposed it, is the staff member concerned, or has no role that grants it.
            InvalidValueError: There is no such change to decide.
            ChangedMeanwhileError: The staff member was changed since it was proposed.
            StorageError: A place refuses; nothing half-written stays behind.
        """
        change, change_path = self._require_another(change_id, by)
        member = change.member
        path, envelope = self._directory.write(member)
        entry = self._log.new_entry(
            EntryKind.STAFF_ENROLLED,
            by,
            staff=member.id.text,
            change=str(change.id),
            proposed_by=change.proposed_by.text,
            record_sha256=hashlib.sha256(envelope).hexdigest(),
        )
        with (
            self._log.or_discard(lambda: self._vault.objects.delete(path)),
            self._log.transaction(entry) as connection,
        ):
            self._vault.database.take_turn(connection, "staff")
            self._directory.decide_change(connection, change)
            self._directory.put(connection, member, path, envelope)
        self._vault.objects.delete(change_path)
        return member

    def reject(self, change_id: UUID, *, by: StaffId, reason: str) -> None:
        """Do away with a proposed change; whoever proposed it may take it back.

        Raises:
            DeniedError: Who rejects has no role that grants it.
            InvalidValueError: There is no such change to decide, or the reason is empty.
        """
        self._require_person(by)
        self._log.require_may(by, Act.ENROL_STAFF)
        change, path = self._get_change(change_id)
        why = require_impersonal(reason, "reason")
        entry = self._log.new_entry(
            EntryKind.STAFF_CHANGE_REJECTED, by, staff=change.member.id.text, change=str(change.id), reason=why
        )
        with self._log.transaction(entry) as connection:
            self._directory.remove_change(connection, change.id)
        self._vault.objects.delete(path)

    def _require_another(self, change_id: UUID, by: StaffId) -> tuple[StaffChange, str]:
        self._require_person(by)
        self._log.require_may(by, Act.ENROL_STAFF)
        change, path = self._get_change(change_id)
        if by == change.proposed_by:
            raise self._deny(
                by, change.member.id, "Nobody confirms what they proposed themself.", "Ask another operator."
            )
        if by == change.member.id:
            raise self._deny(by, change.member.id, "Nobody enrols themself.", "Ask another operator.", clause="oneself")
        return change, path

    def _get_change(self, change_id: UUID) -> tuple[StaffChange, str]:
        with self._vault.database.begin() as connection:
            found = self._directory.find_changes(connection, change_id)
        if not found:
            raise InvalidValueError("There is no such change to decide.", advice="See list_proposed.")
        return found[0]

    def _require_person(self, by: object) -> None:
        if not isinstance(by, StaffId):
            raise InvalidValueError("Two persons change staff, not a system.", advice="Give the id of who does it.")

    def _require_sound(self, member: StaffMember) -> None:
        if self._directory.is_elsewhere:
            raise InvalidValueError(
                "The staff are known by the directory that the archive was opened with.", advice="Change them there."
            )
        register = self._registers.now()
        unknown = sorted(code for code in member.roles if register.find_role(code) is None)
        if unknown:
            raise InvalidValueError(
                f"The register declares no role {', '.join(unknown)}.", advice="Use codes of the register's roles."
            )
        undeclared = sorted({duty.purpose for duty in member.duties if not register.has_purpose(duty.purpose)})
        if undeclared:
            raise InvalidValueError(
                f"The register declares no purpose {', '.join(undeclared)}.", advice="Declare it in the register."
            )

    def _deny(self, by: Actor, about: StaffId, happened: str, advice: str, *, clause: str = _BY_TWO) -> DeniedError:
        entry = self._log.new_entry(EntryKind.DENIED, by, act=Act.ENROL_STAFF.value, clause=clause, staff=about.text)
        return self._log.deny(entry, happened, clause=clause, advice=advice)
