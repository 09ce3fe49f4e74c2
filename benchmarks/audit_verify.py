"""Time to verify 1,000,000 log entries from tiles held in memory, and one inclusion proof; prints, asserts nothing."""

import statistics
import sys
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kelarec.audit.note import sign_checkpoint, to_verification_key
from kelarec.audit.proofs import verify_inclusion
from kelarec.audit.tiles import grow, inclusion_proof
from kelarec.audit.verify import Checkpoint, leaf_hash, verify_log

ENTRIES = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
BATCH = 4096
ORIGIN = "kelarec.example/benchmark"


def main() -> None:
    """Build a log in memory, then time its verification."""
    key = Ed25519PrivateKey.generate()
    objects: dict[str, bytes] = {}
    entries = [b"kelarec leaf v1 %0104d" % number for number in range(ENTRIES)]
    size, root = 0, None
    begun = time.perf_counter()
    for at in range(0, ENTRIES, BATCH):
        growth = grow(size, entries[at : at + BATCH], objects.get, root=root)
        objects.update(growth.objects)
        size, root = growth.size, growth.root
    print(
        f"grown to {size:,} entries of {len(entries[0])} B in batches of {BATCH}: {time.perf_counter() - begun:.2f} s"
    )
    checkpoint = Checkpoint(ORIGIN, size, root or b"")
    objects["checkpoint"] = sign_checkpoint(checkpoint, key)

    begun = time.perf_counter()
    report = verify_log(objects.get, to_verification_key(ORIGIN, key.public_key()))
    print(f"verified from {len(objects):,} objects: {time.perf_counter() - begun:.2f} s ({report.size:,} entries)")

    made, checked = [], []
    for index in range(0, size, max(1, size // 1000)):
        begun = time.perf_counter()
        proof = inclusion_proof(index, size, objects.get)
        made.append(time.perf_counter() - begun)
        leaf = leaf_hash(entries[index])
        begun = time.perf_counter()
        verify_inclusion(leaf, index, size, proof, checkpoint.root)
        checked.append(time.perf_counter() - begun)
    print(f"one inclusion proof of {len(proof)} hashes, median: made {statistics.median(made) * 1e6:.0f} µs", end=", ")
    print(f"verified {statistics.median(checked) * 1e6:.1f} µs, longest {max(checked) * 1e6:.1f} µs")


if __name__ == "__main__":
    main()
