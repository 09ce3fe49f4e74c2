"""Killed at any system call of its life, a take loses nothing that was acknowledged (faults 1, 2, 4 and 5).

strace kills, fails or fills at the n-th call of one thread; afterwards the archive is opened, recovered, and compared.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest
from attrs import define, field, frozen
from sqlalchemy import select

from faults.take_life import PIECE, STEPS, open_archive, sentence, sound
from kelarec import Archive, Chat, Place, State, create_key_file, kela_register
from kelarec.storage import catalog_tables as tables
from kelarec.storage.json_form import from_json
from kelarec.storage.recordings import OpenedRecord, Recordings
from kelarec.storage.sealing import SealedReader

STRACE: Final = shutil.which("strace")
CALLS: Final = "write,writev,pwrite64,fsync,fdatasync,rename,link,linkat,unlink,openat,ftruncate,mkdir,rmdir"
THREADS: Final = ("MainThread", "kelarec-spool-write-on", "kelarec-rows", "kelarec-drain-0")
TIDY: Final = "kelarec-spool-tidy-on"

pytestmark = pytest.mark.skipif(STRACE is None, reason="strace is not installed")


@define
class Zygote:
    """A process that has everything loaded and forks one child for each command."""

    process: "subprocess.Popen[str]"

    def run(self, command: dict[str, str], *strace: str, log: Path | None = None) -> list[str]:
        """Let a child live, watched by strace if it is told how; return what it told."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        told: list[str] = []
        tracer = None
        for line in self.process.stdout:
            words = line.strip()
            if words == "exit":
                break
            if words.startswith("thread ") and strace:
                output = ["-o", str(log)] if log else ["-o", "/dev/null"]
                command_line = ["strace", "-q", "-y", *output, *strace, "-p", words.split()[1]]
                tracer = subprocess.Popen(command_line, stderr=subprocess.DEVNULL)
            else:
                told.append(words)
        if tracer is not None:
            tracer.wait(20)
        return told


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    """The process that forks the children."""
    script = Path(__file__).with_name("take_life.py")
    with subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Zygote(process)
        assert process.stdin is not None
        process.stdin.close()


@frozen
class Ground:
    """Where runs happen, each in a copy of one new archive."""

    base: Path
    runs: Path
    counted: list[int] = field(factory=list)

    def new_run(self) -> Path:
        """Return the folder of a new run."""
        self.counted.append(1)
        folder = self.runs / str(len(self.counted))
        shutil.copytree(self.base, folder)
        return folder


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """A new archive with a spool, to be copied."""
    base = tmp_path_factory.mktemp("base")
    create_key_file(base / "root.key")
    Archive.create(
        objects=Place(base / "archive", "FI"),
        keys=Place(base / "keys", "FI"),
        root_key=f"keyfile:{base / 'root.key'}",
        spool=Place(base / "spool", "FI"),
        register=kela_register(contact_point="Registry office"),
    ).close()
    return Ground(base, tmp_path_factory.mktemp("runs"))


def count_calls(zygote: Zygote, ground: Ground, command: dict[str, str], thread: str, calls: str) -> int:
    """Return how many of some system calls a thread makes in a whole life."""
    folder = ground.new_run()
    log = folder / "calls"
    prepare(zygote, folder, command)
    zygote.run({**command, "folder": str(folder), "thread": thread}, "-e", f"trace={calls}", log=log)
    return sum("(" in line for line in log.read_text().splitlines() if not line.startswith(("---", "+++")))


def prepare(zygote: Zygote, folder: Path, command: dict[str, str]) -> None:
    """Before a recovery can be killed something must have been left to recover."""
    if command["mode"] == "recover":
        inject = "inject=fdatasync:signal=KILL:when=3"
        life = {"mode": "live", "folder": str(folder), "thread": "kelarec-spool-write-on"}
        zygote.run(life, "-e", "trace=fdatasync", "-e", inject)


Found = dict[str, list[tuple[OpenedRecord, dict[str, bytes]]]]


def read_all(archive: Archive) -> Found:
    """Return every recording by its contact, with the content of its parts."""
    vault = archive._vault
    recordings = Recordings(vault)
    found: Found = {}
    with vault.database.begin() as connection:
        for recording_id in connection.execute(select(tables.recordings.c.id)).scalars().all():
            opened = recordings.find_one(connection, UUID(bytes=recording_id))
            assert opened is not None
            parts = {}
            for part in opened.record.details.parts:
                with recordings.open_part(opened, part, lambda: None, SealedReader) as reader:
                    parts[part.name] = reader.read()
            found.setdefault(opened.record.details.contact.contact_id, []).append((opened, parts))
    return found


def list_files(folder: Path) -> list[str]:
    """Return all files of the archive, its spool and its keys, without the log, which grows by being opened."""
    below = [folder / name for name in ("archive/recordings", "spool", "keys")]
    return sorted(str(path) for place in below for path in place.rglob("*") if path.is_file())


def find_violations(folder: Path, told: list[str]) -> list[str]:
    """Recover what a killed process left, and name every promise that does not hold."""
    violations = find_plaintext(folder)
    with open_archive(folder) as archive:
        archive.capture.recover()
        found = read_all(archive)
        files = list_files(folder)
        if archive.capture.recover() or list_files(folder) != files or read_all(archive) != found:
            violations.append("a second recovery changed something")
    violations += find_inequalities(folder, found, told)
    acknowledged = max((int(line.split()[1]) for line in told if line.startswith("acknowledged")), default=0)
    written = max((int(line.split()[1]) for line in told if line.startswith("written")), default=0)
    for what, compare in (("the call", _compare_call), ("the chat", _compare_chat)):
        [(_, parts), *more] = found.get(what, [(None, {})])
        length = compare(parts)
        if more:
            violations.append(f"{what} has {1 + len(more)} recordings")
        if length is None or length > written:
            violations.append(f"{what} holds wrong bytes")
        elif length < acknowledged:
            violations.append(f"{what}: {acknowledged} acknowledged, {length} there")
    if list((folder / "spool").glob("*/segment-*")):
        violations.append("the spool still holds something")
    return violations


def find_inequalities(folder: Path, found: "Found", told: list[str]) -> list[str]:
    """Name where catalog and objects differ, and what is not whole although it was finished."""
    violations, named = [], set()
    for contact, recordings in found.items():
        for opened, _ in recordings:
            recording, details = opened.record.recording, opened.record.details
            home = folder / "archive" / "recordings" / recording.recorded_on.isoformat() / str(recording.id)
            named |= {home / part.object_name for part in details.parts}
            if recording.state is not State.KEPT or not details.parts:
                violations.append(f"{contact} is not in the archive")
            if details.cut is not None and f"finished {contact.removeprefix('the ')}" in told:
                violations.append(f"{contact} was finished and is cut")
    files = (folder / "archive" / "recordings").rglob("*")
    there = {path for path in files if path.is_file() and path.suffix != ".part"}  # a write that has not finished
    records = {path for path in there if path.name.startswith("record-")}
    if there - records != named or len(records) != sum(map(len, found.values())):
        violations.append("catalog and objects are not equal")
    return violations


def _compare_call(parts: dict[str, bytes]) -> int | None:
    audio = parts.get("audio", b"")[58:]
    return None if audio != sound(0, len(audio)) or len(audio) % PIECE else len(audio) // PIECE


def _compare_chat(parts: dict[str, bytes]) -> int | None:
    if "chat" not in parts:
        return 0
    texts = [message.text for message in from_json(parts["chat"], Chat).messages]
    return None if texts != [sentence(number) for number in range(1, len(texts) + 1)] else len(texts)


def find_plaintext(folder: Path) -> list[str]:
    """Name each file that holds a piece of sound or chat in clear."""
    markers = [sound(at, at + 32) for at in range(0, PIECE * STEPS, 1600)] + [b"hakemukseni on viel", b"the call"]
    return [
        f"{path.name} holds plaintext"
        for path in folder.rglob("*")
        if path.is_file() and any(marker in path.read_bytes() for marker in markers)
    ]


def kill_at(zygote: Zygote, ground: Ground, command: dict[str, str], thread: str, number: int) -> list[str]:
    """Kill a process at one call of one thread, recover, and return the violations."""
    folder = ground.new_run()
    prepare(zygote, folder, command)
    before = [] if command["mode"] != "recover" else ["acknowledged 1", f"written {STEPS}"]
    inject = f"inject={CALLS}:signal=KILL:when={number}"
    told = zygote.run({**command, "folder": str(folder), "thread": thread}, "-e", f"trace={CALLS}", "-e", inject)
    violations = find_violations(folder, before + told)
    if not violations:
        shutil.rmtree(folder)
    return violations


def choose(count: int, most: int | None) -> list[int]:
    """Return the numbers of the calls to be killed at: all, or a few from everywhere."""
    if most is None or count <= most:
        return list(range(1, count + 1))
    return sorted({1 + (count - 1) * step // (most - 1) for step in range(most)})


LIVES: Final = {
    **{thread: ({"mode": "live"}, thread) for thread in THREADS},
    "own files": ({"mode": "live", "tidy": "yes"}, TIDY),
    "recovery": ({"mode": "recover"}, "MainThread"),
}


def kill_everywhere(
    zygote: Zygote, ground: Ground, name: str, most: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kill at the calls of one thread, print the points, and fail on a violation."""
    command, thread = LIVES[name]
    count = count_calls(zygote, ground, command, thread, CALLS)
    chosen = choose(count, most)
    violations = [
        f"call {number}: {violation}"
        for number in chosen
        for violation in kill_at(zygote, ground, command, thread, number)
    ]
    with capsys.disabled():
        print(f"\nkill -9 at {len(chosen)} of {count} calls of {name}: {len(violations)} violations")
    assert violations == []


def test_the_harness_finds_a_planted_fault(zygote: Zygote, ground: Ground) -> None:
    """A spool that lets go before the archive has the recording is caught: else no violation would prove anything."""
    mutant = {"mode": "live", "mutant": "yes"}
    count = count_calls(zygote, ground, mutant, "kelarec-drain-0", CALLS)
    for number in choose(count, 8):
        if kill_at(zygote, ground, mutant, "kelarec-drain-0", number):
            return
    pytest.fail("no violation was found")


@pytest.mark.parametrize("name", LIVES)
def test_killed_at_some_calls_nothing_is_lost(
    zygote: Zygote, ground: Ground, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Faults 1 and 2, thinned out: kill -9 at some calls of each thread of a take's life, and of a recovery."""
    kill_everywhere(zygote, ground, name, 2, capsys)


@pytest.mark.deep
@pytest.mark.parametrize("name", LIVES)
def test_killed_at_every_call_nothing_is_lost(
    zygote: Zygote, ground: Ground, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Faults 1 and 2: kill -9 at every write, sync, rename, link, unlink, open and truncation."""
    kill_everywhere(zygote, ground, name, None, capsys)


def fail_at(zygote: Zygote, ground: Ground, calls: str, error: str, when: str) -> tuple[list[str], list[str], str]:
    """Let a call of the spool's thread fail; return what was told, the violations, and the calls that were made."""
    folder = ground.new_run()
    log = folder.with_suffix(".calls")
    inject = f"inject={calls}:error={error}:when={when}"
    command = {"mode": "live", "folder": str(folder), "thread": "kelarec-spool-write-on"}
    told = zygote.run(command, "-e", f"trace={CALLS},close", "-e", inject, log=log)
    return told, find_violations(folder, told), log.read_text()


def count_of(zygote: Zygote, ground: Ground, calls: str) -> int:
    """Return how many of some calls the spool's thread makes."""
    return count_calls(zygote, ground, {"mode": "live"}, "kelarec-spool-write-on", calls)


def test_a_failing_sync_is_loud_and_never_repeated(
    zygote: Zygote, ground: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fault 4: EIO on each fsync of the spool is told at once, loses nothing acknowledged, and none is asked twice."""
    count = 0
    for number in range(1, 1 + count_of(zygote, ground, "fdatasync")):
        told, violations, log = fail_at(zygote, ground, "fdatasync", "EIO", str(number))
        assert violations == []
        if "EIO" not in log:  # groups are made by time: this life had fewer than the one that was counted
            continue
        count += 1
        assert "failed spool" in told, told
        assert f"acknowledged {STEPS}" in told
        failed = re.search(r"fdatasync\((\d+<[^>]*>)\)\s+= -1 EIO", log)
        assert failed is not None
        assert f"fdatasync({failed[1]}" not in log[failed.end() :]
    with capsys.disabled():
        print(f"\nEIO at {count} syncs: 0 violations, no descriptor asked again")
    assert count > 1


def test_a_dead_disk_acknowledges_nothing(zygote: Zygote, ground: Ground) -> None:
    """Fault 4: if a new file fails as well, the future fails by name; what comes later is acknowledged again."""
    told, violations, _ = fail_at(zygote, ground, "fdatasync", "EIO", "2..3")
    assert violations == []
    assert "refused spool" in told
    assert "finished call" in told


def test_a_full_disk_keeps_what_was_there(zygote: Zygote, ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    """Fault 5: ENOSPC at each write of the spool: earlier bytes kept, a clear error, and the take goes on."""
    count = 0
    for number in range(1, 1 + count_of(zygote, ground, "writev")):
        told, violations, log = fail_at(zygote, ground, "writev", "ENOSPC", str(number))
        assert violations == []
        if "ENOSPC" not in log:
            continue
        count += 1
        assert "failed spool-full" in told, told
        assert "finished call" in told
    with capsys.disabled():
        print(f"\nENOSPC at {count} writes: 0 violations")
    assert count > 1
