"""What every catalog must do, whichever database it lies in.

Subclass `CatalogSuite`, give it a fixture ``database`` that returns an empty one, and let pytest collect it.
"""

from contextlib import suppress
from datetime import timedelta
from threading import Thread
from typing import Final

import pytest
from attrs import evolve

from kelarec.domain.codes import Direction, Kind, State
from kelarec.domain.people import EmailAddress, StaffId
from kelarec.domain.recording import Restriction
from kelarec.domain.references import ContactId, MatterReference
from kelarec.errors import CatalogError, ChangedMeanwhileError, CursorError, IntegrityError
from kelarec.storage import catalog_tables as tables
from kelarec.storage.cursors import open_cursor, seal_cursor
from kelarec.storage.recordings import Recordings, WrittenRecord
from kelarec.storage.search import Position, Search, Searcher
from kelarec.storage.vault import Vault
from kelarec.testing.builders import make_identity_code, make_person
from kelarec.testing.catalog_vault import count_rows, find_ids, insert_record, open_one, write_record
from kelarec.testing.clock import USUAL_START, MovableClock
from kelarec.testing.suites.on_catalog import OnCatalog

_AINO: Final = make_identity_code()
_DAY: Final = timedelta(days=1)


class CatalogSuite(OnCatalog):
    """The rules; override `database`."""

    # Rows ---------------------------------------------------------------------------------------------------------

    def test_a_row_comes_back_as_it_was_written(self, vault: Vault) -> None:
        """A record is what was sealed: every field, and the data key of its content."""
        written = insert_record(vault)
        with vault.database.begin() as connection:
            opened = Recordings(vault).find_one(connection, written.record.recording.id)
        assert opened is not None
        assert opened.record == written.record

    def test_many_rows_come_at_once(self, vault: Vault) -> None:
        """Rows that are written together are found like those that are written one by one."""
        written = [write_record(vault) for _ in range(20)]
        with vault.database.begin() as connection:
            Recordings(vault).insert_all(connection, written)
        assert find_ids(vault, Search(terms={_AINO})) == {each.record.recording.id for each in written}

    def test_what_fails_leaves_nothing(self, vault: Vault) -> None:
        """A transaction is whole or not there: the row that was written before the one that fails goes with it."""
        first, second = write_record(vault), write_record(vault)
        with suppress(CatalogError), vault.database.begin() as connection:
            Recordings(vault).insert(connection, first)
            Recordings(vault).insert(connection, second)
            Recordings(vault).insert(connection, second)
        assert count_rows(vault) == (0, 0)

    def test_a_newer_version_takes_the_place_of_the_one_before(self, vault: Vault) -> None:
        """A version is chosen by compare-and-set: of two that follow the same one, the later is refused."""
        written = insert_record(vault)
        opened = open_one(vault, written.record.recording.id)
        restricted = opened.record.restrict(Restriction(reason="Accuracy", since=USUAL_START, by="clerk"))
        recordings = Recordings(vault)
        newer = recordings.write_record(restricted, opened.data_key)
        with vault.database.begin() as connection:
            recordings.replace(connection, newer)
        with pytest.raises(ChangedMeanwhileError), vault.database.begin() as connection:
            recordings.replace(connection, newer)
        assert open_one(vault, written.record.recording.id).record == restricted
        assert find_ids(vault, Search(state=State.RESTRICTED)) == find_ids(vault, Search(terms={_AINO}))

    def test_a_corrected_person_is_found_by_the_new_facts_only(self, vault: Vault) -> None:
        """Tokens follow the version in force: what was corrected finds, what was wrong does not (Art. 16)."""
        written = insert_record(vault)
        opened = open_one(vault, written.record.recording.id)
        other = make_identity_code(7)
        contact = evolve(opened.record.details.contact, customer=make_person(identity_code=other))
        record = evolve(opened.record, revision=2, details=evolve(opened.record.details, contact=contact))
        with vault.database.begin() as connection:
            Recordings(vault).replace(connection, Recordings(vault).write_record(record, opened.data_key))
        assert find_ids(vault, Search(terms={_AINO})) == set()
        assert find_ids(vault, Search(terms={other})) == {written.record.recording.id}

    @pytest.mark.parametrize(
        ("column", "value"),
        [("line", "kela-fi"), ("kept_through", 800_000), ("state", "restricted"), ("adviser_id", None)],
    )
    def test_an_edited_row_is_found_out(self, vault: Vault, column: str, value: object) -> None:
        """What a row tells in clear must be what is sealed (fault 12)."""
        written = insert_record(vault)
        with vault.database.begin() as connection:
            connection.execute(tables.recordings.update().values({column: value}))
        with pytest.raises(IntegrityError, match=column):
            open_one(vault, written.record.recording.id)

    def test_an_edited_token_is_found_out(self, vault: Vault) -> None:
        """A token that is put to another recording finds nothing that is not the person's (fault 12)."""
        insert_record(vault)
        other = insert_record(vault, customer=make_person(identity_code=make_identity_code(7), phone_number=None))
        with vault.database.begin() as connection:
            connection.execute(tables.tokens.update().values(recording_id=other.record.recording.id.bytes))
        with pytest.raises(IntegrityError, match="tokens"):
            find_ids(vault, Search(terms={_AINO}))

    # Searching ----------------------------------------------------------------------------------------------------

    def test_it_is_found_by_everything_it_can_be_found_by(self, vault: Vault) -> None:
        """Identity codes past and present, telephone, e-mail, case and contact id, of all who take part."""
        interpreter = make_person(name=None, identity_code=None, phone_number=None, email=EmailAddress("i@example.org"))
        former = make_identity_code(3)
        written = insert_record(
            vault,
            kind=Kind.SUPPORT_CALL,
            customer=make_person(former_identity_codes=[former]),
            others=(interpreter,),
            matter="KELA-2026-1",
            contact_id="c-1",
        )
        insert_record(vault, customer=None, contact_id="c-2")
        terms = written.record.details.contact.search_terms
        assert len(terms) == 6
        for term in terms:
            assert find_ids(vault, Search(terms={term})) == {written.record.recording.id}, type(term)
        assert find_ids(vault, Search(terms={former})) == {written.record.recording.id}

    def test_several_identifiers_are_one_person(self, vault: Vault) -> None:
        """Whoever's identity code changed is searched by both: each recording once."""
        before, after = make_identity_code(1), make_identity_code(2)
        ids = {
            insert_record(vault, customer=make_person(identity_code=code)).record.recording.id
            for code in (before, after)
        }
        insert_record(vault, customer=make_person(identity_code=make_identity_code(3)))
        assert find_ids(vault, Search(terms={before, after})) == ids

    def test_more_tokens_than_one_statement_takes(self, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
        """A look-up over more days and terms than a statement has parameters finds the same, in pieces."""
        ids = {insert_record(vault, started_at=USUAL_START - n * _DAY).record.recording.id for n in range(5)}
        monkeypatch.setattr("kelarec.storage.search.MOST_TOKENS", 2)
        assert find_ids(vault, Search(terms={_AINO, make_identity_code(5)})) == ids

    def test_all_that_is_asked_holds(self, vault: Vault) -> None:
        """Each criterion narrows; together they find exactly the recordings for which all of them hold."""
        call = insert_record(vault, matter="KELA-1").record.recording
        chat = insert_record(
            vault, kind=Kind.CUSTOMER_CHAT, adviser_id=StaffId("aili"), matter="KELA-2"
        ).record.recording
        later = insert_record(vault, direction=Direction.OUTBOUND, started_at=USUAL_START + _DAY).record.recording
        everything = {call.id, chat.id, later.id}
        for search, ids in (
            (Search(line=call.line), {call.id, later.id}),
            (Search(kind=Kind.CUSTOMER_CHAT), {chat.id}),
            (Search(direction=Direction.OUTBOUND), {later.id}),
            (Search(adviser_id=StaffId("aili")), {chat.id}),
            (Search(since=USUAL_START), everything),
            (Search(since=USUAL_START + _DAY), {later.id}),
            (Search(until=USUAL_START + _DAY), {call.id, chat.id}),
            (Search(kept_through=later.kept_through), {later.id}),
            (Search(state=State.KEPT), everything),
            (Search(terms={_AINO}, case=MatterReference("KELA-2")), {chat.id}),
            (Search(terms={ContactId("nobody's")}, line=call.line), set()),
            (Search(terms={_AINO}, kind=Kind.CUSTOMER_CALL, until=USUAL_START + _DAY), {call.id}),
        ):
            assert find_ids(vault, search) == ids, search
            with vault.database.begin() as connection:
                assert Searcher(vault, Recordings(vault)).count(connection, search) == len(ids)

    def test_pages_are_stable_while_others_write(self, vault: Vault) -> None:
        """What is inserted meanwhile is shown at most once and pushes nothing out; the order is by start and id."""
        expected = [
            insert_record(vault, started_at=USUAL_START + timedelta(minutes=n // 2)).record.recording for n in range(9)
        ]
        search, shown, after = Search(terms={_AINO}), [], None
        searcher = Searcher(vault, Recordings(vault))
        while True:
            with vault.database.begin() as connection:
                batch = searcher.find_page(connection, search, after=after, size=2)
            shown += [opened.record.recording for opened in batch.opened]
            if batch.is_last:
                break
            after = batch.end
            insert_record(vault, started_at=USUAL_START - _DAY)
        ordered = sorted(expected, key=lambda each: (each.started_at, each.id))
        assert [each.id for each in shown] == [each.id for each in ordered]

    def test_a_cursor_is_bound_sealed_and_cannot_be_forged(self, vault: Vault) -> None:
        """A cursor opens for its own search only; any one character that is altered makes it none."""
        search, position = Search(terms={_AINO}), Position(5, bytes(range(16)))
        cursor = seal_cursor(vault, search, position)
        assert open_cursor(vault, search, cursor) == position
        assert _AINO.text not in cursor
        altered = [cursor[:n] + ("A" if cursor[n] != "A" else "B") + cursor[n + 1 :] for n in range(0, len(cursor), 9)]
        for text in [*altered, "", "ä", cursor[:-4], cursor + "AAAA"]:
            with pytest.raises(CursorError):
                open_cursor(vault, search, text)
        with pytest.raises(CursorError):
            open_cursor(vault, Search(terms={make_identity_code(4)}), cursor)
        with pytest.raises(CursorError):
            open_cursor(vault, Search(terms={_AINO}, kind=Kind.CUSTOMER_CALL), cursor)

    # Ends ---------------------------------------------------------------------------------------------------------

    def test_a_date_goes_with_its_rows_and_tokens(self, vault: Vault) -> None:
        """A sweep of one date removes its rows and tokens, and no others'."""
        ended = insert_record(vault).record.recording
        insert_record(vault, started_at=USUAL_START + _DAY)
        recordings = Recordings(vault)
        with vault.database.begin() as connection:
            assert list(recordings.iter_dates_before(connection, ended.kept_through + _DAY)) == [ended.kept_through]
            assert recordings.delete_objects(connection, ended.kept_through) == 1
            recordings.delete_rows(connection, ended.kept_through)
        assert count_rows(vault)[0] == 1
        assert len(find_ids(vault, Search(terms={_AINO}))) == 1

    def test_one_row_goes_alone(self, vault: Vault) -> None:
        """A recording that is erased before its day takes its own tokens along, and no others'."""
        erased, kept = insert_record(vault).record.recording, insert_record(vault).record.recording
        with vault.database.begin() as connection:
            assert Recordings(vault).delete_row(connection, erased)
            assert not Recordings(vault).delete_row(connection, erased)
        assert find_ids(vault, Search(terms={_AINO})) == {kept.id}
        assert count_rows(vault)[0] == 1

    def test_when_a_dates_keys_die_nobody_finds_or_opens(self, vault: Vault, clock: MovableClock) -> None:
        """From the midnight after the last day nothing is found, before any sweep; without keys nothing opens."""
        recording = insert_record(vault).record.recording
        clock.set(recording.ends_at - timedelta(microseconds=1))
        assert find_ids(vault, Search(terms={_AINO})) == {recording.id}
        clock.set(recording.ends_at)
        assert find_ids(vault, Search(terms={_AINO})) == set()
        vault.keyring.destroy(recording.kept_through)
        with vault.database.begin() as connection:
            assert Recordings(vault).find_one(connection, recording.id) is None

    # Many at once -------------------------------------------------------------------------------------------------

    def test_threads_lose_nothing_to_each_other(self, vault: Vault) -> None:
        """Four threads write at the same time: every row is there once."""
        written = [[write_record(vault) for _ in range(5)] for _ in range(4)]

        def write(records: list[WrittenRecord]) -> None:
            for each in records:
                with vault.database.begin() as connection:
                    Recordings(vault).insert(connection, each)

        threads = [Thread(target=write, args=(records,)) for records in written]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert find_ids(vault, Search(terms={_AINO})) == {each.record.recording.id for part in written for each in part}
