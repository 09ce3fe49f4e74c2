"""What time it is when keys are to be destroyed: the earlier one, if all clocks agree and none contradicts the log.

A key that died too early is lost for good, so that nothing is destroyed when nobody can say what is over.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from kelarec.errors import ClockError, ClocksDisagreeError
from kelarec.storage.clocks import read_clocks
from kelarec.storage.vault import Vault

GRACE: Final = timedelta(hours=1)
"""How long after the end of a date its keys die."""

FURTHEST_APART: Final = timedelta(minutes=5)
"""How far clocks may be apart; keys die an hour after the end, so that this much does no harm."""


def find_time(vault: Vault) -> datetime:
    """Return the earliest time that any clock tells.

    Raises:
        ClocksDisagreeError: Two clocks are further apart than five minutes.
        StorageError: The clock of the database or the object store cannot be asked.
    """
    told = read_clocks(vault.clock, vault.database, vault.objects, vault.randomness(12).hex())
    first, last = min(told, key=lambda name: told[name]), max(told, key=lambda name: told[name])
    if told[last] - told[first] > FURTHEST_APART:
        raise ClocksDisagreeError(
            f"The clocks do not agree: {first} says {told[first]:%Y-%m-%dT%H:%M:%SZ}, "
            f"{last} says {told[last]:%Y-%m-%dT%H:%M:%SZ}; nothing was destroyed."
        )
    return told[first]


def require_after_log(now: datetime, find_newest: Callable[[], datetime | None]) -> None:
    """Check that the log holds no entry of a later time than now: then this clock, or the one that wrote it, is wrong.

    Raises:
        ClockError: It does.
    """
    newest = find_newest()
    if newest is not None and newest > now + FURTHEST_APART:
        raise ClockError(
            f"The log holds an entry of {newest:%Y-%m-%dT%H:%M:%SZ}, and now it is {now:%Y-%m-%dT%H:%M:%SZ}; nothing "
            "was destroyed.",
            advice="Check the clocks of all machines. If this one is right, name the dates that are due in catch_up.",
        )
