"""A lost ring or root key: exactly what is unreadable is told, the rest is unharmed: the notice, section 10."""

import json
import os
from pathlib import Path
from typing import Final

import pytest

from custody_folders import Custody
from kelarec import Archive
from kelarec.audit.verify import main as verify
from kelarec.errors import ArchiveNotFoundError, RootKeyUnreadableError, WrongRootKeyError
from kelarec.storage.loss import list_sealed
from kelarec.storage.objects import FolderObjects
from kelarec.storage.ring import open_ring
from kelarec.storage.roots import LocalRootKey, load_root_key

SEALED_FOLDERS: Final = {"recordings": "recording", "registers": "register", "staff": "staff", "requests": "request"}


def open_sealed(archive: Archive, name: str, path: Path) -> bytes:
    """Return the content of a sealed document; its subject follows from where it lies."""
    folder, *steps, _ = name.split("/")
    vault = archive._vault
    return vault.open_envelope(vault.subject(SEALED_FOLDERS[folder], steps[-1]), path.read_bytes())


def test_what_a_lost_ring_key_takes_with_it_is_listed_exactly(custody: Custody) -> None:
    """Each listed object opens with the keys and none without; each other one is read without any key."""
    root_key = custody.make_key_file()
    with custody.create(root_key) as archive:
        recordings = custody.fill(archive, 3)
    ring = custody.folder / "keys" / "ring.key"
    kept = ring.read_bytes()
    ring.unlink()
    with pytest.raises(ArchiveNotFoundError, match="list_sealed"):
        custody.open(root_key)

    objects = custody.folder / "archive"
    sealed = list_sealed(FolderObjects(objects))
    in_clear = sorted({str(path.relative_to(objects)) for path in objects.rglob("*") if path.is_file()} - {*sealed})
    assert {path.split("/")[0] for path in sealed} == {*SEALED_FOLDERS, "audit"}
    assert {path.split("/")[2] for path in sealed if path.startswith("recordings/")} == {str(r.id) for r in recordings}
    documents = [path for path in sealed if (objects / path).read_bytes().startswith(b"kelarec sealed v1\n")]
    payloads = [path for path in sealed if path.startswith("audit/payloads/")]
    contents = [path for path in sealed if "/audio-" in path]
    assert sorted([*documents, *payloads, *contents]) == [*sealed]
    assert not any(b"Esimerkki" in (objects / path).read_bytes() for path in sealed)

    assert json.loads((objects / "archive.json").read_bytes())["archive"] == str(archive.id)
    assert verify([str(objects / "audit"), (objects / "audit" / "key").read_text("utf-8").strip()]) == 0
    assert {path.split("/")[0] for path in in_clear} == {"archive.json", "audit"}

    ring.write_bytes(kept)
    with custody.open(root_key) as archive:
        assert [custody.listen(archive, each) for each in recordings] == [custody.wav] * 3
        opened = [path for path in documents if open_sealed(archive, path, objects / path)]
    assert opened == documents
    print(f"\nring key lost: {len(sealed)} objects unreadable and listed, {len(in_clear)} in clear and unharmed")


def test_a_wrong_root_key_is_an_error_and_never_garbage(custody: Custody) -> None:
    """Root keys that differ from the right one by a single bit: each is a WrongRootKeyError, all 256 of them."""
    root_key = custody.make_key_file()
    with custody.create(root_key) as archive:
        custody.fill(archive)
    place = FolderObjects(custody.folder / "keys")
    right = open_ring(place, archive.id, load_root_key(root_key, os.urandom))
    bare = load_root_key(root_key, os.urandom)
    assert isinstance(bare, LocalRootKey)
    errors = 0
    for bit in range(256):
        wrong = bytes(byte ^ (1 << bit % 8 if position == bit // 8 else 0) for position, byte in enumerate(bare._key))
        with pytest.raises(WrongRootKeyError):
            open_ring(place, archive.id, LocalRootKey(wrong, os.urandom))
        errors += 1
    print(f"\nroot keys one bit off: {errors} of 256 refused by name, 0 opened")
    assert open_ring(place, archive.id, bare) == right


def test_a_lost_root_key_harms_nothing_else(custody: Custody) -> None:
    """Without its root key the archive does not open and is not changed; with a copy of the key it opens whole."""
    root_key = custody.make_key_file()
    with custody.create(root_key) as archive:
        recordings = custody.fill(archive, 2)
    before = {**custody.list_files("archive"), **custody.list_files("keys")}
    (custody.folder / "root.key").rename(custody.folder / "copy.key")
    with pytest.raises(RootKeyUnreadableError) as caught:
        custody.open(root_key)
    assert caught.value.advice
    with pytest.raises(WrongRootKeyError):
        custody.open(custody.make_key_file())
    assert {**custody.list_files("archive"), **custody.list_files("keys")} == before
    with custody.open(f"keyfile:{custody.folder / 'copy.key'}") as archive:
        assert [custody.listen(archive, each) for each in recordings] == [custody.wav] * 2
