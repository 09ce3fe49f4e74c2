import json
from pathlib import Path
from typing import Any

import pytest

from kelarec.audit.verify import VerificationError, verify_consistency, verify_inclusion

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
