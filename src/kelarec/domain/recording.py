"""A recording (tallenne): one call or chat that the archive keeps."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from attrs import field, frozen
from attrs.validators import deep_iterable, ge, instance_of, matches_re, optional

from kelarec.domain.codes import Direction, Kind, State, is_code, to_codes
from kelarec.domain.contact import Contact
from kelarec.domain.free_text import require_impersonal, require_text
from kelarec.domain.instants import end_of, helsinki_date, to_utc
from kelarec.domain.people import StaffId
from kelarec.domain.take import Cut, Gap, Marker, Transfer
from kelarec.errors import EndBeforeStartError

SEALING: Final = "cobblestone-256"


@frozen(kw_only=True)
class Recording:
    """The clear facts of a recording: nothing that says who the customer is or what was said.

    Attributes:
        id: A UUID of version 7.
        kind: Call or chat, with a customer or with support.
        direction: Who began it, seen from the authority.
        line: The register's code of the line.
        started_at: When it started, UTC.
        ended_at: When it ended, UTC.
        kept_through: The last Helsinki date on which it is kept (notice, section 9).
        register_version: The version of the notice it was made under.
        adviser_id: Which adviser took part.
        state: Kept, restricted to storage (Art. 18), or spooled: still being taken, or not yet sealed into the archive.

    Raises:
        NaiveInstantError: An instant has no time zone.
        EndBeforeStartError: It ends before it starts.
    """

    id: UUID = field(validator=instance_of(UUID))
    kind: Kind = field(converter=Kind)
    direction: Direction = field(converter=Direction)
    line: str = field(validator=is_code)
    started_at: datetime = field(converter=to_utc)
    ended_at: datetime = field(converter=to_utc)
    kept_through: date = field(validator=instance_of(date))
    register_version: date = field(validator=instance_of(date))
    adviser_id: StaffId | None = field(default=None, validator=optional(instance_of(StaffId)))
    state: State = field(default=State.KEPT, converter=State)

    def __attrs_post_init__(self) -> None:
        if self.ended_at < self.started_at:
            raise EndBeforeStartError("The recording ends before it starts.")
        if self.kept_through < self.recorded_on:
            raise EndBeforeStartError("The recording's retention ends before the day it was made.")

    @property
    def recorded_on(self) -> date:
        """The Helsinki date on which it started."""
        return helsinki_date(self.started_at)

    @property
    def ends_at(self) -> datetime:
        """The UTC instant from which nothing may be read."""
        return end_of(self.kept_through)

    @property
    def duration(self) -> timedelta:
        """How long the contact lasted."""
        return self.ended_at - self.started_at


@frozen(kw_only=True)
class Sound:
    """What an audio part says of itself.

    Attributes:
        codec: Such as ``G.711 A-law``, ``Opus``.
        channels: How many.
        rate: Frames a second.
        seconds: How long it sounds.
    """

    codec: str = field(validator=instance_of(str))
    channels: int = field(validator=[instance_of(int), ge(1)])
    rate: int = field(validator=[instance_of(int), ge(1)])
    seconds: float = field(converter=float, validator=ge(0.0))


@frozen(kw_only=True)
class Part:
    """One piece of a recording's content.

    Attributes:
        name: ``audio`` or ``chat``, the name of a party such as ``customer``, or ``transcript``; of a masked copy
            ``masked-audio-2``, with the revision that it came with.
        media_type: Such as ``audio/wav``.
        length: Bytes of plaintext.
        object_name: The random name of the sealed object.
        header: The first 56 bytes of the sealed object, salt and commitment, in base64: with it and the length a seek
            is one request.
        sealing: The format of the sealed object.
        masked_for: The purpose for which it is a masked copy, or None if it is the original.
        sound: What the content said of itself when it came in; None of text, and where nobody read it.
    """

    name: str = field(validator=is_code)
    media_type: str = field(validator=instance_of(str))
    length: int = field(validator=[instance_of(int), ge(1)])
    object_name: str = field(validator=is_code)
    header: str | None = field(default=None, validator=optional(matches_re(r"[A-Za-z0-9+/]{75}=")))
    sealing: str = field(default=SEALING, validator=is_code)
    masked_for: str | None = field(default=None, validator=optional(is_code))
    sound: Sound | None = field(default=None, validator=optional(instance_of(Sound)))


def _to_plans(plans: Iterable[str]) -> frozenset[str]:
    return frozenset(require_impersonal(plan, "training plan") for plan in plans)


def _to_reason(text: object) -> str:
    return require_text(text, "reason")


@frozen(kw_only=True)
class Restriction:
    """Why a recording may only be stored (Art. 18).

    Attributes:
        reason: In a few words; it is sealed with the details, so it may name a person.
        since: From which instant on, UTC.
        by: Who restricted it: a staff id, or ``system:`` and a name.

    Raises:
        InvalidValueError: The reason is empty or too long.
        NaiveInstantError: The instant has no time zone.
    """

    reason: str = field(repr=False, converter=_to_reason)
    since: datetime = field(converter=to_utc)
    by: str = field(validator=instance_of(str))


@frozen(kw_only=True)
class RecordingDetails:
    """Who took part, what it was about, and what the content is made of; had only through a session.

    Attributes:
        contact: The contact as the contact centre told it.
        categories: The register's codes of the data categories that are known to occur.
        source: Who gave the information (notice, section 6): ``customer``, or ``adviser`` in support contacts.
        parts: The pieces of content, and masked copies of them; none while the recording is spooled.
        gaps: When the contact went on and was not recorded, and why.
        markers: Places that somebody wants to find again.
        transfers: To whom the contact was handed on.
        cut: Until when the recording goes and why, if it ends before the contact did.
        linked_to: The recording it belongs to, such as the call during which support was consulted.
        piece: Counts the recordings of one contact that was cut and taken again, from 1.
        continues: The recording of the piece before this one.
        training_plans: The matters of the training plans that it was selected for.
        restriction: Why it may only be stored, if that is so.
    """

    contact: Contact = field(validator=instance_of(Contact), repr=False)
    categories: frozenset[str] = field(default=frozenset(), converter=to_codes)
    parts: tuple[Part, ...] = field(validator=deep_iterable(instance_of(Part)))
    gaps: tuple[Gap, ...] = field(default=(), validator=deep_iterable(instance_of(Gap)))
    markers: tuple[Marker, ...] = field(default=(), validator=deep_iterable(instance_of(Marker)))
    transfers: tuple[Transfer, ...] = field(default=(), validator=deep_iterable(instance_of(Transfer)))
    cut: Cut | None = field(default=None, validator=optional(instance_of(Cut)))
    linked_to: UUID | None = field(default=None, validator=optional(instance_of(UUID)))
    piece: int = field(default=1, validator=[instance_of(int), ge(1)])
    continues: UUID | None = field(default=None, validator=optional(instance_of(UUID)))
    training_plans: frozenset[str] = field(default=frozenset(), converter=_to_plans)
    restriction: Restriction | None = field(default=None, validator=optional(instance_of(Restriction)))

    @property
    def source(self) -> str:
        """Who gave the information: the customer, or the adviser in support contacts (notice, section 6)."""
        return "adviser" if self.contact.kind.is_support else "customer"

    def find_part(self, name: str, *, masked_for: str | None = None) -> Part | None:
        """Return the original part of a name, or the copy of it that was masked for a purpose, or None."""
        if masked_for is None:
            return next((each for each in self.parts if each.masked_for is None and each.name == name), None)
        copies = (each for each in self.parts if each.masked_for == masked_for)
        return next((each for each in copies if each.name.startswith(f"masked-{name}-")), None)
