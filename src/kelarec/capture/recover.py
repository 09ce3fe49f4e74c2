"""Recovery: what processes that died have left in their spool folders becomes recordings that say they were cut."""

import logging
from collections.abc import Iterator
from typing import Final
from uuid import UUID

from attrs import evolve, field, frozen

from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.capture.deposit import Deposit, find_row
from kelarec.capture.rows import SpooledRows, parse_actor
from kelarec.capture.sealing_in import Taken, TakenPart, seal_in
from kelarec.capture.spooled_head import Head, part_prefix, read_head, read_recording_id, tell
from kelarec.capture.take import ERASED
from kelarec.capture.take_part import EVENTS_FORM
from kelarec.domain.codes import State
from kelarec.domain.people import System
from kelarec.domain.recording import Recording
from kelarec.domain.take import Cut, EventKind, PartForm, TakeEvent, TakeStory
from kelarec.errors import EmptyContentError, ExpiredError, IntegrityError, KeyUnavailableError
from kelarec.storage.envelopes import DataKey
from kelarec.storage.recordings import OpenedRecord, Recordings
from kelarec.storage.spool_files import SpoolFiles
from kelarec.storage.spool_frames import from_microseconds
from kelarec.storage.spool_place import SpoolPlace
from kelarec.storage.spool_reading import FoundSpool, FoundTake, iter_messages
from kelarec.storage.spooled_records import SpooledRecords
from kelarec.storage.spooled_take import SpooledPart, SpooledTake
from kelarec.storage.vault import Vault

_HERE: Final = System("recovery")
_DIED: Final = "the recording process ended"
_LOGGER: Final = logging.getLogger("kelarec.capture")


@frozen(kw_only=True)
class Recovered:
    """What became of one take of a process that died.

    Attributes:
        recording: The recording, in the archive now.
        cut: Until when it goes and why; None if the take had ended before.
    """

    recording: Recording
    cut: Cut | None = field(default=None)


class Recovery:
    """Goes through the spool folders that nobody owns."""

    def __init__(self, vault: Vault, log: AuditLog, place: SpoolPlace) -> None:
        self._vault = vault
        self._log = log
        self._place = place
        self._rows = SpooledRows(vault, log)

    def run(self) -> Iterator[Recovered]:
        """Seal every take of every unowned folder into the archive, then remove the folder.

        Raises:
            StorageError: A place refuses; the folder stays as it is, for the next recovery.
        """
        for files in self._place.iter_unowned():
            try:
                yield from self._recover_folder(files)
                for name in files.list_names():
                    files.remove(name)
            finally:
                files.release()

    def _recover_folder(self, files: SpoolFiles) -> Iterator[Recovered]:
        found = FoundSpool(files, self._vault.archive_id)
        for take in sorted(found.takes.values(), key=lambda each: each.id):
            recovered = self._recover(found, take)
            if recovered is not None:
                yield recovered

    def _recover(self, found: FoundSpool, take: FoundTake) -> Recovered | None:
        content = found.read_head(take)
        try:
            recording_id = read_recording_id(content)
            if take.is_abandoned:
                self._remove_row(recording_id, None, "abandoned")
                return None
            row = find_row(self._vault, recording_id)
            if row is not None and row.record.details.parts:
                return None  # it was sealed in before its process ended, or by an earlier recovery
            head, data_key = read_head(self._vault, content)
        except IntegrityError:  # a head that was never durable, or was wiped: nothing of the take was acknowledged
            return None
        except KeyUnavailableError:
            _LOGGER.warning("A take in the spool has ended with its key.")
            self._tell_gone(recording_id)
            return None
        try:
            return self._seal(found, take, head, data_key)
        except EmptyContentError:
            self._remove_row(recording_id, head.story, "nothing was taken in")
        except (KeyUnavailableError, ExpiredError):
            _LOGGER.warning("A take in the spool has ended with its key.")
        return None

    def _tell_gone(self, recording_id: UUID) -> None:
        """Say in the log that a take is dropped whose row is gone: an erasure waits for it."""
        with self._vault.database.begin() as connection:
            path = SpooledRecords(self._vault, Recordings(self._vault)).find_path(connection, recording_id)
        if path is None:
            kind = EntryKind.RECORDING_ABANDONED
            self._log.write(self._log.new_entry(kind, _HERE, recording_id=recording_id, reason=ERASED))

    def _seal(self, found: FoundSpool, take: FoundTake, head: Head, data_key: DataKey) -> Recovered:
        recording = head.recording
        spooled = SpooledTake(take.id, data_key.bare, b"")
        last_at = 0

        def gather(form: PartForm) -> SpooledPart:
            nonlocal last_at
            prefix = part_prefix(self._vault, recording.id, UUID(bytes=take.id), form)
            part = SpooledPart(len(spooled.parts), prefix)
            spooled.parts.append(part)
            at, is_broken = found.gather(take, part, spooled.key)
            last_at = max(last_at, at)
            breaks.append(is_broken)
            return part

        def read(part: SpooledPart) -> Iterator[bytes]:
            return iter_messages(found.files, spooled, part, lambda file: found.names[file])

        breaks: list[bool] = []
        events = gather(EVENTS_FORM)
        story = tell(head.story, b"".join(read(events)).splitlines())
        parts = []
        for form in story.parts:
            part = gather(form)
            parts.append(TakenPart(form, part.length, lambda part=part: read(part)))  # type: ignore[misc]
        is_short = any(part.length < length for part, length in zip(parts, story.lengths, strict=False))
        if story.ended_at is None or is_short or any(breaks):
            at = max(from_microseconds(last_at), recording.started_at)
            story = story.after(TakeEvent(kind=EventKind.CUT, at=at, text=_DIED))
        row = find_row(self._vault, recording.id)
        piece, continues = self._find_place(head, row)
        if row is not None:
            recording = evolve(recording, state=row.record.recording.state)
        taken = Taken(
            evolve(recording, state=State.KEPT), story, tuple(parts), piece, continues, had_row=row is not None
        )
        leftover = Deposit(self._vault, self._log, recording, data_key)
        leftover.discard_unless_committed()  # what the dead process may have written before its commit
        # A hold has wrapped the key that it met: what is held goes on under that key, all else gets a new one.
        kept_key = data_key if row is not None and leftover.is_held() else None
        sealed = seal_in(self._vault, self._log, taken, kept_key, parse_actor(story.by))
        return Recovered(recording=sealed, cut=story.cut)

    def _find_place(self, head: Head, row: OpenedRecord | None) -> tuple[int, UUID | None]:
        if row is not None:
            details = row.record.details
            return details.piece, details.continues
        with self._vault.database.begin() as connection:
            return self._rows.find_place(connection, head.recording, head.story.contact.contact_id)

    def _remove_row(self, recording_id: UUID, story: TakeStory | None, reason: str) -> None:
        row = find_row(self._vault, recording_id)
        if row is not None:
            by = parse_actor("system:recovery" if story is None else story.by)
            self._rows.remove(row.record.recording, by, reason)
