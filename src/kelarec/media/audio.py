"""What audio content says of itself: its form, rate, channels and duration.

WAV is read here; FLAC, Ogg and MP3 by libsndfile, through ``kelarec[audio]``.

Source: RFC 9639 (FLAC), RFC 3533 (Ogg), ISO/IEC 11172-3 (MP3) for how each begins.
"""

import struct
from collections.abc import Mapping
from typing import Any, BinaryIO, Final

from kelarec.domain.recording import Sound
from kelarec.errors import InvalidValueError, MediaTypeMismatchError, MissingExtraError, UnreadableAudioError
from kelarec.media import wav

FLAC: Final = "audio/flac"
OGG: Final = "audio/ogg"
MP3: Final = "audio/mpeg"
MEDIA_TYPES: Final = (wav.MEDIA_TYPE, FLAC, OGG, MP3)
_OTHER_NAMES: Final[Mapping[str, str]] = {
    "audio/x-wav": wav.MEDIA_TYPE,
    "audio/wave": wav.MEDIA_TYPE,
    "audio/vnd.wave": wav.MEDIA_TYPE,
    "audio/x-flac": FLAC,
    "audio/opus": OGG,
    "application/ogg": OGG,
    "audio/mp3": MP3,
}
_FORMATS: Final[Mapping[str, str]] = {"FLAC": FLAC, "OGG": OGG, "MP3": MP3}
_CODECS: Final[Mapping[str, str]] = {"VORBIS": "Vorbis", "OPUS": "Opus", "MPEG_LAYER_III": "MP3"}
_LAYER_3: Final = 1
_OGG_HEADER: Final = struct.Struct("<4sBBqIIIB")
_LONGEST_OGG_PAGE: Final = _OGG_HEADER.size + 255 + 255 * 255


def to_media_type(text: str) -> str:
    """Return the media type of audio by its usual name, without parameters.

    Raises:
        InvalidValueError: It is none that can be stored.
    """
    plain = text.partition(";")[0].strip().lower()
    found = _OTHER_NAMES.get(plain, plain)
    if found not in MEDIA_TYPES:
        raise InvalidValueError("The media type is none of audio that is known.", advice=_ONE_OF)
    return found


_ONE_OF: Final = f"Use one of: {', '.join(MEDIA_TYPES)}."


def recognise(head: bytes, *, declared: str | None = None) -> str:
    """Return the media type of audio by how its content begins.

    Args:
        head: Its first bytes, 12 at least.
        declared: What its sender says it is.

    Raises:
        UnreadableAudioError: It begins like nothing that is known.
        MediaTypeMismatchError: It is something else than its sender says.
        InvalidValueError: What the sender says is no media type of audio that is known.
    """
    wanted = None if declared is None else to_media_type(declared)
    found = _find_media_type(head)
    if found is None:
        raise UnreadableAudioError("The content begins like no audio that is known.")
    if wanted not in {None, found}:
        raise MediaTypeMismatchError(f"The content is {found}, and it was declared as {wanted}.")
    return found


def _find_media_type(head: bytes) -> str | None:
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return wav.MEDIA_TYPE
    if head[:4] == b"fLaC":
        return FLAC
    if head[:4] == b"OggS":
        return OGG
    is_frame = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] >> 1 & 3 == _LAYER_3  # noqa: PLR2004  the sync word
    return MP3 if head[:3] == b"ID3" or is_frame else None


def read_sound(file: BinaryIO, media_type: str, length: int) -> Sound:
    """Return what a whole audio file says of itself; its position is anywhere afterwards.

    Args:
        file: Seekable.
        media_type: As `recognise` gives it.
        length: Its bytes.

    Raises:
        UnreadableAudioError: It was cut, holds no sound, or cannot be read as what it is.
        MissingExtraError: It is no WAV file, and ``kelarec[audio]`` is not installed.
    """
    if media_type == wav.MEDIA_TYPE:
        form = wav.read_format(file)
        form.require_whole(length)
        return form.tell_sound(length)
    soundfile = _load_soundfile()
    if media_type == OGG:
        _require_whole_ogg(file, length)
    file.seek(0)
    try:
        with soundfile.SoundFile(file) as opened:
            frames = opened.frames
            _require_last_frame(opened, frames)
            found = _FORMATS.get(opened.format)
            codec = _CODECS.get(opened.subtype, opened.format)
            channels, rate = opened.channels, opened.samplerate
    except soundfile.SoundFileError:
        raise UnreadableAudioError(f"The content begins like {media_type} and cannot be read as such.") from None
    if found != media_type:
        raise UnreadableAudioError(f"The content begins like {media_type} and goes on as something else.")
    return Sound(codec=codec, channels=channels, rate=rate, seconds=frames / rate)


def _require_last_frame(opened: Any, frames: int) -> None:  # noqa: ANN401  soundfile has no types
    if not frames:
        raise UnreadableAudioError("The audio holds no sound.")
    opened.seek(frames - 1)
    if not len(opened.read(1)):
        raise UnreadableAudioError("The audio ends before what it announces: it was cut.")


def _require_whole_ogg(file: BinaryIO, length: int) -> None:
    """Check that the last page of an Ogg file is whole: libsndfile takes what was cut for the end."""
    start = max(length - _LONGEST_OGG_PAGE, 0)
    file.seek(start)
    tail = file.read(_LONGEST_OGG_PAGE)
    at = tail.rfind(b"OggS")
    while at >= 0:
        if at + _OGG_HEADER.size <= len(tail):
            segments = tail[at + _OGG_HEADER.size - 1]
            lacing = tail[at + _OGG_HEADER.size : at + _OGG_HEADER.size + segments]
            if start + at + _OGG_HEADER.size + segments + sum(lacing) == length and len(lacing) == segments:
                return
        at = tail.rfind(b"OggS", 0, at)
    raise UnreadableAudioError("The Ogg file ends in the middle of a page: it was cut.")


def _load_soundfile() -> Any:  # noqa: ANN401  a module without types
    try:
        import soundfile  # noqa: PLC0415  an extra
    except (ImportError, OSError):  # OSError: the package is there and its library is not
        raise MissingExtraError.of("audio") from None
    return soundfile
