"""What rows follow from which objects: one entry for each kind of object, for rebuild and comparison alike.

The objects below a kind's folder belong to subjects, such as one recording; a subject has one or more versions, each an
object that says all about it. A new kind of object is one more entry of `KINDS`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from attrs import field, frozen
from sqlalchemy import Column, Table

from kelarec.domain.codes import State
from kelarec.domain.recording import RecordingDetails
from kelarec.domain.register import Register
from kelarec.domain.staff import StaffMember
from kelarec.domain.subject_request import SubjectRequest
from kelarec.errors import IntegrityError
from kelarec.storage import catalog_tables as tables
from kelarec.storage import request_rows, staff_directory
from kelarec.storage.json_form import from_json
from kelarec.storage.recordings import Recordings, WrittenRecord
from kelarec.storage.sealing import sealed_length
from kelarec.storage.vault import Vault, get_revision

Row = Mapping[str, object]


@frozen
class Version:
    """One object, opened: what it says of its subject, and the rows that follow from it.

    Attributes:
        path: Of the object.
        sha256: Of the object, in hexadecimal, as the log tells it.
        revision: Counts from 1; 0 for kinds that count none.
        caution: Of two versions that nothing else tells apart, the one with more caution stands.
        rows: By table; the first table's row is the subject's.
        parts: Further objects that must be there: path and size in bytes.
    """

    path: str
    sha256: str
    revision: int
    caution: int
    rows: Mapping[str, tuple[Row, ...]] = field(repr=False)
    parts: tuple[tuple[str, int], ...] = ()


@frozen
class Contents:
    """What a kind reads from one envelope."""

    caution: int
    rows: Mapping[str, tuple[Row, ...]]
    revision: int | None = None
    parts: tuple[tuple[str, int], ...] = ()


@frozen
class ObjectKind:
    """One kind of object.

    Attributes:
        name: As in the seals: ``recording``, ``staff``, ``request``, ``register``.
        folder: Where its objects lie.
        depth: How many steps of a path below the folder make up a subject; the last one is its name.
        prefix: How the names of its versions begin.
        tables: The tables of its rows and the column of each that names the subject; the subject's own table first.
            Empty for what has no row.
        object_column: The column of the first table that holds the path.
        read: Reads one envelope: vault, name, path, bytes.
        to_key: Turns a name into the value of those columns.
        to_name: Turns it back.
        log_fact: The fact by which log entries name the subject; None if they do so by recording id.
    """

    name: str
    folder: str
    depth: int
    prefix: str
    tables: tuple[tuple[Table, "Column[Any]"], ...]
    object_column: str
    read: Callable[[Vault, str, str, bytes], Contents]
    to_key: Callable[[str], object]
    to_name: Callable[[Any], str]
    log_fact: str | None

    def iter_subjects(self, paths: Iterable[str]) -> Iterator["Subject"]:
        """Group the paths of objects, in order, by subject."""
        for steps, group in groupby(paths, self._to_steps):
            objects = tuple(group)
            if len(steps) == self.depth:
                versions = tuple(path for path in objects if path.rpartition("/")[2].startswith(f"{self.prefix}-"))
                yield Subject(self.name, steps[-1], "/".join([self.folder, *steps]), versions)

    def _to_steps(self, path: str) -> tuple[str, ...]:
        return tuple(path.split("/")[1:-1][: self.depth])

    def find_key(self, name: str) -> object | None:
        """Return the value by which rows name a subject, or None if the name cannot be one."""
        try:
            return self.to_key(name)
        except ValueError:
            return None

    def open(self, vault: Vault, name: str, path: str, envelope: bytes) -> Version:
        """Open one version, whose bytes have been read.

        Raises:
            IntegrityError: It was altered or put in another's place.
            KeyUnavailableError: Its key was destroyed or is missing.
        """
        contents = self.read(vault, name, path, envelope)
        named = get_revision(path)
        if contents.revision is not None and contents.revision != named:
            raise IntegrityError(f"The object {path} holds revision {contents.revision}.")
        digest = sha256(envelope).hexdigest()
        return Version(path, digest, named, contents.caution, contents.rows, contents.parts)


@frozen
class Subject:
    """Of what the versions are: its kind, name and folder, and their paths, in order."""

    kind: str
    name: str
    folder: str
    versions: tuple[str, ...] = ()


def _read_recording(vault: Vault, name: str, path: str, envelope: bytes) -> Contents:
    recordings = Recordings(vault)
    record = recordings.open_record(UUID(name), envelope).record
    if str(record.recording.id) != name or not path.startswith(_folder_of(record.recording.recorded_on, name)):
        raise IntegrityError(f"The object {path} holds the record of another recording.")
    row = recordings.to_row(WrittenRecord(record, path, envelope))
    return Contents(
        caution=int(record.recording.state is State.RESTRICTED),
        rows={"recordings": (row,), "tokens": tuple(recordings.to_token_rows(record))},
        revision=record.revision,
        parts=_to_parts(path, record.details),
    )


def _folder_of(recorded_on: object, name: str) -> str:
    return f"recordings/{recorded_on}/{name}/"


def _to_parts(path: str, details: RecordingDetails) -> tuple[tuple[str, int], ...]:
    folder = path.rpartition("/")[0]
    return tuple((f"{folder}/{part.object_name}", sealed_length(part.length)) for part in details.parts)


def _read_staff(vault: Vault, name: str, path: str, envelope: bytes) -> Contents:
    member = from_json(vault.open_envelope(vault.subject("staff", name), envelope), StaffMember)
    if member.id.text != name:
        raise IntegrityError(f"The object {path} tells of another staff member.")
    granted = len(member.roles) + len(member.duties) + len(member.commitments)
    return Contents(caution=-granted, rows={"staff": (staff_directory.to_row(member, path, envelope),)})


def _read_request(vault: Vault, name: str, path: str, envelope: bytes) -> Contents:
    content = vault.open_envelope(vault.subject("request", name), envelope)
    request: SubjectRequest = from_json(content, SubjectRequest)
    row = request_rows.to_row(UUID(name), request, path, envelope)
    return Contents(caution=-request.deadline.due_on.toordinal(), rows={"requests": (row,)})


def _read_register(vault: Vault, name: str, path: str, envelope: bytes) -> Contents:
    register = from_json(vault.open_envelope(vault.subject("register", name), envelope), Register)
    if register.version.isoformat() != name:
        raise IntegrityError(f"The object {path} holds another version of the register.")
    return Contents(caution=0, rows={})


def _to_bytes(name: str) -> bytes:
    return UUID(name).bytes


def _to_uuid(key: bytes) -> str:
    return str(UUID(bytes=key))


KINDS: Final = (
    ObjectKind("register", "registers", 1, "register", (), "", _read_register, str, str, None),
    ObjectKind(
        "staff",
        "staff",
        1,
        "member",
        ((tables.staff, tables.staff.c.id),),
        "member_object",
        _read_staff,
        str,
        str,
        "staff",
    ),
    ObjectKind(
        "request",
        "requests",
        1,
        "request",
        ((tables.requests, tables.requests.c.id),),
        "request_object",
        _read_request,
        _to_bytes,
        _to_uuid,
        "request",
    ),
    ObjectKind(
        "recording",
        "recordings",
        2,
        "record",
        ((tables.recordings, tables.recordings.c.id), (tables.tokens, tables.tokens.c.recording_id)),
        "record_object",
        _read_recording,
        _to_bytes,
        _to_uuid,
        None,
    ),
)


def get_kind(name: str) -> ObjectKind:
    """Return the kind of a name."""
    return next(kind for kind in KINDS if kind.name == name)
