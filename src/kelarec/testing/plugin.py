"""Fixtures for test suites: an archive in memory and a clock to move.

Importing this module loads pytest only; what a fixture needs is loaded when a test asks for it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

pytest.register_assert_rewrite("kelarec.testing.suites")

if TYPE_CHECKING:
    from kelarec.archive import Archive
    from kelarec.domain.register import Register
    from kelarec.testing.clock import MovableClock


@pytest.fixture
def kelarec_clock() -> "MovableClock":
    """A clock that stands at 2026-03-05 10:00 in Helsinki until it is moved."""
    from kelarec.testing.clock import MovableClock  # noqa: PLC0415

    return MovableClock()


@pytest.fixture
def kelarec_register() -> "Register":
    """Kela's notice of 18.8.2020."""
    from kelarec.notice.kela import kela_register  # noqa: PLC0415

    return kela_register(contact_point="Registry office")


@pytest.fixture
def kelarec_archive(kelarec_register: "Register", kelarec_clock: "MovableClock") -> "Iterator[Archive]":
    """An archive in memory that goes by `kelarec_clock` and leaves nothing behind."""
    from kelarec.archive import Archive  # noqa: PLC0415

    with Archive.in_memory(kelarec_register, clock=kelarec_clock) as archive:
        yield archive
