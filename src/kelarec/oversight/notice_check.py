"""Practice held against the notice: who may ask, that they asked, and what came of it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta

from attrs import evolve

from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.instants import helsinki_date
from kelarec.domain.people import Actor
from kelarec.domain.staff_acts import Act
from kelarec.oversight.departure import Departure
from kelarec.oversight.practice_of_keeping import PracticeOfKeeping
from kelarec.oversight.practice_of_recording import Gap, PracticeOfRecording, tell_gaps
from kelarec.oversight.practice_of_use import PracticeOfUse
from kelarec.storage.registers import Registers
from kelarec.storage.source import Source
from kelarec.storage.vault import Vault


class NoticeCheck:
    """Compares what one archive does with what its register says."""

    def __init__(self, vault: Vault, log: AuditLog, registers: Registers, source: Source | None) -> None:
        self._vault = vault
        self._log = log
        self._registers = registers
        self._source = source

    def run(self, *, by: Actor, gaps: Iterable[Gap], backups_kept_for: timedelta | None) -> tuple[Departure, ...]:
        """Return the departures, by section and code; see `kelarec.Archive.check_notice`."""
        self._log.require_may(by, Act.CHECK_NOTICE)
        outcome, counts = "broken-off", Counter[str]()
        try:
            found = tuple(sorted(self._iter_all(gaps, backups_kept_for), key=lambda each: (each.section, each.code)))
            counts.update(f"section-{each.section}" for each in found)
            outcome = "departs" if found else "keeps"
        finally:
            entry = self._log.new_entry(EntryKind.NOTICE_CHECKED, by, outcome=outcome)
            self._log.write(evolve(entry, facts={**entry.facts, **{name: str(n) for name, n in counts.items()}}))
        return found

    def _iter_all(self, gaps: Iterable[Gap], backups_kept_for: timedelta | None) -> Iterator[Departure]:
        now, versions = self._vault.now(), self._registers.versions
        today = helsinki_date(now)
        use = PracticeOfUse(self._vault, versions)
        yield from use.iter_departures(today)
        keeping = PracticeOfKeeping(self._vault, self._log, versions, self._source, use.told, backups_kept_for)
        yield from keeping.iter_departures(now, today)
        yield from PracticeOfRecording(self._vault, versions).iter_departures()
        yield from tell_gaps(gaps)
