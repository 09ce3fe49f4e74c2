"""The log's rows, made again from tiles and payload objects once the newest checkpoint is proven.

What the tree holds gets its row and number back. What a dead integrator had numbered and sealed, but not signed for, is
not in the tree: such an entry goes back among those that wait, and what was written beyond the checkpoint is removed.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final
from uuid import UUID

from attrs import frozen

from kelarec.audit.entries import Entry
from kelarec.audit.integrator import FOLDER, Integrator, TreeHead
from kelarec.audit.leaf import read_leaf, reopen
from kelarec.audit.verify import TILE_WIDTH, VerificationError, get_bundle, verify_log
from kelarec.domain.register_versions import RegisterVersions
from kelarec.errors import IntegrityError, KeyUnavailableError, ObjectNotFoundError
from kelarec.storage.objects import ObjectPlace
from kelarec.storage.recordings import microseconds
from kelarec.storage.vault import Vault
from kelarec.storage.wrapping import unwrap

SEGMENT: Final = 16 * TILE_WIDTH
_PAYLOADS: Final = f"{FOLDER}/payloads"
_TILE: Final = re.compile(
    rf"{FOLDER}/tile/(?P<level>entries|\d+)/(?P<index>(?:x\d{{3}}/)*\d{{3}})(?:\.p/(?P<width>\d+))?"
)

EntryRow = dict[str, object]


@frozen
class PayloadObject:
    """An object with payloads of the leaves from one index to before another, all of one end."""

    path: str
    ends_on: date
    start: int
    stop: int


@frozen
class Segment:
    """A piece of the log to restore: its leaves, and the objects that may hold their payloads."""

    start: int
    stop: int
    payloads: tuple[PayloadObject, ...]


def prove_head(vault: Vault, integrator: Integrator) -> TreeHead | None:
    """Verify the whole log up to the newest checkpoint that was signed, and return that; None for an empty log.

    Raises:
        IntegrityError: An entry, a tile or a checkpoint was altered or is missing.
    """
    head = integrator.find_newest_head()
    if head is None:
        return None
    problems = find_problems(vault, integrator, head)
    if problems:
        raise IntegrityError(
            f"The log does not prove itself: {problems[0].where}: {problems[0].happened} ({len(problems)} in all).",
            advice="Restore the named objects of the log from a replica, then repeat.",
        )
    return head


def find_problems(vault: Vault, integrator: Integrator, head: TreeHead) -> tuple[VerificationError, ...]:
    """Verify the whole log up to a checkpoint, and that every older one is its beginning; return what does not hold."""
    older = (vault.objects.read(path) for path in list(vault.objects.iter_paths(f"{FOLDER}/checkpoints")))

    def read(path: str) -> bytes | None:
        return head.note if path == "checkpoint" else _read(vault.objects, path)

    try:
        verify_log(read, integrator.key, previous=older)
    except VerificationError as error:
        return error.problems
    return ()


def list_payloads(objects: ObjectPlace) -> list[PayloadObject]:
    """Return all payload objects, by their first leaf."""
    found = []
    for path in objects.iter_paths(_PAYLOADS):
        try:
            ends_on, leaves = path.removeprefix(f"{_PAYLOADS}/").split("/")
            start, stop = map(int, leaves.split("-"))
            found.append(PayloadObject(path, date.fromisoformat(ends_on), start, stop))
        except ValueError:
            raise IntegrityError(f"The object {path} does not say of which entries it is.") from None
    return sorted(found, key=lambda each: (each.start, each.path))


def iter_segments(payloads: Sequence[PayloadObject], start: int, stop: int) -> Iterator[Segment]:
    """Cut the leaves from one index to before another into pieces of work."""
    starts = [each.start for each in payloads]
    longest = max((each.stop - each.start for each in payloads), default=0)
    for begin in range(start, stop, SEGMENT):
        end = min(stop, begin + SEGMENT)
        near = payloads[bisect_left(starts, begin - longest) : bisect_left(starts, end)]
        yield Segment(begin, end, tuple(each for each in near if each.stop > begin))


def read_segment(vault: Vault, segment: Segment, registers: RegisterVersions) -> list[EntryRow]:
    """Return the rows of a segment's leaves, with their payloads where they are still there.

    Raises:
        IntegrityError: A bundle is missing or damaged.
    """
    told = {row["leaf"]: row for payload in segment.payloads for row in iter_payload_rows(vault, payload)}
    rows = []
    for index, leaf in enumerate(read_leaves(vault.objects, segment.start, segment.stop), start=segment.start):
        row = told.get(leaf) or _make_silent(leaf, registers)
        rows.append({**row, "leaf_index": index})
    return rows


def read_leaves(objects: ObjectPlace, start: int, stop: int) -> list[bytes]:
    """Return the log's leaves from one index to before another.

    Raises:
        IntegrityError: A bundle is missing or damaged.
    """
    leaves = []
    try:
        for index in range(start // TILE_WIDTH, (stop + TILE_WIDTH - 1) // TILE_WIDTH):
            width = min(TILE_WIDTH, stop - index * TILE_WIDTH)
            bundle = get_bundle(lambda path: _read(objects, path), index, width)
            leaves += bundle[max(0, start - index * TILE_WIDTH) :]
    except VerificationError as error:
        raise IntegrityError(f"The log cannot be read: {error}") from None
    return leaves


def iter_payload_rows(vault: Vault, payload: PayloadObject) -> Iterator[EntryRow]:
    """Go through the entries of a payload object that open; what does not open tells nothing any more."""
    try:
        lines = vault.objects.read(payload.path).splitlines()
        key = vault.keyring.get(payload.ends_on.isoformat()).wrapping
    except (ObjectNotFoundError, KeyUnavailableError):
        return
    for line in lines:
        name, _, sealed = line.partition(b" ")
        try:
            entry_id = UUID(hex=name.decode("ascii"))
            secret = unwrap(key, sealed.decode("ascii"), vault.subject("entry", str(entry_id)).context())
            entry, leaf = reopen(secret)
        except (ValueError, IntegrityError):
            continue
        if entry.id == entry_id:
            yield _to_row(entry, payload.ends_on, leaf, sealed)


def iter_unsigned(objects: ObjectPlace, size: int) -> Iterator[str]:
    """Go through the paths of what was written beyond a log of a size: tiles, bundles and payload objects."""
    for path in objects.iter_paths(f"{FOLDER}/tile"):
        found = _TILE.fullmatch(path)
        if found is None:
            continue
        level = 0 if found["level"] == "entries" else int(found["level"])
        index = int(found["index"].replace("/", "").replace("x", ""))
        if index * TILE_WIDTH + int(found["width"] or TILE_WIDTH) > size >> 8 * level:
            yield path
    yield from (each.path for each in list_payloads(objects) if each.start >= size)


def _to_row(entry: Entry, ends_on: date, leaf: bytes, payload: bytes) -> EntryRow:
    return {
        "id": entry.id.bytes,
        "kind": entry.kind.value,
        "at": microseconds(entry.at),
        "ends_on": ends_on.toordinal(),
        "actor": entry.actor,
        "recording_id": None if entry.recording_id is None else entry.recording_id.bytes,
        "session_id": None if entry.session_id is None else entry.session_id.bytes,
        "purpose": entry.purpose,
        "payload": payload,
        "leaf": leaf,
    }


def _make_silent(leaf: bytes, registers: RegisterVersions) -> EntryRow:
    kind, at = read_leaf(leaf)
    return {
        "id": b"",
        "kind": kind,
        "at": microseconds(at),
        "ends_on": registers.in_force(at).log_retention.last_day(at).toordinal(),
        "actor": "",
        "recording_id": None,
        "session_id": None,
        "purpose": None,
        "payload": b"",
        "leaf": leaf,
    }


def _read(objects: ObjectPlace, path: str) -> bytes | None:
    try:
        return objects.read(f"{FOLDER}/{path}")
    except ObjectNotFoundError:
        return None
