"""A node of an archive: opens it and decides which contacts are recorded. Run as a process of its own.

    python -m deciding_node FOLDER COUNT

It prints how many are to be recorded, and a hash over all decisions.
"""

import hashlib
import sys
from pathlib import Path

from attrs import evolve

from conftest import Disk
from kelarec import Archive
from kelarec.testing.builders import make_contact


def decide_all(archive: Archive, count: int) -> tuple[int, str]:
    """Return how many of so many regional calls are to be recorded, and a hash over all decisions."""
    call = make_contact(line="regional-service")
    decided = bytes(
        archive.capture.decide(evolve(call, contact_id=f"call {number}")).is_to_be_recorded for number in range(count)
    )
    return sum(decided), hashlib.sha256(decided).hexdigest()


if __name__ == "__main__":
    with Disk(Path(sys.argv[1])).open() as opened:
        print(*decide_all(opened, int(sys.argv[2])))
