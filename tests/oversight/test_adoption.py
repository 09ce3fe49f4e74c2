"""A new version of the notice in a running archive: from its day on, everywhere, and never for what was made before."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import pytest
from attrs import evolve
from sqlalchemy import delete, select, update

from facts import change
from kelarec import Archive, Duty, DutyKind, Place, Recording, Register, RetentionPolicy, StaffId, System
from kelarec.audit.entries import EntryKind
from kelarec.domain.notice_facts import Label
from kelarec.domain.register import Purpose, Rank
from kelarec.errors import (
    ChangedMeanwhileError,
    DeniedError,
    IntegrityError,
    InvalidValueError,
    OutsideNoticeError,
    StorageError,
    UnknownLineError,
    VersionFaultsError,
)
from kelarec.oversight.adoption import Adopted
from kelarec.oversight.difference import DifferenceKind
from kelarec.storage import catalog_tables as tables
from kelarec.storage.registers import insert_register, write_register
from kelarec.testing.builders import make_contact, make_identity_code, make_staff_member, make_wav
from kelarec.testing.clock import MovableClock

if TYPE_CHECKING:
    from conftest import Disk

BY: Final = System("dpo@test")
RECORDER: Final = System("recorder@test")
VERSION: Final = date(2026, 4, 1)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
SURVEYS: Final = Purpose(
    code="surveys",
    label=Label("kyselyt", "enkäter", "surveys"),
    rank=Rank.SECONDARY,
    legal_basis=Label("laki", "lag", "act"),
)


def make_later(register: Register, version: date = VERSION) -> Register:
    """Return a later version: two years, a further purpose that advisers serve, one line less, logs for six years."""
    roles = [
        evolve(role, purposes=role.purposes | {"surveys"}) if role.code == "adviser" else role
        for role in register.roles
    ]
    later: Register = change(
        register,
        version=version,
        retention=RetentionPolicy(2),
        log_retention=RetentionPolicy(6),
        purposes=[*register.purposes, SURVEYS],
        lines=[line for line in register.lines if line.code != "regional-service"],
        roles=roles,
    )
    return later


def store(archive: Archive, at: datetime, line: str = "national-service") -> Recording:
    """Store a short call that started at an instant."""
    contact = make_contact(started_at=at, line=line)
    return archive.capture.store(contact, ended_at=at + SECOND, content=make_wav(0.1), by=RECORDER)


def test_differences_are_told_and_what_people_must_be_told_of_is_marked(kelarec_archive: Archive) -> None:
    """Longer keeping and a further purpose are news to people (Arts 12, 13(3)); a line less is not."""
    adopted = kelarec_archive.adopt(make_later(kelarec_archive.register), by=BY)
    assert [each.place for each in adopted.to_be_told] == ["purposes[surveys]", "retention.years"]
    assert len(adopted.differences) == len(adopted.describe(language="fi")) > 2
    assert "Henkilötietojen säilytysaika, säilytysaika: oli 1 vuosi, nyt 2 vuotta." in adopted.describe(language="fi")
    assert adopted.begins_at.isoformat() == "2026-03-31T21:00:00+00:00"
    [entry] = [each for each in kelarec_archive.audit.iter_entries(by=BY) if each.kind is EntryKind.REGISTER_ADOPTED]
    assert entry.actor == str(BY)
    path, envelope = _read_object(kelarec_archive, VERSION)
    assert entry.facts == {
        "register": "2026-04-01",
        "record-sha256": _hash(envelope),
        "follows": "2020-08-18",
        "differences": str(len(adopted.differences)),
        "to-be-told": "2",
    }
    assert path.startswith("registers/2026-04-01/register-")


def _hash(content: bytes) -> str:
    return sha256(content).hexdigest()


def _read_object(archive: Archive, version: date) -> tuple[str, bytes]:
    [path] = archive._vault.objects.iter_paths(f"registers/{version}")
    return path, archive._vault.objects.read(path)


def test_each_recording_keeps_what_was_promised_when_it_began(
    kelarec_archive: Archive, kelarec_clock: MovableClock
) -> None:
    """By the start of the contact: version, last day and lines; a change lengthens no promise (section 9)."""
    before = store(kelarec_archive, kelarec_clock())
    adopted = kelarec_archive.adopt(make_later(kelarec_archive.register), by=BY)
    assert kelarec_archive.register.version == date(2020, 8, 18)
    kelarec_clock.set(adopted.begins_at + timedelta(minutes=5))
    late = store(kelarec_archive, adopted.begins_at - SECOND, "regional-service")
    after = store(kelarec_archive, adopted.begins_at)
    assert [each.register_version for each in (before, late, after)] == [date(2020, 8, 18)] * 2 + [VERSION]
    assert [each.kept_through for each in (before, late, after)] == [
        date(2027, 3, 5),
        date(2027, 3, 31),
        date(2028, 4, 1),
    ]
    with pytest.raises(UnknownLineError):
        store(kelarec_archive, adopted.begins_at, "regional-service")
    assert _list_last_days(kelarec_archive) == [date(2027, 3, 5), date(2027, 3, 31), date(2028, 4, 1)]


def _list_last_days(archive: Archive) -> list[date]:
    days = select(tables.recordings.c.kept_through).order_by(tables.recordings.c.kept_through)
    with archive._vault.database.begin() as connection:
        return [date.fromordinal(each) for each in connection.execute(days).scalars()]


def test_a_new_purpose_opens_nothing_that_was_made_before(
    kelarec_archive: Archive, kelarec_clock: MovableClock
) -> None:
    """Recordings are used for what the notice said when they were made (sections 4 and 10; Art. 5(1)(b))."""
    before = store(kelarec_archive, kelarec_clock())
    adopted = kelarec_archive.adopt(make_later(kelarec_archive.register), by=BY)
    duty = Duty(kind=DutyKind.OWN_CONTACTS, purpose="surveys", from_on=VERSION)
    with pytest.raises(InvalidValueError):  # not declared yet
        kelarec_archive.staff.enrol(make_staff_member(duties=[duty]), by=BY)
    kelarec_clock.set(adopted.begins_at)
    kelarec_archive.staff.enrol(make_staff_member(duties=[duty]), by=BY)
    after = store(kelarec_archive, kelarec_clock())
    with kelarec_archive.session(by=StaffId("veikko"), purpose="surveys", matter="SURVEY-1") as session:
        assert session.get_details(after.id).contact.line == "national-service"
        with pytest.raises(DeniedError) as denied:
            session.get_details(before.id)
        assert denied.value.clause == "made-for"


def test_log_entries_end_as_the_notice_of_their_time_says(
    kelarec_archive: Archive, kelarec_clock: MovableClock
) -> None:
    """How long an entry tells whom it concerns follows from the version in force when it was written."""
    adopted = kelarec_archive.adopt(make_later(kelarec_archive.register), by=BY)
    kelarec_clock.set(adopted.begins_at)
    store(kelarec_archive, kelarec_clock())
    kelarec_archive.audit.integrate()
    ends = _list_ends(kelarec_archive)
    assert ends[-1] == date(2032, 4, 1)
    assert ends[0] == date(2031, 3, 5)
    assert list(kelarec_archive.iter_differences(by=BY)) == []


def _list_ends(archive: Archive) -> list[date]:
    with archive._vault.database.begin() as connection:
        return [date.fromordinal(each) for each in connection.execute(select(tables.entries.c.ends_on)).scalars()]


@pytest.fixture
def two(disk: "Disk") -> Iterator[tuple[Archive, Archive]]:
    """An archive on disk, opened twice as two processes would."""
    with disk.create() as one, disk.open() as other:
        yield one, other


def test_whoever_else_has_the_archive_open_learns_of_it_at_once(two: tuple[Archive, Archive], disk: "Disk") -> None:
    """The next transaction of another process knows the version, long before it begins."""
    one, other = two
    adopted = one.adopt(make_later(one.register), by=BY)
    other.audit.count_waiting()
    assert other.registers == one.registers
    disk.clock.set(adopted.begins_at)
    assert (store(other, disk.clock()).register_version, other.register.version) == (VERSION, VERSION)


READER: Final = """
import sys
from kelarec import Archive, Place
from kelarec.testing.clock import MovableClock
folder = sys.argv[1]
places = {"objects": Place(f"{folder}/archive", "FI"), "keys": Place(f"{folder}/keys", "FI")}
with Archive.open(**places, root_key=f"keyfile:{folder}/root.key", clock=MovableClock()) as archive:
    print(archive.registers.newest.version, flush=True)
    sys.stdin.readline()
    archive.health()
    print(archive.registers.newest.version, flush=True)
"""


def test_another_process_learns_of_it(disk: "Disk") -> None:
    """A real second process, which was open before, knows the version after its next question to the catalog."""
    if disk.catalog_place is not None:
        pytest.skip("the other process is given a SQLite file")
    with disk.create() as archive:
        command = [sys.executable, "-c", READER, str(disk.folder)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
            assert reader.stdout is not None
            assert reader.stdin is not None
            assert reader.stdout.readline() == "2020-08-18\n"
            archive.adopt(make_later(archive.register), by=BY)
            reader.stdin.write("\n")
            reader.stdin.close()
            assert reader.stdout.readline() == "2026-04-01\n"
            assert reader.wait(60) == 0


def test_a_session_that_goes_on_past_midnight_obeys_the_new_version(
    kelarec_archive: Archive, kelarec_clock: MovableClock
) -> None:
    """No part of a running archive goes on by the notice of yesterday, not even a session that is open."""
    call = store(kelarec_archive, kelarec_clock())
    kelarec_archive.staff.enrol(make_staff_member(), by=BY)
    register = kelarec_archive.register
    purposes = [each for each in register.purposes if each.code != "verify-service-event"]
    roles = [evolve(role, purposes=role.purposes - {"verify-service-event"}) for role in register.roles]
    later = change(register, version=VERSION, purposes=purposes, roles=roles)
    adopted = kelarec_archive.adopt(later, by=BY)
    kelarec_clock.set(adopted.begins_at - timedelta(hours=1))
    with kelarec_archive.session(by=StaffId("veikko"), purpose="verify-service-event", matter="KELA-1") as session:
        reader = session.open(call.id)
        assert reader.read(10)
        kelarec_clock.set(adopted.begins_at)
        with pytest.raises(DeniedError) as denied:
            reader.read(10)
        assert denied.value.clause == "purpose"


def test_channels_follow_the_version(kelarec_archive: Archive, kelarec_clock: MovableClock) -> None:
    """What is taken in, and by whom, follows the version in force."""
    register = kelarec_archive.register
    assert register.has_channel("telephone")
    roles = [role for role in register.roles if role.code != "auditor"]
    adopted = kelarec_archive.adopt(change(register, version=VERSION, roles=roles), by=BY)
    auditor = make_staff_member(roles={"auditor"}, duties=[])
    kelarec_archive.staff.enrol(auditor, by=BY)
    assert list(kelarec_archive.audit.iter_entries(by=auditor.id))
    kelarec_clock.set(adopted.begins_at)
    with pytest.raises(DeniedError):
        kelarec_archive.audit.iter_entries(by=auditor.id)


def test_what_may_not_follow_is_refused_and_nothing_is_written(kelarec_archive: Archive) -> None:
    """A version that reaches back, bears another name or is none changes nothing."""
    register = kelarec_archive.register
    wrong = evolve(register, version=date(2026, 3, 5), name="Another register")
    with pytest.raises(VersionFaultsError) as caught:
        kelarec_archive.adopt(wrong, by=BY)
    assert [fault.place for fault in caught.value.faults] == ["version", "name"]
    with pytest.raises(InvalidValueError):
        kelarec_archive.adopt("a notice", by=BY)  # type: ignore[arg-type]  # the point of the test
    assert list(kelarec_archive.registers) == [register]
    assert len(list(kelarec_archive._vault.objects.iter_paths("registers"))) == 1


@pytest.mark.parametrize("role", ["adviser", "operator", "auditor"])
def test_only_the_officer_adopts(kelarec_archive: Archive, role: str) -> None:
    """Whose role grants it adopts a version, or a named system; others are denied and logged."""
    code = make_identity_code(5, born_on=date(1970, 8, 15))
    officer = make_staff_member(id=StaffId("dora"), identity_code=code, roles={"data-protection-officer"}, duties=[])
    kelarec_archive.staff.enrol(make_staff_member(roles={role}, duties=[]), by=BY)
    kelarec_archive.staff.enrol(officer, by=BY)
    later = make_later(kelarec_archive.register)
    with pytest.raises(DeniedError):
        kelarec_archive.adopt(later, by=StaffId("veikko"))
    assert isinstance(kelarec_archive.adopt(later, by=officer.id), Adopted)


def test_of_two_who_adopt_at_once_one_is_told(two: tuple[Archive, Archive]) -> None:
    """Whoever compared with a version that is not the newest any more is told, and nothing of theirs stays."""
    one, _ = two
    register = one.register
    written = write_register(one._vault, make_later(register, date(2026, 5, 1)))
    one.adopt(make_later(register), by=BY)
    with one._vault.database.begin() as connection, pytest.raises(ChangedMeanwhileError):
        insert_register(one._vault, connection, written, after=register.version)


def test_a_place_that_refuses_leaves_the_old_version(kelarec_archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the entry cannot be written the version is not adopted, and its object is gone again."""

    def refuse(*_: object) -> None:
        raise StorageError("The medium refuses.")

    with monkeypatch.context() as planted:
        planted.setattr(kelarec_archive.audit, "append", refuse)
        with pytest.raises(StorageError):
            kelarec_archive.adopt(make_later(kelarec_archive.register), by=BY)
    assert len(kelarec_archive.registers.versions) == 1
    assert list(kelarec_archive._vault.objects.iter_paths("registers/2026-04-01")) == []
    kelarec_archive.adopt(make_later(kelarec_archive.register), by=BY)


def test_all_versions_are_read_when_an_archive_is_opened_and_rebuilt(disk: "Disk") -> None:
    """Opening knows all versions; a lost catalog loses none, and what differs afterwards is nothing (fault 13)."""
    with disk.create() as archive:
        archive.adopt(make_later(archive.register), by=BY)
        archive.adopt(evolve(archive.registers.newest, version=date(2027, 1, 1)), by=BY)
        versions = archive.registers
    with disk.open() as archive:
        assert archive.registers == versions
    if disk.catalog_place is not None:
        return
    disk.catalog.unlink()
    with _rebuild(disk) as archive:
        assert archive.registers == versions
        archive.audit.integrate()
        archive.verify(by=BY)
        assert archive.rebuilt is not None
        assert archive.rebuilt.counts["registers"] == 3
        disk.clock.set(datetime.fromisoformat("2026-04-01T10:00:00+03:00"))
        assert archive.register.version == VERSION


def test_a_rebuild_obeys_the_version_that_the_log_tells_of(disk: "Disk") -> None:
    """Beside an adopted version lies one of the same date that was never acknowledged: the log decides (fault 13)."""
    if disk.catalog_place is not None:
        pytest.skip("it removes SQLite's file")
    with disk.create() as archive:
        later = make_later(archive.register)
        for years in (5, 6, 7):
            write_register(archive._vault, evolve(later, retention=RetentionPolicy(years)))
        archive.adopt(later, by=BY)
        archive.audit.integrate()
    disk.catalog.unlink()
    with _rebuild(disk) as archive:
        assert archive.registers.newest == later


def _rebuild(disk: "Disk") -> Archive:
    return Archive.rebuild_lost(
        by=BY,
        objects=Place(disk.objects, "FI"),
        keys=Place(disk.keys, "FI"),
        root_key=f"keyfile:{disk.root_key}",
        clock=disk.clock,
    )


def lose_row(archive: Archive) -> DifferenceKind:
    """Take a version away from the catalog."""
    with archive._vault.database.begin() as connection:
        connection.execute(delete(tables.registers).where(tables.registers.c.version == "2026-04-01"))
    return DifferenceKind.MISSING


def lose_object(archive: Archive) -> DifferenceKind:
    """Take a version away from the objects."""
    archive._vault.objects.delete(_read_object(archive, VERSION)[0])
    return DifferenceKind.MISSING


def alter_object(archive: Archive) -> DifferenceKind:
    """Flip a bit of a version's object."""
    path, content = _read_object(archive, VERSION)
    archive._vault.objects.replace(path, content[:-1] + bytes([content[-1] ^ 1]))
    return DifferenceKind.ALTERED


def alter_row(archive: Archive) -> DifferenceKind:
    """Put the older version's document into the newer one's row."""
    with archive._vault.database.begin() as connection:
        older = connection.execute(
            select(tables.registers.c.register).where(tables.registers.c.version == "2020-08-18")
        ).scalar_one()
        connection.execute(
            update(tables.registers).where(tables.registers.c.version == "2026-04-01").values(register=older)
        )
    return DifferenceKind.ALTERED


def leave_object(archive: Archive) -> DifferenceKind:
    """Write a version that was never acknowledged, as one whose process was killed."""
    write_register(archive._vault, make_later(archive.register, date(2027, 1, 1)))
    return DifferenceKind.ORPHANED


@pytest.mark.parametrize("act", [lose_row, lose_object, alter_object, alter_row, leave_object])
def test_verify_sees_every_version(kelarec_archive: Archive, act: Callable[[Archive], DifferenceKind]) -> None:
    """A version that is lost, altered or nobody's is named, and nothing else."""
    kelarec_archive.adopt(make_later(kelarec_archive.register), by=BY)
    kind = act(kelarec_archive)
    found = list(kelarec_archive.iter_differences(by=BY))
    assert {each.kind for each in found} == {kind}, found
    assert all(each.subject.startswith("register 202") for each in found)


def test_nothing_goes_on_by_an_altered_notice(two: tuple[Archive, Archive]) -> None:
    """A process that learns of a version that does not open refuses to work by a guess."""
    one, other = two
    one.adopt(make_later(one.register), by=BY)
    alter_row(one)
    other.audit.count_waiting()
    with pytest.raises(IntegrityError):
        store(other, other._vault.now())
    with pytest.raises(IntegrityError):
        other.register  # noqa: B018  the question is the point
    with one._vault.database.begin() as connection:
        envelope = _read_object(one, VERSION)[1]
        mended = update(tables.registers).where(tables.registers.c.version == str(VERSION)).values(register=envelope)
        connection.execute(mended)
    other.audit.count_waiting()
    assert other.registers == one.registers


def test_a_live_take_is_under_the_version_it_began_under(spooled_archive: Archive, disk: "Disk") -> None:
    """A call that goes on over midnight stays under the notice that it began under (head)."""
    adopted = spooled_archive.adopt(make_later(spooled_archive.register), by=BY)
    disk.clock.set(adopted.begins_at - SECOND)
    with spooled_archive.capture.begin(make_contact(started_at=disk.clock()), by=RECORDER) as take:
        take.part("audio").write(b"\x55" * 800)
        disk.clock.set(adopted.begins_at + SECOND)
        take.categorise(["taxation"])
    recording = take.finish().result(timeout=60)
    assert (recording.register_version, recording.kept_through) == (date(2020, 8, 18), date(2027, 3, 31))


def test_before_the_first_version_nothing_is_covered(kelarec_archive: Archive) -> None:
    """What began before the first notice is refused, as before there were several (section 5)."""
    with pytest.raises(OutsideNoticeError):
        store(kelarec_archive, datetime.fromisoformat("2020-08-17T12:00:00+03:00"))


def test_keys_for_the_new_version_are_there_before_it_begins(disk: "Disk") -> None:
    """The keys of a longer retention are made 35 days ahead, like all others."""
    with disk.create() as archive:
        archive.adopt(make_later(archive.register), by=BY)
        disk.clock.move(10 * DAY)
        archive.retention.sweep(by=System("sweep"))
        assert {date(2028, 4, 1), date(2032, 4, 1)} <= set(archive._vault.keyring.iter_days())
