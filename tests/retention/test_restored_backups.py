"""A backup brings nothing back: the notice of 18.8.2020, section 9; GDPR, Art. 17; fault 19."""

import shutil
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from erasable import (
    HOUR,
    LAST_DAY,
    MINUTE,
    OFFICER,
    RECORDER,
    SWEEPER,
    TERMS,
    WAV,
    Attacker,
    count_matching_tokens,
    place_hold,
    store,
)
from kelarec import Archive, Place, StaffId
from kelarec.audit.entries import EntryKind
from kelarec.domain.erasure import Complete
from kelarec.domain.hold import HoldKind
from kelarec.domain.instants import end_of
from kelarec.errors import DeniedError
from kelarec.retention.returned import Returned, remove_returned
from kelarec.testing.builders import make_identity_code, make_staff_member

if TYPE_CHECKING:
    from conftest import Disk

VEIKKO = StaffId("veikko")
DAY = timedelta(days=1)


def back_up(disk: "Disk") -> Path:
    """Copy everything but the key place."""
    backup = disk.folder / "backup"
    shutil.copytree(disk.objects, backup / "archive")
    shutil.copy(disk.catalog, backup / "catalog.sqlite")
    return backup


def restore(disk: "Disk", backup: Path, *, catalog: bool = True) -> None:
    """Put every old byte back; what came since stays beside it if the catalog stays."""
    if catalog:
        shutil.rmtree(disk.objects)
        shutil.copy(backup / "catalog.sqlite", disk.catalog)
        shutil.copytree(backup / "archive", disk.objects)
    else:
        shutil.copytree(backup / "archive" / "recordings", disk.objects / "recordings", dirs_exist_ok=True)


def remove(archive: Archive) -> Returned:
    """Remove what has come back."""
    return remove_returned(archive._vault, archive.audit, archive._registers.versions, by=SWEEPER)


def list_found(archive: Archive, ids: list[UUID]) -> tuple[set[UUID], set[UUID]]:
    """Return what the library finds of the usual customer, and what of some recordings it reads in full."""
    read = set()
    with archive.session(by=VEIKKO, purpose="verify-service-event", matter="KELA-1") as session:
        found = {each.id for each in session.find(make_identity_code())}
        for each in ids:
            try:
                session.get_details(each)
                assert session.open(each).read() == WAV
            except DeniedError:
                continue
            read.add(each)
    return found, read


@pytest.mark.parametrize("count", [4, pytest.param(20, marks=pytest.mark.deep)])
def test_nothing_of_what_is_gone_can_be_had(disk: "Disk", count: int) -> None:
    """Old objects and catalog put back: neither library nor attacker with every key has anything of what is gone.

    One date was swept; of another some recordings were erased, one of them under the hold of its decision.
    """
    with disk.create() as archive:
        archive.staff.enrol(make_staff_member(), by=RECORDER)
        swept = store(archive, disk.clock(), count)
        disk.clock.move(DAY)
        erased = store(archive, disk.clock(), count)
        kept = store(archive, disk.clock(), count)
        hold = place_hold(archive, erased[:1], HoldKind.DECISION)
    names = [str(each) for each in (*swept, *erased, *kept)] + [f"{hold.id} {each}" for each in erased[:1]]
    backup = back_up(disk)
    everything = {str(each) for each in (*swept, *erased, *kept)}
    assert Attacker(disk, names).open_all(backup / "archive").keys() == everything  # it proves itself: while keys live
    with disk.open() as archive:
        archive.retention.erasures.erase(erased, by=OFFICER, hold_id=hold.id, **TERMS)
        disk.clock.set(end_of(LAST_DAY) + HOUR)
        assert [each.recordings for each in archive.retention.sweep(by=SWEEPER)] == [count]
    attacker = Attacker(disk, names)
    opened = attacker.open_all(backup / "archive")
    assert opened.keys() == {str(each) for each in kept}
    assert all(sound == WAV for _, sound in opened.values())
    restore(disk, backup)
    with disk.open() as archive:
        found, read = list_found(archive, [*swept, *erased, *kept])
        assert found == read == set(kept)
        matching = count_matching_tokens(disk, backup / "catalog.sqlite", archive._vault)
    # Those of the erased are testable until their date ends, as certificates say; those of the swept are not.
    lives_on, review_on = LAST_DAY + DAY, hold.review_on
    terms = matching[review_on]
    assert matching == {lives_on: 2 * count * terms, review_on: terms}
    print(
        f"\nbackup of {3 * count}: attacker tried {attacker.tried} keys and opened {len(opened)} of {count} kept, 0 of "
        f"{2 * count} gone; library reads {len(read)}; tokens that match: {matching}, none of the swept date's"
    )


def test_the_next_sweep_deletes_it_again(disk: "Disk") -> None:
    """Objects put back beside a catalog that knows better are removed, those of what is kept are not (fault 19)."""
    with disk.create() as archive:
        archive.staff.enrol(make_staff_member(), by=RECORDER)
        swept = store(archive, disk.clock(), 2)
        disk.clock.move(DAY)
        erased, *kept = store(archive, disk.clock(), 3)
        backup = back_up(disk)
        archive.retention.erasures.erase([erased], by=OFFICER, **TERMS)
        disk.clock.move(MINUTE)
        assert archive.retention.erasures.finish(by=OFFICER)[0].outcome == Complete()
        disk.clock.set(end_of(LAST_DAY) + HOUR)
        archive.retention.sweep(by=SWEEPER)
        restore(disk, backup, catalog=False)
        assert list_found(archive, [*swept, erased, *kept]) == (set(kept), set(kept))
        archive.retention.sweep(by=SWEEPER)
        told = [each for each in archive.audit.iter_entries(by=OFFICER) if each.kind is EntryKind.RETURNED_REMOVED]
        assert {each.recording_id for each in told} == {*swept, erased}
        assert sum(int(each.facts["objects"]) for each in told) == 6
        assert remove(archive) == Returned()
        left = {path.parent.name for path in disk.objects.glob("recordings/*/*/*")}
        assert left == {str(each) for each in kept}
        archive.verify(by=OFFICER)


def test_a_whole_archive_put_back(disk: "Disk") -> None:
    """With objects, log and catalog put back only the key place knows of the erasure; that suffices (fault 19)."""
    with disk.create() as archive:
        archive.staff.enrol(make_staff_member(), by=RECORDER)
        erased, *kept = store(archive, disk.clock(), 3)
    backup = back_up(disk)
    with disk.open() as archive:
        archive.retention.erasures.erase([erased], by=OFFICER, **TERMS)
    restore(disk, backup)
    with disk.open() as archive:
        assert list_found(archive, [erased, *kept]) == (set(kept), set(kept))
        assert remove(archive).recordings == (erased,)
        assert not list(disk.objects.rglob(f"*{erased}*"))
        assert list_found(archive, [erased, *kept]) == (set(kept), set(kept))
        archive.verify(by=OFFICER)


def test_lost_keys_are_not_dead_ones(disk: "Disk") -> None:
    """What is unreadable since keys were lost is not removed: they may be put back (fault 15)."""
    with disk.create() as archive:
        first, second = store(archive, disk.clock(), 2)
        archive.retention.erasures.erase([first], by=OFFICER, **TERMS)
        (nodes,) = (disk.keys / "days" / LAST_DAY.isoformat()).iterdir()
        (disk.keys / "days" / f"{LAST_DAY}.key").rename(disk.folder / "lost")
        nodes.rename(disk.folder / "lost-too")
        assert remove(archive) == Returned()
        assert list(disk.objects.rglob(f"*{second}*"))


def test_a_rebuild_after_an_erasure(disk: "Disk") -> None:
    """A catalog rebuilt from the objects after an erasure, or in the midst of one, brings nothing back."""
    with disk.create() as archive:
        archive.staff.enrol(make_staff_member(), by=RECORDER)
        erased, midway, kept = store(archive, disk.clock(), 3)
        archive.retention.erasures.erase([erased], by=OFFICER, **TERMS)
        disk.clock.move(MINUTE)
        archive.retention.erasures.finish(by=OFFICER)
        archive.retention.erasures.erase([midway], by=OFFICER, **TERMS)
    disk.catalog.unlink()
    with Archive.rebuild_lost(**_where(disk), by=OFFICER) as archive:
        assert list_found(archive, [erased, midway, kept]) == ({kept}, {kept})
        disk.clock.move(MINUTE)
        (done,) = archive.retention.erasures.finish(by=OFFICER)
        assert (done.recording_ids, done.outcome) == ((midway,), Complete())
        archive.verify(by=OFFICER)


def _where(disk: "Disk") -> dict[str, Any]:
    return {
        "objects": Place(disk.objects, "FI"),
        "keys": Place(disk.keys, "FI"),
        "root_key": f"keyfile:{disk.root_key}",
        "clock": disk.clock,
    }


def test_what_belongs_to_no_recording_stops_no_sweep(disk: "Disk") -> None:
    """Objects of another making below a date that was swept are left to verify, and sweeping goes on."""
    strays = ("stray", "not-an-id/record-1-x", "01a/b/c")
    with disk.create() as archive:
        [call] = store(archive, disk.clock())
        disk.clock.set(end_of(LAST_DAY) + HOUR)
        archive.retention.sweep(by=SWEEPER)
        for each in strays:
            archive._vault.objects.write(f"recordings/2026-03-05/{each}", [b"?"])
        archive._vault.objects.write(f"recordings/2026-03-05/{call}/audio-0123456789ab", [b"?"])
        assert archive.retention.sweep(by=SWEEPER).dates == ()
        left = {path.removeprefix("recordings/2026-03-05/") for path in archive._vault.objects.iter_paths("recordings")}
        assert left == set(strays)
