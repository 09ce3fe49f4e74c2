"""Nothing is written outside the declared places, not into temporary files or caches either: the notice, section 8.

Watched by the system's own call tracer, so that what SQLite and other libraries write is seen too.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

SCRIPT: Final = """
import sys, tempfile
from datetime import timedelta
from pathlib import Path
from kelarec import Archive, Kind, Place, System, create_key_file, kela_register
from kelarec.testing.builders import make_chat, make_contact, make_person, make_staff_member, make_wav
from kelarec.testing.clock import MovableClock

folder, planted = Path(sys.argv[1]), sys.argv[2]
clock, by = MovableClock(), System("test")
places = {"objects": Place(folder / "a", "FI"), "keys": Place(folder / "k", "FI"),
          "root_key": create_key_file(folder / "root.key")}
with Archive.create(**places, register=kela_register(contact_point="Registry"), clock=clock) as archive:
    archive.staff.enrol(make_staff_member(), by=by)
    calls = [archive.capture.store(make_contact(), ended_at=clock(), content=make_wav(30), by=by) for _ in range(20)]
    archive.capture.store(make_contact(kind=Kind.CUSTOMER_CHAT), ended_at=clock(), content=make_chat(), by=by)
    with archive.session(by=make_staff_member().id, purpose="verify-service-event", matter="KELA-1") as session:
        assert len(session.find(make_person().identity_code)) == 21
        with session.open(calls[0].id) as audio:
            content = audio.read()
        if planted == "planted":
            tempfile.TemporaryFile().write(content)
    clock.set(calls[0].ends_at + timedelta(hours=2))
    archive.retention.sweep(by=by)
with Archive.open(**places, clock=clock) as archive:
    list(archive.audit.iter_entries(by=by))
"""
_MADE: Final = re.compile(r'\b(?:open|openat|creat)\((?:AT_FDCWD, |\d+[^,]*, )?"(?P<path>[^"]*)", (?P<flags>[A-Z_|]+)')
_WRITES: Final = re.compile(r"O_CREAT|O_WRONLY|O_RDWR|O_TMPFILE")


def find_written(folder: Path, planted: str) -> tuple[int, list[str]]:
    """Run the script; return how many files it opened for writing, and those outside the archive's folder."""
    home, temporary, trace = folder / "home", folder / "temporary", folder / "trace"
    for each in (home, temporary):
        each.mkdir()
    tracer = ["strace", "-f", "-qq", "-e", "trace=open,openat,creat", "-o", str(trace)]
    environment = os.environ | {
        "TMPDIR": str(temporary), "SQLITE_TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(folder)
    }  # fmt: skip
    command = [*tracer, sys.executable, "-W", "ignore", "-c", SCRIPT, str(home), planted]
    subprocess.run(command, check=True, env=environment, cwd=folder)
    opened = [match for line in trace.read_text().splitlines() if (match := _MADE.search(line)) is not None]
    written = [match["path"] for match in opened if _WRITES.search(match["flags"])]
    devices = ("/dev/null", "/dev/tty", "/dev/urandom", "/proc/self/")
    outside = [path for path in written if not path.startswith((f"{home}/", *devices))]
    print(
        f"\n{len(opened)} files opened, {len(written)} of them for writing, {len(outside)} outside the declared places"
    )
    return len(written), outside


def test_nothing_of_ours_is_written_elsewhere(tmp_path: Path) -> None:
    """Storing, finding, reading, sweeping and opening an archive write into its places alone."""
    written, outside = find_written(tmp_path, "")
    assert outside == []
    assert written > 50


def test_the_tracer_sees_a_planted_temporary_file(tmp_path: Path) -> None:
    """Content in a temporary file, even one without a name, would be seen."""
    _, outside = find_written(tmp_path, "planted")
    assert outside
    assert all(path.startswith(str(tmp_path / "temporary")) for path in outside)


@pytest.mark.parametrize("module", ["tempfile", "fsspec.implementations.cached"])
def test_nothing_of_ours_names_what_writes_elsewhere(module: str) -> None:
    """No module of kelarec imports temporary files or fsspec's caches."""
    source = Path(__file__).parent.parent.parent / "src" / "kelarec"
    pattern = re.compile(rf"^\s*(?:import|from) {re.escape(module)}\b", re.MULTILINE)
    assert [path.name for path in source.rglob("*.py") if pattern.search(path.read_text(encoding="utf-8"))] == []
