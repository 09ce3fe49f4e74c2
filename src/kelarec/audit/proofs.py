"""Check single proofs, for whoever holds one: that a leaf is in the tree, that a tree is the beginning of a later one.

Sizes count leaves, indexes count from 0. Each function raises VerificationError when the proof does not hold.
"""

from collections.abc import Sequence
from functools import reduce

from kelarec.audit.verify import HASH_SIZE, VerificationError, node_hash


def verify_inclusion(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf stands at an index of the tree of a size in leaves. Source: RFC 9162, 2.1.3.2."""
    where = f"inclusion proof of leaf {index} in the tree of {size}"
    if not 0 <= index < size:
        raise VerificationError(where, "that tree has no such leaf")
    if _climb([leaf_hash, *proof], index, size - 1, where)[0] != root:
        raise VerificationError(where, "it leads to another root")


def verify_consistency(size1: int, size2: int, proof: Sequence[bytes], root1: bytes, root2: bytes) -> None:
    """Check that a tree of one leaf or more is the beginning of a later one. Source: RFC 9162, 2.1.4.2."""
    where = f"consistency proof from the tree of {size1} to that of {size2}"
    if not 0 < size1 <= size2:
        raise VerificationError(where, "the older tree has no leaf, or more than the newer one")
    if bool(proof) != (size1 < size2):
        raise VerificationError(where, "it is empty, or the trees are of one size and need none")
    old = new = root2
    if proof:
        # the way up begins at the older tree's last full subtree, of this height
        full = (size1 & -size1).bit_length() - 1
        path = [root1, *proof] if size1 == 1 << full else proof
        new, left = _climb(path, (size1 - 1) >> full, (size2 - 1) >> full, where)
        old = reduce(lambda node, sibling: node_hash(sibling, node), left, path[0])
    if (old, new) != (root1, root2):
        raise VerificationError(where, "it leads to another older or newer root")


def _climb(path: Sequence[bytes], position: int, last: int, where: str) -> tuple[bytes, list[bytes]]:
    # the root that a node and its siblings lead to, and the siblings on its left, which an older tree has too
    if any(len(each) != HASH_SIZE for each in path):
        raise VerificationError(where, f"a hash in it does not have {HASH_SIZE} bytes")
    node, left = path[0], []
    for sibling in path[1:]:
        if last == 0:
            raise VerificationError(where, "it is too long")
        if position % 2 or position == last:
            node = node_hash(sibling, node)
            left.append(sibling)
            while position and position % 2 == 0:  # an unpaired last node goes up as it is
                position, last = position >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise VerificationError(where, "it is too short")
    return node, left
