"""Adopting a further version of the register in a running archive."""

from datetime import datetime

from attrs import field, frozen

from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.instants import start_of
from kelarec.domain.people import Actor
from kelarec.domain.register import Register
from kelarec.domain.register_differences import Difference, compare_registers
from kelarec.domain.staff_acts import Act
from kelarec.errors import InvalidValueError
from kelarec.storage.keys_ahead import make_keys_ahead
from kelarec.storage.registers import Registers, insert_register, write_register
from kelarec.storage.vault import Vault


@frozen(kw_only=True)
class Adopted:
    """A version that was adopted, and what it changes.

    Attributes:
        register: The version.
        begins_at: The UTC instant from which it is in force: the beginning of its date in Helsinki.
        differences: What is not as in the version before it, in the order of the register's fields.
    """

    register: Register = field(repr=False)
    begins_at: datetime
    differences: tuple[Difference, ...] = field(repr=False)

    @property
    def to_be_told(self) -> tuple[Difference, ...]:
        """Those of the differences that people must be told of before the version begins (Arts 12 and 13(3))."""
        return tuple(each for each in self.differences if each.must_be_told)

    def describe(self, *, language: str) -> tuple[str, ...]:
        """Return the differences as sentences, in their order; needs ``kelarec[notice]``.

        Raises:
            InvalidValueError: There are no sentences in that language.
        """
        from kelarec.notice.changes import describe_difference  # noqa: PLC0415  Jinja2 and Babel are an extra

        return tuple(describe_difference(each, language=language) for each in self.differences)


def adopt_register(vault: Vault, log: AuditLog, registers: Registers, register: Register, *, by: Actor) -> Adopted:
    """Add a version; see `kelarec.Archive.adopt`."""
    log.require_may(by, Act.ADOPT_REGISTER)
    if not isinstance(register, Register):
        raise InvalidValueError("What is to be adopted is no register.", advice="Load it with load_register.")
    versions = registers.versions
    versions.require_may_follow(register, vault.now())
    before = versions.newest
    adopted = Adopted(
        register=register,
        begins_at=start_of(register.version),
        differences=compare_registers(before, register),
    )
    written = write_register(vault, register)
    entry = log.new_entry(
        EntryKind.REGISTER_ADOPTED,
        by,
        register=register.version.isoformat(),
        record_sha256=written.sha256,
        follows=before.version.isoformat(),
        differences=str(len(adopted.differences)),
        to_be_told=str(len(adopted.to_be_told)),
    )
    with (
        log.or_discard(lambda: vault.objects.delete(written.path)),
        log.transaction(entry) as connection,
    ):
        insert_register(vault, connection, written, after=before.version)
    registers.learn()
    make_keys_ahead(vault, registers.versions)
    return adopted
