"""Every built-in place passes the suite for object places: GDPR, Art. 5(1)(f) and 32(1)(b)."""

from pathlib import Path

import pytest

from kelarec.storage.objects import FolderObjects, MemoryObjects, ObjectPlace
from kelarec.testing.suites.object_place import ObjectPlaceSuite
from object_servers import Servers, open_remote


class TestFolder(ObjectPlaceSuite):
    """A folder of this machine."""

    examples = 40

    @pytest.fixture
    def place(self, tmp_path: Path) -> ObjectPlace:
        """An empty folder."""
        return FolderObjects(tmp_path / "place")


class TestMemory(ObjectPlaceSuite):
    """This process's memory."""

    examples = 40

    @pytest.fixture
    def place(self) -> ObjectPlace:
        """An empty store."""
        return MemoryObjects()


class TestRclone(ObjectPlaceSuite):
    """S3, as rclone serves it; it says yes to conditions and ignores them."""

    excludes = False

    @pytest.fixture
    def place(self, servers: Servers) -> ObjectPlace:
        """An empty bucket."""
        return open_remote(servers.get("rclone"))


class TestSwift(ObjectPlaceSuite):
    """S3, as OpenStack Swift serves it; two writers within a moment may both pass its condition."""

    excludes = False
    examples = 4

    @pytest.fixture
    def place(self, servers: Servers) -> ObjectPlace:
        """An empty bucket."""
        return open_remote(servers.get("swift"))


class TestAzurite(ObjectPlaceSuite):
    """Azure Blob Storage, as Azurite serves it."""

    @pytest.fixture
    def place(self, servers: Servers) -> ObjectPlace:
        """An empty container."""
        return open_remote(servers.get("azurite"))


class TestGoogle(ObjectPlaceSuite):
    """Google Cloud Storage, as an emulator serves it, which ignores conditions."""

    excludes = False

    @pytest.fixture
    def place(self, servers: Servers) -> ObjectPlace:
        """An empty bucket."""
        return open_remote(servers.get("gcs"))


class TestSftp(ObjectPlaceSuite):
    """A folder on OpenSSH's server."""

    @pytest.fixture
    def place(self, servers: Servers) -> ObjectPlace:
        """An empty folder."""
        return open_remote(servers.get("sftp"))
