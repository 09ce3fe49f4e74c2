"""Who may use what: the notice of 18.8.2020, sections 4, 8, 9 and 10; every clause decides by itself."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from kelarec import Direction, Duty, DutyKind, Kind, Recording, RecordingDetails, StaffId, kela_register
from kelarec.domain.access_rule import Clause, decide
from kelarec.domain.codes import State
from kelarec.domain.recording import Part
from kelarec.domain.register import Register
from kelarec.domain.register_versions import RegisterVersions
from kelarec.domain.restricted_use import RestrictedUse
from kelarec.domain.session_terms import BreakGlass, SessionTerms
from kelarec.domain.staff_acts import USES_MASKED, Act
from kelarec.errors import LooksLikeIdentifierError
from kelarec.testing.builders import make_contact, make_person, make_staff_member
from kelarec.testing.strategies import staff_ids

NOW: Final = datetime(2026, 3, 5, 8, tzinfo=UTC)
LONG_AGO: Final = datetime(2024, 3, 5, 8, tzinfo=UTC)
VERIFY: Final = "verify-service-event"
SOME_ID: Final = UUID(int=7 << 76 | 2 << 62)
OTHER: Final = StaffId("nolla")
VEIKKO: Final = make_staff_member()
RECORDING: Final = Recording(
    id=SOME_ID,
    kind=Kind.CUSTOMER_CALL,
    direction=Direction.INBOUND,
    line="national-service",
    started_at=NOW,
    ended_at=NOW,
    kept_through=date(2027, 3, 5),
    register_version=date(2020, 8, 18),
    adviser_id=VEIKKO.id,
)
DETAILS: Final = RecordingDetails(
    contact=make_contact(), parts=(Part(name="audio", media_type="audio/wav", length=1, object_name="audio-1"),)
)
TERMS: Final = SessionTerms(
    id=SOME_ID,
    staff_id=VEIKKO.id,
    purpose=VERIFY,
    matter="KELA-1",
    country="FI",
    begun_at=NOW,
    ends_at=NOW + timedelta(hours=12),
)
ALL_TRUE: Final[dict[str, Any]] = {
    "act": Act.OPEN,
    "terms": TERMS,
    "staff": VEIKKO,
    "registers": RegisterVersions([kela_register(contact_point="Registry office")]),
    "at": NOW,
    "recording": RECORDING,
    "details": DETAILS,
}
USES: Final = (Act.FIND, Act.DETAILS, Act.OPEN, Act.CLIP, Act.READ_CHAT)
(COMMITMENT,), (OWN,) = VEIKKO.commitments, VEIKKO.duties
ONESELF: Final = make_person(identity_code=VEIKKO.identity_code)


def with_contact(**known: Any) -> RecordingDetails:  # noqa: ANN401  the fields of Contact
    """Return the details of a recording of another contact."""
    return evolve(DETAILS, contact=make_contact(**known))


def case(matter: str) -> Duty:
    """Return a duty for one case."""
    return Duty(kind=DutyKind.CASE, purpose=VERIFY, matter=matter, from_on=NOW.date())


TRAINING: Final = evolve(TERMS, purpose="staff-training", matter="PLAN-1")
ORIGINAL: Final = DETAILS.parts[0]
COPY: Final = evolve(ORIGINAL, name="masked-audio-2", object_name="masked-1", masked_for="staff-training")
MASKED_FOR_TRAINING: Final = evolve(DETAILS, parts=(ORIGINAL, COPY))
REGISTER: Final = ALL_TRUE["registers"].newest
ADVISER: Final = REGISTER.find_role("adviser")
WITHOUT: Final = evolve(
    REGISTER,
    version=date(2019, 1, 1),
    purposes=[each for each in REGISTER.purposes if each.code != VERIFY],
    roles=[evolve(each, purposes=each.purposes - {VERIFY}) for each in REGISTER.roles],
)
TWO_VERSIONS: Final = {"registers": RegisterVersions([WITHOUT, REGISTER])}
UNDER_THE_FIRST: Final = evolve(RECORDING, register_version=WITHOUT.version)


def with_adviser(**known: Any) -> Register:  # noqa: ANN401  the fields of Role
    """Return the register with another adviser's role."""
    others = [role for role in REGISTER.roles if role != ADVISER]
    register: Register = evolve(REGISTER, roles=[evolve(ADVISER, **known), *others])
    return register


UNIT_LEAD: Final = make_staff_member(
    unit="unit-1", duties=[Duty(kind=DutyKind.UNIT, purpose=VERIFY, from_on=NOW.date())]
)
OVER: Final[dict[str, Any]] = {
    "recording": evolve(RECORDING, kept_through=NOW.date()),
    "at": NOW.replace(hour=22),
    "terms": evolve(TERMS, ends_at=NOW.replace(hour=23)),
}


def selected_for(plan: str) -> RecordingDetails:
    """Return details with a masked copy, of a recording that was selected for a plan."""
    return evolve(MASKED_FOR_TRAINING, training_plans={plan})


IN_TRAINING: Final[dict[str, Any]] = {
    "terms": TRAINING,
    "staff": make_staff_member(
        duties=[Duty(kind=DutyKind.TRAINING_PLAN, purpose="staff-training", matter="PLAN-1", from_on=NOW.date())]
    ),
    "details": selected_for("PLAN-1"),
}

FALSE: Final[dict[str, tuple[Clause, dict[str, Any]]]] = {
    "unknown to the directory": (Clause.KNOWN_STAFF, {"staff": None}),
    "another's session": (Clause.KNOWN_STAFF, {"terms": evolve(TERMS, staff_id=OTHER)}),
    "session not begun": (Clause.SESSION, {"terms": evolve(TERMS, begun_at=NOW + timedelta(microseconds=1))}),
    "session over at this instant": (Clause.SESSION, {"terms": evolve(TERMS, ends_at=NOW)}),
    "in the United Kingdom": (Clause.COUNTRY, {"terms": evolve(TERMS, country="GB")}),
    "in Switzerland": (Clause.COUNTRY, {"terms": evolve(TERMS, country="CH")}),
    "nobody knows where": (Clause.COUNTRY, {"terms": evolve(TERMS, country="")}),
    "no commitment": (Clause.COMMITMENT, {"staff": make_staff_member(commitments=())}),
    "commitment signed tomorrow": (
        Clause.COMMITMENT,
        {"staff": make_staff_member(commitments=[evolve(COMMITMENT, signed_on=date(2026, 3, 6))])},
    ),
    "commitment ended today": (
        Clause.COMMITMENT,
        {"staff": make_staff_member(commitments=[evolve(COMMITMENT, ended_on=date(2026, 3, 5))])},
    ),
    "undeclared purpose": (Clause.PURPOSE, {"terms": evolve(TERMS, purpose="marketing")}),
    "no role": (Clause.ROLE, {"staff": make_staff_member(roles=())}),
    "unknown role": (Clause.ROLE, {"staff": make_staff_member(roles={"wizard"})}),
    "role for other purposes": (Clause.ROLE, {"staff": make_staff_member(roles={"data-protection-officer"})}),
    "role for other acts": (Clause.ROLE, {"staff": make_staff_member(roles={"operator"})}),
    "no duty": (Clause.DUTY, {"staff": make_staff_member(duties=())}),
    "duty from tomorrow": (
        Clause.DUTY,
        {"staff": make_staff_member(duties=[evolve(OWN, from_on=date(2026, 3, 6))])},
    ),
    "duty through yesterday": (
        Clause.DUTY,
        {"staff": make_staff_member(duties=[evolve(OWN, through_on=date(2026, 3, 4))])},
    ),
    "duty for another purpose": (
        Clause.DUTY,
        {"staff": make_staff_member(duties=[evolve(OWN, purpose="staff-training")])},
    ),
    "duty for another case": (Clause.DUTY, {"staff": make_staff_member(duties=[case("KELA-2")])}),
    "another adviser's call": (Clause.DUTY, {"details": with_contact(adviser_id=OTHER)}),
    "nobody's call": (Clause.DUTY, {"details": with_contact(adviser_id=None)}),
    "no such recording": (Clause.KNOWN_RECORDING, {"recording": None, "details": None}),
    "a recording without details": (Clause.KNOWN_RECORDING, {"details": None}),
    "masked copies looked up by an emergency": (
        Clause.TRAINING,
        IN_TRAINING | {"terms": evolve(TRAINING, break_glass=BreakGlass(reason="kiire", ends_at=TERMS.ends_at))},
    ),
    "not selected for the plan": (Clause.DUTY, IN_TRAINING | {"details": MASKED_FOR_TRAINING}),
    "selected for another plan": (Clause.DUTY, IN_TRAINING | {"details": selected_for("PLAN-2")}),
    "contact of another unit": (
        Clause.DUTY,
        {"staff": UNIT_LEAD, "details": with_contact(adviser_id=OTHER, unit="unit-2")},
    ),
    "contact of no known unit": (Clause.DUTY, {"staff": UNIT_LEAD, "details": with_contact(adviser_id=OTHER)}),
    "staff member of no unit": (
        Clause.DUTY,
        {"staff": evolve(UNIT_LEAD, unit=None), "details": with_contact(adviser_id=OTHER, unit="unit-1")},
    ),
    "glass broken until now": (
        Clause.DUTY,
        {
            "staff": make_staff_member(duties=()),
            "terms": evolve(TERMS, break_glass=BreakGlass(reason="kiire", ends_at=NOW)),
        },
    ),
    "made under a notice without the purpose": (Clause.MADE_FOR, {"recording": UNDER_THE_FIRST} | TWO_VERSIONS),
    "made under no notice that is known": (
        Clause.MADE_FOR,
        {"recording": evolve(RECORDING, register_version=date(2019, 1, 1))},
    ),
    "held for another purpose": (Clause.END, OVER | {"held_for": frozenset({"legal-claim"})}),
    "at its end": (
        Clause.END,
        OVER,
    ),
    "restricted to storage": (Clause.RESTRICTION, {"recording": evolve(RECORDING, state=State.RESTRICTED)}),
    "restricted, for a use that the role may not claim": (
        Clause.RESTRICTION,
        {
            "recording": evolve(RECORDING, state=State.RESTRICTED),
            "terms": evolve(TERMS, restricted_use=RestrictedUse.PUBLIC_INTEREST),
        },
    ),
    "restricted, and consented, in training": (
        Clause.RESTRICTION,
        IN_TRAINING
        | {
            "recording": evolve(RECORDING, state=State.RESTRICTED),
            "terms": evolve(TRAINING, restricted_use=RestrictedUse.CONSENT),
            "registers": RegisterVersions([with_adviser(restricted_uses=list(RestrictedUse))]),
        },
    ),
    "masked for another purpose": (
        Clause.MASKED,
        IN_TRAINING | {"details": evolve(selected_for("PLAN-1"), parts=(ORIGINAL, evolve(COPY, masked_for=VERIFY)))},
    ),
    "not masked yet": (Clause.MASKED, IN_TRAINING | {"details": evolve(selected_for("PLAN-1"), parts=(ORIGINAL,))}),
    "about oneself": (Clause.ONESELF, {"details": with_contact(customer=ONESELF)}),
    "about oneself among others": (Clause.ONESELF, {"details": with_contact(others=(ONESELF,))}),
}


@pytest.mark.parametrize("act", USES)
def test_if_every_clause_is_true_it_is_allowed(act: Act) -> None:
    """An adviser with commitment, role and duty uses a call of their own for a declared purpose (sections 4, 10)."""
    assert decide(**ALL_TRUE | {"act": act}).is_allowed


@pytest.mark.parametrize(("clause", "change"), FALSE.values(), ids=FALSE.keys())
@pytest.mark.parametrize("act", [Act.DETAILS, Act.OPEN])
def test_any_clause_alone_denies_and_names_itself(act: Act, clause: Clause, change: dict[str, Any]) -> None:
    """One clause that is false is a no, whatever the others say (sections 4, 8, 9 and 10)."""
    if clause is Clause.MASKED and act is Act.DETAILS:
        assert decide(**ALL_TRUE | change | {"act": act}).is_allowed  # details are masked as they are shown
        return
    decision = decide(**ALL_TRUE | change | {"act": act})
    assert decision.refused_by is clause
    assert not decision.is_allowed


def test_every_clause_is_tested_here() -> None:
    """No clause of the rule escapes this module (section 10)."""
    assert {clause for clause, _ in FALSE.values()} == set(Clause)


@pytest.mark.parametrize("act", [act for act in Act if act not in USES])
def test_no_session_grants_other_acts(act: Act) -> None:
    """An adviser's role grants finding, details and listening, and nothing else (section 10)."""
    assert decide(**ALL_TRUE | {"act": act}).refused_by is Clause.ROLE


TRUE: Final[dict[str, dict[str, Any]]] = {
    "the unit's contact": {"staff": UNIT_LEAD, "details": with_contact(adviser_id=OTHER, unit="unit-1")},
    "a masked copy of a selected recording": IN_TRAINING,
    "glass broken": {
        "staff": make_staff_member(duties=()),
        "terms": evolve(TERMS, break_glass=BreakGlass(reason="kiire", ends_at=NOW + timedelta(microseconds=1))),
    },
    "past its end, held for this purpose": OVER | {"held_for": frozenset({VERIFY})},
    "restricted, with consent, by a role that may claim it": {
        "recording": evolve(RECORDING, state=State.RESTRICTED),
        "terms": evolve(TERMS, restricted_use=RestrictedUse.CONSENT),
        "registers": RegisterVersions([with_adviser(restricted_uses=[RestrictedUse.CONSENT])]),
    },
}


@pytest.mark.parametrize("change", TRUE.values(), ids=TRUE.keys())
def test_what_a_clause_lets_through(change: dict[str, Any]) -> None:
    """Units, training plans, emergencies, holds and the uses of Art. 18(2) open what they are for (sections 4, 10)."""
    assert decide(**ALL_TRUE | change).is_allowed


@pytest.mark.parametrize("clause", [clause for clause in Clause if clause is not Clause.DUTY])
def test_breaking_the_glass_waives_the_duty_only(clause: Clause) -> None:
    """An emergency waives no commitment, restriction or end, nor any other clause than the duty (section 10)."""
    for false_clause, change in FALSE.values():
        if false_clause is clause:
            terms = change.get("terms", TERMS)
            broken = evolve(terms, break_glass=BreakGlass(reason="kiire", ends_at=TERMS.ends_at + timedelta(days=1)))
            assert not decide(**ALL_TRUE | change | {"terms": broken}).is_allowed


@pytest.mark.parametrize("purpose", ["data-subject-right", "legal-claim"])
def test_the_law_declares_purposes_that_a_notice_need_not(purpose: str) -> None:
    """The rights of the person and legal claims are purposes whatever the register says (Chapter III; Art. 17(3))."""
    register = evolve(REGISTER, purposes=[each for each in REGISTER.purposes if each.code != purpose])
    assert register.has_purpose(purpose)


@pytest.mark.parametrize("act", [act for act in Act if act not in USES_MASKED])
def test_training_looks_nobody_up_and_gives_nothing_out(act: Act) -> None:
    """Even a role that grants everything looks nobody up for training (sections 4 and 10)."""
    register = with_adviser(acts=list(Act))
    asked = ALL_TRUE | IN_TRAINING | {"registers": RegisterVersions([register]), "act": act}
    assert decide(**asked).refused_by is Clause.TRAINING
    assert decide(**asked | {"recording": None, "details": None}).refused_by is Clause.TRAINING


def _make_false(clause: Clause, asked: dict[str, Any]) -> dict[str, Any]:
    """Make one clause false in what is asked in training, where each of them can be, and leave the others alone."""
    terms, staff, recording, details = (asked[name] for name in ("terms", "staff", "recording", "details"))
    changes: dict[Clause, Callable[[], dict[str, Any]]] = {
        Clause.KNOWN_STAFF: lambda: {"staff": evolve(staff, id=OTHER)},
        Clause.SESSION: lambda: {"terms": evolve(terms, ends_at=NOW)},
        Clause.COUNTRY: lambda: {"terms": evolve(terms, country="CH")},
        Clause.COMMITMENT: lambda: {"staff": evolve(staff, commitments=())},
        Clause.PURPOSE: lambda: {"terms": evolve(terms, purpose="marketing")},
        Clause.ROLE: lambda: {"staff": evolve(staff, roles=())},
        Clause.TRAINING: lambda: {
            "terms": evolve(terms, break_glass=BreakGlass(reason="kiire", ends_at=NOW + timedelta(hours=1)))
        },
        Clause.DUTY: lambda: {"staff": evolve(staff, duties=())},
        Clause.MADE_FOR: lambda: {"recording": evolve(recording, register_version=date(2019, 1, 1))},
        Clause.END: lambda: {
            "recording": evolve(recording, started_at=LONG_AGO, ended_at=LONG_AGO, kept_through=LONG_AGO.date())
        },
        Clause.RESTRICTION: lambda: {"recording": evolve(recording, state=State.RESTRICTED)},
        Clause.MASKED: lambda: {"details": evolve(details, parts=(ORIGINAL,))},
        Clause.ONESELF: lambda: {
            "details": evolve(details, contact=make_contact(customer=make_person(identity_code=staff.identity_code)))
        },
        Clause.KNOWN_RECORDING: lambda: {"recording": None, "details": None},
    }
    return asked | changes[clause]()


def test_no_combination_of_false_clauses_opens_anything() -> None:
    """All 16,384 combinations of true and false clauses: allowed if all are true, else the first false one is named."""
    clauses = [clause for clause in Clause if clause is not Clause.KNOWN_RECORDING]
    # Whether there is a recording at all is made false last, since the clauses after it then have none to ask about.
    for number in range(2 ** len(Clause)):
        false = {clause for bit, clause in enumerate(Clause) if number >> bit & 1}
        asked = ALL_TRUE | IN_TRAINING
        for clause in [*clauses, Clause.KNOWN_RECORDING]:
            if clause in false:
                asked = _make_false(clause, asked)
        first = next((clause for clause in Clause if clause in false), None)
        assert decide(**asked).refused_by is first, false


def test_looking_up_is_asked_before_it_is_known_what_is_found() -> None:
    """Under a duty for own contacts, finding is allowed as such; each find is then asked about by itself."""
    nothing_yet = {"act": Act.FIND, "recording": None, "details": None}
    assert decide(**ALL_TRUE | nothing_yet).is_allowed
    denied = decide(**ALL_TRUE | nothing_yet | {"staff": make_staff_member(duties=())})
    assert denied.refused_by is Clause.DUTY


@pytest.mark.parametrize(
    ("contact", "staff"),
    [
        (with_contact(adviser_id=OTHER), make_staff_member(duties=[case("KELA-1")])),
        (with_contact(kind=Kind.SUPPORT_CALL, adviser_id=OTHER, support_expert_id=VEIKKO.id), VEIKKO),
        (with_contact(customer=None), VEIKKO),
        (with_contact(customer=make_person(name="Anna")), make_staff_member(duties=[case("KELA-2"), OWN])),
    ],
    ids=["case of this session", "consulted as support expert", "nobody known", "one duty of several"],
)
def test_what_links_somebody_to_a_recording(contact: RecordingDetails, staff: object) -> None:
    """A duty for the session's case, or having taken part, is what somebody needs to know it for (section 10)."""
    assert decide(**ALL_TRUE | {"details": contact, "staff": staff}).is_allowed


@given(staff_ids(), st.sampled_from(USES))
def test_own_contacts_are_nobody_elses(adviser_id: StaffId, act: Act) -> None:
    """Under a duty for own contacts, exactly the calls that one took oneself are open (section 10)."""
    decision = decide(**ALL_TRUE | {"act": act, "details": with_contact(adviser_id=adviser_id)})
    assert decision.is_allowed == (adviser_id == VEIKKO.id)


@given(st.timedeltas(-timedelta(hours=1), timedelta(hours=13)))
def test_a_session_is_a_span_of_time(after: timedelta) -> None:
    """A session allows from its first instant to before its last (section 10)."""
    decision = decide(**ALL_TRUE | {"at": NOW + after})
    assert decision.is_allowed == (timedelta(0) <= after < timedelta(hours=12))


@pytest.mark.parametrize("matter", ["asia 140281-928F", "+358 50 000 0123", "aino@example.org"])
def test_a_matter_names_nobody(matter: str) -> None:
    """What stands in the log holds no identity code, number or address of a person (section 10)."""
    with pytest.raises(LooksLikeIdentifierError):
        evolve(TERMS, matter=matter)
