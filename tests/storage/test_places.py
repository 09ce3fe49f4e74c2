"""Every place has a country in the EU/EEA, and keys lie apart from objects: the notice, sections 8 and 10."""

from pathlib import Path
from typing import Final

import pytest

from kelarec import KelarecError, Place
from kelarec.domain.eea import EEA, EU
from kelarec.errors import NotResidentError, PlaceOverlapError, UnknownSchemeError
from kelarec.storage.places import require_apart

EU_OF_2020: Final = (
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"  # 27, after 31.1.2020
)


def test_the_countries_are_those_of_the_agreement() -> None:
    """The EEA is the 27 Member States and Iceland, Liechtenstein and Norway (section 8; GDPR, Art. 44)."""
    assert sorted(EU) == EU_OF_2020.split()
    assert {"IS", "LI", "NO"} == EEA - EU


@pytest.mark.parametrize("country", sorted(EEA))
def test_a_place_in_the_eea_may_hold_data(country: str) -> None:
    """Every country of the EU/EEA may hold data and keys, however its code is written (section 8)."""
    assert Place("/srv/archive", country).country == country
    assert Place("/srv/archive", f" {country.lower()} ").country == country


@pytest.mark.parametrize(
    "country",
    ["GB", "UK", "CH", "US", "RU", "TR", "UA", "MD", "", "EU", "Finland", "FIN", "F", "\uff26\uff29", None],
)
def test_a_place_elsewhere_may_not(country: str | None) -> None:
    """Data never leave the EU/EEA: another country, or one that nobody knows, is refused (section 8)."""
    with pytest.raises(NotResidentError) as caught:
        Place("/srv/archive", country)
    assert caught.value.advice


def test_the_catalog_needs_a_country_too() -> None:
    """What holds metadata is a place like any other (section 8)."""
    with pytest.raises(NotResidentError):
        Place("sqlite:///srv/catalog.sqlite", "GB")


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("/srv/archive", "/srv/archive"),
        (Path("/srv/archive"), "/srv/archive"),
        ("file:///srv/archive", "/srv/archive"),
        ("file://localhost/srv/archive", "/srv/archive"),
        ("file:///srv/my%20archive", "/srv/my archive"),
        (Path("/srv/my archive"), "/srv/my archive"),
        ("FILE:///srv/archive", "/srv/archive"),
        (Path("/srv/archive#1"), "/srv/archive#1"),
        (Path("/srv/archive?1"), "/srv/archive?1"),
        (Path("/srv/archive%201"), "/srv/archive%201"),
        ("/srv/archive#1", "/srv/archive#1"),
    ],
)
def test_a_place_is_the_folder_it_names(url: str | Path, folder: str) -> None:
    """A path is the folder of that very name; only a URL has escapes. Else two archives would share one folder."""
    assert Place(url, "FI").folder == Path(folder)


def test_a_bare_path_is_one_of_this_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path stays where it was when it was given, wherever the process goes."""
    monkeypatch.chdir(tmp_path)
    place = Place("archive", "FI")
    monkeypatch.chdir("/")
    assert place.folder == tmp_path / "archive"


@pytest.mark.parametrize("url", ["", "://srv", "9p://srv", "s 3://srv", None, 7])
def test_what_is_no_url_is_refused(url: object) -> None:
    """A place has a scheme, and the error gives an example."""
    with pytest.raises(UnknownSchemeError, match="file:///srv/archive"):
        Place(url, "FI")


@pytest.mark.parametrize("url", ["s3://bucket/archive", "file://another-machine/srv", "sqlite:///srv/archive"])
def test_what_is_no_folder_is_refused(url: str) -> None:
    """Where no backend can go, nothing is written, and the error says what would do."""
    with pytest.raises(UnknownSchemeError) as caught:
        _ = Place(url, "FI").folder
    assert caught.value.advice


def test_no_password_is_shown() -> None:
    """A place with credentials in its URL does not show them (section 10)."""
    place = Place("postgresql://kelarec:s3cr3t@db.example.org/catalog", "FI")
    assert "s3cr3t" not in repr(place)
    assert "db.example.org" in repr(place)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a", "a"),
        ("a", "a/b"),
        ("a/b", "a"),
        ("a/b/c", "a"),
        ("a/../b", "b"),
        (".", "a"),
        ("link", "a"),
        ("link/x", "a"),
    ],
)
def test_places_that_contain_one_another_are_refused(tmp_path: Path, one: str, other: str) -> None:
    """Keys beside what they open would be copied with it; symbolic links hide nothing (section 10)."""
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with pytest.raises(PlaceOverlapError) as caught:
        require_apart(tmp_path / one, tmp_path / other)
    assert caught.value.advice
    assert isinstance(caught.value, KelarecError)


@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("a", "ab"), ("a/b", "a/c"), ("x/a", "y/a")])
def test_places_beside_one_another_are_apart(tmp_path: Path, one: str, other: str) -> None:
    """Neighbours are apart, also when one's name begins with the other's."""
    require_apart(tmp_path / one, tmp_path / other)
