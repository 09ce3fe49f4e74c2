"""A register is read from TOML, or every fault of the document is told at once with its place."""

import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from kelarec import Register, load_register
from kelarec.errors import Fault, RegisterFaultsError
from kelarec.notice.changes import lint_register
from kelarec.notice.toml_form import parse_register, to_toml

MUNICIPALITY: Final = Path(__file__).parents[2] / "examples" / "data" / "municipality.toml"

NEEDED: Final = [
    *("name", "title", "version", "controller", "contact_points", "task", "purposes", "lines", "categories"),
    *("sources", "retention", "log_retention", "protection", "roles", "channels", "rights", "supervisory_authority"),
]


def find_faults(document: str) -> list[tuple[str, str]]:
    """The places of a document's faults, each with its sentence."""
    with pytest.raises(RegisterFaultsError) as caught:
        parse_register(document)
    return list(caught.value.faults)


def replace(document: str, **replacements: tuple[str, str]) -> str:
    """A document with each text replaced once; a text that is not there is a mistake of the test."""
    for old, new in replacements.values():
        assert old in document
        document = document.replace(old, new, 1)
    return document


def test_every_fault_is_told_at_once_with_its_place() -> None:
    """A missing part, a code twice, no retention, a wrong country, an unserved channel, no translation: all at once."""
    document = MUNICIPALITY.read_text(encoding="utf-8")
    second_purpose = """[[purposes]]
code = "verify-service-event"
label = { fi = "a", sv = "b", en = "c" }
rank = "primary"
legal_basis = { fi = "a", sv = "b", en = "c" }

[[lines]]"""
    broken = replace(
        document,
        a=('telephone = "+358 00 000 0000"\n', ""),
        b=('supervisory_authority = { fi = "tietosuojavaltuutettu", sv = "dataombudsmannen", ', "unknown = { "),
        c=("[[lines]]", second_purpose),
        d=("retention = { years = 2 }", "retention = { years = 0 }"),
        e=('processing_countries = ["FI", "SE"]', 'processing_countries = ["FI", "GB"]'),
        f=('country = "FI"', 'country = "CH"'),
        g=('served_by = ["registry-officer"]', 'served_by = ["adviser"]'),
        h=('sv = "namn", ', ""),
        i=('coverage = "all"', 'coverage = "most"'),
        j=('kinds = ["customer-call"]', 'kinds = "customer-call"'),
        k=("article = 21", "article = 22"),
        m=('article_6 = "e"', 'article_6 = "g"'),
        n=('url = "https://www.esimerkkila.example/kirjaamo"', 'url = "javascript:alert(1)"'),
        o=('channels = ["registry-office", "service-point"]', 'channels = ["registry-office", "fax"]'),
        p=("is_automatic = true", 'is_automatic = "yes"'),
        q=('purposes = ["verify-service-event"]', 'purposes = ["staff-training"]'),
        r=("valid = { from_on = 2026-01-01 }", "valid = { from_on = 2026-02-01, through_on = 2026-01-01 }"),
    )
    places = [fault[0] for fault in find_faults(broken)]
    assert sorted(places) == sorted(
        [
            "unknown",
            "controller.telephone",
            "controller.country",
            "supervisory_authority",
            "purposes[0].article_6",
            "purposes[1].code",
            "retention.years",
            "processing_countries",
            "channels[0].served_by",
            "channels[0].url",
            "categories[0].label.sv",
            "lines[0].coverage",
            "lines[0].kinds",
            "rights[0].channels",
            "rights[4].article",
            "is_automatic",
            "roles[0].purposes",
            "contact_points[0].valid",
        ]
    )


@pytest.mark.parametrize("field", NEEDED)
def test_each_missing_part_is_named(kelarec_register: Register, field: str) -> None:
    """A register without one of the parts that every notice has does not load (notice, sections 1 to 14)."""
    document = to_toml(kelarec_register)
    renamed = re.sub(rf"^(\[*){field}( =|\.|\])", r"\1zz-\2", document, flags=re.MULTILINE)
    renamed = re.sub(r"^(\[*)zz-", rf"\1zz{field}", renamed, flags=re.MULTILINE)
    assert (field, "It is missing.") in find_faults(renamed)


def test_an_empty_document_names_all_it_lacks() -> None:
    """Nothing at all is a list of what a register needs."""
    faults = find_faults("")
    assert [place for place, _ in faults] == sorted(NEEDED, key=NEEDED.index)
    assert {sentence for _, sentence in faults} == {"It is missing."}


def test_facts_that_do_not_hold_on_the_notices_date_are_a_fault(kelarec_register: Register) -> None:
    """A notice that on its own date had nobody to ask is not one (notice, section 2)."""
    document = to_toml(kelarec_register).replace(
        "is_switchboard = true", "is_switchboard = true, valid = { from_on = 2020-08-19 }"
    )
    assert find_faults(document) == [
        ("contact_points", "None of the contact_points holds on the date of the notice, 2020-08-18.")
    ]


@pytest.mark.parametrize("document", [b"\xff", "a = ", "[[a", "a = 1\na = 2"])
def test_what_is_no_toml_is_refused(document: bytes | str) -> None:
    """A document that cannot be parsed is one fault that says where."""
    with pytest.raises(RegisterFaultsError, match="It is no TOML"):
        parse_register(document)


def test_the_error_lists_its_faults_and_survives_pickling() -> None:
    """A person reads one line for each fault; a worker's error comes home whole."""
    error = RegisterFaultsError([Fault("purposes[0].code", "It is missing.")])
    assert "\n  purposes[0].code: It is missing.\n" in str(error)
    assert pickle.loads(pickle.dumps(error)).faults == error.faults  # noqa: S301  our own bytes


def test_kelas_notice_survives_toml(kelarec_register: Register, tmp_path: Path) -> None:
    """What is written can be loaded from a file."""
    file = tmp_path / "register.toml"
    file.write_text(to_toml(kelarec_register), encoding="utf-8")
    assert load_register(file) == kelarec_register


def test_the_municipalitys_notice_lacks_nothing() -> None:
    """The second register says all that Arts 13 and 14 want, in each language, so the lint can be satisfied."""
    assert lint_register(load_register(MUNICIPALITY), language="fi") == ()


@pytest.mark.parametrize(("package", "module"), [("jinja2", "render"), ("babel", "wording"), ("babel", "changes")])
def test_a_missing_extra_is_named(package: str, module: str) -> None:
    """Without ``kelarec[notice]`` rendering says what to install; reading a register works all the same."""
    script = f"""
import sys
sys.modules["{package}"] = None
sys.modules["tomli_w"] = None
from kelarec import kela_register, load_register
from kelarec.errors import MissingExtraError
register = load_register({str(MUNICIPALITY)!r})
try:
    import kelarec.notice.{module}
except MissingExtraError as error:
    print(error)
from kelarec.notice.toml_form import to_toml
try:
    to_toml(register)
except MissingExtraError as error:
    print(error.code)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    told = "The packages of kelarec[notice] are not installed. pip install 'kelarec[notice]'\nmissing-extra\n"
    assert (done.stdout, done.stderr) == (told, "")
