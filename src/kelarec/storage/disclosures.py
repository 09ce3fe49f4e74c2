"""The register of disclosures: sealed objects with an end of their own, rows, and tokens of the persons concerned.

    disclosures/<disclosure id>/disclosure-<random>

The recordings may be gone by the time somebody asks (Art. 15), so each entry is found by the search terms of their
contacts, under the index key of its own last day.
"""

from collections.abc import Collection, Iterable
from datetime import date
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select

from kelarec.domain.contact import Contact
from kelarec.domain.disclosure import Disclosure
from kelarec.domain.instants import helsinki_date
from kelarec.domain.references import SearchTerm
from kelarec.errors import IntegrityError
from kelarec.storage import catalog_tables as tables
from kelarec.storage.compiled import execute_all_now
from kelarec.storage.envelopes import Subject
from kelarec.storage.json_form import from_json, to_json
from kelarec.storage.recordings import microseconds, to_date
from kelarec.storage.search import MOST_AT_ONCE
from kelarec.storage.tokens import token_range
from kelarec.storage.vault import Vault

_FOLDER: Final = "disclosures"
_ROWS: Final = tables.disclosures.c
_TOKENS: Final = tables.disclosure_tokens.c
_INSERT_TOKEN: Final = insert(tables.disclosure_tokens)


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
        self, connection: Connection, disclosure: Disclosure, contacts: Iterable[Contact], path: str, envelope: bytes
    ) -> None:
        """Make the row of an entry and the tokens by which the persons, cases and contacts concerned are found."""
        connection.execute(
            insert(tables.disclosures).values(
                id=disclosure.id.bytes,
                at=microseconds(disclosure.at),
                ends_on=disclosure.kept_through.toordinal(),
                disclosure_object=path,
                disclosure=envelope,
            )
        )
        terms = {term for contact in contacts for term in contact.search_terms}
        found_by = self._vault.index_keys.make_tokens(disclosure.kept_through, terms)
        rows = [{"token": each, "disclosure_id": disclosure.id.bytes} for each in found_by]
        execute_all_now(connection, _INSERT_TOKEN, rows)

    def find(self, connection: Connection, terms: Collection[SearchTerm]) -> list[Disclosure]:
        """Return the entries that any of some terms finds, oldest first.

        Raises:
            IntegrityError: An entry was altered, or its row tells something else.
        """
        today = helsinki_date(self._vault.now())
        ends = select(_ROWS.ends_on).where(_ROWS.ends_on >= today.toordinal()).distinct()
        days = [to_date(each) for each in connection.execute(ends).scalars()]
        tokens = self._vault.index_keys.list_tokens(days, terms, today)
        found: dict[UUID, Disclosure] = {}
        for start in range(0, len(tokens), MOST_AT_ONCE):
            ids = select(_TOKENS.disclosure_id).where(_TOKENS.token.in_(tokens[start : start + MOST_AT_ONCE]))
            for row in connection.execute(select(tables.disclosures).where(_ROWS.id.in_(ids))):
                found[UUID(bytes=row.id)] = self._open(row)
        return sorted(found.values(), key=lambda each: (each.at, each.id))

    def find_of_recording(self, connection: Connection, recording_id: UUID, contact: Contact) -> list[Disclosure]:
        """Return the entries about one recording, for those who must be told of its change (Art. 19), oldest first."""
        found = self.find(connection, contact.search_terms)
        return [each for each in found if recording_id in each.recording_ids]

    def remove_before(self, connection: Connection, day: date) -> None:
        """Remove objects, rows and tokens of entries whose last day lies before a day."""
        ended = _ROWS.ends_on < day.toordinal()
        for row in connection.execute(select(_ROWS.id).where(ended)).all():
            for path in list(self._vault.objects.iter_paths(f"{_FOLDER}/{UUID(bytes=row.id)}")):
                self._vault.objects.delete(path)
        connection.execute(delete(tables.disclosure_tokens).where(_TOKENS.token < token_range(day)[0]))
        connection.execute(delete(tables.disclosures).where(ended))

    def _open(self, row: Any) -> Disclosure:  # noqa: ANN401  a row of the driver's types
        disclosure_id = UUID(bytes=row.id)
        disclosure = from_json(self._vault.open_envelope(self._subject(disclosure_id), row.disclosure), Disclosure)
        if (microseconds(disclosure.at), disclosure.kept_through.toordinal()) != (row.at, row.ends_on):
            raise IntegrityError(
                f"The catalog's row of disclosure {disclosure_id} was altered.",
                advice="Rebuild the catalog from the objects.",
            )
        return disclosure

    def _subject(self, disclosure_id: UUID) -> Subject:
        return self._vault.subject("disclosure", str(disclosure_id))
