"""Under which terms somebody works in a session."""

from datetime import datetime
from uuid import UUID

from attrs import field, frozen
from attrs.validators import instance_of, optional

from kelarec.domain.codes import is_code
from kelarec.domain.free_text import require_impersonal, require_text
from kelarec.domain.instants import to_utc
from kelarec.domain.people import StaffId
from kelarec.domain.restricted_use import RestrictedUse, to_restricted_use
from kelarec.errors import EndBeforeStartError


def _to_matter(text: object) -> str:
    return require_impersonal(text, "matter")


def _to_reason(text: object) -> str:
    return require_impersonal(text, "reason")


def _to_country(text: object) -> str:
    # One that is not in the EU/EEA is refused by the access rule, act by act, so that each refusal is in the log.
    return "" if text == "" else require_text(text, "country").upper()


@frozen(kw_only=True)
class BreakGlass:
    """An emergency that waives the duty, and nothing but the duty, until a second person reviews what was done.

    Attributes:
        reason: Why there is no time for a duty, without a person's identifier.
        ends_at: The first UTC instant at which it waives nothing more.

    Raises:
        LooksLikeIdentifierError: The reason looks like it names a person.
    """

    reason: str = field(converter=_to_reason)
    ends_at: datetime = field(converter=to_utc)


@frozen(kw_only=True)
class SessionTerms:
    """Under which terms somebody works: who, what for, which matter, from where, and until when.

    Attributes:
        id: A UUID of version 7.
        staff_id: Who works.
        purpose: The register's code of the purpose.
        matter: The case, request or training plan, without a person's identifier.
        country: Where the staff member is, ISO 3166-1 alpha-2.
        begun_at: UTC.
        ends_at: The first UTC instant at which the session is over.
        break_glass: The emergency that waives the duty, if there is one.
        restricted_use: For which use restricted recordings are needed, if for one (Art. 18(2)).

    Raises:
        LooksLikeIdentifierError: The matter looks like it names a person.
        InvalidValueError: Another field is empty or malformed.
        EndBeforeStartError: It ends before it begins.
    """

    id: UUID = field(validator=instance_of(UUID))
    staff_id: StaffId = field(validator=instance_of(StaffId))
    purpose: str = field(validator=is_code)
    matter: str = field(converter=_to_matter)
    country: str = field(converter=_to_country)
    begun_at: datetime = field(converter=to_utc)
    ends_at: datetime = field(converter=to_utc)
    break_glass: BreakGlass | None = field(default=None, validator=optional(instance_of(BreakGlass)))
    restricted_use: RestrictedUse | None = field(default=None, converter=to_restricted_use)

    def __attrs_post_init__(self) -> None:
        if self.ends_at < self.begun_at:
            raise EndBeforeStartError("The session ends before it begins.", advice="Give an end that is to come.")
