"""The check before an import: every row and every file, so that all faults are told at once."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from attrs import frozen

from kelarec.capture.admission import Admission
from kelarec.capture.import_files import Checked, ImportItem, RowPlace, check_file
from kelarec.capture.import_progress import Meter
from kelarec.capture.manifest import Manifest, RawRow
from kelarec.capture.manifest_row import RowReading, read_row
from kelarec.capture.plan import CapturePlan
from kelarec.domain.capture_plan import CaptureRule
from kelarec.domain.contact import Contact
from kelarec.domain.recording import Recording
from kelarec.domain.references import ContactId
from kelarec.errors import ImportRunningError, InvalidValueError, KeyUnavailableError, ManifestFault, OutsideNoticeError
from kelarec.storage.bulk import Bulk
from kelarec.storage.capture_choice import make_imported_id
from kelarec.storage.contact_rows import ContactRows
from kelarec.storage.lease import Lease
from kelarec.storage.vault import Vault

_BATCH: Final = 500
_COLUMNS: Final = {
    CaptureRule.UNKNOWN_LINE: "line",
    CaptureRule.NOT_ON_LINE: "kind",
    CaptureRule.UNLISTED_NUMBER: "service_number",
}
_DO_NOT_IMPORT: Final = "Correct it, declare it in the register first, or take the row out."
_NO_SUCH_LINE: Final = "The register declares no such line."


@frozen
class CheckedManifest:
    """What came of checking a manifest.

    Attributes:
        rows: How many there are.
        items: What is to be imported, in the order of the rows; not what the archive has already.
        faults: Everything that is wrong, in the order of the rows.
    """

    rows: int
    items: tuple[ImportItem, ...]
    faults: tuple[ManifestFault, ...]


class ImportCheck:
    """Checks manifests against the register, the archive and the files."""

    def __init__(self, vault: Vault, admission: Admission, plan: CapturePlan) -> None:
        self._vault = vault
        self._admission = admission
        self._plan = plan
        self._rows = ContactRows(vault)

    def run(self, manifest: Manifest, folder: Path, bulk: Bulk, meter: Meter, lease: Lease) -> CheckedManifest:
        """Check all rows, and the files of those that the archive does not have yet."""
        rows = 0
        items: list[ImportItem] = []
        faults: list[ManifestFault] = []
        first_lines: dict[ContactId, int] = {}
        if not folder.is_dir():
            raise InvalidValueError("The folder of the import is none.", advice="Name the folder of the files.")
        for batch in _iter_batches(manifest, folder):
            rows += len(batch)
            doubles = [_find_double(place, reading, first_lines) for place, reading in batch]
            faults += [each for each in doubles if each is not None]
            absent = self._leave_out_present(batch)
            files = bulk.run(check_file, [place for place, _ in absent])
            content_bytes = 0
            for (place, reading), checked in zip(absent, files, strict=True):
                content_bytes += checked.length
                found = [*reading.faults, *checked.faults]
                item = self._admit(place, reading, checked, found)
                faults += found
                if item is not None and not faults:
                    items.append(item)
            if not lease.keep():
                raise ImportRunningError("Another import took the place of this one.")
            meter.count(len(batch), content_bytes)
        meter.finish()
        if not rows:
            faults.append(ManifestFault(1, None, "The manifest has no row.", "Name at least one recording."))
        faults += self._find_taken(items) if not faults else []
        return CheckedManifest(rows, tuple(items), tuple(sorted(faults, key=lambda fault: fault.row)))

    def _leave_out_present(self, batch: list[tuple[RowPlace, RowReading]]) -> list[tuple[RowPlace, RowReading]]:
        """Return the rows of those contacts that have no recording yet; a row with faults is among them."""
        contacts = [reading.contact for _, reading in batch if reading.contact is not None]
        present = self._rows.find_recorded((each.contact_id, self._plan.list_days(each)) for each in contacts)
        return [(place, reading) for place, reading in batch if reading.faults or reading.contact_id not in present]

    def _admit(
        self, place: RowPlace, reading: RowReading, checked: Checked, faults: list[ManifestFault]
    ) -> ImportItem | None:
        contact = reading.contact
        if contact is None:
            return None
        decision = self._plan.decide(contact)
        if decision.rule.bars:
            sentence = _NO_SUCH_LINE if decision.rule is CaptureRule.UNKNOWN_LINE else decision.sentence
            column = _COLUMNS.get(decision.rule, "started_at")
            faults.append(place.fault(column, sentence, _DO_NOT_IMPORT))
        try:
            self._admission.require_declared(reading.categories)
        except InvalidValueError as error:
            faults.append(place.fault("categories", "The register does not declare one of them.", error.advice))
        if faults:
            return None
        try:
            recording = self._admission.admit(contact, ended_at=checked.ended_at or contact.started_at)
        except OutsideNoticeError as error:
            faults.append(place.fault("started_at", error.happened, error.advice))
            return None
        return self._to_item(place, contact, recording, faults)

    def _to_item(
        self, place: RowPlace, contact: Contact, recording: Recording, faults: list[ManifestFault]
    ) -> ImportItem | None:
        kept_through = recording.kept_through
        self._vault.keyring.get_or_make(kept_through, self._vault.now())
        recording_id = make_imported_id(self._vault, contact.contact_id, contact.started_at, kept_through)
        try:
            self._vault.keyring.get_leaf(kept_through, str(recording_id))
        except KeyUnavailableError:
            sentence = "The recording of this contact was imported before, and erased."
            faults.append(place.fault("contact_id", sentence, "Take the row out: what was erased does not come back."))
            return None
        return ImportItem(place, recording_id, kept_through, recording.register_version)

    def _find_taken(self, items: list[ImportItem]) -> list[ManifestFault]:
        """Check that no recording has the id of one to be imported: its contact was not found by its tokens."""
        taken = self._rows.find_ids(each.recording_id for each in items)
        return [
            each.place.fault("contact_id", "The archive has the recording and does not find it.", "Verify the archive.")
            for each in items
            if each.recording_id in taken
        ]


def _iter_batches(manifest: Manifest, folder: Path) -> Iterator[list[tuple[RowPlace, RowReading]]]:
    rows = manifest.iter_rows()
    while raw := list(islice(rows, _BATCH)):
        yield [(_place(manifest, folder, each), read_row(manifest, each.line, each.content)) for each in raw]


def _place(manifest: Manifest, folder: Path, row: RawRow) -> RowPlace:
    digest = manifest.digest(row.content)
    return RowPlace(manifest, str(folder), row.line, row.offset, len(row.content), digest)


def _find_double(place: RowPlace, reading: RowReading, first_lines: dict[ContactId, int]) -> ManifestFault | None:
    if reading.contact_id is None:
        return None
    first = first_lines.setdefault(ContactId(reading.contact_id), place.line)
    if first == place.line:
        return None
    return place.fault("contact_id", f"The contact stands in row {first} already.", "Leave one of the two rows.")
