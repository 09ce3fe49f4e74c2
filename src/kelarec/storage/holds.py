"""Holds: what keeps recordings beyond their last day.

    holds/<hold id>/hold-<revision>-<random>          the hold, sealed under its review date
    holds/<hold id>/<recording id>-<random>           a recording's data key, wrapped once more, under the review date

An intent row is written first, then the objects, then the row that says it is placed; a hold whose row still says
intent keeps nothing. The wrap is an empty sealed document whose data key is the recording's: whoever may open it can
open the recording, also after the recording's own day. A review writes new wraps, then the next version of the hold;
those of the date before count for nothing once its row has changed.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

from attrs import field, frozen
from sqlalchemy import Connection, and_, bindparam, delete, func, insert, or_, select, update

from kelarec.domain.hold import Hold, HoldState
from kelarec.errors import ChangedMeanwhileError, IntegrityError, KeyUnavailableError
from kelarec.storage import catalog_tables as tables
from kelarec.storage.closed_dates import TURN as CLOSING
from kelarec.storage.closed_dates import require_not_closed
from kelarec.storage.compiled import execute_all_now, execute_now
from kelarec.storage.envelopes import make_data_key, seal_document, wrap_data_key
from kelarec.storage.json_form import from_json, to_json
from kelarec.storage.recordings import (
    OpenedRecord,
    Record,
    Recordings,
    delete_tokens,
    hold_subject,
    microseconds,
    to_date,
)
from kelarec.storage.vault import Vault

_FOLDER: Final = "holds"
_HOLDS: Final = tables.holds.c
_HELD: Final = tables.held_recordings.c
_INSERT_HELD: Final = insert(tables.held_recordings)
_EXTEND: Final = (
    update(tables.recordings)
    .where(tables.recordings.c.id == bindparam("wanted"))
    .values(
        held_through=select(func.max(_HELD.review_on))
        .where(_HELD.recording_id == tables.recordings.c.id)
        .scalar_subquery()
    )
)


@frozen
class IntendedHold:
    """A hold whose object is durable, and whose recordings are not held yet."""

    hold: Hold
    path: str
    envelope: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """The hash of the hold's object in hexadecimal, for the log: an older one put back shows."""
        return sha256(self.envelope).hexdigest()


@frozen
class Wrap:
    """A recording's data key wrapped for a hold: an object that is durable."""

    record: Record
    path: str
    envelope: bytes = field(repr=False)
    data_key: bytes = field(repr=False)


class Holds:
    """The holds of one archive."""

    def __init__(self, vault: Vault, recordings: Recordings) -> None:
        self._vault = vault
        self._recordings = recordings

    def write(self, hold: Hold) -> IntendedHold:
        """Seal a version of a hold into the archive under its review date.

        Raises:
            DateClosedError: The review date is being ended.
        """
        self._vault.require_keys(hold.review_on)
        subject = self._vault.subject("hold", str(hold.id))
        data_key = make_data_key(self._vault.keyring, hold.review_on.isoformat(), subject, self._vault.randomness)
        path = f"{_FOLDER}/{hold.id}/{self._vault.new_object_name(f'hold-{hold.revision}')}"
        envelope = seal_document(data_key, subject, to_json(hold))
        self._vault.objects.write(path, [envelope])
        return IntendedHold(hold, path, envelope)

    def intend(self, connection: Connection, intended: IntendedHold) -> None:
        """Make the row that announces a hold: until it is placed, nobody ends what it is to hold.

        Raises:
            DateClosedError: The review date, or the last day of a recording that nothing else holds, is being ended.
        """
        self._vault.database.take_turn(connection, CLOSING)
        rows = tables.recordings.c
        own = select(rows.kept_through).distinct()
        own = own.where(rows.id.in_([each.bytes for each in intended.hold.recording_ids]), rows.held_through.is_(None))
        days = {to_date(each) for each in connection.execute(own).scalars()}
        require_not_closed(connection, {intended.hold.review_on, *days})
        connection.execute(
            insert(tables.holds), to_row(intended.hold, HoldState.INTENT, intended.path, intended.envelope)
        )

    def wrap(self, hold: Hold, opened: OpenedRecord) -> Wrap:
        """Wrap a recording's data key once more, under the hold's review date, as an object.

        Raises:
            KeyUnavailableError: The review date's keys are not there.
        """
        return self.wrap_all(hold, [opened])[0]

    def wrap_all(self, hold: Hold, opened: Iterable[OpenedRecord]) -> list[Wrap]:
        """Wrap the data keys of recordings once more, as `wrap` does, and write all objects at once."""
        wraps = [self._wrap(hold, each) for each in opened]
        self._vault.objects.write_many({each.path: each.envelope for each in wraps})
        return wraps

    def _wrap(self, hold: Hold, opened: OpenedRecord) -> Wrap:
        recording_id = opened.record.recording.id
        subject = hold_subject(self._vault, hold.id, recording_id)
        data_key = wrap_data_key(
            self._vault.keyring, hold.review_on.isoformat(), subject, opened.data_key.bare, self._vault.randomness
        )
        path = f"{_FOLDER}/{hold.id}/{self._vault.new_object_name(str(recording_id))}"
        envelope = seal_document(data_key, subject, b"")
        return Wrap(opened.record, path, envelope, opened.data_key.bare)

    def place(self, connection: Connection, hold: Hold, wraps: Iterable[Wrap]) -> None:
        """Let a hold hold: its row says so, and its recordings are found under the review date from now on.

        Raises:
            ChangedMeanwhileError: The hold is not intended any more, or a recording is gone or has another key since.
        """
        placed = connection.execute(
            update(tables.holds)
            .where(_HOLDS.id == hold.id.bytes, _HOLDS.state == HoldState.INTENT.value)
            .values(state=HoldState.PLACED.value)
        ).rowcount
        if not placed:
            raise ChangedMeanwhileError(f"The hold {hold.id} is not intended any more.")
        by_id = {wrap.record.recording.id: wrap for wrap in wraps}
        if set(by_id) != set(hold.recording_ids):
            raise ChangedMeanwhileError(f"The hold {hold.id} has not the wraps of its own recordings.")
        self._hold(connection, hold, by_id)

    def move(self, connection: Connection, before: Hold, moved: IntendedHold, wraps: Iterable[Wrap]) -> None:
        """Let a placed hold go on to another review date, under which its recordings are wrapped and found from now on.

        Raises:
            DateClosedError: The new date is being ended.
            ChangedMeanwhileError: The hold was released or moved meanwhile, or a recording is gone.
        """
        self._vault.database.take_turn(connection, CLOSING)
        require_not_closed(connection, [moved.hold.review_on])
        same = (_HOLDS.state == HoldState.PLACED.value, _HOLDS.review_on == before.review_on.toordinal())
        row = to_row(moved.hold, HoldState.PLACED, moved.path, moved.envelope)
        if not connection.execute(update(tables.holds).where(_HOLDS.id == before.id.bytes, *same).values(row)).rowcount:
            raise ChangedMeanwhileError(f"The hold {before.id} was released or reviewed meanwhile.")
        by_id = {wrap.record.recording.id: wrap for wrap in wraps}
        if set(by_id) != set(self.find_held(connection, before.id)):
            raise ChangedMeanwhileError(f"The hold {before.id} does not hold the same recordings any more.")
        self._hold(connection, moved.hold, by_id)
        for recording_id in by_id:
            self._end_review_date(connection, recording_id.bytes, before.review_on)

    def _hold(self, connection: Connection, hold: Hold, by_id: Mapping[UUID, Wrap]) -> None:
        present = self._lock(connection, by_id)
        for recording_id, wrap in by_id.items():
            # What was spooled may have come in under another key since it was wrapped: that one would be lost.
            if present[recording_id].data_key.bare != wrap.data_key:
                raise ChangedMeanwhileError(f"The recording {recording_id} has another key since it was wrapped.")
        connection.execute(delete(tables.held_recordings).where(_HELD.hold_id == hold.id.bytes))  # or a rebuild's
        rows = [to_held_row(hold, recording_id, wrap.path, wrap.envelope) for recording_id, wrap in by_id.items()]
        execute_all_now(connection, _INSERT_HELD, rows)
        for recording_id in by_id:
            execute_now(connection, _EXTEND, {"wanted": recording_id.bytes})
            self._recordings.insert_tokens(connection, present[recording_id].record, hold.review_on)

    def _lock(self, connection: Connection, ids: Collection[UUID]) -> dict[UUID, OpenedRecord]:
        """Return recordings as they are now, and keep everybody from changing them until the transaction ends."""
        rows = tables.recordings.c
        wanted = select(rows.id).where(rows.id.in_([each.bytes for each in ids])).order_by(rows.id)
        connection.execute(wanted.with_for_update()).all()
        present = {}
        for recording_id in ids:
            opened = self._recordings.find_one(connection, recording_id)
            if opened is None:
                raise ChangedMeanwhileError(f"The recording {recording_id} is gone.")
            present[recording_id] = opened
        return present

    def find_held(self, connection: Connection, hold_id: UUID) -> list[UUID]:
        """Return the recordings that a hold keeps."""
        held = select(_HELD.recording_id).where(_HELD.hold_id == hold_id.bytes).order_by(_HELD.recording_id)
        return [UUID(bytes=each) for each in connection.execute(held).scalars()]

    def release(self, connection: Connection, hold_id: UUID) -> None:
        """Let a hold keep nothing any more: what no other hold keeps ends on its own day, or now if that is over.

        Raises:
            ChangedMeanwhileError: There is no such hold, or it was released before.
        """
        alive = (_HOLDS.id == hold_id.bytes, _HOLDS.state != HoldState.RELEASED.value)
        review_on = connection.execute(select(_HOLDS.review_on).where(*alive)).scalar_one_or_none()
        released = connection.execute(
            update(tables.holds).where(*alive).values(state=HoldState.RELEASED.value)
        ).rowcount
        if review_on is None or not released:
            raise ChangedMeanwhileError(f"The hold {hold_id} is gone, or was released before.")
        held = connection.execute(select(_HELD.recording_id).where(_HELD.hold_id == hold_id.bytes)).scalars().all()
        connection.execute(delete(tables.held_recordings).where(_HELD.hold_id == hold_id.bytes))
        for recording_id in held:
            self._end_review_date(connection, recording_id, to_date(review_on))
            execute_now(connection, _EXTEND, {"wanted": recording_id})

    def remove_row(self, connection: Connection, hold_id: UUID) -> bool:
        """Remove the row of a hold that was released and whose objects are gone; return whether there was one."""
        released = (_HOLDS.id == hold_id.bytes, _HOLDS.state == HoldState.RELEASED.value)
        return bool(connection.execute(delete(tables.holds).where(*released)).rowcount)

    def _end_review_date(self, connection: Connection, recording_id: bytes, day: date) -> None:
        """Remove the tokens of a day, unless the recording has them for another hold or for its own end."""
        recordings = tables.recordings.c
        another = select(_HELD.hold_id).where(_HELD.recording_id == recording_id, _HELD.review_on == day.toordinal())
        own = select(recordings.id).where(recordings.id == recording_id, recordings.kept_through == day.toordinal())
        if connection.execute(another).first() is None and connection.execute(own).first() is None:
            delete_tokens(connection, day, UUID(bytes=recording_id))

    def discard(self, hold_id: UUID) -> None:
        """Remove all objects of a hold."""
        self._vault.objects.delete_many(list(self._vault.objects.iter_paths(f"{_FOLDER}/{hold_id}")))

    def discard_all_but(self, hold_id: UUID, kept: Collection[str]) -> None:
        """Remove the objects of a hold that count for nothing any more."""
        paths = self._vault.objects.iter_paths(f"{_FOLDER}/{hold_id}")
        self._vault.objects.delete_many([path for path in paths if path not in kept])

    def find(self, connection: Connection, hold_id: UUID) -> tuple[Hold, HoldState] | None:
        """Return a hold and where it is in its life, or None if there is none or its review date is over.

        Raises:
            IntegrityError: Its row or what is sealed was altered.
        """
        row = connection.execute(select(tables.holds).where(_HOLDS.id == hold_id.bytes)).one_or_none()
        return None if row is None else self._open(row)

    def is_in_the_way(self, connection: Connection, day: date) -> bool:
        """Whether a hold is announced that is still to be placed, or one keeps something up to a day or one before."""
        intent, live = HoldState.INTENT.value, _HOLDS.state != HoldState.RELEASED.value
        either = or_(_HOLDS.state == intent, and_(live, _HOLDS.review_on <= day.toordinal()))
        return connection.execute(select(_HOLDS.id).where(either).limit(1)).first() is not None

    def find_intended(self, connection: Connection, hold_id: UUID) -> IntendedHold | None:
        """Return a hold that waits to be placed, with its object, or None."""
        row = connection.execute(
            select(tables.holds).where(_HOLDS.id == hold_id.bytes, _HOLDS.state == HoldState.INTENT.value)
        ).one_or_none()
        opened = None if row is None else self._open(row)
        return None if row is None or opened is None else IntendedHold(opened[0], row.hold_object, row.hold)

    def find_paths(self, connection: Connection, hold_id: UUID) -> set[str]:
        """Return the paths of the objects that a hold stands on."""
        own = select(_HOLDS.hold_object).where(_HOLDS.id == hold_id.bytes)
        wraps = select(_HELD.wrap_object).where(_HELD.hold_id == hold_id.bytes)
        return {path for each in (own, wraps) for path in connection.execute(each).scalars()}

    def iter_of_recording(self, connection: Connection, recording_id: UUID) -> Iterator[Hold]:
        """Go through the holds that keep a recording, the earliest review first."""
        rows = connection.execute(
            select(tables.holds)
            .join(tables.held_recordings, _HELD.hold_id == _HOLDS.id)
            .where(_HELD.recording_id == recording_id.bytes, _HOLDS.state == HoldState.PLACED.value)
            .order_by(_HOLDS.review_on, _HOLDS.id)
        ).all()
        yield from (opened[0] for row in rows if (opened := self._open(row)) is not None)

    def iter_all(self, connection: Connection) -> Iterator[tuple[Hold, HoldState]]:
        """Go through all holds that were not released, the earliest review first."""
        wanted = select(tables.holds).where(_HOLDS.state != HoldState.RELEASED.value)
        for row in connection.execute(wanted.order_by(_HOLDS.review_on, _HOLDS.id)).all():
            if (opened := self._open(row)) is not None:
                yield opened

    def iter_in(self, connection: Connection, state: HoldState) -> Iterator[Hold]:
        """Go through the holds in a state: intents that wait to be placed, or released ones whose objects remain."""
        wanted = select(tables.holds).where(_HOLDS.state == state.value).order_by(_HOLDS.id)
        yield from (opened[0] for row in connection.execute(wanted).all() if (opened := self._open(row)) is not None)

    def iter_due(self, connection: Connection, day: date) -> Iterator[tuple[Hold, HoldState]]:
        """Go through the holds and intents whose review date is a day or lies before it, the earliest first."""
        before = (_HOLDS.review_on <= day.toordinal(), _HOLDS.state != HoldState.RELEASED.value)
        due = select(tables.holds).where(*before).order_by(_HOLDS.review_on, _HOLDS.id)
        yield from (opened for row in connection.execute(due).all() if (opened := self._open(row)) is not None)

    def iter_due_before(self, connection: Connection, day: date) -> Iterator[tuple[Hold, HoldState]]:
        """Go through the holds and intents whose review date lies before a day, the earliest first."""
        yield from self.iter_due(connection, day - timedelta(days=1))

    def _open(self, row: object) -> tuple[Hold, HoldState] | None:
        columns = row._mapping  # type: ignore[attr-defined]  # noqa: SLF001  SQLAlchemy's public name
        hold_id = UUID(bytes=columns["id"])
        try:
            content = self._vault.open_envelope(self._vault.subject("hold", str(hold_id)), columns["hold"])
        except KeyUnavailableError:
            return None
        hold = from_json(content, Hold)
        told = (hold.kind.value, hold.ground, microseconds(hold.placed_at), hold.review_on.toordinal())
        if told != (columns["kind"], columns["ground"], columns["placed_at"], columns["review_on"]):
            raise IntegrityError(
                f"The catalog's row of hold {hold_id} was altered.", advice="Rebuild the catalog from the objects."
            )
        return hold, HoldState(columns["state"])


def to_row(hold: Hold, state: HoldState, path: str, envelope: bytes) -> dict[str, object]:
    """Return the row of a hold."""
    return {
        "id": hold.id.bytes,
        "kind": hold.kind.value,
        "ground": hold.ground,
        "placed_at": microseconds(hold.placed_at),
        "review_on": hold.review_on.toordinal(),
        "state": state.value,
        "hold_object": path,
        "hold": envelope,
    }


def to_held_row(hold: Hold, recording_id: UUID, path: str, wrap: bytes) -> dict[str, object]:
    """Return the row of a recording that a hold keeps."""
    return {
        "recording_id": recording_id.bytes,
        "hold_id": hold.id.bytes,
        "review_on": hold.review_on.toordinal(),
        "wrap_object": path,
        "wrap": wrap,
    }
