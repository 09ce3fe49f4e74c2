"""Asking an archive whether its sides agree: who may ask, that they asked, and what came of it."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor
from typing import Final

from attrs import evolve

from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.people import Actor
from kelarec.domain.register import Register
from kelarec.domain.staff_acts import Act
from kelarec.oversight.difference import ERRORS, Difference, DifferenceKind
from kelarec.oversight.differences import Differences
from kelarec.storage.bulk import Reopen, ShowProgress, open_bulk
from kelarec.storage.vault import Vault

_NAMED: Final = 5


class Verification:
    """Compares what objects, catalog, log and keys of one archive say."""

    def __init__(self, vault: Vault, log: AuditLog, register: Register, reopen: Reopen | None) -> None:
        self._vault = vault
        self._log = log
        self._register = register
        self._reopen = reopen

    def iter_differences(
        self, *, by: Actor, executor: Executor | None, progress: ShowProgress | None
    ) -> Iterator[Difference]:
        """Go through all differences; see `Archive.iter_differences`."""
        self._log.require_may(by, Act.VERIFY)
        self._log.write(self._log.new_entry(EntryKind.COMPARISON_BEGUN, by))
        return self._iter_logged(by, executor, progress)

    def verify(self, *, by: Actor, executor: Executor | None, progress: ShowProgress | None) -> None:
        """Raise if there is a difference; see `Archive.verify`."""
        found: dict[DifferenceKind, list[str]] = {}
        for difference in self.iter_differences(by=by, executor=executor, progress=progress):
            found.setdefault(difference.kind, []).append(difference.subject)
        gravest = next((kind for kind in DifferenceKind if kind in found), None)
        if gravest is None:
            return
        subjects = found.pop(gravest)
        named = ", ".join(subjects[:_NAMED]) + (" and more" if len(subjects) > _NAMED else "")
        others = "".join(f"; {len(each)} {kind.value}" for kind, each in found.items())
        raise ERRORS[gravest](f"{len(subjects)} {gravest.value}: {named}{others}.", count=len(subjects))

    def _iter_logged(self, by: Actor, executor: Executor | None, progress: ShowProgress | None) -> Iterator[Difference]:
        counts: Counter[str] = Counter()
        outcome = "broken-off"
        try:
            with open_bulk(self._vault, executor, self._reopen) as bulk:
                differences = Differences(self._vault, self._register, bulk, progress or (lambda _: None))
                for difference in differences.iter_all():
                    counts[difference.kind.value] += 1
                    yield difference
            outcome = "differ" if counts else "agree"
        finally:
            entry = self._log.new_entry(EntryKind.COMPARISON_ENDED, by, outcome=outcome)
            counted = {kind: str(count) for kind, count in counts.items()}
            self._log.write(evolve(entry, facts={**entry.facts, **counted}))
