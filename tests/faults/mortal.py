"""An archive whose process dies at one step: a change of objects or keys, or the begin or commit of a transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from attrs import evolve

from kelarec import Archive
from kelarec.audit.log import AuditLog
from kelarec.retention.sweep import Retention

_STEPS = {"write", "replace", "delete", "delete_many", "write_many", "replace_many", "delete_unfinished"}


class Killed(BaseException):
    """The process is dead."""


class Life:
    """Counts steps, and ends before one of them; from then on nothing more is done, not even tidying up.

    Args:
        dies_at: Which step, from 1; never if 0.
    """

    def __init__(self, dies_at: int = 0) -> None:
        self._dies_at = dies_at
        self._is_dead = False
        self.steps: list[str] = []

    def step(self, name: str) -> None:
        """Do one more, unless it is the last."""
        if not self._is_dead:
            self.steps.append(name)
            self._is_dead = len(self.steps) == self._dies_at
        if self._is_dead:
            raise Killed


class MortalPlace:
    """An object place of a mortal process."""

    def __init__(self, inner: Any, life: Life, name: str) -> None:  # noqa: ANN401  any place
        self._inner = inner
        self._life = life
        self._name = name

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  the place's own
        act = getattr(self._inner, name)
        if name not in _STEPS:
            return act

        def mortal(*given: Any, **named: Any) -> Any:  # noqa: ANN401
            self._life.step(f"{self._name} {name}")
            return act(*given, **named)

        return mortal


class MortalDatabase:
    """A catalog of a mortal process."""

    def __init__(self, inner: Any, life: Life) -> None:  # noqa: ANN401  a Database
        self._inner = inner
        self._life = life

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  the database's own
        return getattr(self._inner, name)

    @contextmanager
    def begin(self) -> Iterator[Any]:
        """Run one transaction; its begin and its end are steps."""
        self._life.step("begin")
        with self._inner.begin() as connection:
            yield connection
            self._life.step("commit")


def make_mortal(archive: Archive, life: Life) -> tuple[Retention, AuditLog]:
    """Return the retention of an archive as a process has it that dies, and its log."""
    vault = archive._vault
    keyring = vault.keyring
    mortal_keyring = type(keyring)(
        MortalPlace(keyring.place, life, "keys"),
        vault.archive_id,
        keyring._ring_key,
        vault.randomness,
    )
    mortal: Any = evolve(
        vault,
        objects=MortalPlace(vault.objects, life, "objects"),
        keyring=mortal_keyring,
        database=cast("Any", MortalDatabase(vault.database, life)),
    )
    log = AuditLog(mortal, archive._registers)
    log.abandon()  # a timer's thread would die of it after the sweep has, and tell nobody but pytest
    return Retention(mortal, log, archive._registers), log
