"""What has died is shown to a third party: the notice, sections 9 and 13; GDPR, Art. 5(2)."""

import base64
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from erasable import HOUR, MINUTE, OFFICER, RECORDER, SWEEPER, TERMS, WAV, store
from kelarec import Archive, Place, StaffId, create_key_file, kela_register
from kelarec.audit import verify, verify_certificate
from kelarec.audit.verify_certificate import CertificateError, open_certificate, require_in_log
from kelarec.domain.instants import end_of
from kelarec.errors import DeniedError, InvalidValueError
from kelarec.retention.certificates import Certificate
from kelarec.storage.key_export import UNSAFE_EXPORT_TOKEN
from kelarec.testing.builders import make_contact, make_identity_code, make_staff_member
from kelarec.testing.clock import MovableClock

if TYPE_CHECKING:
    from conftest import Disk

DAY = timedelta(days=1)


def live_three_days(archive: Archive, clock: MovableClock) -> list[Certificate]:
    """Store calls on three days, erase one of each, let the days end and be swept; return all certificates."""
    ids, kept = [], []
    for _ in range(3):
        ids.append(store(archive, clock(), 3))
        kept.append(archive.retention.forecast().ending[-1].on)
        clock.move(DAY)
    archive.retention.erasures.erase([each[0] for each in ids], by=OFFICER, **TERMS)
    clock.move(MINUTE)
    archive.retention.erasures.finish(by=OFFICER)
    for day in kept:
        clock.set(end_of(day) + HOUR)
        archive.retention.sweep(by=SWEEPER)
    return list(archive.retention.certificates.iter_all(by=OFFICER))


def test_three_days_verify_with_public_key_and_log_alone(disk: "Disk", tmp_path: Path) -> None:
    """Both verifiers, copied out alone, verify log and certificates of three days without a key of ours."""
    with disk.create() as archive:
        certificates = live_three_days(archive, disk.clock)
    alone = tmp_path / "alone"
    alone.mkdir()
    for module in (verify, verify_certificate):
        shutil.copy(str(module.__file__), alone)
    shutil.copytree(disk.objects / "audit", alone / "log")
    shutil.rmtree(alone / "log" / "payloads")
    vkey = (alone / "log" / "key").read_text().strip()
    kinds = [each.kind.value for each in certificates]
    assert kinds.count("erased") == 3
    assert kinds.count("keys-destroyed") == 3
    for each in certificates:
        (alone / each.name).write_bytes(each.content)
    run = [sys.executable, "-I"]
    told = subprocess.run([*run, "verify.py", "log", vkey], cwd=alone, capture_output=True, text=True, check=True)
    assert told.stdout.endswith("Verified.\n")
    names = [each.name for each in certificates]
    told = subprocess.run(
        [*run, "verify_certificate.py", vkey, *names, "--log", "log"],
        cwd=alone,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.count("\nVerified.\n") == len(certificates)
    print(f"\n{len(certificates)} certificates of three days verified alone")


def test_every_altered_byte_is_found(kelarec_archive: Archive, kelarec_clock: MovableClock) -> None:
    """Whichever byte of a certificate is altered, cut or added, it does not verify."""
    archive, clock = kelarec_archive, kelarec_clock
    certificates = live_three_days(archive, clock)
    flipped = found = 0
    for each in (certificates[0], certificates[-1]):
        for at in range(len(each.content)):
            altered = bytearray(each.content)
            altered[at] ^= 1 << (at % 8)
            flipped += 1
            found += _is_refused(bytes(altered), archive.audit.vkey)
        for cut in (each.content[:-1], each.content[1:], each.content + b"\n", each.content + b"x", b""):
            assert _is_refused(cut, archive.audit.vkey)
    print(f"\ncertificates: {flipped} bytes altered, {found} found")
    assert found == flipped > 2000


def _is_refused(content: bytes, vkey: str) -> bool:
    try:
        open_certificate(content, vkey)
    except CertificateError:
        return True
    return False


def test_it_is_of_one_log(kelarec_archive: Archive, kelarec_clock: MovableClock, tmp_path: Path) -> None:
    """Another archive's key does not verify it, and another log does not keep its checkpoint."""
    certificate = live_three_days(kelarec_archive, kelarec_clock)[0]
    with Archive.in_memory(kelarec_archive.register, clock=kelarec_clock) as other:
        of_another = other.audit.vkey
    with pytest.raises(CertificateError, match="does not verify"):
        open_certificate(certificate.content, of_another)
    opened = open_certificate(certificate.content, kelarec_archive.audit.vkey)
    with pytest.raises(CertificateError, match="keeps no checkpoint"):
        require_in_log(opened, tmp_path, kelarec_archive.audit.vkey)
    with pytest.raises(InvalidValueError):  # and the key signs no certificate that could pass for a checkpoint
        kelarec_archive.audit._integrator.sign_statement(f"kelarec/{kelarec_archive.id}\n1\nAAAA\n")


def test_what_it_says_and_what_it_does_not(disk_archive: Archive, disk: "Disk") -> None:
    """It says what, when, why, by whom, and holds no identity code, no name and no content."""
    (call,) = store(disk_archive, disk.clock())
    disk_archive.retention.erasures.erase([call], by=OFFICER, **TERMS)
    disk.clock.move(MINUTE)
    disk_archive.retention.erasures.finish(by=OFFICER)
    (certificate,) = disk_archive.retention.certificates.iter_all(by=OFFICER, recording_id=call)
    opened = open_certificate(certificate.content, disk_archive.audit.vkey)
    assert opened.entry["recording_id"] == str(call)
    assert opened.cosigned_by == ()
    for said in (str(call), disk.clock().isoformat(), "art-17-1-d, KELA-2026-17", str(OFFICER), "undeclared"):
        assert said in certificate.words
    assert "unwitnessed" in certificate.words
    contact = make_contact()
    for term in contact.search_terms:
        assert term.text not in certificate.content.decode()
    assert contact.customer is not None
    assert str(contact.customer.name) not in certificate.content.decode()
    assert WAV[60:90] not in certificate.content


def test_the_horizons_of_backups_are_those_of_the_places(tmp_path: Path) -> None:
    """How long backups of keys and catalog are kept is what the places declare, as an instant."""
    clock = MovableClock()
    create_key_file(tmp_path / "root.key")
    with Archive.create(
        objects=Place(tmp_path / "archive", "FI"),
        keys=Place(tmp_path / "keys", "FI", backups_kept_for=30 * DAY),
        catalog=Place(f"sqlite://{tmp_path}/c.sqlite", "FI", backups_kept_for=7 * DAY),
        root_key=f"keyfile:{tmp_path / 'root.key'}",
        register=kela_register(contact_point="Registry office"),
        clock=clock,
    ) as archive:
        (call,) = store(archive, clock())
        archive.retention.erasures.erase([call], by=OFFICER, **TERMS)
        clock.move(MINUTE)
        archive.retention.erasures.finish(by=OFFICER)
        (certificate,) = archive.retention.certificates.iter_all(by=OFFICER)
        words = certificate.words
    assert f"for 30 days: until {(certificate.at + 30 * DAY).isoformat()}" in words
    assert f"for 7 days: until {(certificate.at + 7 * DAY).isoformat()}" in words
    assert "undeclared" not in words
    with pytest.raises(InvalidValueError):
        Place(tmp_path, "FI", backups_kept_for=-DAY)


def test_exported_data_keys_are_counted(kelarec_archive: Archive, kelarec_clock: MovableClock) -> None:
    """A data key that was handed out opens its recording for ever: the certificates of both kinds say how many."""
    archive, clock = kelarec_archive, kelarec_clock
    tiia = StaffId("tiia")
    archive.staff.enrol(
        make_staff_member(id=tiia, identity_code=make_identity_code(3), roles={"data-protection-officer"}), by=RECORDER
    )
    erased, expired, _ = store(archive, clock(), 3)
    for each in (erased, expired):
        archive.keys.unsafe_export_data_key(each, token=UNSAFE_EXPORT_TOKEN, by=tiia, reason="for a court")
    archive.retention.erasures.erase([erased], by=OFFICER, **TERMS)
    clock.move(MINUTE)
    archive.retention.erasures.finish(by=OFFICER)
    clock.set(end_of(archive.retention.forecast().ending[0].on) + HOUR)
    archive.retention.sweep(by=SWEEPER)
    of_erasure, of_date = list(archive.retention.certificates.iter_all(by=OFFICER))[:2]
    assert "data keys that were handed out: 1;" in of_erasure.words
    assert "data keys that were handed out: 2;" in of_date.words


def test_a_witness_is_named_and_can_be_asked_for(kelarec_clock: MovableClock) -> None:
    """A cosigned checkpoint says by whom; who asks for a witness gets only what that one has signed."""
    private = Ed25519PrivateKey.generate()
    key = verify.VerificationKey("witness.example", verify.COSIGNATURE, private.public_key().public_bytes_raw())

    def cosign(note: bytes) -> bytes:
        text = note.rpartition(b"\n\n")[0] + b"\n"
        at = int(kelarec_clock().timestamp())
        signature = at.to_bytes(8) + private.sign(b"cosignature/v1\ntime %d\n%b" % (at, text))
        written = base64.b64encode(key.key_id + signature).decode()
        return f"\N{EM DASH} witness.example {written}\n".encode()

    with Archive.in_memory(
        kela_register(contact_point="Registry office"), clock=kelarec_clock, witnesses=[cosign]
    ) as archive:
        certificate = live_three_days(archive, kelarec_clock)[0]
        opened = open_certificate(certificate.content, archive.audit.vkey, [key.to_vkey()])
        assert opened.cosigned_by == ("witness.example",)
        assert "unwitnessed" not in certificate.words
        other = verify.VerificationKey("other.example", verify.COSIGNATURE, key.public)
        with pytest.raises(CertificateError):
            open_certificate(certificate.content, archive.audit.vkey, [other.to_vkey()])


def test_only_who_may_read_the_log(kelarec_archive: Archive) -> None:
    """A certificate shows an entry of the log, so whoever makes one needs the role for that (section 10)."""
    kelarec_archive.staff.enrol(make_staff_member(), by=RECORDER)
    with pytest.raises(DeniedError):
        kelarec_archive.retention.certificates.iter_all(by=StaffId("veikko"))


def test_bad_input_of_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command says what could not be told, and by its exit status that it was not."""
    assert verify_certificate.main(["not a key", str(tmp_path / "nothing")]) == 2
    (tmp_path / "file").write_bytes(b"x")
    assert verify_certificate.main(["a+b+c", str(tmp_path / "file")]) == 1
    assert "Not verified." in capsys.readouterr().out
