"""The key tree of one date: from one secret a key leaf for every name, any of which can be destroyed by itself.

A node is a secret of 32 bytes at a path of up to 16 steps, each to one of 16 children. A child's secret is HMAC-SHA-256
under its parent's, so whoever holds a node has all below it and nothing above or beside it. To destroy one leaf is to
puncture the tree: the node that covers the leaf is replaced by the siblings along the way down to it.

The construction is the puncturable pseudorandom function of Goldreich, Goldwasser and Micali, as the secret tree of
RFC 9420, section 9, uses it. Everything here is a pure function.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

LEVELS: Final = 16
CHILDREN: Final = 16
ROOT: Final = ""
_SECRET_BYTES: Final = 32
_LABEL: Final = "kelarec key tree v1"
_HASH: Final = SHA256()
_STEPS: Final = "0123456789abcdef"
_CONTEXTS: Final = tuple(
    {step: f"{_LABEL}\nlevel {level}\nchild {int(step, CHILDREN)}".encode() for step in _STEPS}
    for level in range(1, LEVELS + 1)
)

Nodes = Mapping[str, bytes]
"""Secrets by path; a path is a hexadecimal digit for each step, the root's is empty. No path begins another."""


def name_leaf(name: str) -> str:
    """Return the path of the leaf of a name: the first 64 bits of its SHA-256, four for each step."""
    return hashlib.sha256(name.encode()).hexdigest()[:LEVELS]


def derive_child(secret: bytes, level: int, step: str) -> bytes:
    """Return the secret of a child.

    Args:
        secret: Of the parent: 32 bytes.
        level: Of the child, 1 to 16.
        step: Which child, a hexadecimal digit.
    """
    mac = HMAC(secret, _HASH)
    mac.update(_CONTEXTS[level - 1][step])
    return mac.finalize()


def find_cover(nodes: Nodes, path: str) -> str | None:
    """Return the path of the node from which the one at a path follows, or None if it was punctured."""
    return next((path[:level] for level in range(len(path) + 1) if path[:level] in nodes), None)


def derive(nodes: Nodes, path: str) -> bytes | None:
    """Return the secret at a path, or None if it was punctured."""
    cover = find_cover(nodes, path)
    if cover is None:
        return None
    secret = nodes[cover]
    for level in range(len(cover), len(path)):
        secret = derive_child(secret, level + 1, path[level])
    return secret


def puncture(nodes: Nodes, *paths: str) -> dict[str, bytes]:
    """Return the nodes from which all follows that followed before, save what is at some paths or below them."""
    left = dict(nodes)
    for path in paths:
        cover = find_cover(left, path)
        if cover is None:
            continue
        secret = left.pop(cover)
        for level in range(len(cover), len(path)):
            children = _derive_children(secret, level + 1)
            secret = children.pop(path[level])
            left.update((path[:level] + step, child) for step, child in children.items())
    return left


def pack(nodes: Nodes) -> bytes:
    """Return nodes as bytes, in the order of their paths.

    Each is one byte for its level, its path with two steps a byte (the last one filled up with a zero step), and its
    secret.
    """
    return b"".join(
        bytes([len(path)]) + bytes.fromhex(path + "0" * (len(path) % 2)) + nodes[path] for path in sorted(nodes)
    )


def unpack(packed: bytes) -> dict[str, bytes]:
    """Return the nodes of `pack`.

    Raises:
        ValueError: The bytes are none that `pack` gives.
    """
    nodes: dict[str, bytes] = {}
    at, last = 0, ""
    while at < len(packed):
        level, start = packed[at], at + 1 + (packed[at] + 1) // 2
        steps = packed[at + 1 : start].hex()
        path = steps[:level]
        if len(path) != level or steps[level:] not in {"", "0"} or (nodes and path <= last):
            raise ValueError("The bytes are no packed nodes.")
        nodes[path] = packed[start : start + _SECRET_BYTES]
        at, last = start + _SECRET_BYTES, path
    if at != len(packed):
        raise ValueError("The bytes are no packed nodes.")
    return nodes


def _derive_children(secret: bytes, level: int) -> dict[str, bytes]:
    """Return what `derive_child` gives for each child; the key is prepared once, which halves the time."""
    prepared = HMAC(secret, _HASH)
    children = {}
    for step in _STEPS:
        mac = prepared.copy()
        mac.update(_CONTEXTS[level - 1][step])
        children[step] = mac.finalize()
    return children
