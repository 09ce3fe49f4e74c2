"""Differences between versions of a register, and what a notice lacks, in words.

Needs ``kelarec[notice]``: Jinja2 and Babel.
"""

from datetime import date
from enum import StrEnum
from typing import Any, Final

import attrs
from attrs import frozen

from kelarec.domain.codes import Kind
from kelarec.domain.notice_facts import ContactPoint, Disclosure, Label, SubjectRight, Validity
from kelarec.domain.notice_lint import find_lacks
from kelarec.domain.register import Register
from kelarec.domain.register_differences import Difference
from kelarec.domain.retention import KindRetention, RetentionPolicy
from kelarec.notice.wording import Wording, get_wording, to_language

_HEADINGS: Final = {
    "controller": "controller",
    "contact_points": "contact",
    "data_protection_officers": "contact",
    "name": "name",
    "task": "purposes",
    "purposes": "purposes",
    "automated_decisions": "purposes",
    "lines": "content",
    "is_automatic": "content",
    "categories": "content",
    "categories_are_examples": "content",
    "data_subjects": "content",
    "sources": "sources",
    "obligation_to_provide": "sources",
    "regular_disclosures": "disclosures",
    "processing_countries": "transfers",
    "retention": "retention",
    "kind_retention": "retention",
    "retention_starts": "retention",
    "protection": "protection",
    "supervisory_authority": "complaint",
}
_COUNTRIES: Final = {"country", "processing_countries"}
_TRANSLATED: Final = {"rank", "coverage", "outbound_coverage", "directions"}


def describe_difference(difference: Difference, *, language: str) -> str:
    """Return a difference as a sentence: where it stands in the notice, what it was, what it is.

    Raises:
        InvalidValueError: There are no sentences in that language.
    """
    words = get_wording(to_language(language))
    right = difference.item if isinstance(difference.item, SubjectRight) else None
    heading = right.code if right is not None else _HEADINGS.get(difference.field)
    phrase = f"changes.{'' if heading is not None else 'other_'}{difference.change}"
    leaf = difference.leaf or difference.field
    return words.say(
        phrase,
        section="" if heading is None else words.say(f"headings.{heading}"),
        field=_describe_place(difference, words),
        before=_describe(difference.before, leaf, words),
        after=_describe(difference.after, leaf, words),
    )


def _describe_place(difference: Difference, words: Wording) -> str:
    place = words.say(f"fields.{difference.field}")
    if difference.leaf in {None, "years"}:
        return place
    item = "" if difference.item is None else f" ({_describe(difference.item, difference.field, words)})"
    return f"{place}{item}, {words.say(f'fields.{difference.leaf}')}"


def _describe(value: Any, leaf: str, words: Wording) -> str:  # noqa: ANN401  any fact
    if value is None or value in ((), frozenset()):
        return words.say("words.not_told")
    if isinstance(value, tuple | frozenset):
        several = [_describe(each, leaf, words) for each in value]
        return words.several(several if isinstance(value, tuple) else sorted(several))
    if attrs.has(type(value)):
        return _describe_part(value, words)
    return _describe_plain(value, leaf, words)


def _describe_part(part: Any, words: Wording) -> str:  # noqa: ANN401, PLR0911  one line for each class
    match part:
        case Label():
            return words.of(part)
        case SubjectRight():
            return words.say(f"headings.{part.code}")
        case Validity():
            return _describe_validity(part, words)
        case RetentionPolicy():
            return words.years(part.years)
        case KindRetention():
            return f"{words.say(f'kinds.{part.kind}')}: {words.years(part.years)}"
        case Disclosure():
            return words.of(part.recipient)
        case ContactPoint():
            return part.name
    return words.of(part.label)


def _describe_plain(value: Any, leaf: str, words: Wording) -> str:  # noqa: ANN401  a text, number, date or code
    match value:
        case bool():
            return words.flag(holds=value)
        case date():
            return words.date(value)
        case Kind():
            return words.say(f"kinds.{value}")
        case int() if leaf == "years":
            return words.years(value)
        case StrEnum() if leaf in _TRANSLATED:
            return words.say(f"values.{value}")
    return words.country(value) if leaf in _COUNTRIES else str(value)


def _describe_validity(valid: Validity, words: Wording) -> str:
    if valid.from_on is None and valid.through_on is None:
        return words.say("words.always")
    dates = ("" if on is None else words.date(on) for on in (valid.from_on, valid.through_on))
    return words.say("words.and_through").join(dates).strip()


@frozen(kw_only=True)
class Finding:
    """What a notice lacks, in words.

    Attributes:
        code: Stable, for programs.
        article: Of the General Data Protection Regulation: who wants it said.
        section: Of the notice: where it belongs.
        lacks: What is missing.
        proposal: What to do about it.
    """

    code: str
    article: str
    section: int
    lacks: str
    proposal: str


def lint_register(register: Register, *, language: str) -> tuple[Finding, ...]:
    """Return what Arts 13 and 14 want said and a notice does not say, in the order of its sections.

    Raises:
        InvalidValueError: There are no sentences in that language.
    """
    words = get_wording(to_language(language))
    return tuple(
        Finding(
            code=lack.code,
            article=lack.article,
            section=lack.section,
            lacks=words.say(f"lint.{lack.code}.lacks", **dict(lack.facts)),
            proposal=words.say(f"lint.{lack.code}.proposal"),
        )
        for lack in find_lacks(register)
    )
