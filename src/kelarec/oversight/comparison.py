"""Comparing one subject: its objects, its rows and what the log tells of it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from hashlib import sha256
from typing import Any, Final

from attrs import evolve, frozen
from sqlalchemy import Table

from kelarec.errors import ObjectNotFoundError
from kelarec.oversight.difference import Difference, DifferenceKind, damaged_part, unreadable
from kelarec.oversight.subjects import (
    Failure,
    Opened,
    Reason,
    find_end,
    find_hashes,
    is_erased,
    is_spooled,
    read_subject,
)
from kelarec.storage.object_kinds import ObjectKind, Row, Subject, Version, get_kind
from kelarec.storage.recordings import to_date
from kelarec.storage.tokens import token_range
from kelarec.storage.vault import Vault

_RESTORE: Final = "Restore the object from a replica or a backup."
_REBUILD: Final = "Rebuild the catalog from the objects."
_EXAMINE: Final = "Keep both for examination, and restore what the log tells of."


@frozen
class Claim:
    """What is known of a subject beside its objects.

    Attributes:
        subject: Which one, and the paths of its versions.
        row: Its row in the catalog, if it has one.
        further: The rows of its further tables, by table.
        telling: The rows of the log that may tell hashes of its objects, oldest first.
        told: The hashes that are known already, oldest first.
    """

    subject: Subject
    row: Mapping[str, Any] | None
    further: Mapping[str, tuple[Mapping[str, Any], ...]]
    telling: tuple[Mapping[str, Any], ...] = ()
    told: tuple[str, ...] = ()


def compare_claims(vault: Vault, claims: Sequence[Claim], today: date) -> list[tuple[Subject, tuple[Difference, ...]]]:
    """Compare some subjects; return those of which the sides disagree."""
    compared = ((claim.subject, tuple(compare(vault, claim, today))) for claim in claims)
    return [(subject, differences) for subject, differences in compared if differences]


def compare(vault: Vault, claim: Claim, today: date) -> Iterator[Difference]:
    """Go through the differences of one subject."""
    opened = read_subject(vault, claim.subject)
    told = (*claim.told, *find_hashes(vault, claim.telling))
    if claim.row is None and not claim.subject.versions:
        ends_on = find_end(vault, claim.telling)
        if not told or (ends_on is not None and ends_on < today):  # it went while it was compared, or its day is over
            if any(claim.further.values()):
                yield _leave_alone(claim)
            return
    if not opened.versions and is_erased(vault, claim.telling):
        return  # its key leaf was destroyed before its day: what remains of it is noise
    if is_spooled(vault, opened, claim.row, claim.telling):
        return  # its record lies in the row and the spool alone
    claim = _without_dead_tokens(vault, claim)
    comparison = _Comparison(get_kind(claim.subject.kind), opened, claim, told, today)
    lost = tuple(_find_lost(vault, claim))
    for path in lost:
        yield _miss_part(comparison.name, path, "a wrap")
    if lost:
        return
    yield from comparison.iter_differences()
    if (standing := comparison.standing) is not None:
        yield from _compare_parts(vault, comparison.name, standing)


class _Comparison:
    def __init__(self, kind: ObjectKind, opened: Opened, claim: Claim, told: Collection[str], today: date) -> None:
        self.name = f"{kind.name} {claim.subject.name}"
        self._kind = kind
        self._opened = opened
        self._claim = claim
        self._told = list(told)
        self._today = today
        path = claim.row[kind.object_column] if claim.row is not None else None
        self.standing = next((each for each in opened.versions if each.path == path), None)

    def iter_differences(self) -> Iterator[Difference]:
        for failure in self._opened.failures:
            yield from self._blame_failure(failure)
        if self._kind.tables:
            if self._claim.row is None:
                yield from self._compare_without_row()
            else:
                yield from self._compare_with_row(self._claim.row)
        elif not self._opened.versions and not self._opened.failures:
            yield Difference(
                kind=DifferenceKind.MISSING,
                subject=self.name,
                objects=f"none in {self._claim.subject.folder}",
                advice=_RESTORE,
            )

    def _blame_failure(self, failure: Failure) -> Iterator[Difference]:
        if failure.is_over(self._today):
            return
        if failure.reason is Reason.DAMAGED and failure.sha256 in self._told:
            yield self._roll_back(f"{failure.path} holds an older version", "", "tells of a newer one")
        elif failure.reason is not Reason.GONE:
            yield unreadable(self._opened.subject, failure)

    def _compare_without_row(self) -> Iterator[Difference]:
        versions = self._opened.versions
        if not versions and not self._opened.failures:
            yield Difference(
                kind=DifferenceKind.MISSING,
                subject=self.name,
                objects="none",
                catalog="no row",
                log=f"tells of {len(self._told)} versions",
                advice=_RESTORE,
            )
        for version in versions:
            is_told = version.sha256 in self._told
            yield Difference(
                kind=DifferenceKind.MISSING if is_told else DifferenceKind.ORPHANED,
                subject=self.name,
                objects=f"{version.path}",
                catalog="no row",
                log="tells of it" if is_told else "does not tell of it",
                advice=_REBUILD if is_told else f"It was never acknowledged, or its row was lost. {_REBUILD}",
            )

    def _compare_with_row(self, row: Mapping[str, Any]) -> Iterator[Difference]:
        envelope = row[self._kind.object_column.removesuffix("_object")]
        digest = sha256(envelope).hexdigest() if isinstance(envelope, bytes) else ""
        path = row[self._kind.object_column]
        if self.standing is None:
            if not any(each.path == path and each.reason is not Reason.GONE for each in self._opened.failures):
                others = ", ".join(each.path for each in self._opened.versions)
                yield Difference(
                    kind=DifferenceKind.MISSING,
                    subject=self.name,
                    objects=f"not {path}; {others or 'none'}",
                    catalog=f"a row after {path}",
                    log=self._say_log(digest),
                    advice=f"{_RESTORE} The row holds the sealed document too.",
                )
        else:
            yield from self._compare_standing(self.standing, row, digest)
        yield from self._find_newer(path)

    def _compare_standing(self, version: Version, row: Mapping[str, Any], digest: str) -> Iterator[Difference]:
        if version.sha256 != digest:
            is_older = {version.sha256, digest} <= set(self._told)
            yield Difference(
                kind=DifferenceKind.ROLLED_BACK if is_older else DifferenceKind.ALTERED,
                subject=self.name,
                objects=f"{version.path} has the hash {version.sha256}",
                catalog=f"has the hash {digest}",
                log=self._say_log(version.sha256),
                advice=_EXAMINE,
            )
            return
        if version.damaged:
            for path in version.damaged:
                yield damaged_part(self._opened.subject, path)
            return
        [derived] = version.rows[self._kind.tables[0][0].name]
        edited = sorted(name for name in derived if derived[name] != row.get(name))
        if edited:
            yield self._alter(f"its row says otherwise in {', '.join(edited)}", version)
        for table, _ in self._kind.tables[1:]:
            lacking, strange = _count_apart(
                table, version.rows.get(table.name, ()), self._claim.further.get(table.name, ())
            )
            if lacking or strange:
                yield self._alter(f"{lacking} rows of {table.name} are lacking, {strange} are strange", version)
        if self._told and self._told[-1] != version.sha256:
            yield self._blame_standing(version)

    def _blame_standing(self, version: Version) -> Difference:
        last = next((each for each in self._opened.versions if each.sha256 == self._told[-1]), None)
        if version.sha256 not in self._told and last is not None and last.revision < version.revision:
            return Difference(
                kind=DifferenceKind.ORPHANED,
                subject=self.name,
                objects=version.path,
                catalog=f"{version.path} stands",
                log=f"tells of {last.path} last",
                advice="Its entry was lost with a catalog, or the change was made behind the log. Decide which.",
            )
        newest = "none" if last is None else last.path
        return self._roll_back(f"the newest the log tells of: {newest}", f"{version.path} stands", "tells of another")

    def _find_newer(self, path: str) -> Iterator[Difference]:
        """Name versions that nobody accounts for: newer than, or beside, the one that stands."""
        if self.standing is None:
            return
        for version in self._opened.versions:
            is_beside = version.revision >= self.standing.revision and version.path != path
            if is_beside and version.sha256 not in self._told:
                yield Difference(
                    kind=DifferenceKind.ORPHANED,
                    subject=self.name,
                    objects=f"{version.path}",
                    catalog=f"{path} stands",
                    log="does not tell of it",
                    advice="It was never acknowledged, or its entry was lost with a catalog. Decide which is right.",
                )

    def _say_log(self, digest: str) -> str:
        if not self._told:
            return "tells of none"
        return "tells of this one last" if self._told[-1] == digest else f"tells of the hash {self._told[-1]} last"

    def _alter(self, catalog: str, version: Version) -> Difference:
        return Difference(
            kind=DifferenceKind.ALTERED,
            subject=self.name,
            objects=version.path,
            catalog=catalog,
            log=self._say_log(version.sha256),
            advice=_REBUILD,
        )

    def _roll_back(self, objects: str, catalog: str, log: str) -> Difference:
        return Difference(
            kind=DifferenceKind.ROLLED_BACK,
            subject=self.name,
            objects=objects,
            catalog=catalog,
            log=log,
            advice=_EXAMINE,
        )


def _compare_parts(vault: Vault, name: str, version: Version) -> Iterator[Difference]:
    for path, size in version.parts:
        try:
            held = vault.objects.get_size(path)
        except ObjectNotFoundError:
            yield _miss_part(name, path, f"{size} bytes of content")
            continue
        if held != size:
            yield Difference(
                kind=DifferenceKind.ALTERED,
                subject=name,
                objects=f"{path} has {held} bytes",
                catalog=f"{size} bytes of content",
                advice=_RESTORE,
            )


def _without_dead_tokens(vault: Vault, claim: Claim) -> Claim:
    """Leave out tokens of the recording's own day if that has no keys: nobody can tell what they should be."""
    tokens = claim.further.get("tokens")
    if not tokens or claim.row is None or vault.keyring.has(day := to_date(claim.row["kept_through"])):
        return claim
    first, beyond = token_range(day)
    left = tuple(each for each in tokens if not (isinstance(each["token"], bytes) and first <= each["token"] < beyond))
    return evolve(claim, further={**claim.further, "tokens": left})


def _miss_part(name: str, path: str, catalog: str) -> Difference:
    return Difference(kind=DifferenceKind.MISSING, subject=name, objects=f"no {path}", catalog=catalog, advice=_RESTORE)


def _leave_alone(claim: Claim) -> Difference:
    return Difference(
        kind=DifferenceKind.ORPHANED,
        subject=f"{claim.subject.kind} {claim.subject.name}",
        objects="none",
        catalog="no row, yet rows that belong to one",
        advice=_REBUILD,
    )


def _find_lost(vault: Vault, claim: Claim) -> Iterator[str]:
    """Go through the paths of wraps that the catalog tells of and that are not there."""
    for path in (row["wrap_object"] for rows in claim.further.values() for row in rows if "wrap_object" in row):
        try:
            if not str(path).startswith(f"{claim.subject.folder}/"):
                yield str(path)
            else:
                vault.objects.get_size(path)
        except ObjectNotFoundError:
            yield path


def _count_apart(table: Table, wanted: Collection[Row], held: Collection[Row]) -> tuple[int, int]:
    """Count the rows that are lacking, and those that are strange; of two that can stand for one, either may."""
    can_stand = {_whole(each) for each in wanted}
    stands = {_whole(each) for each in held}
    names = tuple(column.name for column in table.primary_key)
    there = {tuple(each[name] for name in names) for each in held if _whole(each) in can_stand}
    lacking = {tuple(each[name] for name in names) for each in wanted} - there
    return len(lacking), len(stands - can_stand)


def _whole(row: Row) -> tuple[tuple[str, object], ...]:
    return tuple(sorted(row.items()))
