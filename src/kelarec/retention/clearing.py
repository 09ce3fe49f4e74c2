"""Clearing away what ended with a date: housekeeping, since without its keys it is noise in every copy.

A few recordings at a time, each transaction reads their rows anew and claims them, deletes their objects, then their
rows. Of several processes each removes what no other has claimed. The last one finishes the date: what belongs to no
recording, the payloads of log entries, and the log's entry of the whole.
"""

from collections.abc import Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from attrs import define, evolve
from sqlalchemy import Column, Connection, Table, select, update

from kelarec.audit.entries import EntryKind
from kelarec.audit.integrator import FOLDER as LOG_FOLDER
from kelarec.audit.log import AuditLog
from kelarec.domain.instants import add_months
from kelarec.domain.people import Actor
from kelarec.domain.register_versions import RegisterVersions
from kelarec.retention.results import ShowProgress, SweepProgress, SweptDate
from kelarec.storage import catalog_tables as tables
from kelarec.storage import closed_dates, ended_recordings
from kelarec.storage.ended_recordings import FoundObjects
from kelarec.storage.recordings import FOLDER, microseconds
from kelarec.storage.vault import Vault

RECORDINGS_AT_ONCE: Final = 250
_THREADS: Final = 8
_ENTRIES_AT_ONCE: Final = 5000
_DAY: Final = timedelta(days=1)
_SILENCED: Final = {"actor": "", "recording_id": None, "session_id": None, "purpose": None, "payload": b""}
_LOGS: Final[tuple[tuple[Table, "Column[Any]", dict[str, Any]], ...]] = (
    (tables.entries, tables.entries.c.leaf_index, {**_SILENCED, "id": b""}),
    (tables.waiting, tables.waiting.c.position, _SILENCED),
)


@define
class _Removed:
    recordings: int = 0
    log_entries: int = 0
    size: int = 0


class Clearing:
    """Clears away one date of one archive.

    Args:
        log: Is told; None if this process has no root key.
        versions: Say for how long the longest is kept; None leaves what belongs to no recording to another process.
        executor: Deletes objects; threads that end with the work if None.
    """

    def __init__(  # noqa: PLR0917  one line for each thing it needs
        self,
        vault: Vault,
        log: AuditLog | None,
        versions: RegisterVersions | None,
        day: date,
        executor: Executor | None,
        show: ShowProgress | None,
    ) -> None:
        self._vault = vault
        self._log = log
        self._versions = versions
        self._day = day
        self._executor = executor
        self._show = show
        self._removed = _Removed()

    def run(self, *, by: Actor) -> tuple[SweptDate, bool]:
        """Remove what there is to remove; return how much, and whether nothing of the date is left.

        Raises:
            StorageError: A place refuses; doing it again goes on.
        """
        if self._executor is not None:
            return self._run(by)
        with ThreadPoolExecutor(_THREADS) as self._executor:
            return self._run(by)

    def _run(self, by: Actor) -> tuple[SweptDate, bool]:
        with self._vault.database.begin() as connection:
            ended_recordings.delete_ended_tokens(connection, self._day)
            recorded = ended_recordings.list_recorded_dates(connection, self._day)
        for recorded_on in sorted(recorded):
            found = ended_recordings.iter_found(self._vault.objects, recorded_on)
            for chunk in ended_recordings.iter_chunks(found, RECORDINGS_AT_ONCE):
                self._remove_found(chunk)
        while self._remove_rest():
            pass
        is_finished = self._finish(by)
        removed = self._removed
        return SweptDate(self._day, removed.recordings, removed.log_entries, removed.size), is_finished

    def _remove_found(self, chunk: Iterable[FoundObjects]) -> None:
        by_id = {each.recording_id: each for each in chunk if each.recording_id is not None}
        if not by_id:
            return
        with self._vault.database.begin() as connection:
            claimed = ended_recordings.claim(connection, self._day, min(by_id), max(by_id))
            if claimed:
                self._remove(connection, claimed, [by_id[each] for each in claimed if each in by_id])
        self._tell_progress()

    def _remove_rest(self) -> bool:
        """Remove recordings that the listing did not show, or another process gave up; return whether any were."""
        with self._vault.database.begin() as connection:
            claimed = ended_recordings.claim_any(connection, self._day, RECORDINGS_AT_ONCE)
            if not claimed:
                return False
            objects = self._vault.objects
            found = [each for key, day in claimed.items() for each in ended_recordings.iter_found(objects, day, key)]
            self._remove(connection, claimed.keys(), found)
        self._tell_progress()
        return True

    def _remove(self, connection: Connection, ids: Iterable[UUID], found: list[FoundObjects]) -> None:
        claimed = set(ids)
        self._delete_objects(found)
        ended_recordings.delete_claimed(connection, claimed)
        size = sum(each.size for each in found)
        closed_dates.count_removed(connection, self._day, len(claimed), size)
        self._removed = evolve(
            self._removed, recordings=self._removed.recordings + len(claimed), size=self._removed.size + size
        )

    def _delete_objects(self, found: Iterable[FoundObjects]) -> None:
        gone = list(found)
        self._vault.objects.delete_many([path for each in gone for path in each.paths], self._executor)
        for folder in {path.rpartition("/")[0] for each in gone for path in each.paths[:1]}:
            self._vault.objects.delete_unfinished(f"{folder}/")

    def _tell_progress(self) -> None:
        if self._show is not None:
            self._show(SweepProgress(self._day, self._removed.recordings, self._removed.size))

    # The last one finishes the date

    def _finish(self, by: Actor) -> bool:
        with self._vault.database.begin() as connection:
            if ended_recordings.count_ending(connection, self._day):
                return False  # another process has claimed them
            closed = closed_dates.find(connection, self._day)
            if closed is not None and closed.cleared_at is not None:
                return True
        self._silence()
        self._vault.objects.delete_many(
            list(self._vault.objects.iter_paths(f"{LOG_FOLDER}/payloads/{self._day.isoformat()}")), self._executor
        )
        with self._vault.database.begin() as connection:
            if not closed_dates.take_if_uncleared(connection, self._day):
                return True  # another process is at this very step
            size = self._remove_orphans(connection)
            closed_dates.count_removed(connection, self._day, 0, size)
            self._removed = evolve(self._removed, size=self._removed.size + size)
            closed_dates.note(connection, self._day, cleared_at=microseconds(self._vault.now()))
            closed = closed_dates.find(connection, self._day)
            if self._log is not None and closed is not None:
                entry = self._log.new_entry(
                    EntryKind.DATE_CLEARED,
                    by,
                    kept_through=self._day.isoformat(),
                    recordings=str(closed.removed),
                    size=str(closed.removed_bytes),
                )
                self._log.append(connection, entry)
        return True

    def _silence(self) -> None:
        """Let the log entries that end with the date tell nobody any more whom they concern."""
        for log, key, silenced in _LOGS:
            telling = select(key).where(log.c.ends_on == self._day.toordinal(), log.c.actor != "")
            count = _ENTRIES_AT_ONCE
            while count == _ENTRIES_AT_ONCE:
                with self._vault.database.begin() as connection:
                    some = telling.limit(_ENTRIES_AT_ONCE).scalar_subquery()
                    count = connection.execute(
                        update(log).where(key.in_(some), log.c.actor != "").values(silenced)
                    ).rowcount
                self._removed = evolve(self._removed, log_entries=self._removed.log_entries + count)

    def _remove_orphans(self, connection: Connection) -> int:
        """Remove what belongs to no recording and was made on a date of which nothing can be kept any longer."""
        if self._versions is None:
            return 0
        size = 0
        for recorded_on in self._list_dead_dates():
            known = ended_recordings.find_known(connection, recorded_on)
            found = ended_recordings.iter_found(self._vault.objects, recorded_on)
            orphans = [each for each in found if each.recording_id not in known]
            self._delete_objects(orphans)
            size += sum(each.size for each in orphans)
            with suppress(FileNotFoundError):
                self._vault.objects.delete_unfinished(f"{FOLDER}/{recorded_on.isoformat()}/")
        return size

    def _list_dead_dates(self) -> list[date]:
        """Return the dates of making whose recordings end with this date at the latest, by every policy."""
        assert self._versions is not None  # noqa: S101  asked by the caller
        policies = self._versions.retention_policies
        first = min(add_months(self._day, -12 * each.years) for each in policies)
        candidates = [first + number * _DAY for number in range(-1, 3)]
        return [each for each in candidates if max(policy.last_day_of(each) for policy in policies) == self._day]
