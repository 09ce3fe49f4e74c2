"""What is said of the keys, and the one way out: the notice, sections 9 and 10; GDPR, Art. 5(2) and 32."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, Final

import pytest

from custody_folders import Custody
from kelarec import Archive, StaffId, System
from kelarec.audit.entries import EntryKind
from kelarec.custody.keys import KeyFacts, KeyState
from kelarec.domain.uuid7 import uuid7
from kelarec.errors import DeniedError, ExpiredError, InvalidValueError, LooksLikeIdentifierError
from kelarec.storage.key_export import UNSAFE_EXPORT_TOKEN, UnsafeExportToken
from kelarec.storage.recordings import part_context
from kelarec.storage.sealing import unseal

READER: Final = System("reader@test")
REASON: Final = "ordered by the court in case R 26/117"


def test_keys_are_listed_without_a_byte_of_them(custody: Custody) -> None:
    """Ids, dates and states of all keys are told, with the ring's kind of root key, and never bytes."""
    with custody.create(custody.make_key_file()) as archive:
        custody.fill(archive)
        listed = archive.keys.list_keys()
    assert listed[:3] == (
        KeyFacts("ring", KeyState.IN_USE, root_kind="keyfile"),
        KeyFacts("standing", KeyState.IN_USE),
        KeyFacts("signing", KeyState.IN_USE),
    )
    days = [each.kept_through for each in listed[3:] if each.kept_through is not None]
    assert days == sorted(days)
    assert {date(2027, 3, 5), date(2031, 3, 5)} < set(days)  # of the recording and of the log; others are made ahead
    assert {each.state for each in listed} == {KeyState.IN_USE}
    assert not any(isinstance(value, bytes) for each in listed for value in (each.id, each.state, each.root_kind))


def test_a_key_says_how_it_stands(custody: Custody) -> None:
    """A date that is over awaits the sweep, then is no more; one that is needed and gone is missing."""
    with custody.create(custody.make_key_file()) as archive:
        custody.fill(archive)
        (custody.folder / "keys" / "days" / "2031-03-05.key").rename(custody.folder / "aside.key")
        assert KeyFacts("2031-03-05", KeyState.MISSING, date(2031, 3, 5)) in archive.keys.list_keys()
        (custody.folder / "aside.key").rename(custody.folder / "keys" / "days" / "2031-03-05.key")
        (custody.folder / "keys" / "signing.key").rename(custody.folder / "aside.key")
        assert archive.keys.list_keys()[2] == KeyFacts("signing", KeyState.MISSING)
        (custody.folder / "aside.key").rename(custody.folder / "keys" / "signing.key")
        custody.clock.move(timedelta(days=366))
        assert KeyFacts("2027-03-05", KeyState.OVER, date(2027, 3, 5)) in archive.keys.list_keys()
        archive.retention.sweep(by=READER)
        assert "2027-03-05" not in [each.id for each in archive.keys.list_keys()]


@pytest.fixture
def officer(enrol: Callable[..., StaffId]) -> Callable[[Archive], StaffId]:
    """A function that enrols the data protection officer."""
    return lambda archive: enrol(archive, "tuula", "data-protection-officer")


def export(archive: Archive, recording_id: Any, by: StaffId | System, **changed: Any) -> bytes:  # noqa: ANN401  wrong ones too
    """Ask for a data key."""
    asked = {"token": UNSAFE_EXPORT_TOKEN, "by": by, "reason": REASON} | changed
    return archive.keys.unsafe_export_data_key(recording_id, **asked)


def test_an_exported_key_opens_the_recording_without_kelarec(
    custody: Custody, officer: Callable[[Archive], StaffId]
) -> None:
    """The data key opens the sealed part, and the log tells who took it for what reason before it is handed out."""
    with custody.create(custody.make_key_file()) as archive:
        by = officer(archive)
        [recording] = custody.fill(archive)
        key = export(archive, recording.id, by)
        [entry] = [each for each in archive.audit.iter_entries(by=READER) if each.kind is EntryKind.DATA_KEY_EXPORTED]
        subject = archive._vault.subject("recording", str(recording.id))
    [part] = (custody.folder / "archive").rglob("audio-*")
    assert unseal(key, part_context(subject, "audio", "audio/wav"), part.read_bytes()) == custody.wav
    assert (entry.actor, entry.recording_id, entry.facts) == ("tuula", recording.id, {"reason": REASON})
    assert key.hex() not in repr(entry)


DENIED: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "no token": ({"token": None}, "token"),
    "a token made elsewhere": ({"token": UnsafeExportToken()}, "token"),
    "a system": ({"by": System("exporter@node1")}, "known-staff"),
    "nobody": ({"by": StaffId("nobody")}, "known-staff"),
    "an adviser": ({"by": StaffId("veikko")}, "role"),
}


@pytest.mark.parametrize(("changed", "clause"), DENIED.values(), ids=DENIED)
def test_an_export_needs_token_person_and_role(custody: Custody, changed: dict[str, Any], clause: str) -> None:
    """Without the token, by a system, or without the role no key is handed out, and the denial is in the log."""
    with custody.create(custody.make_key_file()) as archive:
        [recording] = custody.fill(archive)
        with pytest.raises(DeniedError) as caught:
            export(archive, recording.id, **{"by": StaffId("tuula")} | changed)
        entries = list(archive.audit.iter_entries(by=READER))
    assert caught.value.clause == clause
    assert [each.facts["clause"] for each in entries if each.kind is EntryKind.DENIED] == [clause]
    assert not [each for each in entries if each.kind is EntryKind.DATA_KEY_EXPORTED]


def test_an_operator_does_not_export(custody: Custody, enrol: Callable[..., StaffId]) -> None:
    """Who may change the root key may not take a recording's key: the two are apart (section 10)."""
    with custody.create(custody.make_key_file()) as archive:
        by = enrol(archive, "otso", "operator")
        [recording] = custody.fill(archive)
        with pytest.raises(DeniedError, match="role"):
            export(archive, recording.id, by)


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        ("", InvalidValueError),
        ("for 131052-308T", LooksLikeIdentifierError),
        ("asked by aino@example.org", LooksLikeIdentifierError),
        ("call +358 50 000 0123", LooksLikeIdentifierError),
    ],
)
def test_a_reason_names_nobody(
    custody: Custody, officer: Callable[[Archive], StaffId], reason: str, error: type[Exception]
) -> None:
    """The reason stands in the log, so it must be there and must not hold an identifier (section 10)."""
    with custody.create(custody.make_key_file()) as archive:
        by = officer(archive)
        [recording] = custody.fill(archive)
        with pytest.raises(error):
            export(archive, recording.id, by, reason=reason)


def test_no_key_is_exported_after_the_end(custody: Custody, officer: Callable[[Archive], StaffId]) -> None:
    """From the midnight after the last day no key is handed out, swept or not; an unknown id is denied (section 9)."""
    with custody.create(custody.make_key_file()) as archive:
        by = officer(archive)
        [recording] = custody.fill(archive)
        with pytest.raises(DeniedError) as unknown:
            export(archive, uuid7(custody.clock(), bytes(10)), by)
        custody.clock.move(timedelta(days=366))
        with pytest.raises(ExpiredError):
            export(archive, recording.id, by)
        archive.retention.sweep(by=READER)
        with pytest.raises(DeniedError) as swept:
            export(archive, recording.id, by)
    assert (unknown.value.clause, swept.value.clause) == ("known-recording", "known-recording")
