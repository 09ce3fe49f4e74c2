"""What happens when the spool, its disk or the store behind it can take no more: faults 5 and 7."""

import os
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from kelarec import Archive, AudioForm, Kind, Place, State, System
from kelarec.audit.entries import EntryKind
from kelarec.capture import drain
from kelarec.errors import SpoolFullError, StorageError
from kelarec.storage import spool
from kelarec.storage.objects import ObjectPlace
from kelarec.storage.objects.contract import OneByOne
from kelarec.storage.recordings import Recordings
from kelarec.storage.sealing import SealedReader
from kelarec.testing.builders import make_contact

if TYPE_CHECKING:
    from conftest import Disk

RECORDER: Final = System("recorder@test")
STEREO: Final = AudioForm(channels=2)
SOUND: Final = bytes(range(250)) * 64


class StoppableObjects(OneByOne):
    """An object place that can be stopped and started again, as a store that is away."""

    def __init__(self, place: ObjectPlace) -> None:
        self._place = place
        self.is_away = False
        self.refused = 0

    def _require(self) -> None:
        if self.is_away:
            self.refused += 1
            raise StorageError("The store does not answer.")

    def write(self, path: str, chunks: Iterable[bytes]) -> int:
        """See `ObjectPlace.write`; it may be stopped in the middle."""

        def until_stopped() -> Iterator[bytes]:
            for chunk in chunks:
                self._require()
                yield chunk

        self._require()
        return self._place.write(path, until_stopped())

    def read(self, path: str) -> bytes:
        """See `ObjectPlace.read`."""
        self._require()
        return self._place.read(path)

    def read_range(self, path: str, start: int, stop: int) -> bytes:
        """See `ObjectPlace.read_range`."""
        self._require()
        return self._place.read_range(path, start, stop)

    def get_size(self, path: str) -> int:
        """See `ObjectPlace.get_size`."""
        self._require()
        return self._place.get_size(path)

    def iter_paths(self, below: str = "") -> Iterator[str]:
        """See `ObjectPlace.iter_paths`."""
        self._require()
        return self._place.iter_paths(below)

    def replace(self, path: str, content: bytes) -> None:
        """See `ObjectPlace.replace`."""
        self._require()
        self._place.replace(path, content)

    def delete(self, path: str) -> None:
        """See `ObjectPlace.delete`."""
        self._require()
        self._place.delete(path)

    def delete_unfinished(self, prefix: str) -> None:
        """See `ObjectPlace.delete_unfinished`."""
        self._require()
        self._place.delete_unfinished(prefix)


def read_content(archive: Archive, recording_id: object) -> bytes:
    """Return the samples of a recording in the archive."""
    recordings = Recordings(archive._vault)
    with archive._vault.database.begin() as connection:
        opened = recordings.find_one(connection, recording_id)  # type: ignore[arg-type]
    assert opened is not None
    [part] = opened.record.details.parts
    with recordings.open_part(opened, part, lambda: None, SealedReader) as reader:
        return reader.read()[58:]


def test_the_store_goes_away_under_load_and_comes_back(
    disk: "Disk", spooled_archive: Archive, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault 7: takes go on and end while the store is away; when it is back they drain in order, whole, unblocked."""
    monkeypatch.setattr(drain, "_LONGEST_PAUSE", 0.5)
    store = StoppableObjects(spooled_archive._vault.objects)
    object.__setattr__(spooled_archive._vault, "objects", store)
    ended, slowest, sounds = [], 0.0, {}
    takes = []
    for number in range(40):
        if number in {10, 30}:
            store.is_away = number == 10
        take = spooled_archive.capture.begin(make_contact(), form=STEREO, by=RECORDER)
        takes.append(take)
        sounds[take.recording_id] = b""
        for each in takes[-8:]:
            chunk = bytes([number]) * 3200
            started = time.perf_counter()
            each.part("audio").write(chunk)
            slowest = max(slowest, time.perf_counter() - started)
            sounds[each.recording_id] += chunk
        if number >= 7:
            ended.append(takes[number - 7])
            recording = takes[number - 7].finish().result(30)
            if 12 <= number < 30:
                assert recording.state is State.SPOOLED
    for take in takes:
        take.finish().result(30)
    spooled_archive.close()
    assert store.refused > 0
    with disk.open(spool=True) as archive:
        assert archive.capture.recover() == ()
        for recording_id, sound in sounds.items():
            assert read_content(archive, recording_id) == sound
        stored = [
            entry.recording_id
            for entry in archive.audit.iter_entries(by=RECORDER)
            if entry.kind is EntryKind.RECORDING_STORED
        ]
    assert len([path for path in (disk.objects / "recordings").rglob("*") if path.is_file()]) == 2 * len(takes)
    order = {take.recording_id: number for number, take in enumerate(takes)}
    places = [order[each] for each in stored if each is not None]
    assert len(places) == len(takes)
    assert max(abs(place - number) for number, place in enumerate(places)) <= drain.WORKERS, places
    with capsys.disabled():
        print(
            f"\nstore away under load: {len(takes)} takes, {store.refused} requests refused, 0 bytes missing, "
            f"slowest write {slowest * 1e6:.0f} µs"
        )


def test_a_spool_at_its_limit_refuses_before_anything_is_lost(disk: "Disk") -> None:
    """Fault 7: the limit of the spool is told by name; what was taken in is whole, what was refused is a marked gap."""
    disk.create(spool=True).close()
    archive = disk.open(spool=True, spool_limit=300_000)
    store = StoppableObjects(archive._vault.objects)
    object.__setattr__(archive._vault, "objects", store)
    store.is_away = True
    first = archive.capture.begin(make_contact(), form=STEREO, by=RECORDER)
    taken = 0
    with pytest.raises(SpoolFullError, match="limit"):  # noqa: PT012  until it is full
        for _ in range(100):
            first.part("audio").write(SOUND)
            taken += 1
            first.flush().result(10)
    with pytest.raises(SpoolFullError):
        archive.capture.begin(make_contact(), form=STEREO, by=RECORDER)
    disk.clock.move(timedelta(seconds=7))
    archive.capture._live._get_spool()._limit = 10_000_000
    first.flush().result(10)
    first.part("audio").write(SOUND)
    store.is_away = False
    first.finish().result(30)
    archive.close()
    with disk.open(spool=True) as archive:
        archive.capture.recover()
        assert read_content(archive, first.recording_id) == SOUND * (taken + 1)
    [gap] = first.story.gaps
    assert (gap.reason, (gap.to_at - gap.from_at).total_seconds()) == ("spool-full", 7.0)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)],  # noqa: S607  of this system
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S607


def test_a_full_small_disk_is_told_and_survived(
    disk: "Disk", small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault 5: on a full disk earlier bytes are kept, the error is clear, and the take goes on when space returns."""
    monkeypatch.setattr(spool, "MOST_UNSYNCED", 300_000)
    disk.create().close()
    archive = Archive.open(
        objects=Place(disk.objects, "FI"),
        keys=Place(disk.keys, "FI"),
        root_key=f"keyfile:{disk.root_key}",
        catalog=disk.catalog_place,
        spool=Place(small_disk / "spool", "FI"),
        clock=disk.clock,
    )
    with archive:
        take = archive.capture.begin(make_contact(), form=STEREO, by=RECORDER)
        take.part("audio").write(SOUND)
        take.flush().result(10)
        filler = small_disk / "filler"
        free = os.statvfs(small_disk)
        filler.write_bytes(bytes(free.f_bavail * free.f_bsize - 20_000))
        taken = 1
        with pytest.raises(SpoolFullError):  # noqa: PT012  until memory has no room for it either
            for _ in range(500):
                take.part("audio").write(SOUND)
                taken += 1
                take.flush().exception(10)
        assert isinstance(take.failed.result(1), SpoolFullError)
        with pytest.raises(SpoolFullError):
            archive.capture.begin(make_contact(), form=STEREO, by=RECORDER)
        filler.unlink()
        deadline = time.monotonic() + 20
        while archive.capture._live._get_spool().refusal is not None and time.monotonic() < deadline:
            time.sleep(0.01)
        take.part("audio").write(SOUND)
        take.flush().result(10)
        recording = take.finish().result(10)
        assert read_content(archive, recording.id) == SOUND * (taken + 1)
        assert [gap.reason for gap in take.story.gaps] == ["spool-full"]


def test_nothing_lies_in_clear_while_a_take_goes_on(disk: "Disk", spooled_archive: Archive) -> None:
    """At no time during a take does a byte of sound or chat lie on disk in clear: shown by searching all the while."""
    marker, words = bytes(range(100, 132)), "hakemukseni on vielä käsittelyssä"
    found: list[str] = []
    searched = 0
    is_over = threading.Event()

    def search() -> None:
        nonlocal searched
        while not is_over.is_set():
            for path in list(disk.folder.rglob("*")):
                try:
                    content = path.read_bytes() if path.is_file() else b""
                except FileNotFoundError:
                    continue
                searched += 1
                if marker in content or words.encode() in content:
                    found.append(path.name)

    searcher = threading.Thread(target=search)
    searcher.start()
    for _ in range(3):
        call = spooled_archive.capture.begin(make_contact(), form=STEREO, by=RECORDER)
        chat = spooled_archive.capture.begin(make_contact(kind=Kind.CUSTOMER_CHAT), by=RECORDER)
        for _ in range(5):
            call.part("audio").write(marker * 100)
            chat.say("customer", words)
            call.flush().result(10)
        call.finish().result(10)
        chat.finish().result(10)
    is_over.set()
    searcher.join()
    assert searched > 20
    assert found == []


def test_a_damaged_spool_gives_what_is_whole_and_says_so(disk: "Disk", spooled_archive: Archive) -> None:
    """A byte that flips in the spool is never given: what is whole from the beginning on is kept, marked as cut."""
    take = spooled_archive.capture.begin(make_contact(), form=STEREO, by=RECORDER)
    for _ in range(3):
        take.part("audio").write(SOUND)
        take.flush().result(10)
    [segment] = disk.folder.glob("spool/*/segment-*")
    content = bytearray(segment.read_bytes())
    content[-100] ^= 1
    segment.write_bytes(content)
    recording = take.finish().result(10)
    assert read_content(spooled_archive, recording.id) == SOUND * 2
    assert take.story.cut is not None
    assert take.story.cut.reason == "spool damaged"
