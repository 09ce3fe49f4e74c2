"""What documents say in three languages: phrases as templates; dates, years and lists as each language writes them.

Needs ``kelarec[notice]``: Jinja2 and Babel.
"""

import tomllib
from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any, Final

from kelarec.domain.notice_facts import Label
from kelarec.errors import InvalidValueError, MissingExtraError

try:
    from babel import Locale
    from babel.dates import format_date
    from babel.lists import format_list
    from babel.units import format_unit
    from jinja2 import Environment, StrictUndefined
except ImportError:
    raise MissingExtraError.of("notice") from None


class Language(StrEnum):
    """The languages of a notice."""

    FINNISH = "fi"
    SWEDISH = "sv"
    ENGLISH = "en"


def to_language(code: str) -> Language:
    """Return the language of a code.

    Raises:
        InvalidValueError: There are no documents in it.
    """
    if code not in set(Language):
        raise InvalidValueError(
            "There are no documents in that language.", advice=f"Use one of: {', '.join(Language)}."
        )
    return Language(code)


_ENVIRONMENT: Final = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701  plain text; the writers escape it


class Wording:
    """The phrases of one language.

    Attributes:
        language: Which one.
    """

    def __init__(self, language: Language) -> None:
        self.language = language
        document = files("kelarec.notice") / "phrases" / f"{language}.toml"
        self._phrases: dict[str, Any] = tomllib.loads(document.read_text(encoding="utf-8"))
        self._locale = Locale.parse(self._phrases["locale"])

    def say(self, key: str, **facts: object) -> str:
        """Return a phrase with facts in it, as plain text.

        Args:
            key: Its path among the phrases: ``sentences.task``.
            facts: Texts; a label is put in this language.
        """
        spoken = {name: self.of(fact) if isinstance(fact, Label) else fact for name, fact in facts.items()}
        return " ".join(_compile(self._get(key)).render(spoken).split())

    def _get(self, key: str) -> str:
        found: Any = self._phrases
        for name in key.split("."):
            found = found[name]
        return str(found)

    def of(self, label: Label) -> str:
        """Return a label in this language."""
        return str(getattr(label, self.language.value))

    def date(self, on: date) -> str:
        """Return a date as the language writes it."""
        return format_date(on, format=self._phrases["date_format"], locale=self._locale)

    def years(self, number: int) -> str:
        """Return a number of years in words."""
        return format_unit(number, "duration-year", locale=self._locale)

    def several(self, texts: Iterable[str]) -> str:
        """Return texts as a list within a sentence."""
        return format_list(list(texts), locale=self._locale)

    def country(self, code: str) -> str:
        """Return the name of a country."""
        return str(self._locale.territories[code])

    def flag(self, *, holds: bool) -> str:
        """Return yes or no."""
        return self._get("words.yes" if holds else "words.no")


@cache
def get_wording(language: Language) -> Wording:
    """Return the phrases of a language, read once."""
    return Wording(language)


@cache
def _compile(phrase: str) -> Any:  # noqa: ANN401  a Jinja2 template
    return _ENVIRONMENT.from_string(phrase)
