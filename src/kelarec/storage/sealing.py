"""Sealing: content as Cobblestone-256 (c2sp.org/chunked-encryption), written as a stream and read from any position."""

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag

from kelarec.errors import ClosedError, IntegrityError
from kelarec.storage.chunks import CHUNK, HEADER, SEALED_CHUNK, TAG, SealedChunks, sealed_length

__all__ = ["CHUNK", "HEADER", "TAG", "SealedReader", "SealedWriter", "iter_sealed", "seal", "sealed_length", "unseal"]

_SPAN: Final = 256 * 1024


class SealedWriter:
    """Seals one stream in constant memory; iterate it, once, for the sealed pieces.

    Each piece is bytes of its own: a backend may keep it for a retry while the next one is made.

    Attributes:
        header: The first bytes of the sealed object, which a record remembers; empty before the first piece.
        length: Bytes of content that went in so far.
    """

    def __init__(self, key: bytes, context: bytes, chunks: Iterable[bytes]) -> None:
        self._encryptor = Cobblestone256Encryptor(key, context)
        self._chunks = chunks
        self.header = b""
        self.length = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            spans = [chunk] if len(chunk) <= _SPAN else _iter_spans(chunk)
            for span in spans:
                sealed = self._encryptor.update(span)
                self.length += len(span)
                if sealed:
                    self.header = self.header or sealed[:HEADER]
                    yield sealed
        end = self._encryptor.finalize()
        self.header = self.header or end[:HEADER]
        yield end


def _iter_spans(chunk: bytes) -> Iterator[memoryview]:
    whole = memoryview(chunk)
    for start in range(0, len(whole), _SPAN):
        yield whole[start : start + _SPAN]


def iter_sealed(key: bytes, context: bytes, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Seal a stream, piece by piece, in constant memory."""
    return iter(SealedWriter(key, context, chunks))


def seal(key: bytes, context: bytes, content: bytes) -> bytes:
    """Seal bytes that fit into memory."""
    encryptor = Cobblestone256Encryptor(key, context)
    return encryptor.update(content) + encryptor.finalize()


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


class SealedReader(io.RawIOBase):
    """A seekable binary file over a sealed object; fetches and opens only the chunks it is asked for.

    With the header known, opening it asks the place for nothing, and each read is one ranged request. A read that
    begins in the first chunk compares the object's own header with the known one; a read that reaches the end asks for
    one byte more than there should be, so that an object that was extended shows without a request for its size.

    Args:
        fetch: Gives the sealed bytes from one offset to before another, fewer if the object ends earlier.
        length: Bytes of content that the record declares.
        guard: Called before each read; raises when reading is over, such as at the end of retention.
        header: The first bytes of the object as the record remembers them; fetched if nobody does.

    Raises:
        IntegrityError: At once if the header is not that of the key; at a read if a chunk is not as written, or the
            object was cut or extended.
        ClosedError: It is read after it was closed.

    Source: c2sp.org/chunked-encryption, implementation notes on random access.
    """

    def __init__(
        self,
        key: bytes,
        context: bytes,
        fetch: Callable[[int, int], bytes],
        *,
        length: int,
        guard: Callable[[], None],
        header: bytes | None = None,
    ) -> None:
        super().__init__()
        self._fetch = fetch
        self._length = length
        self._guard = guard
        self._position = 0
        self._last_chunk: tuple[int, bytes] | None = None
        self.bytes_fetched = 0
        self._chunks = SealedChunks(key, context, self._fetch_exactly(0, HEADER) if header is None else header)

    def _fetch_exactly(self, start: int, stop: int) -> bytes:
        is_end = stop == sealed_length(self._length)
        sealed = self._fetch(start, stop + is_end)
        self.bytes_fetched += len(sealed)
        if len(sealed) < stop - start:
            raise IntegrityError("The content ends before its time: it was cut.")
        if len(sealed) > stop - start:
            raise IntegrityError("The content goes on after its end: it was extended.")
        return sealed

    def _fetch_chunks(self, first: int, last: int) -> memoryview:
        start = HEADER + first * SEALED_CHUNK
        stop = min(HEADER + (last + 1) * SEALED_CHUNK, sealed_length(self._length))
        if first > 0:
            return memoryview(self._fetch_exactly(start, stop))
        sealed = memoryview(self._fetch_exactly(0, stop))
        if sealed[:HEADER] != self._chunks.header:
            raise IntegrityError("The content's header is not as written: altered, or put in another's place.")
        return sealed[HEADER:]

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

    def readall(self) -> bytes:
        """Read from the position to the end."""
        return self.read(-1)

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to so many bytes of content, all to the end if none or a negative number is given.

        Raises:
            IntegrityError: A chunk is not as written; none of its bytes is given.
            ExpiredError: Retention ended meanwhile.
        """
        wanted = self._prepare(size)
        content = io.BytesIO(bytes(wanted))  # filled in place and handed out without a copy
        with content.getbuffer() as buffer:
            self._fill(buffer)
        return content.getvalue()

    def readinto(self, buffer: "io._WriteableBuffer") -> int:  # type: ignore[name-defined]  # typeshed's own name
        """Read into a buffer; see `read`. After an error nothing that was read is left in it."""
        with memoryview(buffer).cast("B") as whole:
            wanted = self._prepare(len(whole))
            with whole[:wanted] as filled:
                self._fill(filled)
        return wanted

    def _prepare(self, size: int | None) -> int:
        self._require_open()
        self._guard()
        left = max(self._length - self._position, 0)
        if self._position >= self._length:
            self._chunk(self._length // CHUNK)  # the end is believed only once it was proved
        return left if size is None or size < 0 else min(size, left)

    def _fill(self, buffer: memoryview) -> None:
        if not buffer:
            return
        try:
            self._open_span(self._position, buffer)
        except BaseException:
            buffer[:] = bytes(len(buffer))
            raise
        self._position += len(buffer)
        self._note_read(self._position - len(buffer), self._position)

    def _note_read(self, start: int, stop: int) -> None:
        """Take note of content that is about to be given."""

    def _open_span(self, start: int, buffer: memoryview) -> None:
        stop = start + len(buffer)
        if self._last_chunk is not None and start // CHUNK == self._last_chunk[0]:
            start += _copy_part(self._last_chunk, start, buffer)
        end = self._length // CHUNK  # even if the chunk there is empty, it is what proves the end
        last = end if stop == self._length else (stop - 1) // CHUNK
        first = start // CHUNK
        if start == stop and (last < first or last == self._known_chunk()):
            return
        sealed = self._fetch_chunks(first, last)
        whole_from, whole_to = -(-start // CHUNK), stop // CHUNK
        if first < whole_from:
            self._open_edge(first, sealed[:SEALED_CHUNK], start, buffer[start - stop :])
        if whole_from < whole_to:
            at, to = whole_from * CHUNK - stop + len(buffer), whole_to * CHUNK - stop + len(buffer)
            between = sealed[(whole_from - first) * SEALED_CHUNK : (whole_to - first) * SEALED_CHUNK]
            self._chunks.open_into(whole_from, between, buffer[at:to])
        if last >= max(whole_from, whole_to):
            at = last * CHUNK - stop + len(buffer)
            self._open_edge(last, sealed[(last - first) * SEALED_CHUNK :], last * CHUNK, buffer[at:])

    def _open_edge(self, number: int, sealed: memoryview, start: int, buffer: memoryview) -> None:
        self._last_chunk = (number, self._chunks.open_one(number, sealed))
        _copy_part(self._last_chunk, start, buffer)

    def _known_chunk(self) -> int | None:
        return None if self._last_chunk is None else self._last_chunk[0]

    def _chunk(self, number: int) -> bytes:
        if self._last_chunk is None or self._last_chunk[0] != number:
            self._last_chunk = (number, self._chunks.open_one(number, self._fetch_chunks(number, number)))
        return self._last_chunk[1]

    def _require_open(self) -> None:
        if self.closed:
            raise ClosedError("The reader was closed.", advice="Open the recording again within a session.")

    def close(self) -> None:
        """Close it and forget what was opened last."""
        self._last_chunk = None
        super().close()


def _copy_part(chunk: tuple[int, bytes], start: int, buffer: memoryview) -> int:
    """Copy what an opened chunk has from a position on, as far as the buffer goes; return how many bytes."""
    number, content = chunk
    part = content[start - number * CHUNK : start - number * CHUNK + len(buffer)]
    buffer[: len(part)] = part
    return len(part)
