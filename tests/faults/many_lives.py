"""Many live takes in one process, fed in real time until somebody kills it.

Usage: ``many_lives.py FOLDER COUNT OGG``; tells a line for each fifth of a second that was written to all.
"""

import os
import sys
import time
from pathlib import Path
from typing import Final

from faults.take_life import open_archive
from kelarec import AudioForm, Codec, System
from kelarec.testing.builders import make_contact

RECORDER: Final = System("recorder@test")
EVERY: Final = 0.2
SPOKEN: Final = 3200
STREAMED: Final = 200


def sound(take: int, tick: int) -> bytes:
    """Return what a call of bare samples gets at one tick; each eight bytes tell which and where."""
    return b"".join(
        b"\x55%3b%4b" % (take.to_bytes(3, "big"), (tick * 400 + at).to_bytes(4, "big")) for at in range(400)
    )


def main() -> None:
    """Take calls until killed: every other one in stereo G.711, the rest streams of 8 kbit/s in Ogg."""
    folder, count, ogg = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]).read_bytes()
    archive = open_archive(folder)
    now = archive._vault.now()
    parts = []
    for number in range(count):
        form = AudioForm(codec=Codec.OGG) if number % 2 else AudioForm(channels=2)
        contact = make_contact(contact_id=f"call {number}", started_at=now)
        parts.append(archive.capture.begin(contact, form=form, by=RECORDER).part("audio"))
    os.write(1, b"begun\n")
    started, tick = time.monotonic(), 0
    while True:
        time.sleep(max(0.0, started + tick * EVERY - time.monotonic()))
        for number, part in enumerate(parts):
            part.write(ogg[tick * STREAMED : (tick + 1) * STREAMED] if number % 2 else sound(number, tick))
        tick += 1
        os.write(1, f"{tick} {time.monotonic()}\n".encode())


if __name__ == "__main__":
    main()
