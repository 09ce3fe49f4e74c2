"""What ends when: the notice of 18.8.2020, section 9."""

import time
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, update

from erasable import RECORDER, place_hold, store
from kelarec import Archive
from kelarec.domain.hold import HoldKind
from kelarec.retention.forecast import Ending, Forecast, forecast
from kelarec.storage import catalog_tables as tables
from kelarec.storage.vault import Vault
from kelarec.testing.catalog_vault import insert_record
from kelarec.testing.clock import MovableClock

FIRST = date(2027, 1, 1)
FACTS = st.tuples(
    st.integers(0, 5), st.none() | st.integers(0, 5), st.none() | st.integers(0, 1 << 40)
)  # last day kept, held through, bytes


def to_ending(day: int, sizes: list[int | None]) -> Ending:
    """Count plainly."""
    known = [size for size in sizes if size is not None]
    on = FIRST + timedelta(days=day)
    return Ending(on=on, recordings=len(sizes), bytes=sum(known), unmeasured=len(sizes) - len(known))


@given(facts=st.lists(FACTS, max_size=30))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_counts_by_date_and_held_ones_apart(
    memory_vault: Vault, facts: list[tuple[int, int | None, int | None]]
) -> None:
    """Each recording counts once: by its last day, or by its hold's review; unknown sizes are counted as such."""
    row = _make_row(memory_vault)
    first = FIRST.toordinal()
    rows = [
        row
        | {
            "id": number.to_bytes(16),
            "kept_through": first + kept,
            "held_through": None if held is None else first + held,
            "bytes": size,
        }
        for number, (kept, held, size) in enumerate(facts, start=1)
    ]
    with memory_vault.database.begin() as connection:
        connection.execute(delete(tables.recordings))
        if rows:
            connection.execute(insert(tables.recordings), rows)
    ending = {day: [size for kept, held, size in facts if held is None and kept == day] for day in range(6)}
    held_on = {day: [size for _, held, size in facts if held == day] for day in range(6)}
    assert forecast(memory_vault) == Forecast(
        ending=tuple(to_ending(day, sizes) for day, sizes in ending.items() if sizes),
        held=tuple(to_ending(day, sizes) for day, sizes in held_on.items() if sizes),
    )


def _make_row(vault: Vault) -> dict[str, object]:
    with vault.database.begin() as connection:
        connection.execute(delete(tables.recordings))
        connection.execute(delete(tables.tokens))
    insert_record(vault)
    with vault.database.begin() as connection:
        return dict(connection.execute(tables.recordings.select()).mappings().one())


def test_a_day_of_calls_and_a_hold(kelarec_archive: Archive, kelarec_clock: MovableClock) -> None:
    """A hold moves its recording to the date of its review; sizes are those of the content, copies included."""
    first, _ = store(kelarec_archive, kelarec_clock(), 2)
    hold = place_hold(kelarec_archive, [first], HoldKind.OTHER)
    kelarec_archive.capture.attach(first, "transcript", "text/plain", bytes(1000), by=RECORDER)
    told = kelarec_archive.retention.forecast()
    (ending,), (held,) = told.ending, told.held
    assert (ending.recordings, held.on, held.recordings) == (1, hold.review_on, 1)
    assert held.bytes == ending.bytes + 1000


@pytest.mark.deep
def test_three_million_rows(memory_vault: Vault) -> None:
    """The forecast over 3,000,000 rows looks at an index only; its time is printed."""
    row = _make_row(memory_vault)
    first = {"bytes": 1, "kept_through": FIRST.toordinal()}
    total: Counter[int] = Counter({FIRST.toordinal(): 1})  # of the row that is there

    def make_rows() -> Iterator[dict[str, object]]:
        for number in range(1, 3_000_001):
            kept = FIRST.toordinal() + number % 365
            total[kept] += number
            yield row | {"id": number.to_bytes(16), "kept_through": kept, "bytes": number, "record": b""}

    batch: list[dict[str, object]] = []
    for each in make_rows():
        batch.append(each)
        if len(batch) == 50_000:
            with memory_vault.database.begin() as connection:
                connection.execute(insert(tables.recordings), batch)
            batch.clear()
    with memory_vault.database.begin() as connection:
        connection.execute(update(tables.recordings).where(tables.recordings.c.id == row["id"]).values(first))
    begun = time.perf_counter()
    told = forecast(memory_vault)
    print(f"\nforecast of {sum(each.recordings for each in told.ending):,} rows: {time.perf_counter() - begun:.2f} s")
    assert {each.on.toordinal(): each.bytes for each in told.ending} == total
