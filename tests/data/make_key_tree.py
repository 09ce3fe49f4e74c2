"""Makes key_tree.json from the reference of docs/formats.md, with the standard library and nothing of kelarec.

python tests/data/make_key_tree.py >tests/data/key_tree.json
"""

import hashlib
import hmac
import json

ROOT = bytes(range(32))
NAMES = [
    "019cbd02-c000-7000-8000-000000000001",
    "019cbd02-c000-7000-8000-000000000002",
    "019cbd02-c000-7000-bfff-ffffffffffff",
    "019cbd02-c000-7000-8000-0000000000ff 019cbd02-c000-7000-8000-000000000001",
    "",
]


def name(text: str) -> str:
    """Return the steps of a name's leaf, a hexadecimal digit each."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def derive(steps: str) -> bytes:
    """Return the secret at the end of some steps from the root."""
    secret = ROOT
    for level, step in enumerate(steps, start=1):
        label = f"kelarec key tree v1\nlevel {level}\nchild {int(step, 16)}"
        secret = hmac.new(secret, label.encode(), hashlib.sha256).digest()
    return secret


def pack_punctured(names: list[str]) -> tuple[int, bytes]:
    """Return how many nodes are left without some leaves, and the nodes packed."""
    gone = {name(each)[:level] for each in names for level in range(17)}
    left = sorted(
        path + step for path in gone if len(path) < 16 for step in "0123456789abcdef" if path + step not in gone
    )
    left = left if names else [""]
    packed = b"".join(bytes([len(path)]) + bytes.fromhex(path + "0" * (len(path) % 2)) + derive(path) for path in left)
    return len(left), packed


def main() -> None:
    """Print the vectors."""
    punctured = []
    for count in range(len(NAMES) + 1):
        number, packed = pack_punctured(NAMES[:count])
        digest = hashlib.sha256(packed).hexdigest()
        punctured.append({"names": NAMES[:count], "nodes": number, "packed_sha256": digest})
    leaves = [{"name": each, "leaf": name(each), "secret": derive(name(each)).hex()} for each in NAMES]
    print(json.dumps({"root": ROOT.hex(), "leaves": leaves, "punctured": punctured}, indent=1))


if __name__ == "__main__":
    main()
