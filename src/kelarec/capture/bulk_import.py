"""Importing existing recordings: first every row and file is checked, then each is sealed in, and committed in groups.

    1  all rows, all files: if anything is wrong, every fault is told and nothing is imported
    2  each recording that the archive does not have is sealed by workers, its record last
    3  rows and log entries follow in order, some dozens in one transaction, under the lease of the one import

The id of an imported recording follows from its contact, so an import that was killed between 2 and 3 meets its own
objects again, writes the recording anew, and removes the old objects once the new ones are in force. Whatever else
fails, what was sealed and not committed is removed.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from contextlib import closing
from pathlib import Path
from typing import Final

from attrs import evolve

from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.capture.admission import Admission
from kelarec.capture.import_check import ImportCheck
from kelarec.capture.import_files import ImportItem, Made, seal_row
from kelarec.capture.import_progress import Imported, Meter, ShowImportProgress
from kelarec.capture.manifest import open_manifest
from kelarec.capture.plan import CapturePlan
from kelarec.domain.people import Actor
from kelarec.errors import ImportRunningError, ManifestFaultsError
from kelarec.storage.bulk import Bulk, Reopen, open_bulk
from kelarec.storage.contact_rows import ContactRows
from kelarec.storage.lease import Lease
from kelarec.storage.recordings import Recordings, WrittenRecord
from kelarec.storage.vault import Vault

_GROUP: Final = 64
_LEASE: Final = "import"
__all__ = ["FolderImport", "Imported", "ShowImportProgress"]


class FolderImport:
    """Imports folders of recordings into one archive."""

    def __init__(
        self, vault: Vault, log: AuditLog, admission: Admission, plan: CapturePlan, reopen: Reopen | None
    ) -> None:
        self._vault = vault
        self._log = log
        self._check = ImportCheck(vault, admission, plan)
        self._reopen = reopen
        self._recordings = Recordings(vault)
        self._rows = ContactRows(vault)

    def run(
        self, folder: Path, manifest: Path, by: Actor, executor: Executor | None, show: ShowImportProgress | None
    ) -> Imported:
        """Check and import all rows; see `Capture.import_folder`."""
        opened = open_manifest(manifest)
        lease = Lease(self._vault, _LEASE)
        if not lease.take():
            raise ImportRunningError("Another import into this archive is at work.")
        self._log.write(self._log.new_entry(EntryKind.IMPORT_BEGUN, by))
        imported = Imported()
        outcome = "broken-off"
        try:
            with open_bulk(self._vault, executor, self._reopen) as bulk:
                checked = self._check.run(opened, folder, bulk, Meter("checking", show), lease)
                imported = evolve(imported, rows=checked.rows, present=checked.rows - len(checked.items))
                if checked.faults:
                    outcome = "faulty"
                    raise ManifestFaultsError(checked.faults)
                meter = Meter("importing", show, total=len(checked.items))
                for count in self._import(bulk, checked.items, lease, by, meter):
                    imported = evolve(imported, imported=imported.imported + count)
                meter.finish()
            imported = evolve(imported, present=imported.rows - imported.imported)
            outcome = "whole"
        finally:
            lease.release()
            self._log.write(
                self._log.new_entry(
                    EntryKind.IMPORT_ENDED,
                    by,
                    outcome=outcome,
                    rows=str(imported.rows),
                    imported=str(imported.imported),
                )
            )
        return imported

    def _import(self, bulk: Bulk, items: Iterable[ImportItem], lease: Lease, by: Actor, meter: Meter) -> Iterator[int]:
        """Seal and commit; give the count of each group."""
        waiting: list[Made] = []
        with self._log.or_discard(lambda: self._discard(waiting)):
            with closing(bulk.run(seal_row, items, unclaimed=waiting.append)) as sealed:
                for made in sealed:
                    waiting.append(made)
                    if len(waiting) >= _GROUP:
                        yield self._commit(waiting, lease, by, meter)
            if waiting:
                yield self._commit(waiting, lease, by, meter)

    def _commit(self, waiting: list[Made], lease: Lease, by: Actor, meter: Meter) -> int:
        """Make the rows and log entries of what is sealed; afterwards nothing waits.

        Raises:
            ImportRunningError: Another import took this one's place; nothing of the group is in the archive.
        """
        group = [(made, self._recordings.open_record(made.item.recording_id, made.envelope).record) for made in waiting]
        doubles: list[Made] = []
        with self._vault.database.begin() as connection:
            if not lease.renew(connection):
                raise ImportRunningError("Another import took the place of this one.")
            asked = [(record.details.contact.contact_id, [made.item.kept_through]) for made, record in group]
            present = self._rows.find_recorded_in(connection, asked)
            for made, record in group:
                if record.details.contact.contact_id in present:  # it was stored by other means since the check
                    doubles.append(made)
                    continue
                written = WrittenRecord(record, made.path, made.envelope)
                self._recordings.insert(connection, written)
                entry = self._log.new_entry(
                    EntryKind.RECORDING_STORED,
                    by,
                    recording_id=record.recording.id,
                    record_sha256=written.sha256,
                    contact_kind=record.recording.kind.value,
                    kept_through=record.recording.kept_through.isoformat(),
                )
                self._log.append(connection, entry)
        waiting.clear()
        self._log.wake()
        self._discard(doubles)
        leftovers = [path for made, _ in group for path in made.leftovers]
        if leftovers:  # of an import that was killed: this one holds the lease, so nobody writes them any more
            self._vault.objects.delete_many(leftovers)
        meter.count(len(group), sum(made.length for made, _ in group))
        return len(group) - len(doubles)

    def _discard(self, made: Iterable[Made]) -> None:
        """Remove what was sealed and has no row: the very objects, so that nothing of another import is touched."""
        paths = [path for each in made for path in (each.path, each.part_path)]
        if paths:
            self._vault.objects.delete_many(paths)
