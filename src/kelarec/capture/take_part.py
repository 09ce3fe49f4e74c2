"""One part of a live take: where the bytes come in, and in which form."""

from collections.abc import Collection
from enum import Enum
from typing import Final, Protocol

from kelarec.domain.take import AudioForm, Codec, PartForm
from kelarec.errors import CodecMismatchError, InvalidValueError, TakeEndedError
from kelarec.storage.spool import Spool
from kelarec.storage.spooled_take import SpooledPart

MOST_WAITING: Final = 1024 * 1024
_MAGICS: Final = {Codec.OGG: (b"OggS",), Codec.FLAC: (b"fLaC",), Codec.MP3: (b"ID3", b"\xff")}
_CONTAINERS: Final = (b"RIFF", b"OggS", b"fLaC", b"ID3\x03", b"ID3\x04")


class Bar(Enum):
    """Why a take takes nothing in just now."""

    PAUSED = "paused"
    REFUSED = "refused"
    ENDED = "ended"


class Gate(Protocol):
    """Says whether a take takes anything in just now."""

    bar: Bar | None

    def require_writable(self, waiting: int) -> None:
        """Check that something may be taken in; see `Take.require_writable`."""
        ...


class TakePart:
    """One part of a live take, such as what the customer says; written by one thread at a time."""

    __slots__ = ("_is_begun", "_spool", "_take", "form", "spooled")

    def __init__(self, take: Gate, form: PartForm, spooled: SpooledPart, spool: Spool) -> None:
        self._take = take
        self.spooled = spooled
        self._spool = spool
        self._is_begun = False
        self.form = form

    def __repr__(self) -> str:
        return f"TakePart({self.form.name!r})"

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take in the next bytes of this part; never waits, and touches no disk.

        They are durable when a `Take.flush` that comes after is done, within a second by itself.

        Raises:
            TakeEndedError, TakePausedError: The take has ended or is paused; nothing was taken in.
            SpoolFullError, SpoolError: The spool can take no more just now; nothing of this chunk was taken in, and the
                time until the next one that is becomes a marked gap.
            CodecMismatchError: The first bytes are of another codec than the part was begun with.
            ForkedError: This process is a fork of the one that began the take.
        """
        spooled, take = self.spooled, self._take
        waiting = spooled.taken - spooled.sealed
        if take.bar is not None or self._spool.refusal is not None or waiting > MOST_WAITING:
            take.require_writable(waiting)
        if type(chunk) is not bytes:
            chunk = bytes(chunk)
        if not self._is_begun:
            self._begin(chunk)
        spooled.taken += len(chunk)
        spooled.chunks.append(chunk)
        if take.bar is Bar.ENDED:
            raise TakeEndedError("The take was ended while it was written.", lost="perhaps the last chunk")

    def _begin(self, chunk: bytes) -> None:
        audio = self.form.audio
        if audio is not None and chunk:
            expected = _MAGICS.get(audio.codec)
            if expected is None:
                is_right = not chunk.startswith(_CONTAINERS)
            else:
                is_right = any(chunk.startswith(magic[: len(chunk)]) for magic in expected)
            if not is_right:
                raise CodecMismatchError(f"The sound of the part {self.form.name} is not {audio.codec.value}.")
        self._is_begun = bool(chunk)


EVENTS_FORM: Final = PartForm(name="events", media_type="application/x-ndjson")


def make_part_forms(parts: Collection[str], form: AudioForm | None, *, is_chat: bool) -> tuple[PartForm, ...]:
    """Return the parts that a take begins with.

    Raises:
        InvalidValueError: There is none, one is named twice, or a chat has other parts than its messages.
    """
    if is_chat:
        if form is not None or set(parts) - {"chat"}:
            raise InvalidValueError("A chat has no parts of sound.", advice="Leave parts and form away.")
        return (PartForm(name="chat", media_type="application/json"),)
    names = list(parts) or ["audio"]
    if isinstance(parts, str) or len(set(names)) < len(names) or set(names) & {"events", "chat"}:
        raise InvalidValueError(
            "The parts of a take are names of parties, each once.", advice="['customer', 'adviser']."
        )
    audio = AudioForm() if form is None else form
    return tuple(PartForm(name=name, media_type=audio.media_type, audio=audio) for name in names)
