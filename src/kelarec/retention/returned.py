"""What a restored backup brings back of what has died is unreadable, and is removed again (fault 19).

Rows come back with the catalog, objects with the objects. What is dead the key place knows, and as a rule the log:
nothing is removed whose key might still live, or might only be lost.
"""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from attrs import frozen
from sqlalchemy import Connection, select

from kelarec.audit.entries import EntryKind
from kelarec.audit.erasure_entries import list_erased
from kelarec.audit.log import AuditLog
from kelarec.domain.instants import helsinki_date, start_of
from kelarec.domain.people import Actor
from kelarec.domain.register_versions import RegisterVersions
from kelarec.errors import HeldError, IntegrityError, KeyUnavailableError
from kelarec.retention.erasure_steps import ErasureSteps
from kelarec.retention.erasure_targets import ErasureTarget, read_target_entry
from kelarec.storage import catalog_tables as tables
from kelarec.storage.ended_recordings import FoundObjects, iter_found
from kelarec.storage.envelopes import read_key_id
from kelarec.storage.objects.contract import run_ahead
from kelarec.storage.recordings import from_microseconds, to_date
from kelarec.storage.vault import Vault

_ROWS: Final = tables.recordings.c
_HELD: Final = tables.held_recordings.c
_YEAR: Final = timedelta(days=365)


@frozen
class Returned:
    """What had come back and was removed.

    Attributes:
        recordings: The recordings of which rows or objects were there.
        objects: How many objects.
    """

    recordings: tuple[UUID, ...] = ()
    objects: int = 0


def remove_returned(vault: Vault, log: AuditLog, versions: RegisterVersions, *, by: Actor) -> Returned:
    """Remove what is there again of recordings that were erased and of dates that were swept; log each.

    Raises:
        StorageError: A place refuses; what was removed is logged, and doing it again goes on.
    """
    removal = _Removal(vault, log, by)
    for target in _iter_dead_rows(vault):
        removal.remove_row(target)
    for recording_id, day, paths in _iter_dead_objects(vault, log, versions):
        removal.remove_objects(recording_id, day, list(paths))
    return Returned(tuple(dict.fromkeys(removal.recordings)), removal.objects)


class _Removal:
    def __init__(self, vault: Vault, log: AuditLog, by: Actor) -> None:
        self._vault = vault
        self._log = log
        self._by = by
        self._steps = ErasureSteps(vault, log, lambda _: None)
        self.recordings: list[UUID] = []
        self.objects = 0

    def remove_row(self, target: ErasureTarget) -> None:
        """Remove row, tokens and objects of a recording whose key leaf is dead."""
        try:
            self._steps.destroy([target], by=self._by)
        except HeldError:  # another hold came back with it; its own end removes it
            return
        self.remove_objects(
            target.recording_id, target.kept_through, list(self._vault.objects.iter_paths(target.folder))
        )

    def remove_objects(self, recording_id: UUID, day: date, paths: list[str]) -> None:
        """Remove objects, the record first, and say so."""
        self._vault.objects.delete_many([path for path in paths if _is_record(path)])
        self._vault.objects.delete_many([path for path in paths if not _is_record(path)])
        facts = {"kept_through": day.isoformat(), "objects": str(len(paths))}
        kind = EntryKind.RETURNED_REMOVED
        self._log.write(self._log.new_entry(kind, self._by, recording_id=recording_id, terms=None, **facts))
        self.recordings.append(recording_id)
        self.objects += len(paths)


def _iter_dead_rows(vault: Vault) -> Iterator[ErasureTarget]:
    """Go through the rows of dates that live whose own key leaves were punctured, and those of holds with them."""
    for day in list(vault.keyring.iter_days()):
        try:
            if not vault.keyring.is_punctured(day):
                continue
            with vault.database.begin() as connection:
                wanted = select(_ROWS.id, _ROWS.started_at).where(_ROWS.kept_through == day.toordinal())
                rows = connection.execute(wanted).all()
                recorded = {UUID(bytes=row.id): helsinki_date(from_microseconds(row.started_at)) for row in rows}
                dead = vault.keyring.find_punctured(day, [str(each) for each in recorded])
                targets = [_to_target(connection, UUID(name), day, recorded[UUID(name)]) for name in sorted(dead)]
        except (KeyUnavailableError, IntegrityError):  # keys that are lost are told by verify; they are not dead
            continue
        yield from targets


def _to_target(connection: Connection, recording_id: UUID, day: date, recorded_on: date) -> ErasureTarget:
    wanted = select(_HELD.hold_id, _HELD.review_on).where(_HELD.recording_id == recording_id.bytes)
    held = connection.execute(wanted).first()
    return ErasureTarget(
        recording_id=recording_id,
        kept_through=day,
        recorded_on=recorded_on,
        bytes=0,
        parts=0,
        is_spooled=False,
        held=None if held is None else (UUID(bytes=held.hold_id), to_date(held.review_on)),
    )


def _iter_dead_objects(
    vault: Vault, log: AuditLog, versions: RegisterVersions
) -> Iterator[tuple[UUID, date, tuple[str, ...]]]:
    """Go through objects without a row, of recordings of which the log says that they or their date have died."""
    with vault.database.begin() as connection:
        erased = list_erased(connection)
    folders: dict[tuple[date, UUID | None], date] = {}  # when they were made, and which, or None for all of that date
    for row in erased:
        try:
            _, target = read_target_entry(log.open_payload(row))
        except (KeyUnavailableError, IntegrityError):
            continue
        folders[target.recorded_on, target.recording_id] = target.kept_through
    for day in _list_swept(log):
        folders.update(((each, None), day) for each in _iter_recorded(day, versions))

    def list_below(folder: tuple[date, UUID | None]) -> list[FoundObjects]:
        return list(iter_found(vault.objects, *folder))

    for folder, found in run_ahead(list_below, sorted(folders, key=str), None):
        for each in found:
            if each.recording_id is not None and _is_dead(vault, each.recording_id, folders[folder], each.paths):
                yield each.recording_id, folders[folder], each.paths


def _list_swept(log: AuditLog) -> Iterator[date]:
    for row in log.get_rows_of_dead_keys(start_of(date(1970, 1, 2))):
        if row["kind"] == EntryKind.KEYS_DESTROYED:
            try:
                yield date.fromisoformat(log.open_payload(row).facts["kept-through"])
            except (KeyUnavailableError, IntegrityError):
                continue


def _iter_recorded(day: date, versions: RegisterVersions) -> Iterator[date]:
    """Go through the dates on which what is kept through a day may have been made, under any version of the notice."""
    for policy in versions.retention_policies:
        about = day - policy.years * _YEAR
        around = (about + timedelta(days=offset) for offset in range(-policy.years - 1, policy.years + 2))
        yield from (recorded for recorded in around if policy.last_day(start_of(recorded)) == day)


def _is_dead(vault: Vault, recording_id: UUID, day: date, paths: Iterable[str]) -> bool:
    """Whether objects have no row, and no key: that of their date or their own leaf was destroyed."""
    with vault.database.begin() as connection:
        if connection.execute(select(_ROWS.id).where(_ROWS.id == recording_id.bytes)).first() is not None:
            return False
    records = [path for path in paths if _is_record(path)]
    if any(read_key_id(vault.objects.read(path)) != day.isoformat() for path in records):
        return False
    try:
        return not vault.keyring.has(day) or bool(vault.keyring.find_punctured(day, [str(recording_id)]))
    except (KeyUnavailableError, IntegrityError):
        return False


def _is_record(path: str) -> bool:
    return path.rpartition("/")[2].startswith("record-")
