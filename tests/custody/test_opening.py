"""Creating and opening an archive under each kind of root key, and what goes wrong: the notice, section 10."""

import logging
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from custody_folders import Custody, always
from kelarec import Place, System
from kelarec.errors import (
    ArchiveExistsError,
    IntegrityError,
    InvalidValueError,
    KelarecError,
    KeyCopyAwayError,
    KeyPlaceMismatchError,
    MissingExtraError,
    PlaceOverlapError,
    RootKeyUnreachableError,
    RootKeyUnreadableError,
    WrongRootKeyError,
)
from key_services import KmsServer, SoftHsm

PASSPHRASE: Final = "viisi satunnaista sanaa peräkkäin"


def test_a_passphrase_stands_nowhere(custody: Custody, caplog: pytest.LogCaptureFixture) -> None:
    """No file, log, repr or error of an archive shows its passphrase."""
    with caplog.at_level(logging.DEBUG):
        with custody.create("passphrase:", lambda _: PASSPHRASE) as archive:
            [recording] = custody.fill(archive)
            shown = [repr(archive), repr(archive.keys), repr(vars(archive))]
        with custody.open("passphrase:", lambda _: PASSPHRASE.encode()) as archive:
            assert custody.listen(archive, recording) == custody.wav
        with pytest.raises(WrongRootKeyError) as caught:
            custody.open("passphrase:", lambda _: PASSPHRASE + "?")
    told = [*shown, caplog.text, str(caught.value), repr(vars(caught.value))]
    assert not [each for each in told if PASSPHRASE in each]
    files = [path for path in custody.folder.rglob("*") if path.is_file()]
    assert not [path for path in files if PASSPHRASE.encode() in path.read_bytes()]
    assert len(files) > 10


def test_a_wrong_kind_is_refused_by_name(custody: Custody, softhsm: SoftHsm, kms_server: KmsServer) -> None:
    """An archive under one kind of root key says so to whoever brings another."""
    custody.create(softhsm.make_key("opening"), lambda _: softhsm.pin).close()
    for uri in ("passphrase:", kms_server.make_key(), custody.make_key_file()):
        scheme = uri.partition(":")[0]
        with pytest.raises(WrongRootKeyError, match=f"the kind pkcs11, and a {scheme} was given"):
            custody.open(uri, lambda _: PASSPHRASE)


def test_a_secret_is_asked_by_its_name(custody: Custody, softhsm: SoftHsm) -> None:
    """The callback hears which secret is meant, and only when one is needed."""
    asked: list[str] = []

    def give(name: str) -> str:
        asked.append(name)
        return softhsm.pin

    custody.create(softhsm.make_key("asking"), give).close()
    assert {*asked} == {"pin"}
    with pytest.raises(RootKeyUnreadableError, match="secrets="):
        custody.open(softhsm.uri("asking"))


def test_a_failed_creation_leaves_nothing(custody: Custody, softhsm: SoftHsm) -> None:
    """A wrong PIN, a short passphrase, a missing token: named, and no half-made archive stays."""
    wrong: dict[str, tuple[str, type[KelarecError]]] = {
        softhsm.make_key("never used"): ("wrong-pin", RootKeyUnreadableError),
        softhsm.uri("x", token="unplugged"): (softhsm.pin, RootKeyUnreachableError),
        "passphrase:": ("short", RootKeyUnreadableError),
        "keyfile:/nonexistent": ("", RootKeyUnreadableError),
        "awskms:alias/kelarec?region=nowhere": ("", RootKeyUnreadableError),
    }
    for uri, (secret, error) in wrong.items():
        with pytest.raises(error):
            custody.create(uri, always(secret))
        assert list(custody.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("package", "uri"),
    [
        ("boto3", "awskms:alias/kelarec?region=eu-north-1"),
        ("pkcs11", "pkcs11:token=k;object=o?module-path=/usr/lib/hsm.so"),
    ],
)
def test_a_missing_extra_is_one_named_error(
    custody: Custody, monkeypatch: pytest.MonkeyPatch, package: str, uri: str
) -> None:
    """What is not installed is told with the command that installs it, and is an ImportError too."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"kelarec\[(awskms|pkcs11)\]") as caught:
        custody.create(uri)
    assert isinstance(caught.value, ImportError)
    assert caught.value.__suppress_context__
    assert list(custody.folder.iterdir()) == []


def test_an_unreachable_service_changes_nothing(
    custody: Custody, kms_server: KmsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While its KMS is out of reach an archive does not open, and no key is called wrong; then it opens."""
    uri = kms_server.make_key()
    with custody.create(uri) as archive:
        [recording] = custody.fill(archive)
    before = custody.list_files("keys")
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:9")
        with pytest.raises(RootKeyUnreachableError, match="eu-north-1"):
            custody.open(uri)
    assert custody.list_files("keys") == before
    with custody.open(uri) as archive:
        assert custody.listen(archive, recording) == custody.wav


def pair(custody: Custody) -> tuple[Place, Place]:
    """Return two places of keys."""
    return Place(custody.folder / "keys", "FI"), Place(custody.folder / "spare", "SE")


def test_an_archive_with_two_copies_opens_with_either(custody: Custody) -> None:
    """Keys are read from the copy that is there; a date is not destroyed while one is away (section 9)."""
    root_key = custody.make_key_file()
    with custody.create(root_key, keys=pair(custody)) as archive:
        [recording] = custody.fill(archive)
        custody.listen(archive, recording)  # makes the keys of today's sessions, which one copy alone cannot
    for name in ("keys", "spare"):
        (custody.folder / name).rename(custody.folder / "aside")
        with custody.open(root_key, keys=pair(custody)) as archive:
            assert custody.listen(archive, recording) == custody.wav
            with pytest.raises(KeyCopyAwayError):
                archive.keys.require_same_copies()
            with pytest.raises(KeyCopyAwayError):
                archive._vault.keyring.destroy(recording.kept_through)
        assert not (custody.folder / name).exists()
        (custody.folder / "aside").rename(custody.folder / name)


def test_a_sweep_is_not_done_while_a_copy_is_away(custody: Custody) -> None:
    """The sweep fails by name, nothing else of the date is removed, and the next one finishes it (section 9)."""
    root_key = custody.make_key_file()
    with custody.create(root_key, keys=pair(custody)) as archive:
        [recording] = custody.fill(archive)
        custody.clock.move(timedelta(days=370))
        archive.audit.integrate()
        (custody.folder / "spare").rename(custody.folder / "aside")
        with pytest.raises(KeyCopyAwayError):
            archive.retention.sweep(by=System("sweep@test"))
        assert (custody.folder / "aside" / "days" / f"{recording.kept_through}.key").exists()
        (custody.folder / "aside").rename(custody.folder / "spare")
        assert [each.recordings for each in archive.retention.sweep(by=System("sweep@test"))] == [1]
    for name in ("keys", "spare"):
        assert not (custody.folder / name / "days" / f"{recording.kept_through}.key").exists()


def test_copies_of_two_archives_are_refused(custody: Custody, tmp_path: Path) -> None:
    """A second copy that belongs to another archive is named before anything is written or destroyed."""
    root_key = custody.make_key_file()
    custody.create(root_key).close()
    other = type(custody)(tmp_path / "other")
    other.folder.mkdir()
    other.create(root_key).close()
    wrong = Place(custody.folder / "keys", "FI"), Place(other.folder / "keys", "FI")
    for keys in (wrong, wrong[::-1]):
        with pytest.raises(KeyPlaceMismatchError):
            custody.open(root_key, keys=keys)
    (other.folder / "keys" / "ring.key").write_bytes(b"damaged")
    with pytest.raises(IntegrityError):
        custody.open(root_key, keys=wrong)


def test_places_of_keys_are_checked_first(custody: Custody) -> None:
    """Keys within the objects, within one another, three of them, or in a folder that is not empty are refused."""
    root_key = custody.make_key_file()
    objects, keys, _ = (Place(custody.folder / name, "FI") for name in ("archive", "keys", "spare"))
    inside = Place(custody.folder / "archive" / "keys", "FI")
    refused: list[tuple[Any, type[KelarecError]]] = [
        (inside, PlaceOverlapError),
        ((keys, inside), PlaceOverlapError),
        ((keys, keys), PlaceOverlapError),
        ((keys, objects), PlaceOverlapError),
        ((keys, keys, keys), InvalidValueError),
        ("keys", InvalidValueError),
    ]
    for places, error in refused:
        with pytest.raises(error):
            custody.create(root_key, keys=places)
    (custody.folder / "spare").mkdir()
    (custody.folder / "spare" / "note").write_text("not empty")
    with pytest.raises(ArchiveExistsError):
        custody.create(root_key, keys=pair(custody))
    assert sorted(path.name for path in custody.folder.iterdir()) == ["root.key", "spare"]
