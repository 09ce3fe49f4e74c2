"""The catalog's rows of recordings that are still spooled: so they are found, and end, like all others."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from attrs import evolve
from sqlalchemy import Connection, select

from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.capture.sealing_in import make_details
from kelarec.capture.take import Take
from kelarec.domain.people import Actor, StaffId, System
from kelarec.domain.recording import Recording, RecordingDetails
from kelarec.storage import catalog_tables as tables
from kelarec.storage.erased_rows import erase_row
from kelarec.storage.recordings import Record, Recordings
from kelarec.storage.spooled_records import SpooledRecords
from kelarec.storage.vault import Vault


class SpooledRows:
    """Makes, amends and removes the rows of takes."""

    def __init__(self, vault: Vault, log: AuditLog) -> None:
        self._vault = vault
        self._log = log
        self._recordings = Recordings(vault)
        self._spooled = SpooledRecords(vault, self._recordings)

    def register(self, takes: Sequence[Take]) -> None:
        """Make the rows of takes that have none, and bring those of others up to date, in one transaction.

        Raises:
            CatalogError: The catalog refuses; no row was made.
        """
        fresh = []
        with self._vault.database.begin() as connection:
            for take in takes:
                if take.had_row:
                    self._amend(connection, take)
                else:
                    self._insert(connection, take)
                    fresh.append(take)
        for take in fresh:
            take.had_row = True
        if fresh:
            self._log.wake()

    def _insert(self, connection: Connection, take: Take) -> None:
        take.piece, take.continues = self.find_place(connection, take.recording, take.story.contact.contact_id)
        written = self._spooled.seal(Record(1, *_describe(take, self._vault)), take.data_key)
        self._recordings.insert(connection, written)
        entry = self._log.new_entry(
            EntryKind.RECORDING_BEGUN,
            parse_actor(take.story.by),
            recording_id=take.recording_id,
            contact_kind=take.recording.kind.value,
            kept_through=take.recording.kept_through.isoformat(),
        )
        self._log.append(connection, entry)

    def _amend(self, connection: Connection, take: Take) -> None:
        row = self._recordings.find_one(connection, take.recording_id)
        if row is None or row.record.details.parts:
            return
        recording, details = _describe(take, self._vault)
        recording = evolve(recording, state=row.record.recording.state)
        details = evolve(details, restriction=row.record.details.restriction)
        record = Record(row.record.revision + 1, recording, details)
        self._recordings.replace(connection, self._spooled.seal(record, take.data_key))

    def find_place(self, connection: Connection, recording: Recording, contact_id: str) -> tuple[int, UUID | None]:
        """Return which piece of its contact a recording is, and the recording of the piece before it."""
        found = self._spooled.find_pieces(connection, contact_id, recording.kept_through)
        earlier = [each.record for each in found if each.record.recording.id != recording.id]
        if not earlier:
            return 1, None
        newest = max(earlier, key=lambda record: record.details.piece)
        return newest.details.piece + 1, newest.recording.id

    def list_gone(self, takes: Iterable[Take]) -> list[Take]:
        """Return the takes that had a row and have none any more: they were erased, or abandoned elsewhere.

        Raises:
            CatalogError: It could not be told.
        """
        had_one = {take.recording_id.bytes: take for take in takes if take.had_row}
        wanted = select(tables.recordings.c.id).where(tables.recordings.c.id.in_(had_one))
        with self._vault.database.begin() as connection:
            there = set(connection.execute(wanted).scalars())
        return [take for key, take in had_one.items() if key not in there]

    def remove(self, recording: Recording, by: Actor, reason: str) -> None:
        """Remove the row of a take that was abandoned, and say so in the log; then what objects it has."""
        entry = self._log.new_entry(EntryKind.RECORDING_ABANDONED, by, recording_id=recording.id, reason=reason)
        with self._log.transaction(entry) as connection:
            erase_row(connection, recording.id, recording.kept_through)
        self._recordings.discard(recording.id, recording.recorded_on)  # a restriction may have written its record


def _describe(take: Take, vault: Vault) -> tuple[Recording, RecordingDetails]:
    ended_at = max(vault.now(), take.recording.started_at)
    story = take.story
    recording = evolve(take.recording, ended_at=ended_at, adviser_id=story.contact.adviser_id)
    return recording, make_details(story, take.piece, take.continues)


def parse_actor(text: str) -> Actor:
    """Return who acts, from the form that the log keeps."""
    prefix = "system:"
    return System(text.removeprefix(prefix)) if text.startswith(prefix) else StaffId(text)
