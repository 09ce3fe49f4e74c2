"""What the tests of erasure share: calls to erase, holds on them, and an attacker who has every key that exists."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from kelarec import Archive, System
from kelarec.domain.hold import Hold, HoldKind
from kelarec.domain.instants import end_of
from kelarec.errors import IntegrityError, KeyUnavailableError
from kelarec.storage.description import read_description
from kelarec.storage.engine import open_database
from kelarec.storage.envelopes import Subject, open_document_with
from kelarec.storage.holds import Holds
from kelarec.storage.keyring import Keyring
from kelarec.storage.objects import FolderObjects
from kelarec.storage.places import Place
from kelarec.storage.recordings import Recordings, part_context
from kelarec.storage.roots import load_root_key
from kelarec.storage.sealing import unseal
from kelarec.storage.vault import Vault
from kelarec.storage.wrapping import unwrap
from kelarec.testing.builders import make_contact, make_wav

if TYPE_CHECKING:
    from conftest import Disk

RECORDER: Final = System("recorder@test")
OFFICER: Final = System("erasure@test")
SWEEPER: Final = System("sweep@test")
WAV: Final = make_wav(0.02)
LAST_DAY: Final = date(2027, 3, 5)
MINUTE: Final = timedelta(seconds=60)
HOUR: Final = timedelta(hours=1)
TERMS: Final[dict[str, Any]] = {"ground": "art-17-1-d", "matter": "KELA-2026-17"}


def store(archive: Archive, now: datetime, count: int = 1) -> list[UUID]:
    """Store so many calls that start now."""
    return [
        archive.capture.store(
            make_contact(started_at=now), ended_at=now + timedelta(seconds=1), content=WAV, by=RECORDER
        ).id
        for _ in range(count)
    ]


def place_hold(archive: Archive, ids: Iterable[UUID], kind: HoldKind, review_on: date = date(2027, 9, 1)) -> Hold:
    """Place a hold, below the API."""
    vault = archive._vault
    recordings = Recordings(vault)
    holds = Holds(vault, recordings)
    hold = Hold(
        id=vault.new_id(),
        recording_ids=ids,
        kind=kind,
        ground="legal-claim" if kind is HoldKind.OTHER else "art-17",
        reason="a test",
        placed_by=str(OFFICER),
        placed_at=vault.now(),
        review_on=review_on,
    )
    intended = holds.write(hold)
    with vault.database.begin() as connection:
        holds.intend(connection, intended)
        opened = [recordings.find_one(connection, each) for each in hold.recording_ids]
    wraps = [holds.wrap(hold, each) for each in opened if each is not None]
    with vault.database.begin() as connection:
        holds.place(connection, hold, wraps)
    return hold


class Attacker:
    """Opens by hand what a backup holds, with every key that can be derived from the key place.

    It believes no date and no name: each envelope is tried with the leaves of all recordings and holds, and with the
    wrapping key, of every date that has keys, and with the standing key.
    """

    def __init__(self, disk: "Disk", names: Iterable[str]) -> None:
        self._archive_id, _ = read_description(FolderObjects(disk.objects))
        root = load_root_key(f"keyfile:{disk.root_key}", os.urandom)
        self._keyring = Keyring.open(FolderObjects(disk.keys), self._archive_id, root, os.urandom)
        self._keys = list(self._iter_keys(list(names)))
        self.tried = 0

    def open_all(self, objects: Path) -> dict[str, list[bytes]]:
        """Return what opens of the recordings and holds of a copy of the objects: documents and sounds, by id."""
        opened: dict[str, list[bytes]] = {}
        for path in sorted((objects / "recordings").glob("*/*/record-*")):
            found = self.try_envelope("recording", path.parent.name, path.read_bytes())
            if found is not None:
                bare, document = found
                opened[path.parent.name] = [document, *self._read_parts(bare, path.parent, document)]
        for path in sorted((objects / "holds").glob("*/????????-*")):
            name = f"{path.parent.name} {path.name.rpartition('-')[0]}"
            if self.try_envelope("hold", name, path.read_bytes()) is not None:
                opened.setdefault(name.split()[1], []).append(b"a wrap of its key")
        return opened

    def try_envelope(self, kind: str, name: str, envelope: bytes) -> tuple[bytes, bytes] | None:
        """Return data key and content of an envelope, if any key opens it."""
        subject = Subject(self._archive_id, kind, name)
        key_id, _, wrapped = envelope.split(b"\n", 2)[1].decode().partition(" ")
        for key in self._keys:
            self.tried += 1
            try:
                bare = unwrap(key, wrapped, subject.context(("key", key_id)))
            except IntegrityError:
                continue
            return bare, open_document_with(bare, subject, envelope)[1]
        return None

    def _iter_keys(self, names: list[str]) -> Iterator[bytes]:
        yield self._keyring.get("standing").wrapping
        for day in self._keyring.iter_days():
            yield self._keyring.get(day.isoformat()).wrapping
            for name in names:
                with suppress(KeyUnavailableError):
                    yield self._keyring.get_leaf(day, name)

    def _read_parts(self, bare: bytes, folder: Path, document: bytes) -> Iterator[bytes]:
        for part in json.loads(document)["details"]["parts"]:
            context = part_context(
                Subject(self._archive_id, "recording", folder.name), part["name"], part["media_type"]
            )
            yield unseal(bare, context, (folder / part["object_name"]).read_bytes())


def count_matching_tokens(disk: "Disk", catalog: Path, vault: Vault) -> dict[date, int]:
    """Count by date the tokens of a copy of the catalog that any index key that exists finds the usual customer by."""
    database = open_database(Place(f"sqlite://{catalog}", "FI"), must_exist=True)
    try:
        with database.begin() as connection:
            held = Counter(bytes(row[0]) for row in connection.exec_driver_sql("SELECT token FROM tokens"))
    finally:
        database.close()
    found = {}
    for day in vault.keyring.iter_days():
        if end_of(day) > disk.clock():
            made = vault.index_keys.make_tokens(day, make_contact().search_terms)
            found[day] = sum(held[each] for each in set(made))
    return {day: count for day, count in found.items() if count}
