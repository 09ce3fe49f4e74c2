"""A handle that was opened before gives nothing more after a restriction or an end: notice, sections 9, 10; Art. 18."""

import gc
import io
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pytest
from sqlalchemy import delete, func, insert, select

from access.staffing import (
    CLAIM,
    HR,
    OSMA,
    RECORDER,
    RIGHTS,
    TIIA,
    VEIKKO,
    VERIFY,
    begin,
    enrol_all,
    list_denials,
    make_member,
)
from kelarec import Archive, Recording
from kelarec.access.reader import AudioReader
from kelarec.access.session import Session
from kelarec.domain.hold import Hold, HoldKind
from kelarec.domain.instants import end_of
from kelarec.errors import ClosedError, DeniedError, ExpiredError
from kelarec.retention.erasure import destroy_leaves
from kelarec.storage import catalog_tables as tables
from kelarec.storage.holds import Holds
from kelarec.storage.key_cache import CACHED_FOR_SECONDS
from kelarec.storage.key_leaves import KeyLeaf
from kelarec.storage.recordings import Recordings
from kelarec.storage.sealing import CHUNK, SealedReader
from kelarec.storage.vault import Vault
from kelarec.testing.builders import make_contact, make_identity_code, make_wav
from kelarec.testing.clock import USUAL_START, MovableClock

if TYPE_CHECKING:
    from conftest import Disk

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


def _erase(archive: Archive, _: MovableClock, recording: Recording) -> None:
    destroy_leaves(archive._vault, archive.audit, [KeyLeaf(recording.kept_through, recording.id)], by=RECORDER)


# What may befall a recording while somebody listens, and how much longer it may be heard. What was erased is unknown;
# who asks is told no more than of a forbidden one.
HAPPENINGS: Final[dict[str, tuple[Happening, timedelta, str]]] = {
    "restriction": (_restrict, ONE_SECOND, "restriction"),
    "expiry": (_let_it_end, timedelta(0), "end"),
    "erasure": (_erase, ONE_SECOND, "known-recording"),
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
        assert caught.value.clause == {"known-recording": "duty"}.get(clause, clause)
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


def test_an_erasure_elsewhere_is_heard_within_a_minute(disk: "Disk", monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may have the key leaf cached for 60 seconds, not longer; so long it is pending (Art. 17)."""
    later = [0.0]
    with disk.create() as archive, disk.open() as elsewhere:
        keyring = elsewhere._vault.keyring
        for cache in (keyring._cached_days, keyring._cached_branches):
            monkeypatch.setattr(cache, "_ticks", lambda ticks=cache._ticks: ticks() + later[0])
        enrol_all(archive)
        call = archive.capture.store(make_contact(), ended_at=USUAL_START, content=make_wav(SECONDS), by=RECORDER)
        reader = _listen(elsewhere, call)
        _erase(archive, disk.clock, call)
        disk.clock.move(ONE_SECOND)
        with pytest.raises(DeniedError):
            _listen(archive, call)
        later[0] = CACHED_FOR_SECONDS
        disk.clock.move(ONE_SECOND)
        for use in (reader.read, lambda: _listen(elsewhere, call)):
            with pytest.raises(DeniedError) as caught:
                use()
            assert caught.value.clause == "duty"


def place_hold(vault: Vault, recording: Recording, kind: HoldKind, ground: str) -> Hold:
    """Hold a recording for ten days beyond its end."""
    recordings = Recordings(vault)
    holds = Holds(vault, recordings)
    hold = Hold(
        id=vault.new_id(),
        recording_ids=[recording.id],
        kind=kind,
        ground=ground,
        reason="It is needed",
        placed_by="tiia",
        placed_at=vault.now(),
        review_on=recording.kept_through + timedelta(days=10),
    )
    intended = holds.write(hold)
    with vault.database.begin() as connection:
        holds.intend(connection, intended)
        opened = recordings.find_one(connection, recording.id)
    assert opened is not None
    wrap = holds.wrap(hold, opened)
    with vault.database.begin() as connection:
        holds.place(connection, hold, [wrap])
    return hold


HOLDS: Final = [
    (HoldKind.OTHER, CLAIM, {CLAIM}),
    (HoldKind.OTHER, RIGHTS, {RIGHTS}),
    (HoldKind.OTHER, VERIFY, set()),
    (HoldKind.OTHER, "curiosity", set()),
    (HoldKind.REQUEST, CLAIM, {RIGHTS}),
    (HoldKind.DECISION, "art-17", {RIGHTS}),
]


@pytest.mark.parametrize(("kind", "ground", "purposes"), HOLDS)
def test_a_hold_opens_for_its_own_purpose_only(
    staffed: Archive,
    memory_vault: Vault,
    kelarec_clock: MovableClock,
    call: Recording,
    kind: HoldKind,
    ground: str,
    purposes: set[str],
) -> None:
    """Past its end a held recording goes on for the hold's purpose only, swept or not (section 9; Art. 18(1)(c))."""
    place_hold(memory_vault, call, kind, ground)
    listeners = {VERIFY: VEIKKO, RIGHTS: OSMA, CLAIM: TIIA}
    kelarec_clock.set(call.ends_at - timedelta(microseconds=1))
    readers = {purpose: begin(staffed, by).open(call.id) for purpose, by in listeners.items()}
    for later in (timedelta(0), timedelta(hours=2)):
        kelarec_clock.set(call.ends_at + later)
        if later:
            staffed.retention.sweep(by=RECORDER)
        for purpose, by in listeners.items():
            for use in (readers[purpose].read, lambda by=by: begin(staffed, by).open(call.id).read()):
                if purpose in purposes:
                    assert use() == make_wav(SECONDS)
                else:
                    with pytest.raises(ExpiredError):
                        use()
            readers[purpose].seek(0)
    found = begin(staffed, TIIA).find(make_identity_code())
    assert found == ([call] if CLAIM in purposes else [])


def test_a_hold_ends_with_its_review_date_and_with_its_release(
    staffed: Archive, memory_vault: Vault, kelarec_clock: MovableClock, call: Recording
) -> None:
    """A held recording is read to the end of the review date, no microsecond longer; a release ends it at once."""
    hold = place_hold(memory_vault, call, HoldKind.OTHER, CLAIM)
    kelarec_clock.set(end_of(hold.review_on) - timedelta(microseconds=1))
    reader = begin(staffed, TIIA).open(call.id)
    assert len(reader.read(10)) == 10
    kelarec_clock.move(timedelta(microseconds=1))
    with pytest.raises(ExpiredError):
        reader.read(10)
    kelarec_clock.set(call.ends_at)
    reader = begin(staffed, TIIA).open(call.id)
    with memory_vault.database.begin() as connection:
        Holds(memory_vault, Recordings(memory_vault)).release(connection, hold.id)
    with pytest.raises(ExpiredError):
        reader.read(10)


def test_nobody_holds_by_editing_the_catalog(
    staffed: Archive, memory_vault: Vault, kelarec_clock: MovableClock, call: Recording
) -> None:
    """A hold names its recordings under its seal: a row that joins another to it opens nothing (section 10)."""
    other = staffed.capture.store(make_contact(), ended_at=USUAL_START, content=make_wav(), by=RECORDER)
    hold = place_hold(memory_vault, other, HoldKind.OTHER, CLAIM)
    with memory_vault.database.begin() as connection:
        connection.execute(
            insert(tables.held_recordings).values(
                recording_id=call.id.bytes,
                hold_id=hold.id.bytes,
                review_on=hold.review_on.toordinal(),
                wrap_object="",
                wrap=b"",
            )
        )
    kelarec_clock.set(call.ends_at)
    with pytest.raises(ExpiredError):
        begin(staffed, TIIA).open(call.id)
    assert begin(staffed, TIIA).open(other.id).read() == make_wav()


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
