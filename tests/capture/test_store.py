"""What is stored, and what is refused: the notice of 18.8.2020, sections 5 and 9."""

import io
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from attrs import evolve
from sqlalchemy import func, select

from catalog_refusal import refusing_inserts
from kelarec import Archive, Chat, Direction, Kind, Recording, StaffId, StaffMember, State, System
from kelarec.audit.entries import EntryKind
from kelarec.errors import (
    CatalogError,
    ChangedMeanwhileError,
    DeniedError,
    EmptyContentError,
    EndBeforeStartError,
    ExpiredError,
    InvalidValueError,
    KelarecError,
    NaiveInstantError,
    OutsideNoticeError,
    UnknownLineError,
    UnreadableAudioError,
)
from kelarec.storage import catalog_tables as tables
from kelarec.storage.recordings import Recordings
from kelarec.storage.vault import Vault
from kelarec.testing.builders import make_chat, make_contact, make_staff_member, make_wav
from kelarec.testing.clock import USUAL_START

if TYPE_CHECKING:
    from conftest import Disk

RECORDER: Final = System("recorder@test")
SECOND: Final = timedelta(seconds=1)
WAV: Final = make_wav()
CHAT_KINDS: Final = (Kind.CUSTOMER_CHAT, Kind.SUPPORT_CHAT)

Listing = tuple[list[str], int, int, int]


def list_everything(disk: "Disk", vault: Vault) -> Listing:
    """Return every file and folder of the objects, and the number of rows, tokens and entries of stored recordings."""
    with vault.database.begin() as connection:
        rows, tokens = (
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (tables.recordings, tables.tokens)
        )
        entries = sum(
            connection.execute(select(func.count()).where(log.c.kind == EntryKind.RECORDING_STORED.value)).scalar_one()
            for log in (tables.entries, tables.waiting)
        )
    below = disk.objects / "recordings"
    return sorted(str(path.relative_to(below)) for path in below.rglob("*")), rows, tokens, entries


@pytest.fixture
def unchanged(disk: "Disk", disk_archive: Archive, vault: Vault) -> Iterator[None]:
    """Whatever a test tries in vain, nothing half-written may stay behind."""
    disk_archive.capture.store(make_contact(), ended_at=USUAL_START + SECOND, content=WAV, by=RECORDER)
    before = list_everything(disk, vault)
    yield
    assert list_everything(disk, vault) == before


@pytest.mark.parametrize("kind", Kind)
def test_all_four_kinds_are_stored(kelarec_archive: Archive, kind: Kind) -> None:
    """Calls and chats with customers and back-office support are recorded (section 5), for one year (section 9)."""
    content: bytes | Chat = make_chat() if kind in CHAT_KINDS else WAV
    contact = make_contact(kind=kind)
    recording = kelarec_archive.capture.store(contact, ended_at=USUAL_START + SECOND, content=content, by=RECORDER)
    assert (recording.kind, recording.duration) == (kind, SECOND)
    assert recording.kept_through == date(2027, 3, 5)
    assert recording.register_version == date(2020, 8, 18)


def test_a_contact_binds_the_notice_of_its_day(kelarec_archive: Archive) -> None:
    """A recording made under the notice names its version; what would have ended already is not stored (section 9)."""
    last_start = USUAL_START - timedelta(days=365)
    contact = make_contact(started_at=last_start)
    stored = kelarec_archive.capture.store(contact, ended_at=last_start, content=WAV, by=RECORDER)
    assert stored.kept_through == date(2026, 3, 5)
    early = last_start - timedelta(days=1)
    with pytest.raises(OutsideNoticeError, match="over already"):
        kelarec_archive.capture.store(make_contact(started_at=early), ended_at=early, content=WAV, by=RECORDER)


def test_a_file_is_stored_like_its_bytes(kelarec_archive: Archive, adviser: StaffMember) -> None:
    """Content comes as bytes or as a file, and is given back byte for byte (GDPR, Art. 5(1)(f))."""
    wav = make_wav(40)
    kept = [
        kelarec_archive.capture.store(make_contact(), ended_at=USUAL_START + SECOND, content=content, by=RECORDER)
        for content in (wav, io.BytesIO(wav))
    ]
    with kelarec_archive.session(by=adviser.id, purpose="verify-service-event", matter="KELA-1") as session:
        assert [session.open(each.id).read() for each in kept] == [wav, wav]


def test_a_consultation_of_support_is_linked_to_its_call(kelarec_archive: Archive, adviser: StaffMember) -> None:
    """An adviser who consults support makes a second recording that names the first (section 5)."""
    store = kelarec_archive.capture.store
    call = store(make_contact(), ended_at=USUAL_START + SECOND, content=WAV, by=RECORDER)
    consulting = make_contact(kind=Kind.SUPPORT_CALL)
    second = store(consulting, ended_at=USUAL_START + SECOND, content=WAV, by=RECORDER, linked_to=call.id)
    with kelarec_archive.session(by=adviser.id, purpose="verify-service-event", matter="KELA-1") as session:
        assert session.get_details(second.id).linked_to == call.id


CUT: Final = WAV[: len(WAV) // 2]
BAD: Final[dict[str, tuple[type[KelarecError], dict[str, Any], dict[str, Any]]]] = {
    "unknown line": (UnknownLineError, {"line": "nobody-knows"}, {}),
    "outbound support call": (
        OutsideNoticeError,
        {"kind": Kind.SUPPORT_CALL, "direction": Direction.OUTBOUND},
        {},
    ),
    "chat on a telephone line": (
        OutsideNoticeError,
        {"kind": Kind.CUSTOMER_CHAT, "line": "national-service"},
        {"content": make_chat()},
    ),
    "older than the notice": (
        OutsideNoticeError,
        {"started_at": datetime.fromisoformat("2020-08-17T23:59:59+03:00")},
        {},
    ),
    "end before start": (EndBeforeStartError, {}, {"ended_at": USUAL_START - SECOND}),
    "end without a time zone": (NaiveInstantError, {}, {"ended_at": USUAL_START.replace(tzinfo=None)}),
    "empty content": (EmptyContentError, {}, {"content": b""}),
    "empty file": (EmptyContentError, {}, {"content": io.BytesIO()}),
    "no WAV": (UnreadableAudioError, {}, {"content": b"ID3" + bytes(1000)}),
    "cut WAV": (UnreadableAudioError, {}, {"content": CUT}),
    "WAV cut in its header": (UnreadableAudioError, {}, {"content": WAV[:30]}),
    "WAV without sound": (UnreadableAudioError, {}, {"content": make_wav(0)}),
    "MP3 in a WAV": (UnreadableAudioError, {}, {"content": WAV[:20] + b"\x55\0" + WAV[22:]}),
    "a call of messages": (InvalidValueError, {}, {"content": make_chat()}),
    "a chat of audio": (InvalidValueError, {"kind": Kind.CUSTOMER_CHAT}, {}),
    "undeclared category": (InvalidValueError, {}, {"categories": frozenset({"horoscope"})}),
}


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(("error", "contact", "how"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_refused_by_name(
    disk_archive: Archive, error: type[KelarecError], contact: dict[str, Any], how: dict[str, Any]
) -> None:
    """Each bad input has an error of its own that says what to do, and nothing of it is kept (section 5)."""
    usual: dict[str, Any] = {"ended_at": USUAL_START + SECOND, "content": WAV, "by": RECORDER}
    with pytest.raises(error) as caught:
        disk_archive.capture.store(make_contact(**contact), **usual | how)
    assert type(caught.value) is error
    assert caught.value.lost == "nothing"
    assert caught.value.advice


class BreakingFile(io.BytesIO):
    """A file that gives two pieces and then an error."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(make_wav(60))
        self._error = error

    def read(self, size: int | None = -1, /) -> bytes:
        """Give a piece, or break."""
        if self.tell() > 500_000:
            raise self._error
        return super().read(size)


BREAKS: Final = (OSError(5, "the line is dead"), RuntimeError("a fault"), KeyboardInterrupt(), ExpiredError("over"))


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("error", BREAKS, ids=lambda error: type(error).__name__)
def test_a_file_that_breaks_leaves_nothing(disk_archive: Archive, error: BaseException) -> None:
    """What the content's file raises in the middle comes through as it is, and nothing half-written stays."""
    with pytest.raises(type(error)) as caught:
        disk_archive.capture.store(
            make_contact(), ended_at=USUAL_START + SECOND, content=BreakingFile(error), by=RECORDER
        )
    assert caught.value is error


@pytest.mark.usefixtures("unchanged")
def test_a_catalog_that_refuses_leaves_nothing(disk_archive: Archive, vault: Vault) -> None:
    """If the row cannot be written, the objects that were go too: a recording is whole or not there."""
    with refusing_inserts(vault.database, "tokens"), pytest.raises(CatalogError, match="no place"):
        disk_archive.capture.store(make_contact(), ended_at=USUAL_START + SECOND, content=WAV, by=RECORDER)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "enrol", [lambda _: None, lambda archive: archive.staff.enrol(make_staff_member(), by=RECORDER)]
)
def test_only_recorders_store(disk_archive: Archive, enrol: Callable[[Archive], None]) -> None:
    """A staff member without a role that grants it stores nothing, and the denial is in the log (section 10)."""
    enrol(disk_archive)
    with pytest.raises(DeniedError):
        disk_archive.capture.store(make_contact(), ended_at=USUAL_START + SECOND, content=WAV, by=StaffId("veikko"))
    kinds = [entry.kind for entry in disk_archive.audit.iter_entries(by=RECORDER)]
    assert kinds.count(EntryKind.DENIED) == 1


def test_an_operator_may_store(kelarec_archive: Archive) -> None:
    """An operator's role grants storing; commitment and role are asked of them as of everyone (section 10)."""
    operator = make_staff_member(id=StaffId("olli"), roles={"operator"}, duties=[])
    kelarec_archive.staff.enrol(operator, by=RECORDER)
    stored = kelarec_archive.capture.store(make_contact(), ended_at=USUAL_START, content=WAV, by=operator.id)
    assert isinstance(stored, Recording)


def test_a_newer_record_replaces_the_one_before_it_and_no_other(call: Recording, memory_vault: Vault) -> None:
    """A record version is chosen by compare-and-set on its row: who read an older one changes nothing."""
    recordings = Recordings(memory_vault)
    with memory_vault.database.begin() as connection:
        opened = recordings.find_one(connection, call.id)
    assert opened is not None
    newer = evolve(opened.record, revision=2, recording=evolve(call, state=State.RESTRICTED))
    first, second = (recordings.write_record(newer, opened.data_key) for _ in range(2))
    with memory_vault.database.begin() as connection:
        recordings.replace(connection, first)
    with pytest.raises(ChangedMeanwhileError, match="changed meanwhile"), memory_vault.database.begin() as connection:
        recordings.replace(connection, second)
    with memory_vault.database.begin() as connection:
        found = recordings.find_one(connection, call.id)
    assert found is not None
    assert (found.record.revision, found.record.recording.state) == (2, State.RESTRICTED)
