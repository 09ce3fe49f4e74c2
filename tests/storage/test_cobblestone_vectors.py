"""The published vectors of Cobblestone-256, sealed again from their salts and opened in every way there is.

Source: c2sp.org/chunked-encryption; docs/vectors/cobblestone256.json.
"""

import base64
import hashlib
import hmac
import io
import json
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.cobblestone import Cobblestone256Decryptor
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kelarec.errors import IntegrityError
from kelarec.storage.sealing import CHUNK, HEADER, SealedReader, SealedWriter, sealed_length

FILE: Final = Path(__file__).parent.parent.parent / "docs" / "vectors" / "cobblestone256.json"
VECTORS: Final = json.loads(FILE.read_text(encoding="utf-8"))["vectors"]
COUNTED: Final = b"".join(number.to_bytes(4, "big") for number in range(250_001))


def seal_after_the_specification(key: bytes, context: bytes, salt: bytes, content: bytes) -> bytes:
    """Seal with AES-GCM and HMAC alone, without the library's class and without any code of ours."""
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + salt + context
    first = hmac.digest(key, info + b"\1", "sha512")
    derived = first + hmac.digest(key, first + info + b"\2", "sha512")
    chunk_key, base_nonce = AESGCM(derived[:32]), int.from_bytes(derived[32:44], "big")
    chunks = [content[start : start + CHUNK] for start in range(0, len(content) + 1, CHUNK)]
    nonces = [(base_nonce ^ number).to_bytes(12, "big") for number in range(len(chunks))]
    sealed = [chunk_key.encrypt(nonce, chunk, None) for nonce, chunk in zip(nonces, chunks, strict=True)]
    return salt + derived[44:76] + b"".join(sealed)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector['length']} bytes")
def test_a_vector_holds_both_ways(vector: dict[str, Any]) -> None:
    """What the library sealed is what the specification says of its salt; library and reader open it alike."""
    key, context, header = (bytes.fromhex(vector[name]) for name in ("key", "context", "header"))
    content = COUNTED[: vector["length"]]
    sealed = seal_after_the_specification(key, context, header[:24], content)
    assert sealed[:HEADER] == header
    assert len(sealed) == vector["sealed_length"] == sealed_length(len(content))
    assert hashlib.sha256(sealed).hexdigest() == vector["sealed_sha256"]
    if "sealed" in vector:
        assert base64.b64decode(vector["sealed"]) == sealed
    decryptor = Cobblestone256Decryptor(key, context)
    assert decryptor.update(sealed) + decryptor.finalize() == content
    for remembered in (None, header):
        reader = SealedReader(
            key, context, lambda a, b: sealed[a:b], length=len(content), guard=lambda: None, header=remembered
        )
        assert reader.read() == content
        reader.seek(-min(len(content), 20_000), io.SEEK_END)
        assert reader.read() == content[-20_000:]


def test_the_vectors_stand_around_the_borders() -> None:
    """There is a vector before, at and after the border of a chunk, and each context is in one."""
    lengths = {vector["length"] for vector in VECTORS}
    assert {0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK, 2 * CHUNK + 1} <= lengths
    assert len({vector["context"] for vector in VECTORS}) == 3
    print(f"\n{len(VECTORS)} vectors, {min(lengths)} to {max(lengths)} bytes")


def test_a_vector_that_was_altered_is_found() -> None:
    """The check can fail: another context or salt does not give the vector's bytes."""
    vector = VECTORS[5]
    key, context, header = (bytes.fromhex(vector[name]) for name in ("key", "context", "header"))
    content = COUNTED[: vector["length"]]
    for other in (
        seal_after_the_specification(key, context + b"\n", header[:24], content),
        seal_after_the_specification(key, context, bytes(24), content),
    ):
        assert hashlib.sha256(other).hexdigest() != vector["sealed_sha256"]
    with pytest.raises(IntegrityError):
        SealedReader(key, b"another", lambda _a, _b: b"", length=len(content), guard=lambda: None, header=header)


def test_what_we_seal_is_what_the_specification_says() -> None:
    """A stream that came in odd pieces lies there as the specification would have it, and its header is remembered."""
    content = COUNTED[:100_000]
    writer = SealedWriter(bytes(32), b"context", [content[:7], b"", content[7:50_001], content[50_001:]])
    sealed = b"".join(writer)
    assert writer.length == len(content)
    assert writer.header == sealed[:HEADER]
    assert sealed == seal_after_the_specification(bytes(32), b"context", sealed[:24], content)
