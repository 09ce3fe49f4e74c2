"""Who works, and how a session begins, goes on elsewhere and ends: notice, section 10; design, "From outside"."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

import pytest
from attrs import evolve

from access.staffing import (
    ANSA,
    OLLI,
    OSMA,
    RECORDER,
    STAFF,
    TIIA,
    VEIKKO,
    VERIFY,
    begin,
    list_denials,
    list_entries,
    make_member,
)
from kelarec import Archive, Commitment, Credential, Duty, DutyKind, Recording, Register, StaffId, StaffMember
from kelarec.audit.entries import EntryKind
from kelarec.errors import (
    DeniedError,
    DirectoryError,
    InvalidValueError,
    KelarecError,
    LooksLikeIdentifierError,
    UnknownCallerError,
    UnreadableAudioError,
)
from kelarec.testing.builders import make_contact, make_identity_code, make_wav
from kelarec.testing.clock import USUAL_START, MovableClock

UNKNOWN: Final = UUID("019cbd02-c000-7000-8000-000000000000")
AINO: Final = make_identity_code()


def store_call(archive: Archive, **known: Any) -> Recording:  # noqa: ANN401  the fields of Contact
    """Store a call of one second."""
    return archive.capture.store(
        make_contact(**known), ended_at=USUAL_START + timedelta(seconds=1), content=make_wav(), by=RECORDER
    )


def test_a_session_is_resumed_by_its_id(staffed: Archive) -> None:
    """A service without a memory of its own goes on in a session, under the same terms, one consultation in all."""
    call = store_call(staffed)
    begun = begin(staffed, VEIKKO)
    for second in range(3):
        session = staffed.resume(begun.terms.id, by=VEIKKO)
        assert session.terms == begun.terms
        with session.open(call.id) as audio:
            audio.clip(start=second / 4, stop=second / 4 + 0.1)
    with begin(staffed, OSMA) as session:
        (consultation,) = session.list_consultations(AINO)
    assert consultation.heard == ((0.0, 0.1), (0.25, 0.35), (0.5, 0.6))


@pytest.mark.parametrize("by", [OSMA, StaffId("nobody")])
def test_nobody_goes_on_in_anothers_session(staffed: Archive, by: StaffId) -> None:
    """A session is its staff member's; another's is denied like one that is not there, and logged (section 10)."""
    begun = begin(staffed, VEIKKO)
    told = []
    for session_id in (begun.terms.id, UNKNOWN):
        with pytest.raises(DeniedError) as caught:
            staffed.resume(session_id, by=by)
        told.append(str(caught.value))
    assert told[0] == told[1]
    assert list_denials(staffed) == [("resume", "session")] * 2


def test_a_session_that_is_over_is_not_resumed(staffed: Archive, kelarec_clock: MovableClock) -> None:
    """Ended here is ended everywhere: neither is it resumed, nor does another process's object of it give anything."""
    call = store_call(staffed)
    begun = begin(staffed, VEIKKO)
    elsewhere = staffed.resume(begun.terms.id, by=VEIKKO)
    begun.end()
    with pytest.raises(DeniedError) as caught:
        elsewhere.get_details(call.id)
    assert caught.value.clause == "session"
    with pytest.raises(DeniedError):
        staffed.resume(begun.terms.id, by=VEIKKO)
    late = begin(staffed, VEIKKO)
    kelarec_clock.move(timedelta(hours=12))
    with pytest.raises(DeniedError):
        staffed.resume(late.terms.id, by=VEIKKO)
    kelarec_clock.move(timedelta(days=2))
    staffed.retention.sweep(by=RECORDER)
    with pytest.raises(DeniedError):
        staffed.resume(late.terms.id, by=VEIKKO)


class TestBreakingTheGlass:
    """An emergency waives the duty, for an hour, before the eyes of a second person (section 10)."""

    def test_it_opens_what_no_duty_opens_and_is_queued(self, staffed: Archive) -> None:
        """Another adviser's call is heard with a reason; the queue and the log tell of it until it is reviewed."""
        call = store_call(staffed, adviser_id=StaffId("nolla"))
        with begin(staffed, VEIKKO) as session, pytest.raises(DeniedError):
            session.open(call.id)
        with begin(staffed, VEIKKO, break_glass="customer in danger") as session:
            assert session.find(AINO) == [call]
            assert session.open(call.id).read() == make_wav()
        (review,) = staffed.access_reviews.list_open(by=ANSA)
        assert (review.staff_id, review.reason, review.session_id) == (VEIKKO, "customer in danger", session.terms.id)
        (broken,) = list_entries(staffed, EntryKind.GLASS_BROKEN)
        assert (broken.session_id, broken.facts["reason"]) == (session.terms.id, "customer in danger")
        staffed.access_reviews.close(session.terms.id, by=ANSA, finding="there was need")
        assert staffed.access_reviews.list_open(by=ANSA) == []
        assert list_entries(staffed, EntryKind.ACCESS_REVIEWED)[-1].facts["finding"] == "there was need"
        with pytest.raises(InvalidValueError):
            staffed.access_reviews.close(session.terms.id, by=ANSA, finding="again")

    def test_it_ends_after_an_hour(self, staffed: Archive, kelarec_clock: MovableClock) -> None:
        """Its session is over after an hour, not after twelve."""
        call = store_call(staffed)
        session = begin(staffed, VEIKKO, break_glass="customer in danger")
        kelarec_clock.move(timedelta(hours=1))
        with pytest.raises(DeniedError) as caught:
            session.get_details(call.id)
        assert caught.value.clause == "session"

    def test_a_second_person_reviews(self, staffed: Archive) -> None:
        """Nobody reviews their own session, nor does anybody whose role does not grant it, nor a system."""
        with begin(staffed, TIIA, break_glass="court order, no time") as session:
            pass
        for by in (TIIA, OLLI):
            with pytest.raises(DeniedError):
                staffed.access_reviews.close(session.terms.id, by=by, finding="fine")
        with pytest.raises(InvalidValueError):
            staffed.access_reviews.close(session.terms.id, by=RECORDER, finding="fine")  # type: ignore[arg-type]
        with pytest.raises(DeniedError):
            staffed.access_reviews.list_open(by=VEIKKO)
        assert len(staffed.access_reviews.list_open(by=ANSA)) == 1


class People:
    """A directory elsewhere, as an application might write it over LDAP."""

    def __init__(self, *members: StaffMember) -> None:
        self.members: dict[StaffId, Any] = {member.id: member for member in members}
        self.is_down = False

    def find(self, staff_id: StaffId) -> StaffMember | None:
        """Return a member, or fail like a network does."""
        if self.is_down:
            raise TimeoutError("ldap.example.org does not answer")
        member: StaffMember | None = self.members.get(staff_id)
        return member


class TestADirectoryElsewhere:
    """Staff may be known by any directory behind one small interface; unknown and unreachable are both a no."""

    @pytest.fixture
    def people(self) -> People:
        """A directory of all staff."""
        return People(*map(make_member, STAFF))

    @pytest.fixture
    def archive(self, kelarec_register: Register, kelarec_clock: MovableClock, people: People) -> Any:  # noqa: ANN401
        """An archive that asks it."""
        with Archive.in_memory(kelarec_register, clock=kelarec_clock, directory=people) as archive:
            yield archive

    def test_it_says_who_may_what(self, archive: Archive, people: People) -> None:
        """What it says now is what holds at the next act."""
        call = store_call(archive)
        with begin(archive, VEIKKO) as session:
            assert session.find(AINO) == [call]
            people.members[VEIKKO] = make_member(VEIKKO, duties=[])
            with pytest.raises(DeniedError):
                session.get_details(call.id)
            del people.members[VEIKKO]
            with pytest.raises(DeniedError) as caught:
                session.get_details(call.id)
        assert caught.value.clause == "known-staff"

    def test_if_it_is_down_nothing_is_given(self, archive: Archive, people: People) -> None:
        """It could not be told: refused by another name than a denial, and in the log."""
        call = store_call(archive)
        with begin(archive, VEIKKO) as session:
            people.is_down = True
            for use in (
                lambda: session.get_details(call.id),
                lambda: session.find(AINO),
                lambda: archive.restrictions.restrict(call.id, by=OSMA, reason="REQ-1"),
            ):
                with pytest.raises(DirectoryError):
                    use()
        assert [clause for _, clause in list_denials(archive)] == ["directory"] * 3

    @pytest.mark.parametrize("answer", ["veikko", make_member(OSMA)])
    def test_what_is_no_answer_is_none(self, archive: Archive, people: People, answer: object) -> None:
        """Another member, or something else, is not taken for the one asked for."""
        call = store_call(archive)
        people.members[VEIKKO] = answer
        with begin(archive, VEIKKO) as session, pytest.raises(DirectoryError):
            session.get_details(call.id)

    def test_its_staff_are_not_changed_here(self, archive: Archive) -> None:
        """Two sources of duties would be two truths."""
        with pytest.raises(InvalidValueError):
            archive.staff.enrol(make_member(VEIKKO), by=RECORDER)
        with pytest.raises(InvalidValueError):
            archive.staff.propose(make_member(VEIKKO), by=OLLI)


class Tokens:
    """An authenticator, as an application might write it over its own tokens."""

    def authenticate(self, credential: object) -> StaffId:
        """Return whose token it is."""
        if credential == "broken":
            return "veikko"  # type: ignore[return-value]
        return {"token-of-veikko": VEIKKO}[str(credential)]


class TestAnAuthenticator:
    """Who the caller is comes from the application; with an authenticator no bare staff id is believed."""

    @pytest.fixture
    def archive(self, kelarec_register: Register, kelarec_clock: MovableClock) -> Any:  # noqa: ANN401
        """An archive that asks one."""
        with Archive.in_memory(kelarec_register, clock=kelarec_clock, authenticator=Tokens()) as archive:
            archive.staff.enrol(make_member(VEIKKO), by=RECORDER)
            yield archive

    def test_a_credential_says_who_works(self, archive: Archive) -> None:
        """Beginning and resuming take the credential, and the log has the staff id."""
        with begin(archive, Credential("token-of-veikko"), purpose=VERIFY, matter="KELA-1") as session:  # type: ignore[arg-type]
            assert session.terms.staff_id == VEIKKO
            assert archive.resume(session.terms.id, by=Credential("token-of-veikko")).terms == session.terms

    @pytest.mark.parametrize(
        ("by", "error"),
        [
            (Credential("stolen"), UnknownCallerError),
            (Credential("broken"), UnknownCallerError),
            (VEIKKO, InvalidValueError),
        ],
    )
    def test_nobody_else_begins(self, archive: Archive, by: Any, error: type[KelarecError]) -> None:  # noqa: ANN401
        """An unknown credential, an answer that is none, or a bare staff id: refused by name and logged."""
        with pytest.raises(error) as caught:
            begin(archive, by)
        assert "stolen" not in f"{caught.value!r}{caught.value}"
        assert [act for act, _ in list_denials(archive)] == ["begin"]

    def test_a_credential_is_shown_to_nobody(self) -> None:
        """A credential is no part of a repr, and is never pickled."""
        assert "secret" not in repr(Credential("secret"))
        with pytest.raises(TypeError):
            Credential("secret").__reduce__()

    def test_without_one_a_credential_is_refused(self, staffed: Archive) -> None:
        """An archive that was opened without an authenticator does not guess."""
        with pytest.raises(InvalidValueError):
            begin(staffed, Credential("token-of-veikko"))  # type: ignore[arg-type]


BAD_TERMS: Final[dict[str, tuple[type[KelarecError], str, dict[str, Any]]]] = {
    "empty matter": (InvalidValueError, "invalid-value", {"matter": " "}),
    "an identity code as matter": (LooksLikeIdentifierError, "looks-like-identifier", {"matter": "140281-928F"}),
    "a telephone number as matter": (LooksLikeIdentifierError, "looks-like-identifier", {"matter": "+358 50 000 0123"}),
    "malformed purpose": (InvalidValueError, "invalid-value", {"purpose": "Any purpose"}),
    "empty emergency": (InvalidValueError, "invalid-value", {"break_glass": ""}),
    "an emergency that names a person": (
        LooksLikeIdentifierError,
        "looks-like-identifier",
        {"break_glass": "140281-928F in danger"},
    ),
    "no use of Art. 18(2)": (InvalidValueError, "invalid-value", {"restricted_use": "curiosity"}),
    "a country that is no text": (InvalidValueError, "invalid-value", {"country": 358}),
}


@pytest.mark.parametrize(("error", "clause", "terms"), BAD_TERMS.values(), ids=BAD_TERMS.keys())
def test_bad_terms_begin_no_session(
    staffed: Archive, error: type[KelarecError], clause: str, terms: dict[str, Any]
) -> None:
    """What is no term of a session is refused by name, and the attempt is one entry without the text (section 10)."""
    with pytest.raises(error) as caught:
        begin(staffed, VEIKKO, **terms)
    assert type(caught.value) is error
    assert caught.value.advice
    assert list_denials(staffed) == [("begin", clause)]
    assert "928F" not in str(list_entries(staffed, EntryKind.DENIED))


BAD_USES: Final[dict[str, tuple[str, dict[str, Any], dict[str, Any]]]] = {
    "unknown staff": ("known-staff", {"by": StaffId("nolla")}, {}),
    "ended commitment": (
        "commitment",
        {},
        {"commitments": [Commitment(text_version="1", signed_on=date(2020, 1, 1), ended_on=date(2026, 3, 5))]},
    ),
    "undeclared purpose": ("purpose", {"purpose": "marketing"}, {}),
    "session from Switzerland": ("country", {"country": "CH"}, {}),
}


@pytest.mark.parametrize(("clause", "terms", "known"), BAD_USES.values(), ids=BAD_USES.keys())
def test_bad_sessions_do_nothing(staffed: Archive, clause: str, terms: dict[str, Any], known: dict[str, Any]) -> None:
    """Each act of such a session is denied by the name of the clause, with one entry (sections 4, 8 and 10)."""
    call = store_call(staffed)
    staffed.staff.enrol(make_member(VEIKKO, **known), by=RECORDER)
    usual: dict[str, Any] = {"by": VEIKKO, "purpose": VERIFY, "matter": "KELA-1"}
    with staffed.session(**usual | terms) as session:
        uses: list[Callable[[], object]] = [lambda: session.find(AINO), lambda: session.clip(call.id, start=0, stop=1)]
        for use in uses:
            with pytest.raises(DeniedError) as caught:
                use()
            assert caught.value.clause == clause
    assert list_denials(staffed) == [("find", clause), ("clip", clause)]


def test_a_clip_beyond_the_end_is_refused_and_logged(staffed: Archive) -> None:
    """Asking for more than there is has a name and an entry, in the session and in an open reader."""
    call = store_call(staffed)
    with begin(staffed, VEIKKO) as session, session.open(call.id) as audio:
        uses: list[Callable[[], object]] = [
            lambda: session.clip(call.id, start=0.5, stop=1.5),
            lambda: audio.clip(start=0.5, stop=1.5),
        ]
        for use in uses:
            with pytest.raises(UnreadableAudioError, match="do not lie within"):
                use()
        assert session.clip(call.id, start=0.5, stop=1.0) == audio.clip(start=0.5, stop=1.0)
    assert list_denials(staffed) == [("clip", "clip")] * 2


def test_restricted_recordings_are_used_as_art_18_allows(staffed: Archive) -> None:
    """A legal claim opens a restricted recording to whom the register lets claim it, to nobody else (Art. 18(2))."""
    call = store_call(staffed)
    staffed.restrictions.restrict(call.id, by=OSMA, reason="Art. 18(1)(c), REQ-1")
    with begin(staffed, TIIA) as session, pytest.raises(DeniedError) as caught:
        session.open(call.id)
    assert caught.value.clause == "restriction"
    with begin(staffed, TIIA, restricted_use="legal-claims") as session:
        assert session.open(call.id).read() == make_wav()
    with begin(staffed, OSMA, restricted_use="legal-claims") as session, pytest.raises(DeniedError):
        session.open(call.id)
    with begin(staffed, OSMA, restricted_use="consent") as session:
        assert session.hand_out(call.id)[1].read() == make_wav()
    staffed.restrictions.lift(call.id, by=OSMA, reason="claim settled")
    with begin(staffed, VEIKKO) as session:
        assert session.find(AINO)[0].state == "kept"


def test_restricting_is_a_change_by_somebody_for_a_reason(staffed: Archive) -> None:
    """Only a role that grants it restricts, with a reason; doing it twice changes nothing (Art. 18; section 10)."""
    call = store_call(staffed)
    for by, recording_id in ((VEIKKO, call.id), (OSMA, UNKNOWN)):
        with pytest.raises(DeniedError):
            staffed.restrictions.restrict(recording_id, by=by, reason="REQ-1")
    for reason in ("", "140281-928F"):
        with pytest.raises(InvalidValueError):
            staffed.restrictions.restrict(call.id, by=OSMA, reason=reason)
    for _ in range(2):
        staffed.restrictions.restrict(call.id, by=OSMA, reason="Art. 18(1)(a), REQ-1")
    (entry,) = list_entries(staffed, EntryKind.RESTRICTED)
    assert (entry.actor, entry.facts["reason"], entry.facts["revision"]) == ("osma", "Art. 18(1)(a), REQ-1", "2")


def test_the_unit_of_a_contact_links_its_supervisor(staffed: Archive) -> None:
    """A supervisor with a duty for the unit hears the unit's calls, and no other unit's (section 10)."""
    unit_duty = Duty(kind=DutyKind.UNIT, purpose=VERIFY, from_on=date(2020, 8, 18))
    lead = evolve(make_member(OLLI), roles={"supervisor"}, unit="unit-1", duties=[unit_duty])
    staffed.staff.enrol(lead, by=RECORDER)
    own, other = (store_call(staffed, unit=unit) for unit in ("unit-1", "unit-2"))
    with begin(staffed, OLLI) as session:
        assert session.find(AINO) == [own]
        with pytest.raises(DeniedError):
            session.get_details(other.id)
