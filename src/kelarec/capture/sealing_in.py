"""From the spool into the archive: what was taken is sealed again as an ordinary recording, and read back."""

from collections.abc import Callable, Iterator
from uuid import UUID

from attrs import evolve, frozen

from kelarec.audit.log import AuditLog
from kelarec.capture.deposit import Deposit
from kelarec.domain.chat import Chat, Message
from kelarec.domain.people import Actor
from kelarec.domain.recording import Part, Recording, RecordingDetails, Sound
from kelarec.domain.take import AudioForm, Codec, PartForm, TakeStory
from kelarec.errors import EmptyContentError
from kelarec.media.wav import WavFormat, write_wav_header
from kelarec.storage.envelopes import DataKey
from kelarec.storage.json_form import from_json, to_json
from kelarec.storage.vault import Vault

_TAGS = {Codec.PCM16: 1, Codec.PCMA: 6, Codec.PCMU: 7}
_CHAT = "chat"


@frozen
class TakenPart:
    """The content of one part of a take, as it came in.

    Attributes:
        length: Its bytes.
        read: Gives them once more from the beginning, piece by piece.
    """

    form: PartForm
    length: int
    read: Callable[[], Iterator[bytes]]


@frozen
class Taken:
    """A take that has ended, wherever it lies.

    Attributes:
        recording: The clear facts it began with.
        had_row: The catalog is known to have had a row of it.
    """

    recording: Recording
    story: TakeStory
    parts: tuple[TakenPart, ...]
    piece: int
    continues: UUID | None
    had_row: bool


def make_details(
    story: TakeStory, piece: int, continues: UUID | None, parts: tuple[Part, ...] = ()
) -> RecordingDetails:
    """Return the details of a recording as its take tells them."""
    return RecordingDetails(
        contact=story.contact,
        categories=story.categories,
        parts=parts,
        gaps=story.gaps,
        markers=story.markers,
        transfers=story.transfers,
        cut=story.cut,
        linked_to=story.linked_to,
        piece=piece,
        continues=continues,
    )


def seal_in(  # noqa: PLR0917  used in two places, named alike in both
    vault: Vault,
    log: AuditLog,
    taken: Taken,
    data_key: DataKey | None,
    by: Actor,
    before_commit: Callable[[], None] = lambda: None,
) -> Recording:
    """Seal a take into the archive, read it back, and commit it; when this returns the spool may let go.

    Raises:
        EmptyContentError: The take has no content.
        KeyUnavailableError: It was erased or has expired meanwhile.
        IntegrityError: The spool or what was just written is damaged.
        StorageError: A place refuses; nothing half-written stays behind if it can be helped.
    """
    story = taken.story
    ended_at = taken.recording.ended_at if story.ended_at is None else story.ended_at
    recording = evolve(taken.recording, ended_at=ended_at, adviser_id=story.contact.adviser_id)
    filled = [part for part in taken.parts if _whole_length(part)]
    if not filled:
        raise EmptyContentError("Nothing was taken in.")
    deposit = Deposit(vault, log, recording, data_key)
    with log.or_discard(deposit.discard_unless_committed):
        parts = tuple(
            deposit.add(each.form.name, each.form.media_type, _iter_finished(each), lambda each=each: _find_sound(each))  # type: ignore[misc]
            for each in filled
        )
        details = make_details(story, taken.piece, taken.continues, parts)
        deposit.require_readable(details)
        before_commit()
        facts = {} if story.cut is None else {"cut": story.cut.reason}
        return deposit.commit_spooled(details, by, had_row=taken.had_row, **facts)


def _whole_length(part: TakenPart) -> int:
    audio = part.form.audio
    return part.length if audio is None else part.length - part.length % audio.frame_bytes


def _iter_finished(part: TakenPart) -> Iterator[bytes]:
    """Go through a part as it is kept: samples behind the header they lacked, messages as one chat."""
    audio = part.form.audio
    if part.form.name == _CHAT:
        lines = b"".join(part.read()).splitlines()
        yield to_json(Chat(tuple(from_json(line, Message) for line in lines)))
    elif audio is not None and audio.codec.has_samples:
        left = _whole_length(part)
        yield write_wav_header(_to_wav_format(audio), left)
        for piece in part.read():
            yield piece[:left]
            left -= min(left, len(piece))
        if _whole_length(part) % 2:
            yield b"\0"
    else:
        yield from part.read()


def _find_sound(part: TakenPart) -> Sound | None:
    audio = part.form.audio
    if audio is None or not audio.codec.has_samples:
        return None
    return _to_wav_format(audio).tell_sound(_whole_length(part))


def _to_wav_format(audio: AudioForm) -> WavFormat:
    return WavFormat(
        tag=_TAGS[audio.codec],
        channels=audio.channels,
        rate=audio.rate,
        frame_bytes=audio.frame_bytes,
        sample_bits=8 * audio.frame_bytes // audio.channels,
        data_offset=0,
        data_length=None,
    )
