"""Changing a recording's record: a newer version, chosen by compare-and-set, with its log entry in one transaction."""

from uuid import UUID

from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.people import Actor
from kelarec.domain.session_terms import SessionTerms
from kelarec.storage.recordings import OpenedRecord, Record, Recordings
from kelarec.storage.vault import Vault


def replace_record(
    vault: Vault,
    log: AuditLog,
    opened: OpenedRecord,
    newer: Record,
    kind: EntryKind,
    *,
    by: Actor,
    terms: SessionTerms | None = None,
    **facts: str,
) -> None:
    """Put the next version of a record in force, with its log entry; both are there, or neither.

    Raises:
        ChangedMeanwhileError: Somebody else changed the record since it was opened; nothing was changed.
        StorageError: A place refuses; nothing half-written stays behind.
    """
    recordings = Recordings(vault)
    written = recordings.write_record(newer, opened.data_key)
    entry = log.new_entry(
        kind,
        by,
        recording_id=newer.recording.id,
        terms=terms,
        record_sha256=written.sha256,
        revision=str(newer.revision),
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
