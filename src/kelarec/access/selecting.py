"""Selecting recordings for a training plan: by line, kind, length and time, by chance that can be repeated."""

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from attrs import evolve, field, frozen
from attrs.validators import ge, instance_of, optional
from sqlalchemy import select

from kelarec.access.changing import find_record, replace_record
from kelarec.access.gate import Gate
from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.codes import Kind, State, to_codes, to_kind
from kelarec.domain.instants import to_utc
from kelarec.domain.recording import Recording
from kelarec.domain.staff_acts import Act
from kelarec.errors import ChangedMeanwhileError, EndBeforeStartError
from kelarec.storage import catalog_tables as tables
from kelarec.storage.recordings import OpenedRecord, microseconds
from kelarec.storage.vault import Vault


def _to_utc_or_none(at: datetime | None) -> datetime | None:
    return None if at is None else to_utc(at)


def _to_kinds(kinds: Iterable[str]) -> frozenset[Kind]:
    return frozenset(to_kind(each) for each in kinds)


@frozen(kw_only=True)
class Wanted:
    """Which recordings a training plan asks for.

    Attributes:
        count: How many at most.
        lines: The register's codes of the lines; all if there are none.
        kinds: The kinds; all if there are none.
        shortest: At least so long.
        longest: At most so long, or None.
        since: Started at this instant or later, or None.
        until: Started before this instant, or None.

    Raises:
        InvalidValueError: A code or kind is none.
        EndBeforeStartError: It asks for a time or length that ends before it starts.
    """

    count: int = field(validator=[instance_of(int), ge(1)])
    lines: frozenset[str] = field(default=frozenset(), converter=to_codes)
    kinds: frozenset[Kind] = field(default=frozenset(), converter=_to_kinds)
    shortest: timedelta = field(default=timedelta(0), validator=instance_of(timedelta))
    longest: timedelta | None = field(default=None, validator=optional(instance_of(timedelta)))
    since: datetime | None = field(default=None, converter=_to_utc_or_none)
    until: datetime | None = field(default=None, converter=_to_utc_or_none)

    def __attrs_post_init__(self) -> None:
        if self.longest is not None and self.longest < self.shortest:
            raise EndBeforeStartError("The longest length is shorter than the shortest.", advice="Exchange them.")
        if self.since is not None and self.until is not None and self.until < self.since:
            raise EndBeforeStartError("The time asked for ends before it starts.", advice="Exchange the instants.")


def select_for_training(vault: Vault, log: AuditLog, gate: Gate, wanted: Wanted, seed: bytes) -> list[Recording]:
    """Select recordings for the plan that is the session's matter, and write the plan into their records.

    The order of chance is that of SHA-256 over seed and id, so that the same seed over the same recordings selects the
    same ones. Restricted recordings, those that are over and those about the staff member are never among them. Each
    selected one is a log entry; a newer record keeps the plan, and dies with the recording.

    Raises:
        DeniedError: The session may select nothing.
    """
    gate.require(Act.SELECT)
    selected: list[Recording] = []
    for recording_id in sorted(_find_ids(vault, wanted), key=lambda each: hashlib.sha256(seed + each.bytes).digest()):
        if len(selected) == wanted.count:
            break
        opened = find_record(vault, recording_id)
        if opened is None or gate.find_clause_against(Act.SELECT, opened) is not None:
            continue
        with suppress(ChangedMeanwhileError):  # somebody is at work on it; another one will do
            _write_plan(vault, log, gate, opened)
            selected.append(opened.record.recording)
    return selected


def _write_plan(vault: Vault, log: AuditLog, gate: Gate, opened: OpenedRecord) -> None:
    details, plan = opened.record.details, gate.terms.matter
    if plan not in details.training_plans:
        replace_record(
            vault,
            log,
            opened,
            opened.record.change_details(evolve(details, training_plans=details.training_plans | {plan})),
            EntryKind.SELECTED_FOR_TRAINING,
            by=gate.terms.staff_id,
            terms=gate.terms,
        )


def _find_ids(vault: Vault, wanted: Wanted) -> list[UUID]:
    columns = tables.recordings.c
    length = columns.ended_at - columns.started_at
    unit = timedelta(microseconds=1)
    query = select(columns.id).where(columns.state == State.KEPT.value, length >= wanted.shortest // unit)
    if wanted.lines:
        query = query.where(columns.line.in_(sorted(wanted.lines)))
    if wanted.kinds:
        query = query.where(columns.kind.in_(sorted(kind.value for kind in wanted.kinds)))
    if wanted.longest is not None:
        query = query.where(length <= wanted.longest // unit)
    if wanted.since is not None:
        query = query.where(columns.started_at >= microseconds(wanted.since))
    if wanted.until is not None:
        query = query.where(columns.started_at < microseconds(wanted.until))
    with vault.database.begin() as connection:
        return [UUID(bytes=each) for each in connection.execute(query).scalars()]
