"""A difference: what objects, catalog, log and keys say of one thing, when they do not say the same."""

from enum import StrEnum
from typing import Final

from attrs import frozen

from kelarec.errors import (
    AlteredError,
    DifferenceError,
    KeysMissingError,
    LogDiffersError,
    MissingError,
    OrphanedError,
    RolledBackError,
)
from kelarec.oversight.subjects import Failure, Reason
from kelarec.storage.object_kinds import Subject, Version


class DifferenceKind(StrEnum):
    """The classes of differences, the gravest first."""

    MISSING = "missing"
    ROLLED_BACK = "rolled-back"
    ALTERED = "altered"
    LOG_DIFFERS = "log-differs"
    KEYS_MISSING = "keys-missing"
    ORPHANED = "orphaned"


@frozen(kw_only=True)
class Difference:
    """One thing of which the sides disagree; it names no person.

    Attributes:
        kind: The class.
        subject: What it is about, such as ``recording 0197…`` or ``log entry 17``.
        objects: What the objects say; empty if they were not asked.
        catalog: What the catalog says; empty if it was not asked.
        log: What the log says; empty if it was not asked.
        keys: What the keys say; empty if they were not asked.
        advice: What to do.
    """

    kind: DifferenceKind
    subject: str
    objects: str = ""
    catalog: str = ""
    log: str = ""
    keys: str = ""
    advice: str

    def __str__(self) -> str:
        sides = {"objects": self.objects, "catalog": self.catalog, "log": self.log, "keys": self.keys}
        said = "; ".join(f"{side}: {what}" for side, what in sides.items() if what)
        return f"{self.kind}: {self.subject} ({said}). {self.advice}"


ERRORS: Final[dict[DifferenceKind, type[DifferenceError]]] = {
    DifferenceKind.MISSING: MissingError,
    DifferenceKind.ROLLED_BACK: RolledBackError,
    DifferenceKind.ALTERED: AlteredError,
    DifferenceKind.LOG_DIFFERS: LogDiffersError,
    DifferenceKind.KEYS_MISSING: KeysMissingError,
    DifferenceKind.ORPHANED: OrphanedError,
}


def misplaced(subject: Subject) -> Difference:
    """Tell of a folder that is no subject's."""
    return Difference(
        kind=DifferenceKind.ORPHANED,
        subject=f"{subject.kind} {subject.name}",
        objects=f"{subject.folder} has a name that no {subject.kind} can have",
        advice="Find out who put it there; nothing uses it.",
    )


def unreadable(subject: Subject, failure: Failure) -> Difference:
    """Tell of a version that does not open, so that nobody knows what it says."""
    is_keyless = failure.reason is Reason.KEYLESS
    return Difference(
        kind=DifferenceKind.KEYS_MISSING if is_keyless else DifferenceKind.ALTERED,
        subject=f"{subject.kind} {subject.name}",
        objects=f"{failure.path} is there" if is_keyless else f"{failure.path} does not open",
        keys=f"those of {failure.key_id} are not there" if is_keyless else "",
        advice="Restore the key place." if is_keyless else "Restore the object from a replica; keep the damaged one.",
    )


def damaged_part(subject: Subject, path: str) -> Difference:
    """Tell of an object beside a version that does not open."""
    return Difference(
        kind=DifferenceKind.ALTERED,
        subject=f"{subject.kind} {subject.name}",
        objects=f"{path} does not open",
        advice="Restore the object from a replica; keep the damaged one.",
    )


def disputed(subject: Subject, version: Version, others: tuple[str, ...]) -> Difference:
    """Tell of versions of which the log does not say which stands."""
    return Difference(
        kind=DifferenceKind.ORPHANED,
        subject=f"{subject.kind} {subject.name}",
        objects=f"{version.path} stands; in question: {', '.join(others)}",
        log="does not tell of those in question",
        advice="Check that the one that stands is right; it is the more careful one.",
    )


def missing_kind(name: str, folder: str) -> Difference:
    """Tell that nothing is there of a kind of which every archive has something."""
    return Difference(
        kind=DifferenceKind.MISSING,
        subject=name,
        objects=f"none in {folder}",
        advice="Restore the objects from a replica or a backup.",
    )
