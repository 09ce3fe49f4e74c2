"""The story of a take: pauses become marked gaps, and what came late is known at the end (notice, section 5)."""

from datetime import timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelarec.domain.take import AudioForm, Codec, EventKind, PartForm, TakeEvent, TakeStory
from kelarec.errors import EndBeforeStartError, InvalidValueError, KelarecError
from kelarec.testing.builders import make_contact
from kelarec.testing.clock import USUAL_START

SECOND: Final = timedelta(seconds=1)
STORY: Final = TakeStory(
    contact=make_contact(), parts=(PartForm(name="audio", media_type="audio/wav"),), by="system:recorder"
)


@given(st.lists(st.sampled_from([EventKind.PAUSED, EventKind.RESUMED]), max_size=20))
def test_gaps_follow_one_another(kinds: list[EventKind]) -> None:
    """However often a take is paused and resumed, its gaps stand in order, none in another, and the last is closed."""
    story = STORY
    for number, kind in enumerate(kinds):
        story = story.after(TakeEvent(kind=kind, at=USUAL_START + number * SECOND, text="break"))
    ended = story.after(TakeEvent(kind=EventKind.ENDED, at=USUAL_START + len(kinds) * SECOND))
    assert ended.paused is None
    assert all(gap.from_at <= gap.to_at for gap in ended.gaps)
    assert all(one.to_at <= other.from_at for one, other in zip(ended.gaps, ended.gaps[1:], strict=False))
    assert bool(ended.gaps) == (EventKind.PAUSED in kinds)


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (EndBeforeStartError, {"kind": "ended", "at": USUAL_START - SECOND}),
        (InvalidValueError, {"kind": "transferred"}),
        (InvalidValueError, {"kind": "attached", "text": "audio", "media_type": "text/vtt"}),
        (InvalidValueError, {"kind": "paused", "text": ""}),
        (InvalidValueError, {"kind": "assigned", "text": "case of 140281-928F"}),
    ],
)
def test_a_story_refuses_what_cannot_be(error: type[KelarecError], event: dict[str, object]) -> None:
    """What contradicts itself, or names a person where nobody may be named, does not become part of the story."""
    with pytest.raises(error):
        STORY.after(TakeEvent(**({"at": USUAL_START} | event)))  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [{"codec": "opus"}, {"channels": 0}, {"channels": 99}, {"rate": 0}])
def test_a_form_that_no_sound_has_is_refused(wrong: dict[str, object]) -> None:
    """There is a short list of codecs; channels and rate are numbers that a call may have."""
    with pytest.raises(ValueError, match=r".+"):
        AudioForm(**wrong)  # type: ignore[arg-type]


def test_a_code_is_as_good_as_its_name() -> None:
    """A codec may be given by its code."""
    assert AudioForm(codec="pcmu").codec is Codec.PCMU  # type: ignore[arg-type]
