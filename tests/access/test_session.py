"""Sessions are the only way to content and personal data: the notice of 18.8.2020, sections 4 and 10."""

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import pytest

from catalog_refusal import refusing_inserts
from kelarec import Archive, Chat, Duty, DutyKind, Recording, StaffId, System
from kelarec.access.session import Session
from kelarec.audit.entries import Entry, EntryKind
from kelarec.domain.recording import Restriction
from kelarec.errors import CatalogError, ClosedError, DeniedError, ExpiredError, InvalidValueError
from kelarec.storage.recordings import Recordings
from kelarec.storage.vault import Vault
from kelarec.testing.builders import make_contact, make_identity_code, make_person, make_staff_member, make_wav
from kelarec.testing.clock import USUAL_START, MovableClock

RECORDER: Final = System("recorder@test")
VERIFY: Final = "verify-service-event"
VEIKKO: Final = StaffId("veikko")
NOLLA: Final = StaffId("nolla")
UNKNOWN: Final = UUID("019cbd02-c000-7000-8000-000000000000")
SECOND: Final = timedelta(seconds=1)
AINO: Final = make_identity_code()

Use = Callable[[Session, UUID], object]
USES: Final[dict[str, Use]] = {"get_details": Session.get_details, "open": Session.open}


def list_entries(archive: Archive, kind: EntryKind) -> list[Entry]:
    """Return the log's entries of a kind."""
    return [entry for entry in archive.audit.iter_entries(by=RECORDER) if entry.kind is kind]


def enrol(archive: Archive, **known: Any) -> None:  # noqa: ANN401  the fields of StaffMember
    """Make a staff member known, or known anew."""
    archive.staff.enrol(make_staff_member(**known), by=System("hr"))


def store_call(archive: Archive, **known: Any) -> Recording:  # noqa: ANN401  the fields of Contact
    """Store a call of one second."""
    return archive.capture.store(make_contact(**known), ended_at=USUAL_START + SECOND, content=make_wav(), by=RECORDER)


def restrict(vault: Vault, recording: Recording) -> None:
    """Restrict a recording to storage, below the API."""
    recordings = Recordings(vault)
    with vault.database.begin() as connection:
        opened = recordings.find_one(connection, recording.id)
        assert opened is not None
        record = opened.record.restrict(Restriction(reason="Accuracy is checked", since=USUAL_START, by="clerk"))
        recordings.replace(connection, recordings.write_record(record, opened.data_key))


def test_the_adviser_finds_sees_and_hears(
    session: Session, call: Recording, chat: Recording, example_call: bytes, example_chat: Chat
) -> None:
    """Whom the rule allows finds recordings by identity code, sees the details, hears the call and reads the chat."""
    assert {each.id for each in session.find(AINO)} == {call.id, chat.id}
    assert session.get_details(call.id).contact.customer == make_person()
    with session.open(call.id) as audio:
        assert audio.read() == example_call
        assert audio.get_duration() == 51
        assert audio.tell() == audio.length == len(example_call)
    assert session.read_chat(chat.id) == example_chat


def test_a_clip_is_a_wav_of_its_seconds(session: Session, call: Recording, example_call: bytes) -> None:
    """A clip holds exactly the samples between two seconds, and little else was read for it (GDPR, Art. 5(1)(c))."""
    with session.open(call.id) as audio:
        clip = audio.clip(start=12, stop=17)
        assert clip[-80_000:] in example_call
        assert len(clip) < 80_100
        assert audio.bytes_fetched < len(example_call) / 5


DENIED: Final[dict[str, tuple[str, dict[str, Any], dict[str, Any]]]] = {
    "unknown to the directory": ("known-staff", {}, {"by": NOLLA}),
    "in the United Kingdom": ("country", {}, {"country": "GB"}),
    "without a commitment": ("commitment", {"commitments": []}, {}),
    "undeclared purpose": ("purpose", {}, {"purpose": "marketing"}),
    "without a role for it": ("role", {"roles": {"operator"}}, {}),
    "without a duty": ("duty", {"duties": []}, {}),
    "another case": (
        "duty",
        {"duties": [Duty(kind=DutyKind.CASE, purpose=VERIFY, matter="KELA-2", from_on=USUAL_START.date())]},
        {},
    ),
    "about oneself": ("oneself", {"identity_code": AINO}, {}),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
@pytest.mark.parametrize(("clause", "staff", "terms"), DENIED.values(), ids=DENIED.keys())
def test_one_false_clause_denies(
    kelarec_archive: Archive,
    memory_vault: Vault,
    call: Recording,
    monkeypatch: pytest.MonkeyPatch,
    use: Use,
    clause: str,
    staff: dict[str, Any],
    terms: dict[str, Any],
) -> None:
    """Any one clause that is false: a denial that names it, one log entry, no plaintext (sections 4, 8 and 10)."""
    enrol(kelarec_archive, **staff)
    monkeypatch.setattr(memory_vault.objects, "read_range", lambda *_: pytest.fail("content was read"))
    usual: dict[str, Any] = {"by": VEIKKO, "purpose": VERIFY, "matter": "KELA-1"}
    with kelarec_archive.session(**usual | terms) as session, pytest.raises(DeniedError) as caught:
        use(session, call.id)
    assert caught.value.clause == clause
    (entry,) = list_entries(kelarec_archive, EntryKind.DENIED)
    assert (entry.facts["clause"], entry.recording_id, entry.session_id) == (clause, call.id, session.terms.id)
    assert list_entries(kelarec_archive, EntryKind.CONTENT_OPENED) == []
    assert list_entries(kelarec_archive, EntryKind.DETAILS_SHOWN) == []


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
@pytest.mark.parametrize("clause", ["session", "restriction", "end"])
def test_time_and_state_deny(
    kelarec_archive: Archive, memory_vault: Vault, kelarec_clock: MovableClock, call: Recording, use: Use, clause: str
) -> None:
    """A session that is over, a restriction (Art. 18) and the end of retention (section 9) deny by themselves."""
    if clause == "restriction":
        restrict(memory_vault, call)
    if clause == "end":
        kelarec_clock.set(call.ends_at - timedelta(hours=11))
    with kelarec_archive.session(by=VEIKKO, purpose=VERIFY, matter="KELA-1") as session:
        kelarec_clock.move(timedelta(hours=12 if clause == "session" else 11))
        with pytest.raises(DeniedError) as caught:
            use(session, call.id)
    assert caught.value.clause == clause
    assert isinstance(caught.value, ExpiredError) == (clause == "end")
    assert [entry.facts["clause"] for entry in list_entries(kelarec_archive, EntryKind.DENIED)] == [clause]


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
def test_an_unknown_id_is_denied_like_a_forbidden_one(kelarec_archive: Archive, session: Session, use: Use) -> None:
    """Nobody can ask which ids exist: the words are those of a forbidden recording; the log knows the difference."""
    forbidden = store_call(kelarec_archive, adviser_id=NOLLA)
    told = []
    for recording_id in (forbidden.id, UNKNOWN):
        with pytest.raises(DeniedError) as caught:
            use(session, recording_id)
        told.append((type(caught.value), str(caught.value), caught.value.clause, caught.value.args))
    assert told[0] == told[1]
    clauses = [entry.facts["clause"] for entry in list_entries(kelarec_archive, EntryKind.DENIED)]
    assert clauses == ["duty", "known-recording"]


def test_what_others_recorded_is_left_out(kelarec_archive: Archive, session: Session) -> None:
    """Under a duty for own contacts only those are found; how many were left out is in the log (section 10)."""
    own = store_call(kelarec_archive)
    store_call(kelarec_archive, adviser_id=NOLLA)
    store_call(kelarec_archive, customer=make_person(identity_code=make_identity_code(5), phone_number=None))
    assert session.find(AINO) == [own]
    assert session.find(make_identity_code(9)) == []
    facts = [entry.facts for entry in list_entries(kelarec_archive, EntryKind.LOOKED_UP)]
    assert [(each["found"], each["left-out"]) for each in facts] == [("1", "1"), ("0", "0")]


def test_who_may_not_look_up_learns_nothing(kelarec_archive: Archive, session: Session) -> None:
    """Looking somebody up without a duty is denied before anybody is looked for, and logged once (section 10)."""
    enrol(kelarec_archive, duties=[])
    with pytest.raises(DeniedError):
        session.find(AINO)
    assert len(list_entries(kelarec_archive, EntryKind.DENIED)) == 1
    assert list_entries(kelarec_archive, EntryKind.LOOKED_UP) == []


def test_nobody_is_looked_up_by_a_bare_text(session: Session) -> None:
    """A look-up takes a checked identifier, so that no typing error looks like an answer (GDPR, Art. 5(1)(d))."""
    with pytest.raises(InvalidValueError, match="parsed identifier"):
        session.find("140281-928F")  # type: ignore[arg-type]


def test_an_open_reader_ends_with_retention(
    kelarec_archive: Archive, kelarec_clock: MovableClock, call: Recording
) -> None:
    """One year, then not a byte more, even through a reader that was open before (section 9)."""
    kelarec_clock.set(call.ends_at - timedelta(microseconds=1))
    with kelarec_archive.session(by=VEIKKO, purpose=VERIFY, matter="KELA-1") as session, session.open(call.id) as audio:
        assert len(audio.read(10)) == 10
        kelarec_clock.set(call.ends_at)
        for give in (
            audio.read,
            audio.readall,
            lambda: audio.readinto(bytearray(9)),
            lambda: audio.seek(0, io.SEEK_END),
        ):
            with pytest.raises(ExpiredError):
                give()
        with pytest.raises(ExpiredError):
            audio.clip(start=0, stop=1)
        assert session.find(AINO) == []


def test_an_open_reader_asks_again_every_second(
    kelarec_archive: Archive, kelarec_clock: MovableClock, session: Session, call: Recording
) -> None:
    """Who loses the duty while listening hears no more than a second of it (section 10)."""
    with session.open(call.id) as audio:
        enrol(kelarec_archive, duties=[])
        kelarec_clock.move(SECOND - timedelta(microseconds=1))
        assert audio.read(1)
        kelarec_clock.move(timedelta(microseconds=1))
        with pytest.raises(DeniedError) as caught:
            audio.read(1)
    assert caught.value.clause == "duty"


def test_with_the_session_ends_the_listening(session: Session, call: Recording) -> None:
    """A session that has ended gives nothing, nor do the readers that were opened in it."""
    audio = session.open(call.id)
    session.end()
    session.end()
    for use in (audio.read, lambda: session.find(AINO), lambda: session.get_details(call.id)):
        with pytest.raises(ClosedError):
            use()


def test_a_call_is_no_chat(session: Session, call: Recording, chat: Recording) -> None:
    """A chat is not opened as sound nor a call read as a chat; the error says which to use."""
    with pytest.raises(InvalidValueError) as caught:
        session.open(chat.id)
    assert "read_chat" in caught.value.advice
    with pytest.raises(InvalidValueError) as caught:
        session.read_chat(call.id)
    assert "open" in caught.value.advice


@pytest.mark.parametrize("use", [*USES.values(), lambda session, _: session.find(AINO)], ids=[*USES, "find"])
def test_what_cannot_be_logged_is_not_done(memory_vault: Vault, session: Session, call: Recording, use: Use) -> None:
    """No plaintext before its log entry is durable: if the log refuses, nothing is given (section 10)."""
    with refusing_inserts(memory_vault.database, "waiting"), pytest.raises(CatalogError, match="no place"):
        use(session, call.id)
