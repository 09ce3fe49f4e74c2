"""Staff of every kind that the tests of access need, each with an identity code of their own, and their sessions."""

from datetime import date
from typing import Any, Final

from kelarec import Archive, Duty, DutyKind, StaffId, StaffMember, System
from kelarec.access.session import Session
from kelarec.audit.entries import Entry, EntryKind
from kelarec.testing.builders import make_identity_code, make_staff_member

HR: Final = System("hr")
RECORDER: Final = System("recorder@test")
VERIFY, TRAINING, RIGHTS, CLAIM = "verify-service-event", "staff-training", "data-subject-right", "legal-claim"
SINCE: Final = date(2020, 8, 18)
VEIKKO, TUIJA, OSMA, TIIA, OLLI, OUTI, ANSA = map(StaffId, ("veikko", "tuija", "osma", "tiia", "olli", "outi", "ansa"))


def duty(kind: DutyKind, purpose: str, matter: str | None = None) -> Duty:
    """Return a duty that is in force."""
    return Duty(kind=kind, purpose=purpose, matter=matter, from_on=SINCE)


STAFF: Final[dict[StaffId, dict[str, Any]]] = {
    VEIKKO: {
        "roles": {"adviser"},
        "duties": [
            duty(DutyKind.OWN_CONTACTS, VERIFY),
            duty(DutyKind.TRAINING_PLAN, TRAINING, "PLAN-1"),
        ],
    },
    TUIJA: {"roles": {"trainer"}, "duties": [duty(DutyKind.TRAINING_PLAN, TRAINING, "PLAN-1")]},
    OSMA: {"roles": {"registry-officer"}, "duties": [duty(DutyKind.REQUEST, RIGHTS, "REQ-1")]},
    TIIA: {
        "roles": {"data-protection-officer"},
        "duties": [duty(DutyKind.CASE, CLAIM, "CASE-1"), duty(DutyKind.REQUEST, RIGHTS, "REQ-1")],
    },
    OLLI: {"roles": {"operator"}, "duties": []},
    OUTI: {"roles": {"operator"}, "duties": []},
    ANSA: {"roles": {"auditor"}, "duties": []},
}


def make_member(staff_id: StaffId, **known: Any) -> StaffMember:  # noqa: ANN401  the fields of StaffMember
    """Return one of the staff."""
    code = make_identity_code(list(STAFF).index(staff_id), born_on=date(1970, 1, 1))
    return make_staff_member(**{"id": staff_id, "identity_code": code} | STAFF[staff_id] | known)


def enrol_all(archive: Archive) -> None:
    """Make all of them known."""
    for staff_id in STAFF:
        archive.staff.enrol(make_member(staff_id), by=HR)


def begin(archive: Archive, by: StaffId, **terms: Any) -> Session:  # noqa: ANN401  the terms of a session
    """Begin the session that this staff member usually works in."""
    usual = {
        VEIKKO: (VERIFY, "KELA-1"),
        TUIJA: (TRAINING, "PLAN-1"),
        OSMA: (RIGHTS, "REQ-1"),
        TIIA: (CLAIM, "CASE-1"),
    }
    purpose, matter = usual.get(by, (VERIFY, "KELA-1"))
    chosen: dict[str, Any] = {"by": by, "purpose": purpose, "matter": matter} | terms
    return archive.session(**chosen)


def list_entries(archive: Archive, *kinds: EntryKind) -> list[Entry]:
    """Return the log's entries of some kinds, oldest first."""
    return [entry for entry in archive.audit.iter_entries(by=HR) if entry.kind in kinds]


def list_denials(archive: Archive) -> list[tuple[str, str]]:
    """Return who was denied what for which reason, oldest first: act and clause."""
    return [(entry.facts["act"], entry.facts["clause"]) for entry in list_entries(archive, EntryKind.DENIED)]
