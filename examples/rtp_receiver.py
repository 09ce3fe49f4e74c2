"""An RTP receiver on asyncio that records a G.711 call live: kelarec needs no twin for asyncio.

    python examples/rtp_receiver.py [seconds]

A real sender (ffmpeg) speaks to it over loopback. Packets that come late or twice are put in order by a small buffer;
for one that never comes silence of its length is written, so that time in the recording stays time in the call.

Source: RFC 3550, section 5.1 (RTP header); RFC 3551, section 6 (payload type 8 is G.711 A-law, 8,000 a second).
"""

import asyncio
import shutil
import socket
import struct
import sys
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from kelarec import Archive, Contact, Kind, Place, Recording, StaffId, System, create_key_file, kela_register
from kelarec.capture.take import Take
from kelarec.capture.take_part import TakePart

A_LAW, VERSION, HEADER = 8, 2, 12
SILENCE = b"\xd5"
WAITED_FOR = 8
FLUSHED_EVERY = 0.5


class ReorderBuffer:
    """Gives packets in the order of their time stamps, filling with silence what never came.

    Args:
        part: Where the sound goes.
    """

    def __init__(self, part: TakePart) -> None:
        self._part = part
        self._waiting: dict[int, bytes] = {}
        self._next: int | None = None
        self.lost_samples = 0
        self.late_packets = 0

    def put(self, timestamp: int, samples: bytes) -> None:
        """Take in the samples of one packet."""
        if self._next is None:
            self._next = timestamp
        ahead = (timestamp - self._next + (1 << 31)) % (1 << 32) - (1 << 31)
        if ahead < 0:
            self.late_packets += 1
            return
        self._waiting[timestamp] = samples
        while self._next in self._waiting or len(self._waiting) > WAITED_FOR:
            self._write_next()

    def finish(self) -> None:
        """Write what still waits."""
        while self._waiting:
            self._write_next()

    def _write_next(self) -> None:
        assert self._next is not None  # noqa: S101  set by the first packet
        samples = self._waiting.pop(self._next, None)
        if samples is None:
            first = min(self._waiting, key=lambda each: (each - self._next) % (1 << 32))  # type: ignore[operator]
            samples = SILENCE * ((first - self._next) % (1 << 32))
            self.lost_samples += len(samples)
        self._part.write(samples)
        self._next = (self._next + len(samples)) % (1 << 32)


class RtpReceiver:
    """Reads RTP packets from a socket within an event loop."""

    def __init__(self, sock: socket.socket, buffer: ReorderBuffer) -> None:
        self._sock = sock
        self._buffer = buffer
        self.packets = 0

    def read_all(self) -> None:
        """Read every packet that is there: a transport of asyncio's own takes one each turn of its loop."""
        with suppress(BlockingIOError):
            while True:
                self._take_packet(self._sock.recv(2048))

    def _take_packet(self, packet: bytes) -> None:
        if len(packet) <= HEADER or packet[0] >> 6 != VERSION or packet[1] & 0x7F != A_LAW:
            return
        start = HEADER + 4 * (packet[0] & 0x0F)
        if packet[0] & 0x10:  # an extension header
            (words,) = struct.unpack_from(">H", packet, start + 2)
            start += 4 + 4 * words
        stop = len(packet) - (packet[-1] if packet[0] & 0x20 else 0)
        (timestamp,) = struct.unpack_from(">I", packet, 4)
        self.packets += 1
        self._buffer.put(timestamp, packet[start:stop])


async def record(take: Take, sock: socket.socket, until: "asyncio.Future[None]") -> tuple[Recording, ReorderBuffer]:
    """Record what comes until something is done, flushing on the way; return the recording."""
    buffer = ReorderBuffer(take.part("customer"))
    receiver = RtpReceiver(sock, buffer)
    loop = asyncio.get_running_loop()
    loop.add_reader(sock, receiver.read_all)
    try:
        while not until.done():
            await asyncio.wait([until], timeout=FLUSHED_EVERY)
            await asyncio.wrap_future(take.flush())  # done: a crash from here on loses nothing of what came before
    finally:
        loop.remove_reader(sock)
    buffer.finish()
    return await asyncio.wrap_future(take.finish()), buffer


def bind() -> socket.socket:
    """Return a socket for a sender on this machine."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)  # noqa: FBT003  its only form
    return sock


async def send(source: Path, port: int) -> None:
    """Let ffmpeg send a sound file as RTP in real time, G.711 A-law in packets of 20 ms."""
    command = ["ffmpeg", "-loglevel", "error", "-re", "-i", str(source), "-c:a", "pcm_alaw", "-ar", "8000", "-ac", "1"]
    target = f"rtp://127.0.0.1:{port}?pkt_size=172"
    process = await asyncio.create_subprocess_exec(*command, "-f", "rtp", target, stdout=asyncio.subprocess.DEVNULL)
    if await process.wait():
        raise SystemExit("The sender failed.")
    await asyncio.sleep(0.2)


async def make_sound(target: Path, seconds: float) -> None:
    """Make a tone that rises, so that each moment sounds unlike every other."""
    tone = f"aevalsrc=0.4*sin(2*PI*(200+10*t)*t):s=8000:d={seconds}"
    command = ["ffmpeg", "-loglevel", "error", "-y", "-f", "lavfi", "-i", tone, "-c:a", "pcm_alaw", str(target)]
    process = await asyncio.create_subprocess_exec(*command)
    if await process.wait():
        raise SystemExit("The sound cannot be made.")


async def take_call(archive: Archive, source: Path) -> tuple[Recording, ReorderBuffer]:
    """Record what a real sender sends."""
    contact = Contact(
        contact_id="rtp-1",
        kind=Kind.CUSTOMER_CALL,
        line="national-service",
        started_at=datetime.now(UTC),  # noqa: TID251  a real call starts now
        adviser_id=StaffId("veikko"),
    )
    take = archive.capture.begin(contact, parts=["customer"], by=System("rtp-receiver@node1"))
    with bind() as sock:
        sending = asyncio.ensure_future(send(source, sock.getsockname()[1]))
        return await record(take, sock, sending)


def main() -> None:
    """Record a call from a real sender into a new archive, and say what came."""
    if shutil.which("ffmpeg") is None:
        raise SystemExit("ffmpeg, the sender, is not installed.")
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        create_key_file(folder / "root.key")
        with Archive.create(
            objects=Place(folder / "archive", "FI"),
            keys=Place(folder / "keys", "FI"),
            root_key=f"keyfile:{folder / 'root.key'}",
            spool=Place(folder / "spool", "FI"),
            register=kela_register(contact_point="Registry office"),
        ) as archive:
            asyncio.run(make_sound(folder / "sent.wav", seconds))
            recording, buffer = asyncio.run(take_call(archive, folder / "sent.wav"))
            print(f"{recording.id}: {recording.state}, {buffer.lost_samples} samples lost, {buffer.late_packets} late")


if __name__ == "__main__":
    main()
