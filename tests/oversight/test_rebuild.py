"""A lost catalog loses no recording, restriction, request or staff member: all is made anew from objects (fault 13)."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import pytest

from kelarec import Archive, Place, Recording, StaffId, State
from kelarec.audit import succession
from kelarec.audit.entries import EntryKind
from kelarec.errors import (
    ArchiveExistsError,
    CatalogMismatchError,
    CatalogReplacedError,
    DeniedError,
    IntegrityError,
    UnfinishedCatalogError,
)
from kelarec.oversight.difference import DifferenceKind
from kelarec.storage.bulk import Progress
from kelarec.storage.engine import Database
from kelarec.storage.objects import FolderObjects
from kelarec.storage.recordings import Recordings
from kelarec.testing.builders import make_staff_member
from oversight_archive import OPERATOR, Tables, dump, fill, ids, rebuild, restrict, store, without

if TYPE_CHECKING:
    from conftest import Disk

SINCE = (
    EntryKind.ARCHIVE_OPENED,
    EntryKind.ARCHIVE_CLOSED,
    EntryKind.CATALOG_REBUILT,
    EntryKind.VERSION_ADOPTED,
)


def comparable(archive: Archive) -> Tables:
    """Return what all tables hold of the time before the rebuild, numbered or not."""
    rows = without(dump(archive), *SINCE)
    rows["entries"] = sorted(
        (tuple((name, value) for name, value in row if name != "leaf_index") for row in rows["entries"]), key=repr
    )
    return rows


@pytest.fixture
def lost(disk: "Disk") -> tuple[list[Recording], Tables]:
    """An archive on disk whose catalog was lost, what was in it, and what its tables held."""
    with disk.create() as archive:
        stored = fill(archive)
        held = comparable(archive)
    disk.catalog.unlink()
    return stored, held


def test_all_tables_are_rebuilt_row_by_row(disk: "Disk", lost: tuple[list[Recording], Tables]) -> None:
    """Each table equals the lost one row by row, the log proves itself, and nothing differs any more (fault 13)."""
    shown: list[Progress] = []
    with rebuild(disk, progress=shown.append) as archive:
        assert comparable(archive) == lost[1]
        archive.audit.integrate()
        archive.verify(by=OPERATOR)
        rebuilt = archive.rebuilt
    assert rebuilt is not None
    counted = {table: count for table, count in rebuilt.counts.items() if count}
    assert counted == {"staff": 1, "requests": 2, "holds": 1, "recordings": 6}
    assert rebuilt.differences == ()
    assert {each.stage for each in shown} == {"log", "staff", "request", "hold", "recording"}
    with disk.open() as archive:
        archive.verify(by=OPERATOR)


def test_on_processes_it_is_the_same(disk: "Disk", lost: tuple[list[Recording], Tables]) -> None:
    """Other processes, which open keys and objects themselves, rebuild the same."""
    with (
        ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes,
        rebuild(disk, executor=processes) as archive,
    ):
        assert comparable(archive) == lost[1]


def test_what_has_ended_stays_silent(disk: "Disk") -> None:
    """Entries whose day is over come back as the sweep left them: without whom they concern (notice, section 10)."""
    with disk.create() as archive:
        fill(archive, holds=0)
        disk.clock.move(timedelta(days=6 * 366))
        archive.retention.sweep(by=OPERATOR)
        archive.audit.integrate()
        held = comparable(archive)
    disk.catalog.unlink()
    with rebuild(disk) as archive:
        again = comparable(archive)
    for name, rows in held.items():
        if name == "entries":
            whole = [[{**dict(row), "ends_on": 0} for row in each] for each in (rows, again[name])]
            assert whole[0] == whole[1]
            assert sum(not dict(row)["actor"] for row in rows) >= 9
        else:
            assert again[name] == rows, name


@pytest.mark.parametrize("where", ["beside", "in memory"])
def test_beside_a_living_catalog_no_entry_is_lost(disk: "Disk", kelarec_archive: Archive, where: str) -> None:
    """With the former catalog at hand what waited there for the tree is taken over, and the former one is refused."""
    archive = disk.create() if where == "beside" else kelarec_archive
    stored = fill(archive)
    store(archive)  # its entry waits
    held = comparable(archive)
    catalog = Place(f"sqlite://{disk.folder / 'new.sqlite'}", "FI") if where == "beside" else None
    former_id = succession.find_in_charge(archive._vault.objects)
    with archive.rebuild(by=OPERATOR, catalog=catalog) as renewed:
        assert comparable(renewed) == held
        assert len(ids(renewed)) == len(stored) + 1
        assert renewed.rebuilt is not None
        assert renewed.rebuilt.lost_from is None
        assert renewed.rebuilt.adopted == 1  # the hold's, which no entry tells of yet
        assert renewed.rebuilt.succeeds == former_id
        renewed.audit.integrate()
        renewed.verify(by=OPERATOR)
    if where == "beside":
        with pytest.raises(CatalogMismatchError):
            disk.open()


def test_it_says_from_when_to_when_entries_are_lost(disk: "Disk") -> None:
    """Entries after the newest checkpoint go with a catalog: the log says from when to when, and nothing else goes."""
    archive = disk.create()
    stored = fill(archive)
    archive.audit.abandon()
    last_at = disk.clock()
    disk.clock.move(timedelta(minutes=1))
    late = store(archive)
    restrict(archive, stored[4])
    disk.catalog.unlink()
    disk.clock.move(timedelta(minutes=1))
    with rebuild(disk) as renewed:
        assert renewed.rebuilt is not None
        assert (renewed.rebuilt.lost_from, renewed.rebuilt.lost_until) == (last_at, disk.clock())
        assert ids(renewed) == {each.id for each in (*stored, late)}
        assert renewed.rebuilt.adopted == 3  # the late one, the restriction, the hold
        [told] = [each for each in renewed.audit.iter_entries(by=OPERATOR) if each.kind is EntryKind.CATALOG_REBUILT]
        assert told.facts["lost-from"] == last_at.isoformat()
        renewed.verify(by=OPERATOR)
        with renewed._vault.database.begin() as connection:
            opened = Recordings(renewed._vault).find_one(connection, stored[4].id)
        assert opened is not None
        assert opened.record.recording.state is State.RESTRICTED


def test_what_a_dead_integrator_left_is_taken_over(disk: "Disk") -> None:
    """Entries that were numbered and sealed but not signed for come back, and the log goes on (fault 22)."""
    with disk.create() as archive:
        fill(archive)
        archive.audit.abandon()
        log = disk.objects / "audit"
        signed = (log / "checkpoint").read_bytes()
        late = [store(archive) for _ in range(3)]
        archive.audit.integrate()
        held = comparable(archive)
    for newest in sorted((log / "checkpoints").iterdir())[-2:]:  # that of the three, and that of closing
        newest.unlink()
    (log / "checkpoint").write_bytes(signed)
    disk.catalog.unlink()
    with rebuild(disk) as renewed:
        assert renewed.rebuilt is not None
        assert renewed.rebuilt.waiting == len(late) + 1
        assert comparable(renewed) == held
        renewed.audit.integrate()
        renewed.verify(by=OPERATOR)


def test_a_checkpoint_put_back_is_no_way_to_lose_entries(disk: "Disk") -> None:
    """The newest checkpoint that was signed counts, whatever audit/checkpoint names (tlog-checkpoint)."""
    with disk.create() as archive:
        fill(archive)
        signed = (disk.objects / "audit" / "checkpoint").read_bytes()
        store(archive)
    (disk.objects / "audit" / "checkpoint").write_bytes(signed)
    disk.catalog.unlink()
    with rebuild(disk) as renewed:
        assert renewed.rebuilt is not None
        assert renewed.rebuilt.waiting == 0
        renewed.audit.integrate()
        renewed.verify(by=OPERATOR)


class Killed(BaseException):
    """What stands for the death of the process."""


@contextmanager
def killed_at(point: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Raise at one of the points at which something becomes durable: a transaction, or a change of an object."""
    passed = [0]

    def count(original: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any, **named: Any) -> Any:  # noqa: ANN401  whatever the method takes and gives
            passed[0] += 1
            if passed[0] == point:
                raise Killed
            return original(*given, **named)

        return counted

    with monkeypatch.context() as planted:
        planted.setattr(Database, "begin", count(Database.begin))
        for change in ("write", "replace", "delete"):
            planted.setattr(FolderObjects, change, count(getattr(FolderObjects, change)))
        yield passed


@pytest.mark.parametrize("stride", [17, pytest.param(1, marks=pytest.mark.deep)])
def test_killed_anywhere_and_repeated_it_is_the_same(
    disk: "Disk", lost: tuple[list[Recording], Tables], monkeypatch: pytest.MonkeyPatch, stride: int
) -> None:
    """A rebuild killed between any two changes and repeated makes the same tables."""
    spare = disk.folder / "spare"
    shutil.copytree(disk.objects, spare)
    point, killed = 1, 0
    while True:
        with killed_at(point, monkeypatch) as passed, suppress(Killed):
            rebuild(disk).close()
        if passed[0] < point:
            break
        with rebuild_again(disk) as archive:
            assert comparable(archive) == lost[1], point
            archive.audit.integrate()
            archive.verify(by=OPERATOR)
        disk.catalog.unlink()
        shutil.rmtree(disk.objects)
        shutil.copytree(spare, disk.objects)
        point, killed = point + stride, killed + 1
    print(f"\nrebuild killed at {killed} of {passed[0]} points and repeated: 0 differences")


def rebuild_again(disk: "Disk") -> Archive:
    """Rebuild again, or open if the rebuild was finished when it was killed."""
    try:
        return rebuild(disk)
    except ArchiveExistsError:
        return disk.open()


def test_an_unfinished_catalog_is_opened_by_nobody_else(
    disk: "Disk", lost: tuple[list[Recording], Tables], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A catalog that is being rebuilt is refused by name until it is whole."""
    with killed_at(8, monkeypatch), pytest.raises(Killed):
        rebuild(disk)
    with pytest.raises(UnfinishedCatalogError, match="being rebuilt"):
        disk.open()
    rebuild(disk).close()
    with pytest.raises(ArchiveExistsError, match="a catalog already"):
        rebuild(disk)
    assert lost[0]


def test_who_may_not_takes_nothing_over(disk: "Disk", lost: tuple[list[Recording], Tables]) -> None:
    """Without a role that grants it nobody rebuilds, and the former catalog stays in charge (notice, section 10)."""
    objects = FolderObjects(disk.objects)
    before = succession.find_in_charge(objects)
    for by in (StaffId("nobody"), StaffId("stranger")):
        with pytest.raises(DeniedError, match="may not rebuild"):
            rebuild(disk, by=by)
    assert succession.find_in_charge(objects) == before
    rebuild(disk, by=StaffId("veikko")).close()  # who was made an operator
    assert lost[0]


def test_a_log_that_does_not_prove_itself_stops_it(disk: "Disk", lost: tuple[list[Recording], Tables]) -> None:
    """Nothing is taken over on the word of a log that was altered (fault 22)."""
    before = succession.find_in_charge(FolderObjects(disk.objects))
    [*_, tile] = sorted((disk.objects / "audit" / "tile" / "0").rglob("000.p/*"), key=lambda path: int(path.name))
    tile.write_bytes(bytes(len(tile.read_bytes())))
    with pytest.raises(IntegrityError, match="does not prove itself"):
        rebuild(disk)
    assert succession.find_in_charge(FolderObjects(disk.objects)) == before
    assert lost[0]


def test_a_damaged_restriction_is_not_lifted(disk: "Disk", lost: tuple[list[Recording], Tables]) -> None:
    """If the record that stands does not open, the one before it does not come back in its place (Art. 18)."""
    restricted = lost[0][0]
    [path] = (disk.objects / "recordings").rglob(f"{restricted.id}/record-2-*")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with rebuild(disk) as archive:
        assert archive.rebuilt is not None
        [told] = archive.rebuilt.differences
        assert (told.kind, told.subject) == (DifferenceKind.ALTERED, f"recording {restricted.id}")
        assert restricted.id not in ids(archive)


def test_the_former_catalog_is_refused_for_ever(disk: "Disk") -> None:
    """Two catalogs of one archive: the one that was succeeded is refused by name, now and later (fault 22)."""
    with disk.create() as archive:
        fill(archive)
        with rebuild(disk, "new.sqlite") as renewed:
            before = dump(renewed)
            acts: list[Callable[[], object]] = [
                lambda: store(archive),
                lambda: archive.staff.enrol(make_staff_member(), by=OPERATOR),
                lambda: archive.session(by=StaffId("veikko"), purpose="verify-service-event", matter="KELA-1"),
                archive.audit.integrate,
                lambda: archive.rebuild(by=OPERATOR, catalog=Place(disk.folder / "third.sqlite", "FI")),
                lambda: list(archive.iter_differences(by=OPERATOR)),
            ]
            for act in acts:
                with pytest.raises(CatalogMismatchError):
                    act()
            assert dump(renewed) == before
        archive.audit.abandon()
        archive._is_closed = True
    with pytest.raises(CatalogMismatchError):
        disk.open()
    print(f"\n{len(acts)} acts of a former catalog refused, 0 changes")


def test_a_catalog_deleted_under_a_writer_is_refused(disk_archive: Archive, disk: "Disk") -> None:
    """A writer whose catalog's file is no longer at its path acknowledges nothing more (fault 22)."""
    fill(disk_archive)
    disk.catalog.unlink()
    files = disk.list_files()
    with pytest.raises(CatalogReplacedError):
        store(disk_archive)
    with rebuild(disk) as renewed:
        assert len(ids(renewed)) == 6
        with pytest.raises(CatalogMismatchError):
            store(disk_archive)
        with pytest.raises(CatalogReplacedError):
            disk_archive.close()
    assert [each for each in files if "recordings" in each] == [
        each for each in disk.list_files() if "recordings" in each
    ]
