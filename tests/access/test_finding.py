"""Recordings are found by person, case or contact and by clear facts, page by page (notice, sections 4 and 10)."""

from datetime import timedelta
from typing import Any, Final

import pytest

from kelarec import Archive, Duty, DutyKind, Kind, Recording, StaffId, StaffMember, System
from kelarec.access.session import Session
from kelarec.audit.entries import Entry, EntryKind
from kelarec.domain.references import ContactId, MatterReference
from kelarec.errors import CursorError, DeniedError, EndBeforeStartError, InvalidValueError, LooksLikeIdentifierError
from kelarec.testing.builders import (
    make_chat,
    make_contact,
    make_identity_code,
    make_person,
    make_staff_member,
    make_wav,
)
from kelarec.testing.clock import USUAL_START

RECORDER: Final = System("recorder@test")
AINO: Final = make_identity_code()
MINUTE: Final = timedelta(minutes=1)


def store(archive: Archive, minute: int = 0, **known: Any) -> Recording:  # noqa: ANN401  the fields of Contact
    """Store a contact that started some minutes before the usual start."""
    started_at = USUAL_START - minute * MINUTE
    contact = make_contact(started_at=started_at, **known)
    content = make_chat(started_at=started_at) if contact.kind.is_chat else make_wav(0.01)
    return archive.capture.store(contact, ended_at=started_at, content=content, by=RECORDER)


def list_look_ups(archive: Archive) -> list[Entry]:
    """Return the log's entries on look-ups."""
    return [each for each in archive.audit.iter_entries(by=RECORDER) if each.kind is EntryKind.LOOKED_UP]


@pytest.mark.usefixtures("adviser")
def test_a_changed_identity_code_finds_all(kelarec_archive: Archive, session: Session) -> None:
    """Whoever's code changed is found by both together, and by all the identifiers a person is known by."""
    before, after = make_identity_code(1), make_identity_code(2)
    old = store(kelarec_archive, 2, customer=make_person(identity_code=before))
    new = store(kelarec_archive, 1, customer=make_person(identity_code=after))
    both = store(kelarec_archive, customer=make_person(identity_code=after, former_identity_codes=[before]))
    assert session.find(before) == [old, both]
    assert session.find(after) == [new, both]
    assert session.find(before, after) == [old, new, both]
    person = make_person(identity_code=after, former_identity_codes=[before], phone_number=None)
    assert session.find(*person.identifiers) == [old, new, both]


@pytest.mark.usefixtures("adviser")
def test_a_support_contact_is_found_under_the_customer_it_is_about(kelarec_archive: Archive, session: Session) -> None:
    """A support call is also found under the customer, by case and by contact id (section 6)."""
    support = store(kelarec_archive, kind=Kind.SUPPORT_CALL, matter="KELA-9", contact_id="c-9")
    for term in (AINO, MatterReference("KELA-9"), ContactId("c-9")):
        assert session.find(term) == [support]
    assert session.find(AINO, case=MatterReference("KELA-8")) == []


@pytest.mark.usefixtures("adviser")
def test_criteria_narrow(kelarec_archive: Archive, session: Session) -> None:
    """Line, kind, adviser, time and end narrow what identifiers find, and find by themselves."""
    call, chat = store(kelarec_archive, 5), store(kelarec_archive, 1, kind=Kind.CUSTOMER_CHAT)
    assert session.find(AINO, kind=Kind.CUSTOMER_CHAT) == [chat]
    assert session.find(line=call.line) == [call]
    assert session.find(adviser_id=StaffId("veikko"), until=USUAL_START - 2 * MINUTE) == [call]
    assert session.find(since=USUAL_START - 2 * MINUTE) == [chat]
    assert session.find(kept_through=call.kept_through) == [call, chat]
    assert session.count(AINO) == 2


@pytest.mark.usefixtures("adviser")
def test_pages_hold_what_the_session_may_use(kelarec_archive: Archive, session: Session) -> None:
    """Pages are full although others' recordings lie between; each page is in the log before it is given."""
    own = []
    for minute in range(10, 0, -1):
        own.append(store(kelarec_archive, minute))
        store(kelarec_archive, minute, adviser_id=StaffId("aili"))
    shown: list[Recording] = []
    cursor, sizes = None, []
    while True:
        page = session.find_page(AINO, cursor=cursor, size=4)
        shown += page.recordings
        sizes.append(len(page.recordings))
        cursor = page.cursor
        if cursor is None:
            break
        store(kelarec_archive, 60)
        assert AINO.text not in cursor
    assert shown == own
    assert sizes == [4, 4, 2]
    assert [entry.facts["found"] for entry in list_look_ups(kelarec_archive)] == ["4", "4", "2"]
    assert list(session.iter_found(AINO, until=USUAL_START))[-10:] == own


@pytest.mark.usefixtures("adviser")
def test_a_cursor_of_another_search_is_named(kelarec_archive: Archive, session: Session) -> None:
    """A cursor goes with its own search: with another, or altered, it is refused."""
    for minute in range(3):
        store(kelarec_archive, minute)
    cursor = session.find_page(AINO, size=1).cursor
    assert cursor is not None
    assert session.find_page(AINO, size=2, cursor=cursor).cursor is None
    for terms, given in (((make_identity_code(4),), cursor), ((AINO,), cursor[:-8]), ((AINO,), "nonsense")):
        with pytest.raises(CursorError) as caught:
            session.find_page(*terms, cursor=given)
        assert caught.value.advice
    with pytest.raises(CursorError):
        session.find_page(AINO, cursor=cursor, kind=Kind.CUSTOMER_CALL)


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (lambda session: session.find("140281-900K"), InvalidValueError),
        (lambda session: session.find(), InvalidValueError),
        (lambda session: session.find(AINO, case="KELA-1"), TypeError),
        (lambda session: session.find(case=MatterReference("140281-900K")), LooksLikeIdentifierError),
        (lambda session: session.find(since=USUAL_START, until=USUAL_START - MINUTE), EndBeforeStartError),
        (lambda session: session.find_page(AINO, size=0), InvalidValueError),
        (lambda session: session.find_page(AINO, size=1001), InvalidValueError),
    ],
    ids=["text", "nothing", "case as text", "case that names a person", "backwards", "no page", "huge page"],
)
def test_what_is_no_search_is_refused(session: Session, ask: Any, error: type[Exception]) -> None:  # noqa: ANN401
    """A look-up takes parsed identifiers and sensible criteria; nothing else reaches the catalog."""
    with pytest.raises(error) as caught:
        ask(session)
    assert "900K" not in str(caught.value)


def test_who_may_not_look_up_finds_nothing_in_pieces_either(kelarec_archive: Archive, adviser: StaffMember) -> None:
    """The rule is asked before the first piece is sought: pages, iteration and counts are look-ups like any other."""
    del adviser
    case = Duty(kind=DutyKind.CASE, purpose="verify-service-event", matter="KELA-2", from_on=USUAL_START.date())
    kelarec_archive.staff.enrol(make_staff_member(duties=[case]), by=RECORDER)
    store(kelarec_archive)
    with kelarec_archive.session(by=StaffId("veikko"), purpose="verify-service-event", matter="KELA-1") as session:
        for ask in (session.find, session.find_page, session.iter_found, session.count):
            with pytest.raises(DeniedError):
                ask(AINO)
    assert list_look_ups(kelarec_archive) == []
