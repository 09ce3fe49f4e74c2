"""An archive with something of every kind in it, and what its tables hold, for tests of oversight."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from attrs import evolve
from sqlalchemy import select

from kelarec import AccessRequest, Archive, Place, Recording, State, System
from kelarec.audit.entries import EntryKind
from kelarec.storage import catalog_tables as tables
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


def request(archive: Archive) -> None:
    """Receive a request for access."""
    archive.rights.receive(
        AccessRequest(person=make_person(), channel="registry-office", received_at=archive._vault.now()),
        by=System("registry@test"),
    )


def fill(archive: Archive, recordings: int = 6, restrictions: int = 2, requests: int = 2) -> list[Recording]:
    """Put staff, recordings, restrictions and requests into an archive, and bring its log into the tree."""
    archive.staff.enrol(make_staff_member(), by=OPERATOR)
    archive.staff.enrol(make_staff_member(roles={"adviser", "operator"}), by=OPERATOR)
    stored = [store(archive) for _ in range(recordings)]
    for recording in stored[:restrictions]:
        restrict(archive, recording)
    for _ in range(requests):
        request(archive)
    archive.audit.integrate()
    return stored


def dump(archive: Archive, *, left_out: tuple[str, ...] = ("catalog", "leases", "sessions")) -> Tables:
    """Return the rows of all tables, in an order of their own; positions are the catalog's business."""
    with archive._vault.database.begin() as connection:
        return {
            table.name: sorted(
                tuple((name, value) for name, value in row.items() if name != "position")
                for row in connection.execute(select(table)).mappings()
            )
            for table in tables.metadata.sorted_tables
            if table.name not in left_out
        }


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
