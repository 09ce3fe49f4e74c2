"""Makes cobblestone256.json: test vectors for Cobblestone-256, sealed by the cryptography library.

The salts are the library's own random ones, so each run gives other vectors that are as good.
"""  # noqa: INP001  it stands beside the pages

import base64
import hashlib
import json
from pathlib import Path
from typing import Final

from cryptography.cobblestone import Cobblestone256Encryptor

CHUNK: Final = 16 * 1024
HEADER: Final = 56
SHORT: Final = 100
LENGTHS: Final = (0, 1, 2, 15, 16, 17, 31, 100, CHUNK - 16, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK)
LONGER: Final = (2 * CHUNK + 1, 3 * CHUNK, 100_000, 16 * CHUNK - 1, 16 * CHUNK, 16 * CHUNK + 1, 1_000_000)
CONTEXTS: Final = (b"", b"kelarec v1\narchive 01964e3a-5f00-7000-8000-000000000000\npart audio", bytes(range(256)))


def content_of(length: int) -> bytes:
    """Return so many bytes: 0, 1, 2 … as numbers of four bytes, most significant first."""
    return b"".join(number.to_bytes(4, "big") for number in range(length // 4 + 1))[:length]


def make_vector(number: int, length: int) -> dict[str, object]:
    """Return one vector; the sealed bytes themselves where they are few."""
    key = hashlib.sha256(f"cobblestone256 vector {number}".encode()).digest()
    context = CONTEXTS[number % len(CONTEXTS)]
    encryptor = Cobblestone256Encryptor(key, context)
    sealed = encryptor.update(content_of(length)) + encryptor.finalize()
    vector = {
        "key": key.hex(),
        "context": context.hex(),
        "length": length,
        "header": sealed[:HEADER].hex(),
        "sealed_length": len(sealed),
        "sealed_sha256": hashlib.sha256(sealed).hexdigest(),
    }
    return vector | ({"sealed": base64.b64encode(sealed).decode()} if length <= SHORT else {})


def main() -> None:
    """Write the file beside this one."""
    vectors = [make_vector(number, length) for number, length in enumerate((*LENGTHS, *LONGER))]
    told = {
        "format": "Cobblestone-256 of c2sp.org/chunked-encryption: HKDF-Expand with SHA-512, AES-256-GCM",
        "content": "the numbers 0, 1, 2 … of four bytes each, most significant first, cut to the length",
        "vectors": vectors,
    }
    text = json.dumps(told, ensure_ascii=False, indent=1)
    Path(__file__).with_name("cobblestone256.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
