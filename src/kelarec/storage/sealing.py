"""Sealing: content as Cobblestone-256 (c2sp.org/chunked-encryption).

The library's classes write and read whole streams. Only reading chunks at random is ours, after the specification,
until the library has it; docs/adr/0003 says why, and tests/storage hold it against the library.
"""

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import constant_time
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from kelarec.errors import ClosedError, IntegrityError

CHUNK: Final = 16 * 1024
TAG: Final = 16
SALT: Final = 24
COMMITMENT: Final = 32
HEADER: Final = SALT + COMMITMENT
_SEALED_CHUNK: Final = CHUNK + TAG
_KEY: Final = 32
_NONCE: Final = 12
_INFO: Final = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00"


def iter_sealed(key: bytes, context: bytes, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Seal a stream, piece by piece, in constant memory."""
    encryptor = Cobblestone256Encryptor(key, context)
    for chunk in chunks:
        if sealed := encryptor.update(chunk):
            yield sealed
    yield encryptor.finalize()


def seal(key: bytes, context: bytes, content: bytes) -> bytes:
    """Seal bytes that fit into memory."""
    return b"".join(iter_sealed(key, context, [content]))


def unseal(key: bytes, context: bytes, sealed: bytes) -> bytes:
    """Return what was sealed.

    Raises:
        IntegrityError: The bytes were altered, cut or extended, or sealed under another key or context.
    """
    decryptor = Cobblestone256Decryptor(key, context)
    try:
        return decryptor.update(sealed) + decryptor.finalize()
    except InvalidTag:
        raise IntegrityError("A sealed object does not open: altered, cut, or put in another's place.") from None


def sealed_length(length: int) -> int:
    """Return how many bytes a content of so many bytes takes when it is sealed."""
    return HEADER + length + TAG * (length // CHUNK + 1)


class SealedReader(io.RawIOBase):
    """A seekable binary file over a sealed object; fetches and opens only the chunks it is asked for.

    Args:
        fetch: Gives the sealed bytes from one offset to before another.
        size: Bytes of the sealed object as it lies there.
        length: Bytes of content that the record declares.
        guard: Called before each read; raises when reading is over, such as at the end of retention.

    Raises:
        IntegrityError: At once if the size is not that of the declared length, or the header is not that of the key;
            at a read if a chunk is not as written.
        ClosedError: It is read after it was closed.

    Source: c2sp.org/chunked-encryption, implementation notes on random access.
    """

    def __init__(
        self,
        key: bytes,
        context: bytes,
        fetch: Callable[[int, int], bytes],
        *,
        size: int,
        length: int,
        guard: Callable[[], None],
    ) -> None:
        super().__init__()
        if size != sealed_length(length):
            raise IntegrityError(
                f"The content is {size} sealed bytes where {sealed_length(length)} were written: cut or extended."
            )
        self._fetch = fetch
        self._length = length
        self._guard = guard
        self._position = 0
        self._last_chunk: tuple[int, bytes] | None = None
        self.bytes_fetched = 0
        self._aead, self._base_nonce = self._derive(key, context)

    def _derive(self, key: bytes, context: bytes) -> tuple[AESGCM, int]:
        header = self._fetch_exactly(0, HEADER)
        info = _INFO + header[:SALT] + context
        derived = HKDFExpand(SHA512(), _KEY + _NONCE + COMMITMENT, info).derive(key)
        if not constant_time.bytes_eq(derived[_KEY + _NONCE :], header[SALT:]):
            raise IntegrityError("The content's header is not that of its key: altered, or put in another's place.")
        return AESGCM(derived[:_KEY]), int.from_bytes(derived[_KEY : _KEY + _NONCE], "big")

    def _fetch_exactly(self, start: int, stop: int) -> bytes:
        sealed = self._fetch(start, stop)
        self.bytes_fetched += len(sealed)
        if len(sealed) != stop - start:
            raise IntegrityError("The content ends before its time: it was cut after it was opened.")
        return sealed

    def _open_chunks(self, first: int, last: int) -> list[bytes]:
        start = HEADER + first * _SEALED_CHUNK
        stop = min(HEADER + (last + 1) * _SEALED_CHUNK, sealed_length(self._length))
        sealed = memoryview(self._fetch_exactly(start, stop))
        opened = []
        for number in range(first, last + 1):
            nonce = (self._base_nonce ^ number).to_bytes(_NONCE, "big")
            offset = (number - first) * _SEALED_CHUNK
            try:
                opened.append(self._aead.decrypt(nonce, sealed[offset : offset + _SEALED_CHUNK], None))
            except InvalidTag:
                raise IntegrityError(f"Chunk {number} of the content was altered, moved or exchanged.") from None
        return opened

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def seekable(self) -> bool:
        """Whether it can be moved in: always."""
        return True

    def tell(self) -> int:
        """Return the position in bytes of content."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position; relative to the end only after the end was proved.

        Raises:
            IntegrityError: The last chunk is not as written, so the end cannot be believed.
            ValueError: The position would be negative.
        """
        self._require_open()
        if whence == io.SEEK_END:
            self._guard()
            self._chunk(self._length // CHUNK)
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._length}[whence]
        if base + offset < 0:
            raise ValueError("A position in content cannot be negative.")
        self._position = base + offset
        return self._position

    def _chunk(self, number: int) -> bytes:
        if self._last_chunk is None or self._last_chunk[0] != number:
            self._last_chunk = (number, self._open_chunks(number, number)[0])
        return self._last_chunk[1]

    def readinto(self, buffer: "io._WriteableBuffer") -> int:  # type: ignore[name-defined]  # typeshed's own name
        """Read into a buffer; see `read`."""
        content = self.read(len(memoryview(buffer).cast("B")))
        memoryview(buffer).cast("B")[: len(content)] = content
        return len(content)

    def readall(self) -> bytes:
        """Read from the position to the end."""
        return self.read(-1)

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to so many bytes of content, all to the end if none or a negative number is given.

        Raises:
            IntegrityError: A chunk is not as written; none of its bytes is given.
            ExpiredError: Retention ended meanwhile.
        """
        self._require_open()
        self._guard()
        left = max(self._length - self._position, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted == 0:
            if self._position >= self._length:
                self._chunk(self._length // CHUNK)  # the end is believed only once it was proved
            return b""
        first, last = self._position // CHUNK, (self._position + wanted - 1) // CHUNK
        if wanted == left:
            last = self._length // CHUNK  # the empty chunk that may follow proves the end
        if self._last_chunk is not None and self._last_chunk[0] == first == last:
            chunks = [self._last_chunk[1]]
        else:
            chunks = self._open_chunks(first, last)
        self._last_chunk = (last, chunks[-1])
        offset = self._position - first * CHUNK
        content = b"".join(chunks)[offset : offset + wanted] if len(chunks) > 1 else chunks[0][offset : offset + wanted]
        self._position += len(content)
        return content

    def _require_open(self) -> None:
        if self.closed:
            raise ClosedError("The reader was closed.", advice="Open the recording again within a session.")

    def close(self) -> None:
        """Close it and forget what was opened last."""
        self._last_chunk = None
        super().close()
