"""A hypothesis state machine: whatever is done to a catalog, it answers like a plain dictionary.

Subclass `CatalogMachine`, let `open_database` return an empty database, and let pytest run its ``TestCase``.
"""

from datetime import date, timedelta
from typing import Final
from uuid import UUID

from attrs import define, evolve, field
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kelarec.domain.codes import Kind, State
from kelarec.domain.contact import Contact
from kelarec.domain.hold import Hold, HoldKind
from kelarec.domain.instants import start_of
from kelarec.domain.recording import Recording, Restriction
from kelarec.domain.references import SearchTerm
from kelarec.storage.engine import Database, create_schema
from kelarec.storage.erased_rows import erase_row
from kelarec.storage.holds import Holds
from kelarec.storage.recordings import Record, Recordings
from kelarec.storage.search import Search, Searcher
from kelarec.testing.builders import make_contact, make_identity_code, make_person
from kelarec.testing.catalog_vault import count_rows, find_ids, insert_contact, make_vault, open_one
from kelarec.testing.clock import USUAL_START, MovableClock

_ARCHIVE_ID: Final = UUID("019cbd02-c000-7000-8000-000000000002")
_DAY: Final = timedelta(days=1)
_PERSONS: Final = 3


@define
class _Kept:
    """What the model knows of a recording."""

    recording: Recording
    contact: Contact
    holds: dict[UUID, date] = field(factory=dict)


class CatalogMachine(RuleBasedStateMachine):
    """The machine; override `open_database`."""

    def open_database(self) -> Database:
        """Return a database without any table."""
        raise NotImplementedError

    @initialize()
    def make_catalog(self) -> None:
        """Begin with an empty catalog."""
        self.database = self.open_database()
        self.clock = MovableClock()
        create_schema(self.database, catalog_id=str(_ARCHIVE_ID), archive_id=str(_ARCHIVE_ID))
        self.vault = make_vault(self.database, _ARCHIVE_ID, self.clock)
        self.recordings = Recordings(self.vault)
        self.holds = Holds(self.vault, self.recordings)
        self.kept: dict[UUID, _Kept] = {}

    def teardown(self) -> None:
        """Let go of the database."""
        if hasattr(self, "database"):
            self.database.close()

    @rule(person=st.integers(0, _PERSONS - 1), back=st.integers(0, 3), kind=st.sampled_from(Kind))
    def store(self, person: int, back: int, kind: Kind) -> None:
        """Store a contact of one of the last days."""
        customer = make_person(identity_code=make_identity_code(person))
        contact = make_contact(
            kind=kind, customer=customer, started_at=self.clock() - back * _DAY, matter=f"M-{person}"
        )
        recording = insert_contact(self.vault, contact).record.recording
        self.kept[recording.id] = _Kept(recording, contact)

    @precondition(lambda self: self.kept)
    @rule(data=st.data(), person=st.integers(0, _PERSONS - 1))
    def correct(self, data: st.DataObject, person: int) -> None:
        """Correct who the customer is."""
        kept = self._draw(data)
        record = open_one(self.vault, kept.recording.id).record
        contact = evolve(kept.contact, customer=make_person(identity_code=make_identity_code(person)))
        self._replace(evolve(record, revision=record.revision + 1, details=evolve(record.details, contact=contact)))
        kept.contact = contact

    @precondition(lambda self: self.kept)
    @rule(data=st.data())
    def restrict_or_lift(self, data: st.DataObject) -> None:
        """Restrict a recording, or lift its restriction."""
        kept = self._draw(data)
        record = open_one(self.vault, kept.recording.id).record
        if record.recording.state is State.KEPT:
            record = record.restrict(Restriction(reason="Accuracy", since=self.clock(), by="clerk"))
        else:
            record = record.lift_restriction()
        self._replace(record)
        kept.recording = record.recording

    @precondition(lambda self: self.kept)
    @rule(data=st.data(), further=st.integers(1, 400))
    def hold(self, data: st.DataObject, further: int) -> None:
        """Hold a recording until a review date."""
        kept = self._draw(data)
        hold = Hold(
            id=self.vault.new_id(),
            recording_ids=[kept.recording.id],
            kind=HoldKind.OTHER,
            ground="legal-claim",
            reason="A claim",
            placed_by="kirsti",
            placed_at=self.clock(),
            review_on=self.clock().date() + further * _DAY,
        )
        intended = self.holds.write(hold)
        with self.database.begin() as connection:
            self.holds.intend(connection, intended)
        wraps = [self.holds.wrap(hold, open_one(self.vault, kept.recording.id))]
        with self.database.begin() as connection:
            self.holds.place(connection, hold, wraps)
        kept.holds[hold.id] = hold.review_on

    @precondition(lambda self: any(kept.holds for kept in self.kept.values()))
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        """Release a hold; what it alone kept is gone."""
        kept = data.draw(st.sampled_from([kept for kept in self.kept.values() if kept.holds]))
        hold_id = data.draw(st.sampled_from(sorted(kept.holds)))
        with self.database.begin() as connection:
            self.holds.release(connection, hold_id)
        del kept.holds[hold_id]
        self._end()

    @precondition(lambda self: self.kept)
    @rule(data=st.data())
    def erase(self, data: st.DataObject) -> None:
        """Erase a recording before its day."""
        kept = self._draw(data)
        with self.database.begin() as connection:
            self._require(erase_row(connection, kept.recording.id, kept.recording.kept_through))
        del self.kept[kept.recording.id]

    @rule(days=st.integers(1, 200))
    def pass_days(self, days: int) -> None:
        """Let days pass, and sweep what is over: first the keys, then the rows."""
        self.clock.set(start_of(self.clock().date() + days * _DAY) + timedelta(hours=8))
        for day in [day for day in self.vault.keyring.iter_days() if day < self.clock().date()]:
            self.vault.keyring.destroy(day)
        self._end()

    @rule(persons=st.sets(st.integers(0, _PERSONS - 1), min_size=1), kind=st.none() | st.sampled_from(Kind))
    def look_up(self, persons: set[int], kind: Kind | None) -> None:
        """Look persons up, perhaps for one kind only."""
        terms: set[SearchTerm] = {make_identity_code(person) for person in persons}
        expected = {
            id_
            for id_, kept in self.kept.items()
            if terms & set(kept.contact.search_terms) and kind in {None, kept.contact.kind}
        }
        search = Search(terms=terms, kind=kind)
        self._require(find_ids(self.vault, search) == expected)
        with self.database.begin() as connection:
            self._require(Searcher(self.vault, self.recordings).count(connection, search) == len(expected))

    @rule(size=st.integers(1, 4))
    def turn_pages(self, size: int) -> None:
        """Turn pages over all of one line: each recording once, in order."""
        search, after, shown = Search(since=USUAL_START - 10 * _DAY), None, []
        while True:
            with self.database.begin() as connection:
                batch = Searcher(self.vault, self.recordings).find_page(connection, search, after=after, size=size)
            shown += [opened.record.recording for opened in batch.opened]
            after = batch.end
            if batch.is_last:
                break
        ordered = sorted((kept.recording for kept in self.kept.values()), key=lambda each: (each.started_at, each.id))
        self._require(shown == ordered)

    @invariant()
    def rows_are_those_of_the_model(self) -> None:
        """As many rows as the model has, and a token for each term on each day that is not over."""
        if hasattr(self, "kept"):
            today = self.clock().date()
            tokens = 0
            for kept in self.kept.values():
                days = {day for day in (kept.recording.kept_through, *kept.holds.values()) if day >= today}
                tokens += len(days) * len(set(kept.contact.search_terms))
            self._require(count_rows(self.vault) == (len(self.kept), tokens))

    def _draw(self, data: st.DataObject) -> _Kept:
        return self.kept[data.draw(st.sampled_from(sorted(self.kept)))]

    def _replace(self, record: Record) -> None:
        opened = open_one(self.vault, record.recording.id)
        written = self.recordings.write_record(record, opened.data_key)
        with self.database.begin() as connection:
            self.recordings.replace(connection, written)

    def _end(self) -> None:
        """Remove what is over from the catalog, by the sweep's own steps, and from the model."""
        today = self.clock().date()
        for kept in self.kept.values():
            for hold_id in [id_ for id_, review_on in kept.holds.items() if review_on < today]:
                with self.database.begin() as connection:
                    self.holds.release(connection, hold_id)
                del kept.holds[hold_id]
        with self.database.begin() as connection:
            for day in list(self.recordings.iter_dates_before(connection, today)):
                self.recordings.delete_rows(connection, day)
            self.recordings.delete_rows(connection, today - _DAY)
        self.kept = {id_: kept for id_, kept in self.kept.items() if kept.holds or kept.recording.kept_through >= today}

    def _require(self, holds: bool) -> None:  # noqa: FBT001  what is asked
        if not holds:
            raise AssertionError("The catalog and the model differ.")
