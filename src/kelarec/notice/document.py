"""A document as values, before it is Markdown or HTML: sections of paragraphs, lists and tables of facts."""

from collections.abc import Iterable
from typing import Self

from attrs import field, frozen

from kelarec.domain.notice_facts import Label
from kelarec.notice.wording import Wording


@frozen
class Run:
    """A piece of plain text.

    Attributes:
        url: Where it leads, if it is a link.
        language: Its language, if it is not the document's.
    """

    text: str
    url: str | None = None
    language: str | None = None

    @classmethod
    def link(cls, url: str) -> Self:
        """Return a link that shows its own address."""
        return cls(url.removeprefix("http://").removeprefix("https://"), url=url)


@frozen
class Paragraph:
    """One paragraph."""

    text: str
    kind: str = field(default="paragraph", init=False)


@frozen
class Item:
    """One item of a list, with a list below it or none."""

    runs: tuple[Run, ...]
    below: tuple["Item", ...] = ()


@frozen
class Bullets:
    """A list without an order."""

    items: tuple[Item, ...]
    kind: str = field(default="bullets", init=False)

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """Return a list of plain texts."""
        return cls(tuple(Item((Run(text),)) for text in texts))


@frozen
class Facts:
    """Terms, each with what is to be said of it."""

    rows: tuple[tuple[str, Run], ...]
    kind: str = field(default="facts", init=False)


@frozen
class Section:
    """A numbered section."""

    number: int
    heading: str
    blocks: tuple[Paragraph | Bullets | Facts, ...]


@frozen(kw_only=True)
class Document:
    """A whole document in one language."""

    language: str
    title: str
    dated: str
    contents: str
    sections: tuple[Section, ...]


def list_labels(labels: Iterable[Label], words: Wording) -> Bullets:
    """Return labels as a list."""
    return Bullets.of(words.of(label) for label in labels)
