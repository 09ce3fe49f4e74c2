"""A place that cannot be used says why, and shows nothing that opens it: the notice, sections 8 and 10."""

import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from fault_proxy import FaultProxy, proxy_before
from kelarec import KelarecError, Place
from kelarec.errors import (
    CredentialsRefusedError,
    InvalidValueError,
    MissingExtraError,
    ObjectNotFoundError,
    PlaceNotFoundError,
    PlaceOverlapError,
    StorageError,
    UnknownSchemeError,
    UnreachableError,
)
from kelarec.storage.apart import require_places_apart
from kelarec.storage.objects.retries import Retries
from kelarec.storage.objects.settings import Limits
from kelarec.storage.opening import open_objects
from kelarec.testing.faulty_objects import Fault
from object_servers import LOOPBACK, Servers, find_free_port, open_remote

QUICK: Final = Retries(attempts=2, first_wait=0.01)
WRONG: Final[dict[str, dict[str, Any]]] = {
    "rclone": {"key": "kelarec", "secret": "wr0ng-s3cret"},
    "swift": {"key": "test:tester", "secret": "wr0ng-s3cret"},
    "azurite": {"account_key": "d3Ituc2VjcmV0LXdyMG5nLXMzY3JldA=="},
    "sftp": {"look_for_keys": False, "allow_agent": False, "key_filename": None, "password": "wr0ng-s3cret"},
}
EXTRAS: Final = {"s3": "s3fs", "az": "adlfs", "gs": "gcsfs", "sftp": "paramiko"}
URLS: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "s3": ("s3://bucket", {"region": "eu-north-1"}),
    "az": ("az://container", {"account": "invented"}),
    "gs": ("gs://bucket", {}),
    "sftp": ("sftp://user@127.0.0.1/srv", {}),
}
KNOWN: Final[dict[str, dict[str, Any]]] = {
    "s3": {"key": "invented", "secret": "invented"},
    "az": {"account_key": "aW52ZW50ZWQ="},
    "gs": {"token": "anon"},
    "sftp": {"password": "invented", "look_for_keys": False, "allow_agent": False},
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_credentials_are_named(servers: Servers, name: str) -> None:
    """Who is not let in is told so at once, and the error repeats no secret (section 10)."""
    server = servers.get(name)
    place = server.make_place(None)
    with pytest.raises(CredentialsRefusedError) as caught:
        open_objects(place, credentials=lambda _: WRONG[name], retries=QUICK)
    assert caught.value.advice
    assert "wr0ng" not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"


@pytest.mark.parametrize("scheme", URLS)
def test_a_server_that_does_not_answer_is_named(scheme: str) -> None:
    """Where nobody listens it is said that it could not be told, within bounds."""
    port = find_free_port()
    url, options = URLS[scheme]
    if scheme == "sftp":
        url = url.replace(LOOPBACK, f"{LOOPBACK}:{port}")
    else:
        options = options | {"endpoint": f"http://{LOOPBACK}:{port}"}
    with pytest.raises(UnreachableError) as caught:
        open_objects(Place(url, "FI", options=options), credentials=lambda _: KNOWN[scheme], retries=QUICK)
    assert "could not be told" in str(caught.value)
    assert caught.value.advice


@pytest.mark.parametrize("name", ["rclone", "swift", "azurite", "gcs"])
def test_a_bucket_that_is_not_there_is_named(servers: Servers, name: str) -> None:
    """A wrong bucket is not an empty archive."""
    server = servers.get(name)
    place = server.make_place(None)
    wrong = Place(place.url + "-wrong", "FI", options=dict(place.options))
    with pytest.raises(PlaceNotFoundError) as caught:
        open_objects(wrong, credentials=server.credentials, retries=QUICK)
    assert caught.value.advice


@pytest.mark.parametrize(("scheme", "library"), EXTRAS.items())
def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, scheme: str, library: str) -> None:
    """What is not installed is named with the words that install it."""
    family = {"az": "azure", "gs": "gcs"}.get(scheme, scheme)
    for module in [each for each in sys.modules if each.split(".")[0] == library]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, f"kelarec.storage.objects.{family}", raising=False)
    if scheme == "sftp":
        monkeypatch.delitem(sys.modules, "fsspec.implementations.sftp", raising=False)
    with pytest.raises(MissingExtraError) as caught:
        open_objects(Place(URLS[scheme][0], "FI", options=URLS[scheme][1]), credentials=lambda _: KNOWN[scheme])
    assert f"kelarec[{family}]" in caught.value.advice


def test_an_unknown_host_key_is_refused(servers: Servers, tmp_path: Path) -> None:
    """A server that cannot show the expected host key gets neither objects nor a password (section 10)."""
    place = servers.get("sftp").make_place(None)
    (tmp_path / "known_hosts").write_text("", encoding="utf-8")
    for instead in (
        {"host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIwrong"},
        {"known_hosts": str(tmp_path / "known_hosts")},
    ):
        other = Place(place.url, "FI", options={"key_file": dict(place.options)["key_file"], **instead})
        with pytest.raises(CredentialsRefusedError, match="host key"):
            open_objects(other, credentials=servers.get("sftp").credentials, retries=QUICK)


@pytest.mark.parametrize("url", ["s3://key:s3cr3t@bucket", "sftp://user:s3cr3t@host/srv", "az://s3cr3t@container"])
def test_credentials_in_a_url_are_refused_and_not_shown(url: str) -> None:
    """A URL is shown and stored, so nothing that opens a place may stand in it (section 10)."""
    place = Place(url, "FI")
    with pytest.raises(InvalidValueError) as caught:
        open_objects(place)
    assert "s3cr3t" not in f"{place!r} {caught.value}"


@pytest.mark.parametrize("name", ["key", "secret", "password", "account_key", "token", "connection_string"])
def test_no_secret_is_an_option(name: str) -> None:
    """What opens a place cannot be made a part of it, so that it may be shown and pickled (section 10)."""
    for url in ("s3://bucket", "az://container", "gs://bucket", "sftp://host/srv", "/srv"):
        with pytest.raises(InvalidValueError) as caught:
            Place(url, "FI", options={name: "s3cr3t"})
        assert "s3cr3t" not in str(caught.value)


def test_a_place_is_a_value_and_an_opened_one_is_none(servers: Servers) -> None:
    """A place goes to a worker as it is; what it was opened with never does (section 10)."""
    server = servers.get("rclone")
    place = server.make_place(None)
    assert pickle.loads(pickle.dumps(place)) == place  # noqa: S301  what was just dumped
    assert hash(place) == hash(Place(place.url, "FI", options=dict(reversed(place.options))))
    opened = open_remote(server, place)
    assert "invented-secret" not in repr(opened)
    with pytest.raises(TypeError):
        pickle.dumps(opened)


APART: Final = [
    ("s3://one", "s3://two"),
    ("s3://one", "gs://one"),
    ("s3://one", "/srv/one"),
    ("sftp://host/srv/a", "sftp://host/srv/ab"),
    ("sftp://host/srv/a", "sftp://other/srv/a"),
]
TOGETHER: Final = [
    ("s3://one", "s3://one"),
    ("s3://one/objects", "s3://one/keys"),
    ("az://one", "abfs://one/keys"),
    ("gs://one", "gcs://one"),
    ("sftp://host/srv", "sftp://host:22/srv/keys"),
    ("sftp://host/srv/a/../keys", "sftp://other@host/srv/keys"),
]


@pytest.mark.parametrize(("objects", "keys"), APART)
def test_places_apart_are_apart(objects: str, keys: str) -> None:
    """Different buckets, servers and folders are apart."""
    require_places_apart(Place(objects, "FI"), Place(keys, "FI"))


@pytest.mark.parametrize(("objects", "keys"), TOGETHER)
def test_places_together_are_refused(objects: str, keys: str) -> None:
    """Keys beneath or beside the objects in one bucket, or in one folder of a server, are refused (section 10)."""
    for one, other in ((objects, keys), (keys, objects)):
        with pytest.raises(PlaceOverlapError):
            require_places_apart(Place(one, "FI"), Place(other, "FI"))


def test_an_unknown_scheme_is_named() -> None:
    """What no backend knows is refused with those that are known."""
    with pytest.raises(UnknownSchemeError, match="s3"):
        open_objects(Place("gopher://hole", "FI"))


@pytest.mark.parametrize("path", ["", "/a", "a//b", "../a", "a/./b", "a\0b"])
def test_what_cannot_be_a_name_is_refused(servers: Servers, path: str) -> None:
    """A name that a server would read as another one is refused."""
    place = open_remote(servers.get("sftp"))
    with pytest.raises(StorageError):
        place.write(path, [b"one"])
    assert list(place.iter_paths()) == []


@pytest.fixture
def proxy(servers: Servers) -> Iterator[FaultProxy]:
    """Stands before rclone's server and counts."""
    with proxy_before(servers.get("rclone").port) as standing:
        yield standing


def test_a_seek_is_one_ranged_request(servers: Servers, proxy: FaultProxy) -> None:
    """A range is one GET and a size one HEAD; 250 objects are deleted in one request."""
    server = servers.get("rclone")
    place = open_remote(server, server.make_place(proxy.port))
    place.write("object", [b"0123456789" * 10_000])
    proxy.begin()
    assert place.read_range("object", 50_003, 50_006) == b"345"
    assert [each.split()[0] for each in proxy.requests] == ["GET"]
    place.get_size("object")
    assert [each.split()[0] for each in proxy.requests] == ["GET", "HEAD"]
    proxy.begin()
    place.delete_many(f"many/{number}" for number in range(250))
    assert len(proxy.requests) == 1


WIRE: Final = [Fault.TIMEOUT, Fault.UNAVAILABLE, Fault.RESET, Fault.LOST_REPLY, Fault.TORN]


@pytest.mark.parametrize("name", ["rclone", "azurite", "gcs"])
def test_each_fault_on_the_wire(servers: Servers, name: str) -> None:
    """Fault 6 with real bytes: what the client libraries make of a fault at each request is understood."""
    server = servers.get(name)
    points = 0
    with proxy_before(server.port) as proxy:
        place = open_remote(
            server,
            server.make_place(proxy.port),
            limits=Limits(connect_within=1, answer_within=0.7, in_all=5),
            retries=Retries(first_wait=0.001),
        )
        for fault in WIRE:
            for at in (1, 2):
                proxy.begin(fault, at)
                place.write(f"{fault.value}/{at}", [b"one ", b"two"])
                assert fault is Fault.TORN or len(proxy.requests) > 2, "the fault was met"  # an empty body is not torn
                proxy.begin(fault, 1)
                assert place.read(f"{fault.value}/{at}") == b"one two"
                proxy.begin(fault, 1)
                assert list(place.iter_paths(fault.value))[-1] == f"{fault.value}/{at}"
                points += 3
            proxy.begin(fault, 1)
            place.delete(f"{fault.value}/1")
            points += 1
            proxy.begin()
            with pytest.raises(ObjectNotFoundError):
                place.read(f"{fault.value}/1")
        assert list(place.iter_paths()) == sorted(f"{fault.value}/2" for fault in WIRE)
    print(f"\nfault 6 on the wire, {name}: {points} points, 0 violations")


def test_all_these_errors_are_ours() -> None:
    """Each has a code of its own and advice."""
    errors: list[type[KelarecError]] = [UnreachableError, CredentialsRefusedError, PlaceNotFoundError]
    assert len({each.code for each in errors}) == 3
    assert all(each.default_advice for each in errors)
