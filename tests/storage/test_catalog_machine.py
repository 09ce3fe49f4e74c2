"""Whatever is done to a catalog, it answers like a plain dictionary, on both databases."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from kelarec import Place
from kelarec.errors import CatalogError
from kelarec.storage.engine import Database, open_database, open_memory_database
from kelarec.testing.catalog_machine import CatalogMachine

EVERY = list(HealthCheck)


class InMemory(CatalogMachine):
    """SQLite in memory."""

    def open_database(self) -> Database:
        """Return an empty database."""
        return open_memory_database()


@pytest.mark.parametrize(
    ("examples", "steps"), [(6, 15), pytest.param(1000, 50, marks=pytest.mark.deep)], ids=["short", "long"]
)
def test_sqlite_answers_like_the_model(examples: int, steps: int) -> None:
    """Store, correct, restrict, hold, release, erase, pass days, look up, turn pages: no divergence (fault 24)."""
    within = settings(max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=EVERY)
    run_state_machine_as_test(InMemory, settings=within)


@pytest.mark.parametrize(
    ("examples", "steps"), [(1, 12), pytest.param(100, 50, marks=pytest.mark.deep)], ids=["short", "long"]
)
def test_postgresql_answers_like_the_model(postgres_url: str, examples: int, steps: int) -> None:
    """The same on PostgreSQL, each run in a schema of its own."""
    numbers = iter(range(10**6))

    class OnPostgresql(CatalogMachine):
        def open_database(self) -> Database:
            return open_database(Place(f"{postgres_url}-{next(numbers)}", "FI"), must_exist=False)

    within = settings(max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=EVERY)
    run_state_machine_as_test(OnPostgresql, settings=within)


def test_the_machine_finds_a_planted_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalog that leaves the tokens of an erased recording is found out; else the machine would prove nothing."""
    monkeypatch.setattr("kelarec.storage.recordings.delete_tokens", lambda *_: None)
    within = settings(
        max_examples=60,
        stateful_step_count=15,
        deadline=None,
        suppress_health_check=EVERY,
        database=None,
        phases=[Phase.generate],
    )
    with pytest.raises((AssertionError, CatalogError, ExceptionGroup)):
        run_state_machine_as_test(InMemory, settings=within)
