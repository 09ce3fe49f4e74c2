"""What sealing costs.

Work: 100 MB written and read; 64 KiB at a random offset; 20 KB objects, each with a wrapped key of its own; two
threads; 1 GB in and out. Baselines, in the same run and in turn with the rest: plain files, and a bare loop of the
library's Cobblestone class with the same syncs and renames. Beside them Tink, the AWS Encryption SDK and age (pyrage),
if `kelarec[bench]` is installed.

Once on tmpfs, where a sync costs nothing, and once on disk, where everyone syncs the file and its folder. How far plain
and sealed are apart depends on the processor's AES; the bare loop shows what of it is ours.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from figures import Work, in_turn, judge, show, timed, timed_cpu
from fsspec.implementations.local import LocalFileSystem
from sealing_peers import CONTEXT, KEY, NOISE, PIECE, Fill, Peers, pieces

from kelarec import Archive, Place, System, create_key_file, kela_register
from kelarec.storage.chunks import CHUNK, HEADER, SEALED_CHUNK, SealedChunks
from kelarec.storage.envelopes import make_data_key
from kelarec.storage.objects import FolderObjects
from kelarec.storage.recordings import Recordings
from kelarec.storage.sealing import SealedReader, SealedWriter, seal
from kelarec.testing.builders import make_contact, make_wav

READ: Final = 1 << 20
SMALL: Final = 20_000
SEEK: Final = 64 * 1024


def put(path: Path, fill: Fill, *, is_durable: bool) -> None:
    """Write a file beside its name, sync it if asked, rename it, and sync the folder."""
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb", buffering=0) as file:
        fill(file)
        if is_durable:
            os.fsync(file.fileno())
    unfinished.rename(path)
    if is_durable:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(folder)
        os.close(folder)


def fill_plain(size: int) -> Fill:
    """Write noise as it is."""

    def fill(file: BinaryIO) -> None:
        file.writelines(pieces(size))

    return fill


def fill_bare(size: int) -> Fill:
    """Seal noise by a bare loop of the library's class, into one buffer."""

    def fill(file: BinaryIO) -> None:
        encryptor, buffer = Cobblestone256Encryptor(KEY, CONTEXT), memoryview(bytearray(PIECE + 65_536))
        file.writelines(buffer[: encryptor.update_into(piece, buffer)] for piece in pieces(size))
        file.write(encryptor.finalize())

    return fill


def write_whole(folder: Path, size: int, rounds: int, *, is_durable: bool, peers: Peers) -> None:
    """100 MB in."""
    clock = timed if is_durable else timed_cpu
    objects, counter, path = FolderObjects(folder), iter(range(1_000_000)), folder / "one"

    def write(fill: Fill) -> Work:
        def work() -> float:
            seconds = clock(lambda: put(path, fill, is_durable=is_durable))
            path.unlink()
            return seconds

        return work

    def write_ours() -> float:
        name = f"ours-{next(counter)}"
        seconds = clock(lambda: objects.write(name, SealedWriter(KEY, CONTEXT, pieces(size))))
        (folder / name).unlink()
        return seconds

    works: dict[str, Work] = {"plain": write(fill_plain(size)), "bare": write(fill_bare(size)), "kelarec": write_ours}
    works |= {name: write(fill(size)) for name, fill in peers.fills.items()}
    aims = {"kelarec": (0.0 if is_durable else 0.63, 0.90)}
    show("100 MB written, " + ("durable" if is_durable else "tmpfs"), "MB/s", size / 1e6, in_turn(works, rounds), aims)


def read_whole(folder: Path, size: int, rounds: int, peers: Peers) -> None:
    """100 MB out again; nothing is synced, and the page cache gives what tmpfs gives."""
    objects = FolderObjects(folder)
    put(folder / "plain", fill_plain(size), is_durable=False)
    put(folder / "sealed", fill_bare(size), is_durable=False)
    for name, fill in peers.fills.items():
        put(folder / name, fill(size), is_durable=False)
    buffer, sealed_buffer = bytearray(READ), bytearray(READ // CHUNK * SEALED_CHUNK)

    def read_plain() -> None:
        with (folder / "plain").open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass

    def read_bare() -> None:
        decryptor, view = Cobblestone256Decryptor(KEY, CONTEXT), memoryview(sealed_buffer)
        content = bytearray(READ + SEALED_CHUNK)
        with (folder / "sealed").open("rb", buffering=0) as file:
            while count := file.readinto(sealed_buffer):
                decryptor.update_into(view[:count], content)
        decryptor.finalize()

    def read_ours() -> None:
        reader = SealedReader(
            KEY, CONTEXT, lambda a, b: objects.read_range("sealed", a, b), length=size, guard=lambda: None
        )
        while reader.readinto(buffer):
            pass

    def read_peer(name: str) -> Work:
        def read() -> None:
            with (folder / name).open("rb") as file:
                peers.reads[name](file)

        return lambda: timed_cpu(read)

    reads: dict[str, Work] = {
        "plain": lambda: timed_cpu(read_plain),
        "bare": lambda: timed_cpu(read_bare),
        "kelarec": lambda: timed_cpu(read_ours),
    }
    reads |= {name: read_peer(name) for name in peers.reads}
    show("100 MB read, tmpfs", "MB/s", size / 1e6, in_turn(reads, rounds), {"kelarec": (0.36, 0.90)})


def seek_open(folder: Path, size: int, rounds: int) -> None:
    """64 KiB at a random offset, with the handle open."""
    objects, filesystem = FolderObjects(folder), LocalFileSystem(skip_instance_cache=True)
    offsets = [int.from_bytes(os.urandom(4), "big") % (size - SEEK) for _ in range(300)]
    header = (folder / "sealed").read_bytes()[:HEADER]
    reader = SealedReader(
        KEY, CONTEXT, lambda a, b: objects.read_range("sealed", a, b), length=size, guard=lambda: None, header=header
    )
    plain = filesystem.open(str(folder / "plain"), "rb")

    def seek_and_read(file: Any) -> Work:  # noqa: ANN401  any file
        def work() -> None:
            for offset in offsets:
                file.seek(offset)
                file.read(SEEK)

        return lambda: timed_cpu(work)

    def read_ranges() -> None:
        for offset in offsets:
            filesystem.cat_file(str(folder / "plain"), start=offset, end=offset + SEEK)

    chunks, bare = SealedChunks(KEY, CONTEXT, header), filesystem.open(str(folder / "sealed"), "rb")

    def open_chunks() -> None:
        for offset in offsets:
            first, last = offset // CHUNK, (offset + SEEK - 1) // CHUNK
            bare.seek(HEADER + first * SEALED_CHUNK)
            sealed = memoryview(bare.read((last - first + 1) * SEALED_CHUNK))
            for number in range(last - first + 1):
                chunks.open_one(first + number, sealed[number * SEALED_CHUNK : (number + 1) * SEALED_CHUNK])

    works = {
        "plain": seek_and_read(plain),
        "bare": lambda: timed_cpu(open_chunks),
        "kelarec": seek_and_read(reader),
        "cat_file": lambda: timed_cpu(read_ranges),
    }
    show("64 KiB at an offset, handle open", "µs", len(offsets), in_turn(works, rounds), {"kelarec": (1.6, 0.0)})
    plain.close()
    bare.close()


def use_two_threads(folder: Path, size: int, rounds: int) -> None:
    """Two recordings on two threads against one on one; bare is sealing into memory: what the machine has to give."""
    objects, buffers = FolderObjects(folder), [bytearray(READ), bytearray(READ)]

    def in_and_out(number: int) -> None:
        objects.write(f"thread-{number}", SealedWriter(KEY, CONTEXT, pieces(size)))
        reader = SealedReader(
            KEY, CONTEXT, lambda a, b: objects.read_range(f"thread-{number}", a, b), length=size, guard=lambda: None
        )
        while reader.readinto(buffers[number]):
            pass
        (folder / f"thread-{number}").unlink()

    def seal_only(number: int) -> None:
        encryptor, buffer = Cobblestone256Encryptor(KEY, CONTEXT), buffers[number]
        for piece in pieces(size):
            encryptor.update_into(piece, buffer)

    def on_two(work: Callable[[int], None]) -> Work:
        def two() -> None:
            running = [threading.Thread(target=work, args=(number,)) for number in range(2)]
            for thread in running:
                thread.start()
            for thread in running:
                thread.join()

        return lambda: timed(two)

    works: dict[str, Work] = {"one": lambda: timed(lambda: in_and_out(0)), "two": on_two(in_and_out)}
    works |= {"one, bare": lambda: timed(lambda: seal_only(0)), "two, bare": on_two(seal_only)}
    taken = in_turn(works, rounds)
    for name, which, aim in (("bare", ", bare", 0.0), ("kelarec", "", 1.6)):
        pairs = zip(taken[f"one{which}"], taken[f"two{which}"], strict=True)
        ratio = statistics.median(2 * one / both for one, both in pairs)
        told = f"{ratio:.2f} of one thread{judge(ratio, aim, is_rate=True)}"
        print(f"| {'100 MB in and out, two threads':<33} | {name:<8} | {'':<13} | {told} |", flush=True)


@contextmanager
def archive_in(folder: Path) -> Iterator[Archive]:
    """Make an archive below a folder."""
    folder.mkdir()
    root = create_key_file(folder / "root.key")
    objects, keys = Place(folder / "archive", "FI"), Place(folder / "keys", "FI")
    register = kela_register(contact_point="Registry")
    with Archive.create(objects=objects, keys=keys, root_key=root, register=register) as archive:
        yield archive
    shutil.rmtree(folder)


def write_small(folder: Path, count: int, rounds: int, *, is_durable: bool) -> None:
    """20 KB objects, each sealed under a key of its own; ours are wrapped for their recording as well."""
    clock = timed if is_durable else timed_cpu
    content, numbers = NOISE[:SMALL], iter(range(10_000_000))
    plain = folder / "small"
    plain.mkdir()
    with archive_in(folder / "small-archive") as archive:
        vault = archive._vault
        day = (archive._vault.now() + timedelta(days=365)).date()
        vault.keyring.get_or_make(day, vault.now())

        def write_bytes(make: Callable[[], bytes]) -> Callable[[], object]:
            return lambda: put(
                plain / f"{next(numbers)}", lambda file: file.writelines([make()]), is_durable=is_durable
            )

        def write_ours() -> object:
            subject = vault.subject("recording", str(vault.new_id()))
            data_key = make_data_key(vault.keyring, day.isoformat(), subject, vault.randomness)
            writer = SealedWriter(data_key.bare, subject.context(("part", "audio")), [content])
            return vault.objects.write(f"small/{vault.new_object_name('audio')}", writer)

        def repeat(write: Callable[[], object]) -> Work:
            return lambda: clock(lambda: [write() for _ in range(count)])

        works = {
            "plain": repeat(write_bytes(lambda: content)),
            "bare": repeat(write_bytes(lambda: seal(os.urandom(32), CONTEXT, content))),
            "kelarec": repeat(write_ours),
        }
        name = "20 KB object written, " + ("durable" if is_durable else "tmpfs")
        show(name, "/s", count, in_turn(works, rounds), {"kelarec": (0.0, 0.85 if is_durable else 0.50)})
    shutil.rmtree(plain)


def seek_cold(folder: Path, rounds: int) -> None:
    """64 KiB of a recording that nobody has touched: row, key leaf, one range; against a plain file opened anew."""
    filesystem = LocalFileSystem(skip_instance_cache=True)
    with archive_in(folder / "cold-archive") as archive:
        wav = make_wav(600)
        contact = make_contact(started_at=archive._vault.now() - timedelta(minutes=11))
        call = archive.capture.store(contact, ended_at=archive._vault.now(), content=wav, by=System("bench"))
        plain, vault, recordings = folder / "cold-plain", archive._vault, Recordings(archive._vault)
        plain.write_bytes(wav)
        offsets = [int.from_bytes(os.urandom(4), "big") % (len(wav) - SEEK) for _ in range(100)]

        def read_plain() -> None:
            for offset in offsets:
                filesystem.cat_file(str(plain), start=offset, end=offset + SEEK)

        def read_ours() -> None:
            for offset in offsets:
                with vault.database.begin() as connection:
                    opened = recordings.find_one(connection, call.id)
                assert opened is not None  # noqa: S101
                part = opened.record.details.parts[0]
                reader = recordings.open_part(opened, part, lambda: None, SealedReader)
                reader.seek(offset)
                reader.read(SEEK)

        works: dict[str, Work] = {"plain": lambda: timed_cpu(read_plain), "kelarec": lambda: timed_cpu(read_ours)}
        show("64 KiB at an offset, cold", "µs", len(offsets), in_turn(works, rounds), {"kelarec": (5.0, 0.0)})
        plain.unlink()


def memory(folder: Path, size: int) -> None:
    """Print by how much a process grows that takes 1 GB in and out."""
    command = [sys.executable, __file__, "--memory", str(size), "--tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    print(
        f"| {f'{size / 1e9:.1f} GB in and out':<33} | kelarec  | {int(done.stdout):8} MiB  | above start (aim ≤ 64) |"
    )


def grow(folder: Path, size: int) -> int:
    """Take so many bytes in and out; return by how many MiB this process grew."""

    def peak() -> int:
        return int(Path("/proc/self/status").read_text("ascii").partition("VmHWM:")[2].split()[0]) // 1024

    objects, start, buffer = FolderObjects(folder), peak(), bytearray(READ)
    objects.write("large", SealedWriter(KEY, CONTEXT, pieces(size)))
    reader = SealedReader(KEY, CONTEXT, lambda a, b: objects.read_range("large", a, b), length=size, guard=lambda: None)
    while reader.readinto(buffer):
        pass
    (folder / "large").unlink()
    return peak() - start


def main() -> None:
    """Run it all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--tmpfs", type=Path, default=Path("/dev/shm"))  # noqa: S108  memory is what is asked for
    parser.add_argument("--disk", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--memory", type=int, default=0, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.memory:
        print(grow(chosen.tmpfs, chosen.memory))
        return
    size, rounds = chosen.megabytes * 1_000_000, chosen.rounds
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the peers warn of is theirs
        peers = Peers()
    for each in peers.missing:
        print(f"not installed here, so not measured: {each}")
    print(f"medians of {rounds} rounds in turn; ratios are medians of those of each round")
    print("on tmpfs by the processor's time, which other work on the machine disturbs least; on disk by the clock")
    with tempfile.TemporaryDirectory(dir=chosen.tmpfs) as tmpfs, tempfile.TemporaryDirectory(dir=chosen.disk) as disk:
        write_whole(Path(tmpfs), size, rounds, is_durable=False, peers=peers)
        write_whole(Path(disk), size, rounds, is_durable=True, peers=peers)
        read_whole(Path(tmpfs), size, rounds, peers)
        seek_open(Path(tmpfs), size, rounds)
        use_two_threads(Path(tmpfs), size, rounds)
        write_small(Path(tmpfs), 300, rounds, is_durable=False)
        write_small(Path(disk), 50, rounds, is_durable=True)
        seek_cold(Path(tmpfs), rounds)
        memory(Path(tmpfs), size * 10)


if __name__ == "__main__":
    main()
