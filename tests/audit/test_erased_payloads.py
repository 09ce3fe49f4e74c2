"""After its end a log entry tells nobody any more whom it concerned, and every proof still holds."""

from datetime import timedelta

from sqlalchemy import select

from kelarec import Archive, System
from kelarec.audit.verify import VerificationKey, verify_log
from kelarec.storage import catalog_tables as tables
from kelarec.testing.builders import make_contact, make_staff_member, make_wav
from kelarec.testing.clock import MovableClock


def test_the_log_verifies_and_tells_no_more_whom_it_concerned(
    kelarec_archive: Archive, kelarec_clock: MovableClock
) -> None:
    """When payloads and salts are gone, tiles and checkpoints still verify and hold no id (notice, section 10)."""
    objects, key = kelarec_archive._vault.objects, VerificationKey.from_vkey(kelarec_archive.audit.vkey)
    kelarec_archive.staff.enrol(make_staff_member(), by=System("hr"))
    recording = kelarec_archive.capture.store(
        make_contact(), ended_at=kelarec_clock() + timedelta(seconds=1), content=make_wav(1), by=System("recorder")
    )
    kelarec_archive.audit.integrate()
    payloads = list(objects.iter_paths("audit/payloads"))
    assert payloads

    kelarec_clock.move(timedelta(days=6 * 366))
    swept = kelarec_archive.retention.sweep(by=System("sweep"))
    kelarec_archive.audit.integrate()

    assert sum(each.log_entries for each in swept) >= 3
    assert not set(payloads) & set(objects.iter_paths("audit/payloads"))

    def read(path: str) -> bytes | None:
        return objects.read(f"audit/{path}") if f"audit/{path}" in set(objects.iter_paths("audit")) else None

    report = verify_log(read, key)
    assert report.size >= 5
    with kelarec_archive._vault.database.begin() as connection:
        silent = connection.execute(select(tables.entries).where(tables.entries.c.actor == "")).mappings().all()
        rows = b"".join(repr(dict(row)).encode() for row in silent)
    everything = rows + b"".join(objects.read(path) for path in objects.iter_paths("audit/tile"))
    for told in (str(recording.id).encode(), recording.id.bytes, recording.id.hex.encode(), b"veikko", b"recorder"):
        assert told not in everything
    assert {entry.recording_id for entry in kelarec_archive.audit.iter_entries(by=System("auditor"))} == {None}
