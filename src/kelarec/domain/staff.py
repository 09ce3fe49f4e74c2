"""Staff: who they are, what they promised, and which duties link them to a matter (notice, section 10)."""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Protocol

from attrs import field, frozen
from attrs.validators import deep_iterable, instance_of, optional

from kelarec.domain.codes import is_code, to_codes
from kelarec.domain.free_text import require_impersonal
from kelarec.domain.identity_code import PersonalIdentityCode
from kelarec.domain.people import StaffId
from kelarec.errors import EndBeforeStartError, InvalidValueError


def _to_version(text: object) -> str:
    return require_impersonal(text, "version of the commitment")


@frozen(kw_only=True)
class Commitment:
    """A confidentiality commitment (vaitiolositoumus) that a staff member signed.

    Attributes:
        text_version: The version of the text that was signed.
        signed_on: The Helsinki date from which it binds.
        ended_on: The first Helsinki date on which it binds no more, or None while it does.

    Raises:
        EndBeforeStartError: It ends before it was signed.
    """

    text_version: str = field(converter=_to_version)
    signed_on: date = field(validator=instance_of(date))
    ended_on: date | None = field(default=None, validator=optional(instance_of(date)))

    def __attrs_post_init__(self) -> None:
        if self.ended_on is not None and self.ended_on < self.signed_on:
            raise EndBeforeStartError("The commitment ends before it was signed.")

    def is_in_force(self, on: date) -> bool:
        """Whether it binds on a Helsinki date."""
        return self.signed_on <= on and (self.ended_on is None or on < self.ended_on)


class DutyKind(StrEnum):
    """What links a staff member to a recording."""

    OWN_CONTACTS = "own-contacts"
    UNIT = "unit"
    CASE = "case"
    REQUEST = "request"
    TRAINING_PLAN = "training-plan"

    @property
    def names_a_matter(self) -> bool:
        """Whether such a duty is for one case, request or plan, and not for whatever contacts somebody takes."""
        return self not in {DutyKind.OWN_CONTACTS, DutyKind.UNIT}


@frozen(kw_only=True)
class Duty:
    """A task that needs recordings, for one purpose and a time.

    Attributes:
        kind: The staff member's own contacts, those of their unit, one case, one subject request, or the recordings
            that were selected for one training plan.
        purpose: The register's code of the purpose.
        matter: The case, request or plan; None for own contacts and the unit's.
        from_on: The first Helsinki date.
        through_on: The last Helsinki date, or None while it is open.

    Raises:
        InvalidValueError: A duty for a case, request or plan names no matter, or one for contacts names one.
        EndBeforeStartError: It ends before it starts.
    """

    kind: DutyKind = field(converter=DutyKind)
    purpose: str = field(validator=is_code)
    matter: str | None = field(default=None)
    from_on: date = field(validator=instance_of(date))
    through_on: date | None = field(default=None, validator=optional(instance_of(date)))

    def __attrs_post_init__(self) -> None:
        if self.kind.names_a_matter:
            require_impersonal(self.matter, "matter of the duty")
        elif self.matter is not None:
            raise InvalidValueError("A duty for contacts names a matter.", advice="Make it a case duty.")
        if self.through_on is not None and self.through_on < self.from_on:
            raise EndBeforeStartError("The duty ends before it starts.")

    def is_in_force(self, on: date) -> bool:
        """Whether it holds on a Helsinki date."""
        return self.from_on <= on and (self.through_on is None or on <= self.through_on)


def _to_commitments(commitments: Iterable[Commitment]) -> tuple[Commitment, ...]:
    return tuple(commitments)


def _to_duties(duties: Iterable[Duty]) -> tuple[Duty, ...]:
    return tuple(duties)


@frozen(kw_only=True)
class StaffMember:
    """One who works under the controller's authority.

    Attributes:
        id: The authority's own id.
        identity_code: Theirs, so that nobody uses recordings about themselves; sealed, never in the log.
        roles: The register's codes of their roles.
        unit: The authority's code of the unit they work in, or None.
        commitments: What they signed.
        duties: What they need recordings for.
    """

    id: StaffId = field(validator=instance_of(StaffId))
    identity_code: PersonalIdentityCode = field(validator=instance_of(PersonalIdentityCode), repr=False)
    roles: frozenset[str] = field(converter=to_codes)
    unit: str | None = field(default=None, validator=optional(is_code))
    commitments: tuple[Commitment, ...] = field(
        default=(), converter=_to_commitments, validator=deep_iterable(instance_of(Commitment))
    )
    duties: tuple[Duty, ...] = field(default=(), converter=_to_duties, validator=deep_iterable(instance_of(Duty)))


class Directory(Protocol):
    """Where staff are known, such as an LDAP or HR system, if the archive is not to keep them itself.

    Whatever `find` raises is taken as "it could not be told": the act is refused and nothing is given.
    """

    def find(self, staff_id: StaffId) -> StaffMember | None:
        """Return what is known of a staff member now, or None."""
        ...


class Authenticator(Protocol):
    """Tells who the caller is, from whatever the application holds: a token, a request, a session of its own."""

    def authenticate(self, credential: object) -> StaffId:
        """Return whose credential it is; raise whatever you like if it is nobody's."""
        ...


@frozen(repr=False)
class Credential:
    """What the application's `Authenticator` tells a staff member by; never shown, logged or kept."""

    value: object = field(repr=False)

    def __repr__(self) -> str:
        return "Credential('…')"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("A credential is never pickled.")
