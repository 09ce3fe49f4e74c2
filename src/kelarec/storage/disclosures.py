"""The register of disclosures: sealed objects with an end of their own, rows, and tokens of the persons concerned.

    disclosures/<disclosure id>/disclosure-<random>

The recordings may be gone by the time somebody asks (Art. 15), so each entry is found by the search terms of their
contacts, under the index key of its own last day.
"""

from collections.abc import Collection, Iterable
from datetime import date
from typing import Any, Final
from uuid import UUID

from attrs import field, frozen
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
from kelarec.storage.token_index import MOST_TOKENS
from kelarec.storage.tokens import FIELDS, token_range
from kelarec.storage.vault import Vault

_FOLDER: Final = "disclosures"
_ROWS: Final = tables.disclosures.c
_TOKENS: Final = tables.disclosure_tokens.c
_INSERT_TOKEN: Final = insert(tables.disclosure_tokens)


@frozen
class DisclosureRecord:
    """An entry as it is sealed: with what its persons, cases and contacts are found by, whose recordings may be gone.

    Attributes:
        found_by: Search terms by the field of each; see `kelarec.storage.tokens`.
    """

    disclosure: Disclosure
    found_by: tuple[tuple[str, str], ...] = field(repr=False)

    @property
    def terms(self) -> tuple[SearchTerm, ...]:
        """The search terms, parsed."""
        types = {name: kind for kind, name in FIELDS.items()}
        return tuple(types[name](text) for name, text in self.found_by)


@frozen
class WrittenDisclosure:
    """An entry whose object is durable and whose row is still to come."""

    record: DisclosureRecord
    path: str
    envelope: bytes = field(repr=False)


class DisclosureRegister:
    """What an archive knows of its disclosures."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def write(self, disclosure: Disclosure, contacts: Iterable[Contact]) -> WrittenDisclosure:
        """Seal an entry into the archive, with what the persons, cases and contacts concerned are found by."""
        terms = {(FIELDS[type(term)], term.text) for contact in contacts for term in contact.search_terms}
        record = DisclosureRecord(disclosure, tuple(sorted(terms)))
        path = f"{_FOLDER}/{disclosure.id}/{self._vault.new_object_name('disclosure')}"
        subject = self._subject(disclosure.id)
        envelope = self._vault.write_until(disclosure.kept_through, path, subject, to_json(record))
        return WrittenDisclosure(record, path, envelope)

    def insert(self, connection: Connection, written: WrittenDisclosure) -> None:
        """Make the row of an entry and the tokens by which it is found."""
        connection.execute(insert(tables.disclosures), to_row(written))
        execute_all_now(connection, _INSERT_TOKEN, to_token_rows(self._vault, written.record))

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
        for start in range(0, len(tokens), MOST_TOKENS):
            ids = select(_TOKENS.disclosure_id).where(_TOKENS.token.in_(tokens[start : start + MOST_TOKENS]))
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
        envelope = self._vault.open_envelope(self._subject(disclosure_id), row.disclosure)
        disclosure = from_json(envelope, DisclosureRecord).disclosure
        if (microseconds(disclosure.at), disclosure.kept_through.toordinal()) != (row.at, row.ends_on):
            raise IntegrityError(
                f"The catalog's row of disclosure {disclosure_id} was altered.",
                advice="Rebuild the catalog from the objects.",
            )
        return disclosure

    def _subject(self, disclosure_id: UUID) -> Subject:
        return self._vault.subject("disclosure", str(disclosure_id))


def to_row(written: WrittenDisclosure) -> dict[str, object]:
    """Return the row that follows from an entry."""
    disclosure = written.record.disclosure
    return {
        "id": disclosure.id.bytes,
        "at": microseconds(disclosure.at),
        "ends_on": disclosure.kept_through.toordinal(),
        "disclosure_object": written.path,
        "disclosure": written.envelope,
    }


def to_token_rows(vault: Vault, record: DisclosureRecord) -> list[dict[str, object]]:
    """Return the tokens that follow from an entry."""
    found_by = vault.index_keys.make_tokens(record.disclosure.kept_through, record.terms)
    return [{"token": each, "disclosure_id": record.disclosure.id.bytes} for each in found_by]
