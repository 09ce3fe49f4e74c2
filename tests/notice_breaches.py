"""An archive that keeps its notice, and the hands that break each of its promises once.

Where the library refuses to break one, it is broken by hand: in catalog, objects or keys, by one who has all keys.
"""

import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import pytest
from attrs import evolve, frozen
from sqlalchemy import delete, select, update

from kelarec import (
    AccessRequest,
    Archive,
    Commitment,
    Direction,
    Duty,
    DutyKind,
    Kind,
    Recording,
    StaffId,
    System,
)
from kelarec.audit.entries import EntryKind
from kelarec.domain.contact import Contact
from kelarec.domain.instants import helsinki_date
from kelarec.errors import DeniedError
from kelarec.oversight.departure import Departure
from kelarec.storage import catalog_tables as tables
from kelarec.storage.envelopes import make_data_key, seal_document
from kelarec.storage.json_form import to_json
from kelarec.storage.recordings import Recordings
from kelarec.testing.builders import make_contact, make_identity_code, make_person, make_staff_member, make_wav
from kelarec.testing.clock import MovableClock

HR, CHECKER, RECORDER = System("hr"), System("check@test"), System("recorder@test")
VEIKKO, DORA = StaffId("veikko"), StaffId("dora")
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
WAV: Final = make_wav(0.1)
CLAIM: Final = Duty(kind=DutyKind.CASE, purpose="legal-claim", matter="CASE-1", from_on=date(2020, 8, 18))
Named = tuple[int, str]


@frozen
class Scene:
    """An archive that keeps its notice, used a little, and the hands to break promises with.

    Attributes:
        call: A recording that was listened to.
    """

    archive: Archive
    clock: MovableClock
    call: Recording

    def check(self, **asked: Any) -> tuple[Departure, ...]:  # noqa: ANN401  the arguments of check_notice
        """Hold practice against the notice, over a log that is not late."""
        self.archive.audit.integrate()
        return self.archive.check_notice(by=CHECKER, **asked)

    def wait(self, until: datetime) -> None:
        """Let time pass; at its end a sweep runs, as it does every night."""
        self.clock.set(until)
        self.archive.retention.sweep(by=System("sweep"))

    def store(self, **known: Any) -> Recording:  # noqa: ANN401  the fields of Contact
        """Store a short call."""
        contact = make_contact(**{"started_at": self.clock(), "adviser_id": VEIKKO} | known)
        self.clock.move(SECOND)
        return self.archive.capture.store(contact, ended_at=contact.started_at + SECOND, content=WAV, by=RECORDER)

    def change_record(self, alter: Callable[[Recording, Contact], tuple[Recording, Contact]]) -> None:
        """Write another version of the call's record behind the archive's back, sealed and with its row."""
        recordings = Recordings(self.archive._vault)
        with self.archive._vault.database.begin() as connection:
            opened = recordings.find_one(connection, self.call.id)
            assert opened is not None
            record = opened.record
            recording, contact = alter(record.recording, record.details.contact)
            details = evolve(record.details, contact=contact)
            changed = evolve(record, revision=record.revision + 1, recording=recording, details=details)
            recordings.replace(connection, recordings.write_record(changed, opened.data_key))

    def log_use(self, kind: EntryKind = EntryKind.DETAILS_SHOWN, **facts: Any) -> UUID:  # noqa: ANN401  fields of Entry
        """Write a use into the log that no session granted; return its entry."""
        with self.archive.session(by=VEIKKO, purpose="verify-service-event", matter="KELA-1") as session:
            entry = self.archive.audit.new_entry(kind, VEIKKO, recording_id=self.call.id, terms=session.terms)
        entry = evolve(entry, **facts)
        self.archive.audit.write(entry)
        return entry.id

    def disclose(self) -> UUID:
        """Disclose the call to a court, as one may."""
        with self.archive.session(by=DORA, purpose="legal-claim", matter="CASE-1") as session:
            given = session.disclose(
                [self.call.id], recipient="Helsinki District Court", country="FI", ground="Act 1/2020", items="call"
            )
        return given.id


def fill(archive: Archive, clock: MovableClock) -> Scene:
    """Use an archive as its notice says: staff, a call, listening, a disclosure handed out, a request."""
    archive.staff.enrol(make_staff_member(id=VEIKKO), by=HR)
    code = make_identity_code(5, born_on=date(1970, 8, 15))
    officer = make_staff_member(id=DORA, identity_code=code, roles={"data-protection-officer"}, duties=[CLAIM])
    archive.staff.enrol(officer, by=HR)
    contact = make_contact(started_at=clock(), adviser_id=VEIKKO)
    clock.move(SECOND)
    call = archive.capture.store(contact, ended_at=clock(), content=WAV, by=RECORDER)
    scene = Scene(archive, clock, call)
    with archive.session(by=VEIKKO, purpose="verify-service-event", matter="KELA-1") as session:
        session.find(make_identity_code())
        session.get_details(call.id)
        session.open(call.id).read()
        with pytest.raises(DeniedError):  # a denial is no use
            session.disclose([call.id], recipient="x", country="FI", ground="Act 1/2020", items="call")
    scene.disclose()
    with archive.session(by=DORA, purpose="legal-claim", matter="CASE-1") as session:
        session.disclose([call.id], recipient="The police", country="FI", ground="Act 2/2020", items="call")
        session.hand_out(call.id)[1].close()
    archive.rights.receive(
        AccessRequest(person=make_person(), channel="telephone", received_at=clock()), by=System("registry")
    )
    return scene


# Breaking a promise: what is done, which section and code must be named. Each returns the entry that must be named, or
# None if there is none to name.


def forge_version(scene: Scene) -> UUID | None:
    """A recording names another notice than the one that was in force (head)."""
    scene.change_record(lambda call, contact: (evolve(call, register_version=date(2019, 1, 1)), contact))
    return find_entry(scene, EntryKind.RECORDING_STORED)


def forge_controller(scene: Scene) -> UUID | None:
    """Whoever has the keys puts another controller into the notice, with object and row (section 1)."""
    register = scene.archive.register
    other = evolve(register, controller=evolve(register.controller, telephone="000"))
    vault = scene.archive._vault
    subject = vault.subject("register", str(register.version))
    envelope = seal_document(
        make_data_key(vault.keyring, "standing", subject, vault.randomness), subject, to_json(other)
    )
    with vault.database.begin() as connection:
        path = connection.execute(select(tables.registers.c.register_object)).scalar_one()
        connection.execute(update(tables.registers).values(register=envelope))
    vault.objects.replace(path, envelope)
    return find_entry(scene, EntryKind.ARCHIVE_CREATED)


def rename_register(scene: Scene) -> UUID | None:
    """The archive's description bears another name (section 3)."""
    objects = scene.archive._vault.objects
    objects.replace("archive.json", objects.read("archive.json").replace(b"chattikeskustelujen", b"muiden"))
    return None


def use_for_undeclared_purpose(scene: Scene) -> UUID | None:
    """A use for a purpose that the notice does not declare (section 4)."""
    return scene.log_use(purpose="marketing")


def forge_line(scene: Scene) -> UUID | None:
    """A call of a line that the notice does not know (section 5)."""
    scene.change_record(lambda call, contact: (evolve(call, line="secret-line"), evolve(contact, line="secret-line")))
    return find_entry(scene, EntryKind.RECORDING_STORED)


def forge_direction(scene: Scene) -> UUID | None:
    """A call made from back-office support, which lies outside the notice (section 5)."""
    scene.change_record(
        lambda call, contact: (
            evolve(call, kind=Kind.SUPPORT_CALL, line="back-office-support", direction=Direction.OUTBOUND),
            evolve(contact, kind=Kind.SUPPORT_CALL, line="back-office-support", direction=Direction.OUTBOUND),
        )
    )
    return find_entry(scene, EntryKind.RECORDING_STORED)


def hand_out_unregistered(scene: Scene) -> UUID | None:
    """A recording is handed out without an entry in the register of disclosures (section 7)."""
    with scene.archive.session(by=DORA, purpose="legal-claim", matter="CASE-1") as session:
        session.hand_out(scene.call.id)[1].close()
    return find_entry(scene, EntryKind.CONTENT_HANDED_OUT)


def feed_somebody(scene: Scene) -> UUID | None:
    """The same goes to the same recipient every week: a standing feed in single pieces (section 7)."""
    for _ in range(4):
        scene.wait(scene.clock() + 7 * DAY)
        scene.disclose()
    return find_entry(scene, EntryKind.DISCLOSED)


def lose_disclosure(scene: Scene) -> UUID | None:
    """An entry of the register of disclosures is gone, with its object (section 7)."""
    disclosure_id = scene.disclose()
    entry_id = find_entry(scene, EntryKind.DISCLOSED)
    vault = scene.archive._vault
    with vault.database.begin() as connection:
        connection.execute(delete(tables.disclosures).where(tables.disclosures.c.id == disclosure_id.bytes))
    vault.objects.delete(next(iter(vault.objects.iter_paths(f"disclosures/{disclosure_id}"))))
    return entry_id


def disclose_abroad(scene: Scene) -> UUID | None:
    """A recipient outside the EU/EEA, written by hand, since none can be built (section 8)."""
    disclosure_id = scene.disclose()
    entry_id = find_entry(scene, EntryKind.DISCLOSED)
    vault = scene.archive._vault
    subject = vault.subject("disclosure", str(disclosure_id))
    with vault.database.begin() as connection:
        where = tables.disclosures.c.id == disclosure_id.bytes
        row = connection.execute(select(tables.disclosures).where(where)).one()
        document = json.loads(vault.open_envelope(subject, row.disclosure))
        document["disclosure"]["recipient"]["country"] = "US"
        key = make_data_key(vault.keyring, date.fromordinal(row.ends_on).isoformat(), subject, vault.randomness)
        envelope = seal_document(key, subject, json.dumps(document).encode())
        connection.execute(update(tables.disclosures).where(where).values(disclosure=envelope))
    return entry_id


def keep_longer(scene: Scene) -> UUID | None:
    """A recording is kept a day longer than was promised when it was made (section 9)."""
    return keep_through(scene, scene.call.kept_through + DAY)


def keep_shorter(scene: Scene) -> UUID | None:
    """A recording ends a day before what was promised when it was made (section 9)."""
    return keep_through(scene, scene.call.kept_through - DAY)


def add_category(scene: Scene) -> UUID | None:
    """A recording holds data of a category that the notice does not name (section 5)."""
    recordings = Recordings(scene.archive._vault)
    with scene.archive._vault.database.begin() as connection:
        opened = recordings.find_one(connection, scene.call.id)
        assert opened is not None
        record = opened.record.change_details(evolve(opened.record.details, categories=frozenset({"shoe-size"})))
        recordings.replace(connection, recordings.write_record(record, opened.data_key))
    return find_entry(scene, EntryKind.RECORDING_STORED)


def keep_through(scene: Scene, later: date) -> UUID | None:
    """Let a recording end on another date, by one who has all keys."""
    vault, recordings = scene.archive._vault, Recordings(scene.archive._vault)
    with vault.database.begin() as connection:
        opened = recordings.find_one(connection, scene.call.id)
    assert opened is not None
    key = recordings.new_data_key(scene.call.id, later)
    recording = evolve(opened.record.recording, kept_through=later)
    written = recordings.write_record(
        evolve(opened.record, revision=opened.record.revision + 1, recording=recording), key
    )
    with vault.database.begin() as connection:
        recordings.replace(connection, written)
    return find_entry(scene, EntryKind.RECORDING_STORED)


def use_without_commitment(scene: Scene) -> UUID | None:
    """A use by one whose confidentiality commitment has ended (section 10)."""
    ended = Commitment(text_version="2020-08", signed_on=date(2020, 8, 18), ended_on=helsinki_date(scene.clock()))
    scene.archive.staff.enrol(make_staff_member(id=VEIKKO, commitments=[ended]), by=HR)
    return scene.log_use()


def use_by_stranger(scene: Scene) -> UUID | None:
    """A use by somebody whom the archive does not know (section 10)."""
    return scene.log_use(actor="nobody")


def use_without_role(scene: Scene) -> UUID | None:
    """An adviser's use that only another role grants (section 10)."""
    return scene.log_use(EntryKind.MASKING_BEGUN)


def let_commitment_lapse(scene: Scene) -> UUID | None:
    """One who has used recordings and keeps their roles has no commitment any more (section 10)."""
    ends = Commitment(text_version="2020-08", signed_on=date(2020, 8, 18), ended_on=helsinki_date(scene.clock() + DAY))
    scene.archive.staff.enrol(make_staff_member(id=VEIKKO, commitments=[ends]), by=HR)
    entry_id = find_entry(scene, EntryKind.STAFF_ENROLLED)
    scene.clock.move(DAY)
    return entry_id


def alter_record(scene: Scene) -> UUID | None:
    """What is stored of a recording was altered (section 10)."""
    with scene.archive._vault.database.begin() as connection:
        connection.execute(update(tables.recordings).values(line="another-line"))
    return None


def find_entry(scene: Scene, kind: EntryKind) -> UUID:
    """Return the newest entry of a kind."""
    entries = scene.archive.audit.iter_entries(by=CHECKER)
    return [each.id for each in entries if each.kind is kind][-1]


BROKEN: Final[dict[Callable[[Scene], UUID | None], Named]] = {
    forge_version: (0, "another-version"),
    forge_controller: (1, "not-as-adopted"),
    rename_register: (3, "another-name"),
    use_for_undeclared_purpose: (4, "undeclared-purpose"),
    forge_line: (5, "outside-the-notice"),
    forge_direction: (5, "outside-the-notice"),
    hand_out_unregistered: (7, "handed-out-unregistered"),
    feed_somebody: (7, "standing-disclosure"),
    lose_disclosure: (7, "not-registered"),
    disclose_abroad: (8, "recipient-outside"),
    add_category: (5, "undeclared-category"),
    keep_longer: (9, "kept-too-long"),
    keep_shorter: (9, "kept-too-short"),
    use_without_commitment: (10, "use-without-commitment"),
    use_by_stranger: (10, "use-by-unknown-staff"),
    use_without_role: (10, "use-without-role"),
    let_commitment_lapse: (10, "commitment-lapsed"),
    alter_record: (10, "altered-record"),
}
