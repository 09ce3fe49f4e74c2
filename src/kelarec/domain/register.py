"""The register (rekisteri): what a privacy notice says, as values that the software obeys."""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Any, Final

from attrs import Attribute, field, frozen
from attrs.validators import deep_iterable, instance_of, min_len, optional

from kelarec.domain.codes import Direction, Kind, is_code, to_codes
from kelarec.domain.contact import Contact
from kelarec.domain.eea import require_eea
from kelarec.domain.free_text import require_text
from kelarec.domain.instants import helsinki_date
from kelarec.domain.restricted_use import RestrictedUse
from kelarec.domain.retention import RetentionPolicy
from kelarec.domain.staff_acts import Act
from kelarec.errors import InvalidValueError, OutsideNoticeError, UnknownLineError


def _filled(text: object) -> str:
    return require_text(text, "text")


def _filled_or_none(text: object) -> str | None:
    return None if text is None else _filled(text)


def _to_country(country: object) -> str:
    return require_eea(country, "controller")


@frozen
class Label:
    """A text in Finnish, Swedish and English."""

    fi: str = field(converter=_filled)
    sv: str = field(converter=_filled)
    en: str = field(converter=_filled)


@frozen(kw_only=True)
class Controller:
    """The controller (rekisterinpitäjä; notice, section 1)."""

    name: str = field(converter=_filled)
    short_name: str = field(converter=_filled)
    postal_address: str = field(converter=_filled)
    visiting_address: str = field(converter=_filled)
    telephone: str = field(converter=_filled)
    url: str = field(converter=_filled)
    country: str = field(default="FI", converter=_to_country)


@frozen(kw_only=True)
class ContactPoint:
    """Whom to ask about the register: a person or a function (notice, section 2)."""

    name: str = field(converter=_filled)
    telephone: str = field(converter=_filled)
    email: str | None = field(default=None, converter=_filled_or_none)


class Rank(StrEnum):
    """Whether a purpose is the first or a further one (notice, section 4)."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    STATUTORY = "statutory"


DATA_SUBJECT_RIGHT: Final = "data-subject-right"
LEGAL_CLAIM: Final = "legal-claim"
STATUTORY_PURPOSES: Final = frozenset({DATA_SUBJECT_RIGHT, LEGAL_CLAIM})
"""What the law demands or allows whatever a notice says (Chapter III of the Regulation; Art. 17(3)(e), 18(2))."""


@frozen(kw_only=True)
class Purpose:
    """Why recordings are used (käyttötarkoitus; notice, section 4).

    Attributes:
        legal_basis: In the notice's words.
        article_6: The letter of Art. 6(1), which the notice leaves open, or None.
        shows_masked_only: Whether those who work for it see masked details and masked copies only, and look nobody up.
    """

    code: str = field(validator=is_code)
    label: Label = field(validator=instance_of(Label))
    rank: Rank = field(converter=Rank)
    legal_basis: Label = field(validator=instance_of(Label))
    article_6: str | None = field(default=None, converter=_filled_or_none)
    shows_masked_only: bool = field(default=False, validator=instance_of(bool))


class Coverage(StrEnum):
    """How many of a line's contacts are recorded (notice, section 5)."""

    ALL = "all"
    SOME = "some"


def _to_kinds(kinds: Iterable[str]) -> frozenset[Kind]:
    return frozenset(Kind(each) for each in kinds)


def _to_directions(directions: Iterable[str]) -> frozenset[Direction]:
    return frozenset(Direction(each) for each in directions)


@frozen(kw_only=True)
class Line:
    """A number or page that contacts come through, and what of it the notice covers (notice, section 5)."""

    code: str = field(validator=is_code)
    label: Label = field(validator=instance_of(Label))
    kinds: frozenset[Kind] = field(converter=_to_kinds, validator=min_len(1))
    directions: frozenset[Direction] = field(converter=_to_directions, validator=min_len(1))
    coverage: Coverage = field(converter=Coverage)


@frozen(kw_only=True)
class Category:
    """A kind of personal data that recordings hold (tietoryhmä; notice, section 5)."""

    code: str = field(validator=is_code)
    label: Label = field(validator=instance_of(Label))


def _to_acts(acts: Iterable[str]) -> frozenset[Act]:
    return frozenset(Act(each) for each in acts)


def _to_restricted_uses(uses: Iterable[str]) -> frozenset[RestrictedUse]:
    return frozenset(RestrictedUse(each) for each in uses)


@frozen(kw_only=True)
class Role:
    """What a staff role may do, and for which purposes (käyttöoikeudet; notice, section 10).

    Attributes:
        acts: What it may do.
        purposes: What for.
        restricted_uses: For which uses of Art. 18(2) it may use restricted recordings.
    """

    code: str = field(validator=is_code)
    label: Label = field(validator=instance_of(Label))
    acts: frozenset[Act] = field(converter=_to_acts)
    purposes: frozenset[str] = field(converter=to_codes)
    restricted_uses: frozenset[RestrictedUse] = field(default=frozenset(), converter=_to_restricted_uses)

    def grants(self, act: Act, purpose: str) -> bool:
        """Whether it may do an act for a purpose."""
        return act in self.acts and purpose in self.purposes


@frozen(kw_only=True)
class Channel:
    """A way by which a request reaches the controller (notice, sections 11 to 13)."""

    code: str = field(validator=is_code)
    label: Label = field(validator=instance_of(Label))


def _to_texts(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(_filled(text) for text in texts)


def _to_labels(labels: Iterable[Label]) -> tuple[Label, ...]:
    return tuple(labels)


def _codes_are_unique(_: object, attribute: "Attribute[Any]", values: tuple[Any, ...]) -> None:
    codes = [each.code for each in values]
    twice = sorted({code for code in codes if codes.count(code) > 1})
    if twice:
        raise InvalidValueError(f"The register declares twice among its {attribute.name}: {', '.join(twice)}.")


def _declarations(kind: type) -> Any:  # noqa: ANN401  attrs' field() is typed by its use
    checks: list[Any] = [min_len(1), deep_iterable(instance_of(kind)), _codes_are_unique]
    return field(converter=tuple, validator=checks)


@frozen(kw_only=True)
class Register:
    """A privacy notice as data, which an archive obeys; each recording names the version it was made under.

    Attributes:
        name: Letter by letter as published (notice, section 3).
        version: The date of the notice.
        retention: How long recordings are kept (notice, section 9).
        log_retention: How long log entries tell whom they concern; the notice is silent, so this is configuration.
        disclosure_retention: How long the register of disclosures is kept, from each disclosure on; configuration, too.
        regular_disclosures: Standing recipients (notice, section 7).
        transfers: Countries outside the EU/EEA (notice, section 8).

    Raises:
        InvalidValueError: A part is missing or declared twice, or a role serves an undeclared purpose.
    """

    name: str = field(converter=_filled)
    version: date = field(validator=instance_of(date))
    controller: Controller = field(validator=instance_of(Controller))
    contact_point: ContactPoint = field(validator=instance_of(ContactPoint))
    data_protection_officer: ContactPoint | None = field(default=None, validator=optional(instance_of(ContactPoint)))
    purposes: tuple[Purpose, ...] = _declarations(Purpose)
    lines: tuple[Line, ...] = _declarations(Line)
    categories: tuple[Category, ...] = _declarations(Category)
    sources: tuple[Label, ...] = field(converter=_to_labels, validator=deep_iterable(instance_of(Label)))
    regular_disclosures: tuple[str, ...] = field(default=(), converter=_to_texts)
    transfers: tuple[str, ...] = field(default=(), converter=_to_texts)
    retention: RetentionPolicy = field(validator=instance_of(RetentionPolicy))
    log_retention: RetentionPolicy = field(validator=instance_of(RetentionPolicy))
    disclosure_retention: RetentionPolicy = field(
        default=RetentionPolicy(years=5), validator=instance_of(RetentionPolicy)
    )
    protection: tuple[Label, ...] = field(converter=_to_labels, validator=deep_iterable(instance_of(Label)))
    roles: tuple[Role, ...] = _declarations(Role)
    channels: tuple[Channel, ...] = _declarations(Channel)
    supervisory_authority: Label = field(validator=instance_of(Label))

    def __attrs_post_init__(self) -> None:
        declared = STATUTORY_PURPOSES | {purpose.code for purpose in self.purposes}
        for role in self.roles:
            if unknown := sorted(role.purposes - declared):
                raise InvalidValueError(
                    f"The role {role.code} serves purposes that the register does not declare: {', '.join(unknown)}."
                )

    def require_covers(self, contact: Contact) -> None:
        """Check that the notice says such a contact may be recorded (section 5).

        Raises:
            UnknownLineError: The register declares no such line.
            OutsideNoticeError: The line carries no such kind or direction, or the contact is older than the notice.
        """
        line = next((each for each in self.lines if each.code == contact.line), None)
        if line is None:
            raise UnknownLineError(f"The register declares no line {contact.line}.")
        if contact.kind not in line.kinds or contact.direction not in line.directions:
            raise OutsideNoticeError(
                f"The notice covers no {contact.kind} in direction {contact.direction} on the line {line.code}."
            )
        if helsinki_date(contact.started_at) < self.version:
            raise OutsideNoticeError(f"The contact is older than the notice of {self.version.isoformat()}.")

    def has_purpose(self, code: str) -> bool:
        """Whether the notice or the law declares a purpose."""
        return code in STATUTORY_PURPOSES or any(purpose.code == code for purpose in self.purposes)

    def shows_masked_only(self, purpose_code: str) -> bool:
        """Whether a purpose is one for which only masked copies are seen, such as training (notice, section 4)."""
        return any(each.shows_masked_only for each in self.purposes if each.code == purpose_code)

    def find_role(self, code: str) -> Role | None:
        """Return a declared role, or None."""
        return next((role for role in self.roles if role.code == code), None)

    def has_channel(self, code: str) -> bool:
        """Whether requests may reach the controller by a channel."""
        return any(channel.code == code for channel in self.channels)
