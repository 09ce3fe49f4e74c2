"""A change of what is known of a staff member: one person proposes it, another confirms it (notice, section 10)."""

from datetime import datetime
from uuid import UUID

from attrs import field, frozen
from attrs.validators import instance_of, optional

from kelarec.domain.instants import to_utc
from kelarec.domain.people import StaffId
from kelarec.domain.staff import StaffMember


@frozen(kw_only=True)
class StaffChange:
    """What one person proposed about another and nobody has decided yet.

    Attributes:
        id: A UUID of version 7.
        member: How the staff member is to be known.
        replaces: The version that was in force when it was proposed, or None for somebody new.
        proposed_by: Who proposed it; somebody else confirms it.
        proposed_at: When, UTC.
    """

    id: UUID = field(validator=instance_of(UUID))
    member: StaffMember = field(validator=instance_of(StaffMember))
    replaces: str | None = field(default=None, validator=optional(instance_of(str)), repr=False)
    proposed_by: StaffId = field(validator=instance_of(StaffId))
    proposed_at: datetime = field(converter=to_utc)
