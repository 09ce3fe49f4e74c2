"""What audio says of itself, and that content is what its sender says (notice, section 5; GDPR, Art. 5(1)(d))."""

import io
import sys
from typing import BinaryIO, Final

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from kelarec import Archive, StaffMember, System
from kelarec.domain.recording import Sound
from kelarec.errors import InvalidValueError, MediaTypeMismatchError, MissingExtraError, UnreadableAudioError
from kelarec.media import wav
from kelarec.media.audio import FLAC, MEDIA_TYPES, MP3, OGG, read_sound, recognise, to_media_type
from kelarec.testing.builders import make_contact, make_wav
from kelarec.testing.clock import USUAL_START

RECORDER: Final = System("recorder@test")
FORMS: Final = {
    "FLAC": (FLAC, "FLAC", "PCM_16"),
    "Ogg Vorbis": (OGG, "OGG", "VORBIS"),
    "Ogg Opus": (OGG, "OGG", "OPUS"),
    "MP3": (MP3, "MP3", "MPEG_LAYER_III"),
    "WAV": (wav.MEDIA_TYPE, "WAV", "ULAW"),
}
CODECS: Final = {"FLAC": "FLAC", "Ogg Vorbis": "Vorbis", "Ogg Opus": "Opus", "MP3": "MP3", "WAV": "G.711 µ-law"}


def make_audio(form: str, seconds: float = 2.0, *, rate: int = 8000, channels: int = 1) -> bytes:
    """Return a tone in a form, made by libsndfile."""
    _, container, subtype = FORMS[form]
    at = np.arange(round(seconds * rate)) / rate
    tone = np.stack([0.4 * np.sin(2 * np.pi * 440 * (each + 1) * at) for each in range(channels)], axis=1)
    file = io.BytesIO()
    soundfile.write(file, tone, rate, format=container, subtype=subtype)
    return file.getvalue()


def read(content: bytes) -> Sound:
    """Read what content says of itself."""
    return read_sound(io.BytesIO(content), recognise(content[:64]), len(content))


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=8, deadline=None)
@given(tenths=st.integers(5, 40), rate=st.sampled_from([8000, 16000, 48000]), channels=st.integers(1, 2))
def test_form_rate_channels_and_duration_are_read(form: str, tenths: int, rate: int, channels: int) -> None:
    """Each form tells its media type, codec, rate, channels and duration by its content."""
    content = make_audio(form, tenths / 10, rate=rate, channels=channels)
    assert recognise(content[:64]) == FORMS[form][0]
    sound = read(content)
    assert (sound.codec, sound.rate, sound.channels) == (CODECS[form], rate, channels)
    assert sound.seconds == pytest.approx(tenths / 10, abs=0.001)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("declared", MEDIA_TYPES)
def test_content_that_contradicts_its_declaration_is_refused(form: str, declared: str) -> None:
    """A file that is declared as something else is refused by a name of its own, and both are told."""
    found, head = FORMS[form][0], make_audio(form)[:64]
    if declared == found:
        assert recognise(head, declared=declared) == found
    else:
        with pytest.raises(MediaTypeMismatchError, match=f"{found}.*{declared}"):
            recognise(head, declared=declared)


@pytest.mark.parametrize(
    ("text", "told"),
    [("audio/x-wav", wav.MEDIA_TYPE), ("audio/ogg; codecs=opus", OGG), ("Audio/MP3 ", MP3), ("audio/x-flac", FLAC)],
)
def test_other_names_of_a_media_type_are_known(text: str, told: str) -> None:
    """Contact centres write media types in several ways."""
    assert to_media_type(text) == told
    with pytest.raises(InvalidValueError, match="Use one of"):
        to_media_type("video/mp4")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("cut", [0.3, 0.5, 0.9, 0.999])
def test_audio_that_was_cut_is_refused(form: str, cut: float) -> None:
    """A file that ends before what it announces is no recording of the whole call."""
    content = make_audio(form)
    with pytest.raises(UnreadableAudioError):
        read(content[: int(len(content) * cut)])


@given(st.binary(min_size=12, max_size=400), st.sampled_from([b"", b"fLaC", b"OggS", b"ID3", b"\xff\xfb"]))
def test_anything_else_is_refused(content: bytes, beginning: bytes) -> None:
    """What only begins like audio, or not even that, gives an error of ours and nothing else."""
    with pytest.raises(UnreadableAudioError):
        read(beginning + content)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_stored_and_given_back(kelarec_archive: Archive, adviser: StaffMember, form: str) -> None:
    """The archive keeps audio byte for byte in the form in which it came, and what it says of itself."""
    content = make_audio(form)
    stored = kelarec_archive.capture.store(
        make_contact(), ended_at=USUAL_START, content=io.BytesIO(content), by=RECORDER, media_type=FORMS[form][0]
    )
    with kelarec_archive.session(by=adviser.id, purpose="verify-service-event", matter="KELA-1") as session:
        [part] = session.get_details(stored.id).parts
        assert session.open(stored.id).read() == content
    assert (part.media_type, part.length, part.sound) == (FORMS[form][0], len(content), read(content))


def test_a_live_take_tells_its_sound(spooled_archive: Archive) -> None:
    """A call that was written live says how long it sounds."""
    with spooled_archive.capture.begin(make_contact(), by=RECORDER) as take:
        take.part("audio").write(bytes(4000))
    with spooled_archive._vault.database.begin() as connection:
        opened = spooled_archive.capture._recordings.find_one(connection, take.recording_id)
    assert opened is not None
    [part] = opened.record.details.parts
    assert part.sound == Sound(codec="G.711 A-law", channels=1, rate=8000, seconds=0.5)


@pytest.mark.parametrize("form", [form for form in FORMS if form != "WAV"])
def test_without_the_extra_the_error_says_so(
    kelarec_archive: Archive, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """Where soundfile is not installed the error names the extra, and WAV goes on."""
    content = make_audio(form)
    monkeypatch.setitem(sys.modules, "soundfile", None)
    store = kelarec_archive.capture.store
    with pytest.raises(MissingExtraError, match=r"kelarec\[audio\]"):
        store(make_contact(), ended_at=USUAL_START, content=content, by=RECORDER)
    store(make_contact(), ended_at=USUAL_START, content=make_wav(), by=RECORDER)


def test_a_stream_of_a_container_is_refused(kelarec_archive: Archive) -> None:
    """Only a seekable file tells how long a FLAC file sounds; nothing is buffered in the clear for it."""

    class Stream(io.BytesIO):
        def seekable(self) -> bool:
            return False

    content: BinaryIO = Stream(make_audio("FLAC"))
    with pytest.raises(InvalidValueError, match="seekable"):
        kelarec_archive.capture.store(make_contact(), ended_at=USUAL_START, content=content, by=RECORDER)
