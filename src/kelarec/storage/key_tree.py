"""The key tree of one date: from one secret a key leaf for every name, any of which can be destroyed by itself.

A node is a secret of 32 bytes at a path of up to 16 steps, each to one of 16 children. A child's secret is HMAC-SHA-256
under its parent's, so whoever holds a node has all below it and nothing above or beside it. To destroy one leaf is to
puncture the tree: the node that covers the leaf is replaced by the siblings along the way down to it.

The construction is the puncturable pseudorandom function of Goldreich, Goldwasser and Micali, as the secret tree of
RFC 9420, section 9, uses it. Everything here is a pure function.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

LEVELS: Final = 16
CHILDREN: Final = 16
ROOT: Final = b""
_LABEL: Final = "kelarec key tree v1"
_HASH: Final = SHA256()
_CONTEXTS: Final = tuple(
    tuple(f"{_LABEL}\nlevel {level}\nchild {index}".encode() for index in range(CHILDREN))
    for level in range(1, LEVELS + 1)
)

Nodes = Mapping[bytes, bytes]
"""Secrets by path; a path is a byte from 0 to 15 for each step, the root's is empty. No path begins another."""


def name_leaf(name: str) -> bytes:
    """Return the path of the leaf of a name: the first 64 bits of its SHA-256, four for each step."""
    return bytes(
        step for byte in hashlib.sha256(name.encode()).digest()[: LEVELS // 2] for step in (byte >> 4, byte & 15)
    )


def derive_child(secret: bytes, level: int, index: int) -> bytes:
    """Return the secret of a child.

    Args:
        secret: Of the parent: 32 bytes.
        level: Of the child, 1 to 16.
        index: Which child, 0 to 15.
    """
    mac = HMAC(secret, _HASH)
    mac.update(_CONTEXTS[level - 1][index])
    return mac.finalize()


def find_cover(nodes: Nodes, path: bytes) -> bytes | None:
    """Return the path of the node from which the one at a path follows, or None if it was punctured."""
    return next((path[:level] for level in range(len(path) + 1) if path[:level] in nodes), None)


def derive(nodes: Nodes, path: bytes) -> bytes | None:
    """Return the secret at a path, or None if it was punctured."""
    cover = find_cover(nodes, path)
    if cover is None:
        return None
    secret = nodes[cover]
    for level in range(len(cover), len(path)):
        secret = derive_child(secret, level + 1, path[level])
    return secret


def puncture(nodes: Nodes, *paths: bytes) -> dict[bytes, bytes]:
    """Return the nodes from which all follows that followed before, save what is at some paths or below them."""
    left = dict(nodes)
    for path in paths:
        cover = find_cover(left, path)
        if cover is None:
            continue
        secret = left.pop(cover)
        for level in range(len(cover), len(path)):
            for index in range(CHILDREN):
                if index != path[level]:
                    left[path[:level] + bytes([index])] = derive_child(secret, level + 1, index)
            secret = derive_child(secret, level + 1, path[level])
    return left


def pack(nodes: Nodes) -> bytes:
    """Return nodes as bytes, in the order of their paths.

    Each is one byte for its level, its path with two steps a byte (the last one filled up with a zero step), and its
    secret.
    """
    return b"".join(
        bytes([len(path), *(high << 4 | low for high, low in _pairs(path))]) + nodes[path] for path in sorted(nodes)
    )


def unpack(packed: bytes) -> dict[bytes, bytes]:
    """Return the nodes of `pack`.

    Raises:
        ValueError: The bytes are none that `pack` gives.
    """
    nodes = {}
    at = 0
    while at < len(packed):
        level, start = packed[at], at + 1 + (packed[at] + 1) // 2
        path = bytes(step for byte in packed[at + 1 : start] for step in (byte >> 4, byte & 15))[:level]
        nodes[path] = packed[start : start + 32]
        at = start + 32
    if pack(nodes) != packed:
        raise ValueError("The bytes are no packed nodes.")
    return nodes


def _pairs(path: bytes) -> Iterator[tuple[int, int]]:
    filled = path + bytes(len(path) % 2)
    return zip(filled[::2], filled[1::2], strict=True)
