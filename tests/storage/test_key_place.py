"""The place of the keys: apart from what they open, without versions: the notice, sections 8 and 10."""

from pathlib import Path
from typing import Final
from uuid import UUID

import pytest

from kelarec import Place
from kelarec.errors import InvalidValueError, KeyPlaceVersionedError, PlaceOverlapError
from kelarec.storage.key_place import KeyPlaces, require_keys_apart, require_unversioned, to_places

ARCHIVE: Final = UUID("019cbd02-c000-7000-8000-000000000001")
OVERLAPPING: Final = [
    ("s3://rec/keys", "s3://rec/objects"),
    ("s3://rec", "s3://rec/objects"),
    ("s3://rec/objects/keys", "s3://rec/objects"),
    ("s3a://rec/keys", "s3://rec"),
    ("s3://id:secret@rec/keys", "s3://rec"),
    ("S3://rec/keys", "s3://REC"),
    ("gs://rec/keys", "gcs://rec/objects"),
    ("az://rec/keys", "abfs://rec@account.dfs.core.windows.net/objects"),
    ("sftp://host/srv/rec/keys", "sftp://host/srv/rec"),
    ("sftp://host/srv/rec", "sftp://kelarec@host/srv/rec/objects"),
    ("file:///srv/rec/keys", "file:///srv/rec"),
    ("file:///srv/rec", "file:///srv/rec/objects"),
]
APART: Final = [
    ("s3://rec-keys", "s3://rec"),
    ("s3://rec", "gs://rec"),
    ("file:///srv/keys", "s3://srv/keys"),
    ("file:///srv/keys", "file:///srv/objects"),
    ("sftp://host/srv/keys", "sftp://host/srv/objects"),
    ("sftp://host/srv/rec", "sftp://other/srv/rec"),
    ("az://keys", "abfs://rec@account.dfs.core.windows.net/keys"),
]


@pytest.mark.parametrize(("keys", "objects"), OVERLAPPING)
def test_keys_lie_neither_beneath_nor_beside_the_objects(keys: str, objects: str) -> None:
    """What copies, replicates or versions a bucket or folder must not do so with the keys of what lies there."""
    for places in ((keys, objects), (objects, keys)):
        with pytest.raises(PlaceOverlapError) as caught:
            require_keys_apart(Place(places[0], "FI"), Place(places[1], "FI"))
        assert caught.value.advice
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("keys", "objects"), APART)
def test_keys_in_a_place_of_their_own_are_apart(keys: str, objects: str) -> None:
    """Another bucket, server, store or folder is apart."""
    require_keys_apart(Place(keys, "FI"), Place(objects, "FI"))
    require_keys_apart(Place(objects, "FI"), Place(keys, "FI"))


def test_each_copy_is_looked_at(tmp_path: Path) -> None:
    """Of two copies neither lies with the objects, nor one within the other."""
    objects, keys, other = (Place(tmp_path / name, "FI") for name in ("objects", "keys", "other"))
    inside = Place(tmp_path / "objects" / "keys", "FI")
    require_keys_apart((keys, other), objects)
    for pair in ((keys, inside), (inside, keys), (keys, keys)):
        with pytest.raises(PlaceOverlapError):
            require_keys_apart(pair, objects)


def test_a_place_that_keeps_old_versions_is_refused() -> None:
    """Where versions are kept a destroyed key lives on; where nobody can tell, the operator must (section 9)."""
    place = Place("s3://id:s3cr3t@keys", "FI")
    asked: list[Place] = []

    def find_versioning(asked_of: Place) -> bool | None:
        asked.append(asked_of)
        return {1: False, 2: None}.get(len(asked), True)

    require_unversioned(place, find_versioning)
    require_unversioned(place, find_versioning)
    with pytest.raises(KeyPlaceVersionedError) as caught:
        require_unversioned(place, find_versioning)
    assert asked == [place] * 3
    assert caught.value.advice
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("keys", [(), (Place("/a", "FI"),) * 3, "/a", None, [Place("/a", "FI")], ("/a", "/b")])
def test_keys_lie_in_one_place_or_two(keys: KeyPlaces) -> None:
    """Something else than a place or a pair of them is refused by name."""
    with pytest.raises(InvalidValueError, match="one place or in two"):
        to_places(keys)
