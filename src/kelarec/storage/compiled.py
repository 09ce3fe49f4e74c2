"""Statements that are compiled once for each database, so that SQLAlchemy costs a short one next to nothing.

The values are those of the driver: no type of SQLAlchemy's converts them.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, CursorResult, Delete, Dialect, Insert, Select, Update

Statement = Insert | Update | Delete | Select[Any]
Values = Mapping[str, object]


def execute_now(connection: Connection, statement: Statement, values: Values) -> CursorResult[Any]:
    """Execute a statement; the values fill its columns or bound parameters by name."""
    text, order = _compile(statement, type(connection.dialect), tuple(values))  # type: ignore[arg-type]  # a class hashes
    return connection.exec_driver_sql(text, _in_order(values, order))


def execute_all_now(connection: Connection, statement: Statement, rows: Iterable[Values]) -> None:
    """Execute a statement for each of several rows that name the same columns."""
    values = list(rows)
    if not values:
        return
    names = tuple(values[0])
    text, order = _compile(statement, type(connection.dialect), names)  # type: ignore[arg-type]  # a class hashes
    connection.exec_driver_sql(text, [_in_order(each, order) for each in values])


def insert_now(connection: Connection, statement: Insert, values: dict[str, object]) -> None:
    """Insert one row, on SQLite by the driver alone: nobody asks what came of it, so SQLAlchemy has nothing to tell."""
    if connection.dialect.name == "sqlite":
        text, order = _compile(statement, type(connection.dialect), tuple(values))  # type: ignore[arg-type]  # it hashes
        connection.connection.dbapi_connection.execute(text, _in_order(values, order))  # type: ignore[union-attr]  # open
    else:
        execute_now(connection, statement, values)


def _in_order(values: Values, order: tuple[str, ...] | None) -> dict[str, object] | tuple[object, ...]:
    return dict(values) if order is None else tuple(values[name] for name in order)


@lru_cache(maxsize=256)
def _compile(
    statement: Statement, dialect: type[Dialect], names: tuple[str, ...]
) -> tuple[str, tuple[str, ...] | None]:
    keys = list(names) if isinstance(statement, Insert | Update) else None
    compiled = statement.compile(dialect=dialect(), column_keys=keys)
    order = getattr(compiled, "positiontup", None)
    return str(compiled), None if order is None else tuple(order)
