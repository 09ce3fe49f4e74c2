"""AWS KMS as root key, against a server that speaks its protocol: the notice, sections 8 and 10."""

import json
import os
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Final

import pytest

from kelarec.errors import (
    KelarecError,
    MissingExtraError,
    RootKeyUnreachableError,
    RootKeyUnreadableError,
    WrongRootKeyError,
)
from kelarec.storage.roots import load_root_key
from key_services import KmsServer

CONTEXT: Final = b"kelarec v1\narchive test"
ARN: Final = "arn:aws:kms:eu-north-1:111122223333:key/7b4a3c1e-0000-4000-8000-000000000000"


def test_an_alias_is_as_good_as_an_arn(kms_server: KmsServer) -> None:
    """A key is named by ARN, id or alias; an alias that moved on to a new key opens nothing old."""
    key, other = (kms_server.client.create_key()["KeyMetadata"] for _ in range(2))
    kms_server.client.create_alias(AliasName="alias/kelarec-root", TargetKeyId=key["KeyId"])
    names = ["alias/kelarec-root?region=eu-north-1", f"{key['KeyId']}?region=eu-north-1", key["Arn"]]
    roots = [load_root_key(f"awskms:{name}", os.urandom) for name in names]
    line = roots[0].wrap(b"secret", CONTEXT)
    assert [root.unwrap(line, CONTEXT) for root in roots] == [b"secret"] * 3
    kms_server.client.update_alias(AliasName="alias/kelarec-root", TargetKeyId=other["KeyId"])
    with pytest.raises(WrongRootKeyError):
        roots[0].unwrap(line, CONTEXT)


def test_a_key_that_is_not_there_is_named(kms_server: KmsServer) -> None:
    """No such key is an error with the service's word for it, for sealing and for opening."""
    line = load_root_key(kms_server.make_key(), os.urandom).wrap(b"secret", CONTEXT)
    missing = load_root_key("awskms:alias/nobody?region=eu-north-1", os.urandom)
    with pytest.raises(RootKeyUnreadableError, match="NotFoundException") as caught:
        missing.wrap(b"secret", CONTEXT)
    assert caught.value.advice
    with pytest.raises(RootKeyUnreadableError, match="NotFoundException"):
        missing.unwrap(line, CONTEXT)


class Refusal(BaseHTTPRequestHandler):
    """Answers every request of the KMS protocol with one error."""

    status = 400
    word = ""

    def do_POST(self) -> None:
        """Answer."""
        answer = json.dumps({"__type": self.word, "message": "s3cr3t"}).encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's name
        """Be silent."""


REFUSALS: Final[dict[str, tuple[int, type[KelarecError]]]] = {
    "AccessDeniedException": (400, RootKeyUnreadableError),
    "DisabledException": (400, RootKeyUnreadableError),
    "KMSInvalidStateException": (400, RootKeyUnreadableError),
    "KeyUnavailableException": (500, RootKeyUnreachableError),
    "ThrottlingException": (400, RootKeyUnreachableError),
}


@pytest.mark.parametrize(("word", "expected"), REFUSALS.items(), ids=REFUSALS)
def test_what_the_service_refuses_is_told_apart(
    monkeypatch: pytest.MonkeyPatch, word: str, expected: tuple[int, type[KelarecError]]
) -> None:
    """A service that says no, and one that cannot say, are two errors; neither is taken for a wrong key."""
    status, kind = expected
    handler = type("Handler", (Refusal,), {"status": status, "word": word})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "invented")
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", f"http://127.0.0.1:{server.server_port}")
        try:
            with pytest.raises(kind, match=word) as caught:
                load_root_key(f"awskms:{ARN}", os.urandom).unwrap("AWSKMS AAAA", CONTEXT)
        finally:
            server.shutdown()
            thread.join()
    assert type(caught.value) is kind
    assert "s3cr3t" not in str(caught.value)


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port of this machine at which nobody answers."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def test_a_service_out_of_reach_is_named(monkeypatch: pytest.MonkeyPatch, deaf_port: int) -> None:
    """An unreachable service is no wrong key: whether it is the right one could not be told."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "invented")
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", f"http://127.0.0.1:{deaf_port}")
    root = load_root_key(f"awskms:{ARN}", os.urandom)
    for ask in (lambda: root.wrap(b"secret", CONTEXT), lambda: root.unwrap("AWSKMS AAAA", CONTEXT)):
        with pytest.raises(RootKeyUnreachableError, match="EndpointConnectionError") as caught:
            ask()
        assert caught.value.lost == "nothing"
        assert caught.value.advice
        assert caught.value.__cause__ is None


def test_a_machine_without_credentials_is_named(monkeypatch: pytest.MonkeyPatch, deaf_port: int) -> None:
    """Missing credentials are an error with a name, and none of them is ever shown."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", f"http://127.0.0.1:{deaf_port}")
    with pytest.raises(RootKeyUnreadableError, match="NoCredentialsError"):
        load_root_key(f"awskms:{ARN}", os.urandom).wrap(b"secret", CONTEXT)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(RootKeyUnreadableError, match="ProfileNotFound"):
        load_root_key(f"awskms:{ARN}", os.urandom)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without boto3 the error says what to install."""
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'kelarec\[awskms\]'"):
        load_root_key(f"awskms:{ARN}", os.urandom)


@pytest.mark.parametrize(
    "uri",
    [
        "awskms:",
        "awskms:?region=eu-north-1",
        "awskms:alias/kelarec",
        "awskms:alias/kelarec?region=",
        "awskms:alias/kelarec?region=eu-north-1&region=eu-west-1",
        "awskms:alias/kelarec?region=eu-north-1&aws_secret_access_key=s3cr3t",
        f"awskms:{ARN}?region=eu-west-1",
        "awskms:arn:aws:s3:eu-north-1:111122223333:key/x",
        "awskms:alias/kel arec?region=eu-north-1",
    ],
)
def test_a_uri_that_names_no_key_is_refused(uri: str) -> None:
    """A URI has a key, one region that agrees with it, and no secret; what is wrong is not repeated."""
    with pytest.raises(RootKeyUnreadableError) as caught:
        load_root_key(uri, os.urandom)
    assert caught.value.advice
    assert "s3cr3t" not in str(caught.value)
