"""Reading the objects of one subject after the other, each version opened or with the reason why it does not open."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from enum import StrEnum
from hashlib import sha256
from itertools import islice
from typing import Any, Final, TypeVar

from attrs import frozen
from sqlalchemy import Connection, select

from kelarec.audit.entries import WITHOUT_HASHES, Entry
from kelarec.audit.log import open_entry
from kelarec.errors import IntegrityError, KeyUnavailableError, ObjectNotFoundError
from kelarec.storage import catalog_tables as tables
from kelarec.storage.envelopes import read_key_id
from kelarec.storage.object_kinds import ObjectKind, Subject, Version, get_kind
from kelarec.storage.vault import Vault, get_revision

_Each = TypeVar("_Each")
BATCH: Final = 200
_SILENT: Final = sorted(kind.value for kind in WITHOUT_HASHES)


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
    read = [_read_version(vault, kind, subject.name, path) for path in subject.versions]
    return Opened(
        subject,
        tuple(each for each in read if isinstance(each, Version)),
        tuple(each for each in read if isinstance(each, Failure)),
    )


def _read_version(vault: Vault, kind: ObjectKind, name: str, path: str) -> Version | Failure:
    try:
        envelope = vault.objects.read(path)
    except ObjectNotFoundError:
        return Failure(path, Reason.GONE)
    digest = sha256(envelope).hexdigest()
    try:
        return kind.open(vault, name, path, envelope)
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
    entries = tables.entries.c
    wanted = select(entries.id, entries.recording_id, entries.ends_on, entries.payload, entries.leaf).where(
        entries.recording_id.in_(list(keys)), entries.kind.not_in(_SILENT)
    )
    found: dict[object, list[dict[str, Any]]] = {}
    for row in connection.execute(wanted.order_by(entries.position)).mappings():
        found.setdefault(row["recording_id"], []).append(dict(row))
    return found


def find_hashes(vault: Vault, rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the hashes of objects that rows of the log tell of, oldest first."""
    return [entry.facts["record-sha256"] for entry in iter_open(vault, rows) if "record-sha256" in entry.facts]


def find_end(vault: Vault, rows: Iterable[Mapping[str, Any]]) -> date | None:
    """Return the last day kept that rows of the log tell last, or None if they tell none."""
    days = [entry.facts["kept-through"] for entry in iter_open(vault, rows) if "kept-through" in entry.facts]
    return date.fromisoformat(days[-1]) if days else None


def iter_open(vault: Vault, rows: Iterable[Mapping[str, Any]]) -> Iterator[Entry]:
    """Go through the entries of those rows that open; the comparison of the log names the others."""
    for row in rows:
        try:
            yield open_entry(vault, row)
        except (KeyUnavailableError, IntegrityError, ValueError):
            continue


def find_named_hashes(vault: Vault, connection: Connection, kind: ObjectKind) -> dict[str, list[str]]:
    """Return the hashes that the log tells of each subject of a kind that it names by a fact, oldest first."""
    entries = tables.entries.c
    wanted = select(entries.id, entries.ends_on, entries.payload, entries.leaf).where(
        entries.recording_id.is_(None), entries.kind.not_in(_SILENT), entries.actor != ""
    )
    found: dict[str, list[str]] = {}
    rows = [dict(row) for row in connection.execute(wanted.order_by(entries.position)).mappings()]
    for entry in iter_open(vault, rows):
        if kind.log_fact in entry.facts and "record-sha256" in entry.facts:
            found.setdefault(entry.facts[kind.log_fact], []).append(entry.facts["record-sha256"])
    return found
