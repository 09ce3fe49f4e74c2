"""Staff are changed by two persons: rules for the notice of 18.8.2020, section 10."""

from typing import Final

import pytest

from access.staffing import ANSA, HR, OLLI, OUTI, VEIKKO, begin, list_denials, list_entries, make_member
from kelarec import Archive, StaffId
from kelarec.audit.entries import EntryKind
from kelarec.errors import ChangedMeanwhileError, DeniedError, InvalidValueError, LooksLikeIdentifierError
from kelarec.storage.vault import Vault
from kelarec.testing.builders import make_identity_code

NEW: Final = StaffId("uusi")


def test_one_proposes_and_another_confirms(staffed: Archive) -> None:
    """A change is in force once a second person confirmed it, and the log names both (section 10)."""
    changed = make_member(VEIKKO, duties=[], unit="unit-7")
    proposed = staffed.staff.propose(changed, by=OLLI)
    assert staffed.staff.list_proposed(by=OUTI) == [proposed]
    with begin(staffed, VEIKKO) as session:
        assert session.find(make_identity_code()) == []  # the proposal changes nothing yet
    assert staffed.staff.confirm(proposed.id, by=OUTI) == changed
    assert staffed.staff.list_proposed(by=OUTI) == []
    with begin(staffed, VEIKKO) as session, pytest.raises(DeniedError):
        session.find(make_identity_code())
    entry = list_entries(staffed, EntryKind.STAFF_ENROLLED)[-1]
    assert (entry.actor, entry.facts["proposed-by"], entry.facts["staff"]) == ("outi", "olli", "veikko")


def test_nobody_does_both(staffed: Archive) -> None:
    """Who proposed a change does not confirm it, nor does the one whom it is about, nor does one person enrol alone."""
    proposed = staffed.staff.propose(make_member(OUTI, unit="unit-7"), by=OLLI)
    for by in (OLLI, OUTI, ANSA):
        with pytest.raises(DeniedError):
            staffed.staff.confirm(proposed.id, by=by)
    with pytest.raises(DeniedError):
        staffed.staff.propose(make_member(OLLI, roles={"data-protection-officer"}), by=OLLI)
    with pytest.raises(DeniedError):
        staffed.staff.enrol(make_member(VEIKKO), by=OLLI)
    reasons = ["two-persons", "oneself", "role", "oneself", "two-persons"]
    assert list_denials(staffed) == [("enrol-staff", each) for each in reasons]
    assert staffed.staff.list_proposed(by=HR) == [proposed]


def test_a_system_confirms_nothing(staffed: Archive) -> None:
    """A system may be the source of staff, such as an HR feed, but it is no second person."""
    proposed = staffed.staff.propose(make_member(VEIKKO), by=OLLI)
    for use in (staffed.staff.confirm, lambda change_id, by: staffed.staff.reject(change_id, by=by, reason="no")):
        with pytest.raises(InvalidValueError):
            use(proposed.id, by=HR)  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError):
        staffed.staff.propose(make_member(VEIKKO), by=HR)  # type: ignore[arg-type]


def test_what_was_overtaken_is_not_confirmed(staffed: Archive) -> None:
    """Of two changes to one staff member the second to be confirmed is refused: it is about an older state."""
    proposals = [staffed.staff.propose(make_member(VEIKKO, unit=unit), by=OLLI) for unit in ("unit-1", "unit-2")]
    first, second = proposals
    staffed.staff.confirm(second.id, by=OUTI)
    with pytest.raises(ChangedMeanwhileError):
        staffed.staff.confirm(first.id, by=OUTI)
    with pytest.raises(InvalidValueError, match="no such change"):
        staffed.staff.confirm(second.id, by=OUTI)
    staffed.staff.reject(first.id, by=OLLI, reason="overtaken")
    assert staffed.staff.list_proposed(by=OLLI) == []


def test_nothing_of_a_decided_change_stays(staffed: Archive, memory_vault: Vault) -> None:
    """A proposal is an object of its own until it is decided; versions of staff stay (objects are the truth)."""
    member = make_member(VEIKKO, id=NEW)
    confirmed, rejected = staffed.staff.propose(member, by=OLLI), staffed.staff.propose(member, by=OLLI)
    paths = [path.split("/")[-1].split("-")[0] for path in memory_vault.objects.iter_paths("staff/uusi")]
    assert paths == ["change", "change"]
    staffed.staff.confirm(confirmed.id, by=OUTI)
    staffed.staff.reject(rejected.id, by=OUTI, reason="twice")
    assert [path.split("/")[-1].split("-")[0] for path in memory_vault.objects.iter_paths("staff/uusi")] == ["member"]


def test_a_reason_names_nobody(staffed: Archive) -> None:
    """What stands in the log holds no identifier (section 10)."""
    proposed = staffed.staff.propose(make_member(VEIKKO), by=OLLI)
    with pytest.raises(LooksLikeIdentifierError):
        staffed.staff.reject(proposed.id, by=OUTI, reason="koski 140281-928F")
