"""What a stolen copy of the catalog tells, and what a sweep leaves in it (notice, section 10; Art. 32)."""

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from sqlalchemy import select

from kelarec import Archive, EmailAddress, Kind, Place, System, create_key_file, kela_register
from kelarec.domain.instants import end_of
from kelarec.storage import catalog_tables as tables
from kelarec.testing.builders import make_chat, make_contact, make_identity_code, make_person, make_staff_member
from kelarec.testing.clock import USUAL_START, MovableClock

if TYPE_CHECKING:
    from conftest import Disk

RECORDER: Final = System("recorder@test")
DAY: Final = timedelta(days=1)
AINO: Final = make_person(email=EmailAddress("aino.esimerkki@example.org"))
# None so short that base64 of random bytes may hold it by chance.
SECRETS: Final = ("Esimerkki", "140281", "0000123", "example.org", "KELA-77", "contact-77", "hakemukseni")


def store(archive: Archive, **known: object) -> None:
    """Store a short chat."""
    contact = make_contact(kind=Kind.CUSTOMER_CHAT, **known)
    content = make_chat(started_at=contact.started_at)
    archive.capture.store(contact, ended_at=contact.started_at, content=content, by=RECORDER)


def dump(archive: Archive) -> bytes:
    """Return every value of every row of the catalog, as its bytes or text and in hexadecimal."""
    with archive._vault.database.begin() as connection:
        values = [
            value
            for table in tables.metadata.sorted_tables
            for row in connection.execute(select(table))
            for value in row
        ]
    raw = [value if isinstance(value, bytes) else str(value).encode() for value in values]
    return b"\n".join([*raw, *(each.hex().encode() for each in raw)])


def test_a_copy_of_the_catalog_tells_nobody(tmp_path: Path, catalog_url: str) -> None:
    """No row of either database holds an identifier, a case, a contact id, a request or a word that was said."""
    create_key_file(tmp_path / "root.key")
    clock = MovableClock()
    with Archive.create(
        objects=Place(tmp_path / "archive", "FI"),
        keys=Place(tmp_path / "keys", "FI"),
        root_key=f"keyfile:{tmp_path / 'root.key'}",
        catalog=Place(catalog_url, "FI"),
        register=kela_register(contact_point="Registry office"),
        clock=clock,
    ) as archive:
        archive.staff.enrol(make_staff_member(), by=RECORDER)
        store(archive, customer=AINO, matter="KELA-77", contact_id="contact-77")
        with archive.session(by=make_staff_member().id, purpose="verify-service-event", matter="KELA-77") as session:
            (found,) = session.find(*AINO.identifiers)
            session.read_chat(found.id)
        told = dump(archive)
    assert b"kela-fi" in told
    found_secrets = [each for each in SECRETS if re.search(each.encode(), told, re.IGNORECASE)]
    print(f"\n{len(told):,} bytes of rows, {len(SECRETS)} secrets, found: {len(found_secrets)}")
    assert found_secrets == []


@pytest.mark.parametrize("count", [150, pytest.param(2000, marks=pytest.mark.deep)])
def test_a_sweep_leaves_no_sealed_byte(disk: "Disk", count: int) -> None:
    """After a sweep neither the file nor its journal holds a piece of a sealed record of the date that ended.

    Ids and tokens that page splits left behind are counted: they tell no more than that something was there.
    """
    with disk.create() as archive:
        for number in range(count):
            person = make_person(identity_code=make_identity_code(number % 100))
            for day in range(2):
                store(archive, customer=person, started_at=USUAL_START + (day - 1) * DAY)
        first = archive.register.retention.last_day(USUAL_START - DAY)
        of_day = tables.recordings.c.kept_through == first.toordinal()
        with archive._vault.database.begin() as connection:
            swept = connection.execute(select(tables.recordings.c.id, tables.recordings.c.record).where(of_day)).all()
            ids = select(tables.recordings.c.id).where(of_day)
            found_by = select(tables.tokens.c.token).where(tables.tokens.c.recording_id.in_(ids))
            tokens = connection.execute(found_by).scalars().all()
            kept = connection.execute(select(tables.recordings.c.record).where(~of_day)).scalars().all()
        disk.clock.set(end_of(first) + timedelta(hours=2))
        archive.retention.sweep(by=System("sweep@test"))
    files = [path.read_bytes() for path in disk.folder.glob("archive.catalog.sqlite*")]
    assert count_pieces(kept, files) > count * 10, "the search finds what is there"
    pieces = count_pieces([row.record for row in swept], files)
    # the log still tells of the swept recordings until its own entries end: each in a row and in an index
    stray_ids = -2 * len(swept) + sum(file.count(row.id) for row in swept for file in files)
    dead_tokens = sum(file.count(token) for token in tokens for file in files)
    print(f"\n{len(swept)} rows swept: {pieces} sealed pieces, {stray_ids} stray ids, {dead_tokens} dead tokens remain")
    assert pieces == 0


def count_pieces(records: Sequence[bytes], files: list[bytes]) -> int:
    """Return how many pieces of 16 bytes of sealed records, past their common beginning, stand in files."""
    return sum(
        record[at : at + 16] in file for record in records for at in range(160, len(record) - 16, 32) for file in files
    )
