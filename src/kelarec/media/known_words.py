"""What is known of persons, as one pattern: names and places in every Finnish form, numbers in every written form."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from kelarec.domain.people import Address, Person
from kelarec.media.finnish_names import clitic_pattern, list_inflections

_WORD: Final = re.compile(r"[^\W\d_]+", re.UNICODE)
_BETWEEN: Final = r"[\s().,/_\-]{0,3}"
_HOUSE: Final = (
    r"(?:\s*[0-9]{1,4}(?:\s?-\s?[0-9]{1,4})?(?:\s?[a-zåäö]{1,2}(?![^\W\d_]))?(?:\s?(?:as\.?\s?)?[0-9]{1,4})?)?"
)
_LEAST_OF_A_NUMBER: Final = 7
_LEAST_OF_A_WORD: Final = 2
_PARTICLES: Final = frozenset({"von", "af", "de", "la", "da", "van", "der", "den", "di", "el", "al", "bin"})


@lru_cache(maxsize=256)
def known_words_pattern(persons: tuple[Person, ...], words: tuple[str, ...]) -> re.Pattern[str] | None:
    """Return what finds the words by which persons are known, or None if nothing is known."""
    names = {word for person in persons if person.name for word in _words(person.name)}
    names |= {word for each in words for word in _words(each)}
    pieces = []
    streets: set[str] = set()
    for address in (person.address for person in persons if person.address is not None):
        names |= set(_words(address.city))
        streets |= _street_words(address)
        pieces += list(_literals(address.postal_code, address.street))
    if streets:
        pieces.append(_bent(streets) + _HOUSE)
    if names:
        pieces.append(_bent(names))
    pieces += [number for person in persons for number in _numbers(person)]
    if not pieces:
        return None
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(pieces)})(?![^\W_])", re.IGNORECASE)


def _words(text: str) -> list[str]:
    words = [word.lower() for word in _WORD.findall(text)]
    return [word for word in words if len(word) >= _LEAST_OF_A_WORD and word not in _PARTICLES]


def _bent(words: Iterable[str]) -> str:
    forms = {form for word in words for form in list_inflections(word)}
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    return f"(?:{'|'.join(map(re.escape, longest_first))}){clitic_pattern()}"


def _street_words(address: Address) -> set[str]:
    return {word for word in _words(address.street) if len(word) > _LEAST_OF_A_WORD}


def _literals(*texts: str) -> Iterator[str]:
    for text in texts:
        yield r"\s*".join(map(re.escape, text.split()))


def _numbers(person: Person) -> Iterator[str]:
    """Give the digits of a telephone number with whatever between them, also without its country or area's zero."""
    if person.phone_number is not None:
        digits = person.phone_number.text.removeprefix("+")
        national = digits.removeprefix("358")
        for each in (digits, f"00{digits}", f"0{national}", national):
            if len(each) >= _LEAST_OF_A_NUMBER:
                yield r"\+?\(?" + _BETWEEN.join(each)
    if person.email is not None:
        yield re.escape(person.email.text)
