"""The services that keep root keys, started for the tests: SoftHSM2 and an AWS KMS server on this machine."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import quote

import pytest
from attrs import field, frozen

_MODULES: Final = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
)
_STARTS_WITHIN: Final = 60.0


def go_without(component: str) -> NoReturn:
    """Skip a test and say why; in CI, where everything must be there, fail."""
    if os.environ.get("CI"):
        pytest.fail(f"{component} is missing, and in CI nothing may be")
    pytest.skip(f"{component} is not installed")


@frozen
class SoftHsm:
    """Two initialised tokens of SoftHSM2.

    Attributes:
        module: Its library.
        pin: The user PIN of both.
    """

    module: str
    pin: str = field(default="invented-pin-4711", repr=False)

    def make_key(self, label: str, *, token: str = "kelarec", bits: int = 256, **changed: bool) -> str:
        """Make an AES key in a token and return its URI; what may be done with it is changed by attribute name."""
        import pkcs11  # noqa: PLC0415  only where SoftHSM2 is

        asked: dict[Any, Any] = {pkcs11.Attribute.EXTRACTABLE: False, pkcs11.Attribute.SENSITIVE: True}
        asked |= {pkcs11.Attribute[name]: value for name, value in changed.items()}
        with pkcs11.lib(self.module).get_token(token_label=token).open(rw=True, user_pin=self.pin) as session:
            session.generate_key(pkcs11.KeyType.AES, bits, label=label, store=True, template=asked)
        return self.uri(label, token=token)

    def uri(self, label: str, *, token: str = "kelarec") -> str:
        """Return the URI of a key."""
        return f"pkcs11:token={token};object={quote(label)};type=secret-key?module-path={self.module}"


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftHsm]:
    """SoftHSM2 with the tokens ``kelarec`` and ``spare``."""
    module = next((each for each in _MODULES if Path(each).exists()), None)
    tool = shutil.which("softhsm2-util")
    if module is None or tool is None:
        go_without("SoftHSM2 (Debian's softhsm2)")
    hsm = SoftHsm(module)
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    settings = folder / "softhsm2.conf"
    settings.write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(settings))
        for token in ("kelarec", "spare"):
            made = [tool, "--init-token", "--free", "--label", token, "--so-pin", "12345678", "--pin", hsm.pin]
            subprocess.run(made, check=True, capture_output=True)
        yield hsm


@frozen
class KmsServer:
    """An AWS KMS server of moto's, asked through boto3 over HTTP.

    Attributes:
        process: The server.
        client: For what a key's owner does: making and disabling keys.
    """

    process: "subprocess.Popen[bytes]" = field(repr=False)
    client: Any = field(repr=False)

    def make_key(self) -> str:
        """Make a symmetric key and return its URI."""
        arn = self.client.create_key()["KeyMetadata"]["Arn"]
        return f"awskms:{arn}?region=eu-north-1"


@pytest.fixture(scope="session")
def kms_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KmsServer]:
    """A KMS in eu-north-1 at an address of this machine, found by the environment as boto3 does."""
    try:
        import boto3  # noqa: PLC0415  an extra
    except ImportError:
        go_without("boto3")
    if find_spec("moto") is None or find_spec("flask_cors") is None:
        go_without("moto with its server (kelarec[test])")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (tmp_path_factory.mktemp("kms") / "server.log").open("wb")
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with pytest.MonkeyPatch.context() as patch, log:
        patch.setenv("AWS_ACCESS_KEY_ID", "invented")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "invented")
        patch.setenv("AWS_ENDPOINT_URL_KMS", f"http://127.0.0.1:{port}")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait_for(process, port)
            yield KmsServer(process, boto3.session.Session().client("kms", region_name="eu-north-1"))
        finally:
            process.terminate()
            process.wait(10)


def _wait_for(process: "subprocess.Popen[bytes]", port: int) -> None:
    until = time.monotonic() + _STARTS_WITHIN
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    pytest.fail("the KMS server did not start")
