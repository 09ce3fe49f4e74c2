"""A recording of any length goes in and out in constant memory."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

SCRIPT: Final = r"""
import io, struct, sys
from datetime import timedelta
from pathlib import Path
from kelarec import Archive, Place, System, create_key_file, kela_register
from kelarec.storage.recordings import Recordings
from kelarec.storage.sealing import SealedReader
from kelarec.testing.builders import make_contact, make_wav
from kelarec.testing.clock import MovableClock

folder, size, piece_size = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
head = bytearray(make_wav(0.01))
at = head.index(b"data") + 4
struct.pack_into("<I", head, at, size)
head = bytes(head[: at + 4])

class LongCall(io.RawIOBase):
    position = 0
    def read(self, wanted=-1):
        begin, self.position = self.position, min(self.position + wanted, len(head) + size)
        if begin < len(head):
            return head[begin:] + bytes(max(self.position - len(head), 0))
        return (begin.to_bytes(8, "big") + bytes(wanted))[: self.position - begin]

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024

clock = MovableClock()
places = {"objects": Place(folder / "a", "FI"), "keys": Place(folder / "k", "FI"),
          "root_key": create_key_file(folder / "root.key")}
with Archive.create(**places, register=kela_register(contact_point="Registry"), clock=clock) as archive:
    small = archive.capture.store(make_contact(), ended_at=clock(), content=make_wav(10), by=System("bench"))
    start = peak()
    contact = make_contact()
    call = archive.capture.store(contact, ended_at=contact.started_at + timedelta(hours=9), content=LongCall(),
                                 by=System("bench"))
    recordings = Recordings(archive._vault)
    with archive._vault.database.begin() as connection:
        opened = recordings.find_one(connection, call.id)
    part, read = opened.record.details.parts[0], 0
    plain = LongCall()
    with recordings.open_part(opened, part, lambda: None, SealedReader) as reader:
        while piece := reader.read(piece_size):
            assert piece_size > 1 << 20 or piece == plain.read(len(piece))
            read += len(piece)
    assert read == size + len(head) == part.length
    print(start, peak())
"""


def grow(folder: Path, size: int, piece_size: int = 1 << 18) -> int:
    """Store and read a call of so many bytes in a process of its own; return by how many MiB it grew above start."""
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(folder), str(size), str(piece_size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    start, peak = (int(each) for each in done.stdout.split())
    print(f"\n{size / 1e6:.0f} MB in and out: {peak - start} MiB above {start} MiB (limit 64)")
    return peak - start


def test_a_long_call_needs_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    """100 MB are stored and read with a sixth of that above start."""
    assert grow(tmp_path, 100_000_000) <= 16


def test_the_measurement_sees_a_whole_call_in_memory(tmp_path: Path) -> None:
    """Who reads 50 MB in one piece is seen to need them."""
    assert grow(tmp_path, 50_000_000, 100_000_000) >= 50


@pytest.mark.deep
def test_a_gigabyte_in_and_out(tmp_path: Path) -> None:
    """1 GB is stored and read within 64 MiB above start."""
    assert grow(tmp_path, 1_000_000_000) <= 64
