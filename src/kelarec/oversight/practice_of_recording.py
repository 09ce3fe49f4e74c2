"""What is stored, held against the notice it was made under (head and sections 5, 6 and 9)."""

from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol
from uuid import UUID

from attrs import frozen
from sqlalchemy import Connection, select

from kelarec.audit.entries import EntryKind
from kelarec.audit.log_rows import LOG
from kelarec.domain.contact import Contact
from kelarec.domain.instants import helsinki_date
from kelarec.domain.recording import Recording, RecordingDetails
from kelarec.domain.register import Register
from kelarec.domain.register_versions import RegisterVersions
from kelarec.errors import IntegrityError, OutsideNoticeError
from kelarec.oversight.departure import Departure, Severity
from kelarec.storage import catalog_tables as tables
from kelarec.storage.recordings import Recordings
from kelarec.storage.vault import Vault

_PAGE: Final = 100
_ASK: Final = "Find out how it came in. Decide whether it may stay; if not, erase it."


class Gap(Protocol):
    """A contact that was to be recorded and has no recording, such as `archive.capture.gaps` gives."""

    @property
    def contact(self) -> Contact:
        """The contact, as the contact centre told it."""
        ...


@frozen
class PracticeOfRecording:
    """Goes through the recordings once; each record is opened."""

    vault: Vault
    versions: RegisterVersions

    def iter_departures(self) -> Iterator[Departure]:
        """Go through what recordings are that their notice does not say."""
        recordings = Recordings(self.vault)
        column = tables.recordings.c.id
        page = select(tables.recordings).order_by(column).limit(_PAGE)
        last: bytes | None = b""
        while last is not None:
            with self.vault.database.begin() as connection:  # writers wait for no more than a page
                rows = connection.execute(page.where(column > last)).mappings().all()
                found = [each for row in rows for each in self._judge_row(connection, recordings, row)]
            yield from found
            last = rows[-1]["id"] if rows else None

    def _judge_row(self, connection: Connection, recordings: Recordings, row: Any) -> Iterator[Departure]:  # noqa: ANN401  a mapping of the driver's types
        try:
            opened = recordings.open_row(connection, row)
        except IntegrityError as error:
            yield Departure(
                section=10,
                code="altered-record",
                fact=f"What is stored of a recording was altered, so nobody can tell what it is: {error.happened}",
                severity=Severity.WARNING,
                recording_id=UUID(bytes=row["id"]),
                advice="Run archive.verify.",
            )
            return
        if opened is None:  # its last day is over
            return
        recording, details = opened.record.recording, opened.record.details
        for section, code, fact, severity in self._judge(recording, details):
            yield Departure(
                section=section,
                code=code,
                fact=fact,
                severity=severity,
                entry_id=_find_entry(connection, recording.id),
                recording_id=recording.id,
                advice=_ASK,
            )

    def _judge(self, recording: Recording, details: RecordingDetails) -> Iterator[tuple[int, str, str, Severity]]:
        register = self.versions.in_force(recording.started_at)
        if recording.register_version != register.version:
            yield (
                0,
                "another-version",
                f"It names the notice of {recording.register_version}; that of {register.version} was in force.",
                Severity.BREACH,
            )
        try:
            register.require_covers(details.contact)
        except OutsideNoticeError as error:
            yield 5, "outside-the-notice", f"It is stored although: {error.happened}", Severity.BREACH
        undeclared = sorted(details.categories - {each.code for each in register.categories})
        if undeclared:
            fact = f"It holds data of categories that the notice does not name: {', '.join(undeclared)}."
            yield 5, "undeclared-category", fact, Severity.BREACH
        if not _has_source(register, recording):
            yield 6, "no-source", f"The notice names no source of a {recording.kind}.", Severity.BREACH
        promised = register.retention.last_day(recording.started_at)
        if recording.kept_through > promised:
            fact = f"It is kept through {recording.kept_through}; promised was {promised}."
            yield 9, "kept-too-long", fact, Severity.BREACH
        elif recording.kept_through < promised:
            fact = f"It is kept through {recording.kept_through} only; promised was {promised}."
            yield 9, "kept-too-short", fact, Severity.LAPSE


def _has_source(register: Register, recording: Recording) -> bool:
    on = helsinki_date(recording.started_at)
    return any(recording.kind in each.kinds and each.valid.holds(on) for each in register.sources)


def _find_entry(connection: Connection, recording_id: UUID) -> UUID | None:
    stored = select(LOG.c.id).where(
        LOG.c.recording_id == recording_id.bytes, LOG.c.kind == EntryKind.RECORDING_STORED.value
    )
    entry_id = connection.execute(stored.limit(1)).scalar_one_or_none()
    return None if entry_id is None else UUID(bytes=entry_id)


def tell_gaps(gaps: Iterable[Gap]) -> Iterator[Departure]:
    """Tell of contacts that were to be recorded and were not."""
    for gap in gaps:
        contact = gap.contact
        yield Departure(
            section=5,
            code="not-recorded",
            fact=f"A {contact.kind}, {contact.direction}, through {contact.line}, "
            f"of {contact.started_at.isoformat()}, has no recording.",
            severity=Severity.BREACH,
            advice="Look into capture.recover and the recorder of that line.",
        )
