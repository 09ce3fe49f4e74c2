"""Values that cannot be built."""

from collections.abc import Iterable
from typing import NamedTuple

from kelarec.errors._base import KelarecError

_SHOWN = 100


class InvalidValueError(KelarecError, ValueError):
    """A value breaks its own rule."""

    code = "invalid-value"


class InvalidIdentityCodeError(InvalidValueError):
    """A personal identity code (henkilötunnus) is not one."""

    code = "invalid-identity-code"
    default_advice = "Check the code at its source; it is never repeated in an error."


class InvalidPhoneNumberError(InvalidValueError):
    """A telephone number cannot be read as one."""

    code = "invalid-phone-number"
    default_advice = "Give it in international form, such as +358 20 634 11, or as dialled in Finland."


class NaiveInstantError(InvalidValueError):
    """An instant has no time zone, so nobody can say when it was."""

    code = "naive-instant"
    default_advice = "Give an aware datetime, such as datetime.now(timezone.utc)."


class EndBeforeStartError(InvalidValueError):
    """Something ends before it starts."""

    code = "end-before-start"
    default_advice = "Check the clocks of the system that reported the contact."


class InvalidHoldError(InvalidValueError):
    """A hold has no ground, no reason or no review date, or one that it cannot have."""

    code = "invalid-hold"
    default_advice = "Name a ground of domain.hold.GROUNDS, a reason, and a review date at most a year ahead."


class ReviewTooFarError(InvalidHoldError):
    """A hold was to be reviewed more than a year from now."""

    code = "review-too-far"
    default_advice = "Choose a review date at most a year ahead; it can be moved on then."


class UnknownHoldError(InvalidValueError, LookupError):
    """There is no such hold, or it was released before."""

    code = "unknown-hold"
    default_advice = "See retention.list_holds."


class EmptyContentError(InvalidValueError):
    """A recording without content was to be stored."""

    code = "empty-content"
    default_advice = "Report a contact without content as a gap instead of storing it."


class LooksLikeIdentifierError(InvalidValueError):
    """A free text that goes into the log looks like it holds a person's identifier."""

    code = "looks-like-identifier"
    default_advice = "Use a case reference that does not name a person."


class UnreadableAudioError(InvalidValueError):
    """Audio content cannot be read as what it is: it is of an unknown form or codec, or was cut."""

    code = "unreadable-audio"
    default_advice = "Store a whole file: WAV (PCM, G.711 A-law or µ-law), FLAC, Ogg or MP3."


class MediaTypeMismatchError(InvalidValueError):
    """Content is something else than its sender says."""

    code = "media-type-mismatch"
    default_advice = "Declare what it is, or send what was declared; nothing was stored."


class CodecMismatchError(InvalidValueError):
    """The bytes of a take are of another codec than the one it was begun with."""

    code = "codec-mismatch"
    default_advice = "Begin the take with the form in which the sound comes."


class OutOfOrderError(InvalidValueError):
    """A chat message was sent before the one that came in before it."""

    code = "out-of-order"
    default_advice = "Say messages in the order in which they were sent."


class ContactTakenError(InvalidValueError):
    """A contact is being taken already."""

    code = "contact-taken"
    default_advice = "Use the take that is live, or finish it first."


class Fault(NamedTuple):
    """One thing that is wrong in a document.

    Attributes:
        place: Where, as a path: ``purposes[1].label.sv``.
        sentence: What is wrong there.
    """

    place: str
    sentence: str


class ManifestFault(NamedTuple):
    """One thing that is wrong in the manifest of an import, or in a file that it names; it repeats no cell.

    Attributes:
        row: The line of the manifest on which the row begins; the first line is 1.
        column: Which column, or None if it is the row as a whole.
        sentence: What is wrong.
        advice: What to do.
    """

    row: int
    column: str | None
    sentence: str
    advice: str


class ManifestFaultsError(InvalidValueError):
    """A manifest has faults, so nothing of it was imported.

    Attributes:
        faults: Every fault, in the order of the rows; the message names the first hundred.
    """

    code = "manifest-faults"
    default_advice = "Mend each row; nothing was imported."

    def __init__(self, faults: Iterable[ManifestFault], *, advice: str | None = None) -> None:
        self.faults = tuple(faults)
        shown = self.faults[:_SHOWN]
        listed = "".join(
            f"\n  row {row}{'' if column is None else f', {column}'}: {sentence} {fault_advice}"
            for row, column, sentence, fault_advice in shown
        )
        more = f"\n  and {len(self.faults) - len(shown)} more" if len(self.faults) > len(shown) else ""
        super().__init__(f"The manifest has faults: {len(self.faults)}.{listed}{more}\n", advice=advice)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_manifest_faults, (self.faults, self.advice))


def _rebuild_manifest_faults(faults: tuple[ManifestFault, ...], advice: str) -> ManifestFaultsError:
    return ManifestFaultsError(faults, advice=advice)


class RegisterFaultsError(InvalidValueError):
    """A document does not describe a register.

    Attributes:
        faults: Every fault: those of single fields in their order, then those between parts.
    """

    code = "register-faults"
    default_advice = "Mend each place; nothing was loaded."

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        listed = "".join(f"\n  {place}: {sentence}" for place, sentence in self.faults)
        super().__init__(f"The document has faults: {len(self.faults)}.{listed}\n")

    def __reduce__(self) -> tuple[object, ...]:
        return (RegisterFaultsError, (self.faults,))


class VersionFaultsError(InvalidValueError):
    """A version of a register may not follow those that an archive has adopted.

    Attributes:
        faults: Every fault: where, and what is wrong there.
    """

    code = "version-faults"
    default_advice = "Mend each place; nothing was adopted."

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        listed = "".join(f"\n  {place}: {sentence}" for place, sentence in self.faults)
        super().__init__(f"The version cannot follow: {len(self.faults)} faults.{listed}\n")

    def __reduce__(self) -> tuple[object, ...]:
        return (VersionFaultsError, (self.faults,))
