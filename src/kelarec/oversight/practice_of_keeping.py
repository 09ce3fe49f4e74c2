"""Where and how an archive keeps what it has, held against the notice (sections 1 to 3 and 7 to 14)."""

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from statistics import median
from typing import Any, Final
from uuid import UUID

from attrs import frozen
from sqlalchemy import func, select

from kelarec.audit.log import LONGEST_WAIT, AuditLog
from kelarec.domain.eea import EEA
from kelarec.domain.instants import end_of
from kelarec.domain.register import Register
from kelarec.domain.register_versions import RegisterVersions
from kelarec.domain.subject_request import RequestKind, RequestState
from kelarec.errors import (
    IntegrityError,
    KeyUnavailableError,
    NotResidentError,
    ObjectNotFoundError,
    ResidencyUnknownError,
    StorageError,
)
from kelarec.oversight.departure import Departure, Severity
from kelarec.oversight.practice_of_use import Told
from kelarec.retention.sweep import GRACE
from kelarec.storage import catalog_tables as tables
from kelarec.storage.description import read_description
from kelarec.storage.keys_ahead import AHEAD
from kelarec.storage.places import Place
from kelarec.storage.recordings import from_microseconds, microseconds, to_date
from kelarec.storage.source import Source
from kelarec.storage.vault import Vault

_SWEPT_WITHIN: Final = timedelta(days=1)
_MUST_HOLD: Final = {
    "contact_points": 2,
    "data_protection_officers": 2,
    "purposes": 4,
    "lines": 5,
    "categories": 5,
    "sources": 6,
    "channels": 11,
}
_RIGHTS: Final = {
    RequestKind.ACCESS: 11,
    RequestKind.RECTIFICATION: 12,
    RequestKind.ERASURE: 13,
    RequestKind.RESTRICTION: 14,
    RequestKind.OBJECTION: 14,
}
"""The section of each right; of those that the notice of 2020 leaves out, the one where they belong."""
_FEWEST_REGULAR: Final = 4


@frozen
class PracticeOfKeeping:
    """Looks at places, keys, requests, disclosures and the log of one archive.

    Attributes:
        source: The places, or None if all is in memory.
        told: What the log tells.
        backups_kept_for: How long copies of keys and catalog are kept, where the places do not say.
    """

    vault: Vault
    log: AuditLog
    versions: RegisterVersions
    source: Source | None
    told: Told
    backups_kept_for: timedelta | None

    def iter_departures(self, now: datetime, today: date) -> Iterator[Departure]:
        """Go through them, section by section."""
        register = self.versions.on(today)
        yield from self._judge_versions()
        yield from _judge_validity(register, today)
        yield from self._judge_name(register)
        yield from self._judge_disclosures(register, today)
        yield from self._judge_places(register)
        yield from self._judge_keys(now)
        yield from self._judge_backups()
        yield from self._judge_log(now)
        yield from self._judge_requests(today)

    def _judge_versions(self) -> Iterator[Departure]:
        """Section 1: whose notice it is and what it says is what was adopted."""
        with self.vault.database.begin() as connection:
            rows = connection.execute(select(tables.registers).order_by(tables.registers.c.version)).mappings().all()
        for row in rows:
            digests = {sha256(row["register"]).hexdigest()}
            try:
                digests.add(sha256(self.vault.objects.read(row["register_object"])).hexdigest())
            except ObjectNotFoundError:
                digests.add("")
            told = self.told.registers.get(row["version"])
            if len(digests) > 1 or (told is not None and told[0] not in digests):
                yield Departure(
                    section=1,
                    code="not-as-adopted",
                    fact=f"The notice of {row['version']} is not the one that was adopted.",
                    severity=Severity.BREACH,
                    entry_id=None if told is None else told[1],
                    advice="Run archive.verify; restore what the log tells of.",
                )

    def _judge_name(self, register: Register) -> Iterator[Departure]:
        try:
            name = read_description(self.vault.objects)[1]
        except IntegrityError:
            name = None
        if name != register.name:
            yield Departure(
                section=3,
                code="another-name",
                fact="The archive's description does not bear the name of the register.",
                severity=Severity.BREACH,
                advice="Restore archive.json from a replica; the archive does not open until then.",
            )

    # Sections 7 and 8

    def _judge_disclosures(self, register: Register, today: date) -> Iterator[Departure]:
        known: set[str] = set()
        feeds: dict[tuple[str, str, str], list[tuple[datetime, str]]] = defaultdict(list)
        for disclosure_id, plain in self._iter_disclosures():
            known.add(disclosure_id)
            recipient = plain["recipient"]
            if recipient["country"] not in EEA:
                yield self._tell_disclosure(
                    disclosure_id, 8, "recipient-outside", f"A recipient is in {recipient['country']}."
                )
            key = (recipient["name"].casefold(), plain["ground"], plain["items"])
            feeds[key].append((datetime.fromisoformat(plain["at"]), disclosure_id))
        regular = {text.casefold() for each in register.regular_disclosures for text in _list_texts(each.recipient)}
        for (name, _, _), given in feeds.items():
            if name not in regular and _looks_regular([at for at, _ in sorted(given)]):
                fact = (
                    f"{len(given)} disclosures went to one recipient at regular intervals; the notice has no such feed."
                )
                yield self._tell_disclosure(max(given)[1], 7, "standing-disclosure", fact, Severity.WARNING)
        for disclosure_id, (_, at) in self.told.disclosures.items():
            kept = self.versions.in_force(at).disclosure_retention.last_day(at)
            if disclosure_id not in known and kept >= today:
                fact = f"The disclosure {disclosure_id} is in the log and not in the register of disclosures."
                yield self._tell_disclosure(disclosure_id, 7, "not-registered", fact)

    def _iter_disclosures(self) -> Iterator[tuple[str, dict[str, Any]]]:
        columns = tables.disclosures.c
        with self.vault.database.begin() as connection:
            rows = connection.execute(select(columns.id, columns.disclosure).order_by(columns.at)).all()
        for row in rows:
            disclosure_id = str(UUID(bytes=row.id))
            try:  # as plain values: what could not be built any more is what is looked for
                document = self.vault.open_envelope(self.vault.subject("disclosure", disclosure_id), row.disclosure)
            except (KeyUnavailableError, IntegrityError):  # it is over, or `verify` names it
                continue
            yield disclosure_id, json.loads(document)["disclosure"]

    def _tell_disclosure(
        self, disclosure_id: str, section: int, code: str, fact: str, severity: Severity = Severity.BREACH
    ) -> Departure:
        entry_id = self.told.disclosures.get(disclosure_id, (None, None))[0]
        advice = "Stop it, or have the notice say so before it goes on."
        return Departure(section=section, code=code, fact=fact, severity=severity, entry_id=entry_id, advice=advice)

    def _judge_places(self, register: Register) -> Iterator[Departure]:
        if self.source is None:
            return
        for what, place in self.source.iter_places():
            if place.country not in EEA:
                yield _tell_place(what, f"is in {place.country}, outside the EU/EEA", Severity.BREACH)
            elif register.processing_countries and place.country not in register.processing_countries:
                yield _tell_place(what, f"is in {place.country}, which the notice does not name", Severity.BREACH)
            else:
                yield from self._ask_place(self.source, what, place)

    def _ask_place(self, source: Source, what: str, place: Place) -> Iterator[Departure]:
        try:
            source.require_resident(what, place)
        except (ResidencyUnknownError, StorageError) as error:
            yield _tell_place(what, f"cannot be told to be in the EU/EEA: {error.happened}", Severity.WARNING)
        except NotResidentError as error:
            yield _tell_place(what, f"is elsewhere than declared: {error.happened}", Severity.BREACH)

    # Sections 9 to 14

    def _judge_keys(self, now: datetime) -> Iterator[Departure]:
        for day in self.vault.keyring.iter_days():
            if end_of(day) + GRACE + _SWEPT_WITHIN >= now:
                return
            yield Departure(
                section=9,
                code="keys-outlive-their-day",
                fact=f"The keys of {day} are still there: what was kept through that day can be read with them.",
                severity=Severity.BREACH,
                advice="Let retention.sweep run every night; name the date in catch_up if it asks.",
            )

    def _judge_backups(self) -> Iterator[Departure]:
        places = () if self.source is None else self.source.iter_places()
        for what, place in places:
            own: timedelta | None = getattr(place, "backups_kept_for", None)
            kept = self.backups_kept_for if own is None else own
            if what in {"keys", "catalog"} and kept is not None and kept > AHEAD:
                yield Departure(
                    section=9,
                    code="backups-outlast",
                    fact=f"Copies of the {what} are kept for {kept.days} days: what has ended can come back.",
                    severity=Severity.LAPSE,
                    advice=f"Keep them for {AHEAD.days} days at most; keys are made that far ahead.",
                )

    def _judge_log(self, now: datetime) -> Iterator[Departure]:
        with self.vault.database.begin() as connection:
            oldest = connection.execute(select(func.min(tables.waiting.c.at))).scalar_one()
        if oldest is not None and oldest < microseconds(now - LONGEST_WAIT):
            since = from_microseconds(oldest)
            yield Departure(
                section=10,
                code="log-late",
                fact=f"Log entries have waited for a signed checkpoint since {since.isoformat()}.",
                severity=Severity.LAPSE,
                advice="Call audit.integrate and see why it fails.",
            )
        if not self.log.is_witnessed:
            yield Departure(
                section=10,
                code="log-unwitnessed",
                fact="Nobody outside keeps the log's checkpoints: all of it could be put back unnoticed.",
                severity=Severity.WARNING,
                advice="Open the archive with witnesses=, and see that they answer.",
            )

    def _judge_requests(self, today: date) -> Iterator[Departure]:
        columns = tables.requests.c
        late = select(columns.id, columns.kind, columns.due_on).where(
            columns.state == RequestState.OPEN.value, columns.due_on < today.toordinal()
        )
        with self.vault.database.begin() as connection:
            rows = connection.execute(late.order_by(columns.due_on, columns.id)).all()
        for row in rows:
            request_id = str(UUID(bytes=row.id))
            yield Departure(
                section=_RIGHTS[RequestKind(row.kind)],
                code="late-answer",
                fact=f"The request {request_id} ({row.kind}) was due on {to_date(row.due_on)} and is open.",
                severity=Severity.BREACH,
                entry_id=self.told.requests.get(request_id),
                advice="Answer it now, with the reason for the delay (Art. 12(3), 12(4)).",
            )


def _judge_validity(register: Register, today: date) -> Iterator[Departure]:
    for name, section in _MUST_HOLD.items():
        declared = getattr(register, name)
        if declared and not any(each.valid.holds(today) for each in declared):
            yield Departure(
                section=section,
                code="nothing-in-force",
                fact=f"None of the notice's {name.replace('_', ' ')} holds any more.",
                severity=Severity.LAPSE,
                advice="Adopt a version of the notice that says who or what it is now.",
            )


def _tell_place(what: str, fact: str, severity: Severity) -> Departure:
    return Departure(
        section=8,
        code="place-elsewhere",
        fact=f"The place of the {what} {fact}.",
        severity=severity,
        advice="Move it, or stop; until then nothing of it may be said to stay in the EU/EEA.",
    )


def _list_texts(label: Any) -> tuple[str, str, str]:  # noqa: ANN401  a label
    return label.fi, label.sv, label.en


def _looks_regular(given: list[datetime]) -> bool:
    """Whether disclosures follow one another at intervals that differ from their median by a tenth or a day at most."""
    intervals = [(later - earlier).total_seconds() for earlier, later in pairwise(given)]
    if len(given) < _FEWEST_REGULAR or min(intervals) <= 0:
        return False
    usual = median(intervals)
    slack = max(usual / 10, min(usual / 4, timedelta(days=1).total_seconds()))
    return all(abs(each - usual) <= slack for each in intervals)
