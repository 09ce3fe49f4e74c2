"""What every catalog must do with holds and requests.

Subclass `CatalogHoldsSuite`, give it a fixture ``database`` that returns an empty one, and let pytest collect it.
"""

from datetime import date, timedelta
from typing import Final

import pytest
from attrs import evolve

from kelarec.domain.hold import Hold, HoldKind, HoldState
from kelarec.domain.recording import Recording
from kelarec.domain.subject_request import AccessRequest, RequestState
from kelarec.errors import ChangedMeanwhileError
from kelarec.storage.holds import Holds
from kelarec.storage.recordings import Recordings
from kelarec.storage.requests import RequestRecord, Requests
from kelarec.storage.search import Search
from kelarec.storage.vault import Vault
from kelarec.testing.builders import make_identity_code, make_person
from kelarec.testing.catalog_vault import count_rows, find_ids, insert_record, open_one
from kelarec.testing.clock import USUAL_START, MovableClock
from kelarec.testing.suites.on_catalog import OnCatalog

_AINO: Final = make_identity_code()
_DAY: Final = timedelta(days=1)


class CatalogHoldsSuite(OnCatalog):
    """The rules; override `database`."""

    def test_a_hold_keeps_what_its_date_would_end(self, vault: Vault, clock: MovableClock) -> None:
        """Found by the review date's tokens, opened by the hold's wrap after its own keys died; released, it ends."""
        held, other = insert_record(vault).record.recording, insert_record(vault).record.recording
        hold = place_hold(vault, held)
        recordings, holds = Recordings(vault), Holds(vault, Recordings(vault))
        clock.set(held.ends_at)
        vault.keyring.destroy(held.kept_through)
        with vault.database.begin() as connection:
            recordings.delete_rows(connection, held.kept_through)
        assert find_ids(vault, Search(terms={_AINO})) == {held.id}
        with vault.database.begin() as connection:
            assert recordings.find_one(connection, other.id) is None
            assert [each.id for each in holds.iter_of_recording(connection, held.id)] == [hold.id]
            holds.release(connection, hold.id)
            assert list(recordings.iter_dates_before(connection, held.kept_through + _DAY)) == [held.kept_through]
        assert find_ids(vault, Search(terms={_AINO})) == set()
        with pytest.raises(ChangedMeanwhileError), vault.database.begin() as connection:
            holds.release(connection, hold.id)
        holds.discard(hold.id)
        with vault.database.begin() as connection:
            assert [each.id for each in holds.iter_in(connection, HoldState.RELEASED)] == [hold.id]
            holds.remove_row(connection, hold.id)
            assert holds.find(connection, hold.id) is None
        assert list(vault.objects.iter_paths("holds")) == []

    def test_a_hold_that_is_only_intended_keeps_nothing(self, vault: Vault) -> None:
        """The intent is there to be completed; until then the recording has no further date."""
        recording = insert_record(vault).record.recording
        holds = Holds(vault, Recordings(vault))
        hold = make_hold(vault, recording)
        intended = holds.write(hold)
        with vault.database.begin() as connection:
            holds.intend(connection, intended)
            assert holds.find(connection, hold.id) == (hold, HoldState.INTENT)
            assert list(holds.iter_of_recording(connection, recording.id)) == []
            assert [each for each, _ in holds.iter_due(connection, hold.review_on)] == [hold]
            assert list(holds.iter_due(connection, hold.review_on - _DAY)) == []
        with pytest.raises(ChangedMeanwhileError), vault.database.begin() as connection:
            holds.place(connection, hold, [])

    def test_of_two_holds_each_keeps_by_itself(self, vault: Vault, clock: MovableClock) -> None:
        """When one of two holds is released, what it held is still found and opened by the other."""
        recording = insert_record(vault).record.recording
        first, second = place_hold(vault, recording), place_hold(vault, recording)
        clock.set(recording.ends_at)
        vault.keyring.destroy(recording.kept_through)
        with vault.database.begin() as connection:
            Holds(vault, Recordings(vault)).release(connection, first.id)
        assert find_ids(vault, Search(terms={_AINO})) == {recording.id}
        with vault.database.begin() as connection:
            Holds(vault, Recordings(vault)).release(connection, second.id)
        assert find_ids(vault, Search(terms={_AINO})) == set()

    def test_a_hold_on_what_is_gone_is_refused(self, vault: Vault) -> None:
        """A hold that comes after the sweep says so, and nothing of it stays."""
        recording = insert_record(vault).record.recording
        opened = open_one(vault, recording.id)
        holds = Holds(vault, Recordings(vault))
        hold = make_hold(vault, recording)
        intended = holds.write(hold)
        with vault.database.begin() as connection:
            holds.intend(connection, intended)
        wraps = [holds.wrap(hold, opened)]
        with vault.database.begin() as connection:
            Recordings(vault).delete_rows(connection, recording.kept_through)
        with pytest.raises(ChangedMeanwhileError), vault.database.begin() as connection:
            holds.place(connection, hold, wraps)
        assert count_rows(vault) == (0, 0)

    def test_a_request_has_versions(self, vault: Vault) -> None:
        """A request's version is chosen by compare-and-set; the open ones come in the order they are due."""
        requests = Requests(vault)
        request = AccessRequest(person=make_person(), channel="telephone", received_at=USUAL_START)
        ids = [vault.new_id(), vault.new_id()]
        records = [
            RequestRecord(id=each, revision=1, state=RequestState.OPEN, due_on=date(2026, 4, 9 - n), request=request)
            for n, each in enumerate(ids)
        ]
        with vault.database.begin() as connection:
            for record in records:
                requests.insert(connection, requests.write(record))
            assert list(requests.iter_in(connection, RequestState.OPEN)) == records[::-1]
        closed = evolve(records[0], revision=2, state=RequestState.CLOSED)
        written = requests.write(closed, kept_through=date(2027, 3, 5))
        with vault.database.begin() as connection:
            requests.replace(connection, written)
            assert requests.find(connection, closed.id) == closed
        with pytest.raises(ChangedMeanwhileError), vault.database.begin() as connection:
            requests.replace(connection, written)
        vault.keyring.destroy(date(2027, 3, 5))
        with vault.database.begin() as connection:
            assert requests.find(connection, closed.id) is None


def make_hold(vault: Vault, recording: Recording) -> Hold:
    """Return a hold on one recording, to be reviewed half a year after its own end."""
    return Hold(
        id=vault.new_id(),
        recording_ids=[recording.id],
        kind=HoldKind.OTHER,
        ground="legal-claim",
        reason="The person claims it in court",
        placed_by="kirsti",
        placed_at=USUAL_START,
        review_on=recording.kept_through + 180 * _DAY,
    )


def place_hold(vault: Vault, recording: Recording) -> Hold:
    """Place a hold on one recording: intent, wrap, done."""
    holds = Holds(vault, Recordings(vault))
    hold = make_hold(vault, recording)
    intended = holds.write(hold)
    with vault.database.begin() as connection:
        holds.intend(connection, intended)
    wraps = [holds.wrap(hold, open_one(vault, recording.id))]
    with vault.database.begin() as connection:
        holds.place(connection, hold, wraps)
    return hold
