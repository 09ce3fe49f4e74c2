"""A call and a chat come in, are found, heard, asked for, and gone a year later. Each line is printed once it is so.

Run it with `make quickstart`. All persons are invented; the identity codes are test codes.
"""

import json
import shutil
import tempfile
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TypedDict
from zoneinfo import ZoneInfo

from kelarec import (
    AccessRequest,
    Archive,
    Chat,
    Commitment,
    Contact,
    Duty,
    DutyKind,
    Kind,
    Message,
    Person,
    PersonalIdentityCode,
    Place,
    Recording,
    StaffId,
    StaffMember,
    System,
    create_key_file,
    kela_register,
)
from kelarec.errors import DeniedError, ExpiredError
from kelarec.media.wav import parse_wav
from kelarec.testing.clock import MovableClock

HERE = Path(__file__).parent
CODE = PersonalIdentityCode("140281-928F")
AINO = Person(name="Aino Esimerkki", identity_code=CODE)
CASE, VERIFY, RIGHT = "KELA-2026-1", "verify-service-event", "data-subject-right"
VEIKKO, NOLLA, OSMA = StaffId("veikko"), StaffId("nolla"), StaffId("osma")
CLOCK = MovableClock(datetime(2026, 3, 5, 9, 30, tzinfo=ZoneInfo("Europe/Helsinki")))
SECONDS = 5
RECORDER = System("recorder@node1")


class Places(TypedDict):
    """Where an archive lies: sealed objects, keys apart from them, and the root key's file."""

    objects: Place
    keys: Place
    root_key: str


def check(holds: bool, what: str) -> None:  # noqa: FBT001  reads as a sentence where it is called
    """Stop the story where it is not true."""
    if not holds:
        raise SystemExit(f"Not true: {what}.")


def open_archive(folder: Path) -> Archive:
    """Open the archive of this story."""
    return Archive.open(**places(folder), clock=CLOCK)


def places(folder: Path) -> Places:
    """Return where things lie: sealed objects, keys apart from them, and the root key's file."""
    return {
        "objects": Place(folder / "archive", "FI"),
        "keys": Place(folder / "keys", "FI"),
        "root_key": f"keyfile:{folder / 'root.key'}",
    }


def set_up(folder: Path) -> Archive:
    """Make an archive and make three staff members known, one of whom promised no confidentiality."""
    create_key_file(folder / "root.key")
    archive = Archive.create(**places(folder), register=kela_register(contact_point="Registry office"), clock=CLOCK)
    since = date(2025, 1, 1)
    promise = Commitment(text_version="2020-08", signed_on=since)
    for staff_id, code, role, duty, commitments in (
        (VEIKKO, "010675-977B", "adviser", Duty(kind=DutyKind.OWN_CONTACTS, purpose=VERIFY, from_on=since), [promise]),
        (NOLLA, "020380-901D", "adviser", Duty(kind=DutyKind.OWN_CONTACTS, purpose=VERIFY, from_on=since), []),
        (
            OSMA,
            "150870-9339",
            "data-protection-officer",
            Duty(kind=DutyKind.CASE, purpose=RIGHT, matter=CASE, from_on=since),
            [promise],
        ),
    ):
        member = StaffMember(
            id=staff_id,
            identity_code=PersonalIdentityCode(code),
            roles={role},
            commitments=commitments,
            duties=[duty],
        )
        archive.staff.enrol(member, by=System("hr"))
    print(f"An archive stands under the notice of {archive.register.version}:\n   {archive.register.name}")
    return archive


def come_in(archive: Archive, folder: Path) -> tuple[Recording, Recording]:
    """Store the call and the chat, and look for clear text on the disk."""
    print("\n1. A call and a chat come in")
    wav = (HERE / "data" / "call.wav").read_bytes()
    started_at = CLOCK() - timedelta(minutes=2)
    call = archive.capture.store(
        Contact(
            contact_id="call-1",
            kind=Kind.CUSTOMER_CALL,
            line="national-service",
            started_at=started_at,
            customer=AINO,
            adviser_id=VEIKKO,
        ),
        ended_at=started_at + timedelta(seconds=51),
        content=wav,
        by=RECORDER,
    )
    told = json.loads((HERE / "data" / "chat.json").read_text(encoding="utf-8"))["messages"]
    messages = [Message(datetime.fromisoformat(each["sent_at"]), each["by"], each["text"]) for each in told]
    chat = archive.capture.store(
        Contact(
            contact_id="chat-1",
            kind=Kind.CUSTOMER_CHAT,
            line="kela-fi",
            started_at=messages[0].sent_at,
            customer=AINO,
            adviser_id=VEIKKO,
        ),
        ended_at=messages[-1].sent_at,
        content=Chat(tuple(messages)),
        by=RECORDER,
    )
    for recording in (call, chat):
        print(f"   sealed: {recording.kind}, {recording.duration}, kept through {recording.kept_through}")
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    secrets = [CODE.text.encode(), b"Esimerkki", wav[200_000:200_064], messages[0].text.encode()]
    check(not any(secret in file for file in files for secret in secrets), "nothing lies on disk in clear")
    print(f"   {len(files)} files on disk; in none of them the code, the name, the sound or the words")
    return call, chat


def listen(archive: Archive, folder: Path, call: Recording, chat: Recording) -> None:
    """Find both by identity code, hear five seconds of the call and read the chat."""
    print("\n2. The adviser who took them finds and hears them")
    with archive.session(by=VEIKKO, purpose=VERIFY, matter=CASE) as session:
        found = session.find(CODE)
        check({each.id for each in found} == {call.id, chat.id}, "both are found")
        customer = session.get_details(call.id).contact.customer
        check(customer == AINO, "the call's customer is Aino")
        print(f"   by the identity code {CODE}: {len(found)} recordings of {AINO.name}")
        with session.open(call.id) as audio:
            clip = audio.clip(start=12, stop=17)
            check(audio.bytes_fetched < audio.length / 5, "the rest was not read")
            print(f"   0:12 to 0:17 heard; {audio.bytes_fetched:,} of {audio.length:,} bytes were read for it")
        target = folder / "clip.wav"
        target.write_bytes(clip)
        form = parse_wav(target.read_bytes())
        seconds = form.duration(target.stat().st_size)
        check(seconds == SECONDS, "the clip lasts five seconds")
        print(f"   written out as a WAV: {form.codec}, {form.channels} channels, {form.rate} Hz, {seconds:.0f} s")
        print(f"   the chat is read: {len(session.read_chat(chat.id).messages)} messages")


def refuse(archive: Archive, call: Recording) -> None:
    """Refuse somebody who never promised confidentiality."""
    print("\n3. Another adviser has signed no confidentiality commitment")
    with archive.session(by=NOLLA, purpose=VERIFY, matter=CASE) as session:
        try:
            session.open(call.id)
        except DeniedError as denial:
            print(f"   {denial}")
        else:
            check(holds=False, what="the adviser is refused")


def ask(archive: Archive) -> None:
    """Receive an access request and explain its due date."""
    print("\n4. Aino asks: what do you have on me, and who listened?")
    request = AccessRequest(person=AINO, channel="telephone", received_at=CLOCK())
    received = archive.rights.receive(request, by=OSMA)
    for step in received.deadline.steps:
        print(f"   {step}")
    print(f"   so the answer is due by the end of {received.deadline.due_on}")


def pass_a_year(archive: Archive, folder: Path, call: Recording) -> None:
    """Keep a backup, let the retention end, sweep, and put the backup back."""
    print("\n5. A year passes")
    shutil.copytree(folder / "archive", folder / "backup")
    shutil.copy(folder / "archive.catalog.sqlite", folder / "backup.sqlite")
    print("   a backup of objects and catalog is taken")
    CLOCK.set(call.ends_at - timedelta(seconds=1))
    with archive.session(by=VEIKKO, purpose=VERIFY, matter=CASE) as session, session.open(call.id) as audio:
        check(audio.read(4) == b"RIFF", "it is readable to the last second")
        CLOCK.set(call.ends_at)
        try:
            audio.read(4)
        except ExpiredError:
            print(f"   readable until {call.kept_through} 24:00 Helsinki; then even an open reader gives nothing")
        else:
            check(holds=False, what="reading stops at the end")
    CLOCK.move(timedelta(hours=2))
    for swept in archive.retention.sweep(by=System("sweep@node1")):
        print(f"   swept: the keys of {swept.kept_through} are destroyed, with them {swept.recordings} recordings")


def restore(folder: Path, call: Recording, chat: Recording) -> None:
    """Put the backup back and try to read."""
    shutil.rmtree(folder / "archive")
    shutil.move(folder / "backup", folder / "archive")
    shutil.move(folder / "backup.sqlite", folder / "archive.catalog.sqlite")
    with open_archive(folder) as archive, archive.session(by=VEIKKO, purpose=VERIFY, matter=CASE) as session:
        check(session.find(CODE) == [], "nothing is found in the backup")
        for recording in (call, chat):
            try:
                session.get_details(recording.id)
            except DeniedError:
                continue
            check(holds=False, what="the backup gives nothing back")
        check(not (folder / "keys" / "days" / f"{call.kept_through}.key").exists(), "the key is gone")
        print("   the backup is put back: the objects are there again, and nothing of them can be found or read")


def show_log(archive: Archive) -> None:
    """List what was done, by whom and what for."""
    print("\n6. The log")
    for entry in archive.audit.iter_entries(by=OSMA):
        about = f" {str(entry.recording_id)[-12:]}" if entry.recording_id else ""
        why = f" for {entry.purpose} in {entry.matter}" if entry.purpose else ""
        facts = ", ".join(f"{name} {text}" for name, text in entry.facts.items() if name != "record-sha256")
        print(
            f"   {entry.at:%Y-%m-%d %H:%M} {entry.actor:<22} {entry.kind}{about}{why}{f' ({facts})' if facts else ''}"
        )


def main() -> None:
    """Tell the story on an archive in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="kelarec-") as name:
        folder = Path(name)
        with set_up(folder) as archive:
            call, chat = come_in(archive, folder)
            listen(archive, folder, call, chat)
            refuse(archive, call)
            ask(archive)
            pass_a_year(archive, folder, call)
            show_log(archive)
        print("\n7. A backup from before comes back")
        restore(folder, call, chat)


if __name__ == "__main__":
    main()
