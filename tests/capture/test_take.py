"""Live takes: contacts are recorded as they happen, and are safe meanwhile (notice of 18.8.2020, sections 5 and 10)."""

import os
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from kelarec import Archive, AudioForm, Codec, Kind, Place, Recording, StaffId, State, System
from kelarec.access.session import Session
from kelarec.audit.entries import EntryKind
from kelarec.capture.take import Take
from kelarec.errors import (
    ClosedError,
    CodecMismatchError,
    ContactTakenError,
    EmptyContentError,
    EndBeforeStartError,
    ForkedError,
    InvalidValueError,
    KelarecError,
    LooksLikeIdentifierError,
    NoSpoolError,
    OutOfOrderError,
    OutsideNoticeError,
    SpooledError,
    SpoolMismatchError,
    TakeEndedError,
    TakePausedError,
)
from kelarec.media.wav import parse_wav
from kelarec.storage.recordings import Recordings
from kelarec.testing.builders import make_contact, make_identity_code, make_person
from kelarec.testing.clock import MovableClock

if TYPE_CHECKING:
    from conftest import Disk

RECORDER: Final = System("recorder@test")
STEREO: Final = AudioForm(channels=2)
SECOND: Final = timedelta(seconds=1)
SOUND: Final = bytes(range(200)) * 80


def begin(archive: Archive, **known: Any) -> Take:  # noqa: ANN401  the arguments of begin
    """Begin a take of a call in stereo."""
    contact = known.pop("contact", None) or make_contact()
    return archive.capture.begin(contact, by=RECORDER, **({"form": STEREO} | known))


def store_live(archive: Archive, **known: Any) -> Recording:  # noqa: ANN401  the arguments of begin
    """Take a call of one second, from its beginning to its end."""
    with begin(archive, **known) as take:
        take.part("audio").write(SOUND)
    return take.done.result()


def wait_until_registered(take: Take) -> None:
    """Wait until the catalog has a row of a take."""
    take.flush().result(10)
    deadline = time.monotonic() + 10
    while not take.had_row and time.monotonic() < deadline:
        time.sleep(0.005)
    assert take.had_row


def test_a_call_taken_live_is_heard_like_any_other(
    kelarec_archive: Archive, session: Session, kelarec_clock: MovableClock
) -> None:
    """What was written is sealed, in the archive, and gives a WAV whose header is right at the end (section 5)."""
    take = begin(kelarec_archive)
    for start in range(0, len(SOUND), 3200):
        take.part("audio").write(SOUND[start : start + 3200])
    kelarec_clock.move(SECOND)
    recording = take.finish().result(10)
    assert (recording.state, recording.duration) == (State.KEPT, SECOND)
    with session.open(recording.id) as audio:
        wav = audio.read()
        assert audio.get_duration() == 1.0
    form = parse_wav(wav)
    assert (form.channels, form.rate, form.codec, form.data_length) == (2, 8000, "G.711 A-law", len(SOUND))
    assert wav[form.data_offset :] == SOUND


def test_each_party_may_come_apart(kelarec_archive: Archive, session: Session) -> None:
    """One part for each party is one sealed part of the recording; which one to hear is said by name."""
    with kelarec_archive.capture.begin(make_contact(), parts=["customer", "adviser"], by=RECORDER) as take:
        take.part("customer").write(SOUND[:1601])
        take.part("adviser").write(bytearray(SOUND[1600:2400]))
    recording = take.done.result()
    with pytest.raises(InvalidValueError, match="customer, adviser"):
        session.open(recording.id)
    for part, sound in (("customer", SOUND[:1601]), ("adviser", SOUND[1600:2400])):
        with session.open(recording.id, part=part) as audio:
            assert audio.clip(start=0, stop=audio.get_duration())[58:][: len(sound)] == sound
            assert audio.length == 58 + len(sound) + len(sound) % 2


@pytest.mark.parametrize("codec", Codec)
def test_every_codec_is_taken_as_it_comes(kelarec_archive: Archive, session: Session, codec: Codec) -> None:
    """Bare samples get a WAV header; what has a container of its own is kept as it came."""
    first = {Codec.OGG: b"OggS", Codec.FLAC: b"fLaC", Codec.MP3: b"ID3\x03"}.get(codec, b"")
    with begin(kelarec_archive, form=AudioForm(codec=codec)) as take:
        take.part("audio").write(first)
        take.part("audio").write(SOUND)
    with session.open(take.recording_id) as audio:
        content = audio.read()
    assert content.endswith(SOUND)
    assert content.startswith(first or b"RIFF")


def test_a_chat_comes_message_by_message(
    kelarec_archive: Archive, session: Session, kelarec_clock: MovableClock
) -> None:
    """A chat on kela.fi is taken as its messages are said, and read like one that came whole (section 5)."""
    with kelarec_archive.capture.begin(make_contact(kind=Kind.CUSTOMER_CHAT), by=RECORDER) as take:
        for by, text in (("customer", "Hei, onko hakemukseni saapunut?"), ("adviser", "On, eilen.\nHyvää päivää!")):
            kelarec_clock.move(SECOND)
            take.say(by, text)
        with pytest.raises(OutOfOrderError):
            take.say("customer", "Kiitos", sent_at=kelarec_clock() - 5 * SECOND)
    chat = session.read_chat(take.recording_id)
    assert [message.text for message in chat.messages] == [
        "Hei, onko hakemukseni saapunut?",
        "On, eilen.\nHyvää päivää!",
    ]


def test_a_pause_is_a_marked_gap(kelarec_archive: Archive, session: Session, kelarec_clock: MovableClock) -> None:
    """While paused nothing is taken in, and who looks at the recording is told reason, from and to."""
    take = begin(kelarec_archive)
    take.part("audio").write(SOUND[:100])
    kelarec_clock.move(SECOND)
    take.pause("payment card")
    with pytest.raises(TakePausedError):
        take.part("audio").write(SOUND)
    kelarec_clock.move(2 * SECOND)
    take.resume()
    take.mark("complaint")
    take.part("audio").write(SOUND[100:200])
    take.pause("break")
    take.finish().result(10)
    details = session.get_details(take.recording_id)
    started_at = take.recording.started_at
    assert [(gap.reason, gap.from_at - started_at, gap.to_at - started_at) for gap in details.gaps] == [
        ("payment card", SECOND, 3 * SECOND),
        ("break", 3 * SECOND, 3 * SECOND),
    ]
    assert [(marker.label, marker.offset) for marker in details.markers] == [("complaint", 3.0)]


def test_what_is_known_late_is_told_late(kelarec_archive: Archive, session: Session) -> None:
    """Customer, case, categories, transfer and transcript may come while the call goes on."""
    aino = make_person(identity_code=make_identity_code(7))
    take = begin(kelarec_archive, contact=make_contact(customer=None, adviser_id=None))
    take.part("audio").write(SOUND)
    take.identify(aino)
    take.assign("KELA-2026-77")
    take.categorise({"name"})
    take.transfer(StaffId("veikko"))
    take.attach("transcript", "text/vtt", b"WEBVTT\n" * 5)
    wait_until_registered(take)
    with pytest.raises(InvalidValueError):
        take.categorise({"horoscope"})
    with pytest.raises(InvalidValueError, match="transcript"):
        take.attach("transcript", "text/vtt", b"again")
    recording = take.finish().result(10)
    assert recording.adviser_id == StaffId("veikko")
    [found] = session.find(make_identity_code(7))
    assert found == recording
    details = session.get_details(recording.id)
    assert (details.contact.customer, details.contact.matter) == (aino, "KELA-2026-77")
    assert (details.categories, [each.adviser_id for each in details.transfers]) == (
        frozenset({"name"}),
        [StaffId("veikko")],
    )
    with session.open(recording.id, part="transcript") as transcript:
        assert transcript.read() == b"WEBVTT\n" * 5


def test_a_transcript_may_follow_later(kelarec_archive: Archive, session: Session, call: Recording) -> None:
    """A sealed part can be added to a recording in the archive: a new version of its record, told in the log."""
    kelarec_archive.capture.attach(call.id, "transcript", "text/vtt", b"WEBVTT", by=RECORDER)
    with session.open(call.id, part="transcript") as transcript:
        assert transcript.read() == b"WEBVTT"
    with session.open(call.id) as audio:
        assert audio.get_duration() > 0
    with pytest.raises(InvalidValueError, match="already"):
        kelarec_archive.capture.attach(call.id, "transcript", "text/vtt", b"WEBVTT", by=RECORDER)
    kinds = [entry.kind for entry in kelarec_archive.audit.iter_entries(by=RECORDER, recording_id=call.id)]
    assert kinds.count(EntryKind.RECORDING_AMENDED) == 1


def test_a_spooled_recording_is_found_and_not_opened(kelarec_archive: Archive, session: Session) -> None:
    """While the call goes on its recording is found by the customer; its content can be opened once it is sealed."""
    aino = make_identity_code(8)
    take = begin(kelarec_archive, contact=make_contact(customer=make_person(identity_code=aino)))
    take.part("audio").write(SOUND)
    wait_until_registered(take)
    [found] = session.find(aino)
    assert (found.id, found.state) == (take.recording_id, State.SPOOLED)
    assert session.get_details(found.id).parts == ()
    with pytest.raises(SpooledError):
        session.open(found.id)
    with pytest.raises(SpooledError):
        kelarec_archive.capture.attach(found.id, "transcript", "text/vtt", b"WEBVTT", by=RECORDER)
    take.finish().result(10)
    assert [each.state for each in session.find(aino)] == [State.KEPT]


def test_nothing_of_an_abandoned_take_is_kept(disk: "Disk", spooled_archive: Archive) -> None:
    """Who abandons a take says why; the log tells it, and neither row, object nor key of it remains."""
    take = begin(spooled_archive)
    take.part("audio").write(SOUND)
    wait_until_registered(take)
    [segment] = disk.folder.glob("spool/*/segment-*")
    [entry] = take.spooled.head_places
    assert segment.read_bytes()[entry[1] : entry[1] + 36] == str(take.recording_id).encode()
    take.abandon("wrong line").result(10)
    assert segment.read_bytes()[entry[1] : entry[1] + entry[2]] == bytes(entry[2])
    with spooled_archive._vault.database.begin() as connection:
        assert Recordings(spooled_archive._vault).find_one(connection, take.recording_id) is None
    assert not (disk.objects / "recordings").exists()
    [told] = [
        each for each in spooled_archive.audit.iter_entries(by=RECORDER) if each.kind == EntryKind.RECORDING_ABANDONED
    ]
    assert (told.recording_id, told.facts["reason"]) == (take.recording_id, "wrong line")


def test_an_exception_seals_what_is_there_as_cut(kelarec_archive: Archive, session: Session) -> None:
    """If the recorder fails in the middle, what it took is kept and says that it was cut; the error comes through."""
    take = begin(kelarec_archive)
    with pytest.raises(ZeroDivisionError), take:  # noqa: PT012  the error comes after the sound
        take.part("audio").write(SOUND)
        _ = 1 / 0
    cut = session.get_details(take.recording_id).cut
    assert cut is not None
    assert "ZeroDivisionError" in cut.reason


def test_a_cut_contact_goes_on_as_its_next_piece(kelarec_archive: Archive, session: Session) -> None:
    """A second take of a contact that was cut is its second piece, and names the first."""
    contact = make_contact()
    first = begin(kelarec_archive, contact=contact)
    first.part("audio").write(SOUND)
    with pytest.raises(ContactTakenError):
        begin(kelarec_archive, contact=contact)
    first.cut("lost connection").result(10)
    second = store_live(kelarec_archive, contact=contact)
    details = session.get_details(second.id)
    assert (details.piece, details.continues) == (2, first.recording_id)
    assert session.get_details(first.recording_id).piece == 1


def test_a_consultation_of_support_is_linked_to_its_call(kelarec_archive: Archive, session: Session) -> None:
    """An adviser who consults support makes a second recording, linked to the first (section 5)."""
    call = begin(kelarec_archive)
    call.part("audio").write(SOUND)
    support = store_live(kelarec_archive, contact=make_contact(kind=Kind.SUPPORT_CALL), linked_to=call.recording_id)
    call.finish().result(10)
    assert session.get_details(support.id).linked_to == call.recording_id


def test_a_take_without_content_is_no_recording(kelarec_archive: Archive) -> None:
    """A take into which nothing came is told as such, and leaves neither row nor object."""
    with pytest.raises(EmptyContentError):
        begin(kelarec_archive).finish().result(10)


BAD: Final[dict[str, tuple[type[KelarecError], dict[str, Any]]]] = {
    "outside the notice": (OutsideNoticeError, {"contact": make_contact(line="kela-fi")}),
    "one part named twice": (InvalidValueError, {"parts": ["customer", "customer"]}),
    "parts of a chat": (InvalidValueError, {"contact": make_contact(kind=Kind.CUSTOMER_CHAT), "parts": ["customer"]}),
    "undeclared category": (InvalidValueError, {"categories": {"horoscope"}}),
}


@pytest.mark.parametrize(("error", "known"), BAD.values(), ids=BAD.keys())
def test_a_bad_beginning_is_refused_by_name(
    kelarec_archive: Archive, error: type[KelarecError], known: dict[str, Any]
) -> None:
    """What the notice does not cover, or what contradicts itself, does not begin (section 5)."""
    with pytest.raises(error):
        begin(kelarec_archive, **known)


def test_bad_input_to_a_live_take_is_refused_by_name(kelarec_archive: Archive) -> None:
    """Each misuse has an error of its own, and the take goes on as if it had not been."""
    take = begin(kelarec_archive)
    for wrong in (b"RIFF\0\0\0\0WAVE", b"OggS\0", b"fLaC"):
        with pytest.raises(CodecMismatchError):
            take.part("audio").write(wrong)
    with pytest.raises(InvalidValueError, match="no part"):
        take.part("video")
    with pytest.raises(InvalidValueError, match="not said"):
        take.say("customer", "Hei")
    with pytest.raises(LooksLikeIdentifierError):
        take.pause("card of 140281-928F")
    with pytest.raises(LooksLikeIdentifierError):
        take.abandon("call +358 50 123 4567")
    with pytest.raises(EndBeforeStartError):
        take.finish(ended_at=take.recording.started_at - SECOND)
    take.part("audio").write(SOUND)
    assert take.finish().result(10).state is State.KEPT
    assert take.finish().result() is take.finish().result()
    for late in (
        lambda: take.part("audio").write(b"late"),
        lambda: take.pause("late"),
        lambda: take.mark("late"),
        lambda: take.identify(make_person()),
        lambda: take.abandon("late"),
    ):
        with pytest.raises(TakeEndedError):
            late()


def test_an_ogg_take_refuses_other_bytes(kelarec_archive: Archive) -> None:
    """Bytes of a codec that the form denies are refused at the first chunk."""
    with begin(kelarec_archive, form=AudioForm(codec=Codec.OGG)) as take:
        with pytest.raises(CodecMismatchError):
            take.part("audio").write(SOUND)
        take.part("audio").write(b"OggS" + SOUND)


def test_a_take_is_of_no_use_in_a_fork(kelarec_archive: Archive) -> None:
    """A take in a forked child refuses by name: two processes under one key would be one too many."""
    take = begin(kelarec_archive)
    take.part("audio").write(SOUND)
    child = os.fork()
    if child == 0:
        refused = 0
        for use in (
            lambda: take.part("audio").write(SOUND),
            take.flush,
            take.finish,
            lambda: take.mark("x"),
            kelarec_archive.close,
        ):
            try:
                use()
            except ForkedError:
                refused += 1
        os._exit(refused)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
    take.finish().result(10)


def test_no_take_without_a_spool(disk_archive: Archive) -> None:
    """An archive without a spool says so when a take would begin."""
    with pytest.raises(NoSpoolError):
        begin(disk_archive)
    with pytest.raises(NoSpoolError):
        disk_archive.capture.recover()


@pytest.mark.usefixtures("spooled_archive")
def test_a_spool_belongs_to_one_archive(disk: "Disk", tmp_path_factory: pytest.TempPathFactory) -> None:
    """The spool of another archive is refused by name, and nothing in it is touched."""
    from conftest import Disk  # noqa: PLC0415

    other = Disk(tmp_path_factory.mktemp("other"))
    other.create().close()
    with pytest.raises(SpoolMismatchError):
        Archive.open(
            objects=Place(other.objects, "FI"),
            keys=Place(other.keys, "FI"),
            root_key=f"keyfile:{other.root_key}",
            spool=Place(disk.folder / "spool", "FI"),
            clock=disk.clock,
        )


def test_what_is_live_when_the_archive_closes_is_kept_as_cut(disk: "Disk", spooled_archive: Archive) -> None:
    """Closing an archive seals live takes as cut and leaves the spool empty."""
    take = begin(spooled_archive)
    take.part("audio").write(SOUND)
    spooled_archive.close()
    assert take.done.result().state is State.KEPT
    with pytest.raises(ClosedError):
        take.flush().result(10)
    assert [path.name for path in (disk.folder / "spool").iterdir()] == ["spool"]


def test_an_expired_take_leaves_the_spool(spooled_archive: Archive, disk: "Disk") -> None:
    """What is spooled ends like all else: after its day's sweep it cannot be sealed in any more (section 9)."""
    take = begin(spooled_archive)
    take.part("audio").write(SOUND)
    wait_until_registered(take)
    disk.clock.set(take.recording.ends_at + timedelta(hours=2))
    spooled_archive.retention.sweep(by=System("sweep"))
    with pytest.raises(KelarecError):
        take.finish().result(10)
    assert not (disk.objects / "recordings").exists()


def test_durable_until_moves_with_the_spool(kelarec_archive: Archive, kelarec_clock: MovableClock) -> None:
    """A take tells until when all that was written is durable."""
    take = begin(kelarec_archive)
    assert take.durable_until is None
    kelarec_clock.move(SECOND)
    take.part("audio").write(SOUND)
    take.flush().result(10)
    assert take.durable_until == kelarec_clock()
    assert not take.failed.done()
    take.finish().result(10)
