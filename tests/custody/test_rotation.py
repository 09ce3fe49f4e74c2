"""A new root key touches one file: the notice, section 10; GDPR, Art. 32(1)."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest

from custody_folders import Custody, always
from kelarec import Archive, Place, StaffId, System
from kelarec.audit.entries import EntryKind
from kelarec.errors import (
    DeniedError,
    KelarecError,
    KeyCopiesDifferError,
    RootKeyUnreadableError,
    UnknownSchemeError,
    WrongRootKeyError,
)
from kelarec.storage.keyring import Keyring
from kelarec.storage.objects import FolderObjects
from kelarec.storage.roots import LocalRootKey
from key_services import KmsServer, SoftHsm

OPERATOR: Final = StaffId("otso")
READER: Final = System("reader@test")


def rotate_and_compare(custody: Custody, archive: Archive, root_key: str, pin: str = "") -> list[str]:
    """Put an archive under another root key; return what changed outside the log."""
    archive.audit.integrate()
    before = {**custody.list_files("keys"), **custody.list_files("archive")}
    archive.keys.rotate(root_key=root_key, secrets=lambda _: pin, by=OPERATOR)
    after = {**custody.list_files("keys"), **custody.list_files("archive")}
    changed = [path for path in {**before, **after} if before.get(path) != after.get(path)]
    print(f"\nrotated: {len(before)} objects, changed outside the log: {[p for p in changed if '/audit/' not in p]}")
    return sorted(path for path in changed if not path.startswith("archive/audit/"))


@pytest.fixture
def operated(enrol: Callable[..., StaffId]) -> Callable[[Archive], Archive]:
    """A function that enrols an operator."""

    def act(archive: Archive) -> Archive:
        enrol(archive, OPERATOR.text, "operator")
        return archive

    return act


def test_a_second_hsm_key_touches_one_object(
    custody: Custody, softhsm: SoftHsm, operated: Callable[[Archive], Archive]
) -> None:
    """An archive lives under a key in SoftHSM2 and moves to a second one: the ring key's file alone changes."""
    first, second = softhsm.make_key("rotation one"), softhsm.make_key("rotation two", token="spare")
    with operated(custody.create(first, lambda _: softhsm.pin)) as archive:
        recordings = custody.fill(archive, 3)
        assert rotate_and_compare(custody, archive, second, softhsm.pin) == ["keys/ring.key"]
        assert custody.listen(archive, recordings[0]) == custody.wav
    assert b"PKCS11-A256GCM" in (custody.folder / "keys" / "ring.key").read_bytes()
    with custody.open(second, lambda _: softhsm.pin) as archive:
        assert [custody.listen(archive, each) for each in recordings] == [custody.wav] * 3
    with pytest.raises(WrongRootKeyError):
        custody.open(first, lambda _: softhsm.pin)


def test_an_archive_moves_through_every_kind(
    custody: Custody, softhsm: SoftHsm, kms_server: KmsServer, operated: Callable[[Archive], Archive]
) -> None:
    """From a key file to a passphrase, a KMS, an HSM and back, the recording stays readable and one file changes."""
    passphrase = "viisi satunnaista sanaa peräkkäin"
    ways = [
        ("passphrase:", passphrase),
        (kms_server.make_key(), ""),
        (softhsm.make_key("way"), softhsm.pin),
        (softhsm.make_key("way back", ENCRYPT=False, DECRYPT=False), softhsm.pin),
        (custody.make_key_file("last.key"), ""),
    ]
    with operated(custody.create(custody.make_key_file())) as archive:
        [recording] = custody.fill(archive)
        kinds = [archive.keys.list_keys()[0].root_kind]
    known = (f"keyfile:{custody.folder / 'root.key'}", "")
    for root_key, secret in ways:
        with custody.open(known[0], always(known[1])) as archive:
            assert rotate_and_compare(custody, archive, root_key, secret) == ["keys/ring.key"]
            kinds.append(archive.keys.list_keys()[0].root_kind)
        known = (root_key, secret)
        with custody.open(known[0], always(known[1])) as archive:
            assert custody.listen(archive, recording) == custody.wav
    assert kinds == ["keyfile", "passphrase", "awskms", "pkcs11", "pkcs11", "keyfile"]


def test_rotation_is_logged(custody: Custody, operated: Callable[[Archive], Archive]) -> None:
    """The log tells who put the archive under which kind of root key, when it began and when it was done."""
    with operated(custody.create(custody.make_key_file())) as archive:
        archive.keys.rotate(root_key=custody.make_key_file("new.key"), by=OPERATOR)
        entries = [each for each in archive.audit.iter_entries(by=READER) if each.kind is EntryKind.ROOT_KEY_ROTATION]
    assert [(each.actor, each.facts) for each in entries] == [
        ("otso", {"kinds": "keyfile to keyfile", "outcome": "begun"}),
        ("otso", {"kinds": "keyfile to keyfile", "outcome": "done"}),
    ]


@pytest.mark.parametrize("role", ["adviser", "registry-officer", "data-protection-officer"])
def test_only_an_operator_rotates(custody: Custody, enrol: Callable[..., StaffId], role: str) -> None:
    """Who may not is denied, in the log, and nothing changes (section 10)."""
    with custody.create(custody.make_key_file()) as archive:
        name = enrol(archive, "paula", role)
        before = custody.list_files("keys")
        with pytest.raises(DeniedError, match="rotate-root-key"):
            archive.keys.rotate(root_key=custody.make_key_file("new.key"), by=name)
        assert custody.list_files("keys") == before
        denied = [each for each in archive.audit.iter_entries(by=READER) if each.kind is EntryKind.DENIED]
    assert [each.facts for each in denied] == [{"act": "rotate-root-key", "clause": "role"}]


def test_a_root_key_that_cannot_be_had_changes_nothing(
    custody: Custody, softhsm: SoftHsm, operated: Callable[[Archive], Archive]
) -> None:
    """A wrong URI, PIN or kind leaves the old root key in force."""
    root_key = custody.make_key_file()
    with operated(custody.create(root_key)) as archive:
        before = custody.list_files("keys")
        for uri, error in {
            "keyfile:/nonexistent": RootKeyUnreadableError,
            "sesame:open": UnknownSchemeError,
            softhsm.make_key("refused"): RootKeyUnreadableError,
        }.items():
            with pytest.raises(error):
                archive.keys.rotate(root_key=uri, secrets=lambda _: "wrong pin", by=OPERATOR)
        assert custody.list_files("keys") == before
    custody.open(root_key).close()


def test_two_copies_rotate_together(custody: Custody, operated: Callable[[Archive], Archive]) -> None:
    """Both copies of the ring key's file are replaced; a difference is named by path."""
    pair = (Place(custody.folder / "keys", "FI"), Place(custody.folder / "spare", "SE"))
    new = custody.make_key_file("new.key")
    with operated(custody.create(custody.make_key_file(), keys=pair)) as archive:
        archive.keys.require_same_copies()
        archive.keys.rotate(root_key=new, by=OPERATOR)
        archive.keys.require_same_copies()
        (custody.folder / "spare" / "standing.key").unlink()
        with pytest.raises(KeyCopiesDifferError, match=r"standing\.key \(only in the first\)"):
            archive.keys.require_same_copies()
    custody.open(new, keys=pair).close()
    custody.open(new, keys=pair[::-1]).close()


ARCHIVE: Final = UUID("019cbd02-c000-7000-8000-000000000001")
ROOTS: Final = [LocalRootKey(bytes([number]) * 32, os.urandom) for number in (1, 2)]
DYING: Final = """
import os, signal, sys
from pathlib import Path
from uuid import UUID
from kelarec.storage.keyring import Keyring
from kelarec.storage.objects import FolderObjects
from kelarec.storage.roots import LocalRootKey

folder, step, is_done = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "after"
roots = [LocalRootKey(bytes([number]) * 32, os.urandom) for number in (1, 2)]
keyring = Keyring.open(FolderObjects(folder), UUID(sys.argv[4]), roots[0], os.urandom)
left = step

def dying(real):
    def act(*arguments, **options):
        global left
        left -= 1
        if left == 0 and not is_done:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*arguments, **options)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return act

os.fsync = dying(os.fsync)
os.open = dying(os.open)
Path.open = dying(Path.open)
Path.replace = dying(Path.replace)
keyring.rewrap(roots[1])
print("done", left)
"""


def test_a_rotation_killed_anywhere_leaves_one_root_key_in_force(tmp_path: Path) -> None:
    """After a kill -9 before or after any step that reaches the disk one of the two root keys opens the ring key."""
    in_force: list[int] = []
    for step in range(1, 20):
        killed = 0
        for moment in ("before", "after"):
            folder = tmp_path / f"{step}-{moment}"
            Keyring.create(FolderObjects(folder), ARCHIVE, ROOTS[0], os.urandom)
            command = [sys.executable, "-c", DYING, str(folder), str(step), moment, str(ARCHIVE)]
            ended = subprocess.run(command, check=False, capture_output=True, text=True)
            opening = [number for number, root in enumerate(ROOTS) if opens(folder, root)]
            assert len(opening) == 1, ended.stderr
            if ended.returncode == -signal.SIGKILL:
                killed += 1
                in_force += opening
            else:
                assert ended.stdout.startswith("done"), ended.stderr
        if not killed:
            break
    old, new = in_force.count(0), in_force.count(1)
    print(
        f"\nrotation killed at {len(in_force)} points: the old root key in force {old} times, the new one {new} times"
    )
    assert len(in_force) >= 8
    assert in_force == sorted(in_force)
    assert {*in_force} == {0, 1}


def opens(folder: Path, root: LocalRootKey) -> bool:
    """Whether a root key opens the ring key in a folder."""
    try:
        Keyring.open(FolderObjects(folder), ARCHIVE, root, os.urandom)
    except KelarecError:
        return False
    return True
