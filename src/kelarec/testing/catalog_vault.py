"""A vault on a given catalog, and records for it, for tests of what lies below the archive's API."""

import os
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from kelarec.domain.contact import Contact
from kelarec.domain.recording import Part, Recording, RecordingDetails
from kelarec.domain.retention import RetentionPolicy
from kelarec.storage import catalog_tables as tables
from kelarec.storage.clocks import Clock
from kelarec.storage.engine import Database
from kelarec.storage.keyring import Keyring
from kelarec.storage.objects import MemoryObjects
from kelarec.storage.recordings import OpenedRecord, Record, Recordings, WrittenRecord
from kelarec.storage.roots import LocalRootKey
from kelarec.storage.search import Search, Searcher
from kelarec.storage.vault import Vault
from kelarec.storage.wrapping import KEY_BYTES
from kelarec.testing.builders import make_contact


def make_vault(database: Database, archive_id: UUID, clock: Clock) -> Vault:
    """Return a vault with objects and keys in memory; the catalog is the database's, whose schema is there already."""
    root_key = LocalRootKey(os.urandom(KEY_BYTES), os.urandom)
    keyring = Keyring.create(MemoryObjects(), archive_id, root_key, os.urandom)
    return Vault(archive_id, MemoryObjects(), keyring, database, clock, os.urandom)


def write_record(vault: Vault, contact: Contact | None = None, **known: Any) -> WrittenRecord:  # noqa: ANN401  fields
    """Seal the record of a recording without content; its row is still to come."""
    contact = make_contact() if contact is None else contact
    usual: dict[str, Any] = {
        "id": vault.new_id(),
        "kind": contact.kind,
        "direction": contact.direction,
        "line": contact.line,
        "started_at": contact.started_at,
        "ended_at": contact.started_at + timedelta(seconds=1),
        "kept_through": RetentionPolicy().last_day(contact.started_at),
        "register_version": contact.started_at.date(),
        "adviser_id": contact.adviser_id,
    }
    recording = Recording(**usual | known)
    part = Part(name="audio", media_type="audio/wav", length=1, object_name="audio-0")
    recordings = Recordings(vault)
    data_key = recordings.new_data_key(recording.id, recording.kept_through)
    return recordings.write_record(Record(1, recording, RecordingDetails(contact=contact, parts=(part,))), data_key)


def insert_record(vault: Vault, **known: Any) -> WrittenRecord:  # noqa: ANN401  fields
    """Write a record and its row; the fields are the contact's."""
    return insert_contact(vault, make_contact(**known))


def insert_contact(vault: Vault, contact: Contact) -> WrittenRecord:
    """Write the record of a contact and its row."""
    written = write_record(vault, contact)
    with vault.database.begin() as connection:
        Recordings(vault).insert(connection, written)
    return written


def find_ids(vault: Vault, search: Search) -> set[UUID]:
    """Return the ids of what a search finds; that none comes twice is asked here."""
    with vault.database.begin() as connection:
        opened = Searcher(vault, Recordings(vault)).find_page(connection, search).opened
    ids = [each.record.recording.id for each in opened]
    if len(ids) != len(set(ids)):
        raise AssertionError("A recording was found twice.")
    return set(ids)


def open_one(vault: Vault, recording_id: UUID) -> OpenedRecord:
    """Return the record of a recording that is there."""
    with vault.database.begin() as connection:
        opened = Recordings(vault).find_one(connection, recording_id)
    if opened is None:
        raise AssertionError("The recording is not there.")
    return opened


def count_rows(vault: Vault) -> tuple[int, int]:
    """Return how many recordings and how many tokens there are."""
    with vault.database.begin() as connection:
        counted = [select(func.count()).select_from(table) for table in (tables.recordings, tables.tokens)]
        recordings, tokens = (int(connection.execute(each).scalar_one()) for each in counted)
    return recordings, tokens
