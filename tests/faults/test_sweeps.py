"""A sweep killed between any two steps, wrong clocks, a hold at the last second (faults 16, 17, 20; section 9)."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Final

import pytest
from attrs import frozen
from sqlalchemy import select

from faults.mortal import Killed, Life, make_mortal
from kelarec import Archive, Recording, Register, System
from kelarec.audit.entries import Entry, EntryKind
from kelarec.domain.hold import Hold, HoldState
from kelarec.domain.instants import end_of, helsinki_date
from kelarec.errors import ClockError, ClocksDisagreeError, KelarecError
from kelarec.retention import clearing
from kelarec.retention.sweep import Retention
from kelarec.storage import catalog_tables as tables
from kelarec.storage import closed_dates
from kelarec.storage.holds import Holds
from kelarec.storage.recordings import Recordings
from kelarec.testing.builders import make_contact, make_wav
from kelarec.testing.clock import ManyClocks, MovableClock

RECORDER: Final = System("recorder@test")
SWEEPER: Final = System("sweep@test")
DAY: Final = timedelta(days=1)
HOUR: Final = timedelta(hours=1)
INSTANT: Final = timedelta(microseconds=1)
WAV: Final = make_wav(0.02)
YEAR: Final = timedelta(days=365)


def store(archive: Archive) -> Recording:
    """Store a call that starts now."""
    at = archive._vault.now()
    contact = make_contact(started_at=at)
    return archive.capture.store(contact, ended_at=at + timedelta(seconds=1), content=WAV, by=RECORDER)


def hold(archive: Archive, recording: Recording, *, days: int) -> Hold:
    """Hold a recording for some days from now."""
    review_on = helsinki_date(archive._vault.now()) + days * DAY
    return archive.retention.hold(
        [recording.id], ground="legal-claim", reason="It is before the court", review_on=review_on, by=RECORDER
    )


# Two dates end: that of the recordings, and the one by which a hold was to be reviewed. Once the hold has moved on, the
# latter holds nothing, so that a sweep after one that was killed just then destroys its keys as those of an empty date.
TOLD: Final = {
    EntryKind.KEYS_DESTROYED: {1, 2},
    EntryKind.DATE_CLEARED: {1, 2},
    EntryKind.HOLD_PLACED: {4},
    EntryKind.HOLD_MOVED_ON: {1},
    EntryKind.LEAF_DESTROYED: {1},
}


@frozen
class Scene:
    """An archive with a date that is over.

    Attributes:
        gone: Recordings that the sweep ends.
        kept: Recordings that holds keep, or whose date is another.
        day: The date.
    """

    archive: Archive
    gone: tuple[Recording, ...]
    kept: tuple[Recording, ...]
    day: date


def make_scene(register: Register) -> Scene:
    """Make one: five to end, one held, one under a hold nobody reviewed, one under a hold broken off, one released."""
    clock = MovableClock()
    archive = Archive.in_memory(register, clock=clock)
    calls = [store(archive) for _ in range(9)]
    *gone, held, unreviewed, announced, released = calls
    hold(archive, unreviewed, days=364)
    clock.set(end_of(held.kept_through) - 12 * HOUR)
    later = store(archive)
    hold(archive, held, days=200)
    placed = hold(archive, released, days=100)
    vault, recordings = archive._vault, Recordings(archive._vault)
    holds = Holds(vault, recordings)
    review_on = helsinki_date(clock()) + 50 * DAY
    broken = Hold(
        id=vault.new_id(), recording_ids=[announced.id], kind="other", ground="legal-claim", reason="Broken off",
        placed_by=str(RECORDER), placed_at=clock(), review_on=review_on,
    )  # fmt: skip
    intended = holds.write(broken)
    with vault.database.begin() as connection:
        holds.intend(connection, intended)
        entry = archive.audit.new_entry(EntryKind.HOLD_RELEASED, SWEEPER, hold=str(placed.id))
        archive.audit.append(connection, entry)
        holds.release(connection, placed.id)  # whoever released it died before its key leaves
    clock.set(end_of(held.kept_through) + HOUR)
    archive.audit.abandon()
    return Scene(archive, (*gone, released), (held, unreviewed, announced, later), held.kept_through)


def opens(archive: Archive, recording: Recording) -> bool:
    """Whether a recording's row is there and opens, by its own key or a hold's."""
    with archive._vault.database.begin() as connection:
        return Recordings(archive._vault).find_one(connection, recording.id) is not None


def count_kinds(archive: Archive) -> Counter[str]:
    """Count the log's entries by kind, without asking the log."""
    with archive._vault.database.begin() as connection:
        logs = (tables.entries, tables.waiting)
        return Counter(kind for log in logs for kind in connection.execute(select(log.c.kind)).scalars())


def list_told(archive: Archive) -> list[str]:
    """Return the dates of which the log tells that their keys were destroyed."""
    rows = archive.audit.get_rows_of_dead_keys(datetime(2020, 1, 1, tzinfo=UTC))
    entries = [archive.audit.open_payload(row) for row in rows]
    return [each.facts["kept-through"] for each in entries if each.kind is EntryKind.KEYS_DESTROYED]


def iter_violations_at_once(scene: Scene) -> Iterator[str]:
    """Go through what must never be so, not even between two steps of a sweep."""
    if not all(opens(scene.archive, each) for each in scene.kept):
        yield "a recording that is held or not over is lost"
    if set(list_told(scene.archive)) & {day.isoformat() for day in scene.archive._vault.keyring.iter_days()}:
        yield "the log says that keys are destroyed which are there"


def iter_violations_in_the_end(scene: Scene) -> Iterator[str]:
    """Go through what must not be so after the next sweep."""
    archive = scene.archive
    yield from iter_violations_at_once(scene)
    if any(opens(archive, each) for each in scene.gone):
        yield "a recording outlives its day"
    kinds = count_kinds(archive)
    if len(told := list_told(archive)) != len(set(told)) or scene.day.isoformat() not in told:
        yield f"keys destroyed on {told}"
    for kind, expected in TOLD.items():
        if kinds[kind] not in expected:
            yield f"{kinds[kind]} entries of {kind.value}"
    left = {path.split("/")[2] for path in archive._vault.objects.iter_paths("recordings")}
    if left != {str(each.id) for each in scene.kept}:
        yield "objects of other recordings than those kept are there"
    with archive._vault.database.begin() as connection:
        closed = closed_dates.find(connection, scene.day)
        states = Counter(state for _, state in Holds(archive._vault, Recordings(archive._vault)).iter_all(connection))
    if closed is None or closed.cleared_at is None or closed.removed != len(scene.gone):
        yield f"the counts are wrong: {closed}"
    if states != {HoldState.PLACED: 3}:
        yield f"holds stand as {states}"
    try:
        archive.verify(by=SWEEPER)
    except KelarecError as error:
        yield f"it does not verify: {error}"


def kill_at(register: Register, step: int) -> tuple[list[str], list[str]]:
    """Kill a sweep before a step and sweep again; return the steps that it got through, and what was violated."""
    scene = make_scene(register)
    life = Life(step)
    retention, log = make_mortal(scene.archive, life)
    with suppress(Killed):
        retention.sweep(by=SWEEPER)
    log.abandon()
    violated = [*iter_violations_at_once(scene)]
    scene.archive._vault.keyring._forget(scene.day)
    Retention(scene.archive._vault, scene.archive.audit, scene.archive._registers).sweep(by=SWEEPER)
    violated += iter_violations_in_the_end(scene)
    again = scene.archive.retention.sweep(by=SWEEPER)
    if again.dates or again.moved_holds:
        violated.append("a further sweep found something to do")
    scene.archive.close()
    return life.steps, violated


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clear away two recordings at a time, so that there is much between which a sweep can be killed."""
    monkeypatch.setattr(clearing, "RECORDINGS_AT_ONCE", 2)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.deep)])
def test_a_sweep_killed_between_any_two_steps_converges(kelarec_register: Register, every: int) -> None:
    """Whatever a killed sweep leaves, the next one finishes: all gone that must, all kept that must, each told once."""
    steps, violated = kill_at(kelarec_register, 0)
    assert violated == [], violated
    found = {}
    points = range(1, len(steps) + 1, every)
    for step in points:
        _, violated = kill_at(kelarec_register, step)
        if violated:
            found[step, steps[step - 1]] = violated
    print(f"\na sweep of {len(steps)} steps killed at {len(points)}: {len(found)} violations")
    assert found == {}


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("plant", ["told apart", "told before", "holds left alone", "read only once"])
def test_the_harness_sees_planted_faults(
    kelarec_register: Register, monkeypatch: pytest.MonkeyPatch, plant: str
) -> None:
    """With the log told apart or too early, holds not seen to, or rows of the held removed, it reports violations."""
    from kelarec.retention.expiry import Expiry  # noqa: PLC0415
    from kelarec.storage import ended_recordings  # noqa: PLC0415

    if plant == "told apart":
        destroyed = Expiry._destroy

        def tell_later(self: Expiry, day: date, by: System) -> None:
            untold: list[Entry] = []
            log = self._log
            assert log is not None
            with monkeypatch.context() as patched:
                patched.setattr(log, "append", lambda _, entry: untold.append(entry))
                destroyed(self, day, by)
            for entry in untold:
                log.write(entry)

        monkeypatch.setattr(Expiry, "_destroy", tell_later)
    elif plant == "told before":
        destroy = Expiry._destroy

        def tell_first(self: Expiry, day: date, by: System) -> None:
            with self._vault.database.begin() as connection:
                self._tell(connection, day, by)
            destroy(self, day, by)

        monkeypatch.setattr(Expiry, "_destroy", tell_first)
    elif plant == "holds left alone":
        monkeypatch.setattr(Expiry, "see_to_holds", lambda *_, **__: [])
        monkeypatch.setattr(Holds, "is_in_the_way", lambda *_: False)
    else:
        rows = tables.recordings.c
        monkeypatch.setattr(ended_recordings, "_ending", lambda day: (rows.kept_through == day.toordinal(),))
    steps, violated = kill_at(kelarec_register, 0)
    for step in range(1, len(steps) + 1, 2):
        if violated:
            break
        with suppress(KelarecError):
            violated += kill_at(kelarec_register, step)[1]
    print(f"\nplanted: {plant}: {violated[:1]}")
    assert violated


# Clocks (fault 17) ---------------------------------------------------------------------------------------------------

JUMPS: Final = {"an hour": HOUR, "a day": DAY, "a year": YEAR, "ten years": 10 * YEAR}


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS.keys())
@pytest.mark.parametrize("sign", [1, -1], ids=["ahead", "back"])
@pytest.mark.parametrize("wrong", ["own", "database"])
def test_one_of_two_clocks_jumps(kelarec_register: Register, jump: timedelta, sign: int, wrong: str) -> None:
    """If one of two clocks is wrong, nothing is destroyed, also if it has written to the log, and the sweep says so."""
    own, database = MovableClock(), MovableClock()
    with Archive.in_memory(kelarec_register, clock=ManyClocks(own, database=database)) as archive:
        call = store(archive)
        for clock in (own, database):
            clock.set(end_of(call.kept_through) - 2 * DAY)
        store(archive)
        {"own": own, "database": database}[wrong].move(sign * jump)
        if wrong == "own":  # it has written log entries already
            archive.audit.write(archive.audit.new_entry(EntryKind.LOG_READ, RECORDER))
        before = set(archive._vault.keyring.iter_days())
        with pytest.raises(ClocksDisagreeError) as caught:
            archive.retention.sweep(by=SWEEPER, catch_up=[call.kept_through])
        assert "database" in str(caught.value)
        assert set(archive._vault.keyring.iter_days()) >= before
        assert opens(archive, call)
        # Set right again: the log may hold an entry of a time to come, so that the due dates have to be named.
        for clock in (own, database):
            clock.set(end_of(call.kept_through) + HOUR)
        if wrong == "own" and sign > 0 and jump > 3 * DAY:
            with pytest.raises(ClockError, match="log holds an entry"):
                archive.retention.sweep(by=SWEEPER)
            assert opens(archive, call)
        swept = archive.retention.sweep(by=SWEEPER, catch_up=[call.kept_through])
        assert call.kept_through in [each.kept_through for each in swept]
        archive.audit.abandon()
        own.set(max(own(), datetime(2040, 1, 1, tzinfo=UTC)))  # or the log could not be integrated when it closes


@pytest.mark.parametrize("dates", [2, 3, 4, 30])
def test_with_one_clock_three_dates_at_most(kelarec_register: Register, dates: int) -> None:
    """A single clock a year ahead ends three dates at most, and of what it stored since nothing is lost."""
    clock = MovableClock()
    with Archive.in_memory(kelarec_register, clock=clock) as archive:
        calls = []
        for _ in range(dates):
            calls.append(store(archive))
            clock.move(DAY)
        clock.set(calls[-1].ends_at + YEAR)
        if dates > 3:
            with pytest.raises(ClockError):
                archive.retention.sweep(by=SWEEPER)
        else:
            archive.retention.sweep(by=SWEEPER)
        assert sum(not opens(archive, each) for each in calls) == (dates if dates <= 3 else 0)


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)], ids=["summer time begins", "it ends"])
def test_a_date_of_23_or_25_hours_ends_at_its_midnight(kelarec_register: Register, day: date) -> None:
    """The keys of a day on which the clocks change die an hour after its own midnight in Helsinki (section 9)."""
    clock = MovableClock(end_of(day.replace(year=2025) - DAY) + 3 * HOUR)
    with Archive.in_memory(kelarec_register, clock=clock) as archive:
        call = store(archive)
        assert call.kept_through == day
        clock.set(end_of(day) + HOUR - INSTANT)
        assert archive.retention.sweep(by=SWEEPER).dates == ()
        assert opens(archive, call)
        clock.move(INSTANT)
        assert [each.recordings for each in archive.retention.sweep(by=SWEEPER)] == [1]


# A hold at the last second (done line 4) -----------------------------------------------------------------------------


@pytest.mark.usefixtures("small_batches")
def test_a_hold_at_the_last_second_keeps_its_recording(kelarec_register: Register) -> None:
    """Announced at 23:59:59 on one machine while another sweeps, a hold keeps its recording and only it, or says no."""
    outcomes = Counter[str]()
    step, is_over = 0, False
    while not is_over:
        step += 1
        clock = MovableClock()
        with Archive.in_memory(kelarec_register, clock=clock) as archive:
            held, *others = [store(archive) for _ in range(4)]
            clock.set(end_of(held.kept_through) + HOUR)
            life = _Interrupt(step, partial(_hold_late, archive, held, clock, outcomes))
            retention, log = make_mortal(archive, life)
            retention.sweep(by=SWEEPER)
            archive._vault.keyring._forget(held.kept_through)
            archive.retention.sweep(by=SWEEPER)
            is_over = not life.has_come
            placed = archive.retention.list_holds(by=SWEEPER)
            assert opens(archive, held) == bool(placed)
            assert not any(opens(archive, each) for each in others)
            if placed:
                archive.retention.release(placed[0].id, by=SWEEPER)
                archive.retention.sweep(by=SWEEPER)
                assert not opens(archive, held)
            assert list(archive._vault.objects.iter_paths("recordings")) == []
            log.abandon()
            archive.verify(by=SWEEPER)
    print(f"\na hold at 23:59:59 before each of {step - 1} transactions of a sweep: {dict(outcomes)}")
    assert set(outcomes) == {"kept", "date-closed", "denied"}


class _Interrupt(Life):
    def __init__(self, at: int, act: Callable[[], None]) -> None:
        super().__init__()
        self._at = at
        self._act = act
        self.has_come = False

    def step(self, name: str) -> None:
        self.steps.append(name)
        if name == "begin":  # within a transaction nobody else can be on SQLite
            self._at -= 1
            if self._at == 0:
                self.has_come = True
                self._act()


def _hold_late(archive: Archive, held: Recording, clock: MovableClock, outcomes: Counter[str]) -> None:
    now = clock()
    clock.set(end_of(held.kept_through) - timedelta(seconds=1))
    try:
        archive.retention.hold(
            [held.id], ground="legal-claim", reason="It is before the court", review_on=date(2027, 6, 1),
            by=System("officer@node2"),
        )  # fmt: skip
    except KelarecError as error:
        outcomes[error.code] += 1
    else:
        outcomes["kept"] += 1
    finally:
        clock.set(now)
