"""Which contacts are recorded, by which rule, and which of them have no recording: the notice, section 5."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from deciding_node import decide_all
from kelarec import (
    Archive,
    CaptureRule,
    Chat,
    Contact,
    Direction,
    ExpectedContact,
    Kind,
    StaffId,
    System,
    kela_register,
)
from kelarec.audit.entries import EntryKind
from kelarec.domain.capture_plan import decide_capture
from kelarec.errors import DeniedError, InvalidValueError, OutsideNoticeError
from kelarec.testing.builders import make_chat, make_contact, make_staff_member, make_wav
from kelarec.testing.clock import MovableClock

if TYPE_CHECKING:
    from conftest import Disk

RECORDER: Final = System("recorder@test")
KELA: Final = kela_register(contact_point="Registry office")
THIRTY: Final = kela_register(contact_point="Registry office", regional_share_percent=30)
LISTED: Final = kela_register(contact_point="Registry office", regional_numbers=["020 692 204", "+358 20 692 210"])
SECOND: Final = timedelta(seconds=1)

MATRIX: Final = """
    line                  direction  customer-call  customer-chat  support-call  support-chat
    national-service      in         all            -              -             -
    national-service      out        all            -              -             -
    authority             in         all            -              -             -
    authority             out        all            -              -             -
    regional-service      in         some           -              -             -
    regional-service      out        some           -              -             -
    kela-fi               in         -              all            -             -
    kela-fi               out        -              -              -             -
    back-office-support   in         -              -              all           all
    back-office-support   out        -              -              -             -
    reception             in         undeclared     undeclared     undeclared    undeclared
    reception             out        undeclared     undeclared     undeclared    undeclared
"""
"""What section 5 of the notice of 18.8.2020 says of each line, direction and kind; ``-`` is outside it."""

RULES: Final = {
    "all": {CaptureRule.WHOLE_LINE},
    "some": {CaptureRule.IN_SHARE, CaptureRule.OUT_OF_SHARE},
    "-": {CaptureRule.NOT_ON_LINE},
    "undeclared": {CaptureRule.UNKNOWN_LINE},
}


def iter_cells() -> Iterator[tuple[str, Direction, Kind, str]]:
    """Go through the cells of the matrix."""
    head, *rows = (line.split() for line in MATRIX.strip().splitlines())
    for line, direction, *cells in rows:
        for kind, told in zip(head[2:], cells, strict=True):
            yield line, Direction(direction), Kind(kind), told


@pytest.fixture
def sharing_archive(kelarec_clock: MovableClock) -> Iterator[Archive]:
    """An archive in memory whose notice records 30 in a hundred regional calls."""
    with Archive.in_memory(THIRTY, clock=kelarec_clock) as archive:
        yield archive


def store(archive: Archive, contact: Contact) -> None:
    """Store a contact with content of its kind."""
    content: bytes | Chat = make_chat() if contact.kind.is_chat else make_wav(0.1)
    archive.capture.store(contact, ended_at=contact.started_at + SECOND, content=content, by=RECORDER)


def test_the_matrix_has_every_cell() -> None:
    """Each line, direction and kind stands in the table once."""
    cells = [cell[:3] for cell in iter_cells()]
    lines = [*(line.code for line in KELA.lines), "reception"]
    assert sorted(cells) == sorted((line, way, kind) for line in lines for way in Direction for kind in Kind)


@pytest.mark.parametrize(("line", "direction", "kind", "told"), list(iter_cells()))
def test_each_cell_of_the_matrix(
    sharing_archive: Archive, line: str, direction: Direction, kind: Kind, told: str
) -> None:
    """Section 5, cell by cell: what is to be recorded, and that what lies outside cannot be stored."""
    contacts = [make_contact(line=line, direction=direction, kind=kind) for _ in range(40)]
    decisions = [sharing_archive.capture.decide(contact) for contact in contacts]
    assert {decision.rule for decision in decisions} == RULES[told]
    assert {decision.section for decision in decisions} == {5}
    assert all(line in decision.sentence for decision in decisions)
    wanted = {decision.is_to_be_recorded for decision in decisions}
    assert wanted == {"all": {True}, "some": {True, False}}.get(told, {False})
    if told in {"all", "some"}:
        store(sharing_archive, contacts[0])
    else:
        with pytest.raises(OutsideNoticeError):
            store(sharing_archive, contacts[0])


@pytest.mark.parametrize(
    ("at", "rule"),
    [
        ("2020-08-17T23:59:59+03:00", CaptureRule.OLDER_THAN_NOTICE),
        ("2025-03-04T23:59:59+02:00", CaptureRule.RETENTION_OVER),
        ("2025-03-05T00:00:00+02:00", CaptureRule.WHOLE_LINE),
    ],
)
def test_a_contact_that_cannot_be_kept_is_not_recorded(kelarec_archive: Archive, at: str, rule: CaptureRule) -> None:
    """What is older than the notice, or would have ended already, is not recorded (sections 5 and 9)."""
    decision = kelarec_archive.capture.decide(make_contact(started_at=datetime.fromisoformat(at)))
    assert (decision.rule, decision.section) == (rule, 9 if rule is CaptureRule.RETENTION_OVER else 5)
    assert decision.is_to_be_recorded is not rule.bars


def test_where_the_register_leaves_the_part_open_nothing_is_recorded_by_itself(kelarec_archive: Archive) -> None:
    """The notice of 2020 does not say which regional calls: whoever chooses may store, the plan wants none."""
    contact = make_contact(line="regional-service")
    decision = kelarec_archive.capture.decide(contact)
    assert (decision.rule, decision.is_to_be_recorded) == (CaptureRule.PART_LEFT_OPEN, False)
    store(kelarec_archive, contact)


@pytest.mark.parametrize(
    ("number", "rule"),
    [
        ("+358206922 04", CaptureRule.LISTED_NUMBER),
        ("020692210", CaptureRule.LISTED_NUMBER),
        ("020 692 205", CaptureRule.UNLISTED_NUMBER),
        (None, CaptureRule.UNLISTED_NUMBER),
    ],
)
def test_a_list_of_numbers_decides(number: str | None, rule: CaptureRule, kelarec_clock: MovableClock) -> None:
    """Of regional numbers in a list each call is recorded, however the number is written; of others none can be."""
    contact = make_contact(line="regional-service", service_number=number)
    with Archive.in_memory(LISTED, clock=kelarec_clock) as archive:
        assert archive.capture.decide(contact).rule is rule
        if rule.bars:
            with pytest.raises(OutsideNoticeError):
                store(archive, contact)
        else:
            store(archive, contact)


@given(percentile=st.integers(0, 99), share=st.integers(1, 99))
def test_a_larger_share_takes_whom_a_smaller_one_took(percentile: int, share: int) -> None:
    """A share of so many in a hundred takes exactly the places below it, so raising it drops nobody."""
    [line] = [each for each in THIRTY.lines if each.share_percent is not None]
    contact = make_contact(line=line.code)
    decision = decide_capture([evolve(line, share_percent=share)], KELA.version, contact, lambda: percentile)
    assert decision.is_to_be_recorded is (percentile < share)


def test_a_share_of_regional_calls_is_recorded_alike_on_every_node(
    disk: "Disk", capsys: pytest.CaptureFixture[str]
) -> None:
    """30 in a hundred of 100,000 regional calls within five standard deviations, and the same ones on two nodes."""
    if disk.catalog_place is not None:
        pytest.skip("the node opens a catalog of its own on SQLite")
    count, expected, deviation = 100_000, 30_000, (100_000 * 0.3 * 0.7) ** 0.5
    with disk.create(THIRTY) as archive:
        chosen, decided = decide_all(archive, count)
    command = [sys.executable, "-m", "deciding_node", str(disk.folder), str(count)]
    elsewhere = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    assert elsewhere.stdout.split() == [str(chosen), decided]
    with capsys.disabled():
        print(f"\n{count} regional calls, 30 in a hundred: {chosen} chosen, {(chosen - expected) / deviation:+.1f} sd")
    assert abs(chosen - expected) < 5 * deviation


def test_another_archive_chooses_others() -> None:
    """The choice hangs on the archive's own key, so nobody can foresee which of their calls is recorded."""
    with Archive.in_memory(THIRTY) as one, Archive.in_memory(THIRTY) as other:
        assert decide_all(one, 1000) != decide_all(other, 1000)


def test_gaps_are_named_with_their_reasons(sharing_archive: Archive) -> None:
    """A contact in scope without a recording is named, with its reason; one the plan does not want is no gap."""
    recorded, lost, told = make_contact(), make_contact(), make_contact(kind=Kind.CUSTOMER_CHAT)
    outside = make_contact(kind=Kind.SUPPORT_CALL, direction=Direction.OUTBOUND)
    regional = [make_contact(line="regional-service") for _ in range(60)]
    store(sharing_archive, recorded)
    expected = [
        *(ExpectedContact(contact=each) for each in (recorded, lost, outside, *regional)),
        ExpectedContact(contact=told, reason="recorder restarted"),
    ]
    found = list(sharing_archive.capture.gaps(expected, by=RECORDER))
    in_share = [each for each in regional if sharing_archive.capture.decide(each).is_to_be_recorded]
    assert 0 < len(in_share) < 60
    assert [gap.contact for gap in found] == [lost, *in_share, told]
    assert [gap.reason for gap in found if gap.reason] == ["recorder restarted"]
    assert found[0].decision.rule is CaptureRule.WHOLE_LINE


def test_a_take_that_is_spooled_is_no_gap(spooled_archive: Archive) -> None:
    """A contact that is being recorded has a recording as soon as it is durable."""
    contact = make_contact()
    with spooled_archive.capture.begin(contact, by=RECORDER) as take:
        take.part("audio").write(bytes(800))
    assert list(spooled_archive.capture.gaps([ExpectedContact(contact=contact)], by=RECORDER)) == []


def test_clocks_may_differ_about_midnight(kelarec_archive: Archive, kelarec_clock: MovableClock) -> None:
    """A call whose start the contact centre dates to the day before is found all the same."""
    kelarec_clock.set(datetime.fromisoformat("2026-03-06T12:00:00+02:00"))
    contact = make_contact(started_at=datetime.fromisoformat("2026-03-06T00:00:01+02:00"))
    store(kelarec_archive, contact)
    listed = evolve(contact, started_at=contact.started_at - 5 * SECOND)
    assert list(kelarec_archive.capture.gaps([ExpectedContact(contact=listed)], by=RECORDER)) == []


def test_a_long_list_is_read_as_gaps_are_asked_for(kelarec_archive: Archive) -> None:
    """The list may be longer than memory: it is read some thousands at a time."""
    store(kelarec_archive, make_contact(contact_id="call 17"))
    contact, read = make_contact(), 0

    def listed() -> Iterator[ExpectedContact]:
        nonlocal read
        for number in range(12_000):
            read += 1
            yield ExpectedContact(contact=evolve(contact, contact_id=f"call {number}"))

    gaps = kelarec_archive.capture.gaps(listed(), by=RECORDER)
    assert read == 0
    assert next(gaps).contact.contact_id == "call 0"
    assert 0 < read < 12_000
    rest = [gap.contact.contact_id for gap in gaps]
    assert (len(rest), read) == (11_998, 12_000)
    assert "call 17" not in rest


def test_asking_for_gaps_is_logged(kelarec_archive: Archive) -> None:
    """Who asks stands in the log, and what came of it, by numbers only (section 10)."""
    store(kelarec_archive, make_contact())
    expected = [ExpectedContact(contact=make_contact(), reason="Aino Esimerkki hung up") for _ in range(3)]
    assert len(list(kelarec_archive.capture.gaps(expected, by=RECORDER))) == 3
    entries = [each for each in kelarec_archive.audit.iter_entries(by=RECORDER) if each.kind.value.startswith("gaps")]
    assert [(each.kind, each.actor) for each in entries] == [
        (EntryKind.GAPS_SOUGHT, str(RECORDER)),
        (EntryKind.GAPS_FOUND, str(RECORDER)),
    ]
    assert entries[1].facts == {"asked": "3", "in-scope": "3", "missing": "3", "outcome": "gaps"}
    kelarec_archive.staff.enrol(make_staff_member(), by=System("hr"))
    with pytest.raises(DeniedError, match="role"):
        kelarec_archive.capture.gaps(expected, by=StaffId("veikko"))


def test_a_list_of_something_else_is_refused(kelarec_archive: Archive) -> None:
    """What is no expected contact cannot be asked for."""
    with pytest.raises(InvalidValueError, match="ExpectedContact"):
        list(kelarec_archive.capture.gaps([make_contact()], by=RECORDER))  # type: ignore[list-item]
