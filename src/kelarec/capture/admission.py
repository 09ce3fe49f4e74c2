"""What may become a recording at all, and the clear facts it begins with."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from kelarec.domain.codes import State
from kelarec.domain.contact import Contact
from kelarec.domain.recording import Recording
from kelarec.domain.register import Register
from kelarec.errors import InvalidValueError, OutsideNoticeError
from kelarec.storage.registers import Registers
from kelarec.storage.vault import Vault

_CLOCKS_APART: Final = timedelta(minutes=5)


class Admission:
    """Asks the register whether contacts may be recorded."""

    def __init__(self, vault: Vault, registers: Registers) -> None:
        self._vault = vault
        self._registers = registers

    def admit(
        self,
        contact: Contact,
        *,
        ended_at: datetime,
        categories: Collection[str] = (),
        state: State = State.KEPT,
    ) -> Recording:
        """Return the clear facts of a new recording, by the notice that was in force when the contact started.

        Raises:
            UnknownLineError: The register declares no such line.
            OutsideNoticeError: The notice does not cover it, its retention would be over already, or it starts more
                than five minutes in the future.
            EndBeforeStartError: It ends before it starts.
            InvalidValueError: A category is undeclared.
        """
        register = self._registers.in_force(contact.started_at)
        register.require_covers(contact)
        _require_declared(register, categories)
        now = self._vault.now()
        if contact.started_at > now + _CLOCKS_APART:
            raise OutsideNoticeError("The contact starts in the future.", advice="Check the clock that dated it.")
        recording = Recording(
            id=self._vault.new_id(),
            kind=contact.kind,
            direction=contact.direction,
            line=contact.line,
            started_at=contact.started_at,
            ended_at=ended_at,
            kept_through=register.get_retention(contact.kind).last_day(contact.started_at),
            register_version=register.version,
            adviser_id=contact.adviser_id,
            state=state,
        )
        if recording.ends_at <= now:
            raise OutsideNoticeError("The recording's retention is over already.", advice="Do not store it.")
        return recording

    def require_declared(self, categories: Collection[str], *, started_at: datetime) -> None:
        """Check that the notice that a contact is recorded under declares some data categories.

        Raises:
            InvalidValueError: One is undeclared.
        """
        _require_declared(self._registers.in_force(started_at), categories)


def _require_declared(register: Register, categories: Collection[str]) -> None:
    undeclared = set(categories) - {category.code for category in register.categories}
    if undeclared:
        raise InvalidValueError(
            f"The register declares no category {', '.join(sorted(undeclared))}.",
            advice="Use codes of the register's categories.",
        )
