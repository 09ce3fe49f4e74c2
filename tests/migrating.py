"""A process that migrates a catalog, is killed at one point after the other, and tells the shapes that are left.

The steps are for tests only.
The first step adds a column and a table and fills them; the second takes a column away from the sight of the version
before, which may then write no more.
"""

import os
import signal
import sys
from itertools import count
from typing import Any, Final

from sqlalchemy import Connection, event, inspect, text

from kelarec import Place
from kelarec.storage import catalog_tables as tables
from kelarec.storage.engine import Database, find_catalog_fact, open_database
from kelarec.storage.migrations import Step, migrate


def _fill(connection: Connection) -> None:
    connection.execute(text("UPDATE recordings SET mood = 'calm'"))
    connection.execute(text("INSERT INTO moods (name) VALUES ('calm')"))


BASE: Final = tables.SCHEMA_VERSION

EXPAND = Step(
    BASE + 1,
    BASE,
    (
        "ALTER TABLE recordings ADD COLUMN mood VARCHAR(16)",
        "CREATE TABLE moods (name VARCHAR(16) PRIMARY KEY)",
        "CREATE INDEX recordings_by_mood ON recordings (mood)",
        _fill,
    ),
)
LEARN = Step(BASE + 2, BASE + 1, ("DROP INDEX recordings_by_mood", "ALTER TABLE moods ADD COLUMN weight INTEGER"))


def read_shape(database: Database) -> tuple[str | None, str | None, str]:
    """Return schema, oldest writer, and all that is there of what the steps make."""
    with database.begin() as connection:
        found = inspect(connection)
        there = {column["name"] for column in found.get_columns("recordings")} & {"mood"}
        there |= {str(index["name"]) for index in found.get_indexes("recordings")} & {"recordings_by_mood"}
        if found.has_table("moods"):
            there |= {"moods", *({column["name"] for column in found.get_columns("moods")} & {"weight"})}
            there |= set(connection.execute(text("SELECT name FROM moods")).scalars())
        facts = find_catalog_fact(connection, "schema"), find_catalog_fact(connection, "oldest-writer")
    return *facts, " ".join(sorted(there))


OLD: Final = (str(BASE), None, "")
EXPANDED: Final = (str(BASE + 1), str(BASE), "calm mood moods recordings_by_mood")
LEARNED: Final = (str(BASE + 2), str(BASE + 1), "calm mood moods weight")


def kill_at(what: str, point: int, database: Database) -> None:
    """Die without a word before a statement or a commit."""
    passed = [0]

    def pass_by(*_: Any) -> None:  # noqa: ANN401  whatever the event tells
        passed[0] += 1
        if passed[0] == point:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(database._engine, "before_cursor_execute" if what == "statement" else "commit", pass_by)


def migrate_and_die(catalog_url: str, what: str, point: int) -> bool:
    """Migrate in a child process that dies at a point; return whether it got to the end."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    opened = open_database(Place(catalog_url, "FI"), must_exist=True)
    kill_at(what, point, opened)
    migrate(opened, steps=[EXPAND, LEARN], known=BASE + 2)
    os._exit(0)


def look(catalog_url: str) -> str:
    """Return the shape of a catalog as a line of text."""
    opened = open_database(Place(catalog_url, "FI"), must_exist=True)
    try:
        return repr(read_shape(opened))
    finally:
        opened.close()


if __name__ == "__main__":
    for number in count(1):
        is_done = migrate_and_die(sys.argv[1], sys.argv[2], number)
        sys.stdout.write(f"{look(sys.argv[1])}\n")
        if is_done:
            break
