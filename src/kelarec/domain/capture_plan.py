"""The capture plan: which contacts are recorded, by which rule of the notice (section 5)."""

from collections.abc import Callable, Iterable
from datetime import date
from enum import StrEnum
from typing import Final

from attrs import field, frozen
from attrs.validators import instance_of

from kelarec.domain.contact import Contact
from kelarec.domain.free_text import require_text
from kelarec.domain.instants import helsinki_date
from kelarec.domain.lines import Coverage, Line

CONTENT: Final = 5
"""The section of the notice that says what is recorded."""


class CaptureRule(StrEnum):
    """What decides whether a contact is recorded."""

    WHOLE_LINE = "whole-line"
    IN_SHARE = "in-share"
    OUT_OF_SHARE = "out-of-share"
    LISTED_NUMBER = "listed-number"
    PART_LEFT_OPEN = "part-left-open"
    UNLISTED_NUMBER = "unlisted-number"
    UNKNOWN_LINE = "unknown-line"
    LINE_NOT_IN_FORCE = "line-not-in-force"
    NOT_ON_LINE = "not-on-line"
    OLDER_THAN_NOTICE = "older-than-notice"
    RETENTION_OVER = "retention-over"

    @property
    def bars(self) -> bool:
        """Whether such a contact cannot be stored at all."""
        return self not in _ALLOWING


_ALLOWING: Final = frozenset(
    {
        CaptureRule.WHOLE_LINE,
        CaptureRule.IN_SHARE,
        CaptureRule.OUT_OF_SHARE,
        CaptureRule.LISTED_NUMBER,
        CaptureRule.PART_LEFT_OPEN,
    }
)
_WANTING: Final = frozenset({CaptureRule.WHOLE_LINE, CaptureRule.IN_SHARE, CaptureRule.LISTED_NUMBER})


@frozen(kw_only=True)
class CaptureDecision:
    """Whether a contact is to be recorded, and what says so.

    Attributes:
        rule: Stable, for programs.
        section: Of the notice.
        sentence: The rule in words; it names no person.
    """

    rule: CaptureRule = field(converter=CaptureRule)
    section: int = field(default=CONTENT, validator=instance_of(int))
    sentence: str = field(validator=instance_of(str))

    @property
    def is_to_be_recorded(self) -> bool:
        """Whether the contact is to be recorded."""
        return self.rule in _WANTING


def find_bar(lines: Iterable[Line], version: date, contact: Contact) -> CaptureDecision | None:
    """Return the rule by which a contact lies outside a notice, or None if it may be recorded.

    Args:
        lines: What the notice declares.
        version: The date from which the notice holds.
        contact: What is known of it.

    Source: Notice, section 5.
    """
    line = _find_line(lines, contact)
    on = helsinki_date(contact.started_at)
    if line is None:
        return _say(CaptureRule.UNKNOWN_LINE, f"The register declares no line {contact.line}.")
    if not line.valid.holds(on):
        sentence = f"The notice does not cover the line {line.code} on {on.isoformat()}."
        return _say(CaptureRule.LINE_NOT_IN_FORCE, sentence)
    if contact.kind not in line.kinds or contact.direction not in line.directions:
        sentence = f"The notice covers no {contact.kind} in direction {contact.direction} on the line {line.code}."
        return _say(CaptureRule.NOT_ON_LINE, sentence)
    if on < version:
        sentence = f"The contact is older than the notice of {version.isoformat()}."
        return _say(CaptureRule.OLDER_THAN_NOTICE, sentence)
    return _find_unlisted_number(line, contact)


def _find_unlisted_number(line: Line, contact: Contact) -> CaptureDecision | None:
    if line.get_coverage(contact.direction) is Coverage.ALL or not line.recorded_numbers:
        return None
    if contact.service_number is None:
        sentence = f"The line {line.code} is recorded by its numbers, and the contact does not tell its own."
        return _say(CaptureRule.UNLISTED_NUMBER, sentence)
    if not line.records_number(contact.service_number):
        sentence = f"The number is none of those of the line {line.code} that are recorded."
        return _say(CaptureRule.UNLISTED_NUMBER, sentence)
    return None


def decide_capture(
    lines: Iterable[Line], version: date, contact: Contact, get_percentile: Callable[[], int]
) -> CaptureDecision:
    """Return whether a contact is to be recorded, with the rule that says so.

    Args:
        lines: What the notice declares.
        version: The date from which the notice holds.
        contact: What is known of it.
        get_percentile: Gives the contact's place among a hundred, 0 to 99, the same wherever it is asked; it is asked
            only where a share decides.

    Source: Notice, section 5.
    """
    lines = tuple(lines)
    bar = find_bar(lines, version, contact)
    line = _find_line(lines, contact)
    if bar is not None or line is None:
        return bar or _say(CaptureRule.UNKNOWN_LINE, f"The register declares no line {contact.line}.")
    if line.get_coverage(contact.direction) is Coverage.ALL:
        return _say(CaptureRule.WHOLE_LINE, f"All contacts of the line {line.code} in this direction are recorded.")
    if line.recorded_numbers:
        return _say(CaptureRule.LISTED_NUMBER, f"The number is among those of the line {line.code} that are recorded.")
    if line.share_percent is None:
        return _say(
            CaptureRule.PART_LEFT_OPEN,
            f"Some contacts of the line {line.code} are recorded, and the register does not say which.",
        )
    share = f"{line.share_percent} in a hundred contacts of the line {line.code} are recorded"
    if get_percentile() < line.share_percent:
        return _say(CaptureRule.IN_SHARE, f"{share}, and this is one of them.")
    return _say(CaptureRule.OUT_OF_SHARE, f"{share}, and this is none of them.")


def _find_line(lines: Iterable[Line], contact: Contact) -> Line | None:
    return next((each for each in lines if each.code == contact.line), None)


def _say(rule: CaptureRule, sentence: str) -> CaptureDecision:
    return CaptureDecision(rule=rule, sentence=sentence)


def _to_reason(text: object) -> str | None:
    return None if text is None else require_text(text, "reason")


@frozen(kw_only=True)
class ExpectedContact:
    """A contact that the contact centre knows of.

    Attributes:
        contact: As the contact centre knows it; its id, kind, direction, line and start are enough.
        reason: Why it has no recording, if the contact centre knows; it is given back and kept nowhere.
    """

    contact: Contact = field(validator=instance_of(Contact))
    reason: str | None = field(default=None, repr=False, converter=_to_reason)


@frozen(kw_only=True)
class CaptureGap:
    """A contact that was to be recorded and has no recording.

    Attributes:
        contact: As the contact centre told it.
        decision: Why it was to be recorded.
        reason: Why it has no recording, if the contact centre said so.
    """

    contact: Contact = field(validator=instance_of(Contact))
    decision: CaptureDecision = field(validator=instance_of(CaptureDecision))
    reason: str | None = field(default=None, repr=False)
