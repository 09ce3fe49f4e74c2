"""One key leaf dies and no other: the notice, section 13; GDPR, Art. 17; RFC 9420, section 9, whose tree this is."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelarec.storage.key_tree import (
    LEVELS,
    ROOT,
    derive,
    derive_child,
    find_cover,
    name_leaf,
    pack,
    puncture,
    unpack,
)

VECTORS: Final = json.loads((Path(__file__).parents[1] / "data" / "key_tree.json").read_text("utf-8"))
SECRET: Final = bytes(range(32))
WHOLE: Final[Mapping[str, bytes]] = {ROOT: SECRET}

STEPS: Final = "0123456789abcdef"
paths: Final = st.text(STEPS, min_size=LEVELS, max_size=LEVELS)


@st.composite
def neighbours(draw: st.DrawFn) -> list[str]:
    """Draw leaves that share beginnings of every length, as random ones never would."""
    first = draw(paths)
    found = {first}
    for level in draw(st.lists(st.integers(0, LEVELS - 1), max_size=8)):
        near = draw(st.sampled_from(sorted(found)))
        found.add(near[:level] + draw(st.sampled_from(STEPS)) + near[level + 1 :])
    return draw(st.permutations(sorted(found)))


def derive_by_the_documentation(root: bytes, name: str) -> bytes:
    """Derive a key leaf from docs/formats.md alone, with the standard library."""
    secret = root
    for level, step in enumerate(hashlib.sha256(name.encode()).hexdigest()[:16], start=1):
        label = f"kelarec key tree v1\nlevel {level}\nchild {int(step, 16)}"
        secret = hmac.new(secret, label.encode(), hashlib.sha256).digest()
    return secret


@pytest.mark.parametrize("vector", VECTORS["leaves"], ids=lambda vector: vector["name"][:13])
def test_leaves_are_those_of_the_vectors(vector: dict[str, str]) -> None:
    """A name has the leaf and the secret that the published vectors give it, and the documentation's reference too."""
    root = bytes.fromhex(VECTORS["root"])
    leaf = name_leaf(vector["name"])
    assert leaf == vector["leaf"]
    secret = derive({ROOT: root}, leaf)
    assert secret == derive_by_the_documentation(root, vector["name"]) == bytes.fromhex(vector["secret"])


@pytest.mark.parametrize("vector", VECTORS["punctured"], ids=lambda vector: str(len(vector["names"])))
def test_punctured_trees_are_those_of_the_vectors(vector: dict[str, list[str] | str | int]) -> None:
    """A tree punctured at some names packs to the bytes whose hash the published vectors give."""
    names = vector["names"]
    assert isinstance(names, list)
    nodes = puncture({ROOT: bytes.fromhex(VECTORS["root"])}, *map(name_leaf, names))
    assert (len(nodes), hashlib.sha256(pack(nodes)).hexdigest()) == (vector["nodes"], vector["packed_sha256"])


@given(st.binary(min_size=32, max_size=32), st.text())
def test_the_tree_is_what_the_documentation_says(root: bytes, name: str) -> None:
    """Whoever has docs/formats.md and HMAC-SHA-256 derives every leaf."""
    assert derive({ROOT: root}, name_leaf(name)) == derive_by_the_documentation(root, name)


@given(neighbours(), st.lists(paths, max_size=3))
def test_exactly_the_punctured_leaves_are_gone(leaves: list[str], far: list[str]) -> None:
    """After any set of punctures those leaves cannot be derived, and every other leaf is what it was (Art. 17)."""
    kept = {leaf[:-1] + STEPS[int(leaf[-1], 16) ^ 1] for leaf in leaves} | set(far)
    nodes = puncture(WHOLE, *leaves)
    for leaf in leaves:
        assert derive(nodes, leaf) is None
    for leaf in kept - set(leaves):
        assert derive(nodes, leaf) == derive(WHOLE, leaf)


@given(st.data(), neighbours())
def test_the_order_does_not_matter(data: st.DataObject, leaves: list[str]) -> None:
    """Punctures in any order, once or twice, leave the same nodes."""
    shuffled = data.draw(st.permutations(leaves + leaves[:2]))
    one_by_one: Mapping[str, bytes] = WHOLE
    for leaf in shuffled:
        one_by_one = puncture(one_by_one, leaf)
    assert one_by_one == puncture(WHOLE, *leaves)


@given(neighbours())
def test_what_is_left_is_no_more_than_it_must_be(leaves: list[str]) -> None:
    """No node that is left lies above a punctured leaf, and none lies above another."""
    nodes = puncture(WHOLE, *leaves)
    for path in nodes:
        assert not any(leaf.startswith(path) for leaf in leaves)
        assert not any(path[:level] in nodes for level in range(len(path)))


@given(neighbours())
def test_nodes_survive_packing(leaves: list[str]) -> None:
    """Nodes come back from their bytes as they were."""
    nodes = puncture(WHOLE, *leaves)
    assert unpack(pack(nodes)) == nodes


@given(st.binary(max_size=120))
@settings(max_examples=300)
def test_bytes_that_are_no_nodes_are_refused(packed: bytes) -> None:
    """Nothing is read as nodes that packing would not give back byte for byte."""
    try:
        nodes = unpack(packed)
    except ValueError:
        return
    assert pack(nodes) == packed


# Attacks -------------------------------------------------------------------------------------------------------------


def test_no_secret_occurs_twice() -> None:
    """Level and child are bound in: no child equals another, its parent, or one at the same place a level below."""
    secrets = [derive_child(SECRET, level, step) for level in range(1, LEVELS + 1) for step in STEPS]
    assert len({SECRET, *secrets}) == LEVELS * 16 + 1


def test_a_puncture_leaves_no_secret_of_the_way_down() -> None:
    """None of the 17 secrets from the root to the leaf is among what is left, under whatever path."""
    leaf = name_leaf("019cbd02-c000-7000-8000-000000000001")
    way = {derive(WHOLE, leaf[:level]) for level in range(LEVELS + 1)}
    assert len(way) == LEVELS + 1
    assert way.isdisjoint(puncture(WHOLE, leaf).values())


def test_a_leaf_of_one_date_is_none_of_another() -> None:
    """One recording id has another leaf under another root, so a date's death is not survived by another's tree."""
    leaf = name_leaf("019cbd02-c000-7000-8000-000000000001")
    assert derive(WHOLE, leaf) != derive({ROOT: bytes(32)}, leaf)


def test_a_name_cannot_reach_a_node_above_the_leaves() -> None:
    """Every name leads sixteen steps down: no name, however chosen, is given a node that others follow from."""
    names = ["", "0", "\x00", "a" * 10_000, "days/../ring.key", "019cbd02-c000-7000-8000-000000000001"]
    assert {len(name_leaf(name)) for name in names} == {LEVELS}
    assert all(step in STEPS for name in names for step in name_leaf(name))


def test_siblings_that_are_all_gone_leave_nothing() -> None:
    """If all sixteen leaves below a node are punctured, nothing of that node remains."""
    parent = name_leaf("x")[:-1]
    nodes = puncture(WHOLE, *(parent + step for step in STEPS))
    assert find_cover(nodes, parent) is None
    assert not [path for path in nodes if path.startswith(parent)]
    assert len(nodes) == (LEVELS - 1) * 15


def test_a_puncture_costs_what_it_must() -> None:
    """One puncture leaves 15 siblings on each of 16 levels; 1,000 spread ones leave fewer for each."""
    first = puncture(WHOLE, name_leaf("recording 1"))
    thousand = puncture(WHOLE, *(name_leaf(f"recording {number}") for number in range(1, 1001)))
    one, each = len(pack(first)), len(pack(thousand)) / 1000
    print(f"\n1 puncture: {len(first)} nodes, {one} bytes packed; 1,000: {each:.0f} bytes for each")
    assert one == 15 * sum(1 + (level + 1) // 2 + 32 for level in range(1, LEVELS + 1))
    assert each < one
