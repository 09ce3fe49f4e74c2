"""Every root key that comes with kelarec passes the suite that is shipped for others: the notice, section 10."""

from pathlib import Path

import pytest

from kelarec import create_key_file
from kelarec.storage.roots._passphrase import Cost
from kelarec.testing.suites import RootKeySuite
from key_services import KmsServer, SoftHsm


@pytest.fixture(scope="module")
def encrypting_keys(softhsm: SoftHsm) -> tuple[str, str]:
    """Two keys in one token that encrypt."""
    return softhsm.make_key("suite root"), softhsm.make_key("suite other")


@pytest.fixture(scope="module")
def wrapping_keys(softhsm: SoftHsm) -> tuple[str, str]:
    """Two keys in two tokens that only wrap."""
    one = softhsm.make_key("suite wrapper", ENCRYPT=False, DECRYPT=False)
    return one, softhsm.make_key("suite wrapper", token="spare", ENCRYPT=False, DECRYPT=False)


@pytest.fixture(scope="module")
def kms_keys(kms_server: KmsServer) -> tuple[str, str]:
    """Two keys of AWS KMS."""
    return kms_server.make_key(), kms_server.make_key()


class TestKeyFile(RootKeySuite):
    """A key file."""

    @pytest.fixture
    def uri(self, tmp_path: Path) -> str:
        """A new key file."""
        return create_key_file(tmp_path / "root.key")

    @pytest.fixture
    def other_uri(self, tmp_path: Path) -> str:
        """Another one."""
        return create_key_file(tmp_path / "other.key")


class TestPassphrase(RootKeySuite):
    """A passphrase, with a cost of 1 MiB: the suite derives a key some 200 times."""

    @pytest.fixture(autouse=True)
    def cheap(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let new wraps cost little; what one costs stands in it."""
        monkeypatch.setattr("kelarec.storage.roots._passphrase.COST", Cost(passes=1, lanes=1, memory=1024))

    @pytest.fixture
    def uri(self) -> str:
        """All of them have one URI."""
        return "passphrase:"

    @pytest.fixture
    def secrets(self) -> dict[str, str]:
        """A passphrase with letters beyond ASCII."""
        return {"passphrase": "kevätpäivä kolme hölmöä hauvaa"}

    @pytest.fixture
    def other_secrets(self, secrets: dict[str, str]) -> dict[str, str]:
        """One that differs by one letter."""
        return {"passphrase": secrets["passphrase"].removesuffix("a") + "e"}


@pytest.mark.deep
class TestPassphraseAtFullCost(TestPassphrase):
    """A passphrase as it is in use."""

    @pytest.fixture(autouse=True)
    def cheap(self) -> None:
        """Change nothing."""


class TestAwsKms(RootKeySuite):
    """AWS KMS over HTTP."""

    @pytest.fixture
    def uri(self, kms_keys: tuple[str, str]) -> str:
        """One key."""
        return kms_keys[0]

    @pytest.fixture
    def other_uri(self, kms_keys: tuple[str, str]) -> str:
        """The other one."""
        return kms_keys[1]


class TestPkcs11Gcm(RootKeySuite):
    """A token's key that encrypts by AES-GCM."""

    @pytest.fixture
    def uri(self, encrypting_keys: tuple[str, str]) -> str:
        """One key."""
        return encrypting_keys[0]

    @pytest.fixture
    def other_uri(self, encrypting_keys: tuple[str, str]) -> str:
        """The other one."""
        return encrypting_keys[1]

    @pytest.fixture
    def secrets(self, softhsm: SoftHsm) -> dict[str, str]:
        """The PIN."""
        return {"pin": softhsm.pin}


class TestPkcs11KeyWrap(TestPkcs11Gcm):
    """A token's key that only wraps other keys."""

    @pytest.fixture
    def uri(self, wrapping_keys: tuple[str, str]) -> str:
        """One key."""
        return wrapping_keys[0]

    @pytest.fixture
    def other_uri(self, wrapping_keys: tuple[str, str]) -> str:
        """The other one."""
        return wrapping_keys[1]
