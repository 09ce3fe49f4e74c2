"""What objects, catalog, log and keys disagree on, all of it: bulk work, also beside live writers.

A subject that is being written looks as if its sides disagreed. So what differs is looked at once more at the end, and
told of only if it still does.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import partial
from typing import Any, Final

from attrs import frozen
from sqlalchemy import Column, Connection, Table, func, select

from kelarec.audit.entries import WITHOUT_HASHES
from kelarec.audit.log_rows import LOG
from kelarec.domain.instants import helsinki_date
from kelarec.domain.register import Register
from kelarec.errors import IntegrityError, KeyUnavailableError
from kelarec.oversight.comparison import Claim, compare_claims
from kelarec.oversight.difference import Difference, DifferenceKind, misplaced, missing_kind
from kelarec.oversight.log_comparison import LogComparison
from kelarec.oversight.subjects import (
    BATCH,
    add_holds,
    find_end,
    find_named_hashes,
    find_rows,
    find_telling,
    iter_batches,
)
from kelarec.oversight.tokens import find_tokens, iter_strays
from kelarec.storage import catalog_tables as tables
from kelarec.storage.bulk import Bulk, Progress, ShowProgress
from kelarec.storage.object_kinds import KINDS, ObjectKind, Subject
from kelarec.storage.vault import Vault

_PAGE: Final = 25 * BATCH
_SILENT: Final = sorted(kind.value for kind in WITHOUT_HASHES)


@frozen
class Differences:
    """Compares one archive."""

    vault: Vault
    register: Register
    bulk: Bulk
    show: ShowProgress

    def iter_all(self) -> Iterator[Difference]:
        """Go through all differences; a catalog that is damaged as a file is told of and not compared any further."""
        today = helsinki_date(self.vault.now())
        damages = list(self.vault.database.find_damage())
        for damage in damages:
            yield Difference(
                kind=DifferenceKind.ALTERED,
                subject="catalog",
                catalog=damage,
                advice="Keep the catalog for examination and rebuild it from the objects.",
            )
        self.show(Progress("catalog", 1))
        if damages:
            return
        yield from LogComparison(self.vault, self.bulk, self.register.log_retention, today).iter_differences()
        self.show(Progress("log", 1))
        for kind in KINDS:
            yield from self._compare_kind(kind, today)
        yield from self._compare_keys(today)

    def _compare_kind(self, kind: ObjectKind, today: date) -> Iterator[Difference]:
        named = {}
        if kind.log_fact is not None and kind.is_logged:
            with self.vault.database.begin() as connection:
                named = find_named_hashes(self.vault, connection, kind)
        suspects: list[Subject] = []
        misnamed: list[Subject] = []
        seen: set[object] = set()
        work = partial(compare_claims, today=today)
        done = 0
        for differing in self.bulk.run(work, self._iter_claims(kind, named, seen, misnamed)):
            suspects += [subject for subject, _ in differing]
            done += BATCH
            self.show(Progress(kind.name, done))
        yield from map(misplaced, misnamed)
        if not kind.tables and not seen:
            yield missing_kind(kind.name, kind.folder)
        for batch in iter_batches(self._iter_unseen(kind, named, seen, today)):
            suspects += batch
        if kind.tables and kind.tables[-1][0] is tables.tokens:
            yield from self._compare_strays(kind, seen, suspects)
        suspected = dict.fromkeys((each.name, each.folder) for each in suspects)
        for places in iter_batches(suspected):
            fresh = [self._list_again(kind, name, folder) for name, folder in places]
            for _, differences in compare_claims(
                self.vault, self._make_claims(kind, fresh, named, is_thorough=True), today
            ):
                yield from differences

    def _compare_strays(self, kind: ObjectKind, seen: set[object], suspects: list[Subject]) -> Iterator[Difference]:
        """Suspect recordings that have tokens of strange days; tell of tokens that can be no recording's."""
        for key, path in iter_strays(self.vault.database):
            try:
                name = kind.to_name(key)
            except (ValueError, TypeError):
                yield _misname_token()
                continue
            if path is not None:
                suspects.append(Subject(kind.name, name, _believe_folder(kind, path)))
            elif key not in seen:
                suspects.append(Subject(kind.name, name, f"{kind.folder}/unknown/{name}"))

    def _iter_claims(
        self, kind: ObjectKind, named: Mapping[str, list[str]], seen: set[object], misnamed: list[Subject]
    ) -> Iterator[tuple[Claim, ...]]:
        subjects = kind.iter_subjects(self.vault.objects.iter_paths(kind.folder))
        for batch in iter_batches(each for each in subjects if each.versions):
            known = [each for each in batch if kind.find_key(each.name) is not None]
            misnamed += [each for each in batch if each not in known]
            seen.update(kind.find_key(each.name) for each in known)
            yield tuple(self._make_claims(kind, known, named))

    def _make_claims(
        self,
        kind: ObjectKind,
        subjects: Iterable[Subject],
        named: Mapping[str, list[str]],
        *,
        is_thorough: bool = False,
    ) -> list[Claim]:
        """Return what is known of some subjects; thoroughly, with tokens of days that are none of theirs."""
        subjects = list(subjects)
        if not kind.tables:
            return [Claim(subject, None, {}) for subject in subjects]
        keys = {each.name: kind.find_key(each.name) for each in subjects}
        with self.vault.database.begin() as connection:
            rows = find_rows(connection, kind, keys)
            subjects = add_holds(connection, kind, subjects)
            further = {
                table.name: find_tokens(connection, rows, subjects)
                if table is tables.tokens and not is_thorough
                else _find_further(connection, table, column, keys)
                for table, column in kind.tables[1:]
            }
            telling = find_telling(connection, keys.values()) if kind.log_fact is None else {}
        return [
            Claim(
                each,
                rows.get(each.name),
                {name: tuple(found.get(keys[each.name], ())) for name, found in further.items()},
                tuple(telling.get(keys[each.name], ())),
                tuple(named.get(each.name, ())),
            )
            for each in subjects
        ]

    def _list_again(self, kind: ObjectKind, name: str, folder: str) -> Subject:
        found = kind.iter_subjects(self.vault.objects.iter_paths(folder))
        return next(found, Subject(kind.name, name, folder))

    def _iter_unseen(
        self, kind: ObjectKind, named: Mapping[str, list[str]], seen: set[object], today: date
    ) -> Iterator[Subject]:
        """Go through the subjects that the listing did not show, but the catalog or the log tells of."""
        if not kind.tables:
            return
        yield from self._iter_rows_unseen(kind, seen)
        if kind.log_fact is None:
            yield from self._iter_recordings_told(kind, seen, today)
            return
        for name in named:
            if kind.find_key(name) not in seen:
                yield Subject(kind.name, name, f"{kind.folder}/{name}")

    def _iter_rows_unseen(self, kind: ObjectKind, seen: set[object]) -> Iterator[Subject]:
        table, column = kind.tables[0]
        page = select(column, table.c[kind.object_column]).order_by(column).limit(_PAGE)
        last: Any = None
        while True:
            with self.vault.database.begin() as connection:
                rows = connection.execute(page if last is None else page.where(column > last)).all()
            for key, path in rows:
                if key not in seen:
                    yield Subject(kind.name, kind.to_name(key), _believe_folder(kind, path))
            if not rows:
                return
            last = rows[-1][0]

    def _iter_recordings_told(self, kind: ObjectKind, seen: set[object], today: date) -> Iterator[Subject]:
        columns, column = LOG.c, kind.tables[0][1]
        wanted = select(columns.id, columns.recording_id, columns.ends_on, columns.payload, columns.leaf).where(
            columns.recording_id.is_not(None),
            columns.kind.not_in(_SILENT),
            columns.recording_id.not_in(select(column)),
        )
        with self.vault.database.begin() as connection:
            rows = [dict(row) for row in connection.execute(wanted).mappings()]
        for row in rows:
            if row["recording_id"] in seen:
                continue
            ends_on = find_end(self.vault, [row])
            if ends_on is not None and ends_on >= today:
                name = kind.to_name(row["recording_id"])
                yield Subject(kind.name, name, f"{kind.folder}/unknown/{name}")

    def _compare_keys(self, today: date) -> Iterator[Difference]:
        for column, what in (
            (tables.recordings.c.kept_through, "recordings"),
            (tables.held_recordings.c.review_on, "held recordings"),
            (LOG.c.ends_on, "entries"),
        ):
            dates = select(column, func.count()).where(column >= today.toordinal()).group_by(column).order_by(column)
            with self.vault.database.begin() as connection:
                found = connection.execute(dates).all()
            for ordinal, count in found:
                key_id = date.fromordinal(ordinal).isoformat()
                try:
                    self.vault.keyring.get(key_id)
                except (KeyUnavailableError, IntegrityError) as error:
                    yield Difference(
                        kind=DifferenceKind.KEYS_MISSING,
                        subject=f"keys of {key_id}",
                        catalog=f"{count} {what} end on that date",
                        keys=error.happened,
                        advice="Restore the key place; until then nothing of that date opens.",
                    )


def _misname_token() -> Difference:
    return Difference(
        kind=DifferenceKind.ALTERED,
        subject="look-up token",
        catalog="belongs to what can be no recording",
        advice="Keep the catalog for examination and rebuild it from the objects.",
    )


def _find_further(
    connection: Connection, table: Table, column: "Column[Any]", keys: Mapping[str, object]
) -> dict[object, list[Mapping[str, Any]]]:
    wanted = select(table).where(column.in_([key for key in keys.values() if key is not None]))
    found: dict[object, list[Mapping[str, Any]]] = {}
    for row in connection.execute(wanted).mappings():
        found.setdefault(row[column.name], []).append(dict(row))
    return found


def _believe_folder(kind: ObjectKind, path: object) -> str:
    """Return the folder of a path that stands in the catalog, or one that does not exist if it is no such path."""
    steps = str(path).split("/")
    is_one = len(steps) == kind.depth + 2 and steps[0] == kind.folder and not {"", ".", ".."} & set(steps)
    return "/".join(steps[:-1]) if is_one else f"{kind.folder}/unknown"
