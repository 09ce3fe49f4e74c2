"""An erasure that is killed between any two steps is finished by whoever comes next (issue 8; fault 20)."""

import os
import shutil
import signal
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import event

from erasable import MINUTE, OFFICER, RECORDER, TERMS, WAV, place_hold, store
from kelarec import StaffId
from kelarec.audit.entries import EntryKind
from kelarec.domain.erasure import Complete
from kelarec.domain.hold import HoldKind
from kelarec.errors import DeniedError
from kelarec.storage.objects import FolderObjects
from kelarec.testing.builders import make_staff_member

if TYPE_CHECKING:
    from conftest import Disk

STEPS = ("write", "replace", "replace_many", "delete", "delete_many", "delete_unfinished")


def die_at(point: int, database: Any) -> None:  # noqa: ANN401  whatever the event tells
    """Let this process die without a word before its n-th change of a place or commit."""
    passed = [0]

    def pass_by(*_: object) -> None:
        passed[0] += 1
        if passed[0] == point:
            os.kill(os.getpid(), signal.SIGKILL)

    for name in STEPS:
        setattr(FolderObjects, name, _before(pass_by, getattr(FolderObjects, name)))
    event.listen(database._engine, "commit", pass_by)


def _before(first: Callable[[], None], then: Callable[..., Any]) -> Callable[..., Any]:
    def both(*given: Any, **named: Any) -> Any:  # noqa: ANN401  passed on
        first()
        return then(*given, **named)

    return both


def erase_and_die(disk: "Disk", ids: list[UUID], hold_id: UUID, point: int) -> bool:
    """Erase in a child process that dies at a point; return whether it got to the end."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    archive = disk.open()
    die_at(point, archive._vault.database)
    archive.retention.erasures.erase(ids, by=OFFICER, hold_id=hold_id, **TERMS)
    disk.clock.move(MINUTE)
    archive.retention.erasures.finish(by=OFFICER)
    os._exit(0)


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.deep)])
def test_killed_between_any_two_steps(disk: "Disk", step: int) -> None:
    """Killed anywhere, an erasure was either not begun, and all is there, or is finished; the log tells each once."""
    with disk.create() as archive:
        archive.staff.enrol(make_staff_member(), by=RECORDER)
        first, second, kept = store(archive, disk.clock(), 3)
        hold = place_hold(archive, [second], HoldKind.DECISION)
    untouched = disk.folder / "untouched"
    shutil.copytree(disk.objects, untouched / "archive")
    shutil.copytree(disk.keys, untouched / "keys")
    shutil.copy(disk.catalog, untouched)
    points, not_begun, begun_at = 0, 0, disk.clock()
    for point in count(1, step):
        for folder in (disk.objects, disk.keys):
            shutil.rmtree(folder)
            shutil.copytree(untouched / folder.name, folder)
        shutil.copy(untouched / disk.catalog.name, disk.catalog)
        disk.catalog.with_name(f"{disk.catalog.name}-journal").unlink(missing_ok=True)
        disk.clock.set(begun_at)
        is_done = erase_and_die(disk, [first, second], hold.id, point)
        not_begun += not _require_converged(disk, [first, second], kept)
        points += 1
        if is_done:
            break
    print(f"\nerasure killed at {points - 1} points, every {step}: {not_begun} not begun, all others finished")
    assert points > 3
    assert 0 < not_begun < points


def _require_converged(disk: "Disk", ids: list[UUID], kept: UUID) -> bool:
    """Finish what was begun and check; return whether anything was."""
    with disk.open() as archive:
        archive.retention.erasures.finish(by=OFFICER)
        disk.clock.move(MINUTE)
        assert all(each.outcome == Complete() for each in archive.retention.erasures.finish(by=OFFICER))
        entries = [each for each in archive.audit.iter_entries(by=OFFICER) if each.recording_id in ids]
        told = [each.kind for each in entries]
        is_begun = EntryKind.ERASURE_BEGUN in told
        with archive.session(by=StaffId("veikko"), purpose="verify-service-event", matter="KELA-1") as session:
            assert session.open(kept).read() == WAV
            for each in ids:
                if is_begun:
                    with pytest.raises(DeniedError):
                        session.open(each)
                else:
                    assert session.open(each).read() == WAV
        if is_begun:
            assert [told.count(kind) for kind in (EntryKind.ERASURE_BEGUN, EntryKind.ERASED)] == [2, 2]
            assert told.count(EntryKind.LEAF_DESTROYED) >= 3
            assert not any(list(disk.objects.glob(f"recordings/*/{each}")) for each in ids)
        assert archive.retention.erasures.finish(by=OFFICER) == ()
        archive.verify(by=OFFICER)
    return is_begun
