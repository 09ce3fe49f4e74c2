"""The facts that a privacy notice states and that no part of the software obeys: who, whence, whereto, which rights.

What the archive obeys (purposes, lines, roles, channels, retention) stands in `kelarec.domain.register`.
"""

from collections.abc import Iterable, Sized
from datetime import date
from typing import Any, Final

from attrs import Attribute, field, frozen
from attrs.validators import deep_iterable, instance_of, optional

from kelarec.domain.codes import Kind, is_code, require_code
from kelarec.domain.eea import require_eea
from kelarec.domain.free_text import require_text
from kelarec.errors import InvalidValueError

RIGHTS: Final = (15, 16, 17, 18, 20, 21)
"""The articles of Chapter III under which a person asks something of the controller."""


def to_text(text: object) -> str:
    """Return a filled text without the blanks around it."""
    return require_text(text, "text")


def to_text_or_none(text: object) -> str | None:
    """Return a filled text, or None."""
    return None if text is None else to_text(text)


def is_not_empty(_: object, attribute: "Attribute[Any]", values: Sized) -> None:
    """Validate an attrs field that holds at least one thing."""
    if not len(values):
        raise InvalidValueError(f"There are none of the {attribute.name}.", advice="Name at least one.")


def is_web_address(_: object, attribute: "Attribute[Any]", value: str) -> None:
    """Validate an attrs field that holds an address on the web: it becomes a link, so nothing but http and https."""
    if not value.startswith(("http://", "https://")) or " " in value:
        raise InvalidValueError(
            f"The {attribute.name} is no address on the web.", advice="Begin it with https:// or http://."
        )


def _to_country(country: object) -> str:
    return require_eea(country, "controller")


@frozen
class Label:
    """A text in Finnish, Swedish and English."""

    fi: str = field(converter=to_text)
    sv: str = field(converter=to_text)
    en: str = field(converter=to_text)


def _to_labels(labels: Iterable[Label]) -> tuple[Label, ...]:
    return tuple(labels)


@frozen(kw_only=True)
class Validity:
    """From which Helsinki date through which one a fact holds; None is an open end.

    Raises:
        InvalidValueError: It ends before it begins.
    """

    from_on: date | None = field(default=None, validator=optional(instance_of(date)))
    through_on: date | None = field(default=None, validator=optional(instance_of(date)))

    def __attrs_post_init__(self) -> None:
        if self.from_on is not None and self.through_on is not None and self.through_on < self.from_on:
            raise InvalidValueError("A validity ends before it begins.")

    def holds(self, on: date) -> bool:
        """Whether the fact holds on a Helsinki date."""
        return (self.from_on is None or self.from_on <= on) and (self.through_on is None or on <= self.through_on)


ALWAYS: Final = Validity()


@frozen(kw_only=True)
class Controller:
    """The controller (rekisterinpitäjä; notice, section 1)."""

    name: Label = field(validator=instance_of(Label))
    short_name: Label = field(validator=instance_of(Label))
    postal_address: Label = field(validator=instance_of(Label))
    visiting_address: Label = field(validator=instance_of(Label))
    telephone: str = field(converter=to_text)
    url: str = field(converter=to_text, validator=is_web_address)
    country: str = field(default="FI", converter=_to_country)


@frozen(kw_only=True)
class ContactPoint:
    """Whom to ask: a person or a function (notice, section 2).

    Attributes:
        is_switchboard: Whether the telephone number is that of a switchboard (vaihde).
        valid: When they are the one to ask.
    """

    name: str = field(converter=to_text)
    telephone: str = field(converter=to_text)
    is_switchboard: bool = field(default=False, validator=instance_of(bool))
    email: str | None = field(default=None, converter=to_text_or_none)
    valid: Validity = field(default=ALWAYS, validator=instance_of(Validity))


@frozen(kw_only=True)
class Task:
    """The statutory task that all processing serves, and what belongs to it (notice, section 4)."""

    label: Label = field(validator=instance_of(Label))
    parts: tuple[Label, ...] = field(default=(), converter=_to_labels, validator=deep_iterable(instance_of(Label)))


def _to_kinds(kinds: Iterable[str]) -> frozenset[Kind]:
    return frozenset(Kind(each) for each in kinds)


@frozen(kw_only=True)
class Source:
    """Who gives the data, in which kinds of contact (tietolähde; notice, section 6).

    Attributes:
        label: The term of section 6.
        content_label: The term by which section 5 calls the same people, if it is another one.
    """

    code: str = field(validator=is_code)
    label: Label = field(validator=instance_of(Label))
    content_label: Label | None = field(default=None, validator=optional(instance_of(Label)))
    kinds: frozenset[Kind] = field(converter=_to_kinds, validator=is_not_empty)
    valid: Validity = field(default=ALWAYS, validator=instance_of(Validity))


@frozen(kw_only=True)
class PersonGroup:
    """Whom the data are about (rekisteröityjen ryhmä): customers, or staff whose voices are recorded, too."""

    code: str = field(validator=is_code)
    label: Label = field(validator=instance_of(Label))
    is_staff: bool = field(default=False, validator=instance_of(bool))
    valid: Validity = field(default=ALWAYS, validator=instance_of(Validity))


@frozen(kw_only=True)
class Disclosure:
    """A regular disclosure (säännönmukainen luovutus; notice, section 7): to whom, what, and on what ground."""

    code: str = field(validator=is_code)
    recipient: Label = field(validator=instance_of(Label))
    items: Label = field(validator=instance_of(Label))
    ground: Label = field(validator=instance_of(Label))
    valid: Validity = field(default=ALWAYS, validator=instance_of(Validity))


def _to_code_list(codes: Iterable[str]) -> tuple[str, ...]:
    if isinstance(codes, str):
        raise InvalidValueError("One text stands where several codes belong.", advice="Put it into a list.")
    listed = tuple(require_code(code, "code") for code in codes)
    if len(set(listed)) != len(listed):
        raise InvalidValueError("A code stands twice in one list.")
    return listed


@frozen(kw_only=True)
class SubjectRight:
    """A right of the person, and how it is exercised (notice, sections 11 to 13).

    Attributes:
        article: Of the General Data Protection Regulation.
        channels: The codes of the channels that a request may come by, in the order of the notice.
        request_states: What a request must state.
        exception: What the right does not reach.
    """

    article: int = field()
    channels: tuple[str, ...] = field(converter=_to_code_list, validator=is_not_empty)
    request_states: tuple[Label, ...] = field(
        default=(), converter=_to_labels, validator=deep_iterable(instance_of(Label))
    )
    exception: Label | None = field(default=None, validator=optional(instance_of(Label)))
    valid: Validity = field(default=ALWAYS, validator=instance_of(Validity))

    @article.validator
    def _is_a_right(self, _: object, value: object) -> None:
        if isinstance(value, bool) or value not in RIGHTS:
            raise InvalidValueError(
                "The article gives a person no right to ask for something.",
                advice=f"Use one of: {', '.join(str(each) for each in RIGHTS)}.",
            )

    @property
    def code(self) -> str:
        """What tells it from the others."""
        return f"article-{self.article}"
