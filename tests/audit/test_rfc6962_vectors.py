import json
from pathlib import Path
from typing import Any

import pytest

from kelarec.audit.proofs import verify_consistency, verify_inclusion
from kelarec.audit.tiles import consistency_proof, inclusion_proof
from kelarec.audit.verify import VerificationError, leaf_hash, node_hash
from kelarec.errors import InvalidValueError

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data" / "rfc6962.json").read_text())
HASHES = [bytes.fromhex(each) for each in VECTORS["hashes"]]


def _check_inclusion(vector: dict[str, Any]) -> None:
    proof = [HASHES[each] for each in vector["proof"]]
    verify_inclusion(HASHES[vector["leaf"]], vector["index"], vector["size"], proof, HASHES[vector["root"]])


def _check_consistency(vector: dict[str, Any]) -> None:
    proof = [HASHES[each] for each in vector["proof"]]
    (size1, size2), (root1, root2) = vector["sizes"], (HASHES[each] for each in vector["roots"])
    verify_consistency(size1, size2, proof, root1, root2)


def _name(vector: dict[str, Any]) -> str:
    return str(vector["case"])


def test_the_public_vectors_are_all_here() -> None:
    """There are 98 vectors of either kind, of which 184 are to be refused (transparency-dev/merkle, testdata)."""
    inclusion, consistency = VECTORS["inclusion"], VECTORS["consistency"]
    refused = [vector for vector in (*inclusion, *consistency) if vector["refused"]]

    assert (len(inclusion), len(consistency), len(refused)) == (98, 98, 184)
    assert len({_name(vector) for vector in inclusion}) == len({_name(vector) for vector in consistency}) == 98


@pytest.mark.parametrize("vector", VECTORS["inclusion"], ids=_name)
def test_inclusion_proof(vector: dict[str, Any]) -> None:
    """A leaf is in the tree if and only if the audit path leads to the root (RFC 9162, 2.1.3.2)."""
    if vector["refused"]:
        with pytest.raises(VerificationError, match="inclusion proof of leaf"):
            _check_inclusion(vector)
    else:
        _check_inclusion(vector)


@pytest.mark.parametrize("vector", VECTORS["consistency"], ids=_name)
def test_consistency_proof(vector: dict[str, Any]) -> None:
    """A tree is the beginning of another if and only if the proof leads to both roots (RFC 9162, 2.1.4.2)."""
    if vector["refused"]:
        with pytest.raises(VerificationError, match="consistency proof from the tree of"):
            _check_consistency(vector)
    else:
        _check_consistency(vector)


def test_a_proof_has_no_more_hashes_than_the_tree_needs() -> None:
    """A path that goes on above the root of the size that is claimed is refused (RFC 9162, 2.1.3.2 and 2.1.4.2)."""
    one, two, three = (leaf_hash(each) for each in (b"1", b"2", b"3"))
    pair = node_hash(one, two)
    root = node_hash(pair, three)

    verify_inclusion(two, 1, 2, [one], pair)
    with pytest.raises(VerificationError, match="too long"):
        verify_inclusion(two, 0, 1, [one], pair)
    verify_consistency(3, 3, [], root, root)
    with pytest.raises(VerificationError, match="need none"):
        verify_consistency(3, 3, [three, pair], root, root)
    verify_consistency(1, 3, [two, three], one, root)
    with pytest.raises(VerificationError, match="too long"):
        verify_consistency(1, 2, [two, three], one, root)


@pytest.mark.parametrize(("first", "size"), [(0, 0), (-1, 3), (4, 3)])
def test_nothing_is_proven_outside_the_tree(first: int, size: int) -> None:
    """No proof is made for a leaf or an older tree that the tree does not have (RFC 6962, 2.1.1 and 2.1.2)."""
    with pytest.raises(InvalidValueError, match="has no leaf"):
        inclusion_proof(first, size, dict[str, bytes]().get)
    with pytest.raises(InvalidValueError, match="cannot be proven"):
        consistency_proof(first, size, dict[str, bytes]().get)
