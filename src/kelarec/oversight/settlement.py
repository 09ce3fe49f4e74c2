"""Making the rows of every kind of object what the objects say; repeated, it does only what is still to do."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any, Final

from attrs import frozen
from sqlalchemy import Connection, delete, insert, select

from kelarec.audit.log_rows import LOG
from kelarec.domain.instants import helsinki_date
from kelarec.oversight.choice import choose
from kelarec.oversight.difference import Difference, damaged_part, disputed, misplaced, unreadable
from kelarec.oversight.subjects import (
    BATCH,
    Opened,
    Reason,
    add_holds,
    find_hashes,
    find_named_hashes,
    find_rows,
    find_telling,
    is_erased,
    iter_batches,
    read_subjects,
)
from kelarec.storage.bulk import Bulk, Progress, ShowProgress
from kelarec.storage.object_kinds import KINDS, ObjectKind, Subject, Version
from kelarec.storage.vault import Vault

KINDS_WITH_ROWS: Final = tuple(kind for kind in KINDS if kind.tables)
_PAGE: Final = 25 * BATCH


@frozen
class Unlogged:
    """A row that follows from an object of which no entry of the log tells."""

    kind: ObjectKind
    name: str
    sha256: str


class Settlement:
    """Rows from objects, in one catalog.

    Attributes:
        differences: What could not be told apart for sure or does not open, by subject.
    """

    def __init__(self, vault: Vault, bulk: Bulk, show: ShowProgress) -> None:
        self._vault = vault
        self._bulk = bulk
        self._show = show
        self._named: dict[str, dict[str, list[str]]] = {}
        self._unlogged: set[tuple[str, str]] = set()
        self._erased: set[str] = set()
        self.differences: dict[str, Difference] = {}

    def settle(self) -> None:
        """Make the rows of all kinds what the objects say."""
        self._named.clear()
        for kind in KINDS_WITH_ROWS:
            self._settle(kind)

    def iter_unlogged(self) -> Iterator[Unlogged]:
        """Go through the rows whose object no entry of the log tells of: it was lost with the former catalog."""
        for kind in KINDS_WITH_ROWS:
            if not kind.is_logged:
                continue
            for batch in iter_batches(self._iter_unlogged_names(kind)):
                with self._vault.database.begin() as connection:
                    rows = find_rows(connection, kind, batch)
                for name, row in rows.items():
                    document = row[kind.object_column.removesuffix("_object")]
                    yield Unlogged(kind, name, sha256(document).hexdigest())

    def _iter_unlogged_names(self, kind: ObjectKind) -> Iterator[str]:
        yield from (name for each, name in sorted(self._unlogged) if each == kind.name)
        _, column = kind.tables[0]
        with self._vault.database.begin() as connection:
            if kind.log_fact is None:
                told = select(LOG.c.recording_id).where(LOG.c.recording_id.is_not(None))
                keys = connection.execute(select(column).where(column.not_in(told))).scalars().all()
                names = [kind.to_name(key) for key in keys]
            else:
                known = find_named_hashes(self._vault, connection, kind)
                every = [kind.to_name(key) for key in connection.execute(select(column)).scalars()]
                names = [name for name in every if name not in known]
        yield from names

    def _settle(self, kind: ObjectKind) -> None:
        """Make the rows of a kind what its objects say: those that are new, changed or gone."""
        seen: set[object] = set()
        done = 0
        for opened in self._bulk.run(read_subjects, self._iter_unsettled(kind, seen)):
            with self._vault.database.begin() as connection:
                self._write(connection, kind, opened)
            done += len(opened)
            self._show(Progress(kind.name, done))
        self._remove_unseen(kind, seen)

    def _iter_unsettled(self, kind: ObjectKind, seen: set[object]) -> Iterator[tuple[Subject, ...]]:
        subjects = kind.iter_subjects(self._vault.objects.iter_paths(kind.folder))
        for batch in iter_batches(each for each in subjects if each.versions):
            keys = {subject.name: kind.find_key(subject.name) for subject in batch}
            for subject in batch:
                if keys[subject.name] is None:
                    self._note(misplaced(subject))
            seen.update(keys.values())
            with self._vault.database.begin() as connection:
                rows = find_rows(connection, kind, keys)
                wanted = add_holds(connection, kind, (each for each in batch if keys[each.name] is not None))
            if unsettled := tuple(each for each in wanted if not _is_settled(kind, each, rows.get(each.name))):
                yield unsettled

    def _write(self, connection: Connection, kind: ObjectKind, opened: list[Opened]) -> None:
        told = self._find_told(connection, kind, [each for each in opened if not _is_plain(each)])
        chosen = {each.subject.name: self._choose(each, told.get(each.subject.name, [])) for each in opened}
        if keys := [kind.to_key(name) for name in self._find_outdated(connection, kind, opened, chosen)]:
            for table, column in reversed(kind.tables):
                connection.execute(delete(table).where(column.in_(keys)))
        for table, _ in kind.tables:
            rows = {
                tuple(row[column.name] for column in table.primary_key): row
                for version in chosen.values()
                if version is not None
                for row in version.rows.get(table.name, ())
            }
            if rows:
                connection.execute(insert(table), list(rows.values()))

    def _find_outdated(
        self, connection: Connection, kind: ObjectKind, opened: list[Opened], chosen: Mapping[str, Version | None]
    ) -> list[str]:
        """Return the names of those whose rows go: another version stands, or none of the very folder they are from."""
        rows = find_rows(connection, kind, chosen)
        return [
            each.subject.name
            for each in opened
            if (row := rows.get(each.subject.name)) is not None
            and (chosen[each.subject.name] is not None or row[kind.object_column].startswith(f"{each.subject.folder}/"))
        ]

    def _find_told(self, connection: Connection, kind: ObjectKind, opened: list[Opened]) -> dict[str, list[str]]:
        if not opened or not kind.is_logged:
            return {}
        if kind.log_fact is not None:
            if kind.name not in self._named:
                self._named[kind.name] = find_named_hashes(self._vault, connection, kind)
            return self._named[kind.name]
        rows = find_telling(connection, [kind.to_key(each.subject.name) for each in opened])
        telling = {each.subject.name: rows.get(kind.to_key(each.subject.name), ()) for each in opened}
        self._erased.update(name for name, each in telling.items() if is_erased(self._vault, each))
        return {name: find_hashes(self._vault, each) for name, each in telling.items()}

    def _choose(self, opened: Opened, told: list[str]) -> Version | None:
        today = helsinki_date(self._vault.now())
        choice = choose(opened.versions, told)
        version = None if choice is None else choice.version
        is_last = version is not None and bool(told) and told[-1] == version.sha256
        failures = [each for each in opened.failures if each.reason is not Reason.GONE]
        lowest = -1 if version is None else version.revision
        against = [] if is_last else [each for each in failures if each.revision >= lowest]
        if against:  # what it says is unknown, so nothing less careful than "no" may stand in its place
            for failure in against:
                if not (failure.is_over(today) or opened.subject.name in self._erased):
                    self._note(unreadable(opened.subject, failure))
            return None
        if version is not None and told and version.sha256 not in told:
            self._unlogged.add((opened.subject.kind, opened.subject.name))
        for path in () if version is None else version.damaged:
            self._note(damaged_part(opened.subject, path))
        if choice is not None and choice.disputed:
            self._note(disputed(opened.subject, choice.version, choice.disputed))
        return version

    def _remove_unseen(self, kind: ObjectKind, seen: set[object]) -> None:
        _, column = kind.tables[0]
        last: Any = None
        while True:
            page = select(column).order_by(column).limit(_PAGE)
            with self._vault.database.begin() as connection:
                keys = connection.execute(page if last is None else page.where(column > last)).scalars().all()
                if not keys:
                    return
                gone = [key for key in keys if key not in seen]
                for batch in iter_batches(gone):
                    for each, key in reversed(kind.tables):
                        connection.execute(delete(each).where(key.in_(batch)))
            last = keys[-1]

    def _note(self, difference: Difference) -> None:
        self.differences[difference.subject] = difference


def _is_settled(kind: ObjectKind, subject: Subject, row: Mapping[str, Any] | None) -> bool:
    """Tell whether a row is known to follow from the one version that there is: holds may have come or gone."""
    if row is None or not kind.is_whole or subject.held or row.get("held_through") is not None:
        return False
    return (row[kind.object_column],) == subject.versions


def _is_plain(opened: Opened) -> bool:
    return len(opened.versions) == 1 and not opened.failures
