"""The system's clock: the one place where it is read."""

from collections.abc import Mapping
from datetime import UTC, datetime

from kelarec.storage.clocks import read_other_clocks
from kelarec.storage.engine import Database
from kelarec.storage.objects import ObjectPlace


class SystemClock:
    """This machine's clock; before keys are destroyed, those of the database server and the object store beside it."""

    def __repr__(self) -> str:
        return "SystemClock()"

    def __call__(self) -> datetime:
        """Return the present by this machine's clock."""
        return datetime.now(UTC)  # noqa: TID251  the composition root is where the system's clock enters

    def ask_others(self, database: Database, objects: ObjectPlace, probe: str) -> Mapping[str, datetime]:
        """See `kelarec.storage.clocks.Clocks.ask_others`."""
        return read_other_clocks(database, objects, probe)
