"""An archive with something of every kind in it, and what its tables hold, for tests of oversight."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from attrs import evolve
from sqlalchemy import select

from kelarec import AccessRequest, Archive, Place, Recording, State, System
from kelarec.audit.entries import EntryKind
from kelarec.audit.log_rows import LOG
from kelarec.domain.hold import Hold, HoldKind
from kelarec.domain.instants import helsinki_date
from kelarec.storage import catalog_tables as tables
from kelarec.storage.holds import Holds
from kelarec.storage.recordings import Recordings
from kelarec.testing.builders import make_contact, make_person, make_staff_member, make_wav

if TYPE_CHECKING:
    from conftest import Disk

OPERATOR = System("operator@test")
WAV = make_wav(0.1)
Tables = dict[str, list[tuple[tuple[str, Any], ...]]]


def store(archive: Archive) -> Recording:
    """Store a short call."""
    contact = make_contact()
    return archive.capture.store(
        contact, ended_at=contact.started_at + timedelta(seconds=1), content=WAV, by=System("recorder@test")
    )


def restrict(archive: Archive, recording: Recording, state: State = State.RESTRICTED) -> str:
    """Write a newer version of a recording's record; return its object's path."""
    vault = archive._vault
    recordings = Recordings(vault)
    with vault.database.begin() as connection:
        opened = recordings.find_one(connection, recording.id)
    assert opened is not None
    record = evolve(
        opened.record,
        revision=opened.record.revision + 1,
        recording=evolve(opened.record.recording, state=state),
    )
    written = recordings.write_record(record, opened.data_key)
    entry = archive.audit.new_entry(
        EntryKind.RECORDING_CHANGED,
        System("restriction@test"),
        recording_id=recording.id,
        record_sha256=written.sha256,
        kept_through=recording.kept_through.isoformat(),
    )
    with archive.audit.transaction(entry) as connection:
        recordings.replace(connection, written)
    return written.path


def hold(archive: Archive, *held: Recording, wrapped: int | None = None) -> Hold:
    """Place a hold on recordings, or intend one of which only some have wraps."""
    vault = archive._vault
    recordings = Recordings(vault)
    holds = Holds(vault, recordings)
    placed = Hold(
        id=vault.new_id(),
        recording_ids=[each.id for each in held],
        kind=HoldKind.OTHER,
        ground="legal-claim",
        reason="A claim is before the court",
        placed_by=str(OPERATOR),
        placed_at=vault.now(),
        review_on=helsinki_date(vault.now() + timedelta(days=300)),
    )
    intended = holds.write(placed)
    with vault.database.begin() as connection:
        holds.intend(connection, intended)
        opened = [recordings.find_one(connection, each) for each in placed.recording_ids]
    wraps = [holds.wrap(placed, each) for each in opened[:wrapped] if each is not None]
    if wrapped is None:
        with vault.database.begin() as connection:
            holds.place(connection, placed, wraps)
    return placed


def request(archive: Archive) -> None:
    """Receive a request for access."""
    archive.rights.receive(
        AccessRequest(person=make_person(), channel="registry-office", received_at=archive._vault.now()),
        by=System("registry@test"),
    )


def fill(
    archive: Archive, recordings: int = 6, restrictions: int = 2, requests: int = 2, holds: int = 1
) -> list[Recording]:
    """Put staff, recordings, restrictions, requests and holds into an archive, and bring its log into the tree."""
    archive.staff.enrol(make_staff_member(), by=OPERATOR)
    archive.staff.enrol(make_staff_member(roles={"adviser", "operator"}), by=OPERATOR)
    stored = [store(archive) for _ in range(recordings)]
    for recording in stored[:restrictions]:
        restrict(archive, recording)
    for number in range(holds):
        hold(archive, stored[-1 - number], stored[-2 - number])
    for _ in range(requests):
        request(archive)
    archive.audit.integrate()
    return stored


def dump(archive: Archive, *, left_out: tuple[str, ...] = ("catalog", "closed_dates", "leases", "sessions")) -> Tables:
    """Return the rows of all tables, in an order of their own; of the log those in the tree and those that wait."""
    with archive._vault.database.begin() as connection:
        rows = {
            table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
            for table in tables.metadata.sorted_tables
            if table.name not in left_out
        }
    rows["entries"] += [{**row, "leaf_index": None} for row in rows.pop("waiting")]
    return {
        name: sorted(
            (tuple((column, value) for column, value in sorted(row.items()) if column != "position") for row in each),
            key=repr,
        )
        for name, each in rows.items()
    }


def list_kinds(archive: Archive) -> list[str]:
    """Return the kinds of all log entries, without asking the log."""
    with archive._vault.database.begin() as connection:
        return list(connection.execute(select(LOG.c.kind)).scalars())


def without(rows: Tables, *kinds: EntryKind) -> Tables:
    """Leave out the entries of some kinds."""
    values = {kind.value for kind in kinds}
    return {
        name: [row for row in each if name != "entries" or dict(row)["kind"] not in values]
        for name, each in rows.items()
    }


def rebuild(disk: "Disk", name: str | None = None, **more: Any) -> Archive:  # noqa: ANN401  arguments of rebuild_lost
    """Rebuild the catalog of an archive on disk, at its usual place or beside it under a name."""
    catalog = None if name is None else Place(f"sqlite://{disk.folder / name}", "FI")
    given: dict[str, Any] = {"by": OPERATOR, "clock": disk.clock}
    return Archive.rebuild_lost(
        objects=Place(disk.objects, "FI"),
        keys=Place(disk.keys, "FI"),
        root_key=f"keyfile:{disk.root_key}",
        catalog=catalog,
        **given | more,
    )


def ids(archive: Archive) -> set[UUID]:
    """Return the ids of the recordings that a catalog knows."""
    with archive._vault.database.begin() as connection:
        return {UUID(bytes=each) for each in connection.execute(select(tables.recordings.c.id)).scalars()}
