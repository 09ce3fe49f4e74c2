"""Persons, and those who act: staff members and named systems.

No ``repr`` here shows a name, a number or an address whole: logs and tracebacks print what ``repr`` gives.
"""

import re
from collections.abc import Iterable

from attrs import field, frozen
from attrs.validators import deep_iterable, instance_of, optional

from kelarec.domain.free_text import require_text
from kelarec.domain.identity_code import PersonalIdentityCode, contains_identity_code
from kelarec.errors import InvalidPhoneNumberError, InvalidValueError

_STAFF_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_SYSTEM = re.compile(r"[a-z][a-z0-9-]{0,62}(@[a-z0-9][a-z0-9.-]{0,62})?\Z")
_EMAIL = re.compile(r"[^\s@]{1,64}@([^\s@.]+\.)+[^\s@.]{2,63}\Z")


def _to_e164(text: object) -> str:
    import phonenumbers  # noqa: PLC0415  only those who hold telephone numbers pay for its tables

    if not isinstance(text, str):
        raise InvalidPhoneNumberError("A telephone number is given as text.")
    try:
        number = phonenumbers.parse(text, "FI")
    except phonenumbers.NumberParseException:
        raise InvalidPhoneNumberError("The text cannot be read as a telephone number.") from None
    if not phonenumbers.is_possible_number(number):
        raise InvalidPhoneNumberError("The telephone number has too many or too few digits.")
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


@frozen(repr=False)
class PhoneNumber:
    """A telephone number in E.164 form; numbers without a country prefix are read as Finnish.

    Raises:
        InvalidPhoneNumberError: The text is no telephone number. The text is not repeated.
    """

    text: str = field(converter=_to_e164)

    def __repr__(self) -> str:
        return f"PhoneNumber('{self.text[:4]}…{self.text[-2:]}')"

    __str__ = __repr__


def to_service_number(text: str) -> str:
    """Return a number of the authority's own in one form: E.164, or the digits of a short number."""
    try:
        return _to_e164(text)
    except InvalidPhoneNumberError:
        return "".join(each for each in text if each.isdecimal()) or text


def _to_email(text: object) -> str:
    if not isinstance(text, str) or not _EMAIL.match(text.strip()):
        raise InvalidValueError("The text is no e-mail address.", advice="It is never repeated in an error.")
    return text.strip().lower()


@frozen(repr=False)
class EmailAddress:
    """An e-mail address in lower case.

    Raises:
        InvalidValueError: The text is no e-mail address. The text is not repeated.
    """

    text: str = field(converter=_to_email)

    def __repr__(self) -> str:
        return "EmailAddress('…')"

    __str__ = __repr__


def _to_line(text: object) -> str:
    return require_text(text, "line of the address")


@frozen(repr=False)
class Address:
    """A postal address.

    Raises:
        InvalidValueError: A line is empty or too long.
    """

    street: str = field(converter=_to_line)
    postal_code: str = field(converter=_to_line)
    city: str = field(converter=_to_line)
    country: str = field(default="FI", converter=_to_line)

    def __repr__(self) -> str:
        return "Address('…')"


def _to_former(codes: Iterable[PersonalIdentityCode]) -> tuple[PersonalIdentityCode, ...]:
    return tuple(codes)


@frozen(repr=False)
class Person:
    """The data subject (rekisteröity), known by as much as the contact told.

    Attributes:
        former_identity_codes: Those the person had before the present one; the person is found by them as well.

    Raises:
        InvalidValueError: Nothing at all is known, so nobody could ever be found by it.
    """

    name: str | None = field(default=None, kw_only=True)
    identity_code: PersonalIdentityCode | None = field(
        default=None, kw_only=True, validator=optional(instance_of(PersonalIdentityCode))
    )
    phone_number: PhoneNumber | None = field(default=None, kw_only=True, validator=optional(instance_of(PhoneNumber)))
    email: EmailAddress | None = field(default=None, kw_only=True, validator=optional(instance_of(EmailAddress)))
    address: Address | None = field(default=None, kw_only=True, validator=optional(instance_of(Address)))
    former_identity_codes: tuple[PersonalIdentityCode, ...] = field(
        default=(), kw_only=True, converter=_to_former, validator=deep_iterable(instance_of(PersonalIdentityCode))
    )

    def __attrs_post_init__(self) -> None:
        if self.name is not None:
            require_text(self.name, "name")
        if not any((self.name, self.address, *self.identifiers)):
            raise InvalidValueError(
                "A person of whom nothing is known cannot be recorded.", advice="Leave the person out instead."
            )

    @property
    def identifiers(self) -> "tuple[Identifier, ...]":
        """What the person can be found by, in a fixed order."""
        known = (self.identity_code, *self.former_identity_codes, self.phone_number, self.email)
        return tuple(each for each in known if each is not None)

    def __repr__(self) -> str:
        return f"Person(identity_code={self.identity_code!r})"


Identifier = PersonalIdentityCode | PhoneNumber | EmailAddress


@frozen
class StaffId:
    """The authority's own id of a staff member, such as a user name; not an identity code.

    Raises:
        InvalidValueError: The text has other characters than ASCII letters, digits, dots, hyphens, underscores.
    """

    text: str = field()

    @text.validator
    def _is_staff_id(self, _: object, value: object) -> None:
        if not isinstance(value, str) or not _STAFF_ID.match(value):
            raise InvalidValueError(
                "The staff id is not one.", advice="Use the user name, at most 64 ASCII characters."
            )
        if contains_identity_code(value):
            raise InvalidValueError("The staff id is an identity code.", advice="Use the user name instead.")

    def __str__(self) -> str:
        return self.text


@frozen
class System:
    """A named system that acts by itself, such as ``recorder@node1``.

    Raises:
        InvalidValueError: The name is not lower-case letters, digits and hyphens with an optional ``@host``.
    """

    name: str = field()

    @name.validator
    def _is_system(self, _: object, value: object) -> None:
        if not isinstance(value, str) or not _SYSTEM.match(value):
            raise InvalidValueError("The system's name is not one.", advice="Name it like sweep@node1.")

    def __str__(self) -> str:
        return f"system:{self.name}"


Actor = StaffId | System
