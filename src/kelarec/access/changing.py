"""Changing a recording's record: a newer version, chosen by compare-and-set, with its log entry in one transaction."""

from uuid import UUID

from attrs import evolve

from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.people import Actor
from kelarec.domain.recording import Recording, RecordingDetails
from kelarec.domain.session_terms import SessionTerms
from kelarec.storage.recordings import OpenedRecord, Recordings
from kelarec.storage.vault import Vault


def replace_record(
    vault: Vault,
    log: AuditLog,
    opened: OpenedRecord,
    kind: EntryKind,
    *,
    by: Actor,
    terms: SessionTerms | None = None,
    recording: Recording | None = None,
    details: RecordingDetails | None = None,
    **facts: str,
) -> None:
    """Make a newer version of a record, and its log entry; both are there, or neither.

    Raises:
        ChangedMeanwhileError: Somebody else changed the record since it was opened; nothing was changed.
        StorageError: A place refuses; nothing half-written stays behind.
    """
    recordings = Recordings(vault)
    old = opened.record
    record = evolve(
        old,
        revision=old.revision + 1,
        recording=old.recording if recording is None else recording,
        details=old.details if details is None else details,
    )
    written = recordings.write_record(record, opened.data_key)
    entry = log.new_entry(
        kind,
        by,
        recording_id=old.recording.id,
        terms=terms,
        record_sha256=written.sha256,
        revision=str(record.revision),
        **facts,
    )
    try:
        with log.transaction(entry) as connection:
            recordings.replace(connection, written)
    except BaseException:
        vault.objects.delete(written.path)
        raise


def find_record(vault: Vault, recording_id: UUID) -> OpenedRecord | None:
    """Return a recording's newest record, or None."""
    with vault.database.begin() as connection:
        return Recordings(vault).find_one(connection, recording_id)
