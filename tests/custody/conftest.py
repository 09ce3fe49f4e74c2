"""Fixtures for the tests of custody."""

from collections.abc import Callable
from pathlib import Path

import pytest

from custody_folders import RECORDER, Custody
from kelarec import Archive, StaffId
from kelarec.testing.builders import make_identity_code, make_staff_member


@pytest.fixture
def custody(tmp_path: Path) -> Custody:
    """Empty folders for one archive."""
    return Custody(tmp_path)


@pytest.fixture
def enrol() -> Callable[..., StaffId]:
    """A function that enrols somebody with a role in an archive."""

    def act(archive: Archive, name: str, role: str) -> StaffId:
        code = make_identity_code(len(name))
        archive.staff.enrol(make_staff_member(id=StaffId(name), identity_code=code, roles={role}), by=RECORDER)
        return StaffId(name)

    return act
