"""Where recordings lie: content and record as sealed objects, a row and look-up tokens in the catalog.

    recordings/<recorded date>/<id>/<part>-<random>       content
    recordings/<recorded date>/<id>/record-1-<random>     the record: the commit

Content is written first and the record last; the row follows. What a row tells in clear must equal the sealed record.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

from attrs import field, frozen
from sqlalchemy import Connection, delete, insert, select, update

from kelarec.domain.instants import helsinki_date
from kelarec.domain.people import Identifier
from kelarec.domain.recording import Part, Recording, RecordingDetails
from kelarec.errors import ChangedMeanwhileError, IntegrityError, KeyUnavailableError, StorageError
from kelarec.storage import catalog_tables as tables
from kelarec.storage.envelopes import DataKey, Subject, make_data_key, open_document, seal_document
from kelarec.storage.json_form import from_json, to_json
from kelarec.storage.sealing import SealedReader, iter_sealed
from kelarec.storage.tokens import contact_token, token
from kelarec.storage.vault import Vault

_Reader = TypeVar("_Reader", bound=SealedReader)
_FOLDER: Final = "recordings"
_READ_BACK: Final = 1024 * 1024
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@frozen
class Record:
    """All that is known of a recording; sealed as one document."""

    revision: int
    recording: Recording
    details: RecordingDetails


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


def part_context(subject: Subject, part_name: str, media_type: str) -> bytes:
    """Return what is bound into the seal of one part of a recording."""
    return subject.context(("part", part_name), ("format", media_type))


class Recordings:
    """The recordings of one archive."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def new_data_key(self, recording_id: UUID, kept_through: date) -> DataKey:
        """Make a recording's data key, wrapped under the key of its last day kept."""
        self._vault.keyring.get_or_make(kept_through)
        return make_data_key(
            self._vault.keyring, kept_through.isoformat(), self._subject(recording_id), self._vault.randomness
        )

    def write_part(
        self, recording_id: UUID, recorded_on: date, data_key: DataKey, part: Part, chunks: Iterable[bytes]
    ) -> None:
        """Seal one part of the content into the archive, in constant memory."""
        context = part_context(self._subject(recording_id), part.name, part.media_type)
        path = f"{_folder(recording_id, recorded_on)}/{part.object_name}"
        self._vault.objects.write(path, iter_sealed(data_key.bare, context, chunks))

    def write_record(self, record: Record, data_key: DataKey) -> WrittenRecord:
        """Seal the record into the archive: from here on the recording exists."""
        recording = record.recording
        name = self._vault.new_object_name(f"record-{record.revision}")
        path = f"{_folder(recording.id, recording.recorded_on)}/{name}"
        envelope = seal_document(data_key, self._subject(recording.id), to_json(record))
        self._vault.objects.write(path, [envelope])
        return WrittenRecord(record, path, envelope)

    def seal_spooled_record(self, record: Record, data_key: DataKey) -> WrittenRecord:
        """Seal the record of a recording whose objects are still to come: it lies in the spool and in its row."""
        envelope = seal_document(data_key, self._subject(record.recording.id), to_json(record))
        return WrittenRecord(record, f"spool/{record.recording.id}", envelope)

    def insert(self, connection: Connection, written: WrittenRecord) -> None:
        """Make the row of a record and the tokens by which its persons are found."""
        row = _clear_columns(written.record)
        connection.execute(insert(tables.recordings).values(record_object=written.path, record=written.envelope, **row))
        self._insert_tokens(connection, written.record)

    def replace(self, connection: Connection, written: WrittenRecord) -> None:
        """Make a newer record the one in force, if the row still holds the revision just before it.

        Raises:
            ChangedMeanwhileError: Somebody else was quicker, or the recording is gone.
        """
        row = _clear_columns(written.record)
        recordings = tables.recordings.c
        replaced = connection.execute(
            update(tables.recordings)
            .where(recordings.id == row["id"], recordings.revision == written.record.revision - 1)
            .values(record_object=written.path, record=written.envelope, **row)
        ).rowcount
        if not replaced:
            raise ChangedMeanwhileError(f"The recording {written.record.recording.id} was changed meanwhile.")
        connection.execute(delete(tables.tokens).where(tables.tokens.c.recording_id == row["id"]))
        self._insert_tokens(connection, written.record)

    def _insert_tokens(self, connection: Connection, record: Record) -> None:
        index_key = self._vault.keyring.get(record.recording.kept_through.isoformat()).index
        found_by = {
            token(index_key, identifier)
            for person in record.details.contact.persons
            for identifier in person.identifiers
        }
        found_by.add(contact_token(index_key, record.details.contact.contact_id))
        rows = [{"token": each, "recording_id": record.recording.id.bytes} for each in sorted(found_by)]
        connection.execute(insert(tables.tokens), rows)

    def discard(self, recording_id: UUID, recorded_on: date, *, keep: str | None = None) -> None:
        """Remove all objects of a recording, save one."""
        for path in list(self._vault.objects.iter_paths(_folder(recording_id, recorded_on))):
            if path != keep:
                self._vault.objects.delete(path)

    def discard_part(self, recording: Recording, part: Part) -> None:
        """Remove the object of one part."""
        self._vault.objects.delete(f"{_folder(recording.id, recording.recorded_on)}/{part.object_name}")

    def remove_row(self, connection: Connection, recording_id: UUID) -> None:
        """Remove the row and tokens of a recording that is not to be."""
        connection.execute(delete(tables.recordings).where(tables.recordings.c.id == recording_id.bytes))

    def find_pieces(self, connection: Connection, contact_id: str, kept_through: date) -> list[OpenedRecord]:
        """Return the records of one contact, which has several if it was cut and taken again, oldest first."""
        wanted = contact_token(self._vault.keyring.get(kept_through.isoformat()).index, contact_id)
        return self._find_by_tokens(connection, [wanted])

    def find(self, connection: Connection, identifier: Identifier) -> list[OpenedRecord]:
        """Return the records of all recordings about whoever has an identifier, oldest first."""
        dates = connection.execute(select(tables.recordings.c.kept_through).distinct()).scalars()
        wanted = []
        for each in dates:
            try:
                wanted.append(token(self._vault.keyring.get(_to_date(each).isoformat()).index, identifier))
            except KeyUnavailableError:  # that date is over: its recordings can be found by nobody
                continue
        return self._find_by_tokens(connection, wanted)

    def _find_by_tokens(self, connection: Connection, wanted: list[bytes]) -> list[OpenedRecord]:
        rows = connection.execute(
            select(tables.recordings)
            .where(
                tables.recordings.c.id.in_(
                    select(tables.tokens.c.recording_id).where(tables.tokens.c.token.in_(wanted))
                )
            )
            .order_by(tables.recordings.c.started_at, tables.recordings.c.id)
        ).mappings()
        return [self._open(row) for row in rows]

    def find_one(self, connection: Connection, recording_id: UUID) -> OpenedRecord | None:
        """Return the record of a recording, or None if there is none or its key is gone."""
        row = (
            connection.execute(select(tables.recordings).where(tables.recordings.c.id == recording_id.bytes))
            .mappings()
            .one_or_none()
        )
        if row is None:
            return None
        try:
            return self._open(row)
        except KeyUnavailableError:
            return None

    def find_record_path(self, connection: Connection, recording_id: UUID) -> str | None:
        """Return the path of the record in force of a recording, or None if it has no row."""
        wanted = select(tables.recordings.c.record_object).where(tables.recordings.c.id == recording_id.bytes)
        path: str | None = connection.execute(wanted).scalar_one_or_none()
        return path

    def open_part(self, opened: OpenedRecord, part: Part, guard: Callable[[], None], reader: type[_Reader]) -> _Reader:
        """Open one part of the content for reading.

        Raises:
            ObjectNotFoundError: The content's object is missing.
            IntegrityError: It is not as written.
        """
        recording = opened.record.recording
        path = f"{_folder(recording.id, recording.recorded_on)}/{part.object_name}"
        objects = self._vault.objects
        return reader(
            opened.data_key.bare,
            part_context(self._subject(recording.id), part.name, part.media_type),
            lambda start, stop: objects.read_range(path, start, stop),
            size=objects.get_size(path),
            length=part.length,
            guard=guard,
        )

    def require_readable(self, opened: OpenedRecord) -> None:
        """Read back every byte of a recording's content.

        Raises:
            ObjectNotFoundError: An object is missing.
            IntegrityError: A part does not open.
        """
        for part in opened.record.details.parts:
            with self.open_part(opened, part, lambda: None, SealedReader) as reader:
                while reader.read(_READ_BACK):
                    pass

    def iter_dates_before(self, connection: Connection, day: date) -> Iterator[date]:
        """Go through the last days kept that lie before a day and hold recordings, earliest first."""
        dates = connection.execute(
            select(tables.recordings.c.kept_through)
            .where(tables.recordings.c.kept_through < day.toordinal())
            .distinct()
            .order_by(tables.recordings.c.kept_through)
        ).scalars()
        yield from map(_to_date, dates)

    def delete_objects(self, connection: Connection, kept_through: date) -> int:
        """Remove the objects of all recordings of a date; return how many recordings there were."""
        recordings = tables.recordings.c
        rows = connection.execute(
            select(recordings.id, recordings.started_at).where(recordings.kept_through == kept_through.toordinal())
        ).all()
        for row in rows:  # the folder follows from the id: no path that stands in the catalog is believed
            recorded_on = helsinki_date(_EPOCH + timedelta(microseconds=row.started_at))
            self.discard(UUID(bytes=row.id), recorded_on)
        return len(rows)

    def delete_rows(self, connection: Connection, kept_through: date) -> None:
        """Remove the rows and tokens of all recordings of a date."""
        connection.execute(
            delete(tables.recordings).where(tables.recordings.c.kept_through == kept_through.toordinal())
        )

    def _subject(self, recording_id: UUID) -> Subject:
        return self._vault.subject("recording", str(recording_id))

    def _open(self, row: Any) -> OpenedRecord:  # noqa: ANN401  a mapping of the driver's types
        recording_id = UUID(bytes=row["id"])
        data_key, content = open_document(self._vault.keyring, self._subject(recording_id), row["record"])
        record = from_json(content, Record)
        for name, value in _clear_columns(record).items():
            if row[name] != value:
                raise IntegrityError(
                    f"The catalog's row of recording {recording_id} was altered: its {name} is not the record's.",
                    advice="Rebuild the catalog from the objects.",
                )
        return OpenedRecord(record, data_key)


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


def _folder(recording_id: UUID, recorded_on: date) -> str:
    return f"{_FOLDER}/{recorded_on.isoformat()}/{recording_id}"


def _to_date(ordinal: int) -> date:
    try:
        return date.fromordinal(ordinal)
    except (ValueError, OverflowError):
        raise StorageError("The catalog holds a date that is none.", advice="Rebuild it from the objects.") from None
