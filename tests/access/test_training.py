"""Training sees masked copies of selected recordings and nobody's identity: notice, section 4; GDPR, Art. 5(1)(c)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pytest

from access.staffing import (
    OSMA,
    RECORDER,
    RIGHTS,
    TRAINING,
    TUIJA,
    VEIKKO,
    begin,
    list_denials,
    list_entries,
    make_member,
)
from kelarec import Archive, Chat, Kind, Recording, Wanted
from kelarec.access.session import Session
from kelarec.audit.entries import EntryKind
from kelarec.errors import DeniedError, EndBeforeStartError, InvalidValueError, KelarecError, UnreadableAudioError
from kelarec.storage.vault import Vault
from kelarec.testing.builders import make_chat, make_contact, make_identity_code, make_person, make_wav
from kelarec.testing.clock import USUAL_START, MovableClock

SEED: Final = b"spring 2026"
ALL: Final = Wanted(count=100)


def store_call(archive: Archive, seconds: int = 4, **known: Any) -> Recording:  # noqa: ANN401  the fields of Contact
    """Store a call."""
    contact = make_contact(**known)
    ended_at = contact.started_at + timedelta(seconds=seconds)
    return archive.capture.store(contact, ended_at=ended_at, content=make_wav(seconds), by=RECORDER)


def store_chat(archive: Archive, chat: Chat) -> Recording:
    """Store a chat of Aino's."""
    contact = make_contact(kind=Kind.CUSTOMER_CHAT)
    return archive.capture.store(contact, ended_at=USUAL_START, content=chat, by=RECORDER)


def learn(archive: Archive) -> Session:
    """Begin the adviser's session for the training plan."""
    return begin(archive, VEIKKO, purpose=TRAINING, matter="PLAN-1")


def test_a_chat_is_masked_selected_and_read(staffed: Archive) -> None:
    """From selection to reading: what an adviser in training reads holds no name, code or number (section 4)."""
    code = make_identity_code()
    recording = store_chat(staffed, make_chat(f"Hei, olen Aino, {code.text}", "Hei Ainolle! Soitan 050 000 0123."))
    with begin(staffed, TUIJA) as session:
        (selected,) = session.select(ALL, seed=SEED)
        assert (selected.id, selected.adviser_id) == (recording.id, None)
        made = session.mask(recording.id, masked_for=TRAINING)
        assert made.taken == {"nimi": 2, "henkilötunnus": 1, "puhelinnumero": 1}
    with learn(staffed) as session:
        texts = [each.text for each in session.read_chat(recording.id).messages]
        assert texts == ["Hei, olen [nimi], [henkilötunnus]", "Hei [nimi]! Soitan [puhelinnumero]."]
        details = session.get_details(recording.id)
    told = repr((details, details.contact, details.contact.persons, texts))
    for secret in ("Aino", "Esimerkki", code.text, "050", "veikko", "contact-"):
        assert secret not in told
    with begin(staffed, VEIKKO) as session:
        assert "Aino" in session.read_chat(recording.id).messages[0].text, "the original never changes"


def test_a_call_is_masked_in_its_intervals(staffed: Archive) -> None:
    """Training hears the masked copy only, through the same reader; the original stays as it was (section 4)."""
    recording, wav = store_call(staffed), make_wav(4)
    with begin(staffed, TUIJA) as session:
        session.select(ALL, seed=SEED)
        session.mask(recording.id, masked_for=TRAINING, silenced=[(1.0, 2.0), (3.5, 4.0)])
    with learn(staffed) as session, session.open(recording.id) as audio:
        heard = audio.read()
    begin_of_sound = len(wav) - 4 * 16_000
    first, last = begin_of_sound + 16_000, begin_of_sound + 32_000
    assert heard[:first] == wav[:first]
    assert heard[first:last] == b"\xd5" * 16_000
    assert heard[last : last + 24_000] == wav[last : last + 24_000]
    assert heard[last + 24_000 :] == b"\xd5" * 8_000
    with begin(staffed, VEIKKO) as session, session.open(recording.id) as audio:
        assert audio.read() == wav


def test_without_a_masked_copy_training_hears_nothing(
    staffed: Archive, memory_vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recording that was selected and not masked yet, or masked for another purpose, gives nothing to training."""
    recording = store_call(staffed)
    with begin(staffed, TUIJA) as session:
        session.select(ALL, seed=SEED)
    with begin(staffed, OSMA) as session:
        session.mask(recording.id, masked_for=RIGHTS, silenced=[(0.0, 1.0)])
    monkeypatch.setattr(memory_vault.objects, "read_range", lambda *_: pytest.fail("content was read"))
    with learn(staffed) as session, pytest.raises(DeniedError) as caught:
        session.open(recording.id)
    assert caught.value.clause == "masked"


def test_training_looks_nobody_up(staffed: Archive) -> None:
    """Under the purpose of training neither adviser nor trainer finds anybody, or anything beyond the plan."""
    recording = store_call(staffed)
    with begin(staffed, TUIJA) as trainer, learn(staffed) as learner:
        for use in (
            lambda: trainer.find(make_identity_code()),
            lambda: learner.find(make_identity_code()),
            lambda: learner.get_details(recording.id),
            lambda: learner.select(ALL, seed=SEED),
        ):
            with pytest.raises(DeniedError):
                use()
    assert [clause for _, clause in list_denials(staffed)] == ["role", "training", "duty", "role"]


def test_nothing_restricted_is_selected_or_stays_in_use(staffed: Archive) -> None:
    """A restricted recording is not selected, and one that is restricted later leaves the training (Art. 18)."""
    restricted, kept = store_call(staffed), store_call(staffed)
    staffed.restrictions.restrict(restricted.id, by=OSMA, reason="Art. 18(1)(a), REQ-1")
    with begin(staffed, TUIJA) as session:
        assert [each.id for each in session.select(ALL, seed=SEED)] == [kept.id]
        session.mask(kept.id, masked_for=TRAINING, silenced=[(0.0, 1.0)])
    staffed.restrictions.restrict(kept.id, by=OSMA, reason="Art. 18(1)(b), REQ-1")
    with learn(staffed) as session, pytest.raises(DeniedError) as caught:
        session.open(kept.id)
    assert caught.value.clause == "restriction"


WANTED: Final[dict[str, tuple[Wanted, list[int]]]] = {
    "all": (ALL, [0, 1, 2, 3]),
    "by line": (Wanted(count=9, lines={"authority"}), [1]),
    "by kind": (Wanted(count=9, kinds=["support-call"]), [2]),
    "no shorter": (Wanted(count=9, shortest=timedelta(seconds=3)), [1, 3]),
    "no longer": (Wanted(count=9, longest=timedelta(seconds=2)), [0, 2]),
    "since": (Wanted(count=9, since=USUAL_START), [0, 1, 2]),
    "until": (Wanted(count=9, until=USUAL_START), [3]),
}


@pytest.mark.parametrize(("wanted", "numbers"), WANTED.values(), ids=WANTED.keys())
def test_a_plan_asks_by_line_kind_length_and_time(staffed: Archive, wanted: Wanted, numbers: list[int]) -> None:
    """A selection holds exactly what was asked for (section 4; Art. 5(1)(c))."""
    stored = [
        store_call(staffed, 1),
        store_call(staffed, 3, line="authority"),
        store_call(staffed, 2, kind=Kind.SUPPORT_CALL),
        store_call(staffed, 4, started_at=USUAL_START - timedelta(days=1)),
    ]
    with begin(staffed, TUIJA) as session:
        assert {each.id for each in session.select(wanted, seed=SEED)} == {stored[number].id for number in numbers}


def test_chance_can_be_repeated(staffed: Archive) -> None:
    """The same seed selects the same recordings, another seed others; each selected one is one entry of the log."""
    for _ in range(12):
        store_call(staffed, 1)
    with begin(staffed, TUIJA) as session:
        first, again, other = (
            [each.id for each in session.select(Wanted(count=5), seed=seed)] for seed in (SEED, SEED, b"autumn")
        )
    assert first == again
    assert len(set(first)) == 5
    assert set(first) != set(other)
    entries = list_entries(staffed, EntryKind.SELECTED_FOR_TRAINING)
    assert sorted(str(entry.recording_id) for entry in entries) == sorted(map(str, {*first, *other}))


def test_nobody_trains_on_themself(staffed: Archive) -> None:
    """A recording about the trainer is not selected (section 10)."""
    store_call(staffed, customer=make_person(identity_code=make_member(TUIJA).identity_code))
    with begin(staffed, TUIJA) as session:
        assert session.select(ALL, seed=SEED) == []


def test_a_new_mask_replaces_the_old_one(staffed: Archive, memory_vault: Vault) -> None:
    """There is one masked copy for each purpose; the copies are parts of the recording and end with it (section 9)."""
    recording = store_call(staffed)
    with begin(staffed, TUIJA) as session:
        session.select(ALL, seed=SEED)
        for interval in ((0.0, 1.0), (2.0, 3.0)):
            session.mask(recording.id, masked_for=TRAINING, silenced=[interval])
    with begin(staffed, OSMA) as session:
        session.mask(recording.id, masked_for=RIGHTS, silenced=[(1.0, 1.5)])
        _, content = session.hand_out(recording.id)
        assert content.read().count(b"\xd5" * 1000) == 8, "what is handed out is the copy without third parties"
    names = [path.split("/")[-1] for path in memory_vault.objects.iter_paths("recordings")]
    assert sum(name.startswith("masked-audio") for name in names) == 2
    with learn(staffed) as session, session.open(recording.id) as audio:
        assert audio.clip(start=2, stop=3).endswith(b"\xd5" * 16_000)
        assert not audio.clip(start=0, stop=1).endswith(b"\xd5" * 100)


def test_masked_copies_die_with_the_recording(
    staffed: Archive, memory_vault: Vault, kelarec_clock: MovableClock
) -> None:
    """After the last day no masked copy can be heard, and the sweep leaves none (section 9)."""
    recording = store_call(staffed)
    with begin(staffed, TUIJA) as session:
        session.select(ALL, seed=SEED)
        session.mask(recording.id, masked_for=TRAINING, silenced=[(0.0, 1.0)])
    kelarec_clock.set(recording.ends_at)
    with learn(staffed) as session, pytest.raises(DeniedError) as caught:
        session.open(recording.id)
    assert caught.value.clause == "end"
    kelarec_clock.move(timedelta(hours=2))
    staffed.retention.sweep(by=RECORDER)
    assert list(memory_vault.objects.iter_paths("recordings")) == []


BAD: Final[dict[str, tuple[type[KelarecError], dict[str, Any]]]] = {
    "no interval": (InvalidValueError, {"masked_for": TRAINING}),
    "beyond the end": (UnreadableAudioError, {"masked_for": TRAINING, "silenced": [(3.0, 4.1)]}),
    "undeclared purpose": (InvalidValueError, {"masked_for": "marketing", "silenced": [(0.0, 1.0)]}),
    "malformed purpose": (InvalidValueError, {"masked_for": "Ei mikään", "silenced": [(0.0, 1.0)]}),
}


@pytest.mark.parametrize(("error", "how"), BAD.values(), ids=BAD.keys())
def test_bad_masks_are_refused_by_name(
    staffed: Archive, memory_vault: Vault, error: type[KelarecError], how: dict[str, Any]
) -> None:
    """What is no mask is refused and logged, and no half of one stays (section 10)."""
    recording = store_call(staffed)
    with begin(staffed, TUIJA) as session:
        session.select(ALL, seed=SEED)
        with pytest.raises(error):
            session.mask(recording.id, **how)
    assert [act for act, _ in list_denials(staffed)] == ["mask"]
    assert not [path for path in memory_vault.objects.iter_paths("recordings") if "masked" in path]


def test_a_chat_has_no_seconds(staffed: Archive) -> None:
    """Intervals for a chat are an error, not something that is silently left out."""
    recording = store_chat(staffed, make_chat())
    with begin(staffed, TUIJA) as session:
        session.select(ALL, seed=SEED)
        with pytest.raises(InvalidValueError):
            session.mask(recording.id, masked_for=TRAINING, silenced=[(0.0, 1.0)])


WRONG: Final[dict[str, Callable[[], Wanted]]] = {
    "lengths exchanged": lambda: Wanted(count=1, shortest=timedelta(2), longest=timedelta(1)),
    "times exchanged": lambda: Wanted(count=1, since=USUAL_START, until=USUAL_START - timedelta(1)),
}


@pytest.mark.parametrize("make", WRONG.values(), ids=WRONG.keys())
def test_a_plan_that_asks_for_nothing_cannot_be_built(make: Callable[[], Wanted]) -> None:
    """A selection that could hold nothing is a mistake of whoever asks."""
    with pytest.raises(EndBeforeStartError):
        make()


def test_recordings_are_selected_for_training_only(staffed: Archive) -> None:
    """No other purpose selects recordings by chance."""
    with begin(staffed, VEIKKO) as session, pytest.raises(InvalidValueError):
        session.select(ALL, seed=SEED)
    assert list_denials(staffed) == [("select", "training")]
