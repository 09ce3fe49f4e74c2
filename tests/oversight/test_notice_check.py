"""Practice held against the notice of 18.8.2020: each promise of sections 1 to 10 broken once, and named once."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import pytest
from attrs import evolve
from sqlalchemy import delete

from facts import change
from kelarec import (
    AccessRequest,
    Archive,
    ErasureRequest,
    ExpectedContact,
    Kind,
    Register,
    StaffId,
    StaffMember,
    System,
    kela_register,
)
from kelarec.audit.entries import EntryKind
from kelarec.domain.instants import end_of
from kelarec.domain.notice_facts import ContactPoint, Validity
from kelarec.errors import DeniedError
from kelarec.oversight import practice_of_keeping, practice_of_recording, practice_of_use
from kelarec.oversight.departure import Departure, Severity
from kelarec.storage import catalog_tables as tables
from kelarec.testing.builders import make_contact, make_identity_code, make_person, make_staff_member
from kelarec.testing.clock import MovableClock
from notice_breaches import (
    BROKEN,
    CHECKER,
    DAY,
    HR,
    RECORDER,
    SECOND,
    VEIKKO,
    WAV,
    Named,
    Scene,
    alter_record,
    disclose_abroad,
    fill,
    find_entry,
    forge_controller,
    keep_longer,
    let_commitment_lapse,
    rename_register,
    use_by_stranger,
    use_for_undeclared_purpose,
    use_without_role,
)

if TYPE_CHECKING:
    from conftest import Disk


@pytest.fixture
def make_scene() -> Iterator[Callable[..., Scene]]:
    """Makes an archive that keeps its notice, or another register."""
    archives: list[Archive] = []

    def make(register: Register | None = None) -> Scene:
        clock = MovableClock()
        register = register or kela_register(contact_point="Registry office")
        archives.append(Archive.in_memory(register, clock=clock, witnesses=[lambda _: None]))
        return fill(archives[-1], clock)

    yield make
    for archive in archives:
        archive.close()


def name(found: tuple[Departure, ...]) -> list[Named]:
    """Return section and code of each departure."""
    return [(each.section, each.code) for each in found]


def test_a_clean_archive_keeps_its_notice(make_scene: Callable[..., Scene]) -> None:
    """An archive that was used as the notice says departs from it in nothing, and the log has that it was asked."""
    scene = make_scene()
    assert scene.check() == ()
    last = list(scene.archive.audit.iter_entries(by=CHECKER))[-2]
    assert (last.kind, last.actor, last.facts) == (EntryKind.NOTICE_CHECKED, str(CHECKER), {"outcome": "keeps"})


@pytest.mark.parametrize("act", BROKEN, ids=lambda act: act.__name__)
def test_a_broken_promise_is_named_and_nothing_beside_it(
    make_scene: Callable[..., Scene], act: Callable[[Scene], UUID | None]
) -> None:
    """Whoever breaks a promise of sections 1 to 10 is found out by it, with the entry that tells of it."""
    scene = make_scene()
    entry_id = act(scene)
    found = scene.check()
    assert name(found) == [BROKEN[act]]
    assert found[0].entry_id == entry_id
    assert found[0].fact
    assert found[0].advice
    assert make_identity_code().text not in str(found)


def test_each_departure_can_be_repeated(make_scene: Callable[..., Scene]) -> None:
    """Two promises broken are two departures, in the order of the sections."""
    scene = make_scene()
    use_without_role(scene)
    use_for_undeclared_purpose(scene)
    assert name(scene.check()) == [(4, "undeclared-purpose"), (10, "use-without-role")]


@pytest.mark.parametrize(("field", "section"), [("contact_points", 2), ("data_protection_officers", 2), ("sources", 6)])
def test_what_holds_no_more_is_named(make_scene: Callable[..., Scene], field: str, section: int) -> None:
    """A contact point who has left, and nobody came after: nobody can be asked (sections 2 and 6)."""
    register = kela_register(contact_point="Registry office")
    ends = Validity(through_on=date(2026, 3, 31))
    left = ContactPoint(name="Registry office", telephone="1", valid=ends)
    lapsed = [evolve(each, valid=ends) for each in register.sources] if field == "sources" else [left]
    scene = make_scene(change(register, **{field: lapsed}))
    assert scene.check() == ()
    scene.wait(scene.clock() + 30 * DAY)
    assert name(scene.check()) == [(section, "nothing-in-force")]


def test_a_kind_without_a_source_is_named(make_scene: Callable[..., Scene]) -> None:
    """What is stored has a source that the notice names (section 6)."""
    register = kela_register(contact_point="Registry office")
    sources = [evolve(each, kinds=each.kinds - {Kind.SUPPORT_CALL}) for each in register.sources]
    scene = make_scene(change(register, sources=[each for each in sources if each.kinds]))
    stored = scene.store(kind=Kind.SUPPORT_CALL, line="back-office-support")
    [found] = scene.check()
    assert (found.section, found.code, found.recording_id) == (6, "no-source", stored.id)


def test_a_gap_in_capture_is_named(make_scene: Callable[..., Scene]) -> None:
    """A contact in scope without a recording, as the contact centre's list tells, is a gap (section 5)."""
    scene = make_scene()
    expected = [ExpectedContact(contact=make_contact(started_at=scene.clock()))]
    [found] = scene.check(gaps=scene.archive.capture.gaps(expected, by=CHECKER))
    assert (found.section, found.code) == (5, "not-recorded")
    assert "national-service" in found.fact


@pytest.mark.parametrize(("request_type", "section"), [(AccessRequest, 11), (ErasureRequest, 13)])
def test_a_late_answer_is_named(make_scene: Callable[..., Scene], request_type: Any, section: int) -> None:  # noqa: ANN401  a class
    """A request that is open past its date is late, under the section of its right (Art. 12(3))."""
    scene = make_scene()
    with scene.archive._vault.database.begin() as connection:
        connection.execute(delete(tables.requests))
    received = scene.archive.rights.receive(
        request_type(person=make_person(), channel="telephone", received_at=scene.clock()), by=System("registry")
    )
    scene.wait(end_of(received.deadline.due_on) - SECOND)
    assert scene.check() == ()
    scene.clock.move(SECOND)
    [found] = scene.check()
    assert (found.section, found.code, found.severity) == (section, "late-answer", Severity.BREACH)
    assert found.entry_id == find_entry(scene, EntryKind.REQUEST_RECEIVED)


def test_keys_that_outlive_their_day_are_named(make_scene: Callable[..., Scene]) -> None:
    """What nobody swept for more than a day can be read with its keys; after the sweep nothing is left (section 9)."""
    scene = make_scene()
    with scene.archive._vault.database.begin() as connection:
        connection.execute(delete(tables.requests))
    scene.wait(scene.call.ends_at)
    scene.clock.set(scene.call.ends_at + timedelta(hours=25))
    assert scene.check() == ()
    scene.clock.move(SECOND)
    assert {(9, "keys-outlive-their-day")} == set(name(scene.check()))
    scene.archive.retention.sweep(by=System("sweep"))
    assert scene.check() == ()


def test_a_late_log_is_named(make_scene: Callable[..., Scene]) -> None:
    """Entries that wait for a signed checkpoint for more than ten seconds could be taken away unseen (section 10)."""
    scene = make_scene()
    scene.archive.audit.integrate()
    scene.archive.audit.abandon()
    scene.archive.audit.write(scene.archive.audit.new_entry(EntryKind.LOG_READ, CHECKER))
    scene.clock.move(11 * SECOND)
    assert name(scene.archive.check_notice(by=CHECKER)) == [(10, "log-late")]


def refuse(_: bytes) -> bytes | None:
    """A witness that cannot be reached."""
    raise OSError("away")


@pytest.mark.parametrize("witnesses", [(), (refuse,)], ids=["none", "away"])
def test_an_unwitnessed_log_is_named(witnesses: Any) -> None:  # noqa: ANN401  witnesses
    """Without anybody outside who keeps the checkpoints, all of the log could be put back unnoticed (section 10)."""
    clock = MovableClock()
    register = kela_register(contact_point="Registry office")
    with Archive.in_memory(register, clock=clock, witnesses=witnesses) as archive:
        scene = fill(archive, clock)
        assert name(scene.check()) == [(10, "log-unwitnessed")]


@pytest.fixture
def on_disk(disk: "Disk") -> Iterator[Scene]:
    """An archive on disk, witnessed, whose notice says that everything lies in Finland."""
    register = evolve(kela_register(contact_point="Registry office"), processing_countries=["FI"])
    with disk.create(register, spool=True) as archive:
        archive.audit._integrator._witnesses = [lambda _: None]
        yield fill(archive, disk.clock)


def test_places_are_held_against_the_notice(on_disk: Scene) -> None:
    """A place in a country that the notice does not name, or outside the EU/EEA, is named (section 8)."""
    assert on_disk.check() == ()
    source = on_disk.archive._source
    assert source is not None
    assert source.spool is not None
    for country, severity in (("SE", Severity.BREACH), ("US", Severity.BREACH)):
        object.__setattr__(source.spool, "country", country)  # by hand: no such place can be built
        [found] = on_disk.check()
        assert (found.section, found.code, found.severity) == (8, "place-elsewhere", severity)
        assert f"The place of the spool is in {country}" in found.fact


def test_a_place_that_has_moved_is_named(on_disk: Scene) -> None:
    """A provider that tells another region than was declared is asked anew, and named (section 8)."""
    source = on_disk.archive._source
    assert source is not None
    assert source.catalog is not None
    moved = "postgresql+psycopg://db.eu-west-2.rds.amazonaws.com/kelarec"
    object.__setattr__(source.catalog, "url", moved)  # by hand: no archive opens there
    [found] = on_disk.check()
    assert (found.section, found.severity) == (8, Severity.BREACH)
    assert "GB" in found.fact


def test_backups_that_outlast_are_named(on_disk: Scene) -> None:
    """Copies of keys and catalog that are kept for too long can bring back what has ended (section 9)."""
    assert on_disk.check(backups_kept_for=35 * DAY) == ()
    found = on_disk.check(backups_kept_for=36 * DAY)
    assert name(found) == [(9, "backups-outlast"), (9, "backups-outlast")]
    assert ["keys" in found[0].fact, "catalog" in found[1].fact] == [True, True]


def test_a_notice_that_drops_a_role_names_who_holds_it(make_scene: Callable[..., Scene]) -> None:
    """Whoever holds a role that the notice in force no longer declares is named (section 10)."""
    scene = make_scene()
    register = scene.archive.register
    roles = [each for each in register.roles if each.code != "adviser"]
    adopted = scene.archive.adopt(change(register, version=date(2026, 4, 1), roles=roles), by=System("dpo"))
    assert scene.check() == ()
    scene.wait(adopted.begins_at)
    [found] = scene.check()
    assert (found.section, found.code, found.severity) == (10, "undeclared-role", Severity.LAPSE)


def test_each_use_is_judged_by_the_notice_and_the_staff_of_its_time(make_scene: Callable[..., Scene]) -> None:
    """What was allowed when it was done stays so, whatever the notice and the staff's roles are today."""
    scene = make_scene()
    register = scene.archive.register
    dropped = "verify-service-event"
    adopted = scene.archive.adopt(
        change(
            register,
            version=date(2026, 4, 1),
            purposes=[each for each in register.purposes if each.code != dropped],
            roles=[evolve(each, purposes=each.purposes - {dropped}) for each in register.roles],
        ),
        by=System("dpo"),
    )
    scene.archive.staff.enrol(make_staff_member(id=VEIKKO, roles={"operator"}, duties=[]), by=HR)
    scene.wait(adopted.begins_at)
    assert scene.check() == ()


class People:
    """A directory of staff elsewhere, which tells of today only."""

    def __init__(self) -> None:
        self.known = {VEIKKO: make_staff_member(id=VEIKKO)}

    def find(self, staff_id: StaffId) -> StaffMember | None:
        """Return what is known of somebody."""
        return self.known.get(staff_id)


def test_staff_who_are_known_elsewhere_are_asked_of_today() -> None:
    """A directory elsewhere tells nothing of the past; whose commitment has lapsed by now is named (section 10)."""
    clock, people = MovableClock(), People()
    register = kela_register(contact_point="Registry office")
    with Archive.in_memory(register, clock=clock, witnesses=[lambda _: None], directory=people) as archive:
        contact = make_contact(started_at=clock(), adviser_id=VEIKKO)
        clock.move(SECOND)
        call = archive.capture.store(contact, ended_at=clock(), content=WAV, by=RECORDER)
        with archive.session(by=VEIKKO, purpose="verify-service-event", matter="KELA-1") as session:
            session.get_details(call.id)
        scene = Scene(archive, clock, call)
        assert scene.check() == ()
        people.known[VEIKKO] = make_staff_member(id=VEIKKO, commitments=[])
        assert name(scene.check()) == [(10, "commitment-lapsed")]
        people.known.clear()
        assert scene.check() == ()


@pytest.mark.parametrize("role", ["data-protection-officer", "auditor"])
def test_officers_and_auditors_may_ask(make_scene: Callable[..., Scene], role: str) -> None:
    """Whoever oversees may ask (Art. 39(1)(b)); others may not, and that they tried is in the log."""
    scene = make_scene()
    code = make_identity_code(9, born_on=date(1971, 1, 2))
    scene.archive.staff.enrol(make_staff_member(id=StaffId("olli"), identity_code=code, roles={role}, duties=[]), by=HR)
    scene.archive.audit.integrate()
    assert scene.archive.check_notice(by=StaffId("olli")) == ()
    with pytest.raises(DeniedError):
        scene.archive.check_notice(by=VEIKKO)


MUTANTS: Final = {
    (practice_of_use.PracticeOfUse, "_judge"): use_by_stranger,
    (practice_of_use.PracticeOfUse, "_judge_member"): use_without_role,
    (practice_of_use.PracticeOfUse, "_judge_staff_now"): let_commitment_lapse,
    (practice_of_keeping.PracticeOfKeeping, "_judge_versions"): forge_controller,
    (practice_of_keeping.PracticeOfKeeping, "_judge_name"): rename_register,
    (practice_of_keeping.PracticeOfKeeping, "_judge_disclosures"): disclose_abroad,
    (practice_of_recording.PracticeOfRecording, "_judge"): keep_longer,
    (practice_of_recording.PracticeOfRecording, "_judge_row"): alter_record,
}


def test_the_breaches_catch_every_planted_fault(
    make_scene: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With any one part of the check taken out, the broken promise that it is there for goes unnoticed."""
    for (home, attribute), act in MUTANTS.items():
        scene = make_scene()
        act(scene)
        with monkeypatch.context() as planted:
            planted.setattr(home, attribute, lambda *_: iter(()))
            assert scene.check() == (), attribute
    print(f"\n{len(BROKEN)} promises broken, each named alone; {len(MUTANTS)} planted faults caught")
