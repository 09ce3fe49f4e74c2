"""References to a case or contact, by which recordings are found like by a person's identifier."""

from attrs import field, frozen

from kelarec.domain.free_text import require_impersonal, require_text
from kelarec.domain.people import Identifier


def _to_matter(text: object) -> str:
    return require_impersonal(text, "matter")


def _to_contact_id(text: object) -> str:
    return require_text(text, "contact id")


@frozen
class MatterReference:
    """The case that a contact belongs to, without a person's identifier.

    Raises:
        InvalidValueError: The text is empty, too long, or holds control characters.
        LooksLikeIdentifierError: It looks like it names a person.
    """

    text: str = field(converter=_to_matter)


@frozen(repr=False)
class ContactId:
    """The contact centre's own id of a contact; it may be made of anything, so it is never shown.

    Raises:
        InvalidValueError: The text is empty, too long, or holds control characters.
    """

    text: str = field(converter=_to_contact_id)

    def __repr__(self) -> str:
        return "ContactId('…')"

    __str__ = __repr__


SearchTerm = Identifier | MatterReference | ContactId
