"""Masking of written text: identity codes, telephone and account numbers, e-mail addresses, known names and addresses.

A text is searched in a plain form of it: compatibility characters replaced, invisible ones left out. What is found is
replaced in the text as it was written. In doubt something is taken: a word too many is a loss for training, an
identifier too few is one for a person.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Final
from unicodedata import category, normalize

from attrs import evolve, field, frozen

from kelarec.domain.chat import Chat, Message
from kelarec.domain.identity_code import CENTURIES, PersonalIdentityCode, check_character
from kelarec.domain.people import Person
from kelarec.errors import InvalidIdentityCodeError
from kelarec.media.known_words import to_known_words


class Taken(StrEnum):
    """What something in a text was taken for; the value stands in its place, in brackets."""

    IDENTITY_CODE = "henkilötunnus"
    ACCOUNT = "tilinumero"
    EMAIL = "sähköposti"
    PHONE = "puhelinnumero"
    NAME = "nimi"


@frozen(order=True)
class Span:
    """A piece of a text, from one position to before another, and what it was taken for."""

    start: int
    stop: int
    taken_for: Taken = field(order=False)


_DASHES: Final = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u00ad"
_CODE: Final = re.compile(  # of the plain form, where all dashes are hyphens
    r"(?<![0-9])((?:[0-9][\s./_]{0,2}){6})(?:([-+YXWVUABCDEF:]|miinus|viiva|plus)[\s./_-]{0,3})?"
    r"((?:[0-9][\s./_-]{0,2}){3})([0-9A-FHJ-NPR-Y])(?![0-9])",
    re.IGNORECASE,
)
_ALONE: Final = re.compile(r"[^\W_]")
_EMAIL: Final = re.compile(
    r"[^\s@<>()\[\],;:\"]{1,64}\s?(?:@|\(at\)|\[at\]|\(ät\)|\[ät\]|\s(?:at|ät|miukumauku)\s)\s?"
    r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?(?:\.|\s?\(?(?:dot|piste)\)?\s?)){1,4}[^\W\d_]{2,24}(?![\w])",
    re.IGNORECASE,
)
_IBAN: Final = re.compile(r"(?<![^\W_])[A-Z]{2}[ -]?[0-9][ -]?[0-9](?:[ -]{0,2}[A-Z0-9]){11,30}", re.IGNORECASE)
_IBAN_LENGTHS: Final = {"FI": 18, "SE": 24, "EE": 20, "DE": 22, "NO": 15, "DK": 18, "LV": 21, "LT": 20, "FR": 27}
_PHONE: Final = re.compile(
    r"(?<![\w.,+])(?:\(?\+|\(?0[ ]?0[ ]?(?=[1-9])|\(?0[ ]?(?=[1-9])|\(?358)(?:[\s().\-/]{0,3}[0-9]){5,14}(?![\w])"
)
_DATE: Final = re.compile(r"\(?(?:0?[1-9]|[12][0-9]|3[01])[./-](?:0?[1-9]|1[0-2])[./-](?:[0-9]{4}|[0-9]{2})(?![0-9])")
_ISO_DATE: Final = re.compile(r"[12][0-9]{3}-[01][0-9]-[0-3][0-9]")
_BUSINESS_ID: Final = re.compile(r"[0-9]{7}-[0-9]\Z")
_FEWEST_DIGITS, _MOST_DIGITS = 7, 15


@frozen
class _Plain:
    """A text as it is searched, and where each of its characters stood as it was written."""

    text: str
    origins: tuple[int, ...]

    def written(self, start: int, stop: int) -> tuple[int, int]:
        return self.origins[start], self.origins[stop - 1] + 1


def _to_plain(text: str) -> _Plain:
    plain, origins = [], []
    for position, character in enumerate(text):
        if character != "\u00ad" and category(character) == "Cf":  # joiners, marks of direction: nobody sees them
            continue
        for each in normalize("NFKC", character):
            plain.append("-" if each in _DASHES else each)
            origins.append(position)
    return _Plain("".join(plain), tuple(origins))


def find_identifiers(
    text: str, *, persons: Iterable[Person] = (), words: Iterable[str] = (), spared: Iterable[Person] = ()
) -> tuple[Span, ...]:
    """Return what in a text tells who somebody is, in order and without overlap.

    Args:
        text: As it was written.
        persons: Whose names, numbers and addresses are known; names and places are found in every Finnish form.
        words: Further words to take, such as names that no record has.
        spared: Whose identity code, telephone number and e-mail address stay, such as the reader's own (Art. 15(4)).
    """
    plain = _to_plain(text)
    kept = _spared_forms(spared)
    found: list[Span] = []
    finders: tuple[Callable[[str], Iterator[tuple[int, int, Taken]]], ...] = (
        _iter_codes,
        _iter_accounts,
        _iter_emails,
        _iter_phones,
        lambda searched: _iter_known(searched, tuple(persons), tuple(words)),
    )
    for find in finders:
        for start, stop, taken_for in find(plain.text):
            if _reduce(plain.text[start:stop]) not in kept:
                found.append(Span(*plain.written(start, stop), taken_for))
    return _without_overlap(found)


def mask_text(text: str, spans: Iterable[Span]) -> str:
    """Return a text with what was found replaced by what it was taken for, in brackets."""
    pieces, position = [], 0
    for span in spans:
        pieces += [text[position : span.start], f"[{span.taken_for}]"]
        position = span.stop
    return "".join([*pieces, text[position:]])


def mask_chat(
    chat: Chat, *, persons: Iterable[Person] = (), words: Iterable[str] = (), spared: Iterable[Person] = ()
) -> tuple[Chat, tuple[Taken, ...]]:
    """Return a copy of a chat without identifiers, and what was taken, in order.

    What one writer wrote is searched as one text, so that a code spread over several messages is found.
    """
    known, given, kept = tuple(persons), tuple(words), tuple(spared)
    taken: list[Taken] = []
    masked: dict[int, Message] = {}
    for writer in {message.by: None for message in chat.messages}:
        own = [(number, each) for number, each in enumerate(chat.messages) if each.by == writer]
        spans = find_identifiers("\n".join(each.text for _, each in own), persons=known, words=given, spared=kept)
        taken += [span.taken_for for span in spans]
        offset = 0
        for number, message in own:
            end = offset + len(message.text)
            inside = [
                Span(max(span.start, offset) - offset, min(span.stop, end) - offset, span.taken_for)
                for span in spans
                if span.start < end and span.stop > offset
            ]
            masked[number] = evolve(message, text=mask_text(message.text, inside))
            offset = end + 1
    return Chat(tuple(masked[number] for number in sorted(masked))), tuple(taken)


def _without_overlap(spans: Iterable[Span]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for span in sorted(spans, key=lambda each: (each.start, -each.stop)):
        if merged and span.start < merged[-1].stop:
            merged[-1] = evolve(merged[-1], stop=max(merged[-1].stop, span.stop))
        else:
            merged.append(span)
    return tuple(merged)


def _iter_codes(text: str) -> Iterator[tuple[int, int, Taken]]:
    position = 0
    while match := _CODE.search(text, position):
        position = match.start() + 1
        digits = [re.sub(r"\D", "", match[number]) for number in (1, 3)]
        if _is_code("".join(digits), match[2], match[4].upper(), is_alone=_stands_alone(text, match)):
            yield match.start(), match.end(), Taken.IDENTITY_CODE
            position = match.end()


def _stands_alone(text: str, match: re.Match[str]) -> bool:
    around = (text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1])
    return not any(_ALONE.match(each) for each in around)


def _is_code(nine: str, sign: str | None, check: str, *, is_alone: bool) -> bool:
    """Whether nine digits and a character are a code: by its check, or, with its sign and by itself, by its shape."""
    is_right = check_character(nine) == check
    signs = [sign.upper()] if sign is not None and sign.upper() in CENTURIES else ["-", "A"]
    for each in signs:
        digits_right = f"{nine[:6]}{each}{nine[6:]}{check_character(nine)}"
        try:
            PersonalIdentityCode(digits_right)
        except InvalidIdentityCodeError:
            continue
        return is_right or (sign is not None and is_alone and not check.isdigit())
    return False


def _iter_accounts(text: str) -> Iterator[tuple[int, int, Taken]]:
    for match in _IBAN.finditer(text):
        ends = [position for position in range(match.start(), match.end()) if text[position].isalnum()]
        account = "".join(text[position] for position in ends).upper()
        declared = _IBAN_LENGTHS.get(account[:2])
        lengths = (declared,) if declared else range(len(account), 14, -1)
        for length in lengths:
            if length <= len(account) and _is_iban(account[:length]):
                yield match.start(), ends[length - 1] + 1, Taken.ACCOUNT
                break


def _is_iban(account: str) -> bool:
    moved = account[4:] + account[:4]
    return int("".join(str(int(each, 36)) for each in moved)) % 97 == 1


def _iter_emails(text: str) -> Iterator[tuple[int, int, Taken]]:
    for match in _EMAIL.finditer(text):
        yield match.start(), match.end(), Taken.EMAIL


def _iter_phones(text: str) -> Iterator[tuple[int, int, Taken]]:
    for match in _PHONE.finditer(text):
        is_long_enough = _FEWEST_DIGITS <= sum(map(str.isdigit, match[0])) <= _MOST_DIGITS
        if is_long_enough and not _is_date(match[0]) and not _BUSINESS_ID.match(match[0]):
            yield match.start(), match.end(), Taken.PHONE


def _is_date(text: str) -> bool:
    return bool(_DATE.match(text) or _ISO_DATE.match(text))


def _iter_known(text: str, persons: tuple[Person, ...], words: tuple[str, ...]) -> Iterator[tuple[int, int, Taken]]:
    for start, stop in to_known_words(persons, words).iter_places(text):
        yield start, stop, Taken.NAME


def _reduce(text: str) -> str:
    return "".join(each for each in text.upper() if each.isalnum())


def _spared_forms(persons: Iterable[Person]) -> frozenset[str]:
    forms = set()
    for person in persons:
        if person.identity_code is not None:
            forms.add(_reduce(person.identity_code.text))
        if person.email is not None:
            forms.add(_reduce(person.email.text))
        if person.phone_number is not None:
            digits = _reduce(person.phone_number.text)
            forms |= {digits, f"00{digits}", f"0{digits.removeprefix('358')}"}
    return frozenset(forms)
