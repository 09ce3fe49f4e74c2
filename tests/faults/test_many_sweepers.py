"""Several machines sweep at once: each object is deleted once, each entry written once (fault 16; section 9)."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import IO, Final

import pytest
from sqlalchemy import select

from kelarec import Archive, Place, System, create_key_file, kela_register
from kelarec.audit.entries import EntryKind
from kelarec.storage import catalog_tables as tables
from kelarec.storage import closed_dates
from kelarec.testing.builders import make_contact, make_wav
from kelarec.testing.clock import MovableClock
from object_servers import LOOPBACK, Server, Servers

RECORDER: Final = System("recorder@test")
SWEEPING: Final = Path(__file__).parents[1] / "sweeping.py"
HOUR: Final = timedelta(hours=1)


@pytest.mark.parametrize(
    ("count", "recordings"), [(2, 12), pytest.param(8, 90, marks=pytest.mark.deep)], ids=["two", "eight"]
)
def test_each_object_is_deleted_once(
    tmp_path: Path,
    servers: Servers,
    postgres_url: str,
    count: int,
    recordings: int,
) -> None:
    """Of sweepers with clocks 5 s apart one stalls and, of eight, one is killed: nothing is deleted or told twice."""
    server: Server = servers.get("rclone")
    place = server.make_place(None)
    create_key_file(tmp_path / "root.key")
    clock = MovableClock()
    archive = Archive.create(
        objects=place,
        keys=Place(tmp_path / "keys", "FI"),
        root_key=f"keyfile:{tmp_path / 'root.key'}",
        register=kela_register(contact_point="Registry office"),
        catalog=Place(postgres_url, "FI"),
        credentials=server.credentials,
        clock=clock,
    )
    contact = make_contact(started_at=clock())
    ended_at = clock() + timedelta(seconds=1)
    calls = [
        archive.capture.store(contact, ended_at=ended_at, content=make_wav(0.02), by=RECORDER)
        for _ in range(recordings)
    ]
    day = calls[0].kept_through
    archive.audit.integrate()
    stored = set(archive._vault.objects.iter_paths("recordings"))
    at = calls[0].ends_at + HOUR + timedelta(seconds=30)
    ends = ["SIGSTOP", *(["SIGKILL"] if count > 2 else []), *[None] * count][:count]
    processes = [
        _start(tmp_path, number, place, server, postgres_url, at.isoformat(), each) for number, each in enumerate(ends)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    stalled, killed, others = processes[0], processes[1 : count - 1][:1], processes[1 if count == 2 else 2 :]
    for process in (stalled, *killed):  # they come first, so that there is something left for them
        assert _let_go(process).readline() in {"SIGSTOP\n", "SIGKILL\n"}
    for process in killed:
        assert process.communicate(timeout=30)[0] == ""
        assert process.returncode == -signal.SIGKILL
    for process in others:
        _let_go(process)
    answers = [process.communicate(timeout=300)[0] for process in others]
    assert stalled.poll() is None
    os.kill(stalled.pid, signal.SIGCONT)
    answers.insert(0, stalled.communicate(timeout=300)[0])
    clock.set(at + timedelta(seconds=60))
    last = archive.retention.sweep(by=System("sweep@last"))
    told = [(tmp_path / f"told-{number}") for number in range(count)]
    deleted = [
        [line for line in each.read_text().splitlines() if line.startswith("recordings/")] if each.exists() else []
        for each in told
    ]
    survivors = Counter(path for number, each in enumerate(deleted) if number != 1 or count == 2 for path in each)
    twice = [path for path, times in survivors.items() if times > 1]
    removed = [json.loads(answer)["recordings"] for answer in answers]
    print(
        f"\n{count} sweepers removed {removed} and the last {[each.recordings for each in last]}; twice: {len(twice)}"
    )
    assert twice == []
    assert set().union(*deleted) <= stored
    assert list(archive._vault.objects.iter_paths("recordings")) == []
    assert _count_kinds(archive)[EntryKind.KEYS_DESTROYED] == 1
    assert _count_kinds(archive)[EntryKind.DATE_CLEARED] == 1
    certificates = list(archive.retention.certificates.iter_all(by=RECORDER))
    assert [each.kept_through for each in certificates].count(day) == 1
    with archive._vault.database.begin() as connection:
        closed = closed_dates.find(connection, day)
        assert connection.execute(select(tables.recordings.c.id)).all() == []
    assert closed is not None
    assert (closed.ended, closed.removed) == (recordings, recordings)
    archive.verify(by=RECORDER)
    archive.close()


def _start(
    folder: Path, number: int, place: Place, server: Server, catalog: str, at: str, ends: str | None
) -> "subprocess.Popen[str]":
    options = dict(place.options)
    if number % 2:  # the other configuration: another name of the server
        options["endpoint"] = options["endpoint"].replace(LOOPBACK, "localhost")
    known = {
        "name": f"node{number}",
        "objects": place.url,
        "options": options,
        **server.credentials(place),
        "keys": str(folder / "keys"),
        "root_key": f"keyfile:{folder / 'root.key'}",
        "catalog": catalog,
        "at": at,
        "clock_off_by": 5 * (number % 2),
        "ends": ends,
    }
    command = [sys.executable, str(SWEEPING), json.dumps(known), str(folder / f"told-{number}")]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _let_go(process: "subprocess.Popen[str]") -> IO[str]:
    """Let a process sweep, and return what it says."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    return process.stdout


def _count_kinds(archive: Archive) -> Counter[str]:
    with archive._vault.database.begin() as connection:
        logs = (tables.entries, tables.waiting)
        return Counter(kind for log in logs for kind in connection.execute(select(log.c.kind)).scalars())
