"""Verify an audit log, alone: this file needs Python and ``cryptography``, and nothing else of kelarec.

    python verify.py LOG_FOLDER VKEY [--witness VKEY ...] [--quorum N] [--previous CHECKPOINT_FILE ...]

The formats are C2SP tlog-tiles, tlog-checkpoint, signed-note and tlog-cosignature, the tree is that of RFC 6962. Each
hash is checked against the one above it, from the entries to the signed root, so that an altered file is named and its
neighbours are not. Exit status: 0 all holds, 1 it does not, 2 it could not be told. Indexes count from 0. Each function
that checks or reads raises VerificationError when something is not as it must be.
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

Read = Callable[[str], bytes | None]  # the bytes of an object below the log's prefix, such as tile/0/000, or None

HASH_SIZE: Final = 32
TILE_WIDTH: Final = 256
ED25519: Final = 0x01  # the key signs notes
COSIGNATURE: Final = 0x04  # the key signs, as a witness, what it saw and when
MAX_NOTE: Final = 1 << 17  # bytes: room for over 16 signatures, post-quantum ones too (signed-note, Format)
MAX_PROBLEMS: Final = 10_000  # a log that is wrong throughout shall not fill the memory with saying so


class VerificationError(Exception):
    """Something is not as it was signed: where it lies and what happened; ``problems`` holds each one by itself."""

    def __init__(self, where: str, happened: str, problems: tuple["VerificationError", ...] = ()) -> None:
        super().__init__(where, happened, problems)
        self.where, self.happened = where, happened
        self.problems = problems or (self,)

    def __str__(self) -> str:
        return "\n".join(f"{each.where}: {each.happened}" for each in self.problems)


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of one entry. Source: RFC 6962, 2.1."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node over its two children. Source: RFC 6962, 2.1."""
    return sha256(b"\x01" + left + right).digest()


def root_hash(hashes: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes, or over roots of full subtrees of one size. Source: RFC 6962, 2.1."""
    if not hashes:
        return sha256(b"").digest()
    while len(hashes) > 1:
        # node_hash written out: this line is most of the time that verifying a log takes
        above = [sha256(b"\x01" + a + b).digest() for a, b in zip(hashes[::2], hashes[1::2], strict=False)]
        hashes = [*above, hashes[-1]] if len(hashes) % 2 else above
    return hashes[0]


def tree_root(levels: Iterable[Sequence[bytes]]) -> bytes:
    """Return the root of a tree from the hashes in its partial tiles, lowest level first."""
    right: list[bytes] = []
    for hashes in levels:
        if hashes:  # a level can end with a full tile
            right = [root_hash([*hashes, *right])]
    return root_hash(right)


def _is_name(text: str) -> bool:
    return text != "" and not any(c.isspace() or c < " " or c == "+" or "\ud800" <= c <= "\udfff" for c in text)


@dataclass(frozen=True)
class VerificationKey:
    """A log's or witness's Ed25519 key: its name, what it signs, its 32 bytes. Source: signed-note, Verifier keys."""

    name: str
    kind: int
    public: bytes

    def __post_init__(self) -> None:
        if self.kind not in {ED25519, COSIGNATURE} or len(self.public) != HASH_SIZE or not _is_name(self.name):
            raise VerificationError("verification key", f"{self.name!r} is no name, or its key is of no known kind")

    @classmethod
    def from_vkey(cls, text: str) -> Self:
        """Read a key written as ``name+id+base64``, exactly so."""
        try:
            name, _, material = text.split("+", 2)
            raw = base64.b64decode(material, validate=True)
        except ValueError:
            raise VerificationError("verification key", f"{text!r} is not name+id+base64") from None
        key = cls(name, raw[0] if raw else 0, raw[1:])
        if key.to_vkey() != text:
            raise VerificationError("verification key", f"the id or spelling of {text!r} is not that of the key")
        return key

    def to_vkey(self) -> str:
        """Write the key as ``name+id+base64``, for everyone to have."""
        return f"{self}+{base64.b64encode(bytes([self.kind]) + self.public).decode()}"

    @property
    def key_id(self) -> bytes:
        """Four bytes that tell keys of one name apart. Source: signed-note, Signatures."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}"

    def verify_signature(self, text: bytes, signature: bytes, where: str = "note") -> None:
        """Check a signature over a note's text; a witness's begins with its time. Source: tlog-cosignature, Format."""
        if self.kind == COSIGNATURE:
            at = int.from_bytes(signature[:8])
            text, signature = b"cosignature/v1\ntime %d\n%b" % (at, text), signature[8:] if at >> 63 == 0 else b""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except (InvalidSignature, ValueError):
            raise VerificationError(where, f"the signature of {self} does not verify") from None


class Note(NamedTuple):
    """A signed text, the known keys' signatures, all verified, and the signers it names beside them, all unchecked."""

    text: bytes
    signatures: dict[VerificationKey, bytes]
    unknown: tuple[str, ...]


def open_note(data: bytes, keys: Iterable[VerificationKey], where: str = "note") -> Note:
    """Read a signed note; a known key has signed it, and no known key's signature fails. Source: signed-note."""
    text, blank, block = data.rpartition(b"\n\n")
    if len(data) > MAX_NOTE or not blank or not block.endswith(b"\n"):
        raise VerificationError(where, f"it is not a text, an empty line and signature lines, or over {MAX_NOTE} bytes")
    if any(byte < ord(" ") and byte != ord("\n") for byte in data):
        raise VerificationError(where, "it has a control character")
    note = Note(text + b"\n", {}, ())
    known = {str(key): key for key in keys}
    for line in block[:-1].split(b"\n"):
        try:
            note.text.decode()
            dash, name, signature = line.decode().split(" ")
            raw = base64.b64decode(signature, validate=True)
        except ValueError:
            raise VerificationError(where, f"it is not UTF-8, or {line!r} is not a signature line") from None
        exact = base64.b64encode(raw).decode() == signature  # its last character can have bits that mean nothing
        if dash != "\N{EM DASH}" or not _is_name(name) or not exact or not raw[4:]:  # the id and something
            raise VerificationError(where, f"{line!r} is not a signature line")
        signer = f"{name}+{raw[:4].hex()}"
        if signer in known:
            known[signer].verify_signature(note.text, raw[4:], where)
            note.signatures[known[signer]] = raw[4:]
        else:
            note = note._replace(unknown=(*note.unknown, signer))
    if not note.signatures:
        raise VerificationError(where, f"it is signed by {', '.join(note.unknown)}, not by {' or '.join(known)}")
    return note


@dataclass(frozen=True)
class Checkpoint:
    """A log's name, size in leaves and root; no extensions, as nobody audits them. Source: tlog-checkpoint."""

    origin: str
    size: int
    root: bytes

    def to_text(self) -> bytes:
        """Write the text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n".encode()


def open_checkpoint(
    data: bytes, key: VerificationKey, witnesses: Iterable[VerificationKey] = (), where: str = "checkpoint"
) -> Checkpoint:
    """Read a checkpoint that the log whose key is given has signed; its origin is the key's name."""
    note = open_note(data, [key, *witnesses], where)
    if key not in note.signatures:
        raise VerificationError(where, f"the log's key {key} has not signed it")
    try:
        origin, size, root, _ = note.text.decode().split("\n")
        checkpoint = Checkpoint(origin, int(size), base64.b64decode(root, validate=True))
    except ValueError:
        raise VerificationError(where, "it is not three lines of origin, size and root hash") from None
    if not 0 <= checkpoint.size < 1 << 63 or len(checkpoint.root) != HASH_SIZE or checkpoint.to_text() != note.text:
        raise VerificationError(where, "its origin, size or root hash is not in the one form it may have")
    if checkpoint.origin != key.name:
        raise VerificationError(where, f"it is of the log {checkpoint.origin!r}, not of {key.name!r}")
    return checkpoint


def tile_path(level: int | str, index: int, width: int = TILE_WIDTH) -> str:
    """Return where a tile lies, such as ``tile/0/x001/x234/067.p/12``. Source: tlog-tiles, Merkle Tree."""
    path = f"{index % 1000:03d}"
    while index := index // 1000:
        path = f"x{index % 1000:03d}/{path}"
    return f"tile/{level}/{path}" + (f".p/{width}" if width < TILE_WIDTH else "")


bundle_path: Final = partial(tile_path, "entries")


def iter_rightmost(size: int) -> Iterator[tuple[int, int, int]]:
    """Give level, index, width of each partial tile, lowest first. Source: tlog-tiles, Partial Tiles."""
    for level in range(8):  # a size has up to 63 bits
        index, width = divmod(size >> 8 * level, TILE_WIDTH)
        if width:
            yield level, index, width


def _read_wide(read: Read, kind: int | str, index: int, width: int) -> tuple[str, bytes, int]:
    for held in (width, TILE_WIDTH):  # the partial one may be gone once the full one is there (tlog-tiles)
        if (data := read(tile_path(kind, index, held))) is not None:
            return tile_path(kind, index, held), data, held
    raise VerificationError(tile_path(kind, index, width), "it is missing")


def get_tile(read: Read, level: int, index: int, width: int = TILE_WIDTH) -> list[bytes]:
    """Return a tile's first hashes, as many as the width says."""
    path, data, held = _read_wide(read, level, index, width)
    if len(data) != held * HASH_SIZE:
        raise VerificationError(path, f"it has {len(data)} bytes, not {held * HASH_SIZE}")
    return [data[at : at + HASH_SIZE] for at in range(0, width * HASH_SIZE, HASH_SIZE)]


def get_bundle(read: Read, index: int, width: int = TILE_WIDTH) -> list[bytes]:
    """Return a bundle's first entries, as many as the width says. Source: tlog-tiles, Log entries."""
    path, data, held = _read_wide(read, "entries", index, width)
    entries, end = [], 0
    for leaf in range(index * TILE_WIDTH, index * TILE_WIDTH + held):
        start = end + 2
        end = start + int.from_bytes(data[end:start])
        if end > len(data):
            raise VerificationError(path, f"it ends before the end of leaf {leaf}")
        entries.append(data[start:end])
    if end != len(data):
        raise VerificationError(path, f"{len(data) - end} stray bytes follow its {held} entries")
    return entries[:width]


class _Walk:
    def __init__(self, read: Read) -> None:
        self.read = read
        self.tile = lru_cache(maxsize=64)(partial(get_tile, read))  # for older checkpoints, which share tiles
        self.problems: list[VerificationError] = []

    def add(self, where: str, happened: str) -> None:
        self.problems.append(VerificationError(where, happened))
        if len(self.problems) == MAX_PROBLEMS:
            raise VerificationError(where, happened, tuple(self.problems))

    def attempt(self, get: Callable[..., list[bytes]], *what: int) -> list[bytes]:
        try:
            return get(self.read, *what)
        except VerificationError as problem:
            self.add(problem.where, problem.happened)
            return []

    def versions(self, level: int, index: int, width: int) -> list[list[bytes]]:
        # hashes by the tile and by what lies below it; only one if they agree, or the other is missing
        tile = self.attempt(get_tile, level, index, width)
        if level:
            claims = enumerate(tile or [b""] * width, start=index * TILE_WIDTH)
            below = [self.root([(level - 1, child, TILE_WIDTH)], claim) or claim for child, claim in claims]
        else:
            below = [sha256(b"\x00" + entry).digest() for entry in self.attempt(get_bundle, index, width)]
        versions = [each for each in (tile, below) if each and all(each)]
        return versions[:1] if tile == below else versions

    def root(self, tiles: Sequence[tuple[int, int, int]], claim: bytes) -> bytes:
        # where a tile and what lies below it differ, the one that leads to the claimed root is right
        found = [self.versions(*each) for each in tiles]
        choices = list(product(*found))
        right = next((choice for choice in choices if tree_root(choice) == claim), None)
        for at, versions in enumerate(found):
            if len(versions) > 1:
                self.blame(*tiles[at], versions, right[at] if right else None)
        return claim if right is not None else tree_root(choices[-1]) if choices else b""

    def blame(self, level: int, index: int, width: int, versions: list[list[bytes]], right: list[bytes] | None) -> None:
        path, (tile, below) = tile_path(level, index, width), versions
        for i in (i for i in range(width) if tile[i] != below[i]):
            child = index * TILE_WIDTH + i
            where = tile_path(level - 1, child) if level else bundle_path(index, width)
            if right is not below:
                what = "it, with all below it," if level else f"leaf {child}"
                self.add(where, f"{what} is not what hash {i} of {path} stands for")
            if right is not tile:
                self.add(path, f"hash {i} is not that of {where}")

    def require_beginning(self, old: Checkpoint, size: int) -> None:
        where = f"checkpoints/{old.size:020d}"
        if old.size > size:
            raise VerificationError(where, f"rollback: it signs {old.size} entries, the log has {size}")
        levels = []
        for level, index, width in iter_rightmost(old.size):  # its partial tiles are the beginnings of today's
            held = min(TILE_WIDTH, (size >> 8 * level) - index * TILE_WIDTH)
            path = tile_path(level, index, held)
            if any(problem.where == path for problem in self.problems):
                raise VerificationError(where, f"it could not be told if the log begins so, {path} is bad")
            levels.append(self.tile(level, index, held)[:width])
        if tree_root(levels) != old.root:
            raise VerificationError(where, "forked log or rollback: what it signs is not the log's beginning")


@dataclass(frozen=True)
class LogReport:
    """What holds: the log's state, who witnessed it (POSIX seconds), how many older checkpoints are its beginning."""

    origin: str
    size: int
    root: bytes
    witnesses: dict[str, int]
    unknown: tuple[str, ...]
    previous: int

    def __str__(self) -> str:
        seen = ", ".join(f"witnessed by {name} at {at}" for name, at in self.witnesses.items()) or "unwitnessed"
        seen += "".join(f", unchecked signature of {signer}" for signer in self.unknown)
        return f"{self.origin}: {self.size} entries, root {self.root.hex()}, {self.previous} older checkpoints, {seen}"


def verify_log(
    read: Read,
    key: VerificationKey,
    *,
    witnesses: Sequence[VerificationKey] = (),
    quorum: int | None = None,
    previous: Iterable[bytes] = (),
) -> LogReport:
    """Check a whole log, entries to signatures, and that each previous signed checkpoint is its beginning.

    As many witnesses as the quorum says must have signed, all if it says nothing. The error lists every problem, save
    that nothing is read below a checkpoint that the log's key has not signed. Memory: a bundle, a tile of each level.
    """
    if (data := read("checkpoint")) is None:
        raise VerificationError("checkpoint", "it is missing")
    checkpoint = open_checkpoint(data, key, witnesses)
    note = open_note(data, [key, *witnesses])
    walk = _Walk(read)
    timed = [each for each in witnesses if each.kind == COSIGNATURE and each in note.signatures]
    seen = {str(each): int.from_bytes(note.signatures[each][:8]) for each in timed}
    if len(seen) < (needed := len(witnesses) if quorum is None else quorum):
        walk.add("checkpoint", f"{len(seen)} of the witnesses have signed it, {needed} must have")
    root = walk.root(list(iter_rightmost(checkpoint.size)), checkpoint.root)
    if root and root != checkpoint.root:
        walk.add("checkpoint", f"it signs the root {checkpoint.root.hex()}, its entries have {root.hex()}")
    count = 0
    for count, older in enumerate(previous, start=1):
        try:
            old = open_checkpoint(older, key, witnesses, f"older checkpoint {count}")
            walk.require_beginning(old, checkpoint.size)
        except VerificationError as problem:
            walk.add(problem.where, problem.happened)
    if walk.problems:
        raise VerificationError(walk.problems[0].where, walk.problems[0].happened, tuple(walk.problems))
    return LogReport(checkpoint.origin, checkpoint.size, checkpoint.root, seen, note.unknown, count)


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify the log in a folder and the older checkpoints it keeps, print what holds or not, return exit status."""
    parser = argparse.ArgumentParser(description="Verify an audit log.")
    parser.add_argument("folder", type=Path, metavar="LOG_FOLDER")
    parser.add_argument("key", metavar="VKEY")
    parser.add_argument("--witness", action="append", default=[], metavar="VKEY", help="who must have signed")
    parser.add_argument("--quorum", type=int, help="how many of the witnesses suffice")
    parser.add_argument("--previous", action="append", default=[], type=Path, metavar="CHECKPOINT_FILE")
    given = parser.parse_args(arguments)

    def read(path: str) -> bytes | None:
        file: Path = given.folder / path
        return file.read_bytes() if file.exists() else None

    try:
        key, *witnesses = (VerificationKey.from_vkey(each) for each in (given.key, *given.witness))
        kept = sorted(given.folder.glob("checkpoints/*"))  # listed first: a log at work goes on meanwhile
        older = (file.read_bytes() for file in (*kept, *given.previous))
        report = verify_log(read, key, witnesses=witnesses, quorum=given.quorum, previous=older)
        said, status = f"{report}\nVerified.\n", 0
    except VerificationError as error:
        said, status = f"{error}\nNot verified.\n", 1
    except OSError as error:
        said, status = f"{error}\nIt could not be told.\n", 2
    sys.stdout.write(said)
    return status


if __name__ == "__main__":
    sys.exit(main())
