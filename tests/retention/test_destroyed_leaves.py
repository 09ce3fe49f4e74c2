"""Erasing one recording harms no other: the notice, sections 9 and 13; GDPR, Art. 17 and 32(1)(b)."""

import json
import os
import shutil
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

import pytest

from erasable import HOUR, LAST_DAY, OFFICER, RECORDER, SWEEPER, WAV, store
from kelarec import Archive
from kelarec.audit.entries import EntryKind
from kelarec.domain.instants import end_of
from kelarec.errors import DeniedError, IntegrityError, KelarecError, KeyUnavailableError
from kelarec.retention.destroyed_again import DestroyedAgain
from kelarec.retention.erasure import destroy_leaves
from kelarec.storage.description import read_description
from kelarec.storage.envelopes import make_data_key, open_document, seal_document
from kelarec.storage.key_leaves import KeyLeaf
from kelarec.storage.key_tree import name_leaf
from kelarec.storage.keyring import Keyring
from kelarec.storage.objects import FolderObjects
from kelarec.storage.recordings import part_context
from kelarec.storage.roots import load_root_key
from kelarec.storage.sealing import unseal
from kelarec.storage.vault import Vault
from kelarec.testing.builders import make_staff_member

if TYPE_CHECKING:
    from conftest import Disk

DAY: Final = timedelta(days=1)


def open_keys(disk: "Disk") -> Keyring:
    """Open the keys as a process does that has read none yet."""
    archive_id, _ = read_description(FolderObjects(disk.objects))
    root = load_root_key(f"keyfile:{disk.root_key}", os.urandom)
    return Keyring.open(FolderObjects(disk.keys), archive_id, root, os.urandom)


def list_readable(disk: "Disk") -> tuple[set[UUID], dict[UUID, type[KelarecError]]]:
    """Read every recording in full from the objects alone; return those that open, and why the others do not."""
    keyring = open_keys(disk)
    archive_id, _ = read_description(FolderObjects(disk.objects))
    readable: set[UUID] = set()
    unreadable: dict[UUID, type[KelarecError]] = {}
    for path in (disk.objects / "recordings").glob("*/*/record-*"):
        recording_id = UUID(path.parent.name)
        try:
            _read_in_full(keyring, archive_id, path)
        except (KeyUnavailableError, IntegrityError) as error:
            unreadable[recording_id] = type(error)
        else:
            readable.add(recording_id)
    return readable, unreadable


def _read_in_full(keyring: Keyring, archive_id: UUID, path: Path) -> None:
    vault_subject = Vault.subject
    subject = vault_subject(_Named(archive_id), "recording", path.parent.name)  # type: ignore[arg-type]  # all it asks
    data_key, content = open_document(keyring, subject, path.read_bytes())
    (part,) = json.loads(content)["details"]["parts"]
    sealed = (path.parent / part["object_name"]).read_bytes()
    assert unseal(data_key.bare, part_context(subject, part["name"], part["media_type"]), sealed) == WAV


class _Named:
    def __init__(self, archive_id: UUID) -> None:
        self.archive_id = archive_id


def erase(archive: Archive, ids: Iterable[UUID], day: date = LAST_DAY) -> None:
    """Destroy the key leaves of recordings."""
    destroy_leaves(archive._vault, archive.audit, [KeyLeaf(day, each) for each in ids], by=OFFICER)


def back_up(disk: "Disk") -> Path:
    """Copy objects and catalog."""
    backup = disk.folder / "backup"
    shutil.copytree(disk.objects, backup / "archive")
    shutil.copy(disk.catalog, backup / "catalog.sqlite")
    return backup


def restore(disk: "Disk", backup: Path) -> None:
    """Put every old byte of objects and catalog back."""
    shutil.rmtree(disk.objects)
    shutil.copytree(backup / "archive", disk.objects)
    shutil.copy(backup / "catalog.sqlite", disk.catalog)


@pytest.mark.parametrize("count", [200, pytest.param(10_000, marks=pytest.mark.deep)])
def test_one_dies_early_and_all_on_their_day(disk: "Disk", count: int) -> None:
    """What was erased is unreadable with every old byte put back and its neighbours are not; in the end all are."""
    with disk.create() as archive:
        archive.staff.enrol(make_staff_member(), by=RECORDER)
        ids = store(archive, disk.clock(), count)
    with disk.open() as archive, disk.open() as writer:
        backup = back_up(disk)
        meanwhile = store(writer, disk.clock())  # from here on it has the keys of the date in its cache
        erased = ids[count // 2]
        erase(archive, [erased])
        meanwhile += store(writer, disk.clock(), 20)
        readable, unreadable = list_readable(disk)
        assert unreadable == {erased: KeyUnavailableError}
        assert readable == {*ids, *meanwhile} - {erased}
        neighbours = len(readable)
        with archive.session(by=make_staff_member().id, purpose="verify-service-event", matter="KELA-1") as session:
            assert session.open(meanwhile[-1]).read() == WAV
            with pytest.raises(DeniedError):
                session.open(erased)
    restore(disk, backup)
    readable, unreadable = list_readable(disk)
    assert (readable, unreadable) == ({*ids} - {erased}, {erased: KeyUnavailableError})
    print(f"\n{count} of one date: 1 erased, {neighbours} neighbours read in full; after a restore {len(readable)}")
    disk.clock.set(end_of(LAST_DAY) + HOUR)
    with disk.open() as archive:
        assert archive.retention.sweep(by=SWEEPER)[0].recordings == count
    assert not list((disk.keys / "days").glob(f"{LAST_DAY}*"))
    restore(disk, backup)
    readable, unreadable = list_readable(disk)
    assert (readable, unreadable) == (set(), dict.fromkeys(ids, KeyUnavailableError))
    print(f"after the death of the date: {len(unreadable)} of {count} unreadable with every old byte put back")


def test_an_erasure_is_in_the_log(disk_archive: Archive, disk: "Disk") -> None:
    """Each destroyed leaf has an entry that names recording and date, and it is pending for a minute (section 13)."""
    (call,) = store(disk_archive, disk.clock())
    leaf = KeyLeaf(LAST_DAY, call)
    until = destroy_leaves(disk_archive._vault, disk_archive.audit, [leaf], by=OFFICER)
    assert until == disk.clock() + timedelta(seconds=60)
    (_, entry) = disk_archive.audit.iter_entries(by=OFFICER, recording_id=call)
    assert (entry.kind, entry.actor) == (EntryKind.LEAF_DESTROYED, str(OFFICER))
    assert entry.facts == {"kept-through": LAST_DAY.isoformat()}


def test_a_further_date_dies_by_itself(memory_vault: Vault, kelarec_archive: Archive) -> None:
    """A hold's further date is another leaf: giving it up leaves the recording's own, and that of another hold."""
    vault, further = memory_vault, date(2028, 1, 1)
    recording_id, holds = vault.new_id(), [vault.new_id(), vault.new_id()]
    leaves = [KeyLeaf(LAST_DAY, recording_id), *(KeyLeaf(further, recording_id, hold) for hold in holds)]
    envelopes = []
    for leaf in leaves:
        vault.keyring.get_or_make(leaf.day, vault.now())
        subject = vault.subject(leaf.kind, leaf.name)
        data_key = make_data_key(vault.keyring, leaf.day.isoformat(), subject, vault.randomness)
        envelopes.append((subject, seal_document(data_key, subject, b"{}")))
    destroy_leaves(vault, kelarec_archive.audit, [leaves[1]], by=OFFICER)
    opened = []
    for subject, envelope in envelopes:
        try:
            opened.append(vault.open_envelope(subject, envelope))
        except KeyUnavailableError:
            opened.append(b"")
    assert opened == [b"{}", b"", b"{}"]
    entry = next(kelarec_archive.audit.iter_entries(by=OFFICER, recording_id=recording_id))
    assert entry.facts == {"kept-through": "2028-01-01", "hold": str(holds[0])}


# An older copy of the key place --------------------------------------------------------------------------------------


def copy_keys(disk: "Disk") -> Path:
    """Copy the key place."""
    shutil.copytree(disk.keys, disk.folder / "old-keys")
    return disk.folder / "old-keys"


def put_back_keys(disk: "Disk", copy: Path) -> None:
    """Put an older copy in the place of the key place."""
    shutil.rmtree(disk.keys)
    shutil.copytree(copy, disk.keys)


def test_a_key_place_three_weeks_old(disk: "Disk") -> None:
    """An older copy of the key place loses nothing in use and brings nothing back; opening says what died again."""
    with disk.create() as archive:
        archive.staff.enrol(make_staff_member(), by=RECORDER)
        dies_on_its_day = store(archive, disk.clock(), 3)
        disk.clock.move(30 * DAY)
        in_use = store(archive, disk.clock(), 5)
    erased_early = in_use.pop()
    disk.clock.set(end_of(LAST_DAY) - 10 * DAY)
    with disk.open() as archive:
        erase(archive, [erased_early], date(2027, 4, 4))
        erased = in_use.pop()
        copy = copy_keys(disk)
        for _ in range(21):
            disk.clock.move(DAY)
            archive.retention.sweep(by=SWEEPER)
            in_use += store(archive, disk.clock())
        erase(archive, [erased], date(2027, 4, 4))
        assert archive.destroyed_again == DestroyedAgain()
        at_the_end = list(archive._vault.keyring.iter_days())
    for _ in range(2):
        put_back_keys(disk, copy)
        with disk.open() as archive:
            again = archive.destroyed_again
            assert again.leaves == (KeyLeaf(date(2027, 4, 4), erased),)
            assert LAST_DAY in again.dates
            assert max(again.dates) < min(at_the_end)
            assert list(archive._vault.keyring.iter_days()) == at_the_end
            assert archive.lost_keys == ()
            told = [each for each in archive.audit.iter_entries(by=OFFICER) if each.kind is EntryKind.DESTROYED_AGAIN]
            assert len(told) % (len(again.dates) + 1) == 0
            readable, unreadable = list_readable(disk)
            assert readable == {*in_use}
            assert unreadable == {erased: KeyUnavailableError}  # a sweep has removed what had died before it
    print(f"\n{len(in_use)} in use, all read; destroyed again: {len(again.dates)} dates, {len(again.leaves)} leaf")
    with disk.open() as archive:
        assert archive.destroyed_again == DestroyedAgain()
    assert dies_on_its_day


def test_an_older_copy_of_one_object_brings_nothing_back(disk: "Disk") -> None:
    """Not the whole key place but only a date's objects put back from a copy bring nothing back either."""
    with disk.create() as archive:
        erased, kept = store(archive, disk.clock(), 2)
        copy = copy_keys(disk)
        erase(archive, [erased])
    shutil.copy(copy / "days" / f"{LAST_DAY}.key", disk.keys / "days" / f"{LAST_DAY}.key")
    assert list_readable(disk)[0] == {erased, kept}
    with disk.open() as archive:
        assert archive.destroyed_again.leaves == (KeyLeaf(LAST_DAY, erased),)
    assert list_readable(disk) == ({kept}, {erased: KeyUnavailableError})


def test_a_copy_older_than_five_weeks_is_told(disk: "Disk") -> None:
    """What a copy older than 35 days lacks is named date by date, and everything else is read (fault 15)."""
    with disk.create() as archive:
        old = store(archive, disk.clock(), 2)
        copy = copy_keys(disk)
        disk.clock.move(60 * DAY)
        archive.retention.sweep(by=SWEEPER)
        young = store(archive, disk.clock(), 2)
    put_back_keys(disk, copy)
    with disk.open() as archive:
        assert date(2027, 5, 4) in archive.lost_keys
    assert list_readable(disk) == ({*old}, dict.fromkeys(young, KeyUnavailableError))


# Lost and wrong keys (fault 15) --------------------------------------------------------------------------------------


@pytest.fixture
def by_day(disk: "Disk") -> dict[date, list[UUID]]:
    """Calls of three dates; one of the first was erased."""
    found = {}
    with disk.create() as archive:
        for number in range(3):
            found[LAST_DAY + number * DAY] = store(archive, disk.clock(), 6)
            disk.clock.move(DAY)
        erase(archive, [found[LAST_DAY].pop()])
    return found


def test_a_lost_day_key(disk: "Disk", by_day: dict[date, list[UUID]]) -> None:
    """Without a date's keys, its index key among them, exactly its recordings are unreadable, and opening says so."""
    middle = LAST_DAY + DAY
    (disk.keys / "days" / f"{middle}.key").unlink()
    readable, unreadable = list_readable(disk)
    assert readable == {each for day, ids in by_day.items() if day != middle for each in ids}
    assert {*by_day[middle]} <= unreadable.keys()
    assert len(unreadable) == len(by_day[middle]) + 1  # and the one that was erased
    with disk.open() as archive:
        assert archive.lost_keys == (middle,)
    print(f"\nday key lost: {len(by_day[middle])} unreadable, {len(readable)} unharmed, the date named")


def test_a_wrong_day_key(disk: "Disk", by_day: dict[date, list[UUID]]) -> None:
    """Another date's keys in the place of a date's are an error for its recordings, and never noise."""
    middle = LAST_DAY + DAY
    shutil.copy(disk.keys / "days" / f"{middle + DAY}.key", disk.keys / "days" / f"{middle}.key")
    readable, unreadable = list_readable(disk)
    assert {each for each, error in unreadable.items() if error is IntegrityError} == {*by_day[middle]}
    assert readable == {each for day, ids in by_day.items() if day != middle for each in ids}
    print(f"\nday key wrong: {len(by_day[middle])} integrity errors, {len(readable)} unharmed")


def test_lost_nodes(disk: "Disk", by_day: dict[date, list[UUID]]) -> None:
    """Without the nodes of a branch exactly the recordings in it are unreadable."""
    (nodes,) = (disk.keys / "days" / LAST_DAY.isoformat()).iterdir()
    nodes.unlink()
    everything = {each for ids in by_day.values() for each in ids}
    lost = {each for each in by_day[LAST_DAY] if name_leaf(str(each)).startswith(nodes.stem)}
    readable, unreadable = list_readable(disk)
    assert readable == everything - lost
    assert len(unreadable) == len(lost) + 1


@pytest.mark.parametrize("name", ["standing", "signing"])
@pytest.mark.parametrize("is_lost", [True, False], ids=["lost", "wrong"])
def test_a_lost_or_wrong_archive_key(disk: "Disk", by_day: dict[date, list[UUID]], name: str, *, is_lost: bool) -> None:
    """Without the standing or the signing key opening says which; no recording is harmed, and put back all is well."""
    path = disk.keys / f"{name}.key"
    whole = path.read_bytes()
    if is_lost:
        path.unlink()
    else:
        other = disk.keys / ("signing.key" if name == "standing" else "standing.key")
        path.write_bytes(other.read_bytes())
    with pytest.raises(KeyUnavailableError if is_lost else IntegrityError, match=name):
        disk.open()
    readable, unreadable = list_readable(disk)
    assert readable == {each for ids in by_day.values() for each in ids}
    assert len(unreadable) == 1
    path.write_bytes(whole)
    disk.open().close()
    print(
        f"\n{name} key {'lost' if is_lost else 'wrong'}: opening refused by name, {len(readable)} recordings unharmed"
    )


def test_a_lost_key_of_the_log_is_counted(disk: "Disk", by_day: dict[date, list[UUID]]) -> None:
    """If entries about destroyed leaves cannot be read for want of their own key, opening says how many (fault 15)."""
    (disk.keys / "days" / f"{date(2031, 3, 8)}.key").unlink()  # the clock stands three days on: so far the log tells
    with disk.open() as archive:
        assert archive.destroyed_again.unreadable_entries == 1
        assert archive.lost_keys == (date(2031, 3, 8),)
    disk.clock.move(HOUR)
    with disk.open() as archive:  # by now that date has new keys, under which the old entry does not open
        assert archive.destroyed_again.unreadable_entries == 1
        *_, told = (each for each in archive.audit.iter_entries(by=OFFICER, since=disk.clock()) if each.facts)
        assert told.facts == {"unreadable-entries": "1"}
    assert by_day
