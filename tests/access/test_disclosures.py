"""Disclosures are made one at a time, on legal ground, in the EU/EEA, and stay known: notice, sections 7, 8."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import pytest

from access.staffing import OSMA, RECORDER, TIIA, VEIKKO, begin, list_denials, list_entries
from kelarec import Archive, Recording
from kelarec.access.session import Session
from kelarec.audit.entries import EntryKind
from kelarec.domain.references import ContactId
from kelarec.errors import (
    DeniedError,
    InvalidValueError,
    KelarecError,
    LooksLikeIdentifierError,
    NotResidentError,
    StandingDisclosureError,
)
from kelarec.storage.disclosures import DisclosureRegister
from kelarec.storage.vault import Vault
from kelarec.testing.builders import make_contact, make_identity_code, make_wav
from kelarec.testing.clock import USUAL_START, MovableClock

USUAL: Final[dict[str, Any]] = {
    "recipient": "Helsingin hallinto-oikeus",
    "country": "FI",
    "ground": "Laki 808/2019, 9 §",
    "items": "the call as a WAV file",
}


@pytest.fixture
def call(staffed: Archive) -> Recording:
    """A call of Aino's."""
    return staffed.capture.store(
        make_contact(contact_id="c-1"), ended_at=USUAL_START + timedelta(seconds=1), content=make_wav(), by=RECORDER
    )


def disclose(session: Session, recording_id: UUID, **instead: Any) -> object:  # noqa: ANN401  arguments of disclose
    """Disclose a recording to a court, or with something instead."""
    return session.disclose([recording_id], **USUAL | instead)


def test_a_disclosure_is_registered_and_listed_for_the_person(staffed: Archive, call: Recording) -> None:
    """Recipient by name, ground, items and by whom: the person is told of it (Art. 15(1)(c); C-154/21)."""
    with begin(staffed, TIIA) as session:
        disclosure = disclose(session, call.id)
        media_type, content = session.hand_out(call.id)
        assert (media_type, content.read()) == ("audio/wav", make_wav())
    with begin(staffed, OSMA) as session:
        assert session.list_disclosures(make_identity_code()) == [disclosure]
        assert session.list_disclosures(make_identity_code(9)) == []
        assert session.list_disclosures(ContactId("c-1"), make_identity_code(9)) == [disclosure]
    (entry,) = list_entries(staffed, EntryKind.DISCLOSED)
    assert (entry.recording_id, entry.actor, entry.facts["country"]) == (call.id, "tiia", "FI")
    assert "oikeus" not in str(entry), "who received it stands in the register, not in the log"
    assert [each.facts["found"] for each in list_entries(staffed, EntryKind.DISCLOSURES_LISTED)] == ["1", "0", "1"]


def test_the_register_outlives_the_recording_and_has_an_end(
    staffed: Archive, memory_vault: Vault, kelarec_clock: MovableClock, call: Recording
) -> None:
    """Entries are kept as long as the register declares, five years, whatever became of the recording; then no more."""
    with begin(staffed, TIIA) as session:
        disclose(session, call.id)
    for years, left in ((2, 1), (6, 0)):
        kelarec_clock.set(USUAL_START + timedelta(days=365 * years))
        due = {each.kept_through for each in (call,)} | set(memory_vault.keyring.iter_days())
        staffed.retention.sweep(by=RECORDER, catch_up=due)
        with begin(staffed, OSMA) as session:
            assert len(session.list_disclosures(make_identity_code())) == left
        assert len(list(memory_vault.objects.iter_paths("disclosures"))) == left


def test_recipients_of_a_recording_are_found_for_notification(
    staffed: Archive, memory_vault: Vault, call: Recording
) -> None:
    """Whoever received a recording is found, to be told of its rectification, erasure or restriction (Art. 19)."""
    other = staffed.capture.store(make_contact(), ended_at=USUAL_START, content=make_wav(), by=RECORDER)
    with begin(staffed, TIIA) as session:
        disclosure = disclose(session, call.id)
    with memory_vault.database.begin() as connection:
        register, contact = DisclosureRegister(memory_vault), make_contact()
        assert register.find_of_recording(connection, call.id, contact) == [disclosure]
        assert register.find_of_recording(connection, other.id, contact) == []


BAD: Final[dict[str, tuple[type[KelarecError], str, dict[str, Any]]]] = {
    "standing": (StandingDisclosureError, "standing-disclosure", {"recurring": "weekly"}),
    "to Switzerland": (NotResidentError, "not-resident", {"country": "CH"}),
    "to nowhere": (NotResidentError, "not-resident", {"country": ""}),
    "to nobody": (InvalidValueError, "invalid-value", {"recipient": " "}),
    "on no ground": (InvalidValueError, "invalid-value", {"ground": ""}),
    "of nothing": (InvalidValueError, "invalid-value", {"items": ""}),
    "a ground that names a person": (LooksLikeIdentifierError, "looks-like-identifier", {"ground": "140281-928F"}),
}


@pytest.mark.parametrize(("error", "clause", "instead"), BAD.values(), ids=BAD.keys())
def test_bad_disclosures_are_refused_by_name(
    staffed: Archive,
    memory_vault: Vault,
    call: Recording,
    error: type[KelarecError],
    clause: str,
    instead: dict[str, Any],
) -> None:
    """What the notice does not know has a named error and one log entry, and nothing is registered (sections 7, 8)."""
    with begin(staffed, TIIA) as session, pytest.raises(error) as caught:
        disclose(session, call.id, **instead)
    assert type(caught.value) is error
    assert caught.value.advice
    assert list_denials(staffed) == [("disclose", clause)]
    assert list(memory_vault.objects.iter_paths("disclosures")) == []


def test_the_refusal_of_a_standing_one_quotes_the_notice(staffed: Archive, call: Recording) -> None:
    """A recurring disclosure is refused with section 7: there are no regular disclosures."""
    with begin(staffed, TIIA) as session, pytest.raises(StandingDisclosureError, match="section 7"):
        disclose(session, call.id, recurring="monthly")


def test_only_whoever_may_disclose_does(staffed: Archive, call: Recording) -> None:
    """A registry officer and an adviser disclose nothing, and one recording too many stops the whole (section 10)."""
    uses: list[Callable[[], object]] = [
        lambda: disclose(begin(staffed, OSMA), call.id),
        lambda: disclose(begin(staffed, VEIKKO), call.id),
        lambda: begin(staffed, TIIA).disclose([call.id, UUID(int=7 << 76 | 2 << 62)], **USUAL),
        lambda: begin(staffed, VEIKKO).list_disclosures(make_identity_code()),
    ]
    for use in uses:
        with pytest.raises(DeniedError):
            use()
    assert [clause for _, clause in list_denials(staffed)] == ["role", "role", "known-recording", "role"]
    assert list_entries(staffed, EntryKind.DISCLOSED) == []
