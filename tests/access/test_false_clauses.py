"""No false clause opens anything, in a whole archive: notice of 18.8.2020, sections 4, 8, 9 and 10.

What the rule says by itself is held in tests/domain; here it is asked through sessions, and every byte is watched.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from itertools import combinations
from typing import Any, Final
from uuid import UUID

import pytest
from attrs import evolve, frozen
from sqlalchemy import func, select

from access.staffing import (
    HR,
    OSMA,
    RECORDER,
    TIIA,
    TRAINING,
    TUIJA,
    VEIKKO,
    begin,
    enrol_all,
    make_member,
)
from kelarec import Archive, Recording, StaffId, Wanted, kela_register
from kelarec.access.session import Session
from kelarec.audit.log_rows import LOG
from kelarec.domain.access_rule import Clause
from kelarec.errors import DeniedError, ExpiredError
from kelarec.storage.recordings import Recordings
from kelarec.storage.vault import Vault
from kelarec.testing.builders import make_contact, make_person, make_wav
from kelarec.testing.clock import USUAL_START, MovableClock

UNKNOWN: Final = UUID("019cbd02-c000-7000-8000-000000000000")
NOLLA: Final = StaffId("nolla")
SECOND: Final = timedelta(seconds=1)
BEFORE_RECORDINGS: Final = (
    Clause.KNOWN_STAFF,
    Clause.SESSION,
    Clause.COUNTRY,
    Clause.COMMITMENT,
    Clause.PURPOSE,
    Clause.ROLE,
    Clause.TRAINING,
)
OF_THE_RECORDING: Final = (
    Clause.DUTY,
    Clause.MADE_FOR,
    Clause.END,
    Clause.RESTRICTION,
    Clause.MASKED,
    Clause.ONESELF,
)
Use = Callable[[Session, UUID], object]
USES: Final[dict[str, Use]] = {
    "details": Session.get_details,
    "open": lambda session, recording_id: session.open(recording_id).read(),
    "clip": lambda session, recording_id: session.clip(recording_id, start=0, stop=0.5),
}
FOR_OTHER_PURPOSES: Final[dict[str, Use]] = {
    "hand out": lambda session, recording_id: session.hand_out(recording_id)[1].read(),
    "mask": lambda session, recording_id: session.mask(recording_id, masked_for=TRAINING, silenced=[(0.0, 0.5)]),
    "disclose": lambda session, recording_id: session.disclose(
        [recording_id], recipient="court", country="FI", ground="Act 1/2020", items="call"
    ),
}


@frozen
class World:
    """An archive with a recording for each combination of false clauses about recordings, and an eye on every byte."""

    archive: Archive
    vault: Vault
    recordings: dict[frozenset[Clause], Recording]
    reads: list[str]

    def begin(self, false: frozenset[Clause]) -> Session:
        """Begin a session of an adviser in training, about whom or which some clauses are false."""
        known: dict[str, Any] = {}
        if Clause.COMMITMENT in false:
            known["commitments"] = []
        if Clause.ROLE in false:
            known["roles"] = {"operator"}
        self.archive.staff.enrol(make_member(VEIKKO, **known), by=HR)
        session = begin(
            self.archive,
            NOLLA if Clause.KNOWN_STAFF in false else VEIKKO,
            purpose="marketing" if Clause.PURPOSE in false else TRAINING,
            matter="PLAN-1",
            country="CH" if Clause.COUNTRY in false else "FI",
            break_glass="no time" if Clause.TRAINING in false else None,
        )
        if Clause.SESSION in false:
            self.archive.resume(session.terms.id, by=session.terms.staff_id).end()
        return session

    def find(self, false: frozenset[Clause]) -> Recording:
        """Return the recording about which some clauses are false."""
        return self.recordings[false & frozenset(OF_THE_RECORDING)]

    def count_entries(self) -> int:
        """Return how many entries the log has."""
        with self.vault.database.begin() as connection:
            return int(connection.execute(select(func.count()).select_from(LOG)).scalar_one())

    def find_newest_facts(self) -> tuple[str, str | None]:
        """Return the kind of the newest entry and the clause it names."""
        with self.vault.database.begin() as connection:
            newest = select(LOG).order_by(LOG.c.is_waiting.desc(), LOG.c.place.desc()).limit(1)
            row = connection.execute(newest).mappings().one()
        entry = self.archive.audit.open_payload(row)
        return entry.kind.value, entry.facts.get("clause")


def iter_subsets(clauses: Iterable[Clause], most: int) -> Iterator[frozenset[Clause]]:
    """Go through the sets of at most so many clauses."""
    chosen = tuple(clauses)
    for size in range(most + 1):
        yield from map(frozenset, combinations(chosen, size))


def _store(archive: Archive, clock: MovableClock, false: frozenset[Clause]) -> Recording:
    """Store a recording about which these clauses are false, as far as it can be so today; retention needs time."""
    started_at = clock()
    customer = (
        make_person(identity_code=make_member(VEIKKO).identity_code) if Clause.ONESELF in false else make_person()
    )
    recording = archive.capture.store(
        make_contact(started_at=started_at, customer=customer),
        ended_at=started_at + SECOND,
        content=make_wav(),
        by=RECORDER,
    )
    if Clause.DUTY not in false:
        with begin(archive, TUIJA) as session:
            wanted = Wanted(count=1, since=started_at, until=started_at + SECOND)
            assert [each.id for each in session.select(wanted, seed=b"")] == [recording.id]
    if Clause.MASKED not in false:
        with begin(archive, OSMA) as session:
            session.mask(recording.id, masked_for=TRAINING, silenced=[(0.0, 0.1)])
    if Clause.RESTRICTION in false:
        archive.restrictions.restrict(recording.id, by=OSMA, reason="REQ-1")
    if Clause.MADE_FOR in false:
        _make_under_no_notice(archive._vault, recording.id)
    clock.move(SECOND)
    return recording


def _make_under_no_notice(vault: Vault, recording_id: UUID) -> None:
    """Let a recording name a version of the notice that was never adopted; by hand, since nothing stores such a one."""
    recordings = Recordings(vault)
    with vault.database.begin() as connection:
        opened = recordings.find_one(connection, recording_id)
        assert opened is not None
        recording = evolve(opened.record.recording, register_version=date(2019, 1, 1))
        record = evolve(opened.record, revision=opened.record.revision + 1, recording=recording)
        recordings.replace(connection, recordings.write_record(record, opened.data_key))


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """An archive for all tests of this module; it is never put back, so it only goes forward in time."""
    clock = MovableClock(USUAL_START - timedelta(days=365))
    with Archive.in_memory(kela_register(contact_point="Registry office"), clock=clock) as archive:
        enrol_all(archive)
        stored = {}
        for false in sorted(
            iter_subsets(OF_THE_RECORDING, len(OF_THE_RECORDING)), key=lambda each: Clause.END not in each
        ):
            if Clause.END not in false and clock() < USUAL_START:
                clock.set(USUAL_START)
            stored[false] = _store(archive, clock, false)
        clock.set(USUAL_START + timedelta(days=1))
        reads: list[str] = []
        objects = archive._vault.objects
        read_range = objects.read_range

        def read_watched(path: str, start: int, stop: int) -> bytes:
            reads.append(path)
            return read_range(path, start, stop)

        objects.read_range = read_watched  # type: ignore[method-assign]
        yield World(archive, archive._vault, stored, reads)


def check(world: World, false: frozenset[Clause], act: str) -> None:
    """Check what comes of an act with some false clauses: content if there is none, else the first one's name."""
    needs_no_mask = {Clause.MASKED} if act == "details" else set()
    first = next((clause for clause in Clause if clause in false - needs_no_mask), None)
    if Clause.KNOWN_RECORDING in false and first not in BEFORE_RECORDINGS:
        first = Clause.KNOWN_RECORDING
    shown = {Clause.KNOWN_RECORDING: Clause.DUTY}.get(first, first) if first is not None else None
    session = world.begin(false)
    recording_id = UNKNOWN if Clause.KNOWN_RECORDING in false else world.find(false).id
    before = world.count_entries()
    world.reads.clear()
    if first is None:
        assert USES[act](session, recording_id)
        assert bool(world.reads) == (act != "details")
        return
    with pytest.raises(DeniedError) as caught:
        USES[act](session, recording_id)
    assert caught.value.clause == shown, (false, act)
    assert isinstance(caught.value, ExpiredError) == (first is Clause.END)
    assert world.reads == [], "content was read"
    assert world.count_entries() == before + 1
    assert world.find_newest_facts() == ("denied", first)


@pytest.mark.parametrize("act", USES)
def test_with_every_clause_true_it_opens(world: World, act: str) -> None:
    """The harness notices content: with every clause true it is read, and the log has more than a denial."""
    check(world, frozenset(), act)


@pytest.mark.parametrize("act", USES)
@pytest.mark.parametrize("clause", Clause)
def test_each_clause_alone_denies(world: World, clause: Clause, act: str) -> None:
    """One false clause: no byte of plaintext, one entry that names it (sections 4, 8, 9 and 10)."""
    check(world, frozenset({clause}), act)


@pytest.mark.parametrize("act", USES)
def test_no_two_false_clauses_open_anything(world: World, act: str) -> None:
    """All pairs of false clauses: the first of them is named, and nothing is read."""
    for false in iter_subsets(Clause, 2):
        check(world, false, act)


@pytest.mark.deep
@pytest.mark.parametrize("act", USES)
def test_no_combination_opens_anything(world: World, act: str) -> None:
    """All 16,384 combinations of true and false clauses; those with a false one open nothing."""
    tried = list(iter_subsets(Clause, len(Clause)))
    for false in tried:
        check(world, false, act)
    print(f"\n{act}: {len(tried)} combinations, of which 1 opens")


@pytest.mark.parametrize("act", FOR_OTHER_PURPOSES)
@pytest.mark.parametrize("clause", [each for each in Clause if each not in {Clause.TRAINING, Clause.MASKED}])
def test_the_officers_acts_are_denied_alike(world: World, clause: Clause, act: str) -> None:
    """Handing out, masking and disclosing are asked the same clauses (sections 7 and 10)."""
    known: dict[Clause, dict[str, Any]] = {
        Clause.COMMITMENT: {"commitments": []},
        Clause.ROLE: {"roles": {"adviser"}},
        Clause.DUTY: {"duties": []},
        Clause.ONESELF: {"identity_code": make_person().identity_code},
    }
    terms: dict[Clause, dict[str, Any]] = {
        Clause.KNOWN_STAFF: {"by": NOLLA, "purpose": "legal-claim", "matter": "CASE-1"},
        Clause.PURPOSE: {"purpose": "marketing"},
        Clause.COUNTRY: {"country": "CH"},
    }
    false = frozenset({clause} & {Clause.MADE_FOR, Clause.END, Clause.RESTRICTION})
    world.archive.staff.enrol(make_member(TIIA, **known.get(clause, {})), by=HR)
    session = begin(world.archive, **{"by": TIIA} | terms.get(clause, {}))
    if clause is Clause.SESSION:
        world.archive.resume(session.terms.id, by=TIIA).end()
    recording_id = UNKNOWN if clause is Clause.KNOWN_RECORDING else world.recordings[false].id
    before = world.count_entries()
    world.reads.clear()
    with pytest.raises(DeniedError):
        FOR_OTHER_PURPOSES[act](session, recording_id)
    assert world.reads == []
    assert world.count_entries() == before + 1
    assert world.find_newest_facts() == ("denied", clause)
