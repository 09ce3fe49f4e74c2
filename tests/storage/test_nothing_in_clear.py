"""Nothing lies on disk in clear: the notice of 18.8.2020, section 10; GDPR, Art. 32(1)(a)."""

import base64
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from attrs import field, frozen

from kelarec import (
    AccessRequest,
    Address,
    Archive,
    Chat,
    EmailAddress,
    Kind,
    Person,
    PersonalIdentityCode,
    PhoneNumber,
    Recording,
    RectificationRequest,
    StaffId,
    System,
)
from kelarec.errors import ArchiveNotFoundError, DeniedError
from kelarec.testing.builders import make_contact, make_identity_code, make_staff_member

if TYPE_CHECKING:
    from conftest import Disk

AINO: Final = Person(
    name="Aino Esimerkki",
    identity_code=PersonalIdentityCode("140281-928F"),
    phone_number=PhoneNumber("+358 50 000 0123"),
    email=EmailAddress("aino.esimerkki@example.org"),
    address=Address("Mallipolku 7 B 12", "00000", "Esimerkkilä"),
)
TULKKI: Final = Person(name="Tuulikki Tulkki", identity_code=make_identity_code(31))
NOLLAS_CODE: Final = make_identity_code(44)
TULKKI_CODE: Final = make_identity_code(31)
RECIPIENT, GROUND = "Esimerkkilän käräjäoikeus", "Esimerkkilaki 12345/2020, 17 luku 3 pykälä"
ITEMS, REASON = "puhelutallenne kokonaisuudessaan", "tuomioistuin vaatii tänään, ei aikaa"
WHICH, WHY, HOW = "Muuttopäivä on kirjattu väärin", "Vuokrasopimus alkoi myöhemmin", "Oikea päivä on 15. maaliskuuta"
MATTER: Final = "asumistuki, asia KELA-2026-4711"
CONTACT_ID: Final = "puhelunvälitys/4711/osasto-9"
RECORDER: Final = System("recorder@test")
VERIFY: Final = "verify-service-event"

TABLES: Final = (
    "recordings",
    "tokens",
    "staff",
    "requests",
    "entries",
    "waiting",
    "holds",
    "held_recordings",
    "staff_changes",
    "access_reviews",
    "disclosure_tokens",
    "disclosures",
)
PIECE: Final = 14
WINDOW: Final = 32


def _base64_core(raw: bytes, shift: int, encode: Callable[[bytes], bytes]) -> bytes:
    """Return what the base64 of any text with these bytes in it must show, for one of the three alignments."""
    text = encode(bytes(shift) + raw)
    return text[(0, 2, 3)[shift] : (shift + len(raw)) * 8 // 6]


def iter_spellings(raw: bytes) -> Iterator[bytes]:
    """Give some bytes as they are, in hexadecimal, and in base64 at each alignment and with both alphabets."""
    yield raw
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    for shift, encode in product(range(3), (base64.standard_b64encode, base64.urlsafe_b64encode)):
        yield _base64_core(raw, shift, encode)


def iter_text_markers(text: str) -> Iterator[bytes]:
    """Cut a text into pieces, so that no page border of a database hides it, and give each in three encodings."""
    for start in range(0, max(len(text) - PIECE, 0) + 1, PIECE // 2):
        for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
            yield text[start : start + PIECE].encode(encoding)


def iter_sound_markers(wav: bytes) -> Iterator[bytes]:
    """Give windows of a call wherever somebody speaks."""
    for start in range(100, len(wav) - WINDOW, 1024):
        window = wav[start : start + WINDOW]
        if len(set(window)) > WINDOW // 3:  # one of the two channels is silent most of the time
            yield window


def find_any(files: list[bytes], markers: set[bytes]) -> set[bytes]:
    """Return those of the markers that stand in one of the files, however spelled."""
    return {
        marker for marker in markers if any(spelling in file for spelling in iter_spellings(marker) for file in files)
    }


def markers_of(*texts: str) -> set[bytes]:
    """Return the markers of several texts."""
    return {marker for text in texts for marker in iter_text_markers(text)}


@frozen
class Told:
    """All that people said and told, and every file that was on the disk at some time."""

    text_markers: set[bytes] = field(repr=False)
    sound_markers: set[bytes] = field(repr=False)
    files: dict[str, bytes] = field(repr=False)


def _use_the_archive(disk: "Disk", wav: bytes, chat: Chat) -> None:
    with disk.create() as archive:
        archive.staff.enrol(make_staff_member(), by=RECORDER)
        archive.staff.enrol(make_staff_member(id=StaffId("nolla"), identity_code=NOLLAS_CODE), by=RECORDER)
        started_at = disk.clock()
        contact = make_contact(
            contact_id=CONTACT_ID, customer=AINO, others=(TULKKI,), matter=MATTER, started_at=started_at
        )
        call = archive.capture.store(
            contact,
            ended_at=started_at + timedelta(seconds=51),
            content=wav,
            by=RECORDER,
            categories=frozenset({"name"}),
        )
        contact = make_contact(kind=Kind.CUSTOMER_CHAT, customer=AINO, started_at=chat.messages[0].sent_at)
        written = archive.capture.store(contact, ended_at=chat.messages[-1].sent_at, content=chat, by=RECORDER)
        for request in (
            AccessRequest(person=AINO, channel="telephone", received_at=disk.clock()),
            RectificationRequest(
                person=AINO, channel="telephone", received_at=disk.clock(), which=WHICH, why=WHY, how=HOW
            ),
        ):
            archive.rights.receive(request, by=RECORDER)
        with archive.session(by=StaffId("veikko"), purpose=VERIFY, matter=MATTER) as session:
            for identifier in AINO.identifiers:
                assert len(session.find(identifier)) == 2
            session.get_details(call.id)
            session.open(call.id).clip(start=12, stop=17)
            session.read_chat(written.id)
        with archive.session(by=StaffId("nolla"), purpose=VERIFY, matter=MATTER) as session, pytest.raises(DeniedError):
            session.get_details(call.id)
        _mask_disclose_and_restrict(archive, call, written)


def _mask_disclose_and_restrict(archive: Archive, call: Recording, chat: Recording) -> None:
    officer = make_staff_member(
        id=StaffId("tiia"), roles={"data-protection-officer"}, identity_code=NOLLAS_CODE, duties=[]
    )
    archive.staff.enrol(officer, by=RECORDER)
    terms = {"purpose": "legal-claim", "matter": "CASE-1", "break_glass": REASON}
    with archive.session(by=officer.id, **terms) as session:
        session.mask(chat.id, masked_for=VERIFY)
        session.mask(call.id, masked_for=VERIFY, silenced=[(0.0, 1.0)])
        session.disclose([call.id], recipient=RECIPIENT, country="FI", ground=GROUND, items=ITEMS)
    archive.restrictions.restrict(call.id, by=officer.id, reason=REASON)
    operator = make_staff_member(id=StaffId("olli"), roles={"operator"}, identity_code=TULKKI_CODE)
    archive.staff.enrol(operator, by=RECORDER)
    archive.staff.propose(make_staff_member(unit="yksikko-seitseman"), by=operator.id)


def _back_up_within_a_write(disk: "Disk") -> None:
    """Copy everything while the catalog is being written, when old rows stand in its journal."""
    with closing(sqlite3.connect(disk.catalog, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for table in TABLES:
            connection.execute(f"DELETE FROM {table}")  # noqa: S608  names of our own tables
        journal = Path(f"{disk.catalog}-journal")
        assert journal.stat().st_size > 0
        backup = disk.folder / "backup"
        shutil.copytree(disk.objects, backup / "archive")
        shutil.copy(disk.catalog, backup)
        shutil.copy(journal, backup)
        connection.execute("ROLLBACK")


@pytest.fixture
def told(disk: "Disk", example_call: bytes, example_chat: Chat) -> Told:
    """An archive that was worked with, its backup from within a write, and no key place any more."""
    _use_the_archive(disk, example_call, example_chat)
    _back_up_within_a_write(disk)
    shutil.rmtree(disk.keys)
    disk.root_key.unlink()
    known = [each for person in (AINO, TULKKI) for each in (person.name, *(one.text for one in person.identifiers))]
    staff = [make_staff_member().identity_code.text, NOLLAS_CODE.text]
    address = ["Mallipolku 7 B 12", "Esimerkkilä", "050 000 0123", "0500000123"]
    said = [message.text for message in example_chat.messages]
    given_out = [RECIPIENT, GROUND, ITEMS, REASON, "yksikko-seitseman", "[henkilötunnus]", "[puhelinnumero]"]
    texts = [
        text for text in (*known, *given_out, *staff, *address, *said, WHICH, WHY, HOW, MATTER, CONTACT_ID) if text
    ]
    return Told(
        text_markers=markers_of(*texts),
        sound_markers=set(iter_sound_markers(example_call)),
        files={path: (disk.folder / path).read_bytes() + path.encode() for path in disk.list_files()},
    )


def test_no_word_lies_on_disk_in_clear(told: Told) -> None:
    """No name, code, number, address, reason or chat sentence can be read without the keys (section 10; Art. 32)."""
    assert {path.split("/")[0] for path in told.files} >= {"archive", "archive.catalog.sqlite", "backup"}
    found = find_any(list(told.files.values()), told.text_markers)
    print(f"\n{len(told.text_markers)} pieces of text, {len(told.files)} files, found: {len(found)}")
    assert found == set()


def test_no_sound_lies_on_disk_in_clear(told: Told) -> None:
    """No 32 bytes of what was spoken can be heard without the keys (section 10; Art. 32)."""
    assert len(told.sound_markers) > 100
    found = find_any(list(told.files.values()), told.sound_markers)
    print(f"\n{len(told.sound_markers)} windows of sound, {len(told.files)} files, found: {len(found)}")
    assert found == set()


def _base64_after(before: bytes, alphabet: bytes) -> Callable[[bytes], bytes]:
    return lambda raw: base64.b64encode(before + raw + b"~~", altchars=alphabet)


SENTENCE: Final = "Hyvää huomenta, Ääni 140281-928F"
WRITTEN: Final[dict[str, Callable[[bytes], bytes]]] = {
    "as it is": bytes,
    "hexadecimal": lambda raw: raw.hex().encode(),
    "HEXADECIMAL": lambda raw: raw.hex().upper().encode(),
    "base64": _base64_after(b"", b"+/"),
    "base64 after one": _base64_after(b"x", b"+/"),
    "base64 after two": _base64_after(b"xy", b"+/"),
    "base64url": _base64_after(b"", b"-_"),
    "base64url after one": _base64_after(b"x", b"-_"),
    "base64url after two": _base64_after(b"xy", b"-_"),
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN.keys())
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_the_search_finds_what_is_planted(tmp_path: Path, encoding: str, written: Callable[[bytes], bytes]) -> None:
    """The search of this module finds a text in each encoding; else it would prove nothing."""
    noise = bytes(range(256)) * 4
    control = tmp_path / "control"
    control.write_bytes(noise + written(SENTENCE.encode(encoding)) + noise)
    assert find_any([control.read_bytes()], markers_of(SENTENCE)) >= {
        marker for marker in iter_text_markers(SENTENCE) if marker in SENTENCE.encode(encoding)
    }
    assert find_any([noise], markers_of(SENTENCE)) == set()


def test_without_the_key_place_nothing_opens(disk: "Disk") -> None:
    """Whoever has objects, catalog and root key, but no key place, is told so by name (section 10)."""
    disk.create().close()
    shutil.rmtree(disk.keys)
    with pytest.raises(ArchiveNotFoundError, match="key place"):
        disk.open()
