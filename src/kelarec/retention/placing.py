"""Placing and moving holds: objects first, rows and log entry together, and what was broken off is completed."""

from contextlib import suppress
from typing import Final
from uuid import UUID

from attrs import evolve

from kelarec.audit.entries import Entry, EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.hold import Hold, HoldState
from kelarec.domain.people import Actor, System
from kelarec.errors import ChangedMeanwhileError, KelarecError
from kelarec.storage.holds import Holds, IntendedHold, Wrap
from kelarec.storage.recordings import OpenedRecord, Recordings
from kelarec.storage.vault import Vault

MOST_TRIES: Final = 5
_COMPLETION: Final = System("hold-completion")


class Placing:
    """Brings the holds of one archive into force."""

    def __init__(self, vault: Vault, log: AuditLog) -> None:
        self._vault = vault
        self._log = log
        self._recordings = Recordings(vault)
        self._holds = Holds(vault, self._recordings)

    def place(self, hold: Hold, *, by: Actor) -> None:
        """Announce a hold and place it on all its recordings, or on none.

        Raises:
            DateClosedError: A recording's last day, or the review date, is being ended.
            ChangedMeanwhileError: A recording is gone, or was changed again and again; nothing is held.
            StorageError: A place refuses. If the hold was announced before, the next sweep completes it.
        """
        intended = self._holds.write(hold)
        entry = self._entry(EntryKind.HOLD_INTENDED, intended, by)
        with (
            self._log.or_discard(lambda: self._holds.discard(hold.id)),
            self._log.transaction(entry) as connection,
        ):
            self._holds.intend(connection, intended)
        for tries_left in reversed(range(MOST_TRIES)):
            try:
                self._place(intended, by)
            except ChangedMeanwhileError:
                if self._is_placed(hold.id):  # a sweep has completed it meanwhile
                    return
                if not tries_left or len(self._open(hold)) < len(hold.recording_ids):
                    self._withdraw(hold, by)
                    raise
            else:
                return

    def complete(self, hold: Hold, *, by: Actor = _COMPLETION) -> None:
        """Place a hold that was announced by a process which did not get as far, on what there still is.

        Raises:
            ChangedMeanwhileError: A recording was changed meanwhile; the next try completes it.
        """
        there = [each.record.recording.id for each in self._open(hold)]
        if not there:
            with suppress(ChangedMeanwhileError):
                self._withdraw(hold, by)
            return
        if len(there) < len(hold.recording_ids):  # the rest is held anew, before the whole is given up
            self.place(evolve(hold, id=self._vault.new_id(), recording_ids=there), by=by)
            with suppress(ChangedMeanwhileError):
                self._withdraw(hold, by)
            return
        with self._vault.database.begin() as connection:
            intended = self._holds.find_intended(connection, hold.id)
        if intended is None:
            return
        try:
            self._place(intended, by)
        except ChangedMeanwhileError:
            if not self._is_placed(hold.id):
                raise

    def move(self, before: Hold, moved: Hold, kind: EntryKind, *, by: Actor) -> int:
        """Let a placed hold go on to another review date; return how many recordings it keeps.

        Raises:
            KeyUnavailableError: It gave up that date before.
            DateClosedError: That date is being ended.
            ChangedMeanwhileError: It was moved or released meanwhile.
            StorageError: A place refuses; it stands as it was.
        """
        with self._vault.database.begin() as connection:
            held = self._holds.find_held(connection, before.id)
        self._vault.require_keys(moved.review_on)
        wraps: list[Wrap] = []
        try:
            wraps += self._wrap(moved, held)
            intended = self._holds.write(moved)  # last: a version of a hold is there with all its wraps
            entry = self._entry(kind, intended, by, moved_from=before.review_on.isoformat())
            with self._log.transaction(entry) as connection:
                self._holds.move(connection, before, intended, wraps)
        except BaseException:
            self._discard_unless_in_force(before, moved)
            raise
        self._holds.discard_all_but(moved.id, {intended.path, *(each.path for each in wraps)})
        return len(wraps)

    def _discard_unless_in_force(self, before: Hold, moved: Hold) -> None:
        """Remove a version that did not come into force: only what the row names stays."""
        with suppress(KelarecError):  # what is left counts for nothing, and goes with the next version
            with self._vault.database.begin() as connection:
                kept = self._holds.find_paths(connection, before.id)
                found = self._holds.find(connection, before.id)
            if found is not None and found[0].revision < moved.revision and found[1] is HoldState.PLACED:
                self._holds.discard_all_but(before.id, kept)

    def _place(self, intended: IntendedHold, by: Actor) -> None:
        wraps = self._wrap(intended.hold, intended.hold.recording_ids)
        try:
            with self._log.transaction(self._entry(EntryKind.HOLD_PLACED, intended, by)) as connection:
                self._holds.place(connection, intended.hold, wraps)
        except ChangedMeanwhileError:
            self._vault.objects.delete_many([each.path for each in wraps])
            raise

    def _wrap(self, hold: Hold, recording_ids: "tuple[UUID, ...] | list[UUID]") -> list[Wrap]:
        with self._vault.database.begin() as connection:
            opened = [self._recordings.find_one(connection, each) for each in recording_ids]
        there = [each for each in opened if each is not None]
        if len(there) < len(opened):
            raise ChangedMeanwhileError("A recording to be held is gone.")
        return self._holds.wrap_all(hold, there)

    def _open(self, hold: Hold) -> list[OpenedRecord]:
        with self._vault.database.begin() as connection:
            opened = (self._recordings.find_one(connection, each) for each in hold.recording_ids)
            return [each for each in opened if each is not None]

    def _is_placed(self, hold_id: UUID) -> bool:
        with self._vault.database.begin() as connection:
            found = self._holds.find(connection, hold_id)
        return found is not None and found[1] is HoldState.PLACED

    def _withdraw(self, hold: Hold, by: Actor) -> None:
        """Give up a hold that was announced and keeps nothing; the log says that it holds nothing."""
        entry = self._log.new_entry(EntryKind.HOLD_RELEASED, by, hold=str(hold.id), outcome="not-placed")
        with self._log.transaction(entry) as connection:
            self._holds.release(connection, hold.id)
        self._holds.discard(hold.id)
        with self._vault.database.begin() as connection:
            self._holds.remove_row(connection, hold.id)

    def _entry(self, kind: EntryKind, intended: IntendedHold, by: Actor, **facts: str) -> Entry:
        hold = intended.hold
        return self._log.new_entry(
            kind,
            by,
            recording_id=None,
            terms=None,
            hold=str(hold.id),
            hold_kind=hold.kind.value,
            ground=hold.ground,
            recordings=str(len(hold.recording_ids)),
            review_on=hold.review_on.isoformat(),
            record_sha256=intended.sha256,
            **facts,
        )
