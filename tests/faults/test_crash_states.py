"""No acknowledged byte is lost, and no wrong one read, in whatever state a crash leaves the disk (fault 3).

kill -9 keeps the page cache and cannot find a missing fsync; here unsynced writes are dropped, torn, zeroed and
reordered.
"""

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import pytest

from faults import crash_states
from faults.crash_states import CrashingFiles, StillFiles
from kelarec.storage import spool as spool_module
from kelarec.storage.segments import Segments
from kelarec.storage.spool import Spool
from kelarec.storage.spool_reading import FoundSpool
from kelarec.storage.spooled_take import SpooledPart, SpooledTake

ARCHIVE: Final = UUID("01900000-0000-7000-8000-000000000001")
KEY: Final = bytes(range(32))
NOW: Final = datetime(2026, 3, 5, 8, tzinfo=UTC)


def content_of(take: int, start: int, stop: int) -> bytes:
    """Return the bytes that a take of this test is written, each telling which take and where."""
    return b"".join((take << 24 | at).to_bytes(4, "big") for at in range(start // 4, stop // 4))


class CaughtError(Exception):
    """A violation was found, and one is enough."""


class Examiner:
    """Recovers each state and compares it with what was acknowledged by then."""

    def __init__(self, *, is_one_enough: bool = False) -> None:
        self._is_one_enough = is_one_enough
        self.states = 0
        self.violations: list[str] = []
        self.acknowledged: dict[int, int] = {}
        self.let_go: set[int] = set()
        self._seen: set[int] = set()

    def __call__(self, state: dict[str, bytes]) -> None:
        """Recover one state."""
        told = hash((tuple(sorted(state.items())), tuple(self.acknowledged.items()), len(self.let_go)))
        if told in self._seen:
            return
        self._seen.add(told)
        self.states += 1
        found = FoundSpool(StillFiles(state), ARCHIVE)
        for number, length in self.acknowledged.items():
            if number in self.let_go:
                continue
            take = found.takes.get(take_id(number))
            got = b""
            if take is not None and found.read_head(take) == head_of(number):
                got = read(found, number)
            if len(got) < length:
                self.violations.append(f"take {number}: {length} bytes acknowledged, {len(got)} there")
            if got != content_of(number, 0, len(got)):
                self.violations.append(f"take {number}: wrong bytes")
        if self.violations and self._is_one_enough:
            raise CaughtError


def take_id(number: int) -> bytes:
    """Return the id of a take of this test."""
    return number.to_bytes(16, "big")


def head_of(number: int) -> bytes:
    """Return the head of a take of this test."""
    return f"head of {number}".encode() * 20


def make_part(number: int) -> SpooledPart:
    """Return the one part of a take."""
    return SpooledPart(0, f"take {number}".encode())


def read(found: FoundSpool, number: int) -> bytes:
    """Return what a folder holds of a take from its beginning on."""
    from kelarec.storage.spool_reading import iter_messages  # noqa: PLC0415

    part = make_part(number)
    found.gather(found.takes[take_id(number)], part, KEY)
    spooled = SpooledTake(take_id(number), KEY, b"")
    spooled.parts.append(part)
    return b"".join(iter_messages(found.files, spooled, part, lambda file: found.names[file]))


def live(files: CrashingFiles, examiner: Examiner, make_spool: Callable[..., Spool] = Spool) -> None:
    """Let two takes live on a spool, group by group: written, acknowledged, given an own file, let go."""
    spool = make_spool(
        files,
        ARCHIVE,
        lambda: NOW,
        limit=None,
        on_ended=lambda _: None,
        on_durable=lambda _: None,
        on_failure=lambda _: None,
    )
    takes: dict[int, SpooledTake] = {}
    written: dict[int, int] = {}

    def write(number: int, length: int) -> None:
        part = takes[number].parts[0]
        part.chunks.append(content_of(number, written[number], written[number] + length))
        written[number] += length

    def group() -> None:
        future: Future[None] = spool.flush()
        promised = dict(written)

        def acknowledge(done: "Future[None]") -> None:
            if done.exception() is None:
                examiner.acknowledged.update(promised)

        future.add_done_callback(acknowledge)
        spool.run_group()

    for number in (1, 2):
        takes[number] = SpooledTake(take_id(number), KEY, head_of(number))
        takes[number].parts.append(make_part(number))
        written[number] = 0
        spool.add(takes[number])
        write(number, 1200)
        group()
    write(1, 2400)
    write(2, 400)
    group()
    spool._segments.retire()
    write(1, 400)
    group()
    with suppress(OSError):  # it tries again later
        spool._give_own_file(takes[1])
    takes[2].is_ended = True
    group()
    examiner.let_go.add(2)
    spool.let_go(takes[2])
    spool._segments.retire()
    write(1, 800)
    group()
    spool.tidy()
    with suppress(OSError):
        spool._give_own_file(takes[1])
    write(1, 400)
    group()
    spool.tidy()


def run(
    prepare: Callable[[CrashingFiles], None] = lambda _: None,
    *,
    is_one_enough: bool = False,
    **how: Any,  # noqa: ANN401  who makes the spool
) -> Examiner:
    """Run the takes over a medium and examine every state."""
    examiner = Examiner(is_one_enough=is_one_enough)
    files = CrashingFiles(examiner)
    prepare(files)
    live(files, examiner, **how)
    for state in files.iter_states():
        examiner(state)
    return examiner


def test_no_crash_state_loses_what_was_acknowledged(capsys: pytest.CaptureFixture[str]) -> None:
    """Fault 3: unsynced writes dropped, torn, zeroed, reordered, names lost: no violation."""
    examiner = run()
    with capsys.disabled():
        print(f"\ncrash states: {examiner.states} recovered, {len(examiner.violations)} violations")
    assert examiner.states > 300
    assert examiner.violations == []
    assert examiner.acknowledged == {1: 5200, 2: 1600}


@pytest.mark.deep
def test_no_torn_byte_is_believed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Fault 3 in full: each unsynced write torn at every single byte, with every page of it missing in turn."""
    monkeypatch.setattr(crash_states, "TEARS", None)
    examiner = run()
    with capsys.disabled():
        print(f"\ncrash states, torn at every byte: {examiner.states} recovered, {len(examiner.violations)} violations")
    assert examiner.states > 10_000
    assert examiner.violations == []


def test_a_failed_sync_is_not_asked_again(capsys: pytest.CaptureFixture[str]) -> None:
    """Fault 4: after EIO at each sync in turn what was unsynced goes to a new file, and no state loses it."""
    states = 0
    for failing in range(1, 11):
        examiner = run(lambda files, failing=failing: files.failing_syncs.add(failing))  # type: ignore[misc]
        states += examiner.states
        assert examiner.violations == []
        assert examiner.acknowledged == {1: 5200, 2: 1600}
    with capsys.disabled():
        print(f"\nEIO at each sync: {states} crash states recovered, 0 violations")


class AcksEarly(Spool):
    """A planted fault: tells that it is durable before it is synced."""

    def run_group(self) -> bool:
        """Acknowledge, then do the work."""
        while self._waiters:
            self._waiters.popleft().set_result(None)
        return super().run_group()


class AsksAgain(Segments):
    """A planted fault: asks a descriptor again whose sync has failed."""

    def append(self, frames: Any, now: float) -> Any:  # noqa: ANN401
        """Append, and after a failed sync sync once more."""
        segment = self._get_current(now)
        self._files.append(segment.handle, frames)
        try:
            self._files.sync(segment.handle)
        except OSError:
            self._files.sync(segment.handle)
        return segment


class LetsGoEarly(Spool):
    """A planted fault: needs shared files no more before the own file is synced."""

    def _give_own_file(self, take: SpooledTake) -> None:
        names = [name for name in self.files.list_names() if name.startswith("segment-")]
        sync = self.files.sync

        def remove_and_sync(handle: int) -> None:
            for name in names:
                self.files.remove(name)
            sync(handle)

        self.files.sync = remove_and_sync  # type: ignore[method-assign]
        try:
            super()._give_own_file(take)
        finally:
            self.files.sync = sync  # type: ignore[method-assign]


def _without_sync(files: CrashingFiles) -> None:
    files.sync = lambda handle: None  # type: ignore[method-assign]  # noqa: ARG005


def _without_names(files: CrashingFiles) -> None:
    files.sync_names = lambda: None  # type: ignore[method-assign]


def _first_sync_fails(files: CrashingFiles) -> None:
    files.failing_syncs.add(2)


MUTANTS: Final[dict[str, dict[str, Any]]] = {
    "fsync taken out": {"prepare": _without_sync},
    "names never synced": {"prepare": _without_names},
    "acknowledged before fsync": {"make_spool": AcksEarly},
    "shared file removed before the own file is synced": {"make_spool": LetsGoEarly},
    "fsync asked again after EIO": {"prepare": _first_sync_fails},
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_each_planted_fault_is_caught(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness proves itself: a spool with a fault of order or durability violates the promise in some state."""
    if mutant == "fsync asked again after EIO":
        monkeypatch.setattr(spool_module, "Segments", AsksAgain)
    with pytest.raises(CaughtError):
        run(is_one_enough=True, **MUTANTS[mutant])
