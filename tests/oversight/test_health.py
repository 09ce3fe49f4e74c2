"""Figures for monitoring: what fails shows in them, and nothing of them names anybody (Art. 32(1)(b), (d))."""

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import attrs
import pytest

from kelarec import AccessRequest, Archive, Recording, System
from kelarec.audit.entries import EntryKind
from kelarec.domain.instants import end_of
from kelarec.errors import ClosedError, StorageError
from kelarec.oversight.health import Health
from kelarec.testing.builders import make_contact, make_person
from kelarec.testing.clock import MovableClock

if TYPE_CHECKING:
    from conftest import Disk

BY: Final = System("monitor@test")
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)


def test_an_archive_at_rest(disk_archive: Archive) -> None:
    """Nothing waits, nothing is overdue, and the keys of the next 35 days are there."""
    disk_archive.audit.integrate()
    health = disk_archive.health()
    assert attrs.asdict(health) == {
        "at": disk_archive._vault.now(),
        "spooled_takes": 0,
        "spooled_bytes": 0,
        "flush_lag": None,
        "spool_refusal": None,
        "objects_answer": True,
        "checkpoint_age": timedelta(0),
        "waiting_entries": 0,
        "longest_wait": timedelta(0),
        "overdue_dates": 0,
        "overdue_requests": 0,
        "keys_ahead": 35,
    }


def test_it_writes_nothing_and_lists_nothing(disk_archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked every few seconds it leaves no trace and lists no objects: only the newest checkpoint is read."""
    disk_archive.audit.integrate()
    read: list[str] = []
    objects, keys = disk_archive._vault.objects, disk_archive._vault.keyring.place
    read_one = objects.read

    def watch(path: str) -> bytes:
        read.append(path)
        return read_one(path)

    def refuse(*_: object) -> None:
        raise AssertionError("something was listed")

    monkeypatch.setattr(objects, "read", watch)
    for place in (objects, keys):
        monkeypatch.setattr(place, "iter_paths", refuse)
    for _ in range(3):
        assert disk_archive.health().waiting_entries == 0
    assert set(read) == {"audit/checkpoint"}


def test_the_log_falls_behind(kelarec_archive: Archive, kelarec_clock: MovableClock) -> None:
    """Entries that wait and a checkpoint that grows old show."""
    kelarec_archive.audit.integrate()
    kelarec_archive.audit.abandon()
    kelarec_clock.move(HOUR)
    kelarec_archive.audit.write(kelarec_archive.audit.new_entry(EntryKind.LOG_READ, BY))
    kelarec_clock.move(SECOND)
    health = kelarec_archive.health()
    assert (health.waiting_entries, health.longest_wait, health.checkpoint_age) == (1, SECOND, HOUR + SECOND)
    kelarec_archive.audit.integrate()
    assert kelarec_archive.health().checkpoint_age == SECOND


def test_before_the_first_checkpoint(kelarec_archive: Archive) -> None:
    """An archive whose log has no checkpoint yet has none of an age."""
    kelarec_archive.audit.abandon()
    health = kelarec_archive.health()
    assert health.checkpoint_age is None or health.waiting_entries == 0


def test_what_is_overdue(kelarec_archive: Archive, kelarec_clock: MovableClock, call: Recording) -> None:
    """Dates that nobody swept and requests that nobody answered are counted (sections 9 and 11)."""
    kelarec_clock.set(call.ends_at - 100 * DAY)
    received = kelarec_archive.rights.receive(
        AccessRequest(person=make_person(), channel="telephone", received_at=kelarec_clock()), by=BY
    )
    kelarec_clock.set(end_of(received.deadline.due_on) - SECOND)
    assert kelarec_archive.health().overdue_requests == 0
    kelarec_clock.move(SECOND)
    assert kelarec_archive.health().overdue_requests == 1
    kelarec_clock.set(call.ends_at + HOUR - SECOND)
    assert kelarec_archive.health().overdue_dates == 0
    kelarec_clock.move(SECOND)
    assert kelarec_archive.health().overdue_dates == 1
    kelarec_archive.retention.sweep(by=System("sweep"))
    assert kelarec_archive.health().overdue_dates == 0


def test_keys_run_out(disk: "Disk") -> None:
    """Each day without new keys there is one day less of them ahead."""
    with disk.create() as archive:
        for days, left in ((5, 30), (30, 0), (10, 0)):
            disk.clock.move(days * DAY)
            assert archive.health().keys_ahead == left
        archive.retention.sweep(by=System("sweep"))
        assert archive.health().keys_ahead == 35


def test_an_archive_in_memory_makes_its_keys_on_demand(kelarec_archive: Archive) -> None:
    """There is nothing to run out of."""
    assert kelarec_archive.health().keys_ahead is None


def test_the_spool_fills(spooled_archive: Archive, disk: "Disk") -> None:
    """A take that goes on shows in the depth, and how far the spool is behind; afterwards nothing of it does."""
    with spooled_archive.capture.begin(make_contact(started_at=disk.clock()), by=BY) as take:
        take.part("audio").write(b"\x55" * 8000)
        take.flush().result(timeout=60)
        health = spooled_archive.health()
        assert health.spooled_takes == 1
        assert health.spooled_bytes > 8000
        assert health.flush_lag == timedelta(0)
    take.finish().result(timeout=60)
    health = spooled_archive.health()
    assert (health.spooled_takes, health.flush_lag) == (0, None)


def test_objects_that_do_not_answer(kelarec_archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is away is a figure, not an error: whoever monitors must be told of it."""

    def refuse(_: str) -> bytes:
        raise StorageError("away")

    monkeypatch.setattr(kelarec_archive._vault.objects, "read", refuse)
    health = kelarec_archive.health()
    assert (health.objects_answer, health.checkpoint_age) == (False, None)


@pytest.mark.usefixtures("call")
def test_it_holds_figures_only(kelarec_archive: Archive) -> None:
    """Every field is a number, a time or a code: no name, no id, no place."""
    allowed = {"datetime", "int", "timedelta | None", "str | None", "bool", "timedelta", "int | None"}
    shown = {getattr(each.type, "__name__", str(each.type)) for each in attrs.fields(Health)}
    assert {name.replace("datetime.", "") for name in shown} <= allowed
    assert kelarec_archive.health().at.date() == date(2026, 3, 5)
    kelarec_archive.close()
    with pytest.raises(ClosedError):
        kelarec_archive.health()
