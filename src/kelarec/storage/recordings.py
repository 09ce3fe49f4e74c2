"""Where recordings lie: content and record as sealed objects, a row and look-up tokens in the catalog.

    recordings/<recorded date>/<id>/<part>-<random>       content
    recordings/<recorded date>/<id>/record-1-<random>     the record: the commit (further versions beside it)

Content is written first and the record last; the row follows. What a row tells in clear must equal the sealed record.
"""

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

from attrs import evolve, field, frozen
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from kelarec.domain.codes import State
from kelarec.domain.instants import helsinki_date
from kelarec.domain.recording import SEALING, Part, Recording, RecordingDetails, Restriction
from kelarec.errors import (
    ChangedMeanwhileError,
    FormatTooNewError,
    IntegrityError,
    InvalidValueError,
    KeyUnavailableError,
    StorageError,
)
from kelarec.storage import catalog_tables as tables
from kelarec.storage.compiled import execute_all_now, execute_now
from kelarec.storage.envelopes import (
    DataKey,
    Subject,
    make_data_key,
    open_document,
    open_document_with,
    seal_document,
)
from kelarec.storage.json_form import from_json, to_json
from kelarec.storage.sealing import SealedReader, SealedWriter
from kelarec.storage.tokens import token_range
from kelarec.storage.vault import Vault

_Reader = TypeVar("_Reader", bound=SealedReader)
_SIZE: Final = "bytes"
FOLDER: Final = "recordings"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ROWS: Final = tables.recordings.c
_INSERT: Final = insert(tables.recordings)
_INSERT_TOKEN: Final = insert(tables.tokens)
_FIND: Final = select(tables.recordings).where(_ROWS.id == bindparam("wanted"))
_FIND_WRAPS: Final = select(tables.held_recordings).where(tables.held_recordings.c.recording_id == bindparam("wanted"))
_DELETE_ENDED_TOKENS: Final = delete(tables.tokens).where(tables.tokens.c.token < bindparam("beyond"))
_DELETE_TOKENS: Final = _DELETE_ENDED_TOKENS.where(
    tables.tokens.c.token >= bindparam("first"), tables.tokens.c.recording_id == bindparam("wanted")
)


@frozen
class Record:
    """All that is known of a recording; sealed as one document."""

    revision: int
    recording: Recording
    details: RecordingDetails

    def __attrs_post_init__(self) -> None:
        if self.details.restriction is not None and self.recording.state is not State.RESTRICTED:
            raise InvalidValueError("A recording that is not restricted has a reason for a restriction.")

    def change_details(self, details: RecordingDetails) -> "Record":
        """Return the next version, with other details."""
        return Record(self.revision + 1, self.recording, details)

    def restrict(self, restriction: Restriction) -> "Record":
        """Return the next version: stored only, and why (Art. 18)."""
        recording = evolve(self.recording, state=State.RESTRICTED)
        return Record(self.revision + 1, recording, evolve(self.details, restriction=restriction))

    def lift_restriction(self) -> "Record":
        """Return the next version, which may be used again."""
        state = State.KEPT if self.details.parts else State.SPOOLED
        return Record(self.revision + 1, evolve(self.recording, state=state), evolve(self.details, restriction=None))


@frozen
class WrittenRecord:
    """A record whose objects are durable and whose row is still to come."""

    record: Record
    path: str
    envelope: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """The hash of the record object in hexadecimal, for the log: an older object put back shows."""
        return hashlib.sha256(self.envelope).hexdigest()


@frozen
class OpenedRecord:
    """A record read from the catalog, with the data key of its content."""

    record: Record
    data_key: DataKey


def microseconds(at: datetime) -> int:
    """Return an instant as the catalog keeps it: microseconds since 1970, exact."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(count: int) -> datetime:
    """Return the instant that the catalog keeps so."""
    return _EPOCH + timedelta(microseconds=count)


def part_context(subject: Subject, part_name: str, media_type: str) -> bytes:
    """Return what is bound into the seal of one part of a recording."""
    return subject.context(("part", part_name), ("format", media_type))


class Recordings:
    """The recordings of one archive."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def new_data_key(self, recording_id: UUID, kept_through: date) -> DataKey:
        """Make a recording's data key, wrapped under the key of its last day kept.

        Raises:
            DateClosedError: That date is being ended, or has ended.
        """
        self._vault.require_keys(kept_through)
        return make_data_key(
            self._vault.keyring, kept_through.isoformat(), self._subject(recording_id), self._vault.randomness
        )

    def write_part(
        self, recording_id: UUID, recorded_on: date, data_key: DataKey, part: Part, chunks: Iterable[bytes]
    ) -> Part:
        """Seal one part of the content into the archive, in constant memory.

        Returns:
            The part with the length and header that it has, so that nobody needs to ask the place for them again.
        """
        context = part_context(self._subject(recording_id), part.name, part.media_type)
        path = f"{recording_folder(recording_id, recorded_on)}/{part.object_name}"
        writer = SealedWriter(data_key.bare, context, chunks)
        self._vault.objects.write(path, writer)
        return evolve(part, length=writer.length, header=base64.b64encode(writer.header).decode())

    def write_record(self, record: Record, data_key: DataKey) -> WrittenRecord:
        """Seal the record into the archive: from here on the recording exists."""
        recording = record.recording
        name = self._vault.new_object_name(f"record-{record.revision}")
        path = f"{recording_folder(recording.id, recording.recorded_on)}/{name}"
        envelope = seal_document(data_key, self._subject(recording.id), to_json(record))
        self._vault.objects.write(path, [envelope])
        return WrittenRecord(record, path, envelope)

    def insert(self, connection: Connection, written: WrittenRecord) -> None:
        """Make the row of a record and the tokens by which it is found."""
        execute_now(connection, _INSERT, to_row(written))
        execute_all_now(connection, _INSERT_TOKEN, self.to_token_rows(written.record))

    def insert_all(self, connection: Connection, written: Sequence[WrittenRecord]) -> None:
        """Make the rows and tokens of many records at once."""
        execute_all_now(connection, _INSERT, map(to_row, written))
        execute_all_now(connection, _INSERT_TOKEN, [row for each in written for row in self.to_token_rows(each.record)])

    def replace(self, connection: Connection, written: WrittenRecord) -> None:
        """Make a newer record the one in force, if the row still holds the revision just before it.

        Raises:
            ChangedMeanwhileError: Somebody else was quicker, or the recording is gone.
        """
        recording = written.record.recording
        before = (_ROWS.id == recording.id.bytes, _ROWS.revision == written.record.revision - 1)
        kept_through = connection.execute(select(_ROWS.kept_through).where(*before)).scalar_one_or_none()
        replaced = connection.execute(update(tables.recordings).where(*before).values(to_row(written))).rowcount
        if kept_through is None or not replaced:
            raise ChangedMeanwhileError(f"The recording {recording.id} was changed meanwhile.")
        delete_tokens(connection, to_date(kept_through), recording.id)
        alive = {recording.kept_through} if recording.ends_at > self._vault.now() else set()
        for day in alive | self._review_dates(connection, recording.id):
            self.insert_tokens(connection, written.record, day)

    def insert_tokens(self, connection: Connection, record: Record, day: date) -> None:
        """Make a record findable under the index key of a day: also that of a hold's review."""
        delete_tokens(connection, day, record.recording.id)
        execute_all_now(connection, _INSERT_TOKEN, self.to_token_rows(record, day))

    def to_token_rows(self, record: Record, day: date | None = None) -> list[dict[str, object]]:
        """Return the rows of the tokens by which a record is found, under its last day kept if no day is given.

        Raises:
            KeyUnavailableError: The day's keys are not there.
        """
        terms = record.details.contact.search_terms
        found_by = self._vault.index_keys.make_tokens(day or record.recording.kept_through, terms)
        return [{"token": each, "recording_id": record.recording.id.bytes} for each in found_by]

    def is_held(self, connection: Connection, recording_id: UUID) -> bool:
        """Whether a hold keeps a recording, and so has wrapped its data key."""
        return bool(self._review_dates(connection, recording_id))

    def _review_dates(self, connection: Connection, recording_id: UUID) -> set[date]:
        rows = execute_now(connection, _FIND_WRAPS, {"wanted": recording_id.bytes})
        return {to_date(row.review_on) for row in rows}

    def remove_part(self, recording: Recording, part: Part) -> None:
        """Remove the object of a part that no record in force names any more."""
        self._vault.objects.delete(f"{recording_folder(recording.id, recording.recorded_on)}/{part.object_name}")

    def discard(self, recording_id: UUID, recorded_on: date, *, keep: str | None = None) -> None:
        """Remove all objects of a recording save one, the records first, and what was left unfinished of it."""
        folder = recording_folder(recording_id, recorded_on)
        paths = self._vault.objects.iter_paths(folder)
        for path in sorted(paths, key=lambda path: not path.rpartition("/")[2].startswith("record-")):
            if path != keep:
                self._vault.objects.delete(path)
        self._vault.objects.delete_unfinished(f"{folder}/")

    def find_one(self, connection: Connection, recording_id: UUID) -> OpenedRecord | None:
        """Return the record of a recording, or None if there is none or its key is gone."""
        row = execute_now(connection, _FIND, {"wanted": recording_id.bytes}).mappings().one_or_none()
        return None if row is None else self.open_row(connection, row)

    def open_part(self, opened: OpenedRecord, part: Part, guard: Callable[[], None], reader: type[_Reader]) -> _Reader:
        """Open one part of the content for reading; asks the place for nothing if the record tells the header.

        Raises:
            FormatTooNewError: A newer version sealed it.
            IntegrityError: Its header is not that of its key.
            ObjectNotFoundError: The content's object is missing; a missing one may show only at the first read.
        """
        if part.sealing != SEALING:
            raise FormatTooNewError(f"The part {part.name} was sealed by a newer version, as {part.sealing}.")
        recording = opened.record.recording
        path = f"{recording_folder(recording.id, recording.recorded_on)}/{part.object_name}"
        objects = self._vault.objects
        return reader(
            opened.data_key.bare,
            part_context(self._subject(recording.id), part.name, part.media_type),
            lambda start, stop: objects.read_range(path, start, stop),
            length=part.length,
            guard=guard,
            header=None if part.header is None else base64.b64decode(part.header),
        )

    def iter_dates_before(self, connection: Connection, day: date) -> Iterator[date]:
        """Go through the last days kept before a day that end recordings which no hold keeps, earliest first."""
        dates = connection.execute(
            select(_ROWS.kept_through)
            .where(_ROWS.kept_through < day.toordinal(), _ROWS.held_through.is_(None))
            .distinct()
            .order_by(_ROWS.kept_through)
        ).scalars()
        yield from map(to_date, dates)

    def delete_objects(self, connection: Connection, kept_through: date) -> int:
        """Remove the objects of all recordings of a date that no hold keeps; return how many recordings there were."""
        rows = connection.execute(
            select(_ROWS.id, _ROWS.started_at).where(
                _ROWS.kept_through == kept_through.toordinal(), _ROWS.held_through.is_(None)
            )
        ).all()
        for row in rows:  # the folder follows from the id: no path that stands in the catalog is believed
            recorded_on = helsinki_date(from_microseconds(row.started_at))
            self.discard(UUID(bytes=row.id), recorded_on)
        return len(rows)

    def delete_rows(self, connection: Connection, kept_through: date) -> None:
        """Remove the rows of all recordings of a date that no hold keeps, and every token of it and of dates before."""
        execute_now(connection, _DELETE_ENDED_TOKENS, {"beyond": token_range(kept_through)[1]})
        connection.execute(
            delete(tables.recordings).where(
                _ROWS.kept_through == kept_through.toordinal(), _ROWS.held_through.is_(None)
            )
        )

    def _subject(self, recording_id: UUID) -> Subject:
        return self._vault.subject("recording", str(recording_id))

    def open_row(self, connection: Connection, row: Any) -> OpenedRecord | None:  # noqa: ANN401  a mapping of the driver's types
        """Return the record of a row, or None if no key opens it any more: neither its day's nor a hold's.

        Raises:
            IntegrityError: The row or the record was altered.
        """
        recording_id = UUID(bytes=row["id"])
        try:
            opened = self.open_record(recording_id, row["record"], _iter_wraps(connection, recording_id))
        except KeyUnavailableError:
            return None
        for name, value in {**_clear_columns(opened.record), **_size_column(opened.record)}.items():
            if row[name] != value and not (name == _SIZE and row[name] is None):  # written by a library of schema 1
                raise IntegrityError(
                    f"The catalog's row of recording {recording_id} was altered: its {name} is not the record's.",
                    advice="Rebuild the catalog from the objects.",
                )
        return opened

    def open_record(
        self, recording_id: UUID, envelope: bytes, wraps: Iterable[tuple[UUID, bytes]] = ()
    ) -> OpenedRecord:
        """Return the record of an envelope.

        Args:
            recording_id: Whose record it is.
            envelope: The sealed document.
            wraps: The ids of holds and their wraps of its data key; asked for only if its own day is over.

        Raises:
            IntegrityError: It was altered, or is another recording's.
            KeyUnavailableError: Its key was destroyed or is missing, and no hold keeps it.
        """
        subject = self._subject(recording_id)
        try:
            data_key, content = open_document(self._vault.keyring, subject, envelope)
        except KeyUnavailableError:
            bare = self._find_held_key(recording_id, wraps)
            if bare is None:
                raise
            data_key, content = open_document_with(bare, subject, envelope)
        return OpenedRecord(from_json(content, Record), data_key)

    def _find_held_key(self, recording_id: UUID, wraps: Iterable[tuple[UUID, bytes]]) -> bytes | None:
        for hold_id, wrap in wraps:
            try:
                return open_document(self._vault.keyring, hold_subject(self._vault, hold_id, recording_id), wrap)[
                    0
                ].bare
            except KeyUnavailableError:  # that hold's review date is over, or it was released
                continue
        return None


def _iter_wraps(connection: Connection, recording_id: UUID) -> Iterator[tuple[UUID, bytes]]:
    for row in execute_now(connection, _FIND_WRAPS, {"wanted": recording_id.bytes}).all():
        yield UUID(bytes=row.hold_id), row.wrap


def hold_subject(vault: Vault, hold_id: UUID, recording_id: UUID) -> Subject:
    """Return what a recording's data key is wrapped for while a hold keeps it; its name is that of the key leaf."""
    return vault.subject("hold", f"{hold_id} {recording_id}")


def delete_tokens(connection: Connection, day: date, recording_id: UUID) -> None:
    """Make a recording no longer findable under the index key of a day."""
    first, beyond = token_range(day)
    execute_now(connection, _DELETE_TOKENS, {"first": first, "beyond": beyond, "wanted": recording_id.bytes})


def to_date(ordinal: int) -> date:
    """Return a date that the catalog keeps as a number.

    Raises:
        StorageError: It is none.
    """
    try:
        return date.fromordinal(ordinal)
    except (ValueError, OverflowError):
        raise StorageError("The catalog holds a date that is none.", advice="Rebuild it from the objects.") from None


def to_row(written: WrittenRecord) -> dict[str, object]:
    """Return the row that follows from a record, save what holds add to it."""
    objects = {"record_object": written.path, "record": written.envelope}
    return {**_clear_columns(written.record), **_size_column(written.record), **objects}


def _size_column(record: Record) -> dict[str, object]:
    return {_SIZE: sum(part.length for part in record.details.parts)}


def _clear_columns(record: Record) -> dict[str, object]:
    recording = record.recording
    return {
        "id": recording.id.bytes,
        "kind": recording.kind.value,
        "direction": recording.direction.value,
        "line": recording.line,
        "started_at": microseconds(recording.started_at),
        "ended_at": microseconds(recording.ended_at),
        "kept_through": recording.kept_through.toordinal(),
        "adviser_id": None if recording.adviser_id is None else recording.adviser_id.text,
        "state": recording.state.value,
        "revision": record.revision,
    }


def recording_folder(recording_id: UUID, recorded_on: date) -> str:
    """Return where the objects of a recording lie."""
    return f"{FOLDER}/{recorded_on.isoformat()}/{recording_id}"
