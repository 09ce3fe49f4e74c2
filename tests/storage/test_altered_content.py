"""Faults 8, 9 and 10: flipped, cut, lengthened, moved and exchanged content is found; GDPR, Art. 5(1)(f) and 32(1)(b).

Each figure is printed. The harness first proves itself on readers from which one check was taken out.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from attrs import evolve, field, frozen

from kelarec import Archive, Recording, System
from kelarec.errors import FormatTooNewError, IntegrityError
from kelarec.storage.chunks import SEALED_CHUNK
from kelarec.storage.objects import FolderObjects
from kelarec.storage.recordings import OpenedRecord, Recordings
from kelarec.storage.sealing import CHUNK, HEADER, TAG, SealedReader
from kelarec.storage.vault import Vault
from kelarec.testing.builders import make_contact, make_wav

if TYPE_CHECKING:
    from conftest import Disk

LARGE: Final = 64.5 * CHUNK / 16_000  # seconds of two channels of G.711: 65 chunks
SHIFTS: Final = (-TAG - 1, -TAG, -1, 0, 1)


@frozen
class OnDisk:
    """One stored call, its record and its content's file."""

    recordings: Recordings = field(repr=False)
    opened: OpenedRecord = field(repr=False)
    path: Path

    @classmethod
    def store(cls, archive: Archive, vault: Vault, disk: "Disk", seconds: float) -> "OnDisk":
        """Store a call of so many seconds."""
        ended_at = disk.clock() + timedelta(seconds=seconds)
        call: Recording = archive.capture.store(
            make_contact(), ended_at=ended_at, content=make_wav(seconds), by=System("recorder@test")
        )
        with vault.database.begin() as connection:
            opened = Recordings(vault).find_one(connection, call.id)
        assert opened is not None
        folder = disk.objects / "recordings" / f"{call.recorded_on}" / f"{call.id}"
        return cls(Recordings(vault), opened, folder / opened.record.details.parts[0].object_name)

    def open(self, kind: type[SealedReader] = SealedReader) -> SealedReader:
        """Open the content as a session does, without its log entries."""
        return self.recordings.open_part(self.opened, self.opened.record.details.parts[0], lambda: None, kind)


def read_at_once(reader: SealedReader) -> None:
    """Read the whole in one, which goes through the library's stream."""
    reader.read()


def read_in_steps(reader: SealedReader) -> None:
    """Read from begin to end in steps that fit no chunk."""
    while reader.read(50_000):
        pass


def read_backwards(reader: SealedReader) -> None:
    """Read chunk after chunk from the end to the begin, each by itself."""
    for start in range(reader.seek(0, 2) // CHUNK * CHUNK, -1, -CHUNK):
        reader.seek(start)
        reader.readinto(bytearray(CHUNK))


WAYS: Final = (read_at_once, read_in_steps, read_backwards)


def count_missed(
    call: OnDisk,
    alterations: Iterator[bytes],
    ways: tuple[Callable[[SealedReader], None], ...],
    kind: type[SealedReader],
) -> tuple[int, int]:
    """Put each altered content in the place of a call's and read it; return how many were tried and went unnoticed."""
    whole = call.path.read_bytes()
    tried = missed = 0
    try:
        for altered in alterations:
            assert altered != whole
            call.path.write_bytes(altered)
            for way in ways:
                tried += 1
                try:
                    with call.open(kind) as reader:
                        way(reader)
                except IntegrityError:
                    continue
                missed += 1
    finally:
        call.path.write_bytes(whole)
    with call.open() as reader:
        read_in_steps(reader)  # the harness itself broke nothing
    return tried, missed


def flips(sealed: bytes, offsets: list[int]) -> Iterator[bytes]:
    """Give the content with one bit flipped at each offset, another bit from byte to byte."""
    for offset in offsets:
        yield sealed[:offset] + bytes([sealed[offset] ^ 1 << offset % 8]) + sealed[offset + 1 :]


def cuts_and_more(sealed: bytes) -> Iterator[bytes]:
    """Give the content cut around each border of a chunk, and with bytes appended."""
    for border in range(HEADER, len(sealed) + SEALED_CHUNK, SEALED_CHUNK):
        for at in {0, 1, *(border + shift for shift in SHIFTS)}:
            if at < len(sealed):
                yield sealed[:at]
    yield from (sealed + more for more in (b"\0", sealed[-TAG:], bytes(SEALED_CHUNK), sealed[HEADER:]))


def rearrangements(sealed: bytes) -> Iterator[bytes]:
    """Give the content with chunks swapped, doubled and dropped."""
    header, body = sealed[:HEADER], sealed[HEADER:]
    chunks = [body[start : start + SEALED_CHUNK] for start in range(0, len(body), SEALED_CHUNK)]
    for number in range(len(chunks)):
        yield header + b"".join([*chunks[:number], *chunks[number + 1 :]])
        yield header + b"".join([*chunks[:number], chunks[number], *chunks[number:]])
        if number + 1 < len(chunks):
            swapped = [*chunks[:number], chunks[number + 1], chunks[number], *chunks[number + 2 :]]
            yield header + b"".join(swapped)


def exchanges(sealed: bytes, other: bytes) -> Iterator[bytes]:
    """Give the content as other content of the same length would have it in part or in whole."""
    yield other
    yield other[:HEADER] + sealed[HEADER:]
    yield sealed[:HEADER] + other[HEADER:]
    for start in range(HEADER, len(sealed), SEALED_CHUNK):
        yield sealed[:start] + other[start : start + SEALED_CHUNK] + sealed[start + SEALED_CHUNK :]


def positions(sealed: bytes) -> list[int]:
    """Return every class of position: all of the header, and around the borders of every chunk and in its middle."""
    borders = [*range(HEADER, len(sealed), SEALED_CHUNK), len(sealed)]
    near = {border + shift for border in borders for shift in (*SHIFTS, SEALED_CHUNK // 2)}
    return sorted({*range(HEADER), *near} & set(range(len(sealed))))


@pytest.fixture
def small(disk_archive: Archive, vault: Vault, disk: "Disk") -> OnDisk:
    """A call of a tenth of a second."""
    return OnDisk.store(disk_archive, vault, disk, 0.1)


@pytest.fixture
def large(disk_archive: Archive, vault: Vault, disk: "Disk") -> OnDisk:
    """A call of 65 chunks."""
    return OnDisk.store(disk_archive, vault, disk, LARGE)


def test_fault_8_every_byte_of_a_small_recording(small: OnDisk) -> None:
    """One bit flipped in each byte of a small sealed call, header included, is found by each way of reading."""
    sealed = small.path.read_bytes()
    tried, missed = count_missed(small, flips(sealed, list(range(len(sealed)))), WAYS, SealedReader)
    print(f"\nfault 8, small: {len(sealed)} bytes, one bit flipped in each, {tried} readings, {tried - missed} found")
    assert (tried, missed) == (3 * len(sealed), 0)


def test_fault_8_every_class_of_position_of_a_large_recording(large: OnDisk) -> None:
    """One bit flipped in header, content or tag of any chunk is found, by the library's stream and by ours."""
    sealed = large.path.read_bytes()
    tried, missed = count_missed(large, flips(sealed, positions(sealed)), WAYS[:2], SealedReader)
    print(f"\nfault 8, large: {len(sealed)} bytes, {tried // 2} bits flipped, {tried} readings, {tried - missed} found")
    assert tried > 600
    assert missed == 0


def test_fault_9_cut_lengthened_and_rearranged(disk_archive: Archive, vault: Vault, disk: "Disk") -> None:
    """Cut at each border of a chunk ± 1, lengthened, swapped, doubled, dropped: all found, also at whole chunks."""
    tried = missed = 0
    for seconds in (0.1, 2.5 * CHUNK / 16_000, 12.25 * CHUNK / 16_000):
        call = OnDisk.store(disk_archive, vault, disk, seconds)
        sealed = call.path.read_bytes()
        for alterations in (cuts_and_more(sealed), rearrangements(sealed)):
            counted = count_missed(call, alterations, WAYS, SealedReader)
            tried, missed = tried + counted[0], missed + counted[1]
    print(f"\nfault 9: {tried} readings of cut, lengthened or rearranged content, {tried - missed} found")
    assert missed == 0
    assert tried > 300


def test_fault_10_under_each_others_names(disk_archive: Archive, vault: Vault, disk: "Disk") -> None:
    """Another call's content of the same length, its header, or any chunk of it, is found in any place."""
    one, other = (OnDisk.store(disk_archive, vault, disk, 4.5 * CHUNK / 16_000) for _ in range(2))
    sealed = one.path.read_bytes()
    tried, missed = count_missed(one, exchanges(sealed, other.path.read_bytes()), WAYS, SealedReader)
    print(f"\nfault 10: {tried} readings of exchanged content, {tried - missed} found")
    assert (tried, missed) == (24, 0)


class _BelievesItsHeader(SealedReader):
    """A reader with a planted fault: it never looks at the object's own header."""

    def _fetch_chunks(self, first: int, last: int) -> memoryview:
        start = HEADER + first * SEALED_CHUNK
        stop = min(HEADER + (last + 1) * SEALED_CHUNK, HEADER + self._length + TAG * (self._length // CHUNK + 1))
        return memoryview(self._fetch_exactly(start, stop))


class _BelievesTheEnd(SealedReader):
    """A reader with a planted fault: it does not see that an object goes on."""

    def _fetch_exactly(self, start: int, stop: int) -> bytes:
        return self._fetch(start, stop)


@pytest.mark.parametrize("kind", [_BelievesItsHeader, _BelievesTheEnd])
def test_the_harness_finds_a_planted_fault(small: OnDisk, kind: type[SealedReader]) -> None:
    """With one check taken out, the same alterations go unnoticed and are counted."""
    sealed = small.path.read_bytes()
    alterations = flips(sealed, list(range(HEADER))) if kind is _BelievesItsHeader else cuts_and_more(sealed)
    _, missed = count_missed(small, alterations, (read_at_once,), kind)
    assert missed == (HEADER if kind is _BelievesItsHeader else 4)


class _CountedObjects(FolderObjects):
    """A folder that notes what it is asked for."""

    asked: tuple[str, ...] = ()

    def read_range(self, path: str, start: int, stop: int) -> bytes:
        """Note and read a range."""
        self.asked += (f"{stop - start} bytes",)
        return super().read_range(path, start, stop)

    def get_size(self, path: str) -> int:
        """Note and tell a size."""
        self.asked += ("size",)
        return super().get_size(path)


def test_a_cold_seek_is_one_ranged_request(large: OnDisk, vault: Vault, disk: "Disk") -> None:
    """With header and length in the record, opening asks the place for nothing, a seek for one range (Art. 5(1)(c))."""
    counted = _CountedObjects(disk.objects)
    recordings = Recordings(evolve(vault, objects=counted))
    part = large.opened.record.details.parts[0]
    with recordings.open_part(large.opened, part, lambda: None, SealedReader) as reader:
        opened_with = list(counted.asked)
        reader.seek(500_000)
        assert len(reader.read(65_536)) == 65_536
        assert (opened_with, list(counted.asked)) == ([], [f"{5 * SEALED_CHUNK} bytes"])
        reader.seek(-10, 2)
        assert len(counted.asked) == 2
    with recordings.open_part(large.opened, evolve(part, header=None), lambda: None, SealedReader) as reader:
        reader.seek(500_000)
        reader.read(65_536)
        assert list(counted.asked[2:]) == [f"{HEADER} bytes", f"{5 * SEALED_CHUNK} bytes"]


def test_what_a_newer_version_sealed_is_named(large: OnDisk) -> None:
    """Content in a format that this version does not know is a FormatTooNewError, not a damage."""
    part = evolve(large.opened.record.details.parts[0], sealing="cobblestone-512")
    with pytest.raises(FormatTooNewError, match="cobblestone-512"):
        large.recordings.open_part(large.opened, part, lambda: None, SealedReader)


@pytest.mark.parametrize("start", [0, 5 * CHUNK], ids=["stream", "chunk by chunk"])
def test_nothing_unproved_is_left_in_a_buffer(large: OnDisk, start: int) -> None:
    """After a false tag a buffer holds nothing of what was read, where the library leaves what it had opened."""
    sealed = bytearray(large.path.read_bytes())
    sealed[HEADER + 30 * SEALED_CHUNK] ^= 1
    large.path.write_bytes(sealed)
    buffer = bytearray(b"\xff" * 40 * CHUNK)
    with large.open() as reader:
        reader.seek(start)
        with pytest.raises(IntegrityError, match="Chunk 30"):
            reader.readinto(buffer)
        assert buffer == bytes(len(buffer))
        assert reader.tell() == start
        reader.seek(31 * CHUNK)
        assert len(reader.read(CHUNK)) == CHUNK  # what is whole can still be had
