"""Comparing one subject: its objects, its rows and what the log tells of it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from hashlib import sha256
from typing import Any, Final

from attrs import frozen

from kelarec.errors import ObjectNotFoundError
from kelarec.oversight.difference import Difference, DifferenceKind, unreadable
from kelarec.oversight.subjects import Failure, Opened, Reason, find_end, find_hashes, read_subject
from kelarec.storage.object_kinds import ObjectKind, Subject, Version, get_kind
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
        if not told or (ends_on is not None and ends_on < today):
            return  # it went while it was compared, or its day is over
    comparison = _Comparison(get_kind(claim.subject.kind), opened, claim, told, today)
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
        if failure.reason is Reason.KEYLESS and self._is_over(failure.key_id):
            return  # what a sweep that was broken off has left
        if failure.reason is Reason.DAMAGED and failure.sha256 in self._told:
            yield self._roll_back(f"{failure.path} holds an older version", "", "tells of a newer one")
        elif failure.reason is not Reason.GONE:
            yield unreadable(self._opened.subject, failure)

    def _is_over(self, key_id: str | None) -> bool:
        try:
            return key_id is not None and date.fromisoformat(key_id) < self._today
        except ValueError:
            return False

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
        [derived] = version.rows[self._kind.tables[0][0].name]
        edited = sorted(name for name in derived if derived[name] != row.get(name))
        if edited:
            yield self._alter(f"its row says otherwise in {', '.join(edited)}", version)
        for table, _ in self._kind.tables[1:]:
            wanted = {tuple(sorted(each.items())) for each in version.rows.get(table.name, ())}
            held = {tuple(sorted(each.items())) for each in self._claim.further.get(table.name, ())}
            if wanted != held:
                lacking, strange = len(wanted - held), len(held - wanted)
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
            yield Difference(
                kind=DifferenceKind.MISSING,
                subject=name,
                objects=f"no {path}",
                catalog=f"{size} bytes of content",
                advice=_RESTORE,
            )
            continue
        if held != size:
            yield Difference(
                kind=DifferenceKind.ALTERED,
                subject=name,
                objects=f"{path} has {held} bytes",
                catalog=f"{size} bytes of content",
                advice=_RESTORE,
            )
