"""What Google and Azure answer when they are asked where a place lies: the notice, section 8; GDPR, Art. 44.

The answers have the formats of Google's JSON API and of Azure's management service.
"""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any, Final

import pytest

from kelarec import Place
from kelarec.domain.regions import Cloud
from kelarec.errors import NotResidentError, ResidencyUnknownError
from kelarec.storage.residency import require_answers, require_resident
from kelarec.storage.residency_answers import Answer, ask_azure, ask_google


def google(told: dict[str, Any]) -> SimpleNamespace:
    """Return what stands for gcsfs: answers as Google's JSON API does."""

    def call(method: str, path: str, bucket: str, *, json_out: bool) -> dict[str, Any]:
        assert (method, path, bucket, json_out) == ("GET", "b/{}", "rec", True)
        if not told:
            raise PermissionError("storage.buckets.get")
        return {"kind": "storage#bucket", "id": bucket, "name": bucket, **told}

    return SimpleNamespace(call=call, base="https://storage.googleapis.com/storage/v1/")


KEY: Final = "projects/p/locations/{}/keyRings/r/cryptoKeys/k"


@pytest.mark.parametrize(
    ("told", "country", "error"),
    [
        ({"location": "EUROPE-NORTH1", "locationType": "region"}, "FI", None),
        ({"location": "EUROPE-NORTH1", "locationType": "region"}, "SE", NotResidentError),
        ({"location": "EUROPE-WEST2", "locationType": "region"}, "FI", NotResidentError),
        ({"location": "EUROPE-WEST6", "locationType": "region"}, "FI", NotResidentError),
        ({"location": "EU", "locationType": "multi-region"}, "FI", None),
        ({"location": "EU", "locationType": "multi-region"}, "NO", NotResidentError),
        ({"location": "EUR4", "locationType": "dual-region"}, "NL", None),
        ({"location": "EUR5", "locationType": "dual-region"}, "BE", NotResidentError),
        (
            {"location": "EU", "customPlacementConfig": {"dataLocations": ["EUROPE-WEST4", "EUROPE-NORTH1"]}},
            "FI",
            None,
        ),
        (
            {"location": "EU", "customPlacementConfig": {"dataLocations": ["EUROPE-WEST4", "EUROPE-NORTH1"]}},
            "SE",
            NotResidentError,
        ),
        ({"location": "EUROPE-NORTH1", "encryption": {"defaultKmsKeyName": KEY.format("europe-north1")}}, "FI", None),
        (
            {"location": "EUROPE-NORTH1", "encryption": {"defaultKmsKeyName": KEY.format("us-east1")}},
            "FI",
            NotResidentError,
        ),
        (
            {"location": "EUROPE-NORTH1", "encryption": {"defaultKmsKeyName": KEY.format("global")}},
            "FI",
            ResidencyUnknownError,
        ),
        ({"location": "EUROPE-NORTH9"}, "FI", ResidencyUnknownError),
        ({"name": "rec"}, "FI", ResidencyUnknownError),
        ({}, "FI", ResidencyUnknownError),
    ],
)
def test_google_is_asked(told: dict[str, Any], country: str, error: type[NotResidentError] | None) -> None:
    """A bucket, each region of its pair, and its key lie in the EEA, and the bucket where it is declared."""
    place = Place("gs://rec/archive", country)
    if error is None:
        require_resident(place, google(told), what="objects")
        return
    with pytest.raises(error) as caught:
        require_resident(place, google(told), what="objects")
    assert type(caught.value) is error


def test_google_answers_say_what_told_them() -> None:
    """An answer names its source, so that the error does."""
    assert ask_google(google({"location": "EUROPE-NORTH1"}), "rec") == [
        Answer("the bucket's location", ("EUROPE-NORTH1",))
    ]


ACCOUNT: Final = "/subscriptions/1/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/rec"


@pytest.fixture
def management() -> Iterator[Callable[[dict[str, Any]], str]]:
    """What stands for Azure's management service: answers on this machine in its format."""
    servers = []

    def start(told: dict[str, Any]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                known = self.path == f"{ACCOUNT}?api-version=2024-01-01" and self.headers["Authorization"] == "Bearer t"
                self.send_response(200 if known else 403)
                self.end_headers()
                self.wfile.write(json.dumps(told).encode())

            def log_message(self, *_: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class _Credential:
    """A credential as azure-identity's are."""

    def get_token(self, scope: str) -> SimpleNamespace:
        """Return a token for the management service."""
        assert scope == "https://management.azure.com/.default"
        return SimpleNamespace(token="t")


@pytest.mark.parametrize(
    ("location", "second", "country", "error"),
    [
        ("swedencentral", None, "SE", None),
        ("norwayeast", "norwaywest", "NO", None),
        ("westeurope", "northeurope", "NL", None),
        ("westeurope", "northeurope", "IE", NotResidentError),
        ("uksouth", None, "SE", NotResidentError),
        ("switzerlandnorth", None, "SE", NotResidentError),
        ("westeurope", "ukwest", "NL", NotResidentError),
        ("atlantisnorth", None, "SE", ResidencyUnknownError),
    ],
)
def test_azure_is_asked(
    management: Callable[[dict[str, Any]], str],
    location: str,
    second: str | None,
    country: str,
    error: type[NotResidentError] | None,
) -> None:
    """A storage account and its second location lie in the EEA, and the account where it is declared."""
    told = {"location": location, "properties": {"primaryLocation": location, "secondaryLocation": second}}
    answers = ask_azure("rec", {"rec": ACCOUNT}, _Credential(), management(told))
    if error is None:
        require_answers(Cloud.AZURE, answers, country, "objects")
        return
    with pytest.raises(error) as caught:
        require_answers(Cloud.AZURE, answers, country, "objects")
    assert type(caught.value) is error


def test_what_azure_does_not_tell_is_unknown(management: Callable[[dict[str, Any]], str]) -> None:
    """Without the account's resource id, or the right to read it, nobody can say where it lies."""
    filesystem = SimpleNamespace(
        account_name="rec", service_client=SimpleNamespace(url="https://rec.blob.core.windows.net/")
    )
    with pytest.raises(ResidencyUnknownError, match="resource id"):
        require_resident(Place("abfs://c/archive", "SE"), filesystem, what="objects")
    with pytest.raises(ResidencyUnknownError, match="HTTPError"):
        ask_azure("rec", {"rec": ACCOUNT + "x"}, _Credential(), management({}))
    emulator = SimpleNamespace(account_name="rec", service_client=SimpleNamespace(url="http://127.0.0.1:10000/rec"))
    require_resident(Place("abfs://c/archive", "SE"), emulator, what="objects")
