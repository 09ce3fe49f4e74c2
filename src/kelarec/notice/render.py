"""The notice and the record of processing as Markdown and HTML, the announcement of a call and the line before a chat.

Needs ``kelarec[notice]``: Jinja2 and Babel.
"""

import hashlib
import re
from base64 import b64encode
from datetime import date
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Final

from kelarec.domain.codes import Direction, Kind
from kelarec.domain.lines import Coverage
from kelarec.domain.register import Rank, Register
from kelarec.errors import InvalidValueError, MissingExtraError, UnknownLineError
from kelarec.notice.document import Document
from kelarec.notice.notice_text import compose_notice
from kelarec.notice.record_text import compose_record
from kelarec.notice.wording import get_wording, to_language

try:
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup
except ImportError:
    raise MissingExtraError.of("notice") from None


class Form(StrEnum):
    """The forms of a document."""

    MARKDOWN = "markdown"
    HTML = "html"


def render_notice(register: Register, *, language: str, form: str, on: date | None = None) -> str:
    """Return the privacy notice of a register.

    The HTML is one page without any other resource: no script, no font, no image, and a policy that forbids them.

    Args:
        register: Whose facts are told, all of them and none beside them.
        language: ``fi``, ``sv`` or ``en``.
        form: ``markdown`` or ``html``.
        on: The Helsinki date whose facts are told; the date of the notice if none is given.

    Raises:
        InvalidValueError: There is no such language or form, or no whole notice holds on that date.

    Source: GDPR, Arts 12 to 14; the notice of 18.8.2020, sections 1 to 14.
    """
    words = get_wording(to_language(language))
    return _write(compose_notice(register.as_of(on or register.version), words), form)


def render_record(register: Register, *, language: str, form: str, on: date | None = None) -> str:
    """Return the record of processing activities of a register.

    Args:
        register: Whose facts are told.
        language: ``fi``, ``sv`` or ``en``.
        form: ``markdown`` or ``html``.
        on: The Helsinki date whose facts are told; the date of the notice if none is given.

    Raises:
        InvalidValueError: There is no such language or form, or no whole notice holds on that date.

    Source: GDPR, Art. 30(1).
    """
    words = get_wording(to_language(language))
    return _write(compose_record(register.as_of(on or register.version), words), form)


def announce(register: Register, *, line: str, kind: Kind, language: str, on: date | None = None) -> str:
    """Return what is said before a call, or stands before a chat: plain sentences, the first layer of the notice.

    Args:
        register: Whose facts are told.
        line: The code of the line that the customer came by.
        kind: What begins.
        language: ``fi``, ``sv`` or ``en``.
        on: The Helsinki date whose facts are told; the date of the notice if none is given.

    Raises:
        UnknownLineError: The register declares no such line on that date.
        InvalidValueError: Nothing of that kind is recorded on the line, or there is no such language.

    Source: GDPR, Arts 12(1), 13.
    """
    words = get_wording(to_language(language))
    register = register.as_of(on or register.version)
    found = next((each for each in register.lines if each.code == line), None)
    if found is None:
        raise UnknownLineError(f"The register declares no line {line}.")
    if kind not in found.kinds or Direction.INBOUND not in found.directions:
        raise InvalidValueError("Nobody who comes by that line is recorded so.", advice="Announce nothing there.")
    medium = "chat" if kind.is_chat else "call"
    every = "all" if found.get_coverage(Direction.INBOUND) is Coverage.ALL else "some"
    purposes = [words.of(each.label) for each in register.purposes if each.rank is not Rank.STATUTORY]
    name = words.say(
        "sentences.controller_name", name=register.controller.name, short_name=register.controller.short_name
    )
    sentences = [
        words.say(f"announcement.{medium}_{every}"),
        words.say("announcement.controller", name=name),
        words.say(
            "announcement.purpose" if len(purposes) == 1 else "announcement.purposes", purposes=words.several(purposes)
        ),
        words.say("announcement.retention", years=words.years(register.retention.years)),
        words.say("announcement.rights"),
    ]
    if register.notice_url is not None:
        sentences.append(words.say("announcement.more_url", url=register.notice_url))
    sentences.append(words.say("announcement.more_telephone", telephone=register.contact_points[0].telephone))
    return " ".join(sentences)


_MARKS: Final = re.compile(r"[\\`*_\[\]<>|~&]")
_MARK_AT_THE_START: Final = re.compile(r"^(\d*)([#+=.)-])")


def _escape_markdown(text: str) -> str:
    return _MARK_AT_THE_START.sub(r"\1\\\2", _MARKS.sub(r"\\\g<0>", text))


def _write(document: Document, form: str) -> str:
    if form not in set(Form):
        raise InvalidValueError("There is no such form of a document.", advice=f"Use one of: {', '.join(Form)}.")
    if form == Form.MARKDOWN:
        return _templates(html=False).get_template("document.md.j2").render(document=document)
    style = _read_template("document.css")
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    template = _templates(html=True).get_template("document.html.j2")
    return template.render(document=document, policy=policy, style=Markup(style))  # noqa: S704  our own file


@cache
def _templates(*, html: bool) -> Environment:
    environment = Environment(
        loader=FunctionLoader(_read_template),
        undefined=StrictUndefined,
        autoescape=html,  # noqa: S701  Markdown has its own escape
        keep_trailing_newline=True,
    )
    environment.filters["md"] = _escape_markdown
    environment.filters["md_url"] = lambda url: url.replace("\\", "%5C").replace("<", "%3C").replace(">", "%3E")
    return environment


def _read_template(name: str) -> str:
    return (files("kelarec.notice") / "templates" / name).read_text(encoding="utf-8")
