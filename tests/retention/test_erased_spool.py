"""What is still being taken can be erased too: GDPR, Art. 17; the notice of 18.8.2020, section 13."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from erasable import MINUTE, OFFICER, RECORDER, TERMS
from kelarec import Archive
from kelarec.audit.entries import EntryKind
from kelarec.capture import drain
from kelarec.capture.take import Take
from kelarec.domain.erasure import Complete, Incomplete, Pending
from kelarec.errors import KeyUnavailableError, TakeEndedError
from kelarec.testing.builders import make_contact

if TYPE_CHECKING:
    from conftest import Disk

SOUND = b"\x55" * 8000


def wait_for(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def begin(archive: Archive, disk: "Disk") -> Take:
    """Begin a take of a call, and wait until it is durable and has its row."""
    take = archive.capture.begin(make_contact(started_at=disk.clock()), by=RECORDER)
    take.part("audio").write(SOUND)
    take.flush().result()
    wait_for(lambda: take.had_row)
    return take


def test_a_live_take_is_dropped(spooled_archive: Archive, disk: "Disk") -> None:
    """A call that goes on while it is erased ends for its recorder by name, and neither spool nor archive keeps it."""
    archive = spooled_archive
    take = begin(archive, disk)
    preview = archive.retention.erasures.preview([take.recording_id], by=OFFICER)
    assert (preview.recordings, preview.spooled) == (1, 1)
    outcome = archive.retention.erasures.erase([take.recording_id], by=OFFICER, **TERMS).outcome
    assert isinstance(outcome, Pending)
    with pytest.raises(TakeEndedError):
        take.part("audio").write(SOUND)
    with pytest.raises(KeyUnavailableError, match="erased"):
        take.finish().result(timeout=20)
    disk.clock.move(MINUTE)
    assert [each.outcome for each in archive.retention.erasures.finish(by=OFFICER)] == [Complete()]
    assert not list(disk.objects.rglob(f"*{take.recording_id}*"))
    assert archive.retention.forecast().ending == ()
    archive.verify(by=OFFICER)


def test_a_take_of_another_process_is_dropped_there(
    spooled_archive: Archive, disk: "Disk", monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that records finds out within seconds and says so; until it has, the erasure is incomplete."""
    monkeypatch.setattr(drain, "_LOOKED_FOR_EVERY", 3600.0)
    take = begin(spooled_archive, disk)
    with disk.open(spool=True) as other:
        other.retention.erasures.erase([take.recording_id], by=OFFICER, **TERMS)
        disk.clock.move(MINUTE)
        (left,) = other.retention.erasures.finish(by=OFFICER)
        assert isinstance(left.outcome, Incomplete)
        assert left.outcome.where == "spool"
        take.part("audio").write(SOUND)  # it does not know yet
        monkeypatch.setattr(drain, "_LOOKED_FOR_EVERY", 0.05)
        spooled_archive.capture._live._drain.note_change(take)
        with pytest.raises(KeyUnavailableError, match="erased"):
            take.done.result(timeout=20)
        (done,) = other.retention.erasures.finish(by=OFFICER)
        assert done.outcome == Complete()


def test_what_ends_before_its_process_has_found_out(
    spooled_archive: Archive, disk: "Disk", monkeypatch: pytest.MonkeyPatch
) -> None:
    """A take that ends after its erasure is not brought in: its row is gone and must not come back."""
    monkeypatch.setattr(drain, "_LOOKED_FOR_EVERY", 3600.0)
    take = begin(spooled_archive, disk)
    with disk.open(spool=True) as other:
        other.retention.erasures.erase([take.recording_id], by=OFFICER, **TERMS)
        with pytest.raises(KeyUnavailableError):
            take.finish().result(timeout=20)
        disk.clock.move(MINUTE)
        wait_for(lambda: other.retention.erasures.finish(by=OFFICER)[0].outcome == Complete())
        assert not list(disk.objects.rglob(f"*{take.recording_id}*"))
        kinds = [each.kind for each in other.audit.iter_entries(by=OFFICER, recording_id=take.recording_id)]
        assert kinds[-1] is EntryKind.ERASED


def test_what_was_taken_in_meanwhile_counts_as_such(spooled_archive: Archive, disk: "Disk") -> None:
    """A take that has ended is a recording like others by the time it is erased."""
    take = begin(spooled_archive, disk)
    recording = take.finish().result(timeout=20)
    spooled_archive.retention.erasures.erase([recording.id], by=OFFICER, **TERMS)
    disk.clock.move(MINUTE)
    assert [each.outcome for each in spooled_archive.retention.erasures.finish(by=OFFICER)] == [Complete()]
