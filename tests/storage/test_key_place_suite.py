"""Every place of keys that comes with kelarec passes the suite that is shipped for others: the notice, section 10."""

from pathlib import Path

import pytest

from kelarec import Place
from kelarec.storage.key_place import open_key_place
from kelarec.storage.objects import FolderObjects, MemoryObjects
from kelarec.storage.opening import open_objects
from kelarec.testing.suites import KeyPlaceSuite
from kelarec.testing.suites.key_place import OpenPlace


class TestMemory(KeyPlaceSuite):
    """This process's memory."""

    @pytest.fixture
    def open_place(self) -> OpenPlace:
        """One store, which is there once."""
        place = MemoryObjects()
        return lambda: place


class TestFolder(KeyPlaceSuite):
    """A folder."""

    @pytest.fixture
    def open_place(self, tmp_path: Path) -> OpenPlace:
        """The folder anew."""
        return lambda: FolderObjects(tmp_path / "keys")


class TestTwoFolders(KeyPlaceSuite):
    """Two copies."""

    @pytest.fixture
    def open_place(self, tmp_path: Path) -> OpenPlace:
        """Both folders anew."""
        return lambda: open_key_place((Place(tmp_path / "one", "FI"), Place(tmp_path / "two", "SE")), open_objects)
