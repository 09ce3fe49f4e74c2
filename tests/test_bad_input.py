"""Bad input has a name, says what to do, and leaves nothing behind: the notice, sections 8 and 10; GDPR, Art. 25."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Final

import pytest

from kelarec import (
    Archive,
    Chat,
    Duty,
    DutyKind,
    EmailAddress,
    KelarecError,
    Message,
    Person,
    PersonalIdentityCode,
    PhoneNumber,
    Place,
    Register,
    StaffId,
    System,
    create_key_file,
)
from kelarec.errors import (
    ArchiveExistsError,
    ArchiveNotFoundError,
    CatalogDamagedError,
    CatalogError,
    EmptyContentError,
    FormatTooNewError,
    InvalidIdentityCodeError,
    InvalidPhoneNumberError,
    InvalidValueError,
    KeyPlaceMismatchError,
    LooksLikeIdentifierError,
    NaiveInstantError,
    NotResidentError,
    ObjectExistsError,
    PlaceOverlapError,
    RootKeyUnreadableError,
    UnknownSchemeError,
    WrongRootKeyError,
)
from kelarec.testing.builders import make_contact
from kelarec.testing.clock import USUAL_START

if TYPE_CHECKING:
    from conftest import Disk

NAIVE: Final = datetime.fromisoformat("2026-03-05T10:00:00")
TODAY: Final = USUAL_START.date()

VALUES: Final[dict[str, tuple[type[KelarecError], Callable[[], object]]]] = {
    "identity code, wrong check character": (
        InvalidIdentityCodeError,
        lambda: PersonalIdentityCode("140281-928E"),
    ),
    "identity code, no such day": (InvalidIdentityCodeError, lambda: PersonalIdentityCode("310281-928F")),
    "identity code, empty": (InvalidIdentityCodeError, lambda: PersonalIdentityCode("")),
    "telephone number": (InvalidPhoneNumberError, lambda: PhoneNumber("kelaan")),
    "e-mail address": (InvalidValueError, lambda: EmailAddress("aino at example.org")),
    "staff id": (InvalidValueError, lambda: StaffId("Veikko Mallikas")),
    "identity code as staff id": (InvalidValueError, lambda: StaffId("140281-928F")),
    "system": (InvalidValueError, lambda: System("Recorder 1")),
    "nobody": (InvalidValueError, Person),
    "contact without a time zone": (NaiveInstantError, lambda: make_contact(started_at=NAIVE)),
    "message without a time zone": (NaiveInstantError, lambda: Message(NAIVE, "customer", "Hei")),
    "matter that names a person": (LooksLikeIdentifierError, lambda: make_contact(matter="asia 140281-928F")),
    "empty message": (EmptyContentError, lambda: Message(USUAL_START, "customer", " ")),
    "chat without messages": (EmptyContentError, lambda: Chat(())),
    "messages out of order": (
        InvalidValueError,
        lambda: Chat(
            (Message(USUAL_START, "customer", "Hei"), Message(USUAL_START.replace(year=2025), "adviser", "Hei"))
        ),
    ),
    "customer contact with a support expert": (
        InvalidValueError,
        lambda: make_contact(support_expert_id=StaffId("tuki")),
    ),
    "case duty without a case": (
        InvalidValueError,
        lambda: Duty(kind=DutyKind.CASE, purpose="verify-service-event", from_on=TODAY),
    ),
    "the United Kingdom": (NotResidentError, lambda: Place("/srv/archive", "GB")),
    "Switzerland": (NotResidentError, lambda: Place("/srv/archive", "CH")),
    "the United States": (NotResidentError, lambda: Place("/srv/archive", "US")),
    "no country": (NotResidentError, lambda: Place("/srv/archive", "")),
    "a country unknown to ISO 3166": (NotResidentError, lambda: Place("/srv/archive", "Suomi")),
    "a URL that is none": (UnknownSchemeError, lambda: Place("://archive", "FI")),
    "no URL": (UnknownSchemeError, lambda: Place("", "FI")),
}


@pytest.mark.parametrize(("error", "build"), VALUES.values(), ids=VALUES.keys())
def test_a_bad_value_cannot_be_built(error: type[KelarecError], build: Callable[[], object]) -> None:
    """What is not a value is refused with a name and advice, and no code is repeated (sections 8 and 10)."""
    with pytest.raises(error) as caught:
        build()
    assert type(caught.value) is error
    assert caught.value.lost == "nothing"
    assert caught.value.advice
    assert "928" not in str(caught.value)


def make_places(disk: "Disk", **instead: Place | str) -> Callable[[Register], Archive]:
    """Return what creates an archive in usual places, or in other ones."""
    usual: dict[str, Place | str] = {
        "objects": Place(disk.objects, "FI"),
        "keys": Place(disk.keys, "FI"),
        "root_key": f"keyfile:{disk.root_key}",
    }
    return lambda register: Archive.create(**usual | instead, register=register, clock=disk.clock)  # type: ignore[arg-type]


CREATIONS: Final[dict[str, tuple[type[KelarecError], Callable[["Disk"], dict[str, Place | str]]]]] = {
    "keys under the objects": (PlaceOverlapError, lambda disk: {"keys": Place(disk.objects / "keys", "FI")}),
    "objects under the keys": (PlaceOverlapError, lambda disk: {"objects": Place(disk.keys / "deep" / "er", "FI")}),
    "keys in the objects' place": (PlaceOverlapError, lambda disk: {"keys": Place(disk.objects, "FI")}),
    "catalog among the keys": (
        PlaceOverlapError,
        lambda disk: {"catalog": Place(f"sqlite://{disk.keys / 'catalog.sqlite'}", "FI")},
    ),
    "objects in an unknown store": (UnknownSchemeError, lambda _: {"objects": Place("gopher://hole", "FI")}),
    "keys in an unknown store": (UnknownSchemeError, lambda _: {"keys": Place("gopher://hole", "FI")}),
    "catalog in an unknown database": (UnknownSchemeError, lambda _: {"catalog": Place("dbase://old", "FI")}),
    "root key of an unknown kind": (UnknownSchemeError, lambda _: {"root_key": "sesame:open"}),
    "root key that is not there": (RootKeyUnreadableError, lambda disk: {"root_key": f"keyfile:{disk.folder}/no.key"}),
    "root key that is a folder": (RootKeyUnreadableError, lambda disk: {"root_key": f"keyfile:{disk.folder}"}),
    "root key that is another file": (RootKeyUnreadableError, lambda _: {"root_key": f"keyfile:{__file__}"}),
}


@pytest.mark.parametrize(("error", "instead"), CREATIONS.values(), ids=CREATIONS.keys())
def test_an_archive_in_bad_places_is_not_created(
    disk: "Disk",
    kelarec_register: Register,
    error: type[KelarecError],
    instead: Callable[["Disk"], dict[str, Place | str]],
) -> None:
    """Keys lie apart from what they open, and every place is known (sections 8 and 10); nothing half-made remains."""
    create_key_file(disk.root_key)
    before = sorted(disk.folder.rglob("*"))
    with pytest.raises(error) as caught:
        make_places(disk, **instead(disk))(kelarec_register)
    assert type(caught.value) is error
    assert caught.value.advice
    assert sorted(disk.folder.rglob("*")) == before


@pytest.mark.parametrize("taken", ["archive/file", "keys/file", "archive.catalog.sqlite"])
def test_a_place_that_is_not_empty_is_left_alone(disk: "Disk", kelarec_register: Register, taken: str) -> None:
    """An archive is created in empty places only, and what lies there stays as it is."""
    create_key_file(disk.root_key)
    (disk.folder / taken).parent.mkdir(exist_ok=True)
    (disk.folder / taken).write_text("older")
    with pytest.raises(ArchiveExistsError) as caught:
        make_places(disk)(kelarec_register)
    assert caught.value.advice
    assert sorted(disk.list_files()) == sorted(["root.key", taken])
    assert (disk.folder / taken).read_text() == "older"


def test_an_archive_is_never_created_twice(disk: "Disk") -> None:
    """An archive that stands is not created again, nor its root key overwritten, and it opens afterwards."""
    disk.create().close()
    with pytest.raises(ArchiveExistsError):
        disk.create()
    with pytest.raises(ObjectExistsError) as caught:
        create_key_file(disk.root_key)
    assert caught.value.advice
    disk.open().close()


def _take_another_root_key(disk: "Disk") -> None:
    disk.root_key.unlink()
    create_key_file(disk.root_key)


def _take_anothers_keys(disk: "Disk") -> None:
    other = type(disk)(disk.folder / "other", disk.clock)
    other.folder.mkdir()
    disk.root_key.rename(other.root_key)
    other.create().close()
    shutil.rmtree(disk.keys)
    other.keys.rename(disk.keys)
    other.root_key.rename(disk.root_key)


def _take_anothers_catalog(disk: "Disk") -> None:
    other = type(disk)(disk.folder / "other", disk.clock)
    other.folder.mkdir()
    other.create().close()
    other.catalog.replace(disk.catalog)


def _make_newer_format(disk: "Disk") -> None:
    description = disk.objects / "archive.json"
    description.write_text(description.read_text("utf-8").replace('"format": 1', '"format": 2'), "utf-8")


def _make_newer_schema(disk: "Disk") -> None:
    with closing(sqlite3.connect(disk.catalog)) as connection, connection:
        connection.execute("UPDATE catalog SET value = '1000' WHERE name = 'schema'")


def _make_text_of_the_catalog(disk: "Disk") -> None:
    disk.catalog.write_text("id;name\n" * 1000)


OPENINGS: Final[dict[str, tuple[type[KelarecError], Callable[["Disk"], object]]]] = {
    "wrong root key": (WrongRootKeyError, _take_another_root_key),
    "another archive's key place": (KeyPlaceMismatchError, _take_anothers_keys),
    "another archive's catalog": (CatalogError, _take_anothers_catalog),
    "newer format": (FormatTooNewError, _make_newer_format),
    "newer schema": (FormatTooNewError, _make_newer_schema),
    "no root key": (RootKeyUnreadableError, lambda disk: disk.root_key.unlink()),
    "root key open to others": (RootKeyUnreadableError, lambda disk: disk.root_key.chmod(0o644)),
    "no key place": (ArchiveNotFoundError, lambda disk: shutil.rmtree(disk.keys)),
    "no objects": (ArchiveNotFoundError, lambda disk: shutil.rmtree(disk.objects)),
    "no catalog": (CatalogError, lambda disk: disk.catalog.unlink()),
    "a catalog that is a text": (CatalogDamagedError, _make_text_of_the_catalog),
    "an empty catalog": (CatalogError, lambda disk: disk.catalog.write_bytes(b"")),
}


@pytest.mark.parametrize(("error", "spoil"), OPENINGS.values(), ids=OPENINGS.keys())
def test_an_archive_with_wrong_parts_is_not_opened(
    disk: "Disk", error: type[KelarecError], spoil: Callable[["Disk"], object]
) -> None:
    """Keys, objects and catalog of an archive belong together: what does not is named, and nothing is changed."""
    disk.create().close()
    spoil(disk)
    before = {path: (disk.folder / path).read_bytes() for path in disk.list_files()}
    with pytest.raises(error) as caught:
        disk.open()
    assert type(caught.value) is error
    assert caught.value.advice
    assert {path: (disk.folder / path).read_bytes() for path in disk.list_files()} == before
