"""Listens in child processes that are killed, and tells what each had read and what the log then holds.

Started by tests/access/test_killed_reader.py: ``python killed_reader.py FOLDER KILLS ORDER SEED``. The parent makes the
archive, closes it, and forks one child after the other; a fork of an open archive would be refused. Each child opens
the archive, begins a session, and is killed by SIGKILL at a call or return of a Python function somewhere between the
decision and the end of its first read, chosen by chance over all of them. The moment at which plaintext first exists in
the child it writes one byte into a pipe, so that a kill straight after it still leaves the evidence.
"""

import json
import os
import random  # noqa: TID251  seeded: one seed gives one run
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final
from uuid import UUID

from kelarec import Archive, Place, StaffId, System, create_key_file, kela_register
from kelarec.access.session import Session
from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.storage.chunks import SealedChunks
from kelarec.storage.sealing import SealedReader
from kelarec.testing.builders import make_contact, make_staff_member, make_wav
from kelarec.testing.clock import USUAL_START

EVIDENCE: Final = b"!"
ENDED: Final = b"."
USES: Final[dict[str, Callable[[Session, UUID], object]]] = {
    "open": lambda session, recording_id: session.open(recording_id).read(100),
    "clip": lambda session, recording_id: session.clip(recording_id, start=0, stop=0.1),
}


class Listener:
    """One archive on disk, and children that listen in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        create_key_file(folder / "root.key")
        self.places: dict[str, Any] = {
            "objects": Place(folder / "archive", "FI"),
            "keys": Place(folder / "keys", "FI"),
            "root_key": f"keyfile:{folder / 'root.key'}",
            "clock": lambda: USUAL_START,
        }
        with Archive.create(**self.places, register=kela_register(contact_point="Registry")) as archive:
            archive.staff.enrol(make_staff_member(), by=System("hr"))
            stored = archive.capture.store(make_contact(), ended_at=USUAL_START, content=make_wav(2), by=System("pbx"))
        self.recording_id = stored.id

    def count_steps(self, use: Callable[[Session, UUID], object]) -> int:
        """Return how many calls and returns lie between the decision and the end of the first read."""
        counted = 0

        def count(*_: object) -> None:
            nonlocal counted
            counted += 1

        for _ in range(2):  # the first time fills caches, which the children inherit
            counted = 0
            with Archive.open(**self.places) as archive, self._begin(archive) as session:
                sys.setprofile(count)
                use(session, self.recording_id)
                sys.setprofile(None)
        return counted

    def kill(self, use: Callable[[Session, UUID], object], step: int) -> tuple[bool, bool, bool]:
        """Kill a child at a step; return whether it lived to the end, had read anything, and has its log entry."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            self._listen(use, step, writing)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            told = pipe.read()
        os.waitpid(child, 0)
        session_id, seen = told[:16], told[16:]
        return ENDED in seen, EVIDENCE in seen, self._has_entry(session_id)

    def _begin(self, archive: Archive) -> Session:
        archive.audit._background.stop()
        return archive.session(by=StaffId("veikko"), purpose="verify-service-event", matter="KELA-1")

    def _listen(self, use: Callable[[Session, UUID], object], step: int, pipe: int) -> None:
        session = self._begin(Archive.open(**self.places))
        os.write(pipe, session.terms.id.bytes)
        for name in ("open_one", "open_into"):
            setattr(SealedChunks, name, _telling(getattr(SealedChunks, name), pipe))
        left = step

        def kill_in_time(_: FrameType, __: str, ___: object) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(kill_in_time)
        use(session, self.recording_id)
        sys.setprofile(None)
        os.write(pipe, ENDED)
        os._exit(0)

    def _has_entry(self, session_id: bytes) -> bool:
        with closing(sqlite3.connect(f"{self.folder / 'archive'}.catalog.sqlite", timeout=60)) as catalog:
            found = catalog.execute(
                "SELECT count(*) FROM "
                "(SELECT session_id, kind FROM entries UNION ALL SELECT session_id, kind FROM waiting) "
                "WHERE session_id = ? AND kind = ?",
                (session_id, EntryKind.CONTENT_OPENED.value),
            ).fetchone()
        return bool(found[0])


def _telling(open_chunks: Callable[..., object], pipe: int) -> Callable[..., object]:
    def open_and_tell(*arguments: object) -> object:
        opened = open_chunks(*arguments)
        os.write(pipe, EVIDENCE)
        return opened

    return open_and_tell


@contextmanager
def entry_after_the_read() -> Iterator[None]:
    """Plant the fault: the entry is held back at the decision and written when the first read is over."""
    append, read = AuditLog.append, SealedReader.read
    held: list[tuple[AuditLog, Any]] = []

    def hold_back(log: AuditLog, connection: Any, entry: Any) -> None:  # noqa: ANN401  as in the log
        if entry.kind is EntryKind.CONTENT_OPENED:
            held.append((log, entry))
        else:
            append(log, connection, entry)

    def read_first(reader: SealedReader, size: int | None = -1, /) -> bytes:
        content = read(reader, size)
        while held:
            log, entry = held.pop()
            with log._vault.database.begin() as connection:
                append(log, connection, entry)
        return content

    AuditLog.append, SealedReader.read = hold_back, read_first  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        AuditLog.append, SealedReader.read = append, read  # type: ignore[method-assign]


def run(folder: Path, kills: int, seed: int) -> dict[str, int]:
    """Kill so many children and count what came of it."""
    listener, dice = Listener(folder), random.Random(seed)  # noqa: S311  nothing secret
    steps = {name: listener.count_steps(use) for name, use in USES.items()}
    counts = dict.fromkeys(("kills", "lived", "read", "logged", "unlogged reads"), 0)
    for number in range(kills):
        name = list(USES)[number % len(USES)]
        # Half of the kills go to the last third, where entry and first plaintext lie.
        first = steps[name] * 2 // 3 if number // len(USES) % 2 else 0
        lived, was_read, is_logged = listener.kill(USES[name], dice.randrange(first, steps[name]))
        counts["kills"] += 1
        counts["lived"] += lived
        counts["read"] += was_read
        counts["logged"] += is_logged
        counts["unlogged reads"] += was_read and not is_logged
    return counts | {f"steps of {name}": each for name, each in steps.items()}


if __name__ == "__main__":
    folder_name, kills, order, seed_text = sys.argv[1:]
    if order == "entry-first":
        told = run(Path(folder_name), int(kills), int(seed_text))
    else:
        with entry_after_the_read():
            told = run(Path(folder_name), int(kills), int(seed_text))
    print(json.dumps(told))
