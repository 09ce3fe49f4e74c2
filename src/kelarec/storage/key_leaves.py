"""Key leaves: what is destroyed when one recording is erased before its date, or a hold's further date is given up."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from uuid import UUID

from attrs import field, frozen
from attrs.validators import instance_of, optional
from sqlalchemy import Connection

from kelarec.storage.keyring import TURN
from kelarec.storage.vault import Vault


@frozen
class KeyLeaf:
    """The key leaf of a recording in the tree of one date.

    Attributes:
        day: The recording's last day kept, or the further date that a hold gave it.
        recording_id: Whose data key it wraps.
        hold_id: By which hold, if it is a further date's.
    """

    day: date = field(validator=instance_of(date))
    recording_id: UUID = field(validator=instance_of(UUID))
    hold_id: UUID | None = field(default=None, validator=optional(instance_of(UUID)))

    @property
    def kind(self) -> str:
        """The kind of subject whose data key it wraps."""
        return "recording" if self.hold_id is None else "hold"

    @property
    def name(self) -> str:
        """What the leaf is named by, and the name of that subject."""
        return str(self.recording_id) if self.hold_id is None else f"{self.hold_id} {self.recording_id}"


def puncture_leaves(vault: Vault, connection: Connection, leaves: Iterable[KeyLeaf]) -> frozenset[KeyLeaf]:
    """Destroy key leaves for good, under the turn of the caller's transaction; return those that were alive.

    Raises:
        KeyUnavailableError: A date has no keys, or a branch of its tree is missing; earlier dates are done.
        StorageError: The key place refuses, or still shows a leaf afterwards.
        IntegrityError: The keys were altered.
    """
    vault.database.take_turn(connection, TURN)
    by_day: dict[date, dict[str, KeyLeaf]] = defaultdict(dict)
    for leaf in leaves:
        by_day[leaf.day][leaf.name] = leaf
    return frozenset(
        by_name[name] for day, by_name in sorted(by_day.items()) for name in vault.keyring.puncture(day, by_name.keys())
    )
