"""A departure: something in which what an archive does is not what its notice says."""

from enum import StrEnum
from uuid import UUID

from attrs import field, frozen
from attrs.validators import ge, instance_of, le, optional

from kelarec.domain.codes import is_code

LAST_SECTION = 14


class Severity(StrEnum):
    """How grave a departure is, the gravest first."""

    BREACH = "breach"
    """A promise was broken, or is being broken now."""
    LAPSE = "lapse"
    """Nothing has happened yet, but nothing keeps it from happening any more."""
    WARNING = "warning"
    """It cannot be told, or it looks like something that the notice does not allow."""


@frozen(kw_only=True)
class Departure:
    """One thing in which practice departs from the notice; it names no customer.

    Attributes:
        section: Of the notice, 1 to 14; 0 is its head, with the version.
        code: Stable, for programs.
        fact: What is so, in a sentence.
        severity: How grave it is.
        entry_id: The log entry that tells of it, if there is one.
        recording_id: The recording it is about, if it is about one.
        advice: What to do about it.
    """

    section: int = field(validator=[instance_of(int), ge(0), le(LAST_SECTION)])
    code: str = field(validator=is_code)
    fact: str = field(validator=instance_of(str))
    severity: Severity = field(converter=Severity)
    entry_id: UUID | None = field(default=None, validator=optional(instance_of(UUID)))
    recording_id: UUID | None = field(default=None, validator=optional(instance_of(UUID)))
    advice: str = field(validator=instance_of(str))

    def __str__(self) -> str:
        return f"Section {self.section}, {self.severity}: {self.fact} {self.advice}"
