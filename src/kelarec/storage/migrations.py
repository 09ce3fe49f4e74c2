"""Migrations: numbered steps from one schema of the catalog to the next, each in one transaction.

A change goes in two steps. The first only adds, so that a library of the schema before may go on writing. The second,
a release later, takes away what nobody uses any more. Each step says which is the oldest schema whose library may
write after it.
"""

from collections.abc import Callable, Sequence
from typing import Final

from attrs import field, frozen
from attrs.validators import ge, instance_of
from sqlalchemy import Connection, delete, insert, select

from kelarec.errors import CatalogError, FormatTooNewError
from kelarec.storage import catalog_tables as tables
from kelarec.storage.engine import Database

_SCHEMA: Final = "schema"
_OLDEST_WRITER: Final = "oldest-writer"
_TURN: Final = "migrations"


@frozen
class Step:
    """One step, from the schema just before.

    Attributes:
        schema: The version that it leads to.
        oldest_writer: The oldest schema whose library may write afterwards.
        changes: What is done, in order: a statement, or what runs several.
    """

    schema: int = field(validator=[instance_of(int), ge(2)])
    oldest_writer: int = field(validator=[instance_of(int), ge(1)])
    changes: tuple[str | Callable[[Connection], object], ...]


STEPS: Final[tuple[Step, ...]] = (
    Step(
        schema=2,
        oldest_writer=1,  # it leaves the size empty, which is counted as unknown
        changes=(
            "ALTER TABLE recordings ADD COLUMN bytes BIGINT",
            "DROP INDEX recordings_by_end",
            "CREATE INDEX recordings_by_end ON recordings (kept_through, held_through, bytes)",
            tables.registers.create,
            tables.closed_dates.create,
            f"CREATE INDEX entries_of_erasures ON entries (recording_id, kind) WHERE {tables.tells_of_erasures}",
        ),
    ),
)


def migrate(database: Database, *, steps: Sequence[Step] = STEPS, known: int = tables.SCHEMA_VERSION) -> int:
    """Bring a catalog to the schema that this version knows; return how many steps it took.

    Each step is done or not done, never half; two processes that migrate at once take turns.

    Args:
        database: The catalog.
        steps: In order; each leads one schema further.
        known: The schema of this library.

    Raises:
        FormatTooNewError: The schema is newer, and its library no longer lets one of this version write.
        CatalogError: The catalog does not say its schema, no step leads on from it, or the database refuses.
    """
    by_schema = {step.schema: step for step in steps}
    taken = 0
    while _require_known(database, known) < known:
        with database.begin() as connection:
            database.take_turn(connection, _TURN)
            schema = _read_schema(connection)
            if schema >= known:  # another process was quicker
                continue
            if schema + 1 not in by_schema:
                raise CatalogError(
                    f"No step leads on from schema {schema} of the catalog.", advice="Rebuild it from the objects."
                )
            _take(connection, by_schema[schema + 1])
        taken += 1
    return taken


def _take(connection: Connection, step: Step) -> None:
    for change in step.changes:
        if isinstance(change, str):
            connection.exec_driver_sql(change)
        else:
            change(connection)
    facts = {_SCHEMA: str(step.schema), _OLDEST_WRITER: str(step.oldest_writer)}
    connection.execute(delete(tables.catalog).where(tables.catalog.c.name.in_(facts)))
    connection.execute(insert(tables.catalog), [{"name": name, "value": value} for name, value in facts.items()])


def _require_known(database: Database, known: int) -> int:
    with database.begin() as connection:
        schema = _read_schema(connection)
        oldest_writer = _read_number(connection, _OLDEST_WRITER, schema)
    if schema > known and oldest_writer > known:
        raise FormatTooNewError(f"The catalog's schema is of version {schema}.")
    return schema


def _read_schema(connection: Connection) -> int:
    return _read_number(connection, _SCHEMA, 0) or _raise_nameless()


def _read_number(connection: Connection, name: str, default: int) -> int:
    wanted = select(tables.catalog.c.value).where(tables.catalog.c.name == name)
    value = connection.execute(wanted).scalar_one_or_none()
    if value is None:
        return default
    return int(value) if str(value).isdigit() else _raise_nameless()


def _raise_nameless() -> int:
    raise CatalogError("The catalog does not say its schema's version.", advice="Rebuild it from the objects.")
