"""A catalog that refuses new rows, on each database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from kelarec.storage.engine import Database

_ON_SQLITE: Final = (
    "CREATE TRIGGER refusal BEFORE INSERT ON {table} BEGIN SELECT RAISE(FAIL, 'no place'); END",
    "DROP TRIGGER refusal",
)
_ON_POSTGRESQL: Final = (
    """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no place'; END $$;
    CREATE TRIGGER refusal BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()
    """,
    "DROP TRIGGER refusal ON {table}; DROP FUNCTION refuse()",
)


@contextmanager
def refusing_inserts(database: Database, table: str) -> Iterator[None]:
    """Let a table take no rows until the end of the block; whoever tries is told that there is ``no place``."""
    with database.begin() as connection:
        begins, ends = _ON_POSTGRESQL if connection.dialect.name == "postgresql" else _ON_SQLITE
        connection.exec_driver_sql(begins.format(table=table))
    try:
        yield
    finally:
        with database.begin() as connection:
            connection.exec_driver_sql(ends.format(table=table))
