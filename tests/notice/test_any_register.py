"""Whatever register can be built can be published, kept as a document and told apart from every other."""

import html
import re
from html.parser import HTMLParser

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from facts import change
from kelarec.domain.register import Register
from kelarec.domain.register_differences import compare_registers
from kelarec.notice.changes import describe_difference, lint_register
from kelarec.notice.jsonld import from_jsonld, to_jsonld
from kelarec.notice.render import render_notice, render_record
from kelarec.notice.toml_form import parse_register, to_toml
from kelarec.notice.wording import Language
from kelarec.storage.json_form import from_json, to_json
from kelarec.testing.strategies import registers

few = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


class Reader(HTMLParser):
    """Reads what stands on a page, without its head, its contents and the separators of lists."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self._skipped = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002  HTMLParser's
        """Skip the head and the contents."""
        self._skipped += tag in {"head", "nav"}

    def handle_endtag(self, tag: str) -> None:
        """Read on behind them."""
        self._skipped -= tag in {"head", "nav"}

    def handle_data(self, data: str) -> None:
        """Keep what stands there."""
        if not self._skipped:
            self.text.append(data)


def read(page: str) -> str:
    """What a page says, without blanks."""
    return re.sub(r"\s", "", "".join(Reader(page).text))


@few
@given(registers(), st.sampled_from(Language))
def test_markdown_and_html_say_the_same(register: Register, language: Language) -> None:
    """Any register renders in each language, and its two forms say the same to the letter: no fact breaks a form."""
    for render in (render_notice, render_record):
        page = render(register, language=language, form="html")
        markdown = MarkdownIt("commonmark").render(render(register, language=language, form="markdown"))
        rows = re.sub(r"<dt>(.*?)</dt>", r"<dt>\1:</dt>", page)
        assert read(rows) == read(markdown)


@few
@given(registers(), st.sampled_from(Language))
def test_every_fact_is_on_the_page(register: Register, language: Language) -> None:
    """Whatever holds on the notice's date is told: task, purposes, lines, categories, sources, protection."""
    page = html.unescape(render_notice(register, language=language, form="html"))
    said = re.sub(r"\s+", " ", page)
    labels = [register.task.label, register.supervisory_authority, *register.protection, *register.task.parts]
    for declared in (register.lines, register.categories, register.sources):
        labels += [each.label for each in declared]
    labels += [each.label for each in register.purposes if each.rank != "statutory"]
    for label in labels:
        assert re.sub(r"\s+", " ", str(getattr(label, language.value))) in said


@few
@given(registers())
def test_any_register_loads_back_equal(register: Register) -> None:
    """No fact is lost on the way to TOML, to JSON-LD in DPV terms, or to the archive's own form, and back."""
    assert parse_register(to_toml(register)) == register
    assert from_jsonld(to_jsonld(register)) == register
    assert from_json(to_json(register), Register) == register


@few
@given(registers(), registers(), st.sampled_from(Language))
def test_every_difference_is_told_in_words(before: Register, after: Register, language: Language) -> None:
    """Two registers differ exactly if something is told of it, and each difference is a sentence in each language."""
    assert compare_registers(before, before) == ()
    differences = compare_registers(before, after)
    assert bool(differences) == (before != after)
    for difference in differences:
        assert describe_difference(difference, language=language).endswith(".")
    changed = {difference.field for difference in differences}
    assert change(before, **{name: getattr(after, name) for name in changed}) == after


@few
@given(registers(), st.sampled_from(Language))
def test_what_is_lacking_is_told_in_each_language(register: Register, language: Language) -> None:
    """Each finding of the lint names an article and a proposal (Arts 13, 14)."""
    for finding in lint_register(register, language=language):
        assert finding.article
        assert finding.lacks != finding.proposal
