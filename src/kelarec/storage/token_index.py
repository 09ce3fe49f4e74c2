"""Which ids lie under some tokens, asked of the driver with a statement that is compiled once.

SQLAlchemy would write a list of hundreds of tokens into its statement anew each time, which takes longer than to look
them up.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ARRAY, Connection, LargeBinary, Select, any_, bindparam, select

from kelarec.storage import catalog_tables as tables
from kelarec.storage.compiled import execute_now

MOST_TOKENS: Final = 30_000
"""How many tokens one statement takes; SQLite knows no more than 32,766 parameters."""


def list_recording_ids(connection: Connection, tokens: Sequence[bytes], *, at_most: int) -> list[bytes]:
    """Return ids of recordings that lie under some tokens, each once, at most so many.

    Args:
        connection: In a transaction.
        tokens: No more than `MOST_TOKENS`.
        at_most: How many ids are wanted.
    """
    if not tokens:
        return []
    if connection.dialect.name == "postgresql":
        found = execute_now(connection, _UNDER_ARRAY, {"tokens": list(tokens)})
    else:
        values = {f"token_{number}": token for number, token in enumerate(tokens)}
        found = execute_now(connection, _under(len(tokens)), values)
    rows = found.fetchmany(at_most)
    found.close()
    return [row[0] for row in rows]


def select_recording_ids(tokens: Sequence[bytes]) -> Select[tuple[bytes]]:
    """Return the query for every recording under some tokens, to stand within another one."""
    return select(tables.tokens.c.recording_id).where(tables.tokens.c.token.in_(tokens))


def _select(condition: Any) -> Select[tuple[bytes]]:  # noqa: ANN401  SQLAlchemy's own, of several types
    return select(tables.tokens.c.recording_id).where(condition).distinct()


@lru_cache(maxsize=32)
def _under(count: int) -> Select[tuple[bytes]]:
    return _select(tables.tokens.c.token.in_([bindparam(f"token_{number}") for number in range(count)]))


_UNDER_ARRAY: Final = _select(tables.tokens.c.token == any_(bindparam("tokens", type_=ARRAY(LargeBinary))))
