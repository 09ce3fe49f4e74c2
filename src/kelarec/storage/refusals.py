"""What a database refuses, by name: which of our errors each of the drivers' errors is."""

import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from kelarec.errors import (
    CatalogBusyError,
    CatalogDamagedError,
    CatalogError,
    CatalogFullError,
    CatalogReadOnlyError,
    CatalogReplacedError,
    CatalogUnreachableError,
)

# Result codes of SQLite (sqlite.org/rescode.html), the primary ones and one that extends them.
_OF_SQLITE: Final[dict[int, type[CatalogError]]] = {
    5: CatalogBusyError,
    6: CatalogBusyError,
    8: CatalogReadOnlyError,
    8 | 4 << 8: CatalogReplacedError,  # SQLITE_READONLY_DBMOVED
    11: CatalogDamagedError,
    13: CatalogFullError,
    14: CatalogUnreachableError,
    26: CatalogDamagedError,
}
_PRIMARY: Final = 0xFF
# SQLSTATE codes, or their classes, of PostgreSQL (its documentation, appendix A).
_OF_POSTGRESQL: Final[dict[str, type[CatalogError]]] = {
    "08": CatalogUnreachableError,
    "25006": CatalogReadOnlyError,
    "40": CatalogBusyError,
    "53100": CatalogFullError,
    "53": CatalogUnreachableError,
    "55P03": CatalogBusyError,
    "57014": CatalogBusyError,
    "57P": CatalogUnreachableError,
    "58": CatalogDamagedError,
    "XX": CatalogDamagedError,
}
_UNDONE: Final = "Nothing of this step was done; mend it and repeat."
_UNKNOWN: Final = "It cannot be told whether this step was done: look before you repeat it."


def name_refusal(error: SQLAlchemyError | sqlite3.Error, *, at_commit: bool) -> CatalogError:
    """Return our error for one of a driver's.

    Args:
        error: As SQLAlchemy, or SQLite's driver itself, raised it.
        at_commit: Whether the end of the transaction was being written, so that a lost server may have written it.
    """
    if isinstance(error, NoConnectionError):
        return CatalogBusyError("The catalog has no free connection.", advice=_UNDONE)
    if not isinstance(error, DBAPIError | sqlite3.Error):
        return CatalogError("The catalog cannot be used any more.", advice=_UNDONE)
    cause = error.orig if isinstance(error, DBAPIError) else error
    kind = _find_kind(cause, is_gone=isinstance(error, DBAPIError) and error.connection_invalidated)
    is_unknown = at_commit and kind is CatalogUnreachableError
    return kind(f"The catalog refuses: {_first_line(cause)}.", advice=_UNKNOWN if is_unknown else _UNDONE)


def _find_kind(cause: BaseException | None, *, is_gone: bool) -> type[CatalogError]:
    code = getattr(cause, "sqlite_errorcode", None)
    if isinstance(code, int):
        return _OF_SQLITE.get(code, _OF_SQLITE.get(code & _PRIMARY, CatalogError))
    state = getattr(cause, "sqlstate", None)
    if isinstance(state, str):
        found = (_OF_POSTGRESQL.get(state[:length]) for length in (5, 3, 2))
        return next((kind for kind in found if kind is not None), CatalogError)
    return CatalogUnreachableError if is_gone else CatalogError


def _first_line(cause: BaseException | None) -> str:
    """Return what the driver says, without the lines after it that may repeat values of a row."""
    said = str(cause).strip().splitlines()
    return said[0].rstrip(".") if said else type(cause).__name__
