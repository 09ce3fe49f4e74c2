"""Consultations: what a person is told of the use of their recordings (Art. 15; C-579/21).

One consultation is one session by one recording, however many reads: when, what for, and which seconds were heard. Who
listened is not told: staff under the controller's authority are no recipients.
"""

from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from typing import Final
from uuid import UUID

from attrs import frozen

from kelarec.audit.entries import Entry, EntryKind

_OPENING: Final = frozenset({EntryKind.CONTENT_OPENED, EntryKind.CONTENT_HANDED_OUT})
CONSULTING: Final = _OPENING | {EntryKind.DETAILS_SHOWN, EntryKind.CONTENT_HEARD, EntryKind.MASKING_BEGUN}


@frozen
class Consultation:
    """One use of one recording inside the authority.

    Attributes:
        recording_id: Which recording.
        begun_at: When it was first used in the session, UTC.
        purpose: What for, the register's code.
        was_opened: Whether the content was opened, or only the details were shown.
        heard: The seconds of a call that were heard, each from and to, merged and in order. Empty for a chat, which is
            always read whole, and for a call that was opened in a process that died before it said what was heard.
    """

    recording_id: UUID
    begun_at: datetime
    purpose: str
    was_opened: bool
    heard: tuple[tuple[float, float], ...]


def to_consultations(entries: Iterable[Entry]) -> tuple[Consultation, ...]:
    """Group log entries into consultations, oldest first."""
    groups: dict[tuple[UUID, UUID], list[Entry]] = {}
    for entry in entries:
        if entry.kind in CONSULTING and entry.session_id is not None and entry.recording_id is not None:
            groups.setdefault((entry.session_id, entry.recording_id), []).append(entry)
    found = [_to_consultation(recording_id, group) for (_, recording_id), group in groups.items()]
    return tuple(sorted(found, key=lambda each: each.begun_at))


def _to_consultation(recording_id: UUID, group: list[Entry]) -> Consultation:
    ranges = [each for entry in group for each in parse_ranges(entry.facts.get("heard", ""))]
    return Consultation(
        recording_id=recording_id,
        begun_at=min(entry.at for entry in group),
        purpose=group[0].purpose or "",
        was_opened=any(entry.kind in _OPENING for entry in group),
        heard=merge_ranges(ranges),
    )


def merge_ranges(ranges: Iterable[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Return ranges in order, with those that touch or overlap made one."""
    merged: list[tuple[float, float]] = []
    for start, stop in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
        else:
            merged.append((start, stop))
    return tuple(merged)


def coarsen_ranges(ranges: tuple[tuple[float, float], ...], most: int) -> tuple[tuple[float, float], ...]:
    """Return at most so many ranges, closing the smallest gaps first: better too much told as heard than too little."""
    while len(ranges) > most:
        gaps = [later[0] - earlier[1] for earlier, later in pairwise(ranges)]
        at = gaps.index(min(gaps))
        ranges = (*ranges[:at], (ranges[at][0], ranges[at + 1][1]), *ranges[at + 2 :])
    return ranges


def format_ranges(ranges: Iterable[tuple[float, float]]) -> str:
    """Return ranges of seconds as text, such as ``12.000-17.000 20.500-21.000``."""
    return " ".join(f"{start:.3f}-{stop:.3f}" for start, stop in ranges)


def parse_ranges(text: str) -> tuple[tuple[float, float], ...]:
    """Return the ranges of seconds of a text."""
    pairs = (each.split("-") for each in text.split())
    return tuple((float(start), float(stop)) for start, stop in pairs)
