"""Figures that can be compared on a machine that is never quiet: works in turn, medians, ratios round by round."""

import statistics
from collections.abc import Callable
from time import perf_counter, thread_time

Work = Callable[[], float]


def timed(work: Callable[[], object], clock: Callable[[], float] = perf_counter) -> float:
    """Return how many seconds a work takes by a clock."""
    started = clock()
    work()
    return clock() - started


def timed_cpu(work: Callable[[], object]) -> float:
    """Return how many seconds of the processor a work takes in this thread, whatever else the machine does."""
    return timed(work, thread_time)


def in_turn(works: dict[str, Work], rounds: int) -> dict[str, list[float]]:
    """Do every work in turn, round after round; return the seconds of each."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            taken[name].append(work())
    return taken


def show(
    work: str, unit: str, amount: float, taken: dict[str, list[float]], aims: dict[str, tuple[float, float]]
) -> None:
    """Print the median of each, and the ratio to plain and bare as the median of those of each round.

    Rates are better if they are higher, µs if they are lower.
    """
    is_rate = unit != "µs"
    for name, seconds in taken.items():
        median = statistics.median(seconds)
        figure = amount / median if is_rate else median * 1e6 / amount
        told = []
        for base, aim in zip(("plain", "bare"), aims.get(name, (0.0, 0.0)), strict=True):
            if base in taken and name != base:
                pairs = zip(taken[base], seconds, strict=True)
                ratio = statistics.median(b / s if is_rate else s / b for b, s in pairs)
                told.append(f"{ratio:.2f} of {base}{judge(ratio, aim, is_rate=is_rate)}")
        print(f"| {work:<33} | {name:<8} | {figure:8,.0f} {unit:<4} | {', '.join(told)} |", flush=True)


def judge(ratio: float, aim: float, *, is_rate: bool) -> str:
    """Return the aim of a ratio, and whether it was missed; nothing if there is none."""
    if not aim:
        return ""
    reached = ratio >= aim if is_rate else ratio <= aim
    return f" (aim {'≥' if is_rate else '≤'} {aim:.2f}{'' if reached else ', missed'})"
