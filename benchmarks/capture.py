"""How many simultaneous stereo G.711 calls this machine takes in real time, sealed and durable.

Work: so many takes, each written 3,200 bytes every 200 ms (16,000 bytes a second), group flushes all the while, and
one in 300 ending each second, which is sealed into the archive and read back while another begins. A number of calls is
held if the pieces go out on time, what was written is durable within a second, and takes come in as fast as they end.
Baseline: the same pieces, plain and buffered, into one file for all with the same fsync every 400 ms, in the same run.
Then 500 calls whose packets of 20 ms arrive on a socket under asyncio, sent by a process of its own.

    python benchmarks/capture.py [calls…]        default: 250 500 1000 2000
"""

import asyncio
import gc
import logging
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import perf_counter

from attrs import frozen

from kelarec import Archive, AudioForm, Place, System, create_key_file, kela_register
from kelarec.archive import system_clock
from kelarec.capture.take import Take
from kelarec.testing.builders import make_contact

PIECE, A_SECOND, EVERY = 3200, 16_000, 0.2
ENDING = 300
SECONDS = float(os.environ.get("SECONDS", "12"))
RECORDER = System("bench")
STEREO = AudioForm(channels=2)
SOUND = os.urandom(1 << 20)


@frozen
class Held:
    """What came of one load."""

    calls: int
    late: float
    behind: float
    p99: float
    ended: int
    waiting: int
    descriptors: int
    bytes_a_take: int
    cpu: float

    @property
    def is_held(self) -> bool:
        """Whether the machine kept up."""
        return self.late < EVERY and self.behind < 1.0 and self.waiting <= max(4, self.ended // 4)


def make_archive(folder: Path) -> Archive:
    """Make an archive with a spool."""
    create_key_file(folder / "root.key")
    return Archive.create(
        objects=Place(folder / "archive", "FI"),
        keys=Place(folder / "keys", "FI"),
        root_key=f"keyfile:{folder / 'root.key'}",
        spool=Place(folder / "spool", "FI"),
        register=kela_register(contact_point="Registry"),
    )


def begin(archive: Archive) -> Take:
    """Begin a call."""
    return archive.capture.begin(make_contact(started_at=system_clock()), form=STEREO, by=RECORDER)


def resident() -> int:
    """Return the bytes of memory this process holds."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGESIZE")


class Durability:
    """Asks for a flush again and again, and keeps how long the slowest took."""

    def __init__(self, take: Callable[[], Take]) -> None:
        self.slowest = 0.0
        self._take = take
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._is_over.wait(0.5):
            started = perf_counter()
            self._take().flush().result()
            self.slowest = max(self.slowest, perf_counter() - started)

    def stop(self) -> float:
        """Stop, and return the slowest."""
        self._is_over.set()
        self._thread.join()
        return self.slowest


def load(archive: Archive, calls: int, seconds: float) -> Held:
    """Take so many calls for some seconds."""
    gc.collect()
    before = resident()
    live = deque(begin(archive) for _ in range(calls))
    written: list[float] = []
    late, number, ending, ended = 0.0, 0, 0.0, []
    # The load begins in the middle of a day, not with all calls at once.
    while not all(take.had_row for take in live):
        time.sleep(0.1)
    watch = Durability(lambda: live[-1])
    cpu = time.process_time()
    started = perf_counter()
    slice_size = max(1, calls // 20)  # calls do not speak in step: a twentieth of them each 10 ms
    while (at := number * EVERY / 20) < seconds:
        ahead = started + at - perf_counter()
        if ahead > 0:
            time.sleep(ahead)
        late = max(late, -ahead)
        offset = (number * PIECE) % (len(SOUND) - PIECE)
        for _ in range(slice_size):
            take = live[0]
            live.rotate(-1)
            piece = SOUND[offset : offset + PIECE]
            before_write = perf_counter()
            take.part("audio").write(piece)
            written.append(perf_counter() - before_write)
        ending += calls / ENDING * EVERY / 20
        while ending >= 1:
            ending -= 1
            ended.append(live.popleft().finish())
            live.append(begin(archive))
        number += 1
    cpu = (time.process_time() - cpu) / (perf_counter() - started)
    a_take = (resident() - before) // calls
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    behind = watch.stop()
    waiting = sum(not future.done() for future in ended)
    written.sort()
    p99 = written[int(len(written) * 0.99)]
    return Held(calls, late, behind, p99, len(ended), waiting, descriptors, a_take, cpu)


def write_plainly(folder: Path, calls: int, seconds: float) -> tuple[float, float]:
    """Write the same pieces, unsealed, into one buffered file synced every 400 ms; return CPU and slowest sync."""
    slowest, number = 0.0, 0
    with (folder / "plain").open("wb", buffering=1 << 20) as file:
        is_over = threading.Event()

        def sync() -> None:
            nonlocal slowest
            while not is_over.wait(0.4):
                began = perf_counter()
                file.flush()
                os.fdatasync(file.fileno())
                slowest = max(slowest, perf_counter() - began)

        thread = threading.Thread(target=sync)
        thread.start()
        cpu, started = time.process_time(), perf_counter()
        while (at := number * EVERY / 20) < seconds:
            time.sleep(max(0.0, started + at - perf_counter()))
            offset = (number * PIECE) % (len(SOUND) - PIECE)
            for _ in range(max(1, calls // 20)):
                file.write(SOUND[offset : offset + PIECE])
            number += 1
        cpu = (time.process_time() - cpu) / (perf_counter() - started)
        is_over.set()
        thread.join()
    (folder / "plain").unlink()
    return cpu, slowest


SENDER = """
import socket, sys, time
address, calls, seconds = ("127.0.0.1", int(sys.argv[1])), int(sys.argv[2]), float(sys.argv[3])
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
started, late = time.perf_counter(), 0.0
for number in range(int(seconds * 50)):
    for slice_ in range(10):
        ahead = started + number * 0.02 + slice_ * 0.002 - time.perf_counter()
        if ahead > 0: time.sleep(ahead)
        late = max(late, -ahead)
        for call in range(slice_, calls, 10):
            out.sendto(call.to_bytes(4, "big") + number.to_bytes(4, "big") + b"s" * 320, address)
print(late)
"""


async def receive(archive: Archive, calls: int, seconds: float) -> tuple[int, int, float, float]:
    """Take what a sender process sends; return packets sent and taken, the slowest flush and p99 of write."""
    takes = [begin(archive) for _ in range(calls)]
    parts = [take.part("audio") for take in takes]
    written: list[float] = []

    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)  # noqa: FBT003  its only form

    def read_all() -> None:  # a transport of asyncio's own takes one packet each turn of its loop
        with suppress(BlockingIOError):
            while True:
                data = sock.recv(2048)
                started = perf_counter()
                parts[int.from_bytes(data[:4], "big")].write(data[8:])
                written.append(perf_counter() - started)

    loop = asyncio.get_running_loop()
    loop.add_reader(sock, read_all)
    command = [sys.executable, "-c", SENDER, str(sock.getsockname()[1]), str(calls), str(seconds)]
    sender = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    slowest = 0.0
    while sender.returncode is None:
        await asyncio.sleep(0.4)
        started = perf_counter()
        await asyncio.wrap_future(takes[0].flush())
        slowest = max(slowest, perf_counter() - started)
    await asyncio.sleep(0.3)
    loop.remove_reader(sock)
    sock.close()
    ended = [asyncio.wrap_future(each.finish()) for each in takes]
    await asyncio.gather(*ended)
    written.sort()
    return calls * int(seconds * 50), len(written), slowest, written[int(len(written) * 0.99)]


def run_load(calls: int) -> None:
    """Run one load in this process and print its line; what is live at the end dies with the process."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        cpu, slowest = write_plainly(Path(name), calls, min(SECONDS, 5.0))
        held = load(make_archive(Path(name)), calls, SECONDS)
        print(
            f"   {calls:5}  {'yes' if held.is_held else 'no ':4} {held.late * 1e3:8.0f} {held.behind * 1e3:14.0f} "
            f"{held.p99 * 1e6:13.1f} {held.ended:7} {held.waiting:8} {held.descriptors:4} "
            f"{held.bytes_a_take / 1024:9.1f} {held.cpu:4.2f}   {cpu:.2f}, {slowest * 1e3:.0f}",
            flush=True,
        )
        logging.disable()  # what is live loses its files now
        shutil.rmtree(name, ignore_errors=True)
        os._exit(0 if held.is_held else 1)


def main() -> None:
    """Run the loads given, each in a process of its own, then the packets."""
    loads = [int(each) for each in sys.argv[1:]] or [250, 500, 1000, 2000]
    print("   calls  held   late ms  durable in ms  write p99 µs   ended  waiting  fds  KiB/take  CPU   plain CPU, ms")
    most = 0
    for calls in loads:
        done = subprocess.run([sys.executable, __file__, "--load", str(calls)], check=False)
        most = max(most, calls if done.returncode == 0 else 0)
    print(f"   held in real time: {most} calls  (aim 10,000 on two cores of its own)")
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name, make_archive(Path(name)) as archive:
        sent, taken, slowest, p99 = asyncio.run(receive(archive, 500, min(SECONDS, 10.0)))
        print(
            f"   500 calls of 20 ms packets under asyncio: {taken} of {sent} packets taken, durable in "
            f"{slowest * 1e3:.0f} ms, write p99 {p99 * 1e6:.1f} µs"
        )
    print(f"   peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--load"]:
        run_load(int(sys.argv[2]))
    else:
        main()
