"""What rows follow from which objects: one entry for each kind of object, for rebuild and comparison alike.

The objects below a kind's folder belong to subjects, such as one recording, each with one or more versions.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from hashlib import sha256
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from attrs import field, frozen
from sqlalchemy import Column, Table

from kelarec.domain.access_review import AccessReview
from kelarec.domain.codes import State
from kelarec.domain.hold import Hold, HoldState
from kelarec.domain.recording import RecordingDetails
from kelarec.domain.register import Register
from kelarec.domain.staff import StaffMember
from kelarec.domain.staff_change import StaffChange
from kelarec.errors import IntegrityError, KeyUnavailableError, ObjectNotFoundError
from kelarec.storage import catalog_tables as tables
from kelarec.storage import disclosures, holds, registers, requests, review_queue, staff_directory
from kelarec.storage.envelopes import read_key_id
from kelarec.storage.json_form import from_json
from kelarec.storage.recordings import Recordings, WrittenRecord, hold_subject, to_date, to_row
from kelarec.storage.requests import RequestRecord, WrittenRequest
from kelarec.storage.sealing import sealed_length
from kelarec.storage.vault import Vault, get_revision

Row = Mapping[str, object]


@frozen
class Version:
    """One object, opened: all it says of its subject, and the rows that follow from it.

    Attributes:
        path: Of the object.
        sha256: Of the object, in hexadecimal, as the log tells it.
        revision: Counts from 1; 0 for kinds that count none.
        caution: Of two versions that nothing else tells apart, the one with more caution stands.
        rows: By table; the first table's row is the subject's.
        parts: Further objects that must be there: path and size in bytes.
        damaged: Paths of further objects that were read and do not open.
    """

    path: str
    sha256: str
    revision: int
    caution: int
    rows: Mapping[str, tuple[Row, ...]] = field(repr=False)
    parts: tuple[tuple[str, int], ...] = ()
    damaged: tuple[str, ...] = ()


@frozen
class Contents:
    """What a kind reads from one envelope."""

    caution: int
    rows: Mapping[str, tuple[Row, ...]]
    revision: int | None = None
    parts: tuple[tuple[str, int], ...] = ()
    damaged: tuple[str, ...] = ()


@frozen
class ObjectKind:
    """One kind of object.

    Attributes:
        name: As in the seals: ``recording``, ``staff``, ``request``, ``register``, ``hold``.
        folder: Where its objects lie.
        depth: How many steps of a path below the folder make up a subject; the last one is its name.
        prefix: How the names of its versions begin.
        tables: The tables of its rows and the column of each that names the subject; the subject's own table first.
            Empty for what has no row.
        object_column: The column of the first table that holds the path.
        read: Reads one envelope: vault, subject, path, bytes.
        to_key: Turns a name into the value of those columns.
        to_name: Turns it back.
        log_fact: The fact by which log entries name the subject; None if they do so by recording id.
        is_whole: Whether a version says all of its subject; of a hold, objects beside it say more.
        is_logged: Whether the log tells which versions there must be; not of what goes when somebody has decided or its
            day is over.
    """

    name: str
    folder: str
    depth: int
    prefix: str
    tables: tuple[tuple[Table, "Column[Any]"], ...]
    object_column: str
    read: Callable[[Vault, "Subject", str, bytes], Contents]
    to_key: Callable[[str], object]
    to_name: Callable[[Any], str]
    log_fact: str | None
    is_whole: bool = True
    is_logged: bool = True

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

    def open(self, vault: Vault, subject: "Subject", path: str, envelope: bytes) -> Version:
        """Open one version, whose bytes have been read.

        Raises:
            IntegrityError: It was altered or put in another's place.
            KeyUnavailableError: Its key was destroyed or is missing.
        """
        contents = self.read(vault, subject, path, envelope)
        named = get_revision(path)
        if contents.revision is not None and contents.revision != named:
            raise IntegrityError(f"The object {path} holds revision {contents.revision}.")
        digest = sha256(envelope).hexdigest()
        return Version(path, digest, named, contents.caution, contents.rows, contents.parts, contents.damaged)


@frozen
class Subject:
    """Of what the versions are: its kind, name and folder, and their paths, in order.

    Attributes:
        held: Of a recording, the holds that keep it: hold id, review date as a number, wrap of its data key.
    """

    kind: str
    name: str
    folder: str
    versions: tuple[str, ...] = ()
    held: tuple[tuple[bytes, int, bytes], ...] = field(default=(), repr=False)


def _read_recording(vault: Vault, subject: Subject, path: str, envelope: bytes) -> Contents:
    recordings, name = Recordings(vault), subject.name
    wraps = [(UUID(bytes=hold_id), wrap) for hold_id, _, wrap in subject.held]
    record = recordings.open_record(UUID(name), envelope, wraps).record
    recording = record.recording
    if str(recording.id) != name or not path.startswith(_folder_of(recording.recorded_on, name)):
        raise IntegrityError(f"The object {path} holds the record of another recording.")
    reviews = {review_on for _, review_on, _ in subject.held}
    tokens = [
        row
        for ordinal in sorted({recording.kept_through.toordinal(), *reviews})
        if vault.keyring.has(day := to_date(ordinal))
        for row in recordings.to_token_rows(record, day)
    ]
    row = {**to_row(WrittenRecord(record, path, envelope)), "held_through": max(reviews, default=None)}
    return Contents(
        caution=int(recording.state is State.RESTRICTED),
        rows={"recordings": (row,), "tokens": tuple(tokens)},
        revision=record.revision,
        parts=_to_parts(path, record.details),
    )


def _folder_of(recorded_on: object, name: str) -> str:
    return f"recordings/{recorded_on}/{name}/"


def _to_parts(path: str, details: RecordingDetails) -> tuple[tuple[str, int], ...]:
    folder = path.rpartition("/")[0]
    return tuple((f"{folder}/{part.object_name}", sealed_length(part.length)) for part in details.parts)


def _read_staff(vault: Vault, subject: Subject, path: str, envelope: bytes) -> Contents:
    member = from_json(vault.open_envelope(vault.subject("staff", subject.name), envelope), StaffMember)
    if member.id.text != subject.name:
        raise IntegrityError(f"The object {path} tells of another staff member.")
    granted = len(member.roles) + len(member.duties) + len(member.commitments)
    return Contents(caution=-granted, rows={"staff": (staff_directory.to_row(member, path, envelope),)})


def _read_request(vault: Vault, subject: Subject, path: str, envelope: bytes) -> Contents:
    record = from_json(vault.open_envelope(vault.subject("request", subject.name), envelope), RequestRecord)
    if str(record.id) != subject.name:
        raise IntegrityError(f"The object {path} holds another request.")
    row = requests.to_row(WrittenRequest(record, path, envelope))
    return Contents(caution=-record.due_on.toordinal(), rows={"requests": (row,)}, revision=record.revision)


def _read_hold(vault: Vault, subject: Subject, path: str, envelope: bytes) -> Contents:
    """Read a hold and its wraps.

    If all its recordings have wraps it was placed; if none of these opens though the date lives, it was released. Else
    it is an intent that waits to be completed. Whatever opens keeps its recording. Only wraps under the review date of
    this very version count: a review leaves others beside them for a while. One with fewer wraps is less careful.
    """
    hold = from_json(vault.open_envelope(vault.subject("hold", subject.name), envelope), Hold)
    if str(hold.id) != subject.name:
        raise IntegrityError(f"The object {path} holds another hold.")
    wrapped, held, damaged = set(), [], []
    for recording_id, wrap_path in _iter_wraps(vault, subject, hold):
        try:
            wrap = vault.objects.read(wrap_path)
            if read_key_id(wrap) not in {hold.review_on.isoformat(), None}:
                continue
            wrapped.add(recording_id)
            vault.open_envelope(hold_subject(vault, hold.id, recording_id), wrap)
        except (KeyUnavailableError, ObjectNotFoundError):  # erased, released, or just removed
            continue
        except IntegrityError:
            damaged.append(wrap_path)
            continue
        held.append(holds.to_held_row(hold, recording_id, wrap_path, wrap))
    state = HoldState.INTENT
    if wrapped == set(hold.recording_ids):
        state = HoldState.PLACED if held or damaged else HoldState.RELEASED
    row = holds.to_row(hold, state, path, envelope)
    return Contents(
        caution=len(held) + len(damaged),
        rows={"holds": (row,), "held_recordings": tuple(held)},
        revision=hold.revision,
        damaged=tuple(damaged),
    )


def _iter_wraps(vault: Vault, subject: Subject, hold: Hold) -> Iterator[tuple[UUID, str]]:
    by_name = {str(each): each for each in hold.recording_ids}
    for path in vault.objects.iter_paths(subject.folder):
        recording_id = by_name.get(path.rpartition("/")[2].rpartition("-")[0])
        if recording_id is not None:
            yield recording_id, path


def _read_change(vault: Vault, subject: Subject, path: str, envelope: bytes) -> Contents:
    change = from_json(vault.open_envelope(vault.subject("staff-change", subject.name), envelope), StaffChange)
    if str(change.id) != subject.name:
        raise IntegrityError(f"The object {path} holds another change.")
    return Contents(caution=0, rows={"staff_changes": (staff_directory.to_change_row(change, path, envelope),)})


def _read_review(vault: Vault, subject: Subject, path: str, envelope: bytes) -> Contents:
    review = from_json(vault.open_envelope(vault.subject("review", subject.name), envelope), AccessReview)
    if str(review.session_id) != subject.name:
        raise IntegrityError(f"The object {path} tells of another session.")
    return Contents(caution=0, rows={"access_reviews": (review_queue.to_row(review, path, envelope),)})


def _read_disclosure(vault: Vault, subject: Subject, path: str, envelope: bytes) -> Contents:
    content = vault.open_envelope(vault.subject("disclosure", subject.name), envelope)
    record = from_json(content, disclosures.DisclosureRecord)
    if str(record.disclosure.id) != subject.name:
        raise IntegrityError(f"The object {path} holds another disclosure.")
    row = disclosures.to_row(disclosures.WrittenDisclosure(record, path, envelope))
    tokens = tuple(disclosures.to_token_rows(vault, record))
    return Contents(caution=0, rows={"disclosures": (row,), "disclosure_tokens": tokens})


def _read_register(vault: Vault, subject: Subject, path: str, envelope: bytes) -> Contents:
    register = from_json(vault.open_envelope(vault.subject("register", subject.name), envelope), Register)
    if register.version.isoformat() != subject.name:
        raise IntegrityError(f"The object {path} holds another version of the register.")
    # Of two that nothing else tells apart, the one that promises to keep for the shorter time.
    return Contents(
        caution=-register.retention.years, rows={"registers": (registers.to_row(register, path, envelope),)}
    )


def _to_version_name(name: str) -> str:
    return date.fromisoformat(name).isoformat()


def _to_bytes(name: str) -> bytes:
    return UUID(name).bytes


def _to_uuid(key: bytes) -> str:
    return str(UUID(bytes=key))


# Holds before recordings: what a recording's row says of its last day follows from those that keep it.
KINDS: Final = (
    ObjectKind(
        "register",
        "registers",
        1,
        "register",
        ((tables.registers, tables.registers.c.version),),
        "register_object",
        _read_register,
        _to_version_name,
        str,
        "register",
    ),
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
        "hold",
        "holds",
        1,
        "hold",
        ((tables.holds, tables.holds.c.id), (tables.held_recordings, tables.held_recordings.c.hold_id)),
        "hold_object",
        _read_hold,
        _to_bytes,
        _to_uuid,
        "hold",
        is_whole=False,
    ),
    ObjectKind(
        "staff-change",
        "staff-changes",
        1,
        "change",
        ((tables.staff_changes, tables.staff_changes.c.id),),
        "change_object",
        _read_change,
        _to_bytes,
        _to_uuid,
        "change",
        is_logged=False,
    ),
    ObjectKind(
        "review",
        "reviews",
        1,
        "review",
        ((tables.access_reviews, tables.access_reviews.c.session_id),),
        "review_object",
        _read_review,
        _to_bytes,
        _to_uuid,
        "review",
        is_logged=False,
    ),
    ObjectKind(
        "disclosure",
        "disclosures",
        1,
        "disclosure",
        (
            (tables.disclosures, tables.disclosures.c.id),
            (tables.disclosure_tokens, tables.disclosure_tokens.c.disclosure_id),
        ),
        "disclosure_object",
        _read_disclosure,
        _to_bytes,
        _to_uuid,
        "disclosure",
        is_logged=False,
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
