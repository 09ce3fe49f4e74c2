"""The record of processing in terms of the W3C Data Privacy Vocabulary."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Never

import pytest
from hypothesis import HealthCheck, given, settings
from pyld import jsonld

from kelarec import Register, kela_register, load_register
from kelarec.domain.register import Rank
from kelarec.errors import RegisterFaultsError
from kelarec.notice.dpv_terms import PREFIXES, TO_TERMS
from kelarec.notice.jsonld import from_jsonld, get_context, to_jsonld
from kelarec.testing.strategies import registers

TERMS: Final = frozenset((Path(__file__).parents[1] / "data" / "dpv_terms.txt").read_text().split())
MUNICIPALITY: Final = Path(__file__).parents[2] / "examples" / "data" / "municipality.toml"
OTHERS: Final = ("http://purl.org/dc/terms/", "http://www.w3.org/2004/02/skos/core#", "urn:kelarec:register:")
DPV: Final = "https://w3id.org/dpv"


def refuse(url: str, _: object) -> Never:
    """No document may be fetched."""
    raise AssertionError(f"{url} was to be fetched")


def expand(document: str) -> object:
    """Expand a document with a processor that is not ours and fetches nothing."""
    return jsonld.expand(json.loads(document), {"documentLoader": refuse})


def iter_iris(node: object) -> Iterator[str]:
    """Go through every property, class and node that an expanded document names."""
    if isinstance(node, list):
        for each in node:
            yield from iter_iris(each)
    elif isinstance(node, dict):
        yield from [node["@id"]] if "@id" in node else []
        yield from node["@type"] if isinstance(node.get("@type"), list) else []
        for name, value in node.items():
            if not name.startswith("@"):
                yield name
            yield from iter_iris(value) if name != "@type" else ()


few = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@few
@given(registers())
def test_each_term_exists(register: Register) -> None:
    """After expansion each name is a term of DPV 2.3, of Dublin Core or SKOS, or one of ours (Art. 30(1))."""
    for iri in iter_iris(expand(to_jsonld(register))):
        assert iri in TERMS or iri.startswith(OTHERS), iri
        assert iri in TERMS or not iri.startswith(DPV), iri


def test_the_check_finds_a_term_that_does_not_exist() -> None:
    """The check can fail: a misspelt term of DPV is not in the list."""
    document = to_jsonld(kela_register(contact_point="Registry office")).replace("dpv:hasPurpose", "dpv:hasPurpos")
    assert [iri for iri in iter_iris(expand(document)) if iri.startswith(DPV) and iri not in TERMS] == [
        "https://w3id.org/dpv#hasPurpos"
    ]


@few
@given(registers())
def test_another_processor_loses_nothing(register: Register) -> None:
    """Expanded and compacted again by another processor, the document still gives the equal register."""
    compacted = jsonld.compact(expand(to_jsonld(register)), get_context(), {"documentLoader": refuse})
    assert from_jsonld(json.dumps(compacted)) == register


def test_kelas_record_says_what_dpv_has_words_for() -> None:
    """Purposes with rank and letter, personal data, rights, authority and retention are in DPV's own terms."""
    document = to_jsonld(kela_register(contact_point="Registry office", article_6="e"))
    iris = set(iter_iris(expand(document)))
    gdpr = f"{DPV}/legal/eu/gdpr#"
    assert iris >= {
        f"{DPV}#hasPurpose",
        f"{DPV}#PrimaryImportance",
        f"{DPV}#SecondaryImportance",
        f"{gdpr}A6-1-e",
        f"{DPV}/pd#OfficialID",
        f"{gdpr}A15",
        f"{gdpr}A16",
        f"{gdpr}A17",
        f"{DPV}/legal/fi#DPA-FI",
        f"{DPV}#StorageDuration",
        f"{DPV}/loc#FI",
    }
    assert f"{gdpr}A6-1-e" not in set(iter_iris(expand(to_jsonld(kela_register(contact_point="Registry office")))))


def test_faults_are_told_with_their_place() -> None:
    """A document that is no register is refused as a TOML one is; one with another context, too."""
    document = json.loads(to_jsonld(load_register(MUNICIPALITY)))
    document["version"] = "soon"
    document["purposes"][0]["rank"] = "dpv:Hospital"
    document["controller"]["country"] = "loc:US"
    del document["channels"][0]["label"]["sv"]
    with pytest.raises(RegisterFaultsError) as caught:
        from_jsonld(json.dumps(document))
    places = [fault.place for fault in caught.value.faults]
    assert places == ["version", "controller.country", "purposes[0].rank", "channels[0].label.sv"]
    with pytest.raises(RegisterFaultsError, match="another context"):
        from_jsonld("{}")
    with pytest.raises(RegisterFaultsError, match="It is no JSON"):
        from_jsonld("{")


def test_values_and_terms_are_one_for_one() -> None:
    """No two values share a term, or one would be lost on the way back."""
    for terms in TO_TERMS.values():
        assert len(set(terms.values())) == len(terms)
    assert set(next(iter(TO_TERMS.values()))) == {rank.value for rank in Rank}
    assert all(iri.startswith(tuple(PREFIXES.values())) for iri in TERMS)
