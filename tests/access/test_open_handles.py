"""A handle that was opened before gives nothing more after a restriction or an end: notice, sections 9, 10; Art. 18."""

import gc
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import pytest
from sqlalchemy import delete, func, select

from access.staffing import HR, OSMA, RECORDER, RIGHTS, VEIKKO, VERIFY, begin, enrol_all, list_denials, make_member
from kelarec import Archive, Recording
from kelarec.access.gate import Gate
from kelarec.access.reader import AudioReader
from kelarec.access.session import Session
from kelarec.errors import ClosedError, DeniedError, ExpiredError
from kelarec.storage import catalog_tables as tables
from kelarec.storage.sealing import CHUNK, SealedReader
from kelarec.storage.vault import Vault
from kelarec.testing.builders import make_contact, make_identity_code, make_wav
from kelarec.testing.clock import USUAL_START, MovableClock

SECONDS: Final = 60
ALMOST: Final = timedelta(microseconds=999_999)
ONE_SECOND: Final = timedelta(seconds=1)
Happening = Callable[[Archive, MovableClock, Recording], None]
Open = Callable[[Archive, Recording], SealedReader]


def _restrict(archive: Archive, _: MovableClock, recording: Recording) -> None:
    archive.restrictions.restrict(recording.id, by=OSMA, reason="Art. 18(1)(a), REQ-1")


def _let_it_end(_: Archive, clock: MovableClock, recording: Recording) -> None:
    clock.set(recording.ends_at)


def _end_the_commitment(archive: Archive, _: MovableClock, __: Recording) -> None:
    archive.staff.enrol(make_member(VEIKKO, commitments=[]), by=HR)
    archive.staff.enrol(make_member(OSMA, commitments=[]), by=HR)


def _end_the_duty(archive: Archive, _: MovableClock, __: Recording) -> None:
    archive.staff.enrol(make_member(VEIKKO, duties=[]), by=HR)
    archive.staff.enrol(make_member(OSMA, duties=[]), by=HR)


# What may befall a recording while somebody listens, and how much longer it may be heard. Erasing one recording before
# its day joins here with the key tree.
HAPPENINGS: Final[dict[str, tuple[Happening, timedelta, str]]] = {
    "restriction": (_restrict, ONE_SECOND, "restriction"),
    "expiry": (_let_it_end, timedelta(0), "end"),
    "end of the commitment": (_end_the_commitment, ONE_SECOND, "commitment"),
    "end of the duty": (_end_the_duty, ONE_SECOND, "duty"),
}


def _listen(archive: Archive, recording: Recording) -> AudioReader:
    return begin(archive, VEIKKO).open(recording.id)


def _hand_out(archive: Archive, recording: Recording) -> SealedReader:
    return begin(archive, OSMA, purpose=RIGHTS).hand_out(recording.id)[1]


HANDLES: Final[dict[str, Open]] = {"open": _listen, "hand out": _hand_out}


@pytest.fixture
def call(staffed: Archive) -> Recording:
    """A call of a minute."""
    return staffed.capture.store(
        make_contact(), ended_at=USUAL_START + timedelta(seconds=SECONDS), content=make_wav(SECONDS), by=RECORDER
    )


def iter_ways(reader: SealedReader) -> list[Callable[[], object]]:
    """Return every way to get bytes out of a handle."""
    ways: list[Callable[[], object]] = [
        reader.read,
        lambda: reader.read(1),
        reader.readall,
        reader.readline,
        lambda: list(reader),
        lambda: reader.readinto(bytearray(100)),
        lambda: reader.seek(0, io.SEEK_END),
    ]
    if isinstance(reader, AudioReader):
        ways.append(lambda: reader.clip(start=0, stop=1))
    return ways


@pytest.mark.parametrize("open_it", HANDLES.values(), ids=HANDLES.keys())
@pytest.mark.parametrize(("happen", "grace", "clause"), HAPPENINGS.values(), ids=HAPPENINGS.keys())
def test_no_byte_more_than_a_second_after(
    staffed: Archive,
    kelarec_clock: MovableClock,
    call: Recording,
    happen: Happening,
    grace: timedelta,
    clause: str,
    open_it: Open,
) -> None:
    """An open handle gives no byte more than a second after what ends it, not even one it had fetched (section 10)."""
    if clause == "end":
        kelarec_clock.set(call.ends_at - timedelta(hours=1))
    reader = open_it(staffed, call)
    assert len(reader.read(100)) == 100  # the rest of this chunk is at hand from now on
    happen(staffed, kelarec_clock, call)
    kelarec_clock.move(grace)
    for way in iter_ways(reader):
        with pytest.raises(DeniedError) as caught:
            way()
        assert caught.value.clause == clause
    assert {reason for _, reason in list_denials(staffed)} == {clause}


def test_within_the_second_it_goes_on(staffed: Archive, kelarec_clock: MovableClock, call: Recording) -> None:
    """The rule is asked again after a second, not before: the handle is neither deaf nor slow."""
    reader = _listen(staffed, call)
    _restrict(staffed, kelarec_clock, call)
    kelarec_clock.move(ALMOST)
    assert len(reader.read(10)) == 10
    kelarec_clock.move(timedelta(microseconds=1))
    with pytest.raises(DeniedError):
        reader.read(10)


@pytest.mark.parametrize("back", [timedelta(microseconds=1), timedelta(hours=1)])
def test_a_clock_that_runs_back_hides_nothing(
    staffed: Archive, kelarec_clock: MovableClock, call: Recording, back: timedelta
) -> None:
    """If the clock is set back, the rule is asked at once: no time is won by it."""
    kelarec_clock.move(timedelta(hours=2))
    reader = _listen(staffed, call)
    _restrict(staffed, kelarec_clock, call)
    kelarec_clock.move(-back)
    with pytest.raises(DeniedError):
        reader.read(10)


@pytest.mark.parametrize("open_it", HANDLES.values(), ids=HANDLES.keys())
def test_what_comes_too_late_is_not_given(
    staffed: Archive,
    memory_vault: Vault,
    kelarec_clock: MovableClock,
    call: Recording,
    monkeypatch: pytest.MonkeyPatch,
    open_it: Open,
) -> None:
    """A read that outlasts the end gives nothing, although its bytes were fetched before it (section 9)."""
    kelarec_clock.set(call.ends_at - timedelta(microseconds=1))
    reader = open_it(staffed, call)
    read_range = memory_vault.objects.read_range

    def read_slowly(path: str, start: int, stop: int) -> bytes:
        kelarec_clock.set(call.ends_at)
        return read_range(path, start, stop)

    monkeypatch.setattr(memory_vault.objects, "read_range", read_slowly)
    with pytest.raises(ExpiredError):
        reader.read(5 * CHUNK)


def test_a_handle_ends_with_its_session_wherever_that_ended(
    staffed: Archive, kelarec_clock: MovableClock, call: Recording
) -> None:
    """A session that was ended in another process takes its handles here with it, within a second (section 10)."""
    session: Session = begin(staffed, VEIKKO)
    reader = session.open(call.id)
    staffed.resume(session.terms.id, by=VEIKKO).end()
    kelarec_clock.move(ONE_SECOND)
    with pytest.raises(DeniedError) as caught:
        reader.read(1)
    assert caught.value.clause == "session"
    session.end()
    with pytest.raises(ClosedError):
        reader.read(1)


@pytest.mark.parametrize(("held_for", "is_given"), [(VERIFY, True), ("legal-claim", False)])
def test_a_hold_opens_for_its_own_purpose_only(
    staffed: Archive,
    kelarec_clock: MovableClock,
    call: Recording,
    monkeypatch: pytest.MonkeyPatch,
    held_for: str,
    is_given: bool,  # noqa: FBT001  a case of this test
) -> None:
    """Past its end a recording that is held goes on for the purpose of the hold, and for no other (Art. 18(1)(c))."""
    monkeypatch.setattr(Gate, "_held_for", lambda *_: frozenset({held_for}))
    kelarec_clock.set(call.ends_at - timedelta(microseconds=1))
    reader = _listen(staffed, call)
    kelarec_clock.move(ONE_SECOND)
    if is_given:
        assert reader.read(10) == make_wav(SECONDS)[:10]
        assert _listen(staffed, call).read(10) == make_wav(SECONDS)[:10]
    else:
        for use in (reader.read, lambda: _listen(staffed, call)):
            with pytest.raises(ExpiredError):
                use()


def test_a_reader_that_nobody_closed_undoes_no_transaction(
    staffed: Archive, memory_vault: Vault, call: Recording
) -> None:
    """A reader may be cleared away in the middle of a transaction: that one stays whole, and what was heard is told."""
    session: Session | None = begin(staffed, VEIKKO)
    reader: AudioReader | None = session.open(call.id) if session is not None else None
    assert reader is not None
    reader.read(30_000)
    gc.collect()
    staff = tables.staff.c
    with memory_vault.database.begin() as connection:
        connection.execute(delete(tables.staff).where(staff.id == VEIKKO.text))
        session = reader = None
        gc.collect()
        left = connection.execute(select(func.count()).where(staff.id == VEIKKO.text)).scalar_one()
        assert left == 0, "the deletion was undone"
    enrol_all(staffed)
    with begin(staffed, OSMA) as officer:
        (consultation,) = officer.list_consultations(make_identity_code())
    assert consultation.heard != ()
