"""What changed between versions, what people must be told of, and what a notice lacks."""

import tomllib
from collections.abc import Callable
from importlib.resources import files
from typing import Any, Final

import attrs
import pytest

from facts import change
from kelarec import Kind, Register, kela_register
from kelarec.domain.lines import Coverage
from kelarec.domain.notice_facts import Disclosure, Label, PersonGroup, SubjectRight
from kelarec.domain.notice_lint import find_lacks
from kelarec.domain.register import Category
from kelarec.domain.register_differences import compare_registers
from kelarec.domain.retention import KindRetention, RetentionPolicy
from kelarec.notice.changes import describe_difference, lint_register
from kelarec.notice.structure import iter_classes

OTHER: Final = Label("toinen", "annan", "other")
KELA: Final = kela_register(contact_point="Registry office")
CHANNELS: Final = ("registry-office",)


def with_line(number: int, **facts: object) -> dict[str, Any]:
    """The lines with one of them changed."""
    return {"lines": [change(line, **facts) if each == number else line for each, line in enumerate(KELA.lines)]}


TOLD: Final[dict[str, dict[str, Any]]] = {
    "controller.name": {"controller": change(KELA.controller, name=OTHER)},
    "task.label": {"task": change(KELA.task, label=OTHER)},
    "purposes[new]": {"purposes": [*KELA.purposes, change(KELA.purposes[1], code="new")]},
    "purposes[staff-training].rank": {
        "purposes": [KELA.purposes[0], change(KELA.purposes[1], rank="primary"), *KELA.purposes[2:]]
    },
    "lines[new]": {"lines": [*KELA.lines, change(KELA.lines[0], code="new")]},
    "lines[regional-service].coverage": with_line(2, coverage=Coverage.ALL),
    "lines[kela-fi].kinds": with_line(3, kinds=[Kind.CUSTOMER_CHAT, Kind.CUSTOMER_CALL]),
    "categories[health]": {"categories": [*KELA.categories, Category(code="health", label=OTHER)]},
    "data_subjects[adviser]": {"data_subjects": [PersonGroup(code="adviser", label=OTHER, is_staff=True)]},
    "regular_disclosures[tax]": {
        "regular_disclosures": [Disclosure(code="tax", recipient=OTHER, items=OTHER, ground=OTHER)]
    },
    "retention.years": {"retention": RetentionPolicy(years=2)},
    "kind_retention[customer-chat]": {"kind_retention": [KindRetention(kind=Kind.CUSTOMER_CHAT, years=2)]},
    "rights[article-17]": {"rights": KELA.rights[:2]},
    "rights[article-15].channels": {"rights": [change(KELA.rights[0], channels=CHANNELS), *KELA.rights[1:]]},
}
NOT_TOLD: Final[dict[str, dict[str, Any]]] = {
    "contact_points": {"contact_points": [change(KELA.contact_points[0], telephone="1")]},
    "controller.telephone": {"controller": change(KELA.controller, telephone="1")},
    "lines[national-service].coverage": with_line(0, coverage=Coverage.SOME),
    "lines[national-service].directions": with_line(0, directions=["in"]),
    "lines[kela-fi].label": with_line(3, label=OTHER),
    "categories[benefit-references]": {"categories": KELA.categories[:-1]},
    "log_retention.years": {"log_retention": RetentionPolicy(years=6)},
    "protection": {"protection": [*KELA.protection, OTHER]},
    "rights[article-18]": {"rights": [*KELA.rights, SubjectRight(article=18, channels=CHANNELS)]},
    "categories": {"categories": KELA.categories[::-1]},
}


@pytest.mark.parametrize(("place", "facts"), (TOLD | NOT_TOLD).items(), ids=(TOLD | NOT_TOLD).keys())
def test_people_are_told_of_what_is_news_to_them(place: str, facts: dict[str, Any]) -> None:
    """More recording, longer keeping, another purpose, recipient or fewer rights must be told (Arts 12(1), 13(3))."""
    differences = compare_registers(KELA, change(KELA, **facts))
    assert {each.place for each in differences} >= {place}
    assert {each.must_be_told for each in differences if each.place == place} == {place in TOLD}
    if place.startswith("purposes"):
        assert differences[0].article == "Art. 13(3)"


def test_a_difference_is_a_sentence_in_three_languages() -> None:
    """Each says where it stands, what it was and what it is (notice, section 9)."""
    [longer] = compare_registers(KELA, change(KELA, retention=RetentionPolicy(years=2)))
    assert [describe_difference(longer, language=language) for language in ("fi", "sv", "en")] == [
        "Henkilötietojen säilytysaika, säilytysaika: oli 1 vuosi, nyt 2 vuotta.",
        "Lagringstid för personuppgifterna, lagringstid: tidigare 1 år, nu 2 år.",
        "Retention period of personal data, retention: was 1 year, now 2 years.",
    ]


MENDED: Final[dict[str, Callable[[Register], Register]]] = {
    "data-protection-officer": lambda it: change(it, data_protection_officers=it.contact_points),
    "article-6": lambda _: kela_register(contact_point="Registry office", article_6="c"),
    "automated-decisions": lambda it: change(it, automated_decisions=OTHER),
    "staff-as-data-subjects": lambda it: change(
        it, data_subjects=[PersonGroup(code="adviser", label=OTHER, is_staff=True)]
    ),
    "obligation-to-provide": lambda it: change(it, obligation_to_provide=OTHER),
    "two-terms-for-the-source": lambda it: change(
        it, sources=[change(each, content_label=None) for each in it.sources]
    ),
    "retention-start": lambda it: change(it, retention_starts=OTHER),
    "restriction": lambda it: change(it, rights=[*it.rights, SubjectRight(article=18, channels=CHANNELS)]),
    "objection": lambda it: change(it, rights=[*it.rights, SubjectRight(article=21, channels=CHANNELS)]),
}


def test_the_notice_of_2020_lacks_these_nine() -> None:
    """What Arts 13 and 14 want and the notice of 18.8.2020 does not say, in the order of its sections."""
    assert [lack.code for lack in find_lacks(KELA)] == list(MENDED)
    for language in ("fi", "sv", "en"):
        findings = lint_register(KELA, language=language)
        assert [finding.code for finding in findings] == list(MENDED)
        assert len({finding.proposal for finding in findings}) == len(MENDED)


@pytest.mark.parametrize("code", MENDED)
def test_each_lack_is_mended_by_its_fact(code: str) -> None:
    """Once the register holds the fact, that finding is gone, and no other comes."""
    lacks = {lack.code for lack in find_lacks(MENDED[code](KELA))}
    gone = {"objection"} if code == "article-6" else set()  # nobody can object to a legal obligation
    assert lacks == set(MENDED) - {code} - gone


@pytest.mark.parametrize("language", ["fi", "sv", "en"])
def test_each_language_has_each_phrase(language: str) -> None:
    """No phrase is missing in a language, and each field of a register has a name in it."""
    phrases = {
        each: tomllib.loads((files("kelarec.notice") / "phrases" / f"{each}.toml").read_text(encoding="utf-8"))
        for each in ("fi", language)
    }
    assert list_keys(phrases[language]) == list_keys(phrases["fi"])
    fields = {attribute.name for kind in iter_classes() for attribute in attrs.fields(kind)}
    assert fields - phrases[language]["fields"].keys() == set()


def list_keys(phrases: dict[str, Any], place: str = "") -> list[str]:
    """The paths of all phrases."""
    return sorted(
        path
        for name, value in phrases.items()
        for path in (list_keys(value, f"{place}{name}.") if isinstance(value, dict) else [f"{place}{name}"])
    )
