"""What a person is told of the use of their recordings: when, what for, which seconds, never who (C-579/21)."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelarec import Archive, Duty, DutyKind, StaffId, System
from kelarec.audit.consultations import coarsen_ranges, format_ranges, merge_ranges, parse_ranges
from kelarec.audit.entries import Entry
from kelarec.testing.builders import make_contact, make_identity_code, make_staff_member, make_wav
from kelarec.testing.clock import MovableClock

HR, RECORDER = System("hr"), System("recorder@node1")
VEIKKO, OSMA = StaffId("veikko"), StaffId("osma")
TENTHS = st.lists(
    st.tuples(st.integers(0, 500), st.integers(1, 50)).map(lambda each: (each[0] / 10, (each[0] + each[1]) / 10)),
    max_size=12,
)


@pytest.fixture
def archive(kelarec_archive: Archive, kelarec_clock: MovableClock) -> Archive:
    """An archive with an adviser, an officer for one request, and a call of ten seconds."""
    kelarec_archive.staff.enrol(make_staff_member(), by=HR)
    duty = Duty(kind=DutyKind.REQUEST, purpose="data-subject-right", matter="REQ-1", from_on=date(2026, 1, 1))
    officer = make_staff_member(id=OSMA, identity_code=make_identity_code(5), roles={"registry-officer"}, duties=[duty])
    kelarec_archive.staff.enrol(officer, by=HR)
    kelarec_archive.capture.store(
        make_contact(), ended_at=kelarec_clock() + timedelta(seconds=10), content=make_wav(10), by=RECORDER
    )
    return kelarec_archive


def test_a_consultation_is_one_session_and_recording(archive: Archive, kelarec_clock: MovableClock) -> None:
    """However often a recording is read in a session: one consultation, with date, purpose and seconds heard."""
    code = make_identity_code()
    for clips in ([(1.0, 2.0), (1.5, 3.0), (7.0, 8.0)], [(0.0, 1.0)]):
        with archive.session(by=VEIKKO, purpose="verify-service-event", matter="KELA-1") as session:
            [recording] = session.find(code)
            session.get_details(recording.id)
            with session.open(recording.id) as audio:
                for start, stop in clips:
                    audio.clip(start=start, stop=stop)
        kelarec_clock.move(timedelta(days=1))

    with archive.session(by=OSMA, purpose="data-subject-right", matter="REQ-1") as session:
        first, second = session.list_consultations(code)
    assert first.heard == ((1.0, 3.0), (7.0, 8.0))
    assert second.heard == ((0.0, 1.0),)
    assert {first.purpose, second.purpose} == {"verify-service-event"}
    assert second.begun_at - first.begun_at == timedelta(days=1)
    assert first.was_opened
    assert second.was_opened
    assert "veikko" not in repr((first, second)), "staff are no recipients, and are not named"


def test_details_alone_are_a_consultation(archive: Archive) -> None:
    """Who looked at the details without listening used the recording, too."""
    with archive.session(by=VEIKKO, purpose="verify-service-event", matter="KELA-1") as session:
        [recording] = session.find(make_identity_code())
        session.get_details(recording.id)
    with archive.session(by=OSMA, purpose="data-subject-right", matter="REQ-1") as session:
        [consultation] = session.list_consultations(make_identity_code())
    assert not consultation.was_opened
    assert consultation.heard == ()


def test_the_header_is_not_heard(archive: Archive) -> None:
    """Reading a WAV's header is not listening."""
    with archive.session(by=VEIKKO, purpose="verify-service-event", matter="KELA-1") as session:
        [recording] = session.find(make_identity_code())
        with session.open(recording.id) as audio:
            assert audio.get_duration() == 10
            audio.read(20)
    with archive.session(by=OSMA, purpose="data-subject-right", matter="REQ-1") as session:
        [consultation] = session.list_consultations(make_identity_code())
    assert consultation.heard == ()


def test_a_reader_left_open_reports_when_its_session_ends(archive: Archive) -> None:
    """What was heard is told even if nobody closed the reader."""
    with archive.session(by=VEIKKO, purpose="verify-service-event", matter="KELA-1") as session:
        [recording] = session.find(make_identity_code())
        session.open(recording.id).clip(start=2, stop=4)
    with archive.session(by=OSMA, purpose="data-subject-right", matter="REQ-1") as session:
        [consultation] = session.list_consultations(make_identity_code())
    assert consultation.heard == ((2.0, 4.0),)


@pytest.mark.parametrize("wanted", ["recording", "actor", "purpose", "since", "until"])
def test_an_auditor_asks_by_recording_actor_purpose_and_time(
    archive: Archive, kelarec_clock: MovableClock, wanted: str
) -> None:
    """The log answers by recording, actor, purpose and time, with exactly the entries that fit."""
    with archive.session(by=VEIKKO, purpose="verify-service-event", matter="KELA-1") as session:
        [recording] = session.find(make_identity_code())
        session.get_details(recording.id)
    kelarec_clock.move(timedelta(hours=1))
    with archive.session(by=OSMA, purpose="data-subject-right", matter="REQ-1") as session:
        session.find(make_identity_code())
    auditor, at = System("auditor"), kelarec_clock()
    everything = list(archive.audit.iter_entries(by=auditor))
    fits: dict[str, tuple[dict[str, Any], Callable[[Entry], bool]]] = {
        "recording": ({"recording_id": recording.id}, lambda entry: entry.recording_id == recording.id),
        "actor": ({"actor": OSMA}, lambda entry: entry.actor == "osma"),
        "purpose": ({"purpose": "verify-service-event"}, lambda entry: entry.purpose == "verify-service-event"),
        "since": ({"since": at}, lambda entry: entry.at >= at),
        "until": ({"until": at}, lambda entry: entry.at < at),
    }
    asked, fit = fits[wanted]
    told = [entry for entry in archive.audit.iter_entries(by=auditor, **asked) if entry.kind != "log-read"]
    assert told == [entry for entry in everything if fit(entry) and entry.kind != "log-read"]
    assert 0 < len(told) < len(everything)


@given(TENTHS)
def test_ranges_are_merged_and_come_back(ranges: list[tuple[float, float]]) -> None:
    """Merged ranges cover what was heard and no more, touch nowhere, and survive the log."""
    merged = merge_ranges(ranges)
    for tenth in range(600):
        at = tenth / 10 + 0.05
        assert any(start <= at < stop for start, stop in ranges) == any(start <= at < stop for start, stop in merged)
    assert parse_ranges(format_ranges(merged)) == merged


@given(TENTHS, st.integers(1, 5))
def test_coarser_ranges_hide_nothing(ranges: list[tuple[float, float]], most: int) -> None:
    """Where there are too many ranges for an entry, rather too much is told as heard than too little."""
    merged = merge_ranges(ranges)
    coarse = coarsen_ranges(merged, most)
    assert len(coarse) <= most
    assert merge_ranges([*merged, *coarse]) == coarse
