"""What Articles 13 and 14 want said and a register does not hold."""

from collections.abc import Iterator
from typing import Final

from attrs import frozen

from kelarec.domain.notice_facts import Label
from kelarec.domain.register import Rank, Register

_ASKED_TO_BE_OBJECTED_TO: Final = {None, "e", "f"}


@frozen(kw_only=True)
class Lack:
    """One thing that the law wants said and a notice does not say.

    Attributes:
        code: Stable, for programs.
        article: Of the General Data Protection Regulation.
        section: Of the notice: where it belongs.
        facts: What is to be named in the words for it.
    """

    code: str
    article: str
    section: int
    facts: tuple[tuple[str, Label | str], ...] = ()


def find_lacks(register: Register) -> tuple[Lack, ...]:
    """Return what a notice lacks, in the order of its sections; nothing if it says all that Arts 13 and 14 want.

    Source: GDPR, Arts 13(1) and (2), 14(1) and (2).
    """
    return (*_iter_unsaid(register), *_iter_missing_rights(register))


def _iter_unsaid(register: Register) -> Iterator[Lack]:
    declared = [purpose for purpose in register.purposes if purpose.rank is not Rank.STATUTORY]
    if not register.data_protection_officers:
        yield Lack(code="data-protection-officer", article="13(1)(b)", section=2)
    if unsaid := [purpose.code for purpose in declared if purpose.article_6 is None]:
        facts = (("codes", ", ".join(unsaid)),)
        yield Lack(code="article-6", article="13(1)(c)", section=4, facts=facts)
    if register.automated_decisions is None:
        yield Lack(code="automated-decisions", article="13(2)(f)", section=4)
    if not any(group.is_staff for group in register.data_subjects):
        yield Lack(code="staff-as-data-subjects", article="13, 14", section=5)
    if register.obligation_to_provide is None:
        yield Lack(code="obligation-to-provide", article="13(2)(e)", section=6)
    for source in register.sources:
        if source.content_label is not None and source.content_label != source.label:
            terms = (("content_label", source.content_label), ("label", source.label))
            yield Lack(code="two-terms-for-the-source", article="12(1), 14(2)(f)", section=6, facts=terms)
    if register.retention_starts is None:
        yield Lack(code="retention-start", article="13(2)(a)", section=9)


def _iter_missing_rights(register: Register) -> Iterator[Lack]:
    letters = {purpose.article_6 for purpose in register.purposes if purpose.rank is not Rank.STATUTORY}
    articles = {right.article for right in register.rights}
    after_the_rights = 11 + len(articles)
    if 18 not in articles:  # noqa: PLR2004  the article's number is its name
        yield Lack(code="restriction", article="13(2)(b), 18", section=after_the_rights)
    if 21 not in articles and letters & _ASKED_TO_BE_OBJECTED_TO:  # noqa: PLR2004
        yield Lack(code="objection", article="13(2)(b), 21(4)", section=after_the_rights)
