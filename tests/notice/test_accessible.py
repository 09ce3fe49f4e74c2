"""The notice in a browser: axe-core finds nothing, nothing is fetched, and the page's policy is obeyed."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from kelarec import Register, load_register
from kelarec.notice.render import render_notice, render_record
from kelarec.notice.wording import Language

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser")
AXE: Final = Path(axe_playwright_python.__file__).parent / "axe.min.js"
MUNICIPALITY: Final = Path(__file__).parents[2] / "examples" / "data" / "municipality.toml"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium, which CI must have and others may lack."""
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs Chromium: .ci/run installs it.")
        pytest.skip("There is no Chromium here (apt-get install chromium).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that the axe script may be put into although the document's own policy forbids every script."""
    context = browser.new_context(bypass_csp=True)
    yield context.new_page()
    context.close()


def find_violations(page: Page, document: str) -> list[str]:
    """What axe-core finds wrong with a document, as ids of its rules, WCAG and best practices alike."""
    page.set_content(document)
    page.add_script_tag(path=AXE)
    found: dict[str, Any] = page.evaluate("axe.run()")
    print(f"axe-core: {len(found['passes'])} rules passed, {len(found['violations'])} violated")
    assert found["passes"]
    return [each["id"] for each in found["violations"]]


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(
    page: Page, kelarec_register: Register, language: Language, scheme: Literal["light", "dark"]
) -> None:
    """Kela's and the municipality's notices and records are accessible in three languages, light or dark."""
    page.emulate_media(color_scheme=scheme)
    for register in (kelarec_register, load_register(MUNICIPALITY)):
        for render in (render_notice, render_record):
            assert find_violations(page, render(register, language=language, form="html")) == []


def test_axe_finds_a_planted_fault(page: Page, kelarec_register: Register) -> None:
    """The check can fail: without a language, with grey on white and with a list item alone, axe-core says so."""
    document = render_notice(kelarec_register, language="fi", form="html")
    broken = document.replace('<html lang="fi">', "<html>").replace("<h1>", "<li>x</li><h1 style='color:#bbb'>")
    assert set(find_violations(page, broken)) >= {"html-has-lang", "listitem"}


@pytest.mark.parametrize("language", Language)
def test_the_page_fetches_nothing_and_obeys_its_policy(
    browser: Browser, tmp_path: Path, kelarec_register: Register, language: Language
) -> None:
    """No request but for the file itself; the style applies, a script in it does not run (Content Security Policy)."""
    file = tmp_path / "notice.html"
    document = render_notice(kelarec_register, language=language, form="html")
    file.write_text(document.replace("</main>", "<script>document.title = 'run'</script></main>"), encoding="utf-8")
    context = browser.new_context()
    page = context.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(file.as_uri())
    assert requests == [file.as_uri()]
    assert page.title() == getattr(kelarec_register.title, language.value)
    assert page.evaluate("getComputedStyle(document.querySelector('dl')).display") == "grid"
    context.close()
