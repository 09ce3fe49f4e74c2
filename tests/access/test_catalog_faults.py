"""Fault 21: the catalog is locked or down during access, and nothing is read without its log entry (section 10)."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pytest

from access.staffing import OSMA, RECORDER, TRAINING, VEIKKO, begin, enrol_all
from kelarec import Archive, Chat, Kind, Recording
from kelarec.access.session import Session
from kelarec.errors import CatalogError, KelarecError
from kelarec.storage import engine_settings
from kelarec.testing.builders import make_chat, make_contact, make_identity_code, make_wav
from kelarec.testing.clock import USUAL_START

if TYPE_CHECKING:
    from conftest import Disk

Use = Callable[[Session, Recording, Recording], object]
USES: Final[dict[str, tuple[str, Use]]] = {
    "find": ("veikko", lambda session, _, __: session.find(make_identity_code())),
    "details": ("veikko", lambda session, call, _: session.get_details(call.id)),
    "open": ("veikko", lambda session, call, _: session.open(call.id)),
    "clip": ("veikko", lambda session, call, _: session.clip(call.id, start=0, stop=1)),
    "read chat": ("veikko", lambda session, _, chat: session.read_chat(chat.id)),
    "hand out": ("osma", lambda session, call, _: session.hand_out(call.id)),
    "mask": ("osma", lambda session, _, chat: session.mask(chat.id, masked_for=TRAINING)),
    "consultations": ("osma", lambda session, _, __: session.list_consultations(make_identity_code())),
    "disclosures": ("osma", lambda session, _, __: session.list_disclosures(make_identity_code())),
}


@contextmanager
def _locked(disk: "Disk") -> Iterator[None]:
    """Another process writes, and goes on and on."""
    with closing(sqlite3.connect(disk.catalog, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def _down(disk: "Disk") -> Iterator[None]:
    """The file is there and is no database any more."""
    whole = disk.catalog.read_bytes()
    disk.catalog.write_bytes(b"\xff" * len(whole))
    yield
    disk.catalog.write_bytes(whole)


@contextmanager
def _read_only_log(disk: "Disk") -> Iterator[None]:
    """Everything can be read and no entry be written, as on a full disk."""
    with closing(sqlite3.connect(disk.catalog)) as other, other:
        other.execute("CREATE TRIGGER full BEFORE INSERT ON waiting BEGIN SELECT RAISE(FAIL, 'full'); END")
    yield
    with closing(sqlite3.connect(disk.catalog)) as other, other:
        other.execute("DROP TRIGGER full")


FAULTS: Final = {"locked": _locked, "down": _down, "full": _read_only_log}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_without_a_log_nothing_is_read(
    disk: "Disk", monkeypatch: pytest.MonkeyPatch, fault: Callable[["Disk"], object]
) -> None:
    """Every act is refused by name while the catalog cannot be had, no content is fetched, and all is well after it."""
    monkeypatch.setattr(engine_settings, "_WAIT_SECONDS", 0.05)
    with disk.create() as archive:
        enrol_all(archive)
        call, chat = store(archive, make_wav()), store(archive, make_chat())
        sessions = {"veikko": begin(archive, VEIKKO), "osma": begin(archive, OSMA)}
        archive.audit.integrate()
        open_before = sessions["veikko"].open(call.id)
        archive.audit._background.stop()  # what it would say of the fault is not asked here
        fetched: list[str] = []
        with monkeypatch.context() as patched, fault(disk):  # type: ignore[attr-defined]
            patched.setattr(archive._vault.objects, "read_range", lambda *place: fetched.append(str(place)))
            patched.setattr(archive._vault.objects, "get_size", fetched.append)
            for name, (by, use) in USES.items():
                with pytest.raises(KelarecError) as caught:
                    use(sessions[by], call, chat)
                assert isinstance(caught.value, CatalogError), name
                assert caught.value.advice
            disk.clock.move(timedelta(seconds=1))
            if fault is not _read_only_log:
                with pytest.raises(CatalogError):
                    open_before.read(1)
        assert fetched == []
        for by, use in USES.values():
            use(sessions[by], call, chat)


def store(archive: Archive, content: bytes | Chat) -> Recording:
    """Store a call or chat of Aino's."""
    kind = Kind.CUSTOMER_CHAT if isinstance(content, Chat) else Kind.CUSTOMER_CALL
    contact = make_contact(kind=kind)
    return archive.capture.store(contact, ended_at=USUAL_START + timedelta(seconds=1), content=content, by=RECORDER)
