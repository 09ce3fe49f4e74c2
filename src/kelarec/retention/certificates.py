"""Certificates: each death of keys and each erasure, shown to whoever has the log's public key.

A certificate says what, when, on what ground, which log entry shows it, and what it does not cover. It reveals the one
entry that it is about, and holds no identity code and no content. It is made from the log whenever it is asked for.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from attrs import field, frozen

from kelarec.audit.certifying import Certifier, ProvenEntry
from kelarec.audit.entries import EntryKind
from kelarec.audit.erasure_entries import find_days_kept, list_exported
from kelarec.audit.log import AuditLog
from kelarec.domain.instants import end_of, helsinki_date
from kelarec.domain.people import Actor
from kelarec.domain.staff_acts import Act
from kelarec.storage.backups import UNDECLARED, BackupHorizons
from kelarec.storage.vault import Vault

_NONE_KEPT: Final = timedelta(0)
_KINDS: Final = (
    EntryKind.KEYS_DESTROYED,
    EntryKind.EMPTY_KEYS_DESTROYED,
    EntryKind.ERASED,
    EntryKind.DESTROYED_AGAIN,
)


@frozen(kw_only=True)
class Certificate:
    """One certificate.

    Attributes:
        name: What its file may be called; it tells a date or a recording's id.
        kind: Of the entry that it is about.
        at: When that was, UTC.
        kept_through: The date whose keys died, or on which the recording would have; None if it was many.
        recording_id: Which recording, if it was one.
        content: The file: a C2SP signed note; see docs/formats.md.
    """

    name: str
    kind: EntryKind
    at: datetime
    kept_through: date | None
    recording_id: UUID | None
    content: bytes = field(repr=False)

    @property
    def words(self) -> str:
        """What it says, for people."""
        return self.content.decode().rpartition("\n{")[0]


class Certificates:
    """Makes certificates of one archive."""

    def __init__(self, vault: Vault, log: AuditLog, horizons: BackupHorizons = UNDECLARED) -> None:
        self._vault = vault
        self._log = log
        self._horizons = horizons

    def iter_all(
        self, *, by: Actor, recording_id: UUID | None = None, since: datetime | None = None
    ) -> Iterator[Certificate]:
        """Go through the certificates of what has died, oldest first; that they were made is in the log.

        What is not yet under a signed checkpoint is brought there first, save if another process is at it; those come
        the next time.

        Args:
            by: Who asks; certificates show entries of the log.
            recording_id: Only that of one recording that was erased.
            since: Only of what died from an instant on.

        Raises:
            DeniedError: The role of the one who asks does not grant it.
            IntegrityError: The log was altered.
            StorageError: A place refuses.
        """
        self._log.require_may(by, Act.READ_LOG)
        self._log.write(self._log.new_entry(EntryKind.LOG_READ, by))
        self._log.integrate()
        return self._iter(recording_id, since)

    def _iter(self, recording_id: UUID | None, since: datetime | None) -> Iterator[Certificate]:
        certifier = Certifier(self._vault)
        exported: dict[str, int] | None = None
        for proven in certifier.iter_proven(_KINDS, recording_id=recording_id):
            if since is not None and proven.entry.at < since:
                continue
            exported = self._count_exports() if exported is None else exported
            yield self._make(certifier, proven, exported)

    def _count_exports(self) -> dict[str, int]:
        """Count the data keys that were handed out, by the last day of their recordings."""
        counts: dict[str, int] = {}
        with self._vault.database.begin() as connection:
            exported = list_exported(connection)
            stored = find_days_kept(connection, set(exported))
        for each in exported:
            row = stored.get(each)
            day = "" if row is None else self._log.open_payload(row).facts["kept-through"]
            counts[day] = counts.get(day, 0) + 1
        return counts

    def _make(self, certifier: Certifier, proven: ProvenEntry, exported: dict[str, int]) -> Certificate:
        entry, facts = proven.entry, proven.entry.facts
        day = date.fromisoformat(facts["kept-through"]) if "kept-through" in facts else None
        exports = int(facts["key-exports"]) if "key-exports" in facts else None
        if exports is None and day is not None:
            exports = exported.get(day.isoformat(), 0)
        gaps = [*self._list_gaps(proven, day, exports)]
        checkpoint = proven.head.checkpoint
        words = [
            f"What: {_say_what(proven, day)}",
            f"When: {entry.at.isoformat()}",
            f"Ground: {_say_ground(proven)}",
            f"By: {entry.actor}",
            f"Log: {certifier.origin}, entry {proven.index} of {checkpoint.size}",
            f"Made: {self._vault.now().isoformat()}",
            "It does not cover:",
            *(f"- {gap}" for gap in gaps),
        ]
        # Words stand on lines of their own: what somebody wrote, such as a matter, cannot begin one.
        content = certifier.sign(words, {**proven.to_facts(), "not_covered": gaps})
        what = entry.recording_id or day or f"through-{facts.get('through', helsinki_date(entry.at))}"
        name = f"{entry.kind.value}-{what}-{proven.index}.certificate"
        return Certificate(
            name=name, kind=entry.kind, at=entry.at, kept_through=day, recording_id=entry.recording_id, content=content
        )

    def _list_gaps(self, proven: ProvenEntry, day: date | None, exports: int | None) -> Iterator[str]:
        at, horizons = proven.entry.at, self._horizons
        if horizons.keys is None:
            yield "backups of the key place: undeclared; whoever has one from before opens backups of the objects"
        elif horizons.keys:
            until = (at + horizons.keys).isoformat()
            yield f"backups of the key place, declared to be kept for {horizons.keys.days} days: until {until}"
        if horizons.catalog is None:
            yield "backups of the catalog: undeclared for how long they are kept"
        elif horizons.catalog:
            until = (at + horizons.catalog).isoformat()
            yield f"backups of the catalog, declared to be kept for {horizons.catalog.days} days: until {until}"
        if proven.entry.kind is EntryKind.ERASED and day is not None and horizons.catalog != _NONE_KEPT:
            until = end_of(day).isoformat()
            yield f"tokens in a backup of the catalog: whether one is of a known person can be tested until {until}"
        if exports is None:
            yield "data keys that were handed out: not counted for what the log names by no single date"
        elif exports:
            yield f"data keys that were handed out: {exports}; who has one opens its recording wherever a copy is"
        disclosed = sum(
            len(text.split()) for name, text in proven.entry.facts.items() if name.startswith("disclosures")
        )
        if disclosed:
            yield f"what was disclosed before: {disclosed} entries of the register of disclosures"
        if not proven.cosigned_by:
            yield "a log that was put back to an earlier state together with the catalog: it is unwitnessed"


def _say_what(proven: ProvenEntry, day: date | None) -> str:
    entry, facts = proven.entry, proven.entry.facts
    if entry.kind is EntryKind.ERASED:
        return (
            f"the recording {entry.recording_id}, to be kept through {day}, was erased before its date: its key leaf, "
            f"its objects ({facts['bytes']} bytes in {facts['parts']} parts) and rows, looked for in vain afterwards"
        )
    if entry.kind is EntryKind.EMPTY_KEYS_DESTROYED:
        return f"the keys of {facts['dates']} dates through {facts['through']} that held no recordings were destroyed"
    if entry.kind is EntryKind.DESTROYED_AGAIN and entry.recording_id is not None:
        return f"the key leaf of the recording {entry.recording_id}, which had come back, was destroyed again"
    if entry.kind is EntryKind.DESTROYED_AGAIN:
        return f"the keys of {day}, which had come back, were destroyed again"
    count = facts.get("recordings", "an unknown number of")
    return f"the keys of {day}, the last day kept of {count} recordings, were destroyed"


def _say_ground(proven: ProvenEntry) -> str:
    entry = proven.entry
    if entry.kind is EntryKind.ERASED:
        return f"{entry.facts['ground']}, {entry.matter}"
    if entry.kind is EntryKind.DESTROYED_AGAIN:
        return "what the log says has died stays dead"
    return "the retention of the notice, section 9, has ended"
