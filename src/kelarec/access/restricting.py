"""Restricting a recording to storage, and lifting that again (Art. 18)."""

from collections.abc import Callable
from typing import Final
from uuid import UUID

from kelarec.access.changing import find_record, replace_record
from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.free_text import require_impersonal
from kelarec.domain.people import Actor
from kelarec.domain.recording import Restriction
from kelarec.domain.staff_acts import Act
from kelarec.errors import ChangedMeanwhileError
from kelarec.storage.recordings import Record
from kelarec.storage.vault import Vault

_MOST_TRIES: Final = 5


class Restrictions:
    """Restricts recordings of one archive."""

    def __init__(self, vault: Vault, log: AuditLog) -> None:
        self._vault = vault
        self._log = log

    def restrict(self, recording_id: UUID, *, by: Actor, reason: str) -> None:
        """Restrict a recording to storage, from now on; open readers give nothing more within a second.

        Restricting what is restricted is no error, and changes nothing.

        Args:
            recording_id: Which.
            by: The officer or system that restricts it.
            reason: Which case of Art. 18(1), and the request; without a person's identifier.

        Raises:
            DeniedError: A staff member without a role that grants it, or there is no such recording.
            LooksLikeIdentifierError: The reason looks like it names a person.
            ChangedMeanwhileError: Others changed the recording again and again.
        """
        why = self._require_reason(by, reason)
        restriction = Restriction(reason=why, since=self._vault.now(), by=str(by))
        self._change(recording_id, EntryKind.RESTRICTED, lambda old: old.restrict(restriction), by=by, reason=why)

    def lift(self, recording_id: UUID, *, by: Actor, reason: str) -> None:
        """Let a restricted recording be used again; the person is to be told before (Art. 18(3)).

        Raises:
            DeniedError, LooksLikeIdentifierError, ChangedMeanwhileError: As `restrict`.
        """
        why = self._require_reason(by, reason)
        self._change(recording_id, EntryKind.RESTRICTION_LIFTED, Record.lift_restriction, by=by, reason=why)

    def _require_reason(self, by: Actor, reason: str) -> str:
        self._log.require_may(by, Act.RESTRICT)
        return require_impersonal(reason, "reason")

    def _change(
        self, recording_id: UUID, kind: EntryKind, change: Callable[[Record], Record], *, by: Actor, reason: str
    ) -> None:
        for last in (False,) * (_MOST_TRIES - 1) + (True,):
            opened = find_record(self._vault, recording_id)
            if opened is None:
                entry = self._log.new_entry(
                    EntryKind.DENIED, by, recording_id=recording_id, act=Act.RESTRICT.value, clause="known-recording"
                )
                raise self._log.deny(entry, "There is no such recording.", clause="known-recording")
            newer = change(opened.record)
            if opened.record.recording.state is newer.recording.state:
                return
            try:
                replace_record(self._vault, self._log, opened, newer, kind, by=by, reason=reason)
            except ChangedMeanwhileError:
                if last:
                    raise
            else:
                return
