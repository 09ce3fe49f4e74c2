"""Fault 6: an object store that is slow, away, torn off or heard too late, at each call.

Every act ends as if nothing had happened: one object, whole, nothing half-made beside it, within bounded time. Notice
of 18.8.2020, section 10; GDPR, Art. 5(1)(f) and 32(1)(b).
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import pytest
from attrs import Factory, define

from kelarec.errors import KelarecError, UnreachableError
from kelarec.storage.objects.remote import RemoteObjects
from kelarec.storage.objects.requests import Part, Requests
from kelarec.storage.objects.retries import Retries
from kelarec.testing.faulty_objects import Fault, Faults, FaultyRequests
from object_servers import NAMES, Servers, open_remote

PATH: Final = "recordings/2026-03-05/one/audio-1"
PART: Final = 2**18
LARGE: Final = [bytes([number]) * 150_000 for number in range(5)]  # three parts


@define
class Timeless:
    """A clock that only sleeping moves."""

    seconds: float = 0.0
    waits: list[float] = Factory(list)

    def __call__(self) -> float:
        """Return the seconds so far."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Move it."""
        self.waits.append(seconds)
        self.seconds += seconds


Act = Callable[[RemoteObjects], object]


def write_small(place: RemoteObjects) -> object:
    """Write an object of one request."""
    return place.write(PATH, [b"one ", b"two"])


def write_large(place: RemoteObjects) -> object:
    """Write an object in parts."""
    return place.write(PATH, iter(LARGE))


def replace(place: RemoteObjects) -> object:
    """Change a pointer."""
    place.replace("pointer", b"new")
    return None


def read(place: RemoteObjects) -> object:
    """Read in each way."""
    return place.read("there/1"), place.read_range("there/2", 1, 3), place.get_size("there/3")


def list_all(place: RemoteObjects) -> object:
    """List everything."""
    return list(place.iter_paths())


def delete(place: RemoteObjects) -> object:
    """Delete one and several."""
    place.delete("there/1")
    place.delete_many(["there/2", "there/3"])
    return None


BEFORE: Final = {"there/1": b"first", "there/2": b"second", "there/3": b"third", "pointer": b"old"}
ACTS: Final[dict[str, tuple[Act, object, dict[str, bytes]]]] = {
    "write": (write_small, 7, BEFORE | {PATH: b"one two"}),
    "write in parts": (write_large, 750_000, BEFORE | {PATH: b"".join(LARGE)}),
    "replace": (replace, None, BEFORE | {"pointer": b"new"}),
    "read": (read, (b"first", b"ec", 5), BEFORE),
    "list": (list_all, sorted(BEFORE), BEFORE),
    "delete": (delete, None, {"pointer": b"old"}),
}


@define
class Figures:
    """What a run over all points found."""

    points: int = 0
    violations: list[str] = Factory(list)
    longest: float = 0.0


class Harness:
    """Does each act with each fault at each of its calls, and looks at what is there afterwards."""

    def __init__(
        self, inner: Requests, *, make: type[RemoteObjects] = RemoteObjects, shows_half: bool = False, attempts: int = 6
    ) -> None:
        self._inner = inner
        self._plain = RemoteObjects(inner)
        self._make = make
        self._shows_half = shows_half
        self._attempts = attempts
        self._there: dict[str, bytes] = {}

    def run(self, faults: Iterable[Fault] = Fault, acts: Iterable[str] = tuple(ACTS), *, runs: int = 1) -> Figures:
        """Go through all points; each fault hits so many calls one after the other."""
        figures = Figures()
        for name in acts:
            calls = self._try(name, Fault.TIMEOUT, (), Figures())
            for fault in faults:
                for first in range(1, calls + 1):
                    figures.points += 1
                    self._try(name, fault, range(first, first + runs), figures)
        return figures

    def _try(self, name: str, fault: Fault, at: Iterable[int], figures: Figures) -> int:
        act, expected, after = ACTS[name]
        self._restore()
        time = Timeless()
        plan = Faults(fault, at, sleep=time.sleep)
        faulty = FaultyRequests(self._inner, plan, shows_half=self._shows_half)
        faulty.part_bytes = PART
        retries = Retries(attempts=self._attempts, sleep=time.sleep, ticks=time, randomness=bytes)
        point = f"{name}, {fault.value} at {list(at)}"
        try:
            if act(self._make(faulty, retries)) != expected:
                figures.violations.append(f"{point}: another answer")
        except KelarecError as error:
            figures.violations.append(f"{point}: {error.code}")
        differences = list(self._differences(after))
        figures.violations += [f"{point}: {what}" for what in differences]
        self._there = {} if differences else after
        figures.longest = max(figures.longest, time.seconds)
        return plan.calls

    def _restore(self) -> None:
        surplus = self._there.keys() - BEFORE.keys() if self._there else self._plain.iter_paths()
        self._plain.delete_many(list(surplus))
        for path, content in BEFORE.items():
            if self._there.get(path) != content:
                self._plain.replace(path, content)

    def _differences(self, after: dict[str, bytes]) -> Iterator[str]:
        paths = list(self._plain.iter_paths())
        if paths != sorted(after):
            yield f"{paths} are there"
        elif dict(self._plain.read_many(paths)) != after:
            yield "another content"
        if self._list_unfinished():
            yield "something unfinished is left"

    def _list_unfinished(self) -> list[str]:
        list_uploads = getattr(self._inner, "_list_uploads", None)
        return [] if list_uploads is None else list(list_uploads(PATH))


@pytest.mark.parametrize("name", NAMES)
def test_each_fault_at_each_call(servers: Servers, name: str) -> None:
    """Time-out, 503, reset, slow, lost reply, torn, at each call: no violation, and the waits are bounded."""
    acts = [act for act in ACTS if name != "swift" or act.startswith("write")]  # it takes its time
    figures = Harness(open_remote(servers.get(name))._requests).run(acts=acts)
    print(f"\nfault 6, {name}: {figures.points} points, {len(figures.violations)} violations, {figures.longest:.1f} s")
    assert figures.violations == []
    assert figures.points >= 40
    assert figures.longest < 5


@pytest.mark.deep
@pytest.mark.parametrize("name", NAMES)
def test_each_fault_at_each_call_three_times_over(servers: Servers, name: str) -> None:
    """The same where the fault lasts for three calls."""
    figures = Harness(open_remote(servers.get(name))._requests).run(runs=3)
    print(f"\nfault 6, three times, {name}: {figures.points} points, {len(figures.violations)} violations")
    assert figures.violations == []


class Forgetful(RemoteObjects):
    """A place that makes a request again without asking whether the first one did it: a planted fault."""

    def _is_written(self, path: str, last: Part, *, must_be_ours: bool = True) -> bool:  # noqa: ARG002
        return False


def test_the_harness_notices_retries_that_do_not_ask(servers: Servers) -> None:
    """Planted: a write is made again blindly after a lost reply; on a store that refuses the second one it shows."""
    inner = open_remote(servers.get("azurite"))._requests
    figures = Harness(inner, make=Forgetful).run([Fault.LOST_REPLY], ["write", "write in parts"])
    print(f"\nplanted, blind retries: {len(figures.violations)} violations at {figures.points} points")
    assert any("object-exists" in each for each in figures.violations)


def test_the_harness_notices_half_an_object(servers: Servers) -> None:
    """Planted: a store that shows half an object when a write is torn."""
    inner = open_remote(servers.get("sftp"))._requests
    figures = Harness(inner, shows_half=True).run([Fault.TORN], ["write"])
    print(f"\nplanted, half objects: {len(figures.violations)} violations at {figures.points} points")
    assert any("another content" in each for each in figures.violations)


def test_the_harness_notices_that_nothing_is_retried(servers: Servers) -> None:
    """Planted: one attempt only."""
    inner = open_remote(servers.get("sftp"))._requests
    figures = Harness(inner, attempts=1).run([Fault.RESET], ["write", "read"])
    print(f"\nplanted, no retries: {len(figures.violations)} violations at {figures.points} points")
    assert len(figures.violations) >= figures.points


def test_a_store_that_stays_away_is_an_error_within_bounds(servers: Servers) -> None:
    """After bounded attempts it is said that it could not be told; it is not said that there is nothing."""
    time = Timeless()
    faulty = FaultyRequests(open_remote(servers.get("sftp"))._requests, Faults(Fault.TIMEOUT, range(1, 1000)))
    place = RemoteObjects(faulty, Retries(sleep=time.sleep, ticks=time))
    acts: list[Callable[[], object]] = [
        lambda: place.read(PATH),
        lambda: place.get_size(PATH),
        lambda: place.write(PATH, [b"one"]),
        lambda: place.delete(PATH),
        lambda: list(place.iter_paths()),
    ]
    for act in acts:
        with pytest.raises(UnreachableError) as caught:
            act()
        assert "could not be told" in str(caught.value)
        assert caught.value.code == "unreachable"
    assert len(time.waits) == 5 * len(acts)
    assert time.seconds < 60 * len(acts)


@define
class Constant:
    """Randomness that is none."""

    given: bytes

    def __call__(self, size: int) -> bytes:
        """Return so many bytes."""
        return self.given[:size]


def test_waits_grow_and_are_spread_by_chance() -> None:
    """Each wait is at most twice the one before, at least half of its longest, and never over the limit."""
    spread: set[float] = set()
    for byte in (0, 85, 170, 255):
        time = Timeless()

        def fail() -> None:
            raise UnreachableError("away")

        chance = bytes([byte] * 4)
        retries = Retries(attempts=9, sleep=time.sleep, ticks=time, randomness=Constant(chance))
        with pytest.raises(UnreachableError):
            retries.run(fail)
        longest = [min(5.0, 0.2 * 2**number) for number in range(8)]
        assert all(most / 2 <= wait <= most for wait, most in zip(time.waits, longest, strict=True))
        spread.add(time.waits[0])
    assert len(spread) == 4


def test_no_attempt_is_begun_after_the_time_is_over() -> None:
    """An answer that never comes ends within the time given, however many attempts are left."""
    time = Timeless()

    def hang() -> None:
        time.seconds += 20
        raise UnreachableError("away")

    with pytest.raises(UnreachableError):
        Retries(attempts=1000, within=60, sleep=time.sleep, ticks=time).run(hang)
    assert 60 <= time.seconds <= 80
