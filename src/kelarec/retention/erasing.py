"""Erasure before the date: decisions under Art. 17 and recordings made by mistake (notice, section 13).

An erasure is begun in the log before anything is destroyed, so that it is finished wherever a process dies. It is done
when all was looked for in vain after the last cached key is forgotten; then the log says so, and a certificate can be
had.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from attrs import frozen
from sqlalchemy import Connection

from kelarec.audit.entries import EntryKind
from kelarec.audit.erasure_entries import count_exports, find_newest, list_unfinished
from kelarec.audit.log import AuditLog
from kelarec.domain.access_rule import Clause
from kelarec.domain.codes import State, require_code
from kelarec.domain.erasure import Complete, Erasure, ErasurePreview, HoldAgainst, Incomplete, Outcome
from kelarec.domain.free_text import require_impersonal
from kelarec.domain.hold import HoldKind
from kelarec.domain.people import Actor, StaffId
from kelarec.domain.recording import RecordingDetails
from kelarec.domain.staff_acts import Act
from kelarec.errors import HeldError, IntegrityError, InvalidValueError, KeyUnavailableError, StorageError
from kelarec.retention.erasure_steps import ErasureSteps, require_unheld
from kelarec.retention.erasure_targets import ErasureTarget, ErasureTerms, new_target_entry, read_target_entry
from kelarec.storage.disclosures import DisclosureRegister
from kelarec.storage.erased_rows import StandingHold, list_standing_holds
from kelarec.storage.recordings import OpenedRecord, Recordings
from kelarec.storage.staff_directory import StaffDirectory
from kelarec.storage.vault import Vault

_TURN: Final = "erasures"
_MOST_AT_ONCE: Final = 10_000


@frozen
class _Plan:
    """What was asked for: what is to be erased, what is being erased already, what was erased before."""

    targets: tuple[ErasureTarget, ...]
    holds: tuple[StandingHold, ...]
    unfinished: Mapping[UUID, Any]
    erased: tuple[UUID, ...]


class Erasures:
    """Erases single recordings of one archive before their date."""

    def __init__(
        self, vault: Vault, log: AuditLog, drop_from_spool: Callable[[Collection[UUID]], None] = lambda _: None
    ) -> None:
        self._vault = vault
        self._log = log
        self._recordings = Recordings(vault)
        self._disclosures = DisclosureRegister(vault)
        self._steps = ErasureSteps(vault, log, drop_from_spool)

    def preview(self, recording_ids: Collection[UUID], *, by: Actor, hold_id: UUID | None = None) -> ErasurePreview:
        """Count what an erasure would take away, and what stands against it; that it was asked is in the log.

        Args:
            recording_ids: Which recordings.
            by: The officer or system that would erase them.
            hold_id: The hold of the decision itself, which does not stand against it.

        Raises:
            DeniedError: A staff member without a role that grants it, about themselves, or there is no such recording.
            InvalidValueError: No recording is named, or more than 10,000.
        """
        ids = self._require_ids(recording_ids, by)
        plan = self._plan(ids, by, hold_id)
        entry = self._log.new_entry(EntryKind.ERASURE_PREVIEWED, by, recordings=str(len(ids)))
        self._log.write(entry)
        own = {target.recording_id: target.held for target in plan.targets}
        against = [hold for hold in plan.holds if own[hold.recording_id] != (hold.id, hold.review_on)]
        counts = {hold.id: sum(each.id == hold.id for each in against) for hold in against}
        return ErasurePreview(
            recordings=len(plan.targets),
            bytes=sum(target.bytes for target in plan.targets),
            parts=sum(target.parts for target in plan.targets),
            spooled=sum(target.is_spooled for target in plan.targets),
            erased=len(plan.erased) + len(plan.unfinished),
            holds=tuple(
                HoldAgainst(id=hold.id, kind=hold.kind, ground=hold.ground, recordings=counts[hold.id])
                for hold in {each.id: each for each in against}.values()
            ),
            disclosures=_list_disclosures(plan.targets),
        )

    def erase(
        self, recording_ids: Collection[UUID], *, by: Actor, ground: str, matter: str, hold_id: UUID | None = None
    ) -> Erasure:
        """Erase recordings for good, all of them or, if something stands against one, none.

        Erasing what is being erased goes on with it, and erasing what was erased is no error. The result is usually
        pending for a minute: call `finish` then.

        Args:
            recording_ids: Which recordings; those of one date together cost little more than one.
            by: The officer or system that erases them.
            ground: A code, such as ``art-17-1-d`` or ``made-by-mistake``.
            matter: The decision, case or request, without a person's identifier.
            hold_id: The hold of the decision itself (`HoldKind.DECISION`), under which it is carried out.

        Raises:
            DeniedError: A staff member without a role that grants it, about themselves, or there is no such recording.
            HeldError: Another hold keeps one of them; it is named.
            LooksLikeIdentifierError, InvalidValueError: The matter names a person, or an argument is malformed.
            StorageError, KeyUnavailableError, IntegrityError: A place refuses, or keys are not whole. Nothing was
                erased; once something was, the result tells where it stands, and no error is raised.
        """
        ids = self._require_ids(recording_ids, by)
        terms = ErasureTerms(
            id=self._vault.new_id(),
            ground=require_code(ground, "ground of the erasure"),
            matter=require_impersonal(matter, "matter of the erasure"),
        )
        plan = self._plan(ids, by, hold_id)
        require_unheld(plan.holds, {target.recording_id: target.held for target in plan.targets})
        begun = self._begin(terms, plan.targets, by)
        outcomes = [self._carry_out(begun, terms, by, is_new=True)] if begun else []
        erasures = [self._go_on(*each, by) for each in self._group([*plan.unfinished.values()])]
        outcomes += [each.outcome for each in erasures]
        # What another process began between plan and beginning is its own; it is looked at as what it is by now.
        return Erasure(
            id=terms.id if begun else next((each.id for each in erasures), None),
            recording_ids=ids,
            outcome=_worst(outcomes),
            disclosures=_list_disclosures(begun) + tuple(each for erasure in erasures for each in erasure.disclosures),
        )

    def finish(self, *, by: Actor) -> tuple[Erasure, ...]:
        """Go on with every erasure that was begun and is not done: of this process, of others, of those that died.

        Raises:
            DeniedError: A staff member without a role that grants it.
            CatalogError: The catalog refuses.
        """
        self._log.require_may(by, Act.ERASE)
        return self.finish_all(by=by)

    def finish_all(self, *, by: Actor) -> tuple[Erasure, ...]:
        """Do what `finish` does for somebody who was asked already, such as a sweep."""
        with self._vault.database.begin() as connection:
            unfinished = list_unfinished(connection)
            rows = find_newest(connection, unfinished)
        return tuple(self._go_on(*each, by) for each in self._group(rows.values()))

    # Planning

    def _require_ids(self, recording_ids: Collection[UUID], by: Actor) -> tuple[UUID, ...]:
        self._log.require_may(by, Act.ERASE)
        ids = tuple(dict.fromkeys(recording_ids))
        if not ids or not all(isinstance(each, UUID) for each in ids):
            raise InvalidValueError("The erasure names no recording.", advice="Give the ids of recordings.")
        if len(ids) > _MOST_AT_ONCE:
            raise InvalidValueError(
                f"The erasure names {len(ids)} recordings; {_MOST_AT_ONCE} are possible.", advice="Make it several."
            )
        return ids

    def _plan(self, ids: Sequence[UUID], by: Actor, hold_id: UUID | None) -> _Plan:
        find_member = StaffDirectory(self._vault).ask(by) if isinstance(by, StaffId) else None
        denied: tuple[UUID, Clause] | None = None
        targets, erased, unfinished = [], [], {}
        with self._vault.database.begin() as connection:
            member = None if find_member is None else find_member(connection)
            own_code = None if member is None else member.identity_code
            newest = find_newest(connection, ids)
            holds = list_standing_holds(connection, ids)
            disclosed = self._disclosures if self._disclosures.has_any(connection) else None
            for each in ids:
                told = newest.get(each)
                if told is not None and told["kind"] == EntryKind.ERASURE_BEGUN:
                    unfinished[each] = told
                    continue
                opened = self._recordings.find_one(connection, each)
                if opened is None and told is not None and told["kind"] == EntryKind.ERASED:
                    erased.append(each)
                elif opened is None:
                    denied = denied or (each, Clause.KNOWN_RECORDING)
                elif any(own_code in person.identifiers for person in opened.record.details.contact.persons):
                    denied = denied or (each, Clause.ONESELF)
                else:
                    targets.append(self._to_target(connection, opened, holds, hold_id, disclosed))
        if denied is not None:
            raise self._deny(*denied, by)
        return _Plan(tuple(targets), holds, unfinished, tuple(erased))

    def _to_target(
        self,
        connection: Connection,
        opened: OpenedRecord,
        holds: Iterable[StandingHold],
        hold_id: UUID | None,
        register: DisclosureRegister | None,
    ) -> ErasureTarget:
        recording, details = opened.record.recording, opened.record.details
        own = [each for each in holds if (each.id, each.recording_id) == (hold_id, recording.id)]
        disclosed = register.find_of_recording(connection, recording.id, details.contact) if register else []
        return ErasureTarget(
            recording_id=recording.id,
            kept_through=recording.kept_through,
            recorded_on=recording.recorded_on,
            bytes=sum(part.length for part in details.parts),
            parts=len(details.parts),
            is_spooled=recording.state is State.SPOOLED or _is_spooled(details),
            held=next(((each.id, each.review_on) for each in own if each.kind is HoldKind.DECISION), None),
            disclosures=tuple(each.id for each in disclosed),
        )

    def _deny(self, recording_id: UUID, clause: Clause, by: Actor) -> Exception:
        act = Act.ERASE.value
        entry = self._log.new_entry(EntryKind.DENIED, by, recording_id=recording_id, act=act, clause=clause.value)
        happened = "There is no such recording, or it is not one that you may erase."
        return self._log.deny(entry, happened, clause=Clause.DUTY.value, advice="The denial is in the log.")

    # Carrying out

    def _begin(self, terms: ErasureTerms, targets: Sequence[ErasureTarget], by: Actor) -> tuple[ErasureTarget, ...]:
        """Say in the log what is begun, save what another process has begun meanwhile."""
        if not targets:
            return ()
        with self._vault.database.begin() as connection:
            self._vault.database.take_turn(connection, _TURN)
            newest = find_newest(connection, [target.recording_id for target in targets])
            fresh = tuple(each for each in targets if not _is_begun(newest.get(each.recording_id)))
            for target in fresh:
                self._log.append(connection, new_target_entry(self._log, EntryKind.ERASURE_BEGUN, terms, target, by=by))
        self._log.wake()
        return fresh

    def _carry_out(
        self, targets: Sequence[ErasureTarget], terms: ErasureTerms, by: Actor, *, is_new: bool = False
    ) -> Outcome:
        failed: list[Outcome] = []
        left: list[ErasureTarget] = []
        for day, group in _group_by_day(targets):
            try:
                self._steps.destroy(group, by=by)
            except (HeldError, IntegrityError, KeyUnavailableError, StorageError) as error:
                if is_new and self._steps.is_untouched(group):
                    if not left and not failed:
                        self._give_up(terms, targets, by)
                        raise
                    self._give_up(terms, group, by)
                what = "hold on" if isinstance(error, HeldError) else "keys of"
                failed.append(Incomplete(f"{what} {day.isoformat()}", str(error)))
            else:
                left += group
        try:
            self._steps.remove(left)
        except StorageError as error:
            failed.append(Incomplete("objects", str(error)))
        outcome = _worst([*failed, self._steps.look(left)] if left else failed)
        if isinstance(outcome, Complete):
            self._say_erased(terms, targets, by)
        return outcome

    def _go_on(self, terms: ErasureTerms, targets: Sequence[ErasureTarget], by: Actor) -> Erasure:
        return Erasure(
            id=terms.id,
            recording_ids=tuple(target.recording_id for target in targets),
            outcome=self._carry_out(targets, terms, by),
            disclosures=_list_disclosures(targets),
        )

    def _group(self, rows: Iterable[Any]) -> Iterator[tuple[ErasureTerms, list[ErasureTarget]]]:
        found: dict[UUID, tuple[ErasureTerms, list[ErasureTarget]]] = {}
        for row in rows:
            terms, target = read_target_entry(self._log.open_payload(row))
            found.setdefault(terms.id, (terms, []))[1].append(target)
        yield from found.values()

    def _give_up(self, terms: ErasureTerms, targets: Sequence[ErasureTarget], by: Actor) -> None:
        """Say in the log that what was begun is not carried out: nothing of it was destroyed."""
        with self._vault.database.begin() as connection:
            for target in targets:
                kind = EntryKind.ERASURE_ABANDONED
                self._log.append(connection, new_target_entry(self._log, kind, terms, target, by=by))
        self._log.wake()

    def _say_erased(self, terms: ErasureTerms, targets: Sequence[ErasureTarget], by: Actor) -> None:
        ids = [target.recording_id for target in targets]
        with self._vault.database.begin() as connection:
            self._vault.database.take_turn(connection, _TURN)
            newest = find_newest(connection, ids)
            exports = count_exports(connection, ids)
            for target in targets:
                if _is_begun(newest.get(target.recording_id)):  # else another process was quicker to say so
                    told = str(exports[target.recording_id])
                    entry = new_target_entry(self._log, EntryKind.ERASED, terms, target, by=by, key_exports=told)
                    self._log.append(connection, entry)
        self._log.wake()


def _is_begun(row: Any) -> bool:  # noqa: ANN401  a mapping of the driver's types
    return row is not None and row["kind"] == EntryKind.ERASURE_BEGUN


def _is_spooled(details: RecordingDetails) -> bool:
    return not details.parts  # a restricted one says so by that alone


def _group_by_day(targets: Iterable[ErasureTarget]) -> Iterator[tuple[date, list[ErasureTarget]]]:
    for day, group in groupby(sorted(targets, key=lambda each: each.kept_through), lambda each: each.kept_through):
        yield day, list(group)


def _list_disclosures(targets: Iterable[ErasureTarget]) -> tuple[UUID, ...]:
    return tuple(dict.fromkeys(each for target in targets for each in target.disclosures))


def _worst(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the outcome that leaves most to do; complete if there is none."""
    rank = [Complete, Incomplete]
    ordered = sorted(outcomes, key=lambda each: rank.index(type(each)) if type(each) in rank else 0.5)
    return ordered[-1] if ordered else Complete()
