"""Who may use what: one pure function (notice, sections 4 and 10).

Each clause is a question with yes or no; anything unknown is a no. The first no decides and names itself.
"""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from attrs import field, frozen
from attrs.validators import instance_of

from kelarec.domain.codes import State, is_code
from kelarec.domain.eea import EEA
from kelarec.domain.free_text import require_impersonal
from kelarec.domain.instants import helsinki_date, to_utc
from kelarec.domain.people import StaffId
from kelarec.domain.recording import Recording, RecordingDetails
from kelarec.domain.register import Register
from kelarec.domain.staff import Duty, DutyKind, StaffMember
from kelarec.domain.staff_acts import Act


class Clause(StrEnum):
    """The clauses of the access rule, in the order in which they are asked."""

    KNOWN_STAFF = "known-staff"
    SESSION = "session"
    COUNTRY = "country"
    COMMITMENT = "commitment"
    PURPOSE = "purpose"
    ROLE = "role"
    DUTY = "duty"
    KNOWN_RECORDING = "known-recording"
    END = "end"
    RESTRICTION = "restriction"
    ONESELF = "oneself"


def _to_matter(text: object) -> str:
    return require_impersonal(text, "matter")


@frozen(kw_only=True)
class SessionTerms:
    """Under which terms somebody works: who, what for, which matter, from where, and until when.

    Attributes:
        id: A UUID of version 7.
        staff_id: Who works.
        purpose: The register's code of the purpose.
        matter: The case or request, without a person's identifier.
        country: Where the staff member is, ISO 3166-1 alpha-2.
        begun_at: UTC.
        ends_at: The first UTC instant at which the session is over.

    Raises:
        LooksLikeIdentifierError: The matter looks like it names a person.
    """

    id: UUID = field(validator=instance_of(UUID))
    staff_id: StaffId = field(validator=instance_of(StaffId))
    purpose: str = field(validator=is_code)
    matter: str = field(converter=_to_matter)
    country: str = field(validator=instance_of(str))
    begun_at: datetime = field(converter=to_utc)
    ends_at: datetime = field(converter=to_utc)


@frozen(kw_only=True)
class Decision:
    """Whether an act is allowed and, if not, the first clause that was false."""

    refused_by: Clause | None

    @property
    def is_allowed(self) -> bool:
        """Whether every clause was true."""
        return self.refused_by is None


def decide(
    *,
    act: Act,
    terms: SessionTerms,
    staff: StaffMember | None,
    register: Register,
    at: datetime,
    recording: Recording | None = None,
    details: RecordingDetails | None = None,
) -> Decision:
    """Decide about one act on one recording, or, for `Act.FIND` without a recording, about looking people up at all.

    Args:
        act: What somebody wants to do.
        terms: The session they work under.
        staff: What the directory says of them, or None if it does not know them.
        register: The notice in force.
        at: Now, an aware instant.
        recording: The clear facts, or None if there is no such recording.
        details: Its details, for whom it is about.
    """
    if staff is None or staff.id != terms.staff_id:
        return Decision(refused_by=Clause.KNOWN_STAFF)
    on = helsinki_date(at)
    clauses: list[tuple[Clause, Callable[[], bool]]] = [
        (Clause.SESSION, lambda: terms.begun_at <= at < terms.ends_at),
        (Clause.COUNTRY, lambda: terms.country in EEA),
        (Clause.COMMITMENT, lambda: any(each.is_in_force(on) for each in staff.commitments)),
        (Clause.PURPOSE, lambda: register.has_purpose(terms.purpose)),
        (Clause.ROLE, lambda: _a_role_grants(act, terms.purpose, staff, register)),
        (
            Clause.DUTY,
            lambda: any(_links(duty, terms, staff, details) for duty in staff.duties if duty.is_in_force(on)),
        ),
    ]
    if recording is None or details is None:
        clauses.append((Clause.KNOWN_RECORDING, lambda: act is Act.FIND and recording is None and details is None))
    else:
        clauses += [
            (Clause.END, lambda: at < recording.ends_at),
            (Clause.RESTRICTION, lambda: recording.state is not State.RESTRICTED),
            (Clause.ONESELF, lambda: not _is_about(staff, details)),
        ]
    return Decision(refused_by=next((clause for clause, holds in clauses if not holds()), None))


def _a_role_grants(act: Act, purpose: str, staff: StaffMember, register: Register) -> bool:
    roles = (register.find_role(code) for code in staff.roles)
    return any(role is not None and act in role.acts and purpose in role.purposes for role in roles)


def _links(duty: Duty, terms: SessionTerms, staff: StaffMember, details: RecordingDetails | None) -> bool:
    if duty.purpose != terms.purpose:
        return False
    if duty.kind is not DutyKind.OWN_CONTACTS:
        return duty.matter == terms.matter
    # Looking up is allowed before it is known what will be found; each find is then asked about on its own.
    return details is None or staff.id in {details.contact.adviser_id, details.contact.support_expert_id}


def _is_about(staff: StaffMember, details: RecordingDetails) -> bool:
    return any(staff.identity_code in person.identifiers for person in details.contact.persons)
