"""Content is sealed in a published format, and any seek in it reads what a plain file would: GDPR, Art. 32(1)(a).

Source of the format: c2sp.org/chunked-encryption, Cobblestone-256.
"""

import io
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pytest
from cryptography.cobblestone import Cobblestone256Decryptor
from hypothesis import given, settings
from hypothesis import strategies as st

from kelarec import Archive, Chat, Kind, System
from kelarec.errors import ClosedError, IntegrityError
from kelarec.storage.json_form import from_json
from kelarec.storage.recordings import Recordings
from kelarec.storage.sealing import CHUNK, HEADER, TAG, SealedReader, iter_sealed, seal, sealed_length, unseal
from kelarec.storage.vault import Vault
from kelarec.testing.builders import make_chat, make_contact, make_wav

if TYPE_CHECKING:
    from conftest import Disk

KEY: Final = bytes(range(32))
CONTEXT: Final = b"kelarec v1\narchive test\npart audio"
SEALED_CHUNK: Final = CHUNK + TAG
LENGTHS: Final = [1, 2, 16383, 16384, 16385, 32767, 32768, 32769, 40000, 49152]
ALL_LENGTHS: Final = [0, *LENGTHS]
COUNTED: Final = b"".join(number.to_bytes(4, "big") for number in range(16384))


def content_of(length: int) -> bytes:
    """Return so many bytes, each telling where it stands."""
    return COUNTED[:length]


SEALED: Final = {length: seal(KEY, CONTEXT, content_of(length)) for length in ALL_LENGTHS}


def open_sealed(
    sealed: bytes, length: int, *, key: bytes = KEY, context: bytes = CONTEXT, guard: Callable[[], None] = lambda: None
) -> SealedReader:
    """Open a sealed object that lies in memory."""
    return SealedReader(key, context, lambda start, stop: sealed[start:stop], length=length, guard=guard)


def read_to_end(sealed: bytes, length: int) -> bytes:
    """Read a sealed object as one who reads until nothing comes any more."""
    reader = open_sealed(sealed, length)
    return b"".join(iter(lambda: reader.read(5000), b""))


def require_refusal(sealed: bytes, length: int) -> None:
    """Check that neither way of reading believes a sealed object."""
    with pytest.raises(IntegrityError):
        unseal(KEY, CONTEXT, sealed)
    with pytest.raises(IntegrityError):
        read_to_end(sealed, length)


@pytest.mark.parametrize("kind", [Kind.CUSTOMER_CALL, Kind.CUSTOMER_CHAT])
def test_what_lies_on_disk_is_read_by_the_library_alone(
    disk: "Disk", disk_archive: Archive, vault: Vault, kind: Kind
) -> None:
    """With data key and context, a content object opens by Cobblestone256Decryptor, without any code of ours."""
    content: bytes | Chat = make_chat() if kind.is_chat else make_wav(4)
    ended_at = disk.clock() + timedelta(seconds=4)
    call = disk_archive.capture.store(
        make_contact(kind=kind), ended_at=ended_at, content=content, by=System("recorder@test")
    )
    with vault.database.begin() as connection:
        opened = Recordings(vault).find_one(connection, call.id)
    assert opened is not None
    (part,) = opened.record.details.parts
    path = disk.objects / "recordings" / f"{call.recorded_on}" / f"{call.id}" / part.object_name
    lines = ["kelarec v1", f"archive {vault.archive_id}", f"recording {call.id}", f"part {part.name}"]
    context = "\n".join([*lines, f"format {part.media_type}"]).encode()
    decryptor = Cobblestone256Decryptor(opened.data_key.bare, context)
    read = decryptor.update(path.read_bytes()) + decryptor.finalize()
    assert len(read) == part.length
    assert (from_json(read, Chat) if kind.is_chat else read) == content


@pytest.mark.parametrize("length", ALL_LENGTHS)
def test_lengths_add_up(length: int) -> None:
    """Each content of a length takes exactly what the formula says, and opens again both ways."""
    assert len(SEALED[length]) == sealed_length(length)
    assert unseal(KEY, CONTEXT, SEALED[length]) == content_of(length)
    assert read_to_end(SEALED[length], length) == content_of(length)


@given(st.lists(st.binary(max_size=40000), max_size=5))
@settings(max_examples=50)
def test_however_it_comes_in_it_is_sealed_whole(chunks: list[bytes]) -> None:
    """Content that comes in pieces of any size is read back in one."""
    whole = b"".join(chunks)
    sealed = b"".join(iter_sealed(KEY, CONTEXT, chunks))
    assert len(sealed) == sealed_length(len(whole))
    assert unseal(KEY, CONTEXT, sealed) == whole


def test_nothing_is_sealed_alike_twice() -> None:
    """Equal contents under one key look different, so that nobody can tell that they are equal."""
    assert seal(KEY, CONTEXT, b"Hei") != seal(KEY, CONTEXT, b"Hei")


near_borders: Final = st.one_of(
    st.integers(-3, 50000),
    st.builds(lambda number, shift: number * CHUNK + shift, st.integers(0, 3), st.integers(-2, 2)),
)
steps: Final = st.one_of(
    st.tuples(st.just("seek"), near_borders, st.sampled_from([io.SEEK_SET, io.SEEK_CUR, io.SEEK_END])),
    st.tuples(st.just("read"), st.one_of(st.just(-1), st.integers(0, 40000)), st.just(0)),
    st.tuples(st.just("readinto"), st.integers(0, 20000), st.just(0)),
)


def take(file: io.IOBase, step: tuple[str, int, int]) -> object:
    """Take one step in a file and return what can be seen of it."""
    does, amount, whence = step
    try:
        if does == "seek":
            return file.seek(amount, whence)
        if does == "read":
            return file.read(amount)
        buffer = bytearray(amount)
        return file.readinto(buffer), bytes(buffer), file.tell()  # type: ignore[attr-defined]
    except ValueError:
        return "refused"


@given(st.sampled_from(ALL_LENGTHS), st.lists(steps, max_size=12))
@settings(max_examples=400)
def test_any_walk_through_it_is_that_of_a_plain_file(length: int, walk: list[tuple[str, int, int]]) -> None:
    """Seeking and reading in any order gives what io.BytesIO over the same content gives."""
    sealed, plain = open_sealed(SEALED[length], length), io.BytesIO(content_of(length))
    for step in walk:
        if step[0] == "seek" and step[2] == io.SEEK_CUR and plain.tell() + step[1] < 0:
            continue  # BytesIO goes to 0 where every real file refuses
        if step[0] == "seek" and step[2] == io.SEEK_END and length + step[1] < 0:
            continue
        assert take(sealed, step) == take(plain, step)
        assert sealed.tell() == plain.tell()


def test_only_what_is_asked_for_is_fetched() -> None:
    """Ten bytes from the middle cost one chunk and the header (GDPR, Art. 5(1)(c))."""
    reader = open_sealed(SEALED[49152], 49152)
    reader.seek(20000)
    assert reader.read(10) == content_of(49152)[20000:20010]
    assert reader.bytes_fetched == HEADER + SEALED_CHUNK


CUTS: Final = sorted(
    {
        (length, at)
        for length in LENGTHS
        for border in range(HEADER, len(SEALED[length]) + SEALED_CHUNK, SEALED_CHUNK)
        for at in (0, 1, border - TAG - 1, border - TAG, border - 1, border, border + 1, len(SEALED[length]) - 1)
        if at < len(SEALED[length])
    }
)


@pytest.mark.parametrize(("length", "at"), CUTS)
def test_what_was_cut_is_refused(length: int, at: int) -> None:
    """A content cut anywhere, at a chunk's border too, is never taken for a whole one (Art. 32(1)(b))."""
    require_refusal(SEALED[length][:at], length)


@pytest.mark.parametrize("length", LENGTHS)
def test_one_read_of_everything_proves_the_end(length: int) -> None:
    """Who reads a whole content at once learns of a damage in its last byte, too (Art. 32(1)(b))."""
    sealed = SEALED[length][:-1] + bytes([SEALED[length][-1] ^ 1])
    with pytest.raises(IntegrityError):
        open_sealed(sealed, length).read()


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("more", [b"\0", bytes(TAG), bytes(SEALED_CHUNK)], ids=len)
def test_what_was_lengthened_is_refused(length: int, more: bytes) -> None:
    """Bytes put after the end are never taken for content."""
    require_refusal(SEALED[length] + more, length)


def chunks_of(sealed: bytes) -> tuple[bytes, list[bytes]]:
    """Return the header and the sealed chunks."""
    body = sealed[HEADER:]
    return sealed[:HEADER], [body[start : start + SEALED_CHUNK] for start in range(0, len(body), SEALED_CHUNK)]


@pytest.mark.parametrize(
    "order",
    [(1, 0, 2), (0, 2, 1), (0, 0, 2), (1, 1, 2), (0, 1), (0, 2), (1, 2), (2,), (0, 1, 1, 2), (0, 1, 2, 2), (2, 1, 0)],
    ids=str,
)
def test_chunks_keep_their_order(order: tuple[int, ...]) -> None:
    """Chunks that were exchanged, doubled or dropped are found, and so are they if the length were to fit."""
    header, chunks = chunks_of(SEALED[40000])
    altered = header + b"".join(chunks[number] for number in order)
    length = len(altered) - HEADER - TAG * len(order)
    require_refusal(altered, 40000)
    if sealed_length(length) == len(altered):
        require_refusal(altered, length)


def test_chunks_of_another_recording_do_not_fit() -> None:
    """A header, or a chunk, of one content put on another of the same key and length is found."""
    other = seal(KEY, CONTEXT, content_of(40000))
    header, chunks = chunks_of(SEALED[40000])
    other_header, other_chunks = chunks_of(other)
    require_refusal(other_header + b"".join(chunks), 40000)
    require_refusal(header + other_chunks[0] + b"".join(chunks[1:]), 40000)
    require_refusal(header + b"".join(chunks[:-1]) + other_chunks[-1], 40000)


@pytest.mark.parametrize(
    ("key", "context"), [(bytes(32), CONTEXT), (KEY, CONTEXT + b"\n"), (KEY, b"")], ids=["key", "context", "no context"]
)
def test_only_its_own_key_and_context_open_it(key: bytes, context: bytes) -> None:
    """Content does not open under another key, nor in another recording's place (Art. 32(1)(b))."""
    with pytest.raises(IntegrityError):
        unseal(key, context, SEALED[40000])
    with pytest.raises(IntegrityError, match="header"):
        open_sealed(SEALED[40000], 40000, key=key, context=context)


def test_a_closed_reader_gives_nothing() -> None:
    """What was closed is read no more."""
    reader = open_sealed(SEALED[40000], 40000)
    reader.close()
    for give in (reader.read, reader.readall, lambda: reader.seek(0)):
        with pytest.raises(ClosedError):
            give()
