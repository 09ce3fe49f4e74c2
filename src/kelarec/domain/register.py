"""The register (rekisteri): what a privacy notice says, as values that the software obeys."""

from collections.abc import Callable, Iterable
from datetime import date
from enum import StrEnum
from typing import Any, Final

from attrs import asdict, evolve, field, frozen
from attrs.validators import deep_iterable, instance_of, optional

from kelarec.domain.capture_plan import CaptureDecision, CaptureRule, decide_capture, find_bar
from kelarec.domain.codes import Kind, is_code, to_codes
from kelarec.domain.contact import Contact
from kelarec.domain.eea import require_eea
from kelarec.domain.lines import Line
from kelarec.domain.notice_facts import (
    ALWAYS,
    ContactPoint,
    Controller,
    Disclosure,
    Label,
    PersonGroup,
    Source,
    SubjectRight,
    Task,
    Validity,
    is_not_empty,
    is_web_address,
    to_text,
    to_text_or_none,
)
from kelarec.domain.register_rules import STATUTORY_PURPOSES, iter_contradictions
from kelarec.domain.restricted_use import RestrictedUse
from kelarec.domain.retention import KindRetention, RetentionPolicy
from kelarec.domain.staff_acts import Act
from kelarec.errors import InvalidValueError, OutsideNoticeError, UnknownLineError

ARTICLE_6: Final = ("a", "b", "c", "d", "e", "f")
"""The letters of Art. 6(1): consent, contract, legal obligation, vital interests, public task, legitimate interests."""


class Rank(StrEnum):
    """Whether a purpose is the first or a further one (notice, section 4)."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    STATUTORY = "statutory"


def _is_letter_of_article_6(_: object, __: object, value: str) -> None:
    if value not in ARTICLE_6:
        raise InvalidValueError("There is no such letter in Art. 6(1).", advice=f"Use one of: {', '.join(ARTICLE_6)}.")


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
    article_6: str | None = field(default=None, validator=optional(_is_letter_of_article_6))
    valid: Validity = field(default=ALWAYS, validator=instance_of(Validity))
    shows_masked_only: bool = field(default=False, validator=instance_of(bool))


@frozen(kw_only=True)
class Category:
    """A kind of personal data that recordings hold (tietoryhmä; notice, section 5).

    Attributes:
        group: Under which heading the notice lists it, if under any.
    """

    code: str = field(validator=is_code)
    label: Label = field(validator=instance_of(Label))
    group: Label | None = field(default=None, validator=optional(instance_of(Label)))
    valid: Validity = field(default=ALWAYS, validator=instance_of(Validity))


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
    """A way by which a request reaches the controller (notice, sections 11 to 13).

    Attributes:
        url: Where to find it, or how to reach it, on the web.
        served_by: The codes of the roles whose staff take in what comes by it.
    """

    code: str = field(validator=is_code)
    label: Label = field(validator=instance_of(Label))
    url: str | None = field(default=None, converter=to_text_or_none, validator=optional(is_web_address))
    served_by: frozenset[str] = field(converter=to_codes, validator=is_not_empty)
    valid: Validity = field(default=ALWAYS, validator=instance_of(Validity))


def _to_eea_countries(countries: Iterable[str]) -> tuple[str, ...]:
    if isinstance(countries, str):
        raise InvalidValueError("One text stands where several countries belong.", advice="Put it into a list.")
    return tuple(require_eea(country, "processing") for country in countries)


def _declarations(kind: type) -> Any:  # noqa: ANN401  attrs' field() is typed by its use
    checks: list[Any] = [is_not_empty, deep_iterable(instance_of(kind))]
    return field(converter=tuple, validator=checks)


def _further(kind: type) -> Any:  # noqa: ANN401  attrs' field() is typed by its use
    return field(default=(), converter=tuple, validator=deep_iterable(instance_of(kind)))


@frozen(kw_only=True)
class Register:
    """A privacy notice as data, which an archive obeys; each recording names the version it was made under.

    Attributes:
        name: Letter by letter as published (notice, section 3).
        title: The heading of the notice.
        version: The date of the notice, which it holds from.
        contact_points: Whom to ask, each with its time (notice, section 2).
        data_protection_officers: Art. 37; apart from the contact points, each with its time.
        task: The statutory task that the processing serves (notice, section 4).
        automated_decisions: What Art. 13(2)(f) wants said, or None where the notice is silent.
        is_automatic: Whether contacts are recorded without anybody starting it (notice, section 5).
        categories_are_examples: Whether the list of categories is open (notice, section 5).
        data_subjects: Whom the data are about, where the notice says so.
        obligation_to_provide: What Art. 13(2)(e) wants said, or None where the notice is silent.
        regular_disclosures: Standing recipients (notice, section 7).
        processing_countries: Where the data lie, where the notice says so. Each is in the EU/EEA, so a register that
            transfers data out of it (notice, section 8) cannot be built.
        retention: How long recordings are kept (notice, section 9).
        kind_retention: The kinds that are kept for another time than that, each at most once.
        retention_starts: From when, in words, where the notice says so; the archive counts from the contact's start.
        log_retention: How long log entries tell whom they concern; the notice is silent, so this is configuration.
        disclosure_retention: How long the register of disclosures is kept, from each disclosure on; configuration, too.
        rights: Each with its channels (notice, sections 11 to 13).
        notice_url: Where the notice is published.

    Raises:
        InvalidValueError: A part is missing, or two parts contradict each other.
    """

    name: str = field(converter=to_text)
    title: Label = field(validator=instance_of(Label))
    version: date = field(validator=instance_of(date))
    controller: Controller = field(validator=instance_of(Controller))
    contact_points: tuple[ContactPoint, ...] = _declarations(ContactPoint)
    data_protection_officers: tuple[ContactPoint, ...] = _further(ContactPoint)
    task: Task = field(validator=instance_of(Task))
    purposes: tuple[Purpose, ...] = _declarations(Purpose)
    automated_decisions: Label | None = field(default=None, validator=optional(instance_of(Label)))
    lines: tuple[Line, ...] = _declarations(Line)
    is_automatic: bool = field(default=True, validator=instance_of(bool))
    categories: tuple[Category, ...] = _declarations(Category)
    categories_are_examples: bool = field(default=False, validator=instance_of(bool))
    data_subjects: tuple[PersonGroup, ...] = _further(PersonGroup)
    sources: tuple[Source, ...] = _declarations(Source)
    obligation_to_provide: Label | None = field(default=None, validator=optional(instance_of(Label)))
    regular_disclosures: tuple[Disclosure, ...] = _further(Disclosure)
    processing_countries: tuple[str, ...] = field(default=(), converter=_to_eea_countries)
    retention: RetentionPolicy = field(validator=instance_of(RetentionPolicy))
    kind_retention: tuple[KindRetention, ...] = _further(KindRetention)
    retention_starts: Label | None = field(default=None, validator=optional(instance_of(Label)))
    log_retention: RetentionPolicy = field(validator=instance_of(RetentionPolicy))
    disclosure_retention: RetentionPolicy = field(
        default=RetentionPolicy(years=5), validator=instance_of(RetentionPolicy)
    )
    protection: tuple[Label, ...] = _declarations(Label)
    roles: tuple[Role, ...] = _declarations(Role)
    channels: tuple[Channel, ...] = _declarations(Channel)
    rights: tuple[SubjectRight, ...] = _declarations(SubjectRight)
    supervisory_authority: Label = field(validator=instance_of(Label))
    notice_url: str | None = field(default=None, converter=to_text_or_none, validator=optional(is_web_address))

    def __attrs_post_init__(self) -> None:
        wrong = [f"{place}: {sentence}" for place, sentence in iter_contradictions(asdict(self, recurse=False))]
        if wrong:
            raise InvalidValueError(f"The parts of the register contradict each other. {' '.join(wrong)}")

    def get_retention(self, kind: Kind) -> RetentionPolicy:
        """Return how long recordings of a kind are kept."""
        return next((each.policy for each in self.kind_retention if each.kind is kind), self.retention)

    @property
    def retention_policies(self) -> tuple[RetentionPolicy, ...]:
        """Every policy by which a recording may be kept."""
        return tuple(dict.fromkeys(map(self.get_retention, Kind)))

    def require_covers(self, contact: Contact) -> None:
        """Check that the notice says such a contact may be recorded (section 5).

        Raises:
            UnknownLineError: The register declares no such line.
            OutsideNoticeError: The line carries no such kind or direction, is not recorded on that date, or is recorded
                by a list that does not hold the contact's number; or the contact is older than the notice.
        """
        bar = find_bar(self.lines, self.version, contact)
        if bar is not None:
            error = UnknownLineError if bar.rule is CaptureRule.UNKNOWN_LINE else OutsideNoticeError
            raise error(bar.sentence)

    def decide_capture(self, contact: Contact, get_percentile: Callable[[], int]) -> CaptureDecision:
        """Return whether a contact is to be recorded, with the rule that says so; see `decide_capture`."""
        return decide_capture(self.lines, self.version, contact, get_percentile)

    def has_purpose(self, code: str, *, on: date | None = None) -> bool:
        """Whether the notice or the law declares a purpose; on one Helsinki date, or ever."""
        return code in STATUTORY_PURPOSES or any(each.code == code for each in _holding(self.purposes, on))

    def shows_masked_only(self, purpose_code: str) -> bool:
        """Whether a purpose is one for which only masked copies are seen, such as training (notice, section 4)."""
        return any(each.shows_masked_only for each in self.purposes if each.code == purpose_code)

    def find_role(self, code: str) -> Role | None:
        """Return a declared role, or None."""
        return next((role for role in self.roles if role.code == code), None)

    def has_channel(self, code: str, *, on: date | None = None) -> bool:
        """Whether requests may reach the controller by a channel; on one Helsinki date, or ever."""
        return any(channel.code == code for channel in _holding(self.channels, on))

    def as_of(self, on: date) -> "Register":
        """Return the register with those facts only that hold on a Helsinki date, no longer dated one by one.

        Raises:
            InvalidValueError: Nothing of a part that every notice must have holds on that date.
        """
        facts: dict[str, Any] = {name: _holding(getattr(self, name), on) for name in _DATED}
        open_codes = {channel.code for channel in facts["channels"]}
        over = {purpose.code for purpose in self.purposes if not purpose.valid.holds(on)}
        facts["rights"] = [
            evolve(right, channels=[code for code in right.channels if code in open_codes]) for right in facts["rights"]
        ]
        facts["roles"] = [evolve(role, purposes=role.purposes - over) for role in self.roles]
        return evolve(self, **facts)


_DATED: Final = (
    "contact_points",
    "data_protection_officers",
    "purposes",
    "lines",
    "categories",
    "data_subjects",
    "sources",
    "regular_disclosures",
    "channels",
    "rights",
)


def _holding(facts: tuple[Any, ...], on: date | None) -> tuple[Any, ...]:
    if on is None:
        return facts
    return tuple(evolve(each, valid=ALWAYS) for each in facts if each.valid.holds(on))
