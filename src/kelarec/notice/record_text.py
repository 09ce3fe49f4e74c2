"""The record of processing activities of a register (GDPR, Art. 30(1)), point by point."""

from collections.abc import Callable
from typing import Final

from kelarec.domain.register import Rank, Register
from kelarec.notice.document import Document, Facts, Paragraph, Run, Section, list_labels
from kelarec.notice.notice_text import (
    Blocks,
    tell_categories,
    tell_contacts,
    tell_controller,
    tell_disclosures,
    tell_protection,
    tell_transfers,
)
from kelarec.notice.wording import Wording


def compose_record(register: Register, words: Wording) -> Document:
    """Return the record of processing of a register as a document."""
    return Document(
        language=words.language.value,
        title=words.say("document.record_title", name=register.name),
        dated=words.say("document.record_lead", date=words.date(register.version)),
        contents=words.say("document.contents"),
        sections=tuple(
            Section(number, words.say(f"headings.{key}"), tuple(tell(register, words)))
            for number, (key, tell) in enumerate(_POINTS, 1)
        ),
    )


def _tell_controller(register: Register, words: Wording) -> Blocks:
    yield from tell_controller(register, words)
    yield from tell_contacts(register, words)


def _tell_purposes(register: Register, words: Wording) -> Blocks:
    yield Paragraph(words.say("sentences.task", task=register.task.label))
    for rank in Rank:
        if labels := [purpose.label for purpose in register.purposes if purpose.rank is rank]:
            yield Paragraph(words.say(f"sentences.{rank}"))
            yield list_labels(labels, words)


def _tell_persons(register: Register, words: Wording) -> Blocks:
    yield Paragraph(words.say("sentences.data_subjects"))
    yield list_labels([group.label for group in register.data_subjects or register.sources], words)
    yield from tell_categories(register, words)


def _tell_limits(register: Register, words: Wording) -> Blocks:
    limits = (("recordings", register.retention), ("log", register.log_retention))
    facts = [(words.say(f"terms.{term}"), Run(words.years(policy.years))) for term, policy in limits]
    facts += [(words.say(f"kinds.{each.kind.value}"), Run(words.years(each.years))) for each in register.kind_retention]
    yield Facts(tuple(facts))


_POINTS: Final[tuple[tuple[str, Callable[[Register, Wording], Blocks]], ...]] = (
    ("controller", _tell_controller),  # point (a)
    ("purposes", _tell_purposes),  # (b)
    ("persons", _tell_persons),  # (c)
    ("recipients", tell_disclosures),  # (d)
    ("transfers", tell_transfers),  # (e)
    ("limits", _tell_limits),  # (f)
    ("measures", tell_protection),  # (g)
)
