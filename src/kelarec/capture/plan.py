"""The capture plan at work: whether a contact is to be recorded, and which contacts have no recording."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import islice
from typing import Final

from attrs import evolve

from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.capture_plan import CaptureDecision, CaptureGap, CaptureRule, ExpectedContact
from kelarec.domain.contact import Contact
from kelarec.domain.instants import end_of
from kelarec.domain.people import Actor
from kelarec.domain.staff_acts import Act
from kelarec.errors import InvalidValueError
from kelarec.storage.capture_choice import get_percentile
from kelarec.storage.contact_rows import ContactRows
from kelarec.storage.registers import Registers
from kelarec.storage.vault import Vault

_BATCH: Final = 5000
_RETENTION: Final = 9
_A_DAY: Final = timedelta(days=1)


class CapturePlan:
    """What the register's section 5 wants recorded."""

    def __init__(self, vault: Vault, log: AuditLog, registers: Registers) -> None:
        self._vault = vault
        self._log = log
        self._registers = registers
        self._rows = ContactRows(vault)

    def decide(self, contact: Contact) -> CaptureDecision:
        """Return whether a contact is to be recorded; see `Capture.decide`."""
        register = self._registers.in_force(contact.started_at)
        decision = register.decide_capture(contact, lambda: get_percentile(self._vault, contact.contact_id))
        last_day = register.get_retention(contact.kind).last_day(contact.started_at)
        if not decision.rule.bars and end_of(last_day) <= self._vault.now():
            return CaptureDecision(
                rule=CaptureRule.RETENTION_OVER,
                section=_RETENTION,
                sentence=f"What began then was kept through {last_day.isoformat()}.",
            )
        return decision

    def find_gaps(self, expected: Iterable[ExpectedContact], by: Actor) -> Iterator[CaptureGap]:
        """Go through the contacts without a recording; see `Capture.gaps`."""
        self._log.require_may(by, Act.VERIFY)
        self._log.write(self._log.new_entry(EntryKind.GAPS_SOUGHT, by))
        return self._iter_logged(expected, by)

    def _iter_logged(self, expected: Iterable[ExpectedContact], by: Actor) -> Iterator[CaptureGap]:
        asked = in_scope = missing = 0
        outcome = "broken-off"
        try:
            waiting = iter(expected)
            while batch := list(islice(waiting, _BATCH)):
                asked += len(batch)
                wanted = list(self._iter_wanted(batch))
                in_scope += len(wanted)
                for gap in self._without_recording(wanted):
                    missing += 1
                    yield gap
            outcome = "gaps" if missing else "none-missing"
        finally:
            entry = self._log.new_entry(EntryKind.GAPS_FOUND, by, outcome=outcome)
            counts = {"asked": str(asked), "in-scope": str(in_scope), "missing": str(missing)}
            self._log.write(evolve(entry, facts={**entry.facts, **counts}))

    def _iter_wanted(self, batch: list[ExpectedContact]) -> Iterator[CaptureGap]:
        for each in batch:
            if not isinstance(each, ExpectedContact):
                raise InvalidValueError("The list holds something else than contacts.", advice="Give ExpectedContact.")
            decision = self.decide(each.contact)
            if decision.is_to_be_recorded:
                yield CaptureGap(contact=each.contact, decision=decision, reason=each.reason)

    def _without_recording(self, wanted: list[CaptureGap]) -> Iterator[CaptureGap]:
        found = self._rows.find_recorded((each.contact.contact_id, self.list_days(each.contact)) for each in wanted)
        return (each for each in wanted if each.contact.contact_id not in found)

    def list_days(self, contact: Contact) -> set[date]:
        """Return the last days kept that its recording may have: two clocks may differ about midnight."""
        instants = (contact.started_at - _A_DAY, contact.started_at, contact.started_at + _A_DAY)
        return {self._registers.in_force(each).get_retention(contact.kind).last_day(each) for each in instants}
