"""Keys, and what is not as it was written."""

from kelarec.errors._base import KelarecError


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
