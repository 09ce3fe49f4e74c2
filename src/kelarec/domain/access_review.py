"""What a second person has to look at: the sessions in which somebody broke the glass."""

from datetime import datetime
from uuid import UUID

from attrs import field, frozen
from attrs.validators import instance_of

from kelarec.domain.codes import is_code
from kelarec.domain.free_text import require_text
from kelarec.domain.instants import to_utc
from kelarec.domain.people import StaffId


def _to_text(text: object) -> str:
    return require_text(text, "text of the review")


@frozen(kw_only=True)
class AccessReview:
    """A session without a duty that nobody else has looked at yet; what was done in it is in the log under its id.

    Attributes:
        session_id: The session.
        staff_id: Who broke the glass.
        purpose: What for, the register's code.
        matter: The case or request.
        reason: Why there was no time for a duty.
        begun_at: When it began, UTC.
        ends_at: The first UTC instant at which it waived nothing more.
    """

    session_id: UUID = field(validator=instance_of(UUID))
    staff_id: StaffId = field(validator=instance_of(StaffId))
    purpose: str = field(validator=is_code)
    matter: str = field(converter=_to_text)
    reason: str = field(converter=_to_text)
    begun_at: datetime = field(converter=to_utc)
    ends_at: datetime = field(converter=to_utc)
