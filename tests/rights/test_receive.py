"""From the receipt of a request its clock runs: the notice of 18.8.2020, sections 11 to 13; GDPR, Art. 12(3)."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest
from sqlalchemy import select

from catalog_refusal import refusing_inserts
from kelarec import (
    AccessRequest,
    Archive,
    ErasureRequest,
    KelarecError,
    ObjectionRequest,
    Person,
    RectificationRequest,
    RestrictionRequest,
    StaffId,
    SubjectRequest,
    System,
)
from kelarec.audit.entries import Entry, EntryKind
from kelarec.errors import CatalogError, DeniedError, InvalidValueError, NaiveInstantError, RequestError
from kelarec.storage import catalog_tables as tables
from kelarec.storage.json_form import from_json
from kelarec.storage.requests import RequestRecord
from kelarec.storage.vault import Vault
from kelarec.testing.builders import make_person, make_staff_member
from kelarec.testing.clock import USUAL_START

if TYPE_CHECKING:
    from conftest import Disk

FRONT_DESK: Final = System("front-desk")
AINO: Final = make_person()
HOUR: Final = timedelta(hours=1)


def make_request(channel: str = "telephone", received_at: datetime = USUAL_START) -> AccessRequest:
    """Return Aino's access request."""
    return AccessRequest(person=AINO, channel=channel, received_at=received_at)


REQUESTS: Final = (
    make_request(),
    RectificationRequest(
        person=AINO, channel="telephone", received_at=USUAL_START, which="muuttopäivä", why="väärin", how="15.3."
    ),
    ErasureRequest(person=AINO, channel="telephone", received_at=USUAL_START),
    RestrictionRequest(person=AINO, channel="telephone", received_at=USUAL_START),
    ObjectionRequest(person=AINO, channel="telephone", received_at=USUAL_START, ground="oma tilanteeni"),
)


def list_received(archive: Archive) -> list[Entry]:
    """Return the log entries of requests that were received."""
    return [entry for entry in archive.audit.iter_entries(by=FRONT_DESK) if entry.kind is EntryKind.REQUEST_RECEIVED]


@pytest.mark.parametrize("channel", ["registry-office", "telephone", "service-point", "e-service-message"])
def test_one_clock_for_all_four_channels(kelarec_archive: Archive, channel: str) -> None:
    """The month runs from the Helsinki day on which the request reached any channel (section 11; Art. 12(3))."""
    late = datetime(2026, 3, 4, 22, 30, tzinfo=UTC)
    received = kelarec_archive.rights.receive(make_request(channel, received_at=late), by=FRONT_DESK)
    assert received.deadline.received_on == date(2026, 3, 5)
    assert received.deadline.due_on == date(2026, 4, 7)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.kind)
def test_all_five_rights_are_received_sealed_and_logged(
    disk_archive: Archive, vault: Vault, disk: "Disk", request_: SubjectRequest
) -> None:
    """Each right of Art. 15, 16, 17, 18 and 21 is kept as it was asked, and the log tells of it without the person."""
    received = disk_archive.rights.receive(request_, by=FRONT_DESK)
    (path,) = [path for path in disk.list_files() if "/requests/" in path]
    envelope = (disk.folder / path).read_bytes()
    opened = vault.open_envelope(vault.subject("request", str(received.id)), envelope)
    assert from_json(opened, RequestRecord).request == request_
    with vault.database.begin() as connection:
        assert connection.execute(select(tables.requests.c.request)).scalars().all() == [envelope]
    (entry,) = list_received(disk_archive)
    assert entry.facts["request"] == str(received.id)
    assert (entry.facts["right"], entry.facts["due-on"]) == (request_.kind, "2026-04-07")
    assert "Aino" not in str(entry.facts)


def test_a_request_received_in_the_past_is_due_from_then(kelarec_archive: Archive) -> None:
    """A request that lay about is due by its receipt, not by its entry into the archive (Art. 12(3))."""
    long_ago = USUAL_START - timedelta(days=20)
    received = kelarec_archive.rights.receive(make_request(received_at=long_ago), by=FRONT_DESK)
    assert received.deadline.due_on == date(2026, 3, 13)


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (make_request("carrier-pigeon"), "no channel carrier-pigeon"),
        (make_request(received_at=USUAL_START + timedelta(microseconds=1)), "in the future"),
    ],
    ids=["channel", "future"],
)
def test_a_bad_request_is_refused_by_name(
    disk_archive: Archive, disk: "Disk", request_: SubjectRequest, says: str
) -> None:
    """A request by no declared channel, or from the future, is refused with advice, and nothing of it is kept."""
    before = disk.list_files()
    with pytest.raises(RequestError, match=says) as caught:
        disk_archive.rights.receive(request_, by=FRONT_DESK)
    assert caught.value.advice
    assert disk.list_files() == before
    assert list_received(disk_archive) == []


@pytest.mark.parametrize(
    ("build", "error"),
    [
        (lambda: make_request(received_at=USUAL_START.replace(tzinfo=None)), NaiveInstantError),
        (
            lambda: AccessRequest(person=Person(name="Aino"), channel="telephone", received_at=USUAL_START),
            RequestError,
        ),
        (
            lambda: RectificationRequest(
                person=AINO, channel="telephone", received_at=USUAL_START, which="päivä", why=" ", how="15.3."
            ),
            InvalidValueError,
        ),
    ],
    ids=["without a time zone", "without an identifier", "without a reason"],
)
def test_what_is_no_request_cannot_be_built(build: Callable[[], object], error: type[KelarecError]) -> None:
    """A request names an instant, somebody who can be found (Art. 11(2)), and for Art. 16 which, why and how."""
    with pytest.raises(error) as caught:
        build()
    assert caught.value.advice


def test_if_the_catalog_refuses_nothing_is_kept(disk_archive: Archive, vault: Vault, disk: "Disk") -> None:
    """A request is in the catalog, on disk and in the log, or in none of them."""
    before = sorted(disk.objects.rglob("*"))
    with refusing_inserts(vault.database, "requests"), pytest.raises(CatalogError):
        disk_archive.rights.receive(make_request(), by=FRONT_DESK)
    assert sorted(disk.objects.rglob("*")) == before
    assert list_received(disk_archive) == []


@pytest.mark.parametrize(("role", "may"), [("adviser", False), ("registry-officer", True), ("operator", False)])
def test_only_who_may_receives(kelarec_archive: Archive, role: str, may: bool) -> None:  # noqa: FBT001  a column
    """Requests are received by those whose role grants it; a denial stands in the log (section 10)."""
    officer = make_staff_member(id=StaffId("kirsti"), roles={role}, duties=[])
    kelarec_archive.staff.enrol(officer, by=System("hr"))
    if may:
        kelarec_archive.rights.receive(make_request(), by=officer.id)
    else:
        with pytest.raises(DeniedError):
            kelarec_archive.rights.receive(make_request(), by=officer.id)
    denied = [each for each in kelarec_archive.audit.iter_entries(by=FRONT_DESK) if each.kind is EntryKind.DENIED]
    assert len(denied) == (not may)
    assert len(list_received(kelarec_archive)) == may
