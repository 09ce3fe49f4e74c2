"""What the notice or the law does not allow."""

from kelarec.errors._base import KelarecError


class PolicyError(KelarecError, PermissionError):
    """The notice or the law does not allow it."""

    code = "policy"


class OutsideNoticeError(PolicyError):
    """The privacy notice does not cover this."""

    code = "outside-notice"
    default_advice = "Declare it in the register first, or do not store it."


class UnknownLineError(OutsideNoticeError):
    """The register declares no such line."""

    code = "unknown-line"
    default_advice = "Declare the line in the register, or correct the contact."


class DeniedError(PolicyError):
    """The access rule says no; the denial is in the log.

    Attributes:
        clause: The first clause of the rule that was false.
    """

    code = "denied"

    def __init__(
        self, happened: str, *, lost: str = "nothing", advice: str | None = None, clause: str = "unknown"
    ) -> None:
        super().__init__(happened, lost=lost, advice=advice)
        self.clause = clause

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_denied, (type(self), self.happened, self.lost, self.advice, self.clause))


def _rebuild_denied(kind: type[DeniedError], happened: str, lost: str, advice: str, clause: str) -> DeniedError:
    return kind(happened, lost=lost, advice=advice, clause=clause)


class UnknownCallerError(PolicyError):
    """The application's authenticator does not say who the caller is; the attempt is in the log."""

    code = "unknown-caller"
    default_advice = "Log in again."


class StandingDisclosureError(OutsideNoticeError):
    """A standing or recurring disclosure was asked for; the notice has none (notice, section 7)."""

    code = "standing-disclosure"
    default_advice = "Disclose once, to one recipient, on one legal ground; ask anew for the next time."


class ExpiredError(DeniedError):
    """The recording's retention has ended; nothing may be read any more (notice, section 9)."""

    code = "expired"


class HeldError(PolicyError):
    """A hold keeps a recording that was to go; an erasure is never carried out under another's hold."""

    code = "held"
    default_advice = "Release the hold first, or leave out what it keeps."


class NotResidentError(PolicyError):
    """Data or keys would leave the EU/EEA, or might (notice, section 8)."""

    code = "not-resident"
    default_advice = "Use a place in the EU/EEA and declare its country."


class ResidencyUnknownError(NotResidentError):
    """Where data or keys lie could not be told; that is refused like a place elsewhere (notice, section 8)."""

    code = "residency-unknown"
    default_advice = "Use a place whose provider tells its region, or declare what it does not tell."


class SamePersonError(DeniedError):
    """Who wants to release a hold has placed it; a second person has to (notice, section 10)."""

    code = "same-person"
    default_advice = "Ask a colleague whose role grants it."


class DateClosedError(PolicyError):
    """A date is being ended or has ended; nothing may be stored or held under it any more (notice, section 9)."""

    code = "date-closed"
    default_advice = "Nothing was stored or held. If the date is not over, a clock was wrong: see the log."
