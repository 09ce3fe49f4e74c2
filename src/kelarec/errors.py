"""Every error that kelarec raises on purpose.

Each says what happened, what was lost (nothing, if it can be so) and what to do. None carries an identity code, a key
or content. ``code`` is stable and meant for programs; the message is meant for people.
"""

from collections.abc import Iterable
from typing import ClassVar, NamedTuple


class KelarecError(Exception):
    """What all errors of kelarec have in common.

    Attributes:
        code: A stable word for programs.
        lost: What was lost; "nothing" if nothing was.
        advice: What the reader can do about it.
    """

    code: ClassVar[str] = "kelarec"
    default_advice: ClassVar[str] = ""

    def __init__(self, happened: str, *, lost: str = "nothing", advice: str | None = None) -> None:
        self.happened = happened
        self.lost = lost
        self.advice = self.default_advice if advice is None else advice
        super().__init__(happened)

    def __str__(self) -> str:
        lost = "" if self.lost == "nothing" else f" Lost: {self.lost}."
        advice = f" {self.advice}" if self.advice else ""
        return f"{self.happened}{lost}{advice}"

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.happened, self.lost, self.advice))


def _rebuild(kind: type[KelarecError], happened: str, lost: str, advice: str) -> KelarecError:
    return kind(happened, lost=lost, advice=advice)


# Values that cannot be built -----------------------------------------------------------------------------------------


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


class EmptyContentError(InvalidValueError):
    """A recording without content was to be stored."""

    code = "empty-content"
    default_advice = "Report a contact without content as a gap instead of storing it."


class LooksLikeIdentifierError(InvalidValueError):
    """A free text that goes into the log looks like it holds a person's identifier."""

    code = "looks-like-identifier"
    default_advice = "Use a case reference that does not name a person."


class UnreadableAudioError(InvalidValueError):
    """Audio content is not the WAV file that it should be."""

    code = "unreadable-audio"
    default_advice = "Store a whole WAV file: PCM, G.711 A-law or µ-law."


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


# The notice, and who may do what -------------------------------------------------------------------------------------


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


class NotResidentError(PolicyError):
    """Data or keys would leave the EU/EEA, or might (notice, section 8)."""

    code = "not-resident"
    default_advice = "Use a place in the EU/EEA and declare its country."


class ResidencyUnknownError(NotResidentError):
    """Where data or keys lie could not be told; that is refused like a place elsewhere (notice, section 8)."""

    code = "residency-unknown"
    default_advice = "Use a place whose provider tells its region, or declare what it does not tell."


# Storage, keys, integrity --------------------------------------------------------------------------------------------


class StorageError(KelarecError, OSError):
    """A place cannot be used as asked."""

    code = "storage"

    def __str__(self) -> str:
        return KelarecError.__str__(self)


class UnknownSchemeError(StorageError):
    """No backend is known for a URL."""

    code = "unknown-scheme"


class UnreachableError(StorageError):
    """A place does not answer, or not in time: whether something is so could not be told.

    What was to be written may be there or not, what was to be deleted may be gone or not; nothing is acknowledged.
    """

    code = "unreachable"
    default_advice = "Nothing was acknowledged. Check the network and the server, and do it again."


class CredentialsRefusedError(StorageError, PermissionError):
    """A place answers, but refuses these credentials, or has none to go by."""

    code = "credentials-refused"
    default_advice = "Check the credentials in the environment or of the callback, and what they may do there."


class PlaceNotFoundError(StorageError):
    """The bucket or container that a place names does not exist."""

    code = "place-not-found"
    default_advice = "Make it first, in the country that the place declares; kelarec makes folders, never buckets."


class PlaceOverlapError(StorageError):
    """Two places that must be apart contain one another."""

    code = "place-overlap"
    default_advice = "Give keys and objects folders or buckets of their own, neither inside the other."


class KeyPlaceVersionedError(StorageError):
    """The place of the keys keeps old versions, so a destroyed key would live on."""

    code = "key-place-versioned"
    default_advice = "Give the keys a bucket without versioning; suspending it leaves the versions that are there."


class KeyCopyAwayError(StorageError):
    """One of the two copies of the keys cannot be had, so nothing can be said to be written or destroyed."""

    code = "key-copy-away"
    default_advice = "Bring the copy back and try again; until then keys are read from the other one."


class ArchiveExistsError(StorageError):
    """A place that should be empty is not."""

    code = "archive-exists"
    default_advice = "Open it with Archive.open, or choose an empty place."


class ArchiveNotFoundError(StorageError):
    """There is no archive at a place."""

    code = "archive-not-found"
    default_advice = "Create it with Archive.create, or correct the place."


class ObjectNotFoundError(StorageError):
    """An object is not there."""

    code = "object-not-found"


class ObjectExistsError(StorageError):
    """An object would have been overwritten; nothing is ever overwritten."""

    code = "object-exists"


class CatalogError(StorageError):
    """The catalog cannot be used as asked."""

    code = "catalog"


class CatalogBusyError(CatalogError):
    """Others hold the catalog for longer than one waits."""

    code = "catalog-busy"


class CatalogReadOnlyError(CatalogError):
    """The catalog cannot be written, so nothing may be read from the archive either: there is no unlogged use."""

    code = "catalog-read-only"


class CatalogFullError(CatalogError):
    """The catalog's medium is full."""

    code = "catalog-full"


class CatalogDamagedError(CatalogError):
    """The catalog's own structure is damaged."""

    code = "catalog-damaged"
    default_advice = "Restore it, or rebuild it from the objects."


class CatalogUnreachableError(CatalogError):
    """The database does not answer, or went away in the middle."""

    code = "catalog-unreachable"


class CatalogReplacedError(CatalogError):
    """The catalog that was opened is no longer the one in its place."""

    code = "catalog-replaced"
    default_advice = "Nothing was done. Find out who replaced it, put the right one in its place, and open again."


class ChangedMeanwhileError(CatalogError):
    """What was to be changed has been changed by somebody else since it was read."""

    code = "changed-meanwhile"
    default_advice = "Nothing was changed; read it again and decide anew."


class CatalogMismatchError(CatalogError):
    """Two catalogs claim one archive; only one may number its log entries."""

    code = "catalog-mismatch"
    default_advice = "Use the catalog named in audit/catalog; entries of the other one are not in the log."


class UnfinishedCatalogError(CatalogError):
    """A catalog is being rebuilt, or its rebuild was broken off."""

    code = "unfinished-catalog"
    default_advice = "Wait for the rebuild to end, or start it again: it goes on where it was."


class FormatTooNewError(StorageError):
    """Something was written by a newer kelarec."""

    code = "format-too-new"
    default_advice = "Upgrade kelarec; nothing was changed."


class SpoolError(StorageError):
    """The spool cannot be used as asked."""

    code = "spool"


class NoSpoolError(SpoolError):
    """A live take was to begin in an archive that was opened without a spool."""

    code = "no-spool"
    default_advice = "Name one when the archive is created or opened: spool=Place('/var/spool/kelarec', 'FI')."


class SpoolFullError(SpoolError):
    """The spool can take no more for now; what it took before is safe, what was offered was not taken."""

    code = "spool-full"
    default_advice = "Make room in the spool, or let the store come back; the take goes on by itself."


class SpoolMismatchError(SpoolError):
    """A spool holds the takes of another archive."""

    code = "spool-mismatch"
    default_advice = "Give each archive a spool of its own; nothing was changed."


class SpooledError(StorageError):
    """The content of a recording is still in the spool, so nobody can open it yet."""

    code = "spooled"
    default_advice = "Try again once the take has ended and the store answers."


class ClosedError(KelarecError, ValueError):
    """An archive, session or reader is used after its end."""

    code = "closed"


class TakeEndedError(ClosedError):
    """A take was written, or told something, after its end."""

    code = "take-ended"
    default_advice = "Begin another take of the contact: it becomes the next piece."


class TakePausedError(ClosedError):
    """A take was written while it is paused; what was offered was not taken."""

    code = "take-paused"
    default_advice = "Resume the take first."


class ForkedError(KelarecError, RuntimeError):
    """An archive or reader is used in a process forked from the one that opened it."""

    code = "forked"
    default_advice = "Open the archive anew in the child process."


class DirectoryError(KelarecError, RuntimeError):
    """The directory of staff cannot be asked, so nobody can be told from anybody; nothing was given."""

    code = "directory"
    default_advice = "Mend the directory that the archive was opened with, and repeat."


class KeyUnavailableError(KelarecError, LookupError):
    """A key is not there: destroyed on its day or before, or missing."""

    code = "key-unavailable"


class KeyPlaceMismatchError(KelarecError, ValueError):
    """The key place belongs to another archive."""

    code = "key-place-mismatch"
    default_advice = "Give the key place that was made together with these objects."


class RootKeyError(KelarecError, ValueError):
    """The root key cannot be had or is not the right one."""

    code = "root-key"


class RootKeyUnreadableError(RootKeyError):
    """The root key's file, token or service does not answer with a key."""

    code = "root-key-unreadable"


class RootKeyUnreachableError(RootKeyError):
    """The root key's service or token cannot be asked now, so whether it is the right one could not be told."""

    code = "root-key-unreachable"
    default_advice = "Try again when it answers; nothing was changed."


class WrongRootKeyError(RootKeyError):
    """The root key does not open this archive's ring key."""

    code = "wrong-root-key"
    default_advice = "Give the root key that the archive was created with, or last rotated to."


class IntegrityError(KelarecError, ValueError):
    """Stored bytes are not what was written: altered, cut, swapped or put back from elsewhere."""

    code = "integrity"
    default_advice = "Keep the damaged object for examination and restore it from a replica."


class SpoolDamagedError(IntegrityError):
    """What the spool holds of a take is not what was written to it."""

    code = "spool-damaged"
    default_advice = "What is whole from the beginning on is kept and says that it was cut; examine the disk."


class KeyCopiesDifferError(IntegrityError):
    """The two copies of the keys do not hold the same."""

    code = "key-copies-differ"
    default_advice = "Finish the sweep or rotation that was cut short; if they still differ, restore the damaged copy."


class ForkedLogError(IntegrityError):
    """The log that lies in the archive and the one in the catalog are two histories."""

    code = "forked-log"
    default_advice = "Nothing was signed. Keep both for examination, and restore the newer catalog."


# What `verify` raises: objects, catalog, log and keys disagree --------------------------------------------------------


class DifferenceError(IntegrityError):
    """Objects, catalog, log and keys disagree; each difference is told by `Archive.iter_differences`.

    Attributes:
        count: How many differences of this class there are.
    """

    code = "difference"
    default_advice = "List them with iter_differences: each says what its sides hold and what to do."

    def __init__(self, happened: str, *, lost: str = "nothing", advice: str | None = None, count: int = 1) -> None:
        super().__init__(happened, lost=lost, advice=advice)
        self.count = count

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_difference, (type(self), self.happened, self.lost, self.advice, self.count))


def _rebuild_difference(
    kind: type[DifferenceError], happened: str, lost: str, advice: str, count: int
) -> DifferenceError:
    return kind(happened, lost=lost, advice=advice, count=count)


class MissingError(DifferenceError):
    """Something that the catalog or the log tells of is not there."""

    code = "missing"


class RolledBackError(DifferenceError):
    """An older version stands where the log tells of a newer one."""

    code = "rolled-back"


class AlteredError(DifferenceError):
    """Something is not as it was written."""

    code = "altered"


class LogDiffersError(DifferenceError):
    """The log in the archive does not prove itself, or the catalog's rows are not its entries."""

    code = "log-differs"


class KeysMissingError(DifferenceError):
    """Keys of a date that is not over are not there."""

    code = "keys-missing"


class OrphanedError(DifferenceError):
    """Something is there that neither the catalog nor the log accounts for."""

    code = "orphaned"


# Look-ups ------------------------------------------------------------------------------------------------------------


class CursorError(KelarecError, ValueError):
    """A cursor is none of the search that it was given to."""

    code = "cursor"
    default_advice = "Ask for the first page, and give each cursor to the very search it came from."


class RequestError(KelarecError, ValueError):
    """A subject request breaks a rule of the register or the law."""

    code = "request"


class ClockError(KelarecError, RuntimeError):
    """A clock does not say what it should, so nothing was destroyed."""

    code = "clock"


# What is not installed -----------------------------------------------------------------------------------------------


class MissingExtraError(KelarecError, ImportError):
    """Something needs packages that come with an extra of kelarec."""

    code = "missing-extra"

    @classmethod
    def of(cls, extra: str) -> "MissingExtraError":
        """Return the error for one extra."""
        return cls(f"The packages of kelarec[{extra}] are not installed.", advice=f"pip install 'kelarec[{extra}]'")
