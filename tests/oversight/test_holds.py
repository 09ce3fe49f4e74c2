"""A lost catalog lifts no hold: what is held stays held, found and readable (Art. 18; fault 13)."""

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from kelarec import Archive, Recording
from kelarec.domain.hold import Hold, HoldState
from kelarec.domain.instants import start_of
from kelarec.oversight.difference import DifferenceKind
from kelarec.retention.erasure import destroy_leaves
from kelarec.storage.holds import Holds
from kelarec.storage.key_leaves import KeyLeaf
from kelarec.storage.recordings import Recordings
from oversight_archive import OPERATOR, dump, fill, hold, rebuild

if TYPE_CHECKING:
    from conftest import Disk


def find_state(archive: Archive, placed: Hold) -> HoldState | None:
    """Return where a hold is in its life, as the catalog says."""
    with archive._vault.database.begin() as connection:
        found = Holds(archive._vault, Recordings(archive._vault)).find(connection, placed.id)
    return None if found is None else found[1]


def opens(archive: Archive, recording: Recording) -> bool:
    """Whether the catalog's row of a recording opens."""
    with archive._vault.database.begin() as connection:
        return Recordings(archive._vault).find_one(connection, recording.id) is not None


def test_what_is_held_beyond_its_day_comes_back(disk: "Disk") -> None:
    """A recording whose own day is over and whose hold goes on is rebuilt with its hold and the hold's tokens."""
    with disk.create() as archive:
        stored = fill(archive, holds=0)
        disk.clock.move(timedelta(days=200))
        placed = hold(archive, *stored[:3])
        disk.clock.set(start_of(stored[0].kept_through + timedelta(days=2)))
        archive._vault.keyring.destroy(stored[0].kept_through)
        archive.retention.sweep(by=OPERATOR, catch_up=[stored[0].kept_through])
        held = {name: dump(archive)[name] for name in ("recordings", "tokens", "holds", "held_recordings")}
        archive.audit.integrate()
    disk.catalog.unlink()
    with rebuild(disk) as archive:
        rows = dump(archive)
        assert [opens(archive, each) for each in stored] == [True] * 3 + [False] * 3
        assert find_state(archive, placed) is HoldState.PLACED
        for name in ("holds", "held_recordings", "tokens"):
            assert rows[name] == held[name], name
        kept = {dict(row)["id"] for row in rows["recordings"]}
        assert kept == {each.id.bytes for each in stored[:3]}
        assert archive.rebuilt is not None
        assert archive.rebuilt.differences == ()
        archive.verify(by=OPERATOR)


@pytest.mark.parametrize("wrapped", [0, 1])
def test_an_intent_comes_back_as_one_and_can_be_placed(disk: "Disk", wrapped: int) -> None:
    """A hold that was announced is rebuilt as an intent, keeps what has its wrap already, and is completed later."""
    with disk.create() as archive:
        stored = fill(archive, holds=0)
        announced = hold(archive, *stored[:2], wrapped=wrapped)
    disk.catalog.unlink()
    with rebuild(disk) as archive:
        assert find_state(archive, announced) is HoldState.INTENT
        assert len(dump(archive)["held_recordings"]) == wrapped
        archive.verify(by=OPERATOR)
        recordings = Recordings(archive._vault)
        holds = Holds(archive._vault, recordings)
        with archive._vault.database.begin() as connection:
            opened = [recordings.find_one(connection, each) for each in announced.recording_ids]
        wraps = [holds.wrap(announced, each) for each in opened if each is not None]
        with archive._vault.database.begin() as connection:
            holds.place(connection, announced, wraps)
        assert find_state(archive, announced) is HoldState.PLACED
        archive.verify(by=OPERATOR)  # also though one recording has two wraps now, and either may stand


def test_a_released_hold_keeps_nothing(disk: "Disk") -> None:
    """The leaf that is destroyed when a hold is given up is the one that its wraps need, so it does not come back."""
    with disk.create() as archive:
        stored = fill(archive, holds=0)
        placed = hold(archive, *stored[:2])
        leaves = [KeyLeaf(placed.review_on, each.id, placed.id) for each in stored[:2]]
        destroy_leaves(archive._vault, archive.audit, leaves, by=OPERATOR)
        with archive._vault.database.begin() as connection:
            Holds(archive._vault, Recordings(archive._vault)).release(connection, placed.id)
        archive.verify(by=OPERATOR)
    disk.catalog.unlink()
    with rebuild(disk) as archive:
        assert find_state(archive, placed) is HoldState.RELEASED
        assert dump(archive)["held_recordings"] == []
        assert all(opens(archive, each) for each in stored)
        archive.verify(by=OPERATOR)


def test_a_damaged_wrap_lifts_no_hold(disk: "Disk") -> None:
    """If one wrap does not open, the hold goes on for the others, and the damaged one is listed (Art. 18)."""
    with disk.create() as archive:
        stored = fill(archive, holds=0)
        placed = hold(archive, *stored[:3])
    [path] = (disk.objects / "holds" / str(placed.id)).glob(f"{stored[0].id}-*")
    sealed = path.read_bytes()
    path.write_bytes(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    disk.catalog.unlink()
    with rebuild(disk) as archive:
        assert find_state(archive, placed) is HoldState.PLACED
        assert len(dump(archive)["held_recordings"]) == 2
        assert archive.rebuilt is not None
        [told] = archive.rebuilt.differences
        assert (told.kind, told.subject) == (DifferenceKind.ALTERED, f"hold {placed.id}")
