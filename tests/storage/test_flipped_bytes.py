"""One flipped byte is found in every class of file: the notice, section 10; GDPR, Art. 5(1)(f) and 32(1)(b)."""

import os
import re
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from kelarec import AccessRequest, Archive, Place, Recording, StaffId, System
from kelarec.errors import IntegrityError, KelarecError
from kelarec.storage.description import read_description
from kelarec.storage.engine import open_database, require_own
from kelarec.storage.key_tree import name_leaf
from kelarec.storage.keyring import Keyring
from kelarec.storage.objects import FolderObjects
from kelarec.storage.recordings import Recordings
from kelarec.storage.registers import read_kept_registers
from kelarec.storage.roots import load_root_key
from kelarec.storage.sealing import CHUNK, HEADER, TAG, SealedReader
from kelarec.storage.vault import Vault
from kelarec.testing.builders import make_contact, make_person, make_staff_member, make_wav

if TYPE_CHECKING:
    from conftest import Disk

RECORDER: Final = System("recorder@test")
VEIKKO: Final = StaffId("veikko")
EVERY_BIT: Final = range(8)
CLASSES: Final = {
    "description": r"archive/archive\.json",
    "register": r"archive/registers/[^/]+/register-\w+",
    "staff": r"archive/staff/[^/]+/member-\d+-\w+",
    "request": r"archive/requests/[^/]+/request-\d+-\w+",
    "record": r"archive/recordings/[^/]+/[^/]+/record-1-\w+",
    "content": r"archive/recordings/[^/]+/[^/]+/audio-\w+",
    "catalog": r"archive\.catalog\.sqlite(-journal)?",
    "root key": r"root\.key",
    "ring key": r"keys/ring\.key",
    "standing keys": r"keys/standing\.key",
    "keys of a date": r"keys/days/[-\d]+\.key",
    "nodes of a date": r"keys/days/[-\d]+/[\da-f]{2}\.nodes",
    "signing key": r"keys/signing\.key",
    "log": r"archive/audit/.+",  # public tiles, which tests/audit hold against their verifier
}


@pytest.fixture
def call(disk_archive: Archive, disk: "Disk") -> Recording:
    """A call of two and a half chunks on disk, with an adviser and a request beside it, and a neighbour erased."""
    disk_archive.staff.enrol(make_staff_member(), by=RECORDER)
    request = AccessRequest(person=make_person(), channel="telephone", received_at=disk.clock())
    disk_archive.rights.receive(request, by=RECORDER)
    wav = make_wav(2.5 * CHUNK / 16_000)
    ended_at = disk.clock() + timedelta(seconds=2)
    call = disk_archive.capture.store(make_contact(), ended_at=ended_at, content=wav, by=RECORDER)
    branch = name_leaf(str(call.id))[:2]
    neighbour = next(name for name in map(str, range(9999)) if name_leaf(name).startswith(branch))
    disk_archive._vault.keyring.puncture(call.kept_through, [neighbour])
    return call


def one_of(disk: "Disk", kind: str) -> Path:
    """Return the first file of a class."""
    return next(disk.folder / path for path in disk.list_files() if re.fullmatch(CLASSES[kind], path))


def flip(
    path: Path, read: Callable[[], object], offsets: Iterable[int] | None = None, bits: range | None = EVERY_BIT
) -> list[tuple[int, int]]:
    """Flip bits of a file one after another and read it; return offset and bit of each that nobody noticed.

    Args:
        path: The file; in the end it is as it was.
        read: Uses the file; must raise a KelarecError if it was altered.
        offsets: Which bytes; every one if none are given.
        bits: Which bits of each; one that changes from byte to byte if None is given.
    """
    whole = path.read_bytes()
    read()
    flips = [
        (offset, bit)
        for offset in (range(len(whole)) if offsets is None else offsets)
        for bit in (bits or (offset % 8,))
    ]
    unnoticed = []
    try:
        for offset, bit in flips:
            path.write_bytes(whole[:offset] + bytes([whole[offset] ^ 1 << bit]) + whole[offset + 1 :])
            try:
                read()
            except KelarecError:
                continue
            unnoticed.append((offset, bit))
    finally:
        path.write_bytes(whole)
    read()
    found = len(flips) - len(unnoticed)
    print(f"\n{path.name}: {len(whole)} bytes, {len(flips)} bits flipped, {found} found")
    return unnoticed


@pytest.mark.usefixtures("call")
def test_every_file_on_disk_is_of_a_class_tested_here(disk: "Disk") -> None:
    """No file of an archive escapes this module (Art. 32(1)(b))."""
    classes = [[name for name, form in CLASSES.items() if re.fullmatch(form, path)] for path in disk.list_files()]
    assert [len(each) for each in classes] == [1] * len(classes)
    assert {name for each in classes for name in each} >= CLASSES.keys() - {"log"}


@pytest.mark.usefixtures("call")
def test_in_the_description(disk: "Disk") -> None:
    """One flipped bit in any byte of archive.json keeps the archive from opening (Art. 32(1)(b))."""
    assert flip(disk.objects / "archive.json", lambda: disk.open().close(), bits=None) == []


@pytest.mark.parametrize(
    "kind", ["root key", "ring key", "standing keys", "keys of a date", "nodes of a date", "signing key"]
)
def test_in_the_keys(disk: "Disk", vault: Vault, call: Recording, kind: str) -> None:
    """Any one flipped bit in a file of keys is found before a key is used (Art. 32(1)(b))."""
    path = one_of(disk, kind)

    def read_keys() -> None:
        root = load_root_key(f"keyfile:{disk.root_key}", os.urandom)
        keyring = Keyring.open(FolderObjects(disk.keys), vault.archive_id, root, os.urandom)
        if kind == "signing key":
            keyring.get_signing_seed()
        elif kind in {"standing keys", "keys of a date"}:
            keyring.get(path.stem)
        elif kind == "nodes of a date":
            keyring.get_leaf(call.kept_through, str(call.id))

    bits = None if kind == "nodes of a date" else EVERY_BIT  # it is large
    assert flip(path, read_keys, bits=bits) == []


@pytest.mark.usefixtures("call")
@pytest.mark.parametrize("kind", ["staff", "request", "record"])
def test_in_a_sealed_document(disk: "Disk", vault: Vault, kind: str) -> None:
    """Any one flipped bit in a sealed document is found before anything of it is believed (Art. 32(1)(b))."""
    path = one_of(disk, kind)
    subject = vault.subject("recording" if kind == "record" else kind, path.parent.name)
    assert flip(path, lambda: vault.open_envelope(subject, path.read_bytes())) == []


@pytest.mark.usefixtures("call")
def test_in_the_register(disk: "Disk", vault: Vault, disk_archive: Archive) -> None:
    """One flipped bit in any byte of the sealed register is found, so that nobody works by an altered notice."""
    assert (
        flip(one_of(disk, "register"), lambda: read_kept_registers(vault, disk_archive.register.name), bits=None) == []
    )


def make_listener(vault: Vault, call: Recording) -> Callable[[], None]:
    """Return what listens to a whole call as a session does, without its log entries."""
    recordings = Recordings(vault)
    with vault.database.begin() as connection:
        opened = recordings.find_one(connection, call.id)
    assert opened is not None
    part = opened.record.details.parts[0]

    def listen() -> None:
        with recordings.open_part(opened, part, lambda: None, SealedReader) as reader:
            while reader.read(CHUNK):
                pass

    return listen


def test_in_the_content(disk: "Disk", vault: Vault, call: Recording) -> None:
    """One flipped bit in header, chunk or tag of a call is found by whoever listens to it (Art. 32(1)(b))."""
    path = one_of(disk, "content")
    borders = [HEADER + number * (CHUNK + TAG) for number in range(3)] + [path.stat().st_size]
    near = {border + shift for border in borders for shift in range(-TAG - 2, 3)}
    offsets = sorted({*range(HEADER), *near, *range(0, path.stat().st_size, 97)} & set(range(path.stat().st_size)))
    assert flip(path, make_listener(vault, call), offsets) == []


def test_in_every_byte_of_a_short_call(disk: "Disk", vault: Vault, disk_archive: Archive) -> None:
    """Any one flipped bit of a whole sealed call is found by whoever listens to it (Art. 32(1)(b))."""
    ended_at = disk.clock() + timedelta(seconds=1)
    call = disk_archive.capture.store(make_contact(), ended_at=ended_at, content=make_wav(0.05), by=RECORDER)
    assert flip(one_of(disk, "content"), make_listener(vault, call)) == []


def test_a_session_gives_nothing_of_a_damaged_call(disk: "Disk", disk_archive: Archive, call: Recording) -> None:
    """Through a session, too, a damaged call is an IntegrityError and not noise (Art. 5(1)(f))."""
    path = one_of(disk, "content")
    content = bytearray(path.read_bytes())
    content[HEADER + CHUNK + TAG + 5] ^= 1
    path.write_bytes(content)
    with disk_archive.session(by=VEIKKO, purpose="verify-service-event", matter="KELA-1") as session:
        reader = session.open(call.id)
        assert len(reader.read(CHUNK)) == CHUNK
        with pytest.raises(IntegrityError, match="Chunk 1"):
            reader.read(1)


def row_of(disk: "Disk", call: Recording) -> tuple[range, range]:
    """Return where in the catalog's file the clear columns and the sealed record of a call lie."""
    with closing(sqlite3.connect(disk.catalog)) as connection:
        (record,) = connection.execute("SELECT record FROM recordings").fetchone()
    content = disk.catalog.read_bytes()
    first = content.index(call.id.bytes + call.kind.encode()) + len(call.id.bytes)  # the id is read from its index
    sealed = content.index(record)
    return range(first, content.index(b"recordings/", first)), range(sealed, sealed + len(record))


@pytest.mark.parametrize("which", ["clear columns", "sealed record"])
def test_in_a_row_of_the_catalog(
    disk: "Disk", disk_archive: Archive, vault: Vault, call: Recording, which: str
) -> None:
    """One flipped bit in a recording's row is found when the row is used: it must equal its sealed record."""
    clear, sealed = row_of(disk, call)
    disk_archive.audit._background.stop()  # or the tree would grow on a catalog whose bytes are put back
    with disk_archive.session(by=VEIKKO, purpose="verify-service-event", matter="KELA-1") as session:

        def use() -> None:
            vault.database._engine.dispose()  # or SQLite would answer from its memory
            session.get_details(call.id)

        assert flip(disk.catalog, use, clear if which == "clear columns" else sealed, bits=None) == []


def test_in_the_header_of_the_catalog(disk: "Disk") -> None:
    """A catalog whose file no longer begins as a database does is refused by name (Art. 32(1)(b))."""
    disk.create().close()
    what_sqlite_checks = [*range(18), *range(20, 24)]
    archive_id, _ = read_description(FolderObjects(disk.objects))

    def look() -> None:  # opening the whole archive would write to its log, and the bytes put back would be a rollback
        database = open_database(Place(f"sqlite://{disk.catalog}", "FI"), must_exist=True)
        try:
            require_own(database, archive_id=str(archive_id))
        finally:
            database.close()

    assert flip(disk.catalog, look, what_sqlite_checks) == []


def pages_of(catalog: Path, *tables: str) -> dict[str, range]:
    """Return where the pages of some tables' indexes lie, each the only one, and that of the tokens."""
    with closing(sqlite3.connect(catalog)) as connection:
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        rows = connection.execute("SELECT name, tbl_name, type, rootpage FROM sqlite_master WHERE rootpage > 0")
        return {
            name: range((page - 1) * size, page * size)
            for name, table, kind, page in rows
            if table == "tokens" or (table in tables and kind == "index")
        }


def used_bytes(content: bytes, page: range) -> list[int]:
    """Return the bytes of a leaf page that hold anything: its header, the cells' places, the cells."""
    cells = int.from_bytes(content[page.start + 3 : page.start + 5], "big")
    first_cell = int.from_bytes(content[page.start + 5 : page.start + 7], "big")
    return [*range(page.start, page.start + 8 + 2 * cells), *range(page.start + first_cell, page.stop)]


@pytest.mark.parametrize("stride", [11, pytest.param(1, marks=pytest.mark.deep)])
@pytest.mark.usefixtures("call")
def test_in_tokens_and_indexes_of_the_catalog(disk: "Disk", disk_archive: Archive, vault: Vault, stride: int) -> None:
    """One flipped bit in a look-up token or in a page of an index is found by whoever verifies (Art. 32(1)(b))."""
    disk_archive.audit.integrate()
    disk_archive.audit.abandon()  # or the tree would grow on a catalog whose bytes are put back
    vault.database._engine.dispose()
    content = disk.catalog.read_bytes()
    pages = pages_of(disk.catalog, "recordings", "holds", "held_recordings", "staff", "requests", "sessions", "entries")
    assert "tokens" in pages
    assert len(pages) >= 8
    assert content[pages["tokens"].start] == content[pages["recordings_by_start"].start] == 10  # leaves of an index
    offsets = [offset for page in pages.values() for offset in used_bytes(content, page)]

    def verify() -> None:
        vault.database._engine.dispose()
        disk_archive.verify(by=RECORDER)

    assert flip(disk.catalog, verify, offsets[::stride], bits=None) == []
