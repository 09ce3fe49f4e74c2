"""A take (otos): a contact while it is being recorded, told as a story of events from its beginning to its end.

The story is kept event by event, so that whoever picks up a take that was cut knows what was known until then.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from attrs import evolve, field, frozen
from attrs.validators import deep_iterable, ge, instance_of, optional

from kelarec.domain.codes import is_code, to_codes
from kelarec.domain.contact import Contact
from kelarec.domain.free_text import require_impersonal
from kelarec.domain.instants import to_utc
from kelarec.domain.people import Person, StaffId
from kelarec.errors import EndBeforeStartError, InvalidValueError

MOST_CHANNELS = 32


class Codec(StrEnum):
    """How live sound comes: as bare samples, which get a WAV header at the end, or in a container of its own."""

    PCMA = "pcma"
    PCMU = "pcmu"
    PCM16 = "pcm16"
    OGG = "ogg"
    FLAC = "flac"
    MP3 = "mp3"

    @property
    def has_samples(self) -> bool:
        """Whether bare samples come, of which each byte has a known time."""
        return self in {Codec.PCMA, Codec.PCMU, Codec.PCM16}


_MEDIA_TYPES = {Codec.OGG: "audio/ogg", Codec.FLAC: "audio/flac", Codec.MP3: "audio/mpeg"}
_SAMPLE_BYTES = {Codec.PCMA: 1, Codec.PCMU: 1, Codec.PCM16: 2}


@frozen(kw_only=True)
class AudioForm:
    """The form in which the sound of one part comes in.

    Attributes:
        codec: G.711 A-law, G.711 µ-law, 16 bit PCM, or a container: Ogg, FLAC, MP3.
        channels: How many in this part: 1, or 2 for stereo.
        rate: Frames a second.

    Raises:
        InvalidValueError: There is no such codec, or channels or rate are none.
    """

    codec: Codec = field(default=Codec.PCMA)
    channels: int = field(default=1, validator=[instance_of(int), ge(1)])
    rate: int = field(default=8000, validator=[instance_of(int), ge(1)])

    def __attrs_post_init__(self) -> None:
        if self.codec not in set(Codec):
            raise InvalidValueError("There is no such codec.", advice=f"Use one of: {', '.join(Codec)}.")
        object.__setattr__(self, "codec", Codec(self.codec))
        if self.channels > MOST_CHANNELS:
            raise InvalidValueError("No call has so many channels.", advice=f"Give at most {MOST_CHANNELS}.")

    @property
    def media_type(self) -> str:
        """The media type of the part once it is whole."""
        return _MEDIA_TYPES.get(self.codec, "audio/wav")

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample on all channels; 1 in a container."""
        return _SAMPLE_BYTES.get(self.codec, 0) * self.channels or 1


def _to_reason(text: object) -> str:
    return require_impersonal(text, "reason")


@frozen(kw_only=True)
class Gap:
    """A time during which the contact went on and was not recorded.

    Attributes:
        reason: Why, in a few words that name nobody.
        from_at: When it began, UTC.
        to_at: When it ended, UTC.
    """

    reason: str = field(converter=_to_reason)
    from_at: datetime = field(converter=to_utc)
    to_at: datetime = field(converter=to_utc)

    def __attrs_post_init__(self) -> None:
        if self.to_at < self.from_at:
            raise EndBeforeStartError("The gap ends before it starts.")


@frozen(kw_only=True)
class Marker:
    """A place in a recording that somebody wants to find again.

    Attributes:
        offset: Seconds from the start of the contact.
        label: What is there.
    """

    offset: float = field(converter=float, validator=ge(0.0))
    label: str = field(converter=_to_reason)


@frozen(kw_only=True)
class Transfer:
    """The contact was handed on to another adviser.

    Attributes:
        at: When, UTC.
        adviser_id: To whom.
        from_adviser_id: From whom, if that is known.
    """

    at: datetime = field(converter=to_utc)
    adviser_id: StaffId = field(validator=instance_of(StaffId))
    from_adviser_id: StaffId | None = field(default=None, validator=optional(instance_of(StaffId)))


@frozen(kw_only=True)
class Cut:
    """The recording ends before the contact did.

    Attributes:
        at: Until when everything is there, UTC.
        reason: What cut it.
    """

    at: datetime = field(converter=to_utc)
    reason: str = field(converter=_to_reason)


class EventKind(StrEnum):
    """What may happen during a take."""

    PAUSED = "paused"
    RESUMED = "resumed"
    MARKED = "marked"
    IDENTIFIED = "identified"
    ASSIGNED = "assigned"
    CATEGORISED = "categorised"
    TRANSFERRED = "transferred"
    ATTACHED = "attached"
    CUT = "cut"
    ENDED = "ended"


@frozen(kw_only=True)
class TakeEvent:
    """One thing that happened during a take; which of the fields are set follows from its kind.

    Attributes:
        at: When, UTC.
        text: A reason, label, matter, or the name of an attached part.
        media_type: Of an attached part.
        lengths: Bytes that came in for each part, when it ended.
    """

    kind: EventKind = field(converter=EventKind)
    at: datetime = field(converter=to_utc)
    text: str | None = field(default=None, validator=optional(instance_of(str)))
    offset: float | None = field(default=None)
    media_type: str | None = field(default=None, validator=optional(instance_of(str)))
    person: Person | None = field(default=None, validator=optional(instance_of(Person)), repr=False)
    adviser_id: StaffId | None = field(default=None, validator=optional(instance_of(StaffId)))
    categories: frozenset[str] = field(default=frozenset(), converter=to_codes)
    lengths: tuple[int, ...] = field(default=())


@frozen(kw_only=True)
class PartForm:
    """One part of a take: its name and how its content comes in.

    Attributes:
        name: Such as ``customer``, ``adviser``, ``audio``, ``chat``, ``transcript``.
        media_type: Of the part once it is whole.
        audio: The form of the sound; None if it is text.
    """

    name: str = field(validator=is_code)
    media_type: str = field(validator=instance_of(str))
    audio: AudioForm | None = field(default=None, validator=optional(instance_of(AudioForm)))


@frozen(kw_only=True)
class TakeStory:
    """All that is known of a take at one moment.

    Attributes:
        parts: Those it began with and those that were attached.
        by: Who records: a staff id, or ``system:`` and a name.
        linked_to: The recording that it belongs to, such as the call during which support was consulted.
        paused: Reason and beginning of the gap that is still open.
        ended_at: When the contact ended; None while it goes on.
        lengths: Bytes that came in for each part until then.
    """

    contact: Contact = field(validator=instance_of(Contact), repr=False)
    parts: tuple[PartForm, ...] = field(validator=deep_iterable(instance_of(PartForm)))
    by: str = field(validator=instance_of(str))
    categories: frozenset[str] = field(default=frozenset(), converter=to_codes)
    gaps: tuple[Gap, ...] = field(default=())
    markers: tuple[Marker, ...] = field(default=())
    transfers: tuple[Transfer, ...] = field(default=())
    linked_to: UUID | None = field(default=None, validator=optional(instance_of(UUID)))
    paused: TakeEvent | None = field(default=None)
    cut: Cut | None = field(default=None)
    ended_at: datetime | None = field(default=None)
    lengths: tuple[int, ...] = field(default=())

    def after(self, event: TakeEvent) -> "TakeStory":
        """Return what is known once an event has happened.

        Raises:
            InvalidValueError: The event lacks what its kind needs, or names what may not stand there.
        """
        return _CHANGES[event.kind](self, event)


def _pause(story: TakeStory, event: TakeEvent) -> TakeStory:
    return evolve(story, paused=evolve(event, text=_to_reason(event.text)))


def _resume(story: TakeStory, event: TakeEvent) -> TakeStory:
    if story.paused is None:
        return story
    gap = Gap(reason=story.paused.text or "pause", from_at=story.paused.at, to_at=max(event.at, story.paused.at))
    return evolve(story, gaps=(*story.gaps, gap), paused=None)


def _mark(story: TakeStory, event: TakeEvent) -> TakeStory:
    marker = Marker(offset=0.0 if event.offset is None else event.offset, label=event.text or "")
    return evolve(story, markers=(*story.markers, marker))


def _identify(story: TakeStory, event: TakeEvent) -> TakeStory:
    return evolve(story, contact=evolve(story.contact, customer=event.person))


def _assign(story: TakeStory, event: TakeEvent) -> TakeStory:
    return evolve(story, contact=evolve(story.contact, matter=event.text))


def _categorise(story: TakeStory, event: TakeEvent) -> TakeStory:
    return evolve(story, categories=story.categories | event.categories)


def _transfer(story: TakeStory, event: TakeEvent) -> TakeStory:
    if event.adviser_id is None:
        raise InvalidValueError("A transfer names nobody.", advice="Give the new adviser's id.")
    before = story.contact.adviser_id
    transfer = Transfer(at=event.at, adviser_id=event.adviser_id, from_adviser_id=before)
    contact = evolve(story.contact, adviser_id=event.adviser_id)
    return evolve(story, contact=contact, transfers=(*story.transfers, transfer))


def _attach(story: TakeStory, event: TakeEvent) -> TakeStory:
    part = PartForm(name=event.text or "", media_type=event.media_type or "")
    if any(each.name == part.name for each in story.parts):
        raise InvalidValueError(f"The take has a part {part.name} already.", advice="Choose another name.")
    return evolve(story, parts=(*story.parts, part))


def _cut(story: TakeStory, event: TakeEvent) -> TakeStory:
    ended = _end(story, event)
    return evolve(ended, cut=Cut(at=max(event.at, story.contact.started_at), reason=event.text or ""))


def _end(story: TakeStory, event: TakeEvent) -> TakeStory:
    if event.at < story.contact.started_at:
        raise EndBeforeStartError("The take ends before it starts.")
    return evolve(_resume(story, event), ended_at=event.at, lengths=event.lengths or story.lengths)


_CHANGES = {
    EventKind.PAUSED: _pause,
    EventKind.RESUMED: _resume,
    EventKind.MARKED: _mark,
    EventKind.IDENTIFIED: _identify,
    EventKind.ASSIGNED: _assign,
    EventKind.CATEGORISED: _categorise,
    EventKind.TRANSFERRED: _transfer,
    EventKind.ATTACHED: _attach,
    EventKind.CUT: _cut,
    EventKind.ENDED: _end,
}
