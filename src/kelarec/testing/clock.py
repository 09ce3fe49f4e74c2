"""A clock that stands still until it is moved."""

from datetime import UTC, datetime, timedelta
from typing import Final

from kelarec.domain.instants import to_utc

USUAL_START: Final = datetime(2026, 3, 5, 8, 0, tzinfo=UTC)


class ManyClocks:
    """This machine's clock and others, each moved by hand: give it to an archive as ``clock=``.

    Args:
        own: This machine's.
        others: By the names by which errors call them.
    """

    def __init__(self, own: "MovableClock", **others: "MovableClock") -> None:
        self.own = own
        self.others = others

    def __call__(self) -> datetime:
        """Return the present by this machine's clock."""
        return self.own()

    def ask_others(self, database: object, objects: object, probe: str) -> dict[str, datetime]:  # noqa: ARG002
        """Return the present by the others."""
        return {name: clock() for name, clock in self.others.items()}


class MovableClock:
    """Give it to an archive as ``clock=`` and move it by hand.

    Raises:
        NaiveInstantError: It is set to an instant without a time zone.
    """

    def __init__(self, at: datetime = USUAL_START) -> None:
        self._at = to_utc(at)

    def __call__(self) -> datetime:
        """Return the present, UTC."""
        return self._at

    def move(self, by: timedelta) -> None:
        """Move it ahead, or back by a negative time."""
        self._at += by

    def set(self, at: datetime) -> None:
        """Set it to an instant."""
        self._at = to_utc(at)
