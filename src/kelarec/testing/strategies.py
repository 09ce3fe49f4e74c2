"""Hypothesis strategies for kelarec's public values."""

from hypothesis import strategies as st

from kelarec.domain.chat import Chat, Message
from kelarec.domain.codes import Direction, Kind
from kelarec.domain.contact import Contact
from kelarec.domain.people import Address, EmailAddress, Person, PhoneNumber, StaffId
from kelarec.testing._domain_strategies import identity_codes, instants
from kelarec.testing._register_strategies import labels, registers
from kelarec.testing.builders import make_contact

__all__ = [
    "addresses",
    "chats",
    "contacts",
    "email_addresses",
    "identity_codes",
    "instants",
    "labels",
    "persons",
    "phone_numbers",
    "registers",
    "staff_ids",
]

_ASCII = "abcdefghijklmnopqrstuvwxyz0123456789"


def _words(longest: int = 40) -> st.SearchStrategy[str]:
    visible = st.characters(categories=["L", "N"])
    return st.text(visible, min_size=1, max_size=longest)


def phone_numbers() -> st.SearchStrategy[PhoneNumber]:
    """Finnish mobile numbers."""
    return st.integers(0, 9_999_999).map(lambda number: PhoneNumber(f"+35850{number:07}"))


def email_addresses() -> st.SearchStrategy[EmailAddress]:
    """Addresses under the reserved name example.org."""
    return st.text(_ASCII, min_size=1, max_size=20).map(lambda name: EmailAddress(f"{name}@example.org"))


def addresses() -> st.SearchStrategy[Address]:
    """Postal addresses in Finland."""
    return st.builds(Address, _words(), st.integers(0, 99_999).map(lambda code: f"{code:05}"), _words())


def persons() -> st.SearchStrategy[Person]:
    """Invented persons, known by an identity code and perhaps more."""
    return st.builds(
        Person,
        name=st.none() | _words(),
        identity_code=identity_codes(),
        phone_number=st.none() | phone_numbers(),
        email=st.none() | email_addresses(),
        address=st.none() | addresses(),
    )


def staff_ids() -> st.SearchStrategy[StaffId]:
    """User names."""
    return st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=12).map(StaffId)


@st.composite
def contacts(draw: st.DrawFn) -> Contact:
    """Contacts that Kela's notice covers."""
    kind = draw(st.sampled_from(Kind))
    two_ways = kind is Kind.CUSTOMER_CALL
    return make_contact(
        kind=kind,
        direction=draw(st.sampled_from(Direction)) if two_ways else Direction.INBOUND,
        started_at=draw(instants()),
        customer=draw(st.none() | persons()),
        adviser_id=draw(st.none() | staff_ids()),
        support_expert_id=draw(st.none() | staff_ids()) if kind.is_support else None,
        others=tuple(draw(st.lists(persons(), max_size=2))),
        matter=draw(st.none() | st.integers(1, 9999).map(lambda number: f"KELA-2026-{number}")),
        unit=draw(st.none() | st.integers(1, 99).map(lambda number: f"unit-{number}")),
    )


def chats() -> st.SearchStrategy[Chat]:
    """Chats of up to ten messages in any script."""
    said = st.text(min_size=1, max_size=200).filter(lambda text: bool(text.strip()) and _is_unicode(text))
    message = st.builds(Message, instants(), st.sampled_from(["customer", "adviser"]), said)
    return st.lists(message, min_size=1, max_size=10).map(
        lambda messages: Chat(tuple(sorted(messages, key=lambda each: each.sent_at)))
    )


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
