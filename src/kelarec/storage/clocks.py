"""Clocks: this machine's, and those of the database and the object store, through the one port that is injected.

A plain callable is a single clock: then nobody can tell that it is wrong, and a sweep ends three dates at most. A clock
that is also a `Clocks` knows others to compare itself with before keys are destroyed.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, Protocol, runtime_checkable

from kelarec.domain.instants import to_utc
from kelarec.storage.engine import Database
from kelarec.storage.objects import ObjectPlace

Clock = Callable[[], datetime]

HERE: Final = "this machine"
_PROBE: Final = "clock"


@runtime_checkable
class Clocks(Protocol):
    """This machine's clock, and others to compare it with."""

    def __call__(self) -> datetime:
        """Return the present by this machine's clock, as an aware instant."""
        ...

    def ask_others(self, database: Database, objects: ObjectPlace, probe: str) -> Mapping[str, datetime]:
        """Return the present by other clocks, each with the name by which errors call it.

        Args:
            database: The catalog, whose server may have a clock.
            objects: The place of the objects, whose server may have one.
            probe: A path at which no object lies, for `ObjectPlace.read_clock`.

        Raises:
            StorageError: One does not answer.
        """
        ...


def read_other_clocks(database: Database, objects: ObjectPlace, probe: str) -> dict[str, datetime]:
    """Return the present by the clocks of the database server and the object store, of those that have one.

    Raises:
        StorageError: One does not answer.
    """
    told = {"the database": database.read_clock(), "the object store": objects.read_clock(probe)}
    return {name: to_utc(at) for name, at in told.items() if at is not None}


def read_clocks(clock: Clock, database: Database, objects: ObjectPlace, name: str) -> dict[str, datetime]:
    """Return the present by every clock there is, this machine's first.

    Raises:
        StorageError: One does not answer.
        NaiveInstantError: One gives an instant without a time zone.
    """
    others = clock.ask_others(database, objects, f"{_PROBE}/{name}") if isinstance(clock, Clocks) else {}
    return {HERE: to_utc(clock()), **{each: to_utc(at) for each, at in others.items()}}
