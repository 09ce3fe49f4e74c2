"""Which region lies where: the notice, section 8; GDPR, Art. 44."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelarec.domain.eea import EEA
from kelarec.domain.regions import REGIONS, REGIONS_AS_OF, Cloud, find_countries

PAIRS = [(cloud, region) for cloud, table in REGIONS.items() for region in table]


@pytest.mark.parametrize(
    ("cloud", "region", "country"),
    [
        (Cloud.AWS, "eu-west-2", "GB"),
        (Cloud.AWS, "eu-central-2", "CH"),
        (Cloud.AZURE, "uksouth", "GB"),
        (Cloud.AZURE, "ukwest", "GB"),
        (Cloud.AZURE, "switzerlandnorth", "CH"),
        (Cloud.AZURE, "switzerlandwest", "CH"),
        (Cloud.GOOGLE, "europe-west2", "GB"),
        (Cloud.GOOGLE, "europe-west6", "CH"),
    ],
)
def test_what_sounds_european_and_is_not_in_the_eea(cloud: Cloud, region: str, country: str) -> None:
    """Regions in the United Kingdom and Switzerland are elsewhere, whatever their name (section 8)."""
    assert find_countries(cloud, region) == frozenset({country})
    assert country not in EEA


@pytest.mark.parametrize("pair", ["EUR5", "EUR7", "EUR8"])
def test_a_pair_that_reaches_out_is_not_in_the_eea(pair: str) -> None:
    """A pair of Google's regions is in the EEA only if both of them are (section 8)."""
    countries = find_countries(Cloud.GOOGLE, pair)
    assert countries is not None
    assert len(countries & EEA) == len(countries - EEA) == 1


@pytest.mark.parametrize("region", ["norwayeast", "norwaywest", "swedencentral", "northeurope"])
def test_norway_is_in(region: str) -> None:
    """Norway, Iceland and Liechtenstein are in the EEA like the Union (section 8)."""
    assert (find_countries(Cloud.AZURE, region) or frozenset()) <= EEA


@given(st.sampled_from(PAIRS), st.booleans(), st.sampled_from(["", " "]))
def test_however_a_region_is_written_it_is_the_same(pair: tuple[Cloud, str], upper: bool, blank: str) -> None:  # noqa: FBT001
    """Case and blanks around a name change nothing."""
    cloud, region = pair
    assert find_countries(cloud, blank + (region.upper() if upper else region) + blank) == REGIONS[cloud][region]


@given(st.sampled_from(list(Cloud)), st.text(max_size=20))
def test_what_the_table_does_not_know_is_unknown(cloud: Cloud, text: str) -> None:
    """No other text has a country: nothing is guessed from how a name begins."""
    known = text.strip().lower().replace(" ", "") in REGIONS[cloud]
    assert known or find_countries(cloud, text) is None


def test_azures_names_are_known_as_people_write_them() -> None:
    """Azure's management service and its portal write one region in two ways."""
    assert find_countries(Cloud.AZURE, "West Europe") == find_countries(Cloud.AZURE, "westeurope") == frozenset({"NL"})


def test_each_region_has_countries() -> None:
    """Each line of the tables names ISO 3166-1 alpha-2 codes, and the tables have a date."""
    assert all(
        countries and all(len(code) == 2 and code.isalpha() and code.isupper() for code in countries)
        for table in REGIONS.values()
        for countries in table.values()
    )
    assert REGIONS_AS_OF >= "2026-11-24"
    assert "UK" not in {code for table in REGIONS.values() for countries in table.values() for code in countries}


DESCRIBED = {
    "Ireland": "IE", "London": "GB", "Paris": "FR", "Frankfurt": "DE", "Zurich": "CH", "Stockholm": "SE",
    "Milan": "IT", "Spain": "ES", "Germany": "DE",
}  # fmt: skip


def test_the_table_of_aws_agrees_with_its_own_client() -> None:
    """Each public region that AWS's client knows is in the table, and the European ones lie where it says."""
    spec = find_spec("botocore")
    assert spec is not None
    assert spec.origin is not None
    endpoints = json.loads((Path(spec.origin).parent / "data" / "endpoints.json").read_text(encoding="utf-8"))
    described = {
        region: about["description"]
        for partition in endpoints["partitions"]
        if partition["partition"] in {"aws", "aws-cn", "aws-us-gov", "aws-eusc"}
        for region, about in partition["regions"].items()
    }
    assert described.keys() <= REGIONS[Cloud.AWS].keys()
    european = {region: text for region, text in described.items() if region.startswith("eu")}
    assert len(european) >= 9
    for region, text in european.items():
        (city,) = (name for name in DESCRIBED if name in text)
        assert find_countries(Cloud.AWS, region) == frozenset({DESCRIBED[city]}), text
