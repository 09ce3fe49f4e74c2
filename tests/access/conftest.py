"""Fixtures for the tests of access."""

import pytest

from access.staffing import enrol_all
from kelarec import Archive


@pytest.fixture
def staffed(kelarec_archive: Archive) -> Archive:
    """The archive in memory, with staff of every kind."""
    enrol_all(kelarec_archive)
    return kelarec_archive
