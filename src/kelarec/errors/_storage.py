"""Places, and what lies in them."""

from kelarec.errors._base import KelarecError


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


class FormatTooNewError(StorageError):
    """Something was written by a newer kelarec."""

    code = "format-too-new"
    default_advice = "Upgrade kelarec; nothing was changed."
