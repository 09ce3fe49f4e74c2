"""The chunks of sealed content: where they lie, and how they are opened one by one or as a stream.

The format is Cobblestone-256 of c2sp.org/chunked-encryption. The library's class opens a stream from its first chunk
on; opening single chunks is ours, after the specification, until the library has it; docs/adr/0003 says why.
"""

from typing import Final

from cryptography.cobblestone import Cobblestone256Decryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import constant_time
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from kelarec.errors import IntegrityError

CHUNK: Final = 16 * 1024
TAG: Final = 16
SALT: Final = 24
COMMITMENT: Final = 32
HEADER: Final = SALT + COMMITMENT
SEALED_CHUNK: Final = CHUNK + TAG
_KEY: Final = 32
_NONCE: Final = 12
_INFO: Final = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00"
_STREAMED_FROM: Final = 8  # chunks; below that a stream costs more than it saves


def sealed_length(length: int) -> int:
    """Return how many bytes a content of so many bytes takes when it is sealed."""
    return HEADER + length + TAG * (length // CHUNK + 1)


class SealedChunks:
    """Opens the chunks of one sealed object.

    Args:
        header: The first bytes of the object, salt and commitment.

    Raises:
        IntegrityError: The header is not that of the key and context.

    Source: c2sp.org/chunked-encryption, implementation notes on random access.
    """

    def __init__(self, key: bytes, context: bytes, header: bytes) -> None:
        derived = HKDFExpand(SHA512(), _KEY + _NONCE + COMMITMENT, _INFO + header[:SALT] + context).derive(key)
        if not constant_time.bytes_eq(derived[_KEY + _NONCE :], header[SALT:]):
            raise IntegrityError("The content's header is not that of its key: altered, or put in another's place.")
        self.header = header
        self._key = key
        self._context = context
        self._aead = AESGCM(derived[:_KEY])
        self._base_nonce = int.from_bytes(derived[_KEY : _KEY + _NONCE], "big")
        self._stream: Cobblestone256Decryptor | None = None
        self._next_in_stream = 0

    def open_one(self, number: int, sealed: memoryview) -> bytes:
        """Return the content of one chunk.

        Raises:
            IntegrityError: The chunk was altered, moved or exchanged.
        """
        try:
            if self._stream is not None and number == self._next_in_stream and len(sealed) == SEALED_CHUNK:
                content = self._stream.update(sealed)
                self._next_in_stream += 1
                return content
            return self._aead.decrypt(self._nonce(number), sealed, None)
        except InvalidTag:
            self._stream = None
            raise _refusal(number) from None

    def open_into(self, first: int, sealed: memoryview, content: memoryview) -> None:
        """Open whole chunks that follow one another into a buffer of just their size.

        Raises:
            IntegrityError: A chunk was altered, moved or exchanged; then the buffer holds nothing of any.
        """
        count = len(content) // CHUNK
        if first == 0 and count >= _STREAMED_FROM:
            self._stream = Cobblestone256Decryptor(self._key, self._context)
            self._stream.update(self.header)
            self._next_in_stream = 0
        try:
            if self._stream is not None and first == self._next_in_stream:
                self._stream.update_into(sealed, content)
                self._next_in_stream += count
            else:
                self._open_each_into(first, sealed, content)
        except InvalidTag:  # what was opened before the tag was checked is still in the buffer
            self._stream = None
            content[:] = bytes(len(content))
            raise _refusal(self._find_altered(first, sealed)) from None

    def _open_each_into(self, first: int, sealed: memoryview, content: memoryview) -> None:
        for index in range(len(content) // CHUNK):
            self._aead.decrypt_into(
                self._nonce(first + index),
                sealed[index * SEALED_CHUNK : (index + 1) * SEALED_CHUNK],
                None,
                content[index * CHUNK : (index + 1) * CHUNK],
            )

    def _find_altered(self, first: int, sealed: memoryview) -> int:
        for number in range(first, first + len(sealed) // SEALED_CHUNK):
            start = (number - first) * SEALED_CHUNK
            try:
                self._aead.decrypt(self._nonce(number), sealed[start : start + SEALED_CHUNK], None)
            except InvalidTag:
                return number
        return first

    def _nonce(self, number: int) -> bytes:
        return (self._base_nonce ^ number).to_bytes(_NONCE, "big")


def _refusal(number: int) -> IntegrityError:
    return IntegrityError(f"Chunk {number} of the content was altered, moved or exchanged.")
