"""The log of a running archive, on both databases."""

import itertools
import shutil
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select, update

from kelarec import Archive, Place, Register, create_key_file
from kelarec.audit.entries import EntryKind
from kelarec.audit.proofs import verify_consistency
from kelarec.audit.tiles import consistency_proof
from kelarec.audit.verify import (
    Checkpoint,
    VerificationError,
    VerificationKey,
    open_checkpoint,
    verify_log,
)
from kelarec.domain.people import System
from kelarec.errors import CatalogMismatchError, ClockError, ForkedLogError, IntegrityError
from kelarec.storage import catalog_tables as tables
from kelarec.testing.clock import MovableClock
from log_writer import append, open_archive

APPENDING = Path(__file__).parents[1] / "log_writer.py"


@pytest.fixture
def folder(tmp_path: Path, catalog_url: str, kelarec_register: Register) -> Path:
    """A closed archive on disk with its catalog on the database of the test."""
    create_key_file(tmp_path / "root.key")
    Archive.create(
        objects=Place(tmp_path / "archive", "FI"),
        keys=Place(tmp_path / "keys", "FI"),
        root_key=f"keyfile:{tmp_path / 'root.key'}",
        catalog=Place(catalog_url, "FI"),
        register=kelarec_register,
    ).close()
    return tmp_path


def verify(folder: Path) -> Checkpoint:
    """Verify the log as an outsider does, from its files and public key alone."""
    log = folder / "archive" / "audit"

    def read(path: str) -> bytes | None:
        return (log / path).read_bytes() if (log / path).is_file() else None

    key = VerificationKey.from_vkey((log / "key").read_text("utf-8").strip())
    previous = [path.read_bytes() for path in sorted((log / "checkpoints").iterdir())]
    verify_log(read, key, previous=previous)
    return open_checkpoint((log / "checkpoint").read_bytes(), key)


@pytest.mark.parametrize("count", [10_000])
def test_four_processes_lose_nothing(folder: Path, catalog_url: str, count: int) -> None:
    """What four processes append to one log is in it once each, and the tree is right (notice, section 10)."""
    before = verify(folder).size
    writers = [
        subprocess.Popen([sys.executable, str(APPENDING), str(folder), catalog_url, str(number), str(count // 4)])
        for number in range(4)
    ]
    assert [writer.wait(timeout=300) for writer in writers] == [0, 0, 0, 0]

    with open_archive(folder, catalog_url) as archive:
        archive.audit.integrate()
        checkpoint = verify(folder)
        with archive._vault.database.begin() as connection:
            numbered = connection.execute(select(func.count()).select_from(tables.entries)).scalar_one()
        told = Counter(
            entry.facts["number"]
            for entry in archive.audit.iter_entries(by=System("auditor"))
            if entry.kind is EntryKind.LOOKED_UP
        )
    assert told == Counter(f"{writer}-{number}" for writer in range(4) for number in range(count // 4))
    # beside the entries of the writers, each process opened and closed the archive
    assert checkpoint.size - before == count + 4 * 2 + 1  # and it has been opened once more to count
    assert numbered == checkpoint.size
    print(f"\n{count} entries by 4 processes: {len(told)} told, 0 lost, 0 twice; tree of {checkpoint.size} verified")


def test_an_entry_is_provable_by_itself_soon(folder: Path, catalog_url: str) -> None:
    """In one process the log integrates by itself: nobody asks, an entry comes under a checkpoint (aim 3 s)."""
    with open_archive(folder, catalog_url) as archive:
        size = verify(folder).size
        append(archive, "a", 1)
        started = time.monotonic()
        while verify(folder).size < size + 2:
            assert time.monotonic() - started < 60, "nobody brings the entry into the tree"
            time.sleep(0.05)
        print(f"\nprovable after {time.monotonic() - started:.1f} s (aim 3 s)")


def test_checkpoints_continue_each_other(folder: Path, catalog_url: str) -> None:
    """Each checkpoint is proven to continue the one before it (tlog-checkpoint, Signatures)."""
    log = folder / "archive" / "audit"
    with open_archive(folder, catalog_url) as archive:
        key = VerificationKey.from_vkey(archive.audit.vkey)
        for number in range(5):
            append(archive, str(number), 70)
            archive.audit.integrate()
    signed = [open_checkpoint(path.read_bytes(), key) for path in sorted((log / "checkpoints").iterdir())]
    for older, newer in itertools.pairwise(signed):
        proof = consistency_proof(older.size, newer.size, lambda path: (log / path).read_bytes())
        verify_consistency(older.size, newer.size, proof, older.root, newer.root)
    assert len(signed) >= 6


def test_two_catalogs_are_refused(folder: Path, catalog_url: str) -> None:
    """A second catalog of one archive is refused by name and writes no second history (fault 22)."""
    with open_archive(folder, catalog_url) as archive:
        before = verify(folder)
        with archive._vault.database.begin() as connection:
            connection.execute(update(tables.catalog).where(tables.catalog.c.name == "catalog").values(value="another"))
        archive._vault.database.bind("another")
        append(archive, "a", 1)
        with pytest.raises(CatalogMismatchError, match="Another catalog"):
            archive.audit.integrate()
        assert verify(folder) == before
        with archive._vault.database.begin() as connection:
            mine = (folder / "archive" / "audit" / "catalog").read_text("ascii").splitlines()[1]
            connection.execute(update(tables.catalog).where(tables.catalog.c.name == "catalog").values(value=mine))
        archive._vault.database.bind(mine)


def test_a_rolled_back_catalog_is_refused(folder: Path, catalog_url: str) -> None:
    """A catalog that lost numbered entries signs nothing more (fault 22)."""
    with open_archive(folder, catalog_url) as archive:
        append(archive, "a", 20)
        archive.audit.integrate()
        before = verify(folder)
        with archive._vault.database.begin() as connection:
            connection.execute(delete(tables.entries).where(tables.entries.c.leaf_index >= before.size - 5))
        append(archive, "b", 20)
        with pytest.raises(ForkedLogError, match="rolled back"):
            archive.audit.integrate()
        assert verify(folder) == before
        with pytest.raises(ForkedLogError):
            archive.close()


def test_an_altered_tile_stops_the_log(folder: Path, catalog_url: str) -> None:
    """Nothing is signed on top of a tile that was altered (fault 22)."""
    archive = open_archive(folder, catalog_url)
    append(archive, "a", 3)
    archive.audit.integrate()
    [*_, tile] = sorted((folder / "archive" / "audit" / "tile" / "0").rglob("000.p/*"), key=lambda path: int(path.name))
    content = bytearray(tile.read_bytes())
    content[0] ^= 1
    tile.write_bytes(content)
    append(archive, "b", 1)
    with pytest.raises(IntegrityError, match="cannot be continued"):
        archive.audit.integrate()
    with pytest.raises(VerificationError, match="tile/0/000"):
        verify(folder)
    with pytest.raises(IntegrityError):
        archive.close()


def test_a_clock_that_runs_backwards_is_named(kelarec_archive: Archive, kelarec_clock: MovableClock) -> None:
    """A lease from the future shows that a clock ran backwards; it is named and nothing is signed."""
    with kelarec_archive._vault.database.begin() as connection:
        ahead = kelarec_clock() + timedelta(days=1)
        values = {"name": "integrator", "holder": "another", "ends_at": int(ahead.timestamp() * 1_000_000)}
        connection.execute(tables.leases.insert().values(**values))
    with pytest.raises(ClockError, match="ran backwards"):
        kelarec_archive.audit.integrate()
    kelarec_clock.move(timedelta(days=2))


def test_whoever_finds_entries_waiting_integrates_them(kelarec_archive: Archive, kelarec_clock: MovableClock) -> None:
    """Access does not go on over a log that has stood still for more than ten seconds."""
    kelarec_archive.audit.write(kelarec_archive.audit.new_entry(EntryKind.LOOKED_UP, System("a")))
    kelarec_archive.audit.require_current()
    assert kelarec_archive.audit.count_waiting() > 0, "entries younger than ten seconds are left to the background"
    kelarec_clock.move(timedelta(seconds=11))
    kelarec_archive.audit.require_current()
    assert kelarec_archive.audit.count_waiting() == 0


def test_a_dead_integrator_is_replaced(folder: Path, catalog_url: str) -> None:
    """An integrator killed between any two writes is finished by the next, which writes the same again."""
    log = folder / "archive" / "audit"
    with open_archive(folder, catalog_url) as archive:
        archive.audit._background.stop()  # it would integrate in between
        append(archive, "a", 300)
        before = {path: path.read_bytes() for path in log.rglob("*") if path.is_file()}
        archive.audit.integrate()
        written = sorted((path for path in log.rglob("*") if path.is_file() and path not in before), key=str)
        complete = {path: path.read_bytes() for path in written}
        points = 0
        for lost in range(len(written)):
            for path in written[lost:]:
                path.unlink(missing_ok=True)
            (log / "checkpoint").write_bytes(before[log / "checkpoint"])
            archive.audit.integrate()
            assert {path: path.read_bytes() for path in written} == complete
            points += 1
        verify(folder)
    print(f"\n{points} points at which an integrator died, 0 violations")


def test_a_witness_is_shown_each_checkpoint(kelarec_register: Register, kelarec_clock: MovableClock) -> None:
    """A checkpoint is handed to witnesses before it becomes the newest one."""
    seen: list[bytes] = []
    with Archive.in_memory(kelarec_register, clock=kelarec_clock, witnesses=[seen.append]) as archive:
        archive.audit.integrate()
        key = VerificationKey.from_vkey(archive.audit.vkey)
    assert [open_checkpoint(note, key).size for note in seen] == [1, 2]


def test_the_verifier_runs_copied_out_alone(folder: Path, tmp_path: Path) -> None:
    """The verifier, alone in an empty folder with cryptography only, verifies an archive's log."""
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(Path(__file__).parents[2] / "src" / "kelarec" / "audit" / "verify.py", alone)
    log = folder / "archive" / "audit"
    command = [
        sys.executable,
        "-I",
        "-c",
        RUN_ALONE,
        str(alone / "verify.py"),
        str(log),
        (log / "key").read_text().strip(),
    ]
    done = subprocess.run(command, cwd=alone, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "unwitnessed" in done.stdout
    print(f"\n{done.stdout.strip()}")


RUN_ALONE = """
import runpy, sys

class NothingOfOurs:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"kelarec", "attrs", "attr", "sqlalchemy", "fsspec", "cattrs"}:
            raise ImportError(name)

sys.meta_path.insert(0, NothingOfOurs())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize("answer", [b"nonsense", OSError("the line is dead"), None])
def test_no_witness_can_hold_up_the_log(
    kelarec_register: Register, kelarec_clock: MovableClock, answer: bytes | OSError | None
) -> None:
    """A witness that fails or answers nonsense leaves the log unwitnessed and whole."""

    def witness(_: bytes) -> bytes | None:
        if isinstance(answer, OSError):
            raise answer
        return answer

    with Archive.in_memory(kelarec_register, clock=kelarec_clock, witnesses=[witness]) as archive:
        for number in range(3):
            append(archive, str(number), 1)
            head = archive.audit.integrate()
            assert head is not None
            assert head.checkpoint.size == number + 2
