"""Bringing one recording into the archive: its parts first, its record last, then row and log entry together."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final
from uuid import UUID

from attrs import evolve
from sqlalchemy import Connection

from kelarec.audit.entries import Entry, EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.codes import State
from kelarec.domain.people import Actor
from kelarec.domain.recording import Part, Recording, RecordingDetails, Sound
from kelarec.errors import ChangedMeanwhileError, IntegrityError, KeyUnavailableError
from kelarec.storage.envelopes import DataKey
from kelarec.storage.recordings import OpenedRecord, Record, Recordings, WrittenRecord
from kelarec.storage.spooled_records import SpooledRecords
from kelarec.storage.vault import Vault

_MOST_TRIES: Final = 5


class Deposit:
    """One recording on its way in.

    Args:
        data_key: The recording's key if it has one already, as a take has; else one is made.
    """

    def __init__(self, vault: Vault, log: AuditLog, recording: Recording, data_key: DataKey | None = None) -> None:
        self._vault = vault
        self._log = log
        self._recordings = Recordings(vault)
        self._spooled = SpooledRecords(vault, self._recordings)
        self._recording = recording
        self._data_key = data_key or self._recordings.new_data_key(recording.id, recording.kept_through)

    def add(
        self,
        name: str,
        media_type: str,
        pieces: Iterable[bytes],
        find_sound: Callable[[], Sound | None] = lambda: None,
    ) -> Part:
        """Seal one part of the content into the archive, in constant memory.

        Args:
            name: Of the part.
            media_type: Of the part.
            pieces: Its content.
            find_sound: Tells, once the content has gone by, what it said of itself.
        """
        recording = self._recording
        announced = Part(name=name, media_type=media_type, length=1, object_name=self._vault.new_object_name(name))
        part = self._recordings.write_part(recording.id, recording.recorded_on, self._data_key, announced, pieces)
        return evolve(part, sound=find_sound())

    def require_readable(self, details: RecordingDetails) -> None:
        """Read back every byte of the parts.

        Raises:
            ObjectNotFoundError, IntegrityError: What lies there is not what was written.
        """
        self._spooled.require_readable(OpenedRecord(Record(1, self._recording, details), self._data_key))

    def commit(self, details: RecordingDetails, by: Actor, **facts: str) -> Recording:
        """Write the record: the recording is there. Its row and log entry follow in one transaction."""
        written = self._recordings.write_record(Record(1, self._recording, details), self._data_key)
        with self._log.transaction(self._entry(written, by, facts)) as connection:
            self._recordings.insert(connection, written)
        return self._recording

    def commit_spooled(self, details: RecordingDetails, by: Actor, *, had_row: bool, **facts: str) -> Recording:
        """Write the record of what was spooled, in the place of the row that it has had meanwhile.

        Args:
            details: Who took part, and the parts that were added.
            by: Who recorded it.
            facts: What else the log is told.
            had_row: It is known to have had one: if there is none now, it was removed, and must not come back.

        Raises:
            KeyUnavailableError: It was erased or has expired while it was spooled.
        """
        for _ in range(_MOST_TRIES - 1):
            with suppress(ChangedMeanwhileError):
                return self._replace(details, by, had_row=had_row, facts=facts)
        return self._replace(details, by, had_row=had_row, facts=facts)

    def _replace(self, details: RecordingDetails, by: Actor, *, had_row: bool, facts: dict[str, str]) -> Recording:
        row = self.find_row()
        if row is None and had_row:
            raise KeyUnavailableError("The recording was erased, or has expired, while it was in the spool.")
        is_restricted = row is not None and row.record.recording.state is State.RESTRICTED
        recording = evolve(self._recording, state=State.RESTRICTED if is_restricted else State.KEPT)
        if row is not None:
            details = evolve(details, restriction=row.record.details.restriction)
        revision = 1 if row is None else row.record.revision + 1
        written = self._recordings.write_record(Record(revision, recording, details), self._data_key)
        try:
            if self._vault.objects.read(written.path) != written.envelope:
                raise IntegrityError("The record that was just written is another one when it is read back.")
            with self._log.transaction(self._entry(written, by, facts)) as connection:
                if row is None:
                    self._recordings.insert(connection, written)
                else:
                    self._recordings.replace(connection, written)  # first: from here on no hold can come between
                    self._require_held_key(connection, row)
        except ChangedMeanwhileError:
            self._vault.objects.delete(written.path)
            raise
        return recording

    def _require_held_key(self, connection: Connection, row: OpenedRecord) -> None:
        """Check that a hold placed meanwhile has wrapped this very key."""
        if row.data_key.bare != self._data_key.bare and self._recordings.is_held(connection, self._recording.id):
            raise ChangedMeanwhileError(f"The recording {self._recording.id} was held meanwhile.")

    def is_held(self) -> bool:
        """Whether a hold keeps the recording, and so has wrapped its key."""
        with self._vault.database.begin() as connection:
            return self._recordings.is_held(connection, self._recording.id)

    def find_row(self) -> OpenedRecord | None:
        """Return what the catalog says of the recording, or None if it has no row."""
        return find_row(self._vault, self._recording.id)

    def discard(self) -> None:
        """Remove all that was written of a recording that never had a row."""
        self._recordings.discard(self._recording.id, self._recording.recorded_on)

    def discard_part(self, part: Part) -> None:
        """Remove one part that no record names."""
        self._recordings.remove_part(self._recording, part)

    def discard_unless_committed(self) -> None:
        """Remove what was written, unless the catalog says that it is in force: a commit may have lost its answer."""
        row = self.find_row()
        if row is None or not row.record.details.parts:
            with self._vault.database.begin() as connection:
                path = self._spooled.find_path(connection, self._recording.id)
            self._recordings.discard(self._recording.id, self._recording.recorded_on, keep=path)

    def _entry(self, written: WrittenRecord, by: Actor, facts: dict[str, str]) -> Entry:
        recording = written.record.recording
        entry = self._log.new_entry(
            EntryKind.RECORDING_STORED,
            by,
            recording_id=recording.id,
            record_sha256=written.sha256,
            contact_kind=recording.kind.value,
            kept_through=recording.kept_through.isoformat(),
        )
        return evolve(entry, facts={**entry.facts, **facts})


def find_row(vault: Vault, recording_id: UUID) -> OpenedRecord | None:
    """Return what the catalog says of a recording, or None if it has no row or its key is gone."""
    with vault.database.begin() as connection:
        return Recordings(vault).find_one(connection, recording_id)
