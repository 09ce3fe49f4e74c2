"""What is known of persons, found in a text: names and places in every Finnish form, numbers in every written form."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import product
from typing import Final

from attrs import field, frozen

from kelarec.domain.people import Address, Person
from kelarec.media.finnish_names import list_inflections

_WORD: Final = re.compile(r"[^\W\d_]+")
_BETWEEN: Final = r"[\s().,/_\-]{0,3}"
_HOUSE: Final = re.compile(
    r"\s*[0-9]{1,4}(?:\s?-\s?[0-9]{1,4})?(?:\s?[a-zåäö]{1,2}(?![^\W\d_]))?(?:\s?(?:as\.?\s?)?[0-9]{1,4})?",
    re.IGNORECASE,
)
_LEAST_OF_A_NUMBER: Final = 7
_LEAST_OF_A_NAME: Final = 2
_LEAST_OF_A_STREET: Final = 3
_PARTICLES: Final = frozenset({"von", "af", "de", "la", "da", "van", "der", "den", "di", "el", "al", "bin"})
_POSSESSIVES: Final = ("", "ni", "si", "nsa", "nsä", "mme", "nne")
_EMPHASES: Final = ("", "kin", "kaan", "kään", "ko", "kö", "han", "hän", "pa", "pä", "kohan", "köhän", "s")
_ENDINGS: Final = frozenset("".join(pair) for pair in product(_POSSESSIVES, _EMPHASES))
_LONGEST_ENDING: Final = max(map(len, _ENDINGS))


@frozen
class KnownWords:
    """What finds the words by which some persons are known.

    Attributes:
        names: Every form of their names and places, in lower case.
        streets: Every form of their streets, which a house number may follow.
        pattern: What finds numbers and other texts that are not bent, or None.
    """

    names: frozenset[str] = field(repr=False)
    streets: frozenset[str] = field(repr=False)
    pattern: re.Pattern[str] | None = field(repr=False)

    def iter_places(self, text: str) -> Iterator[tuple[int, int]]:
        """Go through where they stand in a text, from one position to before another."""
        for match in _WORD.finditer(text) if self.names or self.streets else ():
            word = match[0].lower()
            if _is_among(word, self.streets):
                house = _HOUSE.match(text, match.end())
                yield match.start(), match.end() if house is None else house.end()
            elif _is_among(word, self.names):
                yield match.start(), match.end()
        if self.pattern is not None:
            for match in self.pattern.finditer(text):
                yield match.start(), match.end()


@lru_cache(maxsize=256)
def to_known_words(persons: tuple[Person, ...], words: tuple[str, ...]) -> KnownWords:
    """Return what finds the words by which some persons are known, and further words in all their forms."""
    names = {word for each in words for word in _words(each)}
    streets: set[str] = set()
    pieces: list[str] = []
    for person in persons:
        if person.name is not None:
            names |= {*_words(person.name), *_words(person.name.replace("-", ""))}
        if person.address is not None:
            names |= set(_words(person.address.city))
            streets |= {each for each in _words(person.address.street) if len(each) >= _LEAST_OF_A_STREET}
            pieces += _unbent(person.address)
        pieces += _numbers(person)
    pattern = re.compile(rf"(?<![^\W_])(?:{'|'.join(pieces)})(?![^\W_])", re.IGNORECASE) if pieces else None
    return KnownWords(_bend(names), _bend(streets), pattern)


def _is_among(word: str, forms: frozenset[str]) -> bool:
    return word in forms or any(
        word[-length:] in _ENDINGS and word[:-length] in forms
        for length in range(1, min(_LONGEST_ENDING, len(word) - 1) + 1)
    )


def _words(text: str) -> list[str]:
    words = [word.lower() for word in _WORD.findall(text)]
    return [word for word in words if len(word) >= _LEAST_OF_A_NAME and word not in _PARTICLES]


def _bend(words: Iterable[str]) -> frozenset[str]:
    return frozenset(form for word in words for form in list_inflections(word))


def _unbent(address: Address) -> list[str]:
    return [r"\s*".join(map(re.escape, text.split())) for text in (address.postal_code, address.street)]


def _numbers(person: Person) -> Iterator[str]:
    """Give the digits of a telephone number with whatever between them, also without its country or first zero."""
    if person.phone_number is not None:
        digits = person.phone_number.text.removeprefix("+")
        national = digits.removeprefix("358")
        for each in (digits, f"00{digits}", f"0{national}", national):
            if len(each) >= _LEAST_OF_A_NUMBER:
                yield r"\+?\(?" + _BETWEEN.join(each)
    if person.email is not None:
        yield re.escape(person.email.text)
