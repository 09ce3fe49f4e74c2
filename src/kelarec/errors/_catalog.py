"""The catalog."""

from kelarec.errors._storage import StorageError


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
