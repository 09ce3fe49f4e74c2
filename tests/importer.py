"""Folders of recordings with a manifest, and an importer as a process of its own that may be killed.

    python -m importer FOLDER

It imports what lies in FOLDER/files by FOLDER/files/manifest.csv into the archive in FOLDER, and prints how far it is.
"""

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from kelarec import Archive, ImportProgress, Place, System
from kelarec.testing.builders import make_identity_code, make_wav
from kelarec.testing.clock import USUAL_START

IMPORTER: Final = System("importer@test")


def make_row(number: int, started_at: datetime = USUAL_START) -> dict[str, Any]:
    """Return the row of a call."""
    return {
        "contact_id": f"old call {number}",
        "kind": "customer-call",
        "direction": "out" if number % 3 == 0 else "in",
        "line": "authority" if number % 5 == 0 else "national-service",
        "started_at": (started_at - timedelta(days=number % 200)).isoformat(),
        "file": f"{number % 10}/call-{number}.wav",
        "media_type": "audio/wav",
        "customer_name": "Äinö Esimerkki",
        "customer_identity_code": make_identity_code(number).text,
        "adviser_id": "veikko",
        "categories": "name identity-code",
    }


def make_content(number: int) -> bytes:
    """Return the content of a call: no two are the same."""
    return make_wav(0.02 + number % 7 / 100) + number.to_bytes(4, "big")


def make_folder(folder: Path, count: int, started_at: datetime = USUAL_START) -> list[dict[str, Any]]:
    """Write the files of so many calls, and return their rows."""
    for ten in range(10):
        (folder / str(ten)).mkdir(parents=True, exist_ok=True)
    rows = [make_row(number, started_at) for number in range(count)]
    for number, row in enumerate(rows):
        (folder / row["file"]).write_bytes(make_content(number))
    return rows


def write_csv(path: Path, rows: Iterable[dict[str, Any]], *, delimiter: str = ",", encoding: str = "utf-8") -> Path:
    """Write rows as a CSV manifest."""
    rows = list(rows)
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, names, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_json_lines(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    """Write rows as a JSON Lines manifest."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def open_archive(folder: Path) -> Archive:
    """Open the archive in a folder, with this machine's clock."""
    return Archive.open(
        objects=Place(folder / "archive", "FI"),
        keys=Place(folder / "keys", "FI"),
        root_key=f"keyfile:{folder / 'root.key'}",
    )


def iter_contact_ids(archive: Archive) -> Iterator[str]:
    """Go through the contact ids of all recordings in the catalog."""
    from sqlalchemy import select  # noqa: PLC0415  the process that imports has no need of it

    from kelarec.storage import catalog_tables as tables  # noqa: PLC0415
    from kelarec.storage.recordings import Recordings  # noqa: PLC0415

    recordings = Recordings(archive._vault)
    with archive._vault.database.begin() as connection:
        for row in connection.execute(select(tables.recordings)).mappings().all():
            opened = recordings.open_row(connection, row)
            assert opened is not None
            yield opened.record.details.contact.contact_id


def show(progress: ImportProgress) -> None:
    """Print how far it is."""
    print(progress.stage, progress.done, progress.total, round(progress.rows_per_second), flush=True)


def today() -> datetime:
    """Return noon of today, UTC, or of yesterday if that is still to come."""
    now = datetime.now(UTC)  # noqa: TID251  a process of its own
    return now - timedelta(days=1)


if __name__ == "__main__":
    below = Path(sys.argv[1])
    with open_archive(below) as opened:
        done = opened.capture.import_folder(
            below / "files", below / "files" / "manifest.csv", by=IMPORTER, progress=show
        )
        print(done, flush=True)
