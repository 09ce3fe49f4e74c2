"""Erasure before the date: what would go, and what became of it (Art. 17; notice, section 13)."""

from datetime import datetime
from uuid import UUID

from attrs import field, frozen
from attrs.validators import instance_of

from kelarec.domain.hold import HoldKind
from kelarec.domain.instants import to_utc


@frozen
class Complete:
    """All of it is gone and was looked for in vain: the log says so, and a certificate can be had."""


@frozen
class Pending:
    """The keys are dead and the rest is gone; something runs out by itself. Call `finish` afterwards.

    Attributes:
        what: What is waited for.
        until: The instant from which it is over, UTC.
    """

    what: str
    until: datetime = field(converter=to_utc)


@frozen
class Incomplete:
    """Something is still there. Nothing of it is given up: call `finish` once the cause is dealt with.

    Attributes:
        where: Which place still holds something.
        why: What happened there.
    """

    where: str
    why: str


Outcome = Complete | Pending | Incomplete


@frozen(kw_only=True)
class HoldAgainst:
    """A hold that stands against an erasure.

    Attributes:
        id: Of the hold.
        kind: What it belongs to.
        ground: The code of its ground.
        recordings: How many of the recordings it keeps.
    """

    id: UUID
    kind: HoldKind
    ground: str
    recordings: int


@frozen(kw_only=True)
class ErasurePreview:
    """What an erasure would take away, and what stands against it.

    Attributes:
        recordings: How many recordings.
        bytes: Bytes of their content, copies included.
        parts: How many parts: sound, chats, transcripts, masked copies.
        spooled: How many of them are still in the spool, live or on their way in.
        erased: How many were erased before, or are being erased; they count nowhere else.
        holds: Which holds stand against it; it is refused while there is one.
        disclosures: Ids of the entries of the disclosure register whose recipients must be told (Art. 19).
    """

    recordings: int
    bytes: int
    parts: int
    spooled: int
    erased: int
    holds: tuple[HoldAgainst, ...]
    disclosures: tuple[UUID, ...]


@frozen(kw_only=True)
class Erasure:
    """What became of one erasure.

    Attributes:
        id: A UUID of version 7; None if all was erased before.
        recording_ids: Which recordings it took away, those included that were erased before.
        outcome: Whether all is gone.
        disclosures: Ids of the entries of the disclosure register whose recipients must be told (Art. 19).
    """

    id: UUID | None
    recording_ids: tuple[UUID, ...]
    outcome: Outcome = field(validator=instance_of((Complete, Pending, Incomplete)))
    disclosures: tuple[UUID, ...] = ()
