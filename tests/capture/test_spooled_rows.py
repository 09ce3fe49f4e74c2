"""What happens to a recording by its row while its content is still in the spool (notice, section 5; Art. 18)."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest
from attrs import evolve
from sqlalchemy import func, select, update

from capture.test_spool_limits import StoppableObjects
from capture.test_take import RECORDER, SOUND, begin, wait_until_registered
from kelarec import Archive, Place, Recording, State
from kelarec.access.picking import pick_for_handing_out, pick_original
from kelarec.access.session import Session
from kelarec.capture.recover import Recovered
from kelarec.domain.recording import Restriction
from kelarec.domain.references import ContactId
from kelarec.errors import InvalidValueError, MissingError
from kelarec.storage import catalog_tables as tables
from kelarec.storage.recordings import OpenedRecord, Record, Recordings
from kelarec.storage.sealing import SealedReader
from kelarec.storage.search import Search
from kelarec.storage.spooled_records import SpooledRecords, spooled_path
from kelarec.testing.builders import make_contact, make_identity_code, make_person
from kelarec.testing.catalog_vault import find_ids, open_one
from kelarec.testing.suites.catalog_holds import place_hold

if TYPE_CHECKING:
    from conftest import Disk

RESTRICTION: Final = Restriction(reason="Contested", since=datetime(2026, 3, 6, tzinfo=UTC), by="kirsti")


def leave_spooled(archive: Archive) -> Recording:
    """Take a call whose store is away until the archive is closed: its row is there, its content in the spool."""
    store = StoppableObjects(archive._vault.objects)
    object.__setattr__(archive._vault, "objects", store)
    take = begin(archive)
    take.part("audio").write(SOUND)
    wait_until_registered(take)
    store.is_away = True
    recording = take.finish().result(10)
    archive.capture.close()
    store.is_away = False
    assert recording.state is State.SPOOLED
    return recording


def read_sound(archive: Archive, recording_id: object) -> bytes:
    """Return all that a recording's only part holds."""
    opened = open_one(archive._vault, recording_id)  # type: ignore[arg-type]
    [part] = opened.record.details.parts
    with Recordings(archive._vault).open_part(opened, part, lambda: None, SealedReader) as reader:
        return reader.read()


@pytest.mark.parametrize("is_held", [True, False])
def test_what_is_held_while_it_is_spooled_is_held_afterwards(
    disk: "Disk", spooled_archive: Archive, *, is_held: bool
) -> None:
    """A hold has wrapped the recording's key: recovery goes on under that key, and makes a new one for all else."""
    recording = leave_spooled(spooled_archive)
    spooled_archive.close()
    with disk.open(spool=True) as archive:
        vault = archive._vault
        before = open_one(vault, recording.id).data_key.bare
        if is_held:
            place_hold(vault, recording)
        [recovered] = archive.capture.recover()
        assert recovered == Recovered(recording=recovered.recording, cut=None)
        assert (open_one(vault, recording.id).data_key.bare == before) is is_held
        if is_held:
            disk.clock.set(recording.ends_at)
            vault.keyring.destroy(recording.kept_through)
            contact_id = open_one(vault, recording.id).record.details.contact.contact_id
            assert find_ids(vault, Search(terms=frozenset([ContactId(contact_id)]))) == {recording.id}
        assert read_sound(archive, recording.id).endswith(SOUND)


def test_a_restriction_outlives_the_spool(kelarec_archive: Archive) -> None:
    """What is restricted while it is spooled stays so, and says why, through late knowledge and the end (Art. 18)."""
    vault, recordings = kelarec_archive._vault, Recordings(kelarec_archive._vault)
    take = begin(kelarec_archive)
    take.part("audio").write(SOUND)
    wait_until_registered(take)
    opened = open_one(vault, take.recording_id)
    written = SpooledRecords(vault, recordings).seal(opened.record.restrict(RESTRICTION), opened.data_key)
    with vault.database.begin() as connection:
        recordings.replace(connection, written)
    take.identify(make_person(identity_code=make_identity_code(2)))
    take.flush().result(10)
    assert take.finish().result(10).state is State.RESTRICTED
    record = open_one(vault, take.recording_id).record
    assert (record.recording.state, record.details.restriction) == (State.RESTRICTED, RESTRICTION)
    assert record.details.contact.customer is not None
    assert find_ids(vault, Search(terms=frozenset([make_identity_code(2)]))) == {take.recording_id}


def test_a_lifted_restriction_leaves_it_spooled(kelarec_archive: Archive) -> None:
    """A spooled recording that was restricted is spooled again when that is lifted, not kept."""
    take = begin(kelarec_archive)
    take.part("audio").write(SOUND)
    wait_until_registered(take)
    record = open_one(kelarec_archive._vault, take.recording_id).record
    assert record.restrict(RESTRICTION).lift_restriction().recording.state is State.SPOOLED


def test_recovery_removes_what_an_upload_left_unfinished(disk: "Disk", spooled_archive: Archive) -> None:
    """A process killed while it sealed a take in leaves half an object; after recovery only the recording is there."""
    recording = leave_spooled(spooled_archive)
    spooled_archive.close()
    folder = disk.objects / "recordings" / recording.recorded_on.isoformat()
    half, beside = folder / str(recording.id) / "audio-00.1-2.part", folder / "other" / "audio-00.1-2.part"
    for each in (half, beside):
        each.parent.mkdir(parents=True, exist_ok=True)
        each.write_bytes(b"half")
    with disk.open(spool=True) as archive:
        assert len(archive.capture.recover()) == 1
    assert not half.exists()
    assert sorted(path.name.split("-")[0] for path in half.parent.iterdir()) == ["audio", "record"]
    assert beside.exists()


def test_an_abandoned_take_is_found_by_nothing(kelarec_archive: Archive) -> None:
    """Who abandons a take leaves no row and no token."""
    take = begin(kelarec_archive, contact=make_contact(customer=make_person(identity_code=make_identity_code(3))))
    take.part("audio").write(SOUND)
    wait_until_registered(take)
    assert find_ids(kelarec_archive._vault, Search(terms=frozenset([make_identity_code(3)]))) == {take.recording_id}
    take.abandon("wrong line").result(10)
    with kelarec_archive._vault.database.begin() as connection:
        for table in (tables.recordings, tables.tokens):
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 0


def test_a_spooled_recording_is_no_difference(disk: "Disk", spooled_archive: Archive) -> None:
    """An archive with takes in its spool, also an abandoned or restricted one, agrees with itself."""
    takes = [begin(spooled_archive) for _ in range(3)]
    for take in takes:
        take.part("audio").write(SOUND)
        wait_until_registered(take)
    spooled_archive.restrictions.restrict(takes[1].recording_id, by=RECORDER, reason="contested")
    spooled_archive.restrictions.restrict(takes[2].recording_id, by=RECORDER, reason="contested")
    spooled_archive.verify(by=RECORDER)
    takes[2].abandon("wrong line").result(10)
    spooled_archive.verify(by=RECORDER)
    assert [takes[0].finish().result(10).state, takes[1].finish().result(10).state] == [State.KEPT, State.RESTRICTED]
    spooled_archive.verify(by=RECORDER)
    assert sorted(each.name for each in disk.objects.glob("recordings/*/*")) == sorted(
        str(take.recording_id) for take in takes[:2]
    )


def test_a_kept_recording_cannot_be_made_to_look_spooled(spooled_archive: Archive) -> None:
    """Who edits a row so that a recording seems to be in the spool hides nothing: the log tells that it was stored."""
    with begin(spooled_archive) as take:
        take.part("audio").write(SOUND)
    recording = take.done.result()
    spooled_archive._vault.objects.delete(_record_path(spooled_archive, recording))
    with spooled_archive._vault.database.begin() as connection:
        connection.execute(update(tables.recordings).values(record_object=spooled_path(recording.id)))
    with pytest.raises(MissingError):
        spooled_archive.verify(by=RECORDER)


def _record_path(archive: Archive, recording: Recording) -> str:
    folder = f"recordings/{recording.recorded_on}/{recording.id}"
    [path] = [each for each in archive._vault.objects.iter_paths(folder) if "/record-" in each]
    return path


def test_a_rebuilt_catalog_knows_what_is_spooled_after_recovery(disk: "Disk", spooled_archive: Archive) -> None:
    """The row of a spooled recording is lost with its catalog and comes again from the spool."""
    recording = leave_spooled(spooled_archive)
    with spooled_archive.rebuild(by=RECORDER, catalog=Place(f"sqlite://{disk.folder}/new.sqlite", "FI")) as archive:
        assert find_ids(archive._vault, Search(line=recording.line)) == set()
        [recovered] = archive.capture.recover()
        assert (recovered.recording.id, recovered.cut) == (recording.id, None)
        archive.verify(by=RECORDER)
        assert read_sound(archive, recording.id).endswith(SOUND)


def test_a_rebuild_seals_what_is_live(disk: "Disk", spooled_archive: Archive) -> None:
    """Takes that are live when the catalog is rebuilt in their own process are kept, and say that they were cut."""
    take = begin(spooled_archive)
    take.part("audio").write(SOUND)
    wait_until_registered(take)
    with spooled_archive.rebuild(by=RECORDER, catalog=Place(f"sqlite://{disk.folder}/new.sqlite", "FI")) as archive:
        assert archive.capture.recover() == ()
        assert open_one(archive._vault, take.recording_id).record.details.cut is not None
        archive.verify(by=RECORDER)


def test_each_part_is_handed_out_and_masked_by_its_name(kelarec_archive: Archive, session: Session) -> None:
    """Of a call with two parties a part must be named; once one is masked for a purpose, only that copy is given."""
    with begin(kelarec_archive, parts=["customer", "adviser"], form=None) as take:
        take.part("customer").write(SOUND)
        take.part("adviser").write(SOUND)
    found = open_one(kelarec_archive._vault, take.recording_id)
    with pytest.raises(InvalidValueError, match="several"):
        pick_original(found, None)
    assert pick_for_handing_out(found, "adviser", "registered-access").name == "adviser"
    masked = evolve(found.record.details.parts[0], name="masked-customer-2", masked_for="registered-access")
    details = evolve(found.record.details, parts=(*found.record.details.parts, masked))
    found = OpenedRecord(Record(2, found.record.recording, details), found.data_key)
    assert pick_for_handing_out(found, None, "registered-access") == masked
    with pytest.raises(InvalidValueError):
        pick_for_handing_out(found, "adviser", "registered-access")
    with pytest.raises(InvalidValueError):
        session.open(take.recording_id)
    with session.open(take.recording_id, part="adviser") as audio:
        assert audio.read().endswith(SOUND)
