"""Who may use what: one pure function (notice, sections 4 and 10).

Each clause is a question with yes or no; anything unknown is a no. The first no decides and names itself.
"""

from collections.abc import Callable
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from attrs import frozen

from kelarec.domain.codes import State
from kelarec.domain.eea import EEA
from kelarec.domain.instants import helsinki_date
from kelarec.domain.recording import Recording, RecordingDetails
from kelarec.domain.register import Register
from kelarec.domain.register_versions import RegisterVersions
from kelarec.domain.session_terms import SessionTerms
from kelarec.domain.staff import Duty, DutyKind, StaffMember
from kelarec.domain.staff_acts import ASKED_BEFORE_IT_IS_KNOWN_WHAT, GIVES_CONTENT, USES_MASKED, Act


class Clause(StrEnum):
    """The clauses of the access rule, in the order in which they are asked."""

    KNOWN_STAFF = "known-staff"
    SESSION = "session"
    COUNTRY = "country"
    COMMITMENT = "commitment"
    PURPOSE = "purpose"
    ROLE = "role"
    TRAINING = "training"
    DUTY = "duty"
    KNOWN_RECORDING = "known-recording"
    MADE_FOR = "made-for"
    END = "end"
    RESTRICTION = "restriction"
    MASKED = "masked"
    ONESELF = "oneself"


@frozen(kw_only=True)
class Decision:
    """Whether an act is allowed and, if not, the first clause that was false."""

    refused_by: Clause | None

    @property
    def is_allowed(self) -> bool:
        """Whether every clause was true."""
        return self.refused_by is None


@frozen
class _Asked:
    """What somebody wants, of whatever recording."""

    act: Act
    terms: SessionTerms
    staff: StaffMember
    register: Register
    registers: RegisterVersions
    at: datetime
    on: date
    is_masked: bool
    details: RecordingDetails | None
    held_for: frozenset[str]


def decide(
    *,
    act: Act,
    terms: SessionTerms,
    staff: StaffMember | None,
    registers: RegisterVersions,
    at: datetime,
    recording: Recording | None = None,
    details: RecordingDetails | None = None,
    held_for: frozenset[str] = frozenset(),
) -> Decision:
    """Decide about one act on one recording, or, without a recording, about looking for any at all.

    Args:
        act: What somebody wants to do.
        terms: The session they work under.
        staff: What the directory says of them, or None if it does not know them.
        registers: The notice that is in force, and those that recordings were made under.
        at: Now, an aware instant.
        recording: The clear facts, or None if there is no such recording.
        details: Its details, for whom it is about.
        held_for: For which purposes it is held past its end.
    """
    if staff is None or staff.id != terms.staff_id:
        return _REFUSALS[Clause.KNOWN_STAFF]
    register = registers.in_force(at)
    is_masked = register.shows_masked_only(terms.purpose)
    asked = _Asked(act, terms, staff, register, registers, at, helsinki_date(at), is_masked, details, held_for)
    for clause, holds in _CLAUSES:
        if not holds(asked):
            return _REFUSALS[clause]
    if recording is None or details is None:
        is_only_asked = act in ASKED_BEFORE_IT_IS_KNOWN_WHAT and recording is None and details is None
        return _ALLOWED if is_only_asked else _REFUSALS[Clause.KNOWN_RECORDING]
    for clause, allows in _CLAUSES_ABOUT_ONE:
        if not allows(asked, recording, details):
            return _REFUSALS[clause]
    return _ALLOWED


def _has_begun_and_is_not_over(asked: _Asked) -> bool:
    return asked.terms.begun_at <= asked.at < asked.terms.ends_at


def _is_in_the_eea(asked: _Asked) -> bool:
    return asked.terms.country in EEA


def _has_a_commitment_in_force(asked: _Asked) -> bool:
    return any(each.is_in_force(asked.on) for each in asked.staff.commitments)


def _has_a_declared_purpose(asked: _Asked) -> bool:
    return asked.register.has_purpose(asked.terms.purpose, on=asked.on)


def _has_a_role_for_it(asked: _Asked) -> bool:
    roles = (asked.register.find_role(code) for code in asked.staff.roles)
    return any(role is not None and role.grants(asked.act, asked.terms.purpose) for role in roles)


def _keeps_to_training(asked: _Asked) -> bool:
    return not asked.is_masked or (asked.act in USES_MASKED and asked.terms.break_glass is None)


def _has_a_duty(asked: _Asked) -> bool:
    if asked.terms.break_glass is not None and asked.at < asked.terms.break_glass.ends_at:
        return True
    return any(duty.is_in_force(asked.on) and _links(duty, asked) for duty in asked.staff.duties)


def _links(duty: Duty, asked: _Asked) -> bool:
    if duty.purpose != asked.terms.purpose or (duty.matter is not None and duty.matter != asked.terms.matter):
        return False
    if asked.details is None:
        # Looking for recordings is allowed before it is known what will be found; each find is asked about on its own.
        return True
    contact = asked.details.contact
    if duty.kind is DutyKind.OWN_CONTACTS:
        return asked.staff.id in {contact.adviser_id, contact.support_expert_id}
    if duty.kind is DutyKind.UNIT:
        return asked.staff.unit is not None and contact.unit == asked.staff.unit
    if duty.kind is DutyKind.TRAINING_PLAN and asked.act is not Act.SELECT:
        return duty.matter in asked.details.training_plans
    return True


def _is_declared_for_it(asked: _Asked, recording: Recording, _: RecordingDetails) -> bool:
    """Whether the notice that a recording was made under declares the purpose: a newer one adds none to it."""
    made_under = asked.registers.find(recording.register_version)
    return made_under is not None and made_under.has_purpose(asked.terms.purpose)


def _is_before_its_end(asked: _Asked, recording: Recording, _: RecordingDetails) -> bool:
    return asked.at < recording.ends_at or asked.terms.purpose in asked.held_for


def _may_be_used(asked: _Asked, recording: Recording, _: RecordingDetails) -> bool:
    if recording.state is not State.RESTRICTED:
        return True
    use, purpose = asked.terms.restricted_use, asked.terms.purpose
    if use is None or asked.is_masked:
        return False
    roles = (asked.register.find_role(code) for code in asked.staff.roles)
    return any(role is not None and role.grants(asked.act, purpose) and use in role.restricted_uses for role in roles)


def _is_masked_if_it_must_be(asked: _Asked, _: Recording, details: RecordingDetails) -> bool:
    if not asked.is_masked or asked.act not in GIVES_CONTENT:
        return True
    return any(part.masked_for == asked.terms.purpose for part in details.parts)


def _is_about_others(asked: _Asked, _: Recording, details: RecordingDetails) -> bool:
    return all(asked.staff.identity_code not in person.identifiers for person in details.contact.persons)


_CLAUSES: Final[tuple[tuple[Clause, Callable[[_Asked], bool]], ...]] = (
    (Clause.SESSION, _has_begun_and_is_not_over),
    (Clause.COUNTRY, _is_in_the_eea),
    (Clause.COMMITMENT, _has_a_commitment_in_force),
    (Clause.PURPOSE, _has_a_declared_purpose),
    (Clause.ROLE, _has_a_role_for_it),
    (Clause.TRAINING, _keeps_to_training),
    (Clause.DUTY, _has_a_duty),
)
_CLAUSES_ABOUT_ONE: Final[tuple[tuple[Clause, Callable[[_Asked, Recording, RecordingDetails], bool]], ...]] = (
    (Clause.MADE_FOR, _is_declared_for_it),
    (Clause.END, _is_before_its_end),
    (Clause.RESTRICTION, _may_be_used),
    (Clause.MASKED, _is_masked_if_it_must_be),
    (Clause.ONESELF, _is_about_others),
)
_REFUSALS: Final = {clause: Decision(refused_by=clause) for clause in Clause}
_ALLOWED: Final = Decision(refused_by=None)
