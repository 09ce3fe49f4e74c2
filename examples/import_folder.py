"""Existing recordings come in from a folder by a manifest: first with a fault in it, then without.

Give a folder and a manifest of your own to `archive.capture.import_folder`; everybody here is invented.
"""

import csv
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from kelarec import Archive, ImportProgress, System, kela_register
from kelarec.errors import ManifestFaultsError
from kelarec.testing.builders import make_identity_code, make_wav
from kelarec.testing.clock import USUAL_START, MovableClock

IMPORTER, COUNT = System("import@node1"), 250


def make_row(number: int) -> dict[str, str]:
    """Return the row of one old call."""
    return {
        "contact_id": f"old-{number}",
        "kind": "customer-call",
        "direction": "in",
        "line": "national-service",
        "started_at": (USUAL_START - timedelta(days=number % 300)).isoformat(),
        "file": f"{number}.wav",
        "customer_identity_code": make_identity_code(number).text,
    }


def write_manifest(path: Path, rows: list[dict[str, str]]) -> Path:
    """Write rows as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def show(progress: ImportProgress) -> None:
    """Print how far the import is."""
    print(f"  {progress.stage}: {progress.done} of {progress.total or '?'}, {progress.rows_per_second:.0f} rows/s")


with TemporaryDirectory() as name:
    folder = Path(name)
    rows = [make_row(number) for number in range(COUNT)]
    for row in rows:
        (folder / row["file"]).write_bytes(make_wav(0.1))
    with Archive.in_memory(kela_register(contact_point="Registry office"), clock=MovableClock()) as archive:
        faulty = [rows[0] | {"line": "nobody-knows"}, *rows[1:-1], rows[-1] | {"file": "../../etc/passwd"}]
        manifest = write_manifest(folder / "manifest.csv", faulty)
        try:
            archive.capture.import_folder(folder, manifest, by=IMPORTER)
        except ManifestFaultsError as error:
            print(error)
        write_manifest(manifest, rows)
        print(archive.capture.import_folder(folder, manifest, by=IMPORTER, progress=show))
        print(archive.capture.import_folder(folder, manifest, by=IMPORTER))
