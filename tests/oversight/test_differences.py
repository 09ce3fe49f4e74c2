"""What objects, catalog, log and keys disagree on is found, named and told apart (faults 11, 12, 14, 15)."""

import shutil
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from typing import TYPE_CHECKING

import pytest

from kelarec import Archive, Register, StaffId
from kelarec.audit.entries import EntryKind
from kelarec.errors import AlteredError, DeniedError, ForkedLogError, InvalidValueError, MissingError, OrphanedError
from kelarec.oversight import comparison, differences, log_comparison
from kelarec.oversight.difference import ERRORS, Difference, DifferenceKind
from kelarec.retention.erasure import destroy_leaves
from kelarec.storage.erased_rows import erase_row
from kelarec.storage.key_leaves import KeyLeaf
from kelarec.storage.recordings import Recordings
from kelarec.testing.builders import make_staff_member
from kelarec.testing.clock import MovableClock
from oversight_archive import OPERATOR, dump, fill, ids, list_kinds, restrict, store
from oversight_attacks import (
    ATTACKS,
    MISSING,
    ORPHANED,
    ROLLED_BACK,
    Findings,
    Scene,
    add_token_of_nobody,
    alter_record,
    alter_tile,
    cut_content,
    edit_entry,
    edit_state,
    leave_newer_version,
    lose_everything_of_one,
    lose_keys,
    lose_record,
    remove_row,
)

if TYPE_CHECKING:
    from conftest import Disk

Act = Callable[[Scene], Findings]


def find_all(archive: Archive) -> list[Difference]:
    """Return all differences."""
    return list(archive.iter_differences(by=OPERATOR))


def found(archive: Archive) -> Findings:
    """Return the class and subject of each difference."""
    return {(each.kind, each.subject) for each in find_all(archive)}


def attack(make: Callable[[], Scene], act: Act) -> set[str]:
    """Carry out an attack; return what was not found of it, or found beside it."""
    scene = make()
    expected = act(scene)
    got = found(scene.archive)
    missed = {f"missed {want}" for want in expected if not any(_is(each, want) for each in got)}
    beside = {f"beside {each}" for each in got if not any(_is(each, want) for want in expected)}
    return missed | beside


def _is(got: tuple[DifferenceKind, str], want: tuple[DifferenceKind, str]) -> bool:
    return got[0] is want[0] and f"{got[1]} ".startswith(f"{want[1]} ")


@pytest.fixture
def make_scene(kelarec_register: Register, kelarec_clock: MovableClock) -> Callable[[], Scene]:
    """Makes a new scene each time."""

    def make() -> Scene:
        archive = Archive.in_memory(kelarec_register, clock=kelarec_clock)
        return Scene(archive, fill(archive))

    return make


def test_what_agrees_has_no_difference(make_scene: Callable[[], Scene]) -> None:
    """An archive that nobody altered has no difference, and verify says nothing."""
    scene = make_scene()
    assert find_all(scene.archive) == []
    scene.archive.verify(by=OPERATOR)


@pytest.mark.parametrize("act", ATTACKS, ids=lambda act: act.__name__)
def test_an_alteration_is_named(make_scene: Callable[[], Scene], act: Act) -> None:
    """Whatever is lost, altered, rolled back or added is found under its class and name, and nothing beside it."""
    assert attack(make_scene, act) == set()


MUTANTS = {
    "rows are not compared": (comparison._Comparison, "_compare_standing", edit_state),
    "newer versions are not looked for": (comparison._Comparison, "_find_newer", leave_newer_version),
    "objects without a row are not told": (comparison._Comparison, "_compare_without_row", remove_row),
    "failures are not told": (comparison._Comparison, "_blame_failure", alter_record),
    "contents are not measured": (comparison, "_compare_parts", cut_content),
    "rows without objects are not looked for": (differences.Differences, "_iter_rows_unseen", lose_record),
    "the log is not asked": (differences.Differences, "_iter_recordings_told", lose_everything_of_one),
    "tokens are not gone through": (differences.Differences, "_compare_strays", add_token_of_nobody),
    "keys are not asked": (differences.Differences, "_compare_keys", lose_keys),
    "the tree is not proven": (log_comparison, "find_problems", alter_tile),
    "the log's rows are not compared": (log_comparison.LogComparison, "_compare_rows", edit_entry),
}


def test_the_attacks_catch_every_planted_fault(
    make_scene: Callable[[], Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With any one part of the comparison taken out, the attack that it is there for goes unnoticed."""
    for home, attribute, act in MUTANTS.values():
        with monkeypatch.context() as planted:
            planted.setattr(home, attribute, lambda *_: iter(()))
            assert attack(make_scene, act), f"nothing notices that {attribute} does nothing"
    print(f"\n{len(ATTACKS)} attacks, 0 missed; {len(MUTANTS)} of {len(MUTANTS)} planted faults caught")


@pytest.mark.parametrize(
    ("act", "error"),
    [(lose_record, MissingError), (edit_state, AlteredError), (leave_newer_version, OrphanedError)],
)
def test_verify_raises_the_gravest_class(
    make_scene: Callable[[], Scene], act: Callable[[Scene], object], error: type[Exception]
) -> None:
    """Verify raises one class by name, with its count, and names the others beside it."""
    scene = make_scene()
    scene.make_version(5, 2)
    act(scene)
    with pytest.raises(error) as raised:
        scene.archive.verify(by=OPERATOR)
    assert raised.value.count == (2 if error is OrphanedError else 1)  # type: ignore[attr-defined]
    assert "orphaned" in str(raised.value)
    assert set(ERRORS) == set(DifferenceKind)


def test_a_rolled_back_store_is_found(disk: "Disk") -> None:
    """A store put back to the day before shows in what was stored and restricted since (fault 11)."""
    with disk.create() as archive:
        stored = fill(archive)
    shutil.copytree(disk.objects, disk.folder / "yesterday")
    disk.clock.move(timedelta(days=1))
    with disk.open() as archive:
        newer = [store(archive) for _ in range(3)]
        restrict(archive, stored[5])
    shutil.rmtree(disk.objects)
    (disk.folder / "yesterday").rename(disk.objects)

    with disk.open() as archive:
        told = find_all(archive)
    assert {(MISSING, f"recording {each.id}") for each in (*newer, stored[5])} <= {
        (each.kind, each.subject) for each in told
    }
    print(f"\nstore rolled back a day: {len(told)} differences, 4 of 4 recordings named")


def test_a_rolled_back_catalog_is_found(disk: "Disk") -> None:
    """A catalog put back to the day before shows in the log and in what was stored and restricted since (fault 12)."""
    with disk.create() as archive:
        stored = fill(archive)
    shutil.copy(disk.catalog, disk.folder / "yesterday")
    disk.clock.move(timedelta(days=1))
    with disk.open() as archive:
        newer = [store(archive) for _ in range(3)]
        restrict(archive, stored[5])
    shutil.copy(disk.folder / "yesterday", disk.catalog)

    archive = disk.open()
    told = found(archive)
    with pytest.raises(ForkedLogError, match="rolled back"):
        archive.close()
    assert any(kind is ROLLED_BACK and subject.startswith("log entries") for kind, subject in told)
    assert {(ORPHANED, f"recording {each.id}") for each in (*newer, stored[5])} <= told
    print(f"\ncatalog rolled back a day: {len(told)} differences, 4 of 4 rows and the lost entries named")


def test_what_was_erased_is_not_missed(make_scene: Callable[[], Scene]) -> None:
    """A recording erased before its day is told neither as missing nor as keyless, whatever remains of it (Art. 17)."""
    scene = make_scene()
    vault, [first, second, third] = scene.archive._vault, scene.stored[2:5]
    leaves = [KeyLeaf(each.kept_through, each.id) for each in (first, second)]
    destroy_leaves(vault, scene.archive.audit, leaves, by=OPERATOR)
    vault.keyring.puncture(third.kept_through, [str(third.id)])  # held: it opens under its hold
    assert find_all(scene.archive) == []  # rows and objects are still there
    recordings = Recordings(vault)
    with vault.database.begin() as connection:
        assert erase_row(connection, first.id, first.kept_through)
    assert find_all(scene.archive) == []
    recordings.discard(first.id, first.recorded_on)
    assert find_all(scene.archive) == []
    with scene.archive.rebuild(by=OPERATOR) as renewed:
        assert renewed.rebuilt is not None
        assert renewed.rebuilt.differences == ()
        assert ids(renewed) == {each.id for each in scene.stored} - {first.id, second.id}
        renewed.verify(by=OPERATOR)


def test_a_key_leaf_that_died_without_a_word_is_told(make_scene: Callable[[], Scene]) -> None:
    """A recording whose key leaf died though the log does not say so is keyless."""
    scene = make_scene()
    scene.archive._vault.keyring.puncture(scene.stored[3].kept_through, [str(scene.stored[3].id)])
    assert found(scene.archive) == {(DifferenceKind.KEYS_MISSING, scene.name(3))}


def test_lost_objects_are_listed_one_by_one(make_scene: Callable[[], Scene]) -> None:
    """Objects lost with the catalog present are listed as missing, each, and never dropped (fault 14)."""
    scene = make_scene()
    lost = 0
    for path in list(scene.objects.iter_paths("recordings")):
        scene.objects.delete(path)
        lost += "/record-" in path
    counts = Counter(each.kind for each in find_all(scene.archive))
    assert counts == {MISSING: len(scene.stored)}
    assert len(dump(scene.archive)["recordings"]) == len(scene.stored)
    print(f"\n{lost} records of {len(scene.stored)} recordings lost: {counts[MISSING]} named, 0 rows dropped")


def test_it_is_asked_by_those_who_may_and_logged(make_scene: Callable[[], Scene]) -> None:
    """Who may not verify is denied; who does is in the log, with what came of it (notice, section 10)."""
    scene = make_scene()
    with pytest.raises(DeniedError):
        scene.archive.iter_differences(by=StaffId("nobody"))
    scene.archive.staff.enrol(make_staff_member(id=StaffId("olga"), roles={"operator"}), by=OPERATOR)
    scene.archive.verify(by=StaffId("olga"))
    edit_state(scene)
    next(iter(scene.archive.iter_differences(by=OPERATOR))).advice  # noqa: B018  one is looked at, then no more
    kinds = list_kinds(scene.archive)
    outcomes = [
        entry.facts["outcome"]
        for entry in scene.archive.audit.iter_entries(by=OPERATOR)
        if entry.kind is EntryKind.COMPARISON_ENDED
    ]
    assert outcomes == ["agree", "broken-off"]
    assert kinds.count(EntryKind.COMPARISON_BEGUN.value) == 2


def test_on_processes_it_finds_the_same(disk: "Disk", make_scene: Callable[[], Scene]) -> None:
    """Other processes open from their own environment and find what threads find; memory is not shared with them."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes, disk.create() as archive:
        stored = fill(archive)
        [path] = (disk.objects / "recordings" / str(stored[3].recorded_on) / str(stored[3].id)).glob("record-*")
        path.unlink()
        told = {(each.kind, each.subject) for each in archive.iter_differences(by=OPERATOR, executor=processes)}
        assert told == found(archive) == {(MISSING, f"recording {stored[3].id}")}
        with pytest.raises(InvalidValueError, match="threads only"):
            list(make_scene().archive.iter_differences(by=OPERATOR, executor=processes))
