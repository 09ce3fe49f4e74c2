"""Enrolling staff: who may work here at all."""

import hashlib

from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.people import Actor
from kelarec.domain.register import Register
from kelarec.domain.staff import StaffMember
from kelarec.domain.staff_acts import Act
from kelarec.errors import InvalidValueError
from kelarec.storage.staff_directory import StaffDirectory
from kelarec.storage.vault import Vault


class Staff:
    """The staff of one archive."""

    def __init__(self, vault: Vault, log: AuditLog, register: Register) -> None:
        self._vault = vault
        self._log = log
        self._register = register
        self._directory = StaffDirectory(vault)

    def enrol(self, member: StaffMember, *, by: Actor) -> None:
        """Make a staff member known, or known anew; earlier versions stay as sealed objects.

        Raises:
            InvalidValueError: A role or purpose is not declared in the register.
            DeniedError: A staff member without a role that grants it, or one who enrols themself.
            StorageError: A place refuses; nothing half-written stays behind.
        """
        self._log.require_may(by, Act.ENROL_STAFF)
        if by == member.id:
            entry = self._log.new_entry(EntryKind.DENIED, by, act=Act.ENROL_STAFF.value, clause="oneself")
            raise self._log.deny(entry, "Nobody enrols themself.", clause="oneself", advice="Ask another operator.")
        unknown = sorted(code for code in member.roles if self._register.find_role(code) is None)
        if unknown:
            raise InvalidValueError(
                f"The register declares no role {', '.join(unknown)}.", advice="Use codes of the register's roles."
            )
        undeclared = sorted({duty.purpose for duty in member.duties if not self._register.has_purpose(duty.purpose)})
        if undeclared:
            raise InvalidValueError(
                f"The register declares no purpose {', '.join(undeclared)}.", advice="Declare it in the register."
            )
        path, envelope = self._directory.write(member)
        entry = self._log.new_entry(
            EntryKind.STAFF_ENROLLED, by, staff=member.id.text, record_sha256=hashlib.sha256(envelope).hexdigest()
        )
        with (
            self._log.or_discard(lambda: self._vault.objects.delete(path)),
            self._log.transaction(entry) as connection,
        ):
            self._directory.put(connection, member, path, envelope)
