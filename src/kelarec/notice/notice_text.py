"""The privacy notice of a register: every fact of it, section by section, in our own words.

The order and the terms are those of the notice of 18.8.2020; what that notice lacks stands where it belongs once a
register holds it. Nothing is said that the register does not hold.
"""

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Final, TypeAlias

from kelarec.domain.codes import Direction, Kind
from kelarec.domain.lines import Coverage, Line
from kelarec.domain.notice_facts import ContactPoint, Label, SubjectRight
from kelarec.domain.register import Purpose, Rank, Register
from kelarec.notice.document import Bullets, Document, Facts, Item, Paragraph, Run, Section, list_labels
from kelarec.notice.wording import Wording

Blocks: TypeAlias = Iterator[Paragraph | Bullets | Facts]


def compose_notice(register: Register, words: Wording) -> Document:
    """Return the notice of a register as a document."""
    told = [(words.say(f"headings.{key}"), list(tell(register, words))) for key, tell in SECTIONS]
    told += [
        (words.say(f"headings.{right.code}"), list(_tell_right(right, register, words)))
        for right in sorted(register.rights, key=lambda each: each.article)
    ]
    told.append((words.say("headings.complaint"), list(_tell_complaint(register, words))))
    return Document(
        language=words.language.value,
        title=words.of(register.title),
        dated=words.say("document.dated", date=words.date(register.version)),
        contents=words.say("document.contents"),
        sections=tuple(Section(number, heading, tuple(blocks)) for number, (heading, blocks) in enumerate(told, 1)),
    )


def tell_controller(register: Register, words: Wording) -> Blocks:
    """Section 1; also of the record of processing."""
    controller = register.controller
    rows = [
        ("name", words.say("sentences.controller_name", name=controller.name, short_name=controller.short_name)),
        ("postal_address", words.of(controller.postal_address)),
        ("visiting_address", words.of(controller.visiting_address)),
        ("telephone", controller.telephone),
    ]
    facts = [(words.say(f"terms.{term}"), Run(text)) for term, text in rows]
    yield Facts((*facts, (words.say("terms.url"), Run.link(controller.url))))


def tell_contacts(register: Register, words: Wording) -> Blocks:
    """Section 2, with the data protection officer where there is one; also of the record of processing."""
    for term, points in (("contact", register.contact_points), ("officer", register.data_protection_officers)):
        for point in points:
            yield _tell_contact(term, point, words)


def _tell_contact(term: str, point: ContactPoint, words: Wording) -> Facts:
    telephone = (
        words.say("sentences.switchboard", telephone=point.telephone) if point.is_switchboard else point.telephone
    )
    rows = [(term, point.name), ("telephone", telephone)]
    if point.email is not None:
        rows.append(("email", point.email))
    return Facts(tuple((words.say(f"terms.{each}"), Run(text)) for each, text in rows))


def _tell_name(register: Register, words: Wording) -> Blocks:
    language = None if words.language == "fi" else "fi"
    yield Facts(((words.say("terms.name"), Run(register.name, language=language)),))


def _tell_purposes(register: Register, words: Wording) -> Blocks:
    yield Paragraph(words.say("sentences.task", task=register.task.label))
    if register.task.parts:
        yield Paragraph(words.say("sentences.task_parts"))
        yield list_labels(register.task.parts, words)
    for rank in (Rank.PRIMARY, Rank.SECONDARY):
        if labels := [purpose.label for purpose in register.purposes if purpose.rank is rank]:
            yield Paragraph(words.say(f"sentences.{rank}"))
            yield list_labels(labels, words)
    yield from _tell_bases([each for each in register.purposes if each.rank is not Rank.STATUTORY], words)
    if register.automated_decisions is not None:
        yield Paragraph(words.of(register.automated_decisions))


def _tell_bases(purposes: list[Purpose], words: Wording) -> Blocks:
    if len({(purpose.legal_basis, purpose.article_6) for purpose in purposes}) == 1:
        yield Paragraph(_tell_basis("basis", purposes[0], words))
    elif purposes:
        yield Paragraph(words.say("sentences.bases"))
        yield Bullets.of(_tell_basis("basis_of", purpose, words) for purpose in purposes)


def _tell_basis(sentence: str, purpose: Purpose, words: Wording) -> str:
    facts: dict[str, object] = {"purpose": purpose.label, "basis": purpose.legal_basis}
    if purpose.article_6 is None:
        return words.say(f"sentences.{sentence}", **facts)
    return words.say(f"sentences.{sentence}_article", letter=purpose.article_6, **facts)


def _tell_content(register: Register, words: Wording) -> Blocks:
    yield Paragraph(words.say("sentences.recorded"))
    yield Bullets.of(text for line in register.lines for text in _iter_line(line, words))
    if register.is_automatic:
        yield Paragraph(words.say("sentences.automatic"))
    yield Paragraph(words.say("sentences.told_by"))
    yield Bullets.of(
        _tell_source(source.kinds, source.content_label or source.label, words) for source in register.sources
    )
    yield from tell_categories(register, words)
    if register.data_subjects:
        yield Paragraph(words.say("sentences.data_subjects"))
        yield list_labels([group.label for group in register.data_subjects], words)


def _iter_line(line: Line, words: Wording) -> Iterator[str]:
    for coverage, group in groupby(sorted(line.directions), key=line.get_coverage):
        directions = list(group)
        yield _tell_line(line, coverage, directions, words)


def _tell_line(line: Line, coverage: Coverage, directions: list[Direction], words: Wording) -> str:
    kinds = [kind for kind in Kind if kind in line.kinds]
    ways = "both" if len(directions) > 1 else directions[0].value
    only_chats = all(kind.is_chat for kind in kinds) and len(directions) == len(line.directions)
    what = words.say(
        f"recorded.{coverage}",
        direction="" if only_chats else words.say(f"direction_{coverage}.{ways}"),
        medium=words.several(words.say(f"medium_{coverage}.{kind}") for kind in kinds),
    )
    facts: dict[str, object] = {"line": line.label, "what": what}
    if coverage is Coverage.SOME and line.share_percent is not None:
        return words.say("sentences.line_share", share=line.share_percent, **facts)
    if coverage is Coverage.SOME and line.recorded_numbers:
        return words.say("sentences.line_numbers", numbers=words.several(line.recorded_numbers), **facts)
    return words.say("sentences.line", **facts)


def _tell_source(kinds: frozenset[Kind], label: Label, words: Wording) -> str:
    told = words.several(words.say(f"kinds.{kind}") for kind in Kind if kind in kinds)
    return words.say("sentences.source", kinds=told, source=label)


def tell_categories(register: Register, words: Wording) -> Blocks:
    """Of section 5: the data categories; also of the record of processing."""
    yield Paragraph(words.say("sentences.examples" if register.categories_are_examples else "sentences.categories"))
    items: list[Item] = []
    for group, categories in groupby(register.categories, key=lambda each: each.group):
        singles = tuple(Item((Run(words.of(category.label)),)) for category in categories)
        items += singles if group is None else [Item((Run(words.of(group)),), singles)]
    yield Bullets(tuple(items))


def _tell_sources(register: Register, words: Wording) -> Blocks:
    yield Paragraph(words.say("sentences.given_by"))
    yield Bullets.of(_tell_source(source.kinds, source.label, words) for source in register.sources)
    if register.obligation_to_provide is not None:
        yield Paragraph(words.of(register.obligation_to_provide))


def tell_disclosures(register: Register, words: Wording) -> Blocks:
    """Section 7; also of the record of processing."""
    if not register.regular_disclosures:
        yield Paragraph(words.say("sentences.no_disclosures"))
        return
    yield Paragraph(words.say("sentences.disclosures"))
    yield Bullets.of(
        words.say("sentences.disclosure", recipient=each.recipient, items=each.items, ground=each.ground)
        for each in register.regular_disclosures
    )


def tell_transfers(register: Register, words: Wording) -> Blocks:
    """Section 8; also of the record of processing. No register with transfers can be built."""
    yield Paragraph(words.say("sentences.no_transfers"))
    if register.processing_countries:
        names = words.several(words.country(code) for code in register.processing_countries)
        yield Paragraph(words.say("sentences.countries", countries=names))


def _tell_retention(register: Register, words: Wording) -> Blocks:
    yield Paragraph(words.say("sentences.retention", years=words.years(register.retention.years)))
    for each in register.kind_retention:
        kind = words.say(f"kinds.{each.kind.value}")
        yield Paragraph(words.say("sentences.kind_retention", kind=kind, years=words.years(each.years)))
    if register.retention_starts is not None:
        yield Paragraph(words.say("sentences.retention_starts", start=register.retention_starts))


def tell_protection(register: Register, words: Wording) -> Blocks:
    """Section 10; also of the record of processing."""
    yield Paragraph(words.say("sentences.protection"))
    yield list_labels(register.protection, words)


def _tell_right(right: SubjectRight, register: Register, words: Wording) -> Blocks:
    yield Paragraph(words.say(f"sentences.right-{right.article}"))
    if right.exception is not None:
        yield Paragraph(words.say("sentences.exception", exception=right.exception))
    if right.request_states:
        yield Paragraph(words.say("sentences.request_states"))
        yield list_labels(right.request_states, words)
    yield Paragraph(words.say("sentences.request"))
    channels = {channel.code: channel for channel in register.channels}
    items = []
    for code in right.channels:
        channel = channels[code]
        label = Run(words.of(channel.label))
        items.append(Item((label,) if channel.url is None else (label, Run(": "), Run.link(channel.url))))
    yield Bullets(tuple(items))


def _tell_complaint(register: Register, words: Wording) -> Blocks:
    yield Paragraph(words.say("sentences.complaint", authority=register.supervisory_authority))


SECTIONS: Final[tuple[tuple[str, Callable[[Register, Wording], Blocks]], ...]] = (
    ("controller", tell_controller),
    ("contact", tell_contacts),
    ("name", _tell_name),
    ("purposes", _tell_purposes),
    ("content", _tell_content),
    ("sources", _tell_sources),
    ("disclosures", tell_disclosures),
    ("transfers", tell_transfers),
    ("retention", _tell_retention),
    ("protection", tell_protection),
)
