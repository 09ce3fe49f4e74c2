"""Verify an audit log, alone: this file needs Python, ``cryptography`` and nothing else of kelarec.

    python verify.py LOG_FOLDER VKEY [--witness VKEY ...] [--quorum N] [--previous CHECKPOINT_FILE ...]

It reads the log as the C2SP specifications tlog-tiles, tlog-checkpoint, signed-note and tlog-cosignature publish it. Every
hash is checked against the one above it, from the entries up to the signed root, so each altered file is named and nothing
is named for its neighbour's fault. The exit status is 0 if all of it holds, 1 if not, 2 if it could not be told.
"""

import argparse
import base64
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Final, NamedTuple, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Read = Callable[[str], bytes | None]
"""Gives the bytes of an object below the log's prefix, such as ``tile/0/000``; None if there is none."""

HASH_SIZE: Final = 32
TILE_WIDTH: Final = 256
ED25519: Final = 0x01
COSIGNATURE: Final = 0x04
MAX_NOTE: Final = 1 << 17  # bytes; well over the 16 signatures, post-quantum ones too, that signed-note asks for
MAX_SIZE: Final = (1 << 63) - 1
MAX_PROBLEMS: Final = 10_000  # a log that is wholly wrong shall not fill the memory with saying so


class VerificationError(Exception):
    """Something in a log is not as it was signed.

    Attributes:
        where: The object, such as ``tile/entries/000``, or the value it lies in.
        happened: What is wrong with it.
        problems: Each problem by itself; this error alone if it is the only one.
    """

    def __init__(self, where: str, happened: str, problems: tuple["VerificationError", ...] = ()) -> None:
        super().__init__(where, happened, problems)
        self.where, self.happened = where, happened
        self.problems = problems or (self,)

    def __str__(self) -> str:
        return "\n".join(f"{each.where}: {each.happened}" for each in self.problems)


# The Merkle tree: RFC 6962, section 2.1 -------------------------------------------------------------------------------


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of one entry. Source: RFC 6962, section 2.1."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node with two children. Source: RFC 6962, section 2.1."""
    return sha256(b"\x01" + left + right).digest()


def root_hash(hashes: Sequence[bytes]) -> bytes:
    """Return the hash of the tree over leaves, or roots of equal full subtrees. Source: RFC 6962, section 2.1."""
    if not hashes:
        return sha256(b"").digest()
    while len(hashes) > 1:
        # written out, not node_hash: this line is most of the time a verification takes
        above = [sha256(b"\x01" + a + b).digest() for a, b in zip(hashes[::2], hashes[1::2], strict=False)]
        if len(hashes) % 2:
            above.append(hashes[-1])
        hashes = above
    return hashes[0]


def tree_root(levels: Iterable[Sequence[bytes]]) -> bytes:
    """Return the root of a tree from the hashes of its partial tiles, lowest level first."""
    right: list[bytes] = []
    for hashes in levels:
        right = [root_hash([*hashes, *right])]
    return root_hash(right)


def _require_hashes(proof: Sequence[bytes], where: str) -> None:
    if any(len(each) != HASH_SIZE for each in proof):
        raise VerificationError(where, f"a hash in it is not {HASH_SIZE} bytes long")


def verify_inclusion(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf is at an index, counted from 0, of the tree of a size in leaves. Source: RFC 9162, 2.1.3.2.

    Raises:
        VerificationError: The proof does not show it.
    """
    where = f"inclusion proof of leaf {index} in the tree of {size}"
    if not 0 <= index < size:
        raise VerificationError(where, "there is no such leaf in that tree")
    _require_hashes([leaf_hash, *proof], where)
    position, last, current = index, size - 1, leaf_hash
    for sibling in proof:
        if last == 0:
            raise VerificationError(where, "it is too long")
        if position % 2 or position == last:
            current = node_hash(sibling, current)
            while position % 2 == 0 and position:
                position, last = position >> 1, last >> 1
        else:
            current = node_hash(current, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise VerificationError(where, "it is too short")
    if current != root:
        raise VerificationError(where, "it leads to another root")


def verify_consistency(size1: int, size2: int, proof: Sequence[bytes], root1: bytes, root2: bytes) -> None:
    """Check that the tree of size1 leaves, one or more, is a prefix of that of size2. Source: RFC 9162, 2.1.4.2.

    Raises:
        VerificationError: The proof does not show it.
    """
    where = f"consistency proof from the tree of {size1} to that of {size2}"
    if not 0 < size1 <= size2:
        raise VerificationError(where, "an older tree has at least one leaf and no more than the newer one")
    if size1 == size2:
        if proof or root1 != root2:
            raise VerificationError(where, "trees of one size have one root and need no proof")
        return
    if not proof:
        raise VerificationError(where, "it is empty")
    path = [root1, *proof] if size1 & (size1 - 1) == 0 else list(proof)
    _require_hashes(path, where)
    position, last = size1 - 1, size2 - 1
    while position % 2:
        position, last = position >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise VerificationError(where, "it is too long")
        if position % 2 or position == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while position % 2 == 0 and position:
                position, last = position >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise VerificationError(where, "it is too short")
    if old != root1 or new != root2:
        raise VerificationError(where, f"it leads to another {'older' if old != root1 else 'newer'} root")


# Notes and checkpoints: C2SP signed-note, tlog-checkpoint, tlog-cosignature -------------------------------------------


def _from_base64(text: str) -> bytes:
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw).decode() != text:  # bits beyond the last byte that nothing covers
        raise ValueError
    return raw


@dataclass(frozen=True)
class VerificationKey:
    """An Ed25519 public key with a name: a log's, or a witness's. Source: C2SP signed-note, Verifier keys.

    Attributes:
        name: Whose it is; without spaces and plus signs.
        kind: What it signs: ``ED25519`` notes, or ``COSIGNATURE`` as a witness.
        public: The key's 32 bytes.
    """

    name: str
    kind: int
    public: bytes

    def __post_init__(self) -> None:
        if not self.name or any(each.isspace() or each < " " or each == "+" for each in self.name):
            raise VerificationError("verification key", f"{self.name!r} cannot be a key's name")
        if self.kind not in {ED25519, COSIGNATURE} or len(self.public) != HASH_SIZE:
            raise VerificationError("verification key", f"the key of {self.name} is not of a known kind")

    @classmethod
    def from_vkey(cls, text: str) -> Self:
        """Read a key as ``name+id+base64``.

        Raises:
            VerificationError: It is not written exactly so.
        """
        try:
            name, _, material = text.split("+", 2)
            raw = _from_base64(material)
        except ValueError:
            raise VerificationError("verification key", f"{text!r} is not name+id+base64") from None
        key = cls(name, raw[0] if raw else 0, raw[1:])
        if key.to_vkey() != text:
            raise VerificationError("verification key", f"the id in {text!r} is not that of the key")
        return key

    def to_vkey(self) -> str:
        """Write the key as ``name+id+base64``, for publishing."""
        return f"{self}+{base64.b64encode(bytes([self.kind]) + self.public).decode()}"

    @property
    def key_id(self) -> bytes:
        """The four bytes that tell keys of one name apart."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}"

    def verify_signature(self, text: bytes, signature: bytes, where: str = "note") -> None:
        """Check a signature, for a witness with its eight bytes of time before it. Source: C2SP tlog-cosignature.

        Raises:
            VerificationError: It is not this key's over this text.
        """
        if self.kind == COSIGNATURE:
            at, signature = signed_at(signature), signature[8:]
            text = b"cosignature/v1\ntime %d\n" % at + text
            if at >> 63:
                raise VerificationError(where, f"the time in the cosignature of {self} is beyond 2^63 - 1")
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except (InvalidSignature, ValueError):
            raise VerificationError(where, f"the signature of {self} does not verify") from None


def signed_at(signature: bytes) -> int:
    """Return the time in a witness's signature, POSIX seconds. Source: C2SP tlog-cosignature."""
    return int.from_bytes(signature[:8])


@dataclass(frozen=True)
class Note:
    """A text and the signatures under it that verified.

    Attributes:
        text: What was signed, with its last newline.
        signatures: Each known key that signed, and its signature.
        unknown: Who else seems to have signed, as ``name+id``; nobody checked that.
    """

    text: bytes
    signatures: tuple[tuple[VerificationKey, bytes], ...]
    unknown: tuple[str, ...]


def open_note(data: bytes, keys: Iterable[VerificationKey], where: str = "note") -> Note:
    """Read a signed note and check the signature of every known key. Source: C2SP signed-note.

    Raises:
        VerificationError: It is no note, a known key's signature fails, or no known key signed.
    """
    known = {(key.name, key.key_id): key for key in keys}
    signatures, unknown = [], []
    text, lines = _split_note(data, where)
    for name, raw in lines:
        key = known.get((name, raw[:4]))
        if key is None:
            unknown.append(f"{name}+{raw[:4].hex()}")
        else:
            key.verify_signature(text, raw[4:], where)
            signatures.append((key, raw[4:]))
    if not signatures:
        wanted = " or ".join(map(str, known.values()))
        raise VerificationError(where, f"it is signed by {', '.join(unknown)}, not by {wanted}")
    return Note(text, tuple(signatures), tuple(unknown))


def _split_note(data: bytes, where: str) -> tuple[bytes, list[tuple[str, bytes]]]:
    if len(data) > MAX_NOTE:
        raise VerificationError(where, f"it is longer than {MAX_NOTE} bytes")
    if any(byte < ord(" ") and byte != ord("\n") for byte in data):
        raise VerificationError(where, "a control character stands in it")
    text, blank, block = data.rpartition(b"\n\n")
    if not blank or not block.endswith(b"\n"):
        raise VerificationError(where, "it is not a text, an empty line and lines of signatures")
    lines = []
    try:
        data.decode()
        for line in block[:-1].decode().split("\n"):
            dash, name, signature = line.split(" ")
            lines.append((name, _from_base64(signature)))
            if dash != "\u2014" or not name or "+" in name or any(map(str.isspace, name)) or len(lines[-1][1]) <= 4:  # noqa: PLR2004  # the id
                raise ValueError
    except ValueError:
        raise VerificationError(where, f"line {len(lines)} of its signatures is none, or it is not UTF-8") from None
    return text + b"\n", lines


@dataclass(frozen=True)
class Checkpoint:
    """The state of a log. Source: C2SP tlog-checkpoint, Note text; without extension lines, which nobody audits.

    Attributes:
        origin: Which log.
        size: How many leaves.
        root: The hash of the tree over them.
    """

    origin: str
    size: int
    root: bytes

    @classmethod
    def from_text(cls, text: bytes, where: str = "checkpoint") -> Self:
        """Read the text of a checkpoint.

        Raises:
            VerificationError: It is not written exactly as a log writes it.
        """
        try:
            origin, size, root, _ = text.decode().split("\n")
            checkpoint = cls(origin, int(size), _from_base64(root))
        except ValueError:
            raise VerificationError(where, "it is not three lines of origin, size and root hash") from None
        exact = bool(origin) and 0 <= checkpoint.size <= MAX_SIZE and len(checkpoint.root) == HASH_SIZE
        if not exact or checkpoint.to_text() != text:
            raise VerificationError(where, "its origin, size or root hash is not in the one form they may have")
        return checkpoint

    def to_text(self) -> bytes:
        """Write the text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n".encode()


def open_checkpoint(
    data: bytes, key: VerificationKey, witnesses: Iterable[VerificationKey] = (), where: str = "checkpoint"
) -> tuple[Checkpoint, Note]:
    """Read a signed checkpoint of the log whose key is given.

    Raises:
        VerificationError: It is malformed, of another log, or a signature fails.
    """
    note = open_note(data, [key, *witnesses], where)
    if all(signer != key for signer, _ in note.signatures):
        raise VerificationError(where, f"the log's key {key} has not signed it")
    checkpoint = Checkpoint.from_text(note.text, where)
    if checkpoint.origin != key.name:
        raise VerificationError(where, f"it is of the log {checkpoint.origin!r}, not of {key.name!r}")
    return checkpoint, note


# Tiles and bundles: C2SP tlog-tiles ----------------------------------------------------------------------------------


def tile_path(level: int | str, index: int, width: int = TILE_WIDTH) -> str:
    """Return where a tile lies, such as ``tile/0/x001/x234/067.p/12``. Source: C2SP tlog-tiles, Merkle Tree."""
    path = f"{index % 1000:03d}"
    while index := index // 1000:
        path = f"x{index % 1000:03d}/{path}"
    return f"tile/{level}/{path}" + (f".p/{width}" if width < TILE_WIDTH else "")


bundle_path = partial(tile_path, "entries")


def iter_rightmost(size: int) -> Iterator[tuple[int, int, int]]:
    """Give level, index and width of each partial tile of a tree, lowest first. Source: C2SP tlog-tiles, Partial Tiles."""
    level = 0
    while size:
        size, width = divmod(size, TILE_WIDTH)
        if width:
            yield level, size, width
        level += 1


def _get_wide(read: Read, kind: int | str, index: int, width: int) -> tuple[str, bytes, int]:
    # once the full one is there, the partial one may have been removed (tlog-tiles, Partial Tiles)
    for path, held in ((tile_path(kind, index, width), width), (tile_path(kind, index), TILE_WIDTH)):
        if (data := read(path)) is not None:
            return path, data, held
    raise VerificationError(tile_path(kind, index, width), "it is missing")


def get_tile(read: Read, level: int, index: int, width: int = TILE_WIDTH) -> list[bytes]:
    """Return the first hashes of a tile, as many as the width says.

    Raises:
        VerificationError: It is missing or has another length.
    """
    path, data, held = _get_wide(read, level, index, width)
    if len(data) != held * HASH_SIZE:
        raise VerificationError(path, f"it has {len(data)} bytes, not {held * HASH_SIZE}")
    return [data[at : at + HASH_SIZE] for at in range(0, width * HASH_SIZE, HASH_SIZE)]


def get_bundle(read: Read, index: int, width: int = TILE_WIDTH) -> list[bytes]:
    """Return the first entries of a bundle, as many as the width says. Source: C2SP tlog-tiles, Log entries.

    Raises:
        VerificationError: It is missing, cut, or has stray bytes after its last entry.
    """
    path, data, held = _get_wide(read, "entries", index, width)
    entries, end = [], 0
    for number in range(held):
        start = end + 2
        end = start + int.from_bytes(data[end:start])
        if end > len(data):
            raise VerificationError(
                path, f"it ends within entry {number}, leaf {index * TILE_WIDTH + number} of the log"
            )
        entries.append(data[start:end])
    if end != len(data):
        raise VerificationError(path, f"{len(data) - end} stray bytes follow its {held} entries")
    return entries[:width]
