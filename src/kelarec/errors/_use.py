"""Things used at the wrong time or in the wrong place."""

from kelarec.errors._base import KelarecError
from kelarec.errors._storage import StorageError


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


class ImportRunningError(KelarecError, RuntimeError):
    """Another import into the archive is at work, or has taken this one's place."""

    code = "import-running"
    default_advice = "Wait until it has ended and import again: what is in the archive is not imported twice."


class DirectoryError(KelarecError, RuntimeError):
    """The directory of staff cannot be asked, so nobody can be told from anybody; nothing was given."""

    code = "directory"
    default_advice = "Mend the directory that the archive was opened with, and repeat."


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


class ClocksDisagreeError(ClockError):
    """Clocks say times too far apart, so nobody knows what is over and nothing was destroyed."""

    code = "clocks-disagree"
    default_advice = "Set the clocks right and sweep again; meanwhile nothing of what is due can be read."


class MissingExtraError(KelarecError, ImportError):
    """Something needs packages that come with an extra of kelarec."""

    code = "missing-extra"

    @classmethod
    def of(cls, extra: str) -> "MissingExtraError":
        """Return the error for one extra."""
        return cls(f"The packages of kelarec[{extra}] are not installed.", advice=f"pip install 'kelarec[{extra}]'")
