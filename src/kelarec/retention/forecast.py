"""What ends when: recordings and bytes by date, those that holds keep apart (notice, section 9)."""

from datetime import date

from attrs import frozen
from sqlalchemy import ColumnElement, Connection, func, select
from sqlalchemy.sql.elements import KeyedColumnElement

from kelarec.storage import catalog_tables as tables
from kelarec.storage.recordings import to_date
from kelarec.storage.vault import Vault

_ROWS = tables.recordings.c


@frozen(kw_only=True)
class Ending:
    """What one date ends.

    Attributes:
        on: The last day kept, or of what is held the date of the hold's review.
        recordings: How many.
        bytes: Bytes of their content, copies included; sealing adds about one in a thousand.
        unmeasured: How many of them a library of schema 1 has written, which kept no size; their bytes are not counted.
    """

    on: date
    recordings: int
    bytes: int
    unmeasured: int


@frozen(kw_only=True)
class Forecast:
    """What ends by itself and what a hold keeps, each by date, earliest first."""

    ending: tuple[Ending, ...]
    held: tuple[Ending, ...]


def forecast(vault: Vault) -> Forecast:
    """Count recordings and bytes by the date that ends them; one look at an index of the catalog, none at the objects.

    Raises:
        CatalogError: The catalog cannot be read.
    """
    with vault.database.begin() as connection:
        return Forecast(
            ending=_count(connection, _ROWS.kept_through, _ROWS.held_through.is_(None)),
            held=_count(connection, _ROWS.held_through, _ROWS.held_through.is_not(None)),
        )


def _count(connection: Connection, by: KeyedColumnElement[int], condition: ColumnElement[bool]) -> tuple[Ending, ...]:
    size = _ROWS.bytes
    counted = select(by, func.count(), func.coalesce(func.sum(size), 0), func.count(size)).where(condition)
    return tuple(
        Ending(on=to_date(day), recordings=count, bytes=int(total), unmeasured=count - measured)
        for day, count, total, measured in connection.execute(counted.group_by(by).order_by(by))
    )
