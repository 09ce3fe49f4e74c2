"""Grow the log's tree and prove from it: which objects to write, which hashes to show.

The formats are C2SP tlog-tiles, the tree is that of RFC 6962. Nothing is stored here: a ``read`` gives an object's
bytes by its path below the log's prefix, or None. Sizes count leaves, indexes count from 0.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial

from attrs import frozen

from kelarec.audit.verify import (
    TILE_WIDTH,
    Read,
    VerificationError,
    bundle_path,
    get_bundle,
    get_tile,
    iter_rightmost,
    leaf_hash,
    node_hash,
    root_hash,
    tile_path,
    tree_root,
)
from kelarec.errors import InvalidValueError

MAX_ENTRY = (1 << 16) - 1
"""The longest entry, in bytes: its length is a uint16. Source: tlog-tiles, Log entries."""


@frozen
class Growth:
    """A longer log.

    Attributes:
        size: How many leaves it has.
        root: The hash of its tree.
        objects: Paths and bytes to write, all of them durable before a checkpoint of this size is signed.
    """

    size: int
    root: bytes
    objects: tuple[tuple[str, bytes], ...]


def grow(size: int, entries: Sequence[bytes], read: Read, *, root: bytes | None) -> Growth:
    """Append entries to a log of a size and signed root (None for an empty log, which has signed nothing yet).

    Only its partial tiles and bundle are read, and they must lead to that root: nothing grows on what was altered.

    Raises:
        InvalidValueError: An entry is longer than a bundle can say.
        VerificationError: A partial tile or bundle is missing, cut or altered.
    """
    for number, entry in enumerate(entries):
        if len(entry) > MAX_ENTRY:
            raise InvalidValueError(f"Entry {number} to append has {len(entry)} bytes; {MAX_ENTRY} are possible.")
    tails = {level: get_tile(read, level, index, width) for level, index, width in iter_rightmost(size)}
    signed = tree_root(()) if root is None else root
    if tree_root(tails.values()) != signed:
        raise VerificationError(f"partial tiles of the tree of {size}", "they do not lead to its root")
    if not entries:
        return Growth(size, signed, ())
    objects = list(_iter_bundles(read, size, tails.get(0, []), entries))
    fresh = [leaf_hash(entry) for entry in entries]
    ends: list[list[bytes]] = []
    while fresh or len(ends) <= max(tails, default=-1):
        level = len(ends)
        hashes = [*tails.get(level, []), *fresh]
        first = size >> 8 * (level + 1)
        full = len(hashes) // TILE_WIDTH * TILE_WIDTH
        if fresh:
            for at in range(0, len(hashes), TILE_WIDTH):
                tile = hashes[at : at + TILE_WIDTH]
                objects.append((tile_path(level, first + at // TILE_WIDTH, len(tile)), b"".join(tile)))
        fresh = [root_hash(hashes[at : at + TILE_WIDTH]) for at in range(0, full, TILE_WIDTH)]
        ends.append(hashes[full:])
    return Growth(size + len(entries), tree_root(ends), tuple(objects))


def _iter_bundles(read: Read, size: int, tail: list[bytes], entries: Sequence[bytes]) -> Iterator[tuple[str, bytes]]:
    first, width = divmod(size, TILE_WIDTH)
    kept = get_bundle(read, first, width) if width else []
    if [leaf_hash(entry) for entry in kept] != tail:
        raise VerificationError(bundle_path(first, width), f"its entries are not those of {tile_path(0, first, width)}")
    everything = [*kept, *entries]
    for at in range(0, len(everything), TILE_WIDTH):
        bundle = everything[at : at + TILE_WIDTH]
        path = bundle_path(first + at // TILE_WIDTH, len(bundle))
        yield path, b"".join(len(entry).to_bytes(2) + entry for entry in bundle)


def inclusion_proof(index: int, size: int, read: Read) -> list[bytes]:
    """Return the hashes that show a leaf at an index of the tree of a size. Source: RFC 6962, 2.1.1.

    Raises:
        InvalidValueError: The tree has no such leaf.
        VerificationError: A tile is missing or cut.
    """
    if not 0 <= index < size:
        raise InvalidValueError(f"A tree of {size} has no leaf {index}.")
    root_of = _subtrees(size, read)
    begin, end, proof = 0, size, []
    while end - begin > 1:
        split = _split(begin, end)
        if index < split:
            proof.append(root_of(split, end))
            end = split
        else:
            proof.append(root_of(begin, split))
            begin = split
    return proof[::-1]


def consistency_proof(size1: int, size2: int, read: Read) -> list[bytes]:
    """Return the hashes that show a tree of one leaf or more to be the beginning of another. Source: RFC 6962, 2.1.2.

    Raises:
        InvalidValueError: The sizes are not those of an older and a newer tree.
        VerificationError: A tile is missing or cut.
    """
    if not 0 < size1 <= size2:
        raise InvalidValueError(f"A tree of {size1} cannot be proven to be the beginning of one of {size2}.")
    root_of = _subtrees(size2, read)
    begin, end, proof = 0, size2, []
    while end != size1:
        split = _split(begin, end)
        if size1 <= split:
            proof.append(root_of(split, end))
            end = split
        else:
            proof.append(root_of(begin, split))
            begin = split
    if begin:  # otherwise the older tree is a full subtree here, and its root is known to whoever checks
        proof.append(root_of(begin, end))
    return proof[::-1]


def _split(begin: int, end: int) -> int:
    # the largest power of two smaller than the number of leaves goes left (RFC 6962, 2.1)
    return begin + (1 << (end - begin - 1).bit_length() - 1)


def _subtrees(size: int, read: Read) -> Callable[[int, int], bytes]:
    tile = lru_cache(maxsize=64)(partial(get_tile, read))

    def root_of(begin: int, end: int) -> bytes:
        if (end - begin).bit_count() > 1:
            split = _split(begin, end)
            return node_hash(root_of(begin, split), root_of(split, end))
        level, height = divmod((end - begin).bit_length() - 1, 8)
        index, at = divmod(begin >> 8 * level, TILE_WIDTH)
        width = min(TILE_WIDTH, (size >> 8 * level) - index * TILE_WIDTH)
        return root_hash(tile(level, index, width)[at : at + (1 << height)])

    return root_of
