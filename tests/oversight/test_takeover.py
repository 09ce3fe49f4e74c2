"""Two catalogs, one archive: whoever writes while another catalog takes over is refused, or what it wrote is seen.

Fault 13 and fault 22, at each point at which a writer may stall.
"""

import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from kelarec import Recording, State
from kelarec.audit import succession
from kelarec.audit.log import AuditLog
from kelarec.errors import KelarecError
from kelarec.oversight.settlement import Settlement
from kelarec.storage.recordings import Recordings
from oversight_archive import dump, fill, ids, rebuild, restrict, store

if TYPE_CHECKING:
    from conftest import Disk

PAUSES: dict[str, tuple[Any, str, bool]] = {
    "before the first object": (Recordings, "new_data_key", False),
    "before the record": (Recordings, "write_record", False),
    "after the record": (Recordings, "write_record", True),
    "in the transaction": (Recordings, "insert", True),
    "before the check": (AuditLog, "_require_in_charge", False),
    "after the check": (AuditLog, "_require_in_charge", True),
}


def write_paused(
    disk: "Disk", where: str, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], None]
) -> UUID | None:
    """Store a recording, stop at a point, do something else meanwhile, go on; return its id if it was acknowledged."""
    home, name, is_after = PAUSES[where]
    original = getattr(home, name)
    reached, go_on = threading.Event(), threading.Event()
    writer_thread: list[threading.Thread] = []
    acknowledged: list[UUID] = []

    def paused(*given: Any, **named: Any) -> Any:  # noqa: ANN401  whatever the method takes and gives
        is_mine = threading.current_thread() in writer_thread and not reached.is_set()
        result = original(*given, **named) if is_after or not is_mine else None
        if is_mine:
            reached.set()
            assert go_on.wait(10)
        return result if is_after or not is_mine else original(*given, **named)

    def write() -> None:
        with suppress(KelarecError):
            acknowledged.append(store(archive).id)

    with disk.open() as archive, monkeypatch.context() as planted:
        planted.setattr(home, name, paused)
        writer_thread.append(threading.Thread(target=write))
        writer_thread[0].start()
        assert reached.wait(10)
        meanwhile()
        go_on.set()
        writer_thread[0].join()
        archive.audit.abandon()
        archive._is_closed = True
    return acknowledged[0] if acknowledged else None


def lose_by_pausing(disk: "Disk", monkeypatch: pytest.MonkeyPatch, where: str, catalog: str) -> bool:
    """Let a rebuild run while a writer is paused; return whether a recording was acknowledged and is missing."""
    known: set[UUID] = set()

    def rebuild_meanwhile() -> None:
        with rebuild(disk, catalog) as renewed:
            known.update(ids(renewed))

    acknowledged = write_paused(disk, where, monkeypatch, rebuild_meanwhile)
    return acknowledged is not None and acknowledged not in known


@pytest.fixture
def living(disk: "Disk") -> "Disk":
    """An archive on disk with something of every kind in it, whose catalog is there."""
    with disk.create() as archive:
        fill(archive)
    return disk


@pytest.mark.parametrize("where", PAUSES)
def test_a_paused_writer_is_refused_or_seen(living: "Disk", monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """A writer that stalls at any point while another catalog takes over is refused, or its recording is there."""
    assert not lose_by_pausing(living, monkeypatch, where, "new.sqlite")


def test_without_the_check_a_recording_would_be_lost(living: "Disk", monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses notice it when nobody asks who is in charge: the harness proves itself."""
    with monkeypatch.context() as planted:
        planted.setattr(succession, "require_in_charge", lambda *_: None)
        assert lose_by_pausing(living, monkeypatch, "before the record", "new.sqlite")


@pytest.mark.parametrize("is_planted", [False, True])
def test_what_is_stored_before_it_takes_over_is_seen(
    living: "Disk", monkeypatch: pytest.MonkeyPatch, *, is_planted: bool
) -> None:
    """What was stored, restricted or swept between the first listing and the takeover is settled after it."""
    take_over, settle = succession.take_over, Settlement.settle
    changed: list[Recording] = []
    settled = []

    def take_over_late(*given: Any) -> None:  # noqa: ANN401  whatever the function takes
        with living.open() as archive:
            known = sorted(ids(archive))
            changed.append(store(archive))
            with archive._vault.database.begin() as connection:
                opened = Recordings(archive._vault).find_one(connection, known[-1])
            assert opened is not None
            changed.append(opened.record.recording)
            restrict(archive, opened.record.recording)
        shutil.rmtree(living.objects / "recordings" / str(changed[0].recorded_on) / str(known[-2]))
        take_over(*given)

    def settle_once(settlement: Settlement) -> None:
        settled.append(settlement)
        if not is_planted or len(settled) == 1:
            settle(settlement)

    monkeypatch.setattr(succession, "take_over", take_over_late)
    monkeypatch.setattr(Settlement, "settle", settle_once)
    with rebuild(living, "new.sqlite") as renewed:
        rows = {dict(row)["id"]: dict(row)["state"] for row in dump(renewed)["recordings"]}
    is_right = (
        len(rows) == 6
        and rows.get(changed[0].id.bytes) == State.KEPT.value
        and rows.get(changed[1].id.bytes) == State.RESTRICTED.value
    )
    assert is_right is not is_planted
