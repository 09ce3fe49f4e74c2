"""Masking of chats: no identifier survives in any written form; the notice, section 4, and GDPR, Art. 15(4), 25."""

from collections import Counter
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelarec import Chat, Message, Person, PhoneNumber
from kelarec.media.finnish_names import list_inflections
from kelarec.media.masking import Taken, find_identifiers, mask_chat, mask_text
from kelarec.testing.builders import make_identity_code, make_person
from kelarec.testing.clock import USUAL_START
from kelarec.testing.strategies import chats
from media.planted_chats import FAMILY_NAMES, NAMES, Planted, make_planted_chat, survives

CHATS: Final = 500


def text_of(chat: Chat) -> str:
    """Return all that was written, writer by writer, as a reader sees it."""
    return "\n".join(each.text for writer in ("customer", "adviser") for each in chat.messages if each.by == writer)


def test_the_harness_notices_what_is_left() -> None:
    """Before masking, every planted identifier is found by the search of this module; else it would prove nothing."""
    for seed in range(CHATS):
        made = make_planted_chat(seed)
        assert [each for each in made.planted if not survives(each, text_of(made.chat))] == []


def test_no_identifier_survives_in_any_written_form() -> None:
    """On 500 chats no code, number, address, account or name is left; what was taken wrongly is printed (section 4)."""
    left: list[tuple[int, Planted]] = []
    wrongly: Counter[str] = Counter()
    taken: Counter[Taken] = Counter()
    for seed in range(CHATS):
        made = make_planted_chat(seed)
        masked, found = mask_chat(made.chat, persons=[made.person])
        taken.update(found)
        left += [(seed, each) for each in made.planted if survives(each, text_of(masked))]
        for line in made.harmless:
            for span in find_identifiers(line, persons=[made.person]):
                wrongly[f"{line[span.start : span.stop]!r} for {span.taken_for}"] += 1
    print(f"\n{CHATS} chats, {taken.total()} taken: {dict(sorted(taken.items()))}; left: {len(left)}")
    print(f"taken wrongly, in {CHATS * 5} harmless sentences: {wrongly.total()} words, {len(wrongly)} kinds")
    for what, times in wrongly.most_common():
        print(f"  {times:4} x {what}")
    assert left == []


FORMS: Final = sorted((NAMES | FAMILY_NAMES).items())


@pytest.mark.parametrize(("name", "forms"), FORMS, ids=[name for name, _ in FORMS])
def test_a_name_is_known_in_every_form(name: str, forms: str) -> None:
    """A name bent by grammar is still that name; the word list of this test was written by hand (section 4)."""
    person = Person(name=name)
    for form in forms.split():
        masked, _ = mask_chat(Chat([Message(USUAL_START, "adviser", f"Hei, {form}!")]), persons=[person])
        assert form.lower() not in masked.messages[0].text.lower() or form == "von"


@given(st.text(min_size=1, max_size=30))
def test_any_text_can_be_bent(word: str) -> None:
    """Whatever stands where a name should be, its forms are a set that holds it."""
    assert word.lower() in list_inflections(word)


@given(chats(), st.lists(st.text(min_size=1, max_size=10), max_size=3))
def test_nothing_else_changes(chat: Chat, words: list[str]) -> None:
    """Writers, times and the number of messages stay; what is replaced is what was found, and nothing is repeated."""
    masked, _ = mask_chat(chat, persons=[make_person()], words=words)
    assert [(each.sent_at, each.by) for each in masked.messages] == [(each.sent_at, each.by) for each in chat.messages]
    for message in chat.messages:
        spans = find_identifiers(message.text, persons=[make_person()], words=words)
        assert all(earlier.stop <= later.start for earlier, later in pairwise(spans))
        assert mask_text(message.text, []) == message.text


def test_the_readers_own_identifiers_can_stay() -> None:
    """For the person's own copy third parties are masked and the person's own data stay (Art. 15(4))."""
    customer = make_person(phone_number=PhoneNumber("+358 50 000 0123"))
    other = make_identity_code(55)
    text = (
        f"Olen {customer.identity_code.text if customer.identity_code else ''}, naapurini on {other.text}, 050 000 0123"
    )
    masked, taken = mask_chat(Chat([Message(USUAL_START, "customer", text)]), spared=[customer])
    assert masked.messages[0].text == text.replace(other.text, "[henkilötunnus]")
    assert taken == (Taken.IDENTITY_CODE,)


def test_a_code_torn_over_messages_is_found_whole() -> None:
    """Two messages of one writer with half a code each are masked both, whatever others write in between."""
    code = make_identity_code().text
    messages = [(code[:7], "customer"), ("Ja loppu?", "adviser"), (f"{code[7:]} kiitos", "customer")]
    masked, _ = mask_chat(Chat([Message(USUAL_START, by, text) for text, by in messages]))
    assert [each.text for each in masked.messages] == ["[henkilötunnus]", "Ja loppu?", "[henkilötunnus] kiitos"]


@pytest.mark.parametrize("text", ["KELA-2026-4711", "klo 10-12", "15.3.2026", "1 250,50 euroa", "Y-tunnus 0246246-0"])
def test_what_is_no_identifier_stays(text: str) -> None:
    """Dates, amounts, times, case and business numbers tell nobody's identity, and training needs them."""
    assert find_identifiers(text, persons=[make_person()]) == ()
