"""What the log tells of destroyed keys, on each database: the notice, section 9; GDPR, Art. 5(2) and 17."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import text

from kelarec import Archive, Place, System, create_key_file, kela_register
from kelarec.audit.entries import EntryKind
from kelarec.errors import KeyUnavailableError
from kelarec.retention.erasure import destroy_leaves
from kelarec.storage import catalog_tables as tables
from kelarec.storage.key_leaves import KeyLeaf
from kelarec.testing.builders import make_contact, make_wav
from kelarec.testing.clock import MovableClock

OFFICER: Final = System("erasure@test")
LAST_DAY: Final = date(2027, 3, 5)


@pytest.fixture
def places(tmp_path: Path, catalog_url: str) -> dict[str, Any]:
    """Where an archive lies whose catalog is on each database."""
    return {
        "objects": Place(tmp_path / "archive", "FI"),
        "keys": Place(tmp_path / "keys", "FI"),
        "root_key": create_key_file(tmp_path / "root.key"),
        "catalog": Place(catalog_url, "FI"),
        "clock": MovableClock(),
    }


@pytest.fixture
def archive(places: dict[str, Any]) -> Iterator[Archive]:
    """A new archive there."""
    with Archive.create(**places, register=kela_register(contact_point="Registry office")) as archive:
        yield archive


def store(archive: Archive, clock: MovableClock, count: int) -> list[UUID]:
    """Store so many calls that start now."""
    ended_at = clock() + timedelta(seconds=1)
    return [
        archive.capture.store(make_contact(), ended_at=ended_at, content=make_wav(0.02), by=OFFICER).id
        for _ in range(count)
    ]


def is_dead(archive: Archive, recording_id: UUID) -> bool:
    """Whether the leaf of a recording cannot be had."""
    try:
        archive._vault.keyring.get_leaf(LAST_DAY, str(recording_id))
    except KeyUnavailableError:
        return True
    return False


def test_those_who_erase_at_once_undo_nothing_of_each_other(archive: Archive, places: dict[str, Any]) -> None:
    """Four who puncture one date at the same time take turns: each leaf dies, no neighbour does (Art. 17)."""
    ids = store(archive, places["clock"], 24)
    handles = [Archive.open(**places) for _ in range(4)]

    def erase(number: int) -> None:
        for each in ids[number:20:4]:
            destroy_leaves(handles[number]._vault, handles[number].audit, [KeyLeaf(LAST_DAY, each)], by=OFFICER)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(erase, range(4))) == [None] * 4
    for handle in handles:
        handle.close()
    with Archive.open(**places) as opened:
        assert [each for each in ids if is_dead(opened, each)] == ids[:20]
        assert not opened.destroyed_again.leaves
        told = opened.audit.iter_entries(by=OFFICER)
        assert {each.recording_id for each in told if each.kind is EntryKind.LEAF_DESTROYED} == {*ids[:20]}


def test_entries_about_dead_keys_have_an_index(archive: Archive, places: dict[str, Any]) -> None:
    """Opening looks into the log by an index that holds no other entries, however long the log is."""
    destroy_leaves(archive._vault, archive.audit, [KeyLeaf(LAST_DAY, *store(archive, places["clock"], 1))], by=OFFICER)
    asked = f"SELECT * FROM entries WHERE {tables.tells_of_dead_keys} AND at >= 1 AND actor != ''"  # noqa: S608
    with archive._vault.database.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        explain = "EXPLAIN" if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
        plan = " ".join(str(row) for row in connection.execute(text(f"{explain} {asked}")))
    assert "entries_of_dead_keys" in plan
    assert [row["kind"] for row in archive.audit.get_rows_of_dead_keys(places["clock"]() - timedelta(days=1))] == [
        "leaf-destroyed"
    ]
