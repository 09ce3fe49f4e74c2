"""Reading the objects of one subject after the other, each version opened or with the reason why it does not open."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from enum import StrEnum
from hashlib import sha256
from itertools import islice
from typing import Any, Final, TypeVar

from attrs import evolve, frozen
from sqlalchemy import Connection, select

from kelarec.audit.entries import WITHOUT_HASHES, Entry, EntryKind
from kelarec.audit.log_rows import LOG, OLDEST_FIRST, open_entry
from kelarec.errors import IntegrityError, KeyUnavailableError, ObjectNotFoundError
from kelarec.storage import catalog_tables as tables
from kelarec.storage.envelopes import read_key_id
from kelarec.storage.keyring import STANDING
from kelarec.storage.object_kinds import ObjectKind, Subject, Version, get_kind
from kelarec.storage.spooled_records import spooled_path
from kelarec.storage.vault import Vault, get_revision

_Each = TypeVar("_Each")
BATCH: Final = 200
_SILENT: Final = sorted(kind.value for kind in WITHOUT_HASHES)
_TELLING: Final = (LOG.c.id, LOG.c.recording_id, LOG.c.ends_on, LOG.c.payload, LOG.c.leaf)


class Reason(StrEnum):
    """Why an object does not open."""

    GONE = "gone"
    DAMAGED = "damaged"
    KEYLESS = "keyless"


@frozen
class Failure:
    """A version that does not open.

    Attributes:
        path: Of the object.
        reason: Why not.
        sha256: Of the object, or empty if it is gone.
        key_id: The key it needs, if it says so.
    """

    path: str
    reason: Reason
    sha256: str = ""
    key_id: str | None = None

    @property
    def revision(self) -> int:
        """The revision that its name tells."""
        return get_revision(self.path)

    def is_over(self, today: date) -> bool:
        """Tell whether it does not open because its last day is over: what a sweep that was broken off has left."""
        if self.reason is not Reason.KEYLESS or self.key_id in {None, STANDING}:
            return False
        return date.fromisoformat(self.key_id) < today


@frozen
class Opened:
    """The objects of a subject, read."""

    subject: Subject
    versions: tuple[Version, ...]
    failures: tuple[Failure, ...]


def read_subjects(vault: Vault, subjects: tuple[Subject, ...]) -> list[Opened]:
    """Read all versions of some subjects."""
    return [read_subject(vault, subject) for subject in subjects]


def read_subject(vault: Vault, subject: Subject) -> Opened:
    """Read all versions of a subject."""
    kind = get_kind(subject.kind)
    read = [_read_version(vault, kind, subject, path) for path in subject.versions]
    return Opened(
        subject,
        tuple(each for each in read if isinstance(each, Version)),
        tuple(each for each in read if isinstance(each, Failure)),
    )


def _read_version(vault: Vault, kind: ObjectKind, subject: Subject, path: str) -> Version | Failure:
    try:
        envelope = vault.objects.read(path)
    except ObjectNotFoundError:
        return Failure(path, Reason.GONE)
    digest = sha256(envelope).hexdigest()
    try:
        return kind.open(vault, subject, path, envelope)
    except KeyUnavailableError:
        return Failure(path, Reason.KEYLESS, digest, read_key_id(envelope))
    except (IntegrityError, ValueError):
        return Failure(path, Reason.DAMAGED, digest, read_key_id(envelope))


def iter_batches(values: Iterable[_Each], size: int = BATCH) -> Iterator[tuple[_Each, ...]]:
    """Cut values into pieces of a size."""
    rest = iter(values)
    while batch := tuple(islice(rest, size)):
        yield batch


def find_rows(connection: Connection, kind: ObjectKind, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the rows of the named subjects in the kind's own table, by name."""
    table, column = kind.tables[0]
    keys = {kind.find_key(name): name for name in names}
    keys.pop(None, None)
    rows = connection.execute(select(table).where(column.in_(list(keys)))).mappings()
    return {keys[row[column.name]]: dict(row) for row in rows}


def find_telling(connection: Connection, keys: Iterable[object]) -> dict[object, list[dict[str, Any]]]:
    """Return the log's rows that may tell hashes of some recordings, by recording id, oldest first."""
    wanted = select(*_TELLING).where(LOG.c.recording_id.in_(list(keys)), LOG.c.kind.not_in(_SILENT))
    found: dict[object, list[dict[str, Any]]] = {}
    for row in connection.execute(wanted.order_by(*OLDEST_FIRST)).mappings():
        found.setdefault(row["recording_id"], []).append(dict(row))
    return found


def find_hashes(vault: Vault, rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the hashes of objects that rows of the log tell of, oldest first."""
    return [entry.facts["record-sha256"] for entry in iter_open(vault, rows) if "record-sha256" in entry.facts]


def find_end(vault: Vault, rows: Iterable[Mapping[str, Any]]) -> date | None:
    """Return the last day kept that rows of the log tell last, or None if they tell none; a hold's is another's."""
    told = (entry.facts for entry in iter_open(vault, rows) if "hold" not in entry.facts)
    days = [facts["kept-through"] for facts in told if "kept-through" in facts]
    return date.fromisoformat(days[-1]) if days else None


def is_erased(vault: Vault, rows: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether rows of the log tell that a recording's own key leaf was destroyed before its day.

    What was abandoned while it was taken is gone, too.
    """
    return any(
        entry.kind is EntryKind.RECORDING_ABANDONED
        or (entry.kind is EntryKind.LEAF_DESTROYED and "hold" not in entry.facts)
        for entry in iter_open(vault, rows)
    )


def is_spooled(
    vault: Vault, opened: Opened, row: Mapping[str, Any] | None, telling: Iterable[Mapping[str, Any]]
) -> bool:
    """Tell whether a recording's content is still in the spool: its row says so, and nothing tells that it was stored.

    Of the row alone nobody believes it: whoever edits the catalog could make a recording that is missing look so.
    """
    if row is None or row.get("record_object") != spooled_path(opened.subject.name):
        return False
    was_stored = any(entry.kind is EntryKind.RECORDING_STORED for entry in iter_open(vault, telling))
    return not was_stored and not any(version.parts for version in opened.versions)


def add_holds(connection: Connection, kind: ObjectKind, subjects: Iterable[Subject]) -> list[Subject]:
    """Return the subjects, recordings with the holds that keep them."""
    subjects = list(subjects)
    if kind.name != "recording":
        return subjects
    held = tables.held_recordings.c
    keys = {kind.find_key(each.name) for each in subjects} - {None}
    wanted = select(held.recording_id, held.hold_id, held.review_on, held.wrap).where(held.recording_id.in_(keys))
    by_key: dict[object, list[tuple[bytes, int, bytes]]] = {}
    for recording_id, *hold in connection.execute(wanted.order_by(held.hold_id)):
        by_key.setdefault(recording_id, []).append(tuple(hold))
    return [evolve(each, held=tuple(by_key.get(kind.find_key(each.name), ()))) for each in subjects]


def iter_open(vault: Vault, rows: Iterable[Mapping[str, Any]]) -> Iterator[Entry]:
    """Go through the entries of those rows that open; the comparison of the log names the others."""
    for row in rows:
        try:
            yield open_entry(vault, row)
        except (KeyUnavailableError, IntegrityError, ValueError):
            continue


def find_named_hashes(vault: Vault, connection: Connection, kind: ObjectKind) -> dict[str, list[str]]:
    """Return the hashes that the log tells of each subject of a kind that it names by a fact, oldest first.

    Of a hold that was released it tells none: its objects go.
    """
    wanted = select(*_TELLING).where(LOG.c.recording_id.is_(None), LOG.c.kind.not_in(_SILENT), LOG.c.actor != "")
    found: dict[str, list[str]] = {}
    rows = [dict(row) for row in connection.execute(wanted.order_by(*OLDEST_FIRST)).mappings()]
    for entry in iter_open(vault, rows):
        if entry.kind is EntryKind.HOLD_RELEASED:
            found.pop(entry.facts.get("hold", ""), None)
        elif kind.log_fact in entry.facts and "record-sha256" in entry.facts:
            found.setdefault(entry.facts[kind.log_fact], []).append(entry.facts["record-sha256"])
    return found
