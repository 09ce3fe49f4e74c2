"""Records of recordings whose content is still in the spool: they lie in the catalog's rows alone."""

from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, bindparam, select

from kelarec.domain.instants import helsinki_date
from kelarec.domain.references import ContactId
from kelarec.storage import catalog_tables as tables
from kelarec.storage.compiled import execute_now
from kelarec.storage.envelopes import DataKey, seal_document
from kelarec.storage.json_form import to_json
from kelarec.storage.recordings import OpenedRecord, Record, Recordings, WrittenRecord
from kelarec.storage.sealing import SealedReader
from kelarec.storage.vault import Vault

_READ_BACK: Final = 1024 * 1024
_ROWS: Final = tables.recordings.c
_FIND_BY_TOKEN: Final = (
    select(tables.recordings)
    .join(tables.tokens, tables.tokens.c.recording_id == _ROWS.id)
    .where(tables.tokens.c.token == bindparam("token"))
)


def spooled_path(recording_id: UUID | str) -> str:
    """Return what stands in a row for the path of a record that has no object yet."""
    return f"spool/{recording_id}"


class SpooledRecords:
    """What a take needs of the records of an archive."""

    def __init__(self, vault: Vault, recordings: Recordings) -> None:
        self._vault = vault
        self._recordings = recordings

    def seal(self, record: Record, data_key: DataKey) -> WrittenRecord:
        """Seal the record of a recording whose objects are still to come: it lies in the spool and in its row."""
        recording_id = record.recording.id
        subject = self._vault.subject("recording", str(recording_id))
        return WrittenRecord(record, spooled_path(recording_id), seal_document(data_key, subject, to_json(record)))

    def find_pieces(self, connection: Connection, contact_id: str, kept_through: date) -> list[OpenedRecord]:
        """Return the records of one contact that end on a day, which are several if it was cut and taken again.

        Each contact that begins is looked up so: by one token, in a statement that is compiled once.
        """
        today = helsinki_date(self._vault.now())
        tokens = self._vault.index_keys.list_tokens([kept_through], [ContactId(contact_id)], today)
        rows = [row for each in tokens for row in execute_now(connection, _FIND_BY_TOKEN, {"token": each}).mappings()]
        opened = (self._recordings.open_row(connection, row) for row in rows)
        return [each for each in opened if each and each.record.details.contact.contact_id == contact_id]

    def find_path(self, connection: Connection, recording_id: UUID) -> str | None:
        """Return the path of the record in force of a recording, or None if it has no row."""
        wanted = select(_ROWS.record_object).where(_ROWS.id == recording_id.bytes)
        path: str | None = connection.execute(wanted).scalar_one_or_none()
        return path

    def require_readable(self, opened: OpenedRecord) -> None:
        """Read back every byte of a recording's content.

        Raises:
            ObjectNotFoundError: An object is missing.
            IntegrityError: A part does not open.
        """
        for part in opened.record.details.parts:
            with self._recordings.open_part(opened, part, lambda: None, SealedReader) as reader:
                while reader.read(_READ_BACK):
                    pass
