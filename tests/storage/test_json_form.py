"""What goes into a sealed document comes out as it was: GDPR, Art. 5(1)(d) and (f)."""

import json
from datetime import UTC, date, datetime
from typing import Final

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from kelarec import (
    AccessRequest,
    Chat,
    Contact,
    ErasureRequest,
    ObjectionRequest,
    Person,
    RectificationRequest,
    Register,
    RestrictionRequest,
    StaffMember,
    SubjectRequest,
    kela_register,
)
from kelarec.errors import IntegrityError
from kelarec.storage.json_form import from_json, to_json
from kelarec.testing.builders import make_chat, make_contact, make_person, make_staff_member
from kelarec.testing.strategies import chats, contacts, instants, persons, staff_ids

PLAIN_TEXTS: Final = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=80)
CHANNELS: Final = st.sampled_from(["registry-office", "telephone", "service-point", "e-service-message"])
LANGUAGES: Final = st.sampled_from(["fi", "sv", "en"])


def requests() -> st.SearchStrategy[SubjectRequest]:
    """Requests of all five kinds."""
    same = {
        "person": persons(),
        "channel": CHANNELS,
        "received_at": instants(),
        "language": LANGUAGES,
    }
    return st.one_of(
        st.builds(AccessRequest, **same),
        st.builds(RectificationRequest, **same, which=PLAIN_TEXTS, why=PLAIN_TEXTS, how=PLAIN_TEXTS),
        st.builds(ErasureRequest, **same),
        st.builds(RestrictionRequest, **same),
        st.builds(ObjectionRequest, **same, ground=PLAIN_TEXTS),
    )


@given(contacts())
def test_a_contact_comes_back(contact: Contact) -> None:
    """Who took part, when and in which matter survives being kept (Art. 5(1)(d))."""
    assert from_json(to_json(contact), Contact) == contact


@given(persons())
def test_a_person_comes_back(person: Person) -> None:
    """All that is known of a person survives being kept, and nothing is added (Art. 5(1)(d))."""
    assert from_json(to_json(person), Person) == person


@given(chats())
def test_a_chat_comes_back(chat: Chat) -> None:
    """Every message in any script survives being kept, word for word (Art. 5(1)(d))."""
    assert from_json(to_json(chat), Chat) == chat


@given(requests())
def test_a_request_comes_back_as_its_kind(request: SubjectRequest) -> None:
    """A request comes back as the right that was exercised, with its receipt to the microsecond (Art. 12(3))."""
    back = from_json(to_json(request), SubjectRequest)
    assert type(back) is type(request)
    assert back == request
    assert back.received_at.tzinfo is UTC


@given(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=100), st.dates())
def test_a_register_comes_back(contact_point: str, version: date) -> None:
    """The notice survives being kept, each purpose, line, category, role and label of it (notice, head)."""
    register = evolve(kela_register(contact_point=contact_point), version=version)
    assert from_json(to_json(register), Register) == register


@given(staff_ids(), st.sets(st.sampled_from(["adviser", "operator", "registry-officer"])))
def test_a_staff_member_comes_back(staff_id: object, roles: set[str]) -> None:
    """Roles, commitments and duties survive being kept (notice, section 10)."""
    member = make_staff_member(id=staff_id, roles=roles)
    assert from_json(to_json(member), StaffMember) == member


@given(contacts())
def test_one_value_has_one_form(contact: Contact) -> None:
    """Equal values are equal documents: sorted keys, UTC instants, UTF-8."""
    again = evolve(contact, started_at=contact.started_at.astimezone())
    assert to_json(again) == to_json(contact)
    assert list(json.loads(to_json(contact))) == sorted(json.loads(to_json(contact)))


def test_letters_stay_letters() -> None:
    """Finnish letters are kept as UTF-8, not as escapes, so that a person can read an export (Art. 12(1))."""
    assert "Hyvää päivää, äiti!".encode() in to_json(make_chat("Hyvää päivää, äiti!"))


def test_an_instant_is_kept_to_the_microsecond() -> None:
    """No instant loses a microsecond."""
    at = datetime(2026, 3, 5, 8, 0, 0, 1, tzinfo=UTC)
    assert from_json(to_json(make_contact(started_at=at)), Contact).started_at == at


GOOD: Final = to_json(make_contact(customer=make_person()))
SECRET: Final = "140281"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"7",
        b"\xff\xfe",
        GOOD[:-1],
        GOOD.replace(b"customer-call", b"customer-fax"),
        GOOD.replace(b"-900", b"-901"),
        GOOD.replace(b'"in"', b'"up"'),
        GOOD.replace(b"+00:00", b""),
        GOOD.replace(b"2026-03-05", b"2026-02-30"),
    ],
)
def test_what_is_no_such_value_is_an_integrity_error(content: bytes) -> None:
    """A document that holds no valid value is refused by name, and nothing of what it holds is repeated."""
    with pytest.raises(IntegrityError) as caught:
        from_json(content, Contact)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("kind", ["", "fax", None, 7, [], {}])
def test_an_unknown_right_is_an_integrity_error(kind: object) -> None:
    """A request of a kind that the law does not know is refused by name."""
    plain = json.loads(
        to_json(AccessRequest(person=make_person(), channel="telephone", received_at=datetime(2026, 3, 5, tzinfo=UTC)))
    )
    with pytest.raises(IntegrityError):
        from_json(json.dumps(plain | {"kind": kind}).encode(), SubjectRequest)
