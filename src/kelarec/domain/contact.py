"""A contact: what is known when a call or chat starts."""

from collections.abc import Iterable
from datetime import datetime

from attrs import field, frozen
from attrs.validators import deep_iterable, instance_of, optional

from kelarec.domain.codes import Direction, Kind, is_code, to_direction, to_kind
from kelarec.domain.free_text import require_impersonal, require_text
from kelarec.domain.instants import to_utc
from kelarec.domain.people import Person, StaffId
from kelarec.domain.references import ContactId, MatterReference, SearchTerm
from kelarec.errors import InvalidValueError


def _to_contact_id(text: object) -> str:
    return require_text(text, "contact id")


def _to_matter(text: object) -> str | None:
    return None if text is None else require_impersonal(text, "matter")


def _to_service_number(text: object) -> str | None:
    return None if text is None else require_text(text, "service number")


def _to_persons(persons: Iterable[Person]) -> tuple[Person, ...]:
    return tuple(persons)


@frozen(kw_only=True)
class Contact:
    """One call or chat as the contact centre knows it when it starts.

    Attributes:
        contact_id: The contact centre's own id; kept sealed, so whatever it is made of is no reason to refuse it.
        kind: Call or chat, with a customer or with back-office support.
        direction: Who began it, seen from the authority.
        line: The code of the line it came through, declared in the register.
        started_at: When it started, an aware instant, kept as UTC.
        customer: Who is served, or whom a support contact is about.
        adviser_id: Who serves the customer, or consults support.
        support_expert_id: Who is consulted in a support contact.
        others: Further persons who take part, such as an interpreter.
        matter: The case it belongs to, without a person's identifier.
        unit: The authority's code of the unit that took it, so that the unit's supervisor has a duty for it.
        service_number: Which of the line's numbers it came through or was made from, where a line has several.

    Raises:
        NaiveInstantError: The instant has no time zone.
        LooksLikeIdentifierError: The matter looks like it names a person.
        InvalidValueError: A customer contact names a support expert.
    """

    contact_id: str = field(converter=_to_contact_id)
    kind: Kind = field(converter=to_kind)
    direction: Direction = field(default=Direction.INBOUND, converter=to_direction)
    line: str = field(validator=is_code)
    started_at: datetime = field(converter=to_utc)
    customer: Person | None = field(default=None, validator=optional(instance_of(Person)))
    adviser_id: StaffId | None = field(default=None, validator=optional(instance_of(StaffId)))
    support_expert_id: StaffId | None = field(default=None, validator=optional(instance_of(StaffId)))
    others: tuple[Person, ...] = field(default=(), converter=_to_persons, validator=deep_iterable(instance_of(Person)))
    matter: str | None = field(default=None, converter=_to_matter)
    unit: str | None = field(default=None, validator=optional(is_code))
    service_number: str | None = field(default=None, converter=_to_service_number)

    def __attrs_post_init__(self) -> None:
        if self.support_expert_id is not None and not self.kind.is_support:
            raise InvalidValueError(
                "A customer contact names a support expert.",
                advice="Record the consultation as a support contact of its own.",
            )

    @property
    def persons(self) -> tuple[Person, ...]:
        """Everyone the contact is about; advisers and support experts are staff and not among them."""
        return (() if self.customer is None else (self.customer,)) + self.others

    @property
    def search_terms(self) -> tuple[SearchTerm, ...]:
        """Everything the contact can be found by, in a fixed order."""
        of_persons = tuple(identifier for person in self.persons for identifier in person.identifiers)
        of_case = () if self.matter is None else (MatterReference(self.matter),)
        return (*of_persons, *of_case, ContactId(self.contact_id))
