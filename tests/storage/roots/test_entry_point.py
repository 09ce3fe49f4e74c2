"""A root key of one's own, installed like any package, passes the suite: the notice, section 10."""

import os
from pathlib import Path

import pytest

from kelarec.testing.suites import RootKeySuite

EXAMPLES = Path(__file__).parents[3] / "examples"


class TestVault(RootKeySuite):
    """The example of docs/root-keys.md, found by its entry point in this process and the next."""

    @pytest.fixture
    def uri(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
        """A key of a vault whose package is installed."""
        installed = tmp_path / "installed" / "vault_root_key-1.dist-info"
        installed.mkdir(parents=True)
        (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: vault-root-key\nVersion: 1\n")
        (installed / "entry_points.txt").write_text("[kelarec.root_keys]\nvault = vault_root_key:load\n")
        monkeypatch.syspath_prepend(EXAMPLES)
        monkeypatch.syspath_prepend(installed.parent)
        monkeypatch.setenv("VAULT", str(tmp_path))
        for name in ("archive", "spare"):
            (tmp_path / name).write_bytes(os.urandom(32))
        return "vault:archive"

    @pytest.fixture
    def other_uri(self, uri: str) -> str:
        """Another one."""
        return uri.replace("archive", "spare")
