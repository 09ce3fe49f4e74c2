"""A take's whole life in a process that may be killed: forked for each run from one that has everything loaded.

Reads one JSON command a line and answers with what the child did, line by line, then ``exit``.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

from kelarec import Archive, AudioForm, Kind, Place, System
from kelarec.capture import drain
from kelarec.capture.sealing_in import TakenPart
from kelarec.capture.take import Take
from kelarec.errors import KelarecError, SpoolError
from kelarec.storage import spool
from kelarec.testing.builders import make_contact

RECORDER: Final = System("recorder@test")
PIECE: Final = 3200
STEPS: Final = 3


def sound(start: int, stop: int) -> bytes:
    """Return the bytes of the call, each four telling where they stand."""
    return b"".join((0x51000000 | at).to_bytes(4, "big") for at in range(start // 4, stop // 4))


def sentence(number: int) -> str:
    """Return a message of the chat."""
    return f"Viesti numero {number}: hakemukseni on vielä käsittelyssä"


def say(line: str) -> None:
    """Tell whoever watches."""
    os.write(1, f"{line}\n".encode())


def open_archive(folder: Path) -> Archive:
    """Open the archive of a run."""
    return Archive.open(
        objects=Place(folder / "archive", "FI"),
        keys=Place(folder / "keys", "FI"),
        root_key=f"keyfile:{folder / 'root.key'}",
        spool=Place(folder / "spool", "FI"),
    )


def wait_for_tracer(name: str) -> None:
    """Tell which threads there are, and wait until the one that is to be watched is."""
    tasks = {thread.name: thread.native_id for thread in threading.enumerate()}
    tasks["MainThread"] = threading.get_native_id()  # after a fork Python still tells the parent's
    if name not in tasks:
        return
    say(f"thread {tasks[name]}")
    status = Path(f"/proc/self/task/{tasks[name]}/status")
    deadline = time.monotonic() + 20
    while "TracerPid:\t0\n" in status.read_text() and time.monotonic() < deadline:
        time.sleep(0.002)


def begin_both(archive: Archive) -> tuple[Take, Take]:
    """Begin a call and a chat; the chat again and again, if the first group has failed meanwhile."""
    now = archive._vault.now()
    contact = make_contact(contact_id="the call", started_at=now)
    call = archive.capture.begin(contact, form=AudioForm(channels=2), by=RECORDER)
    contact = make_contact(contact_id="the chat", kind=Kind.CUSTOMER_CHAT, started_at=now)
    while True:
        try:
            return call, archive.capture.begin(contact, by=RECORDER)
        except SpoolError:
            time.sleep(0.05)


def live(archive: Archive, *, is_paced: bool = False) -> None:
    """Take a call and a chat, tell what was written and what was acknowledged, and finish both."""
    call, chat = begin_both(archive)
    for step in range(1, STEPS + 1):
        call.part("audio").write(sound((step - 1) * PIECE, step * PIECE))
        chat.say("customer", sentence(step))
        say(f"written {step}")
        while not _report(call.flush(), f"acknowledged {step}"):
            time.sleep(0.05)
        if is_paced:
            time.sleep(0.1)
    tell_failures(call, chat)
    for name, take in (("call", call), ("chat", chat)):
        _report(take.finish(), f"finished {name}")
    tell_failures(call, chat)


def tell_failures(*takes: Take) -> None:
    """Tell whose disk has failed."""
    for take in takes:
        if take.failed.done():
            say(f"failed {take.failed.result().code}")


def _report(future: Any, what: str) -> bool:  # noqa: ANN401  a future of whatever
    try:
        future.result(30)
    except KelarecError as error:
        say(f"refused {error.code}")
        return False
    say(what)
    return True


def _let_go_early(self: drain.Drain, ticket: int, take: Take) -> object:
    """A planted fault: the spool lets go before the archive has the recording."""
    parts = []
    for form, part in take.iter_parts():
        content = b"".join(self._spool.iter_content(take.spooled, part))
        parts.append(TakenPart(form, len(content), lambda content=content: iter([content])))  # type: ignore[misc]
    self._spool.let_go(take.spooled)
    self._spool._segments.retire()
    self._spool.tidy()
    return self._seal_parts(ticket, take, tuple(parts))


def run(command: dict[str, str]) -> None:
    """Do what a command says, in the child."""
    drain.WORKERS = 1  # type: ignore[misc]
    if command.get("tidy"):
        spool._TIDY_SECONDS = 0.02  # type: ignore[misc]
        spool._SHARED_SECONDS = 0.0  # type: ignore[misc]
    if command.get("mutant"):
        drain.Drain._seal = _let_go_early  # type: ignore[method-assign,assignment]
    watched = command.get("thread", "")
    archive = open_archive(Path(command["folder"]))
    if watched == "MainThread":
        wait_for_tracer(watched)
    if command["mode"] == "recover":
        for recovered in archive.capture.recover():
            say(f"recovered {recovered.recording.id}")
        return
    archive.capture._live._get_spool()
    if watched != "MainThread":
        wait_for_tracer(watched)
    live(archive, is_paced=bool(command.get("tidy")))
    archive.close()


def main() -> None:
    """Fork a child for each command."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                run(json.loads(line))
            except KelarecError as error:
                say(f"error {error.code}")
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        say("exit")


if __name__ == "__main__":
    main()
