"""The register of disclosures: sealed objects with an end of their own, rows, and tokens of the persons concerned.

    disclosures/<disclosure id>/disclosure-<random>

The recordings may be gone by the time somebody asks (Art. 15), so each entry is found by the persons, under the index
key of its own last day.
"""

from collections.abc import Iterable
from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select

from kelarec.domain.disclosure import Disclosure
from kelarec.domain.people import Identifier, Person
from kelarec.errors import KeyUnavailableError
from kelarec.storage import catalog_tables as tables
from kelarec.storage.envelopes import Subject
from kelarec.storage.json_form import from_json, to_json
from kelarec.storage.recordings import microseconds
from kelarec.storage.tokens import token
from kelarec.storage.vault import Vault

_FOLDER: Final = "disclosures"


class DisclosureRegister:
    """What an archive knows of its disclosures."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def write(self, disclosure: Disclosure) -> tuple[str, bytes]:
        """Seal an entry into the archive; return the object's path and envelope."""
        path = f"{_FOLDER}/{disclosure.id}/{self._vault.new_object_name('disclosure')}"
        subject = self._subject(disclosure.id)
        return path, self._vault.write_until(disclosure.kept_through, path, subject, to_json(disclosure))

    def insert(
        self, connection: Connection, disclosure: Disclosure, persons: Iterable[Person], path: str, envelope: bytes
    ) -> None:
        """Make the row of an entry and the tokens by which the persons concerned are found."""
        connection.execute(
            insert(tables.disclosures).values(
                id=disclosure.id.bytes,
                at=microseconds(disclosure.at),
                ends_on=disclosure.kept_through.toordinal(),
                disclosure_object=path,
                disclosure=envelope,
            )
        )
        index_key = self._vault.keyring.get(disclosure.kept_through.isoformat()).index
        found_by = {token(index_key, identifier) for person in persons for identifier in person.identifiers}
        if found_by:
            rows = [{"token": each, "disclosure_id": disclosure.id.bytes} for each in sorted(found_by)]
            connection.execute(insert(tables.disclosure_tokens), rows)

    def find(self, connection: Connection, identifier: Identifier) -> list[Disclosure]:
        """Return the entries about whoever has an identifier, oldest first."""
        disclosures, tokens = tables.disclosures.c, tables.disclosure_tokens.c
        wanted = []
        for each in connection.execute(select(disclosures.ends_on).distinct()).scalars():
            try:
                keys = self._vault.keyring.get(date.fromordinal(each).isoformat())
            except KeyUnavailableError:  # that date is over
                continue
            wanted.append(token(keys.index, identifier))
        ids = select(tokens.disclosure_id).where(tokens.token.in_(wanted))
        rows = connection.execute(
            select(tables.disclosures).where(disclosures.id.in_(ids)).order_by(disclosures.at, disclosures.id)
        )
        return [self._open(UUID(bytes=row.id), row.disclosure) for row in rows]

    def find_of_recording(
        self, connection: Connection, recording_id: UUID, persons: Iterable[Person]
    ) -> list[Disclosure]:
        """Return the entries about one recording, for those who must be told of its change (Art. 19), oldest first."""
        found = {
            each.id: each
            for person in persons
            for identifier in person.identifiers
            for each in self.find(connection, identifier)
            if recording_id in each.recording_ids
        }
        return sorted(found.values(), key=lambda each: (each.at, each.id))

    def remove_before(self, connection: Connection, day: date) -> None:
        """Remove objects and rows of entries whose last day lies before a day."""
        ended = tables.disclosures.c.ends_on < day.toordinal()
        for row in connection.execute(select(tables.disclosures.c.id).where(ended)).all():
            for path in list(self._vault.objects.iter_paths(f"{_FOLDER}/{UUID(bytes=row.id)}")):
                self._vault.objects.delete(path)
        connection.execute(delete(tables.disclosures).where(ended))

    def _open(self, disclosure_id: UUID, envelope: bytes) -> Disclosure:
        return from_json(self._vault.open_envelope(self._subject(disclosure_id), envelope), Disclosure)

    def _subject(self, disclosure_id: UUID) -> Subject:
        return self._vault.subject("disclosure", str(disclosure_id))
