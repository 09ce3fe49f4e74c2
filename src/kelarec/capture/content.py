"""Content on its way in, checked as it passes: what it is, and that it is whole."""

import io
from collections.abc import Iterator
from typing import BinaryIO, Final

from kelarec.domain.chat import Chat
from kelarec.domain.recording import Sound
from kelarec.errors import EmptyContentError, InvalidValueError
from kelarec.media import audio, wav
from kelarec.storage.json_form import to_json

CHAT_TYPE: Final = "application/json"
_PIECE: Final = 256 * 1024


class IncomingContent:
    """One part of content that passes once.

    Attributes:
        name: Of the part: ``audio`` or ``chat``.
        media_type: What it is.
        sound: What audio says of itself, once it has passed.
    """

    def __init__(self, name: str, media_type: str, head: bytes, rest: BinaryIO, sound: Sound | None = None) -> None:
        self.name = name
        self.media_type = media_type
        self.sound = sound
        self._head = head
        self._rest = rest

    def iter_pieces(self) -> Iterator[bytes]:
        """Go through the content once.

        Raises:
            UnreadableAudioError: It is no whole WAV file, which shows when it has passed.
        """
        form = wav.parse_wav(self._head) if self.media_type == wav.MEDIA_TYPE else None
        piece, length = self._head, 0
        while piece:
            length += len(piece)
            yield piece
            piece = self._rest.read(_PIECE)
        if form is not None:
            form.require_whole(length)
            self.sound = form.tell_sound(length)


def open_content(content: bytes | BinaryIO | Chat, *, is_chat: bool, declared: str | None = None) -> IncomingContent:
    """Look at the beginning of content, and at the whole of it where only that tells what it is.

    Args:
        content: A `Chat`, or audio as bytes or as a binary file at its beginning.
        is_chat: Whether the contact is a chat.
        declared: The media type that its sender says it has.

    Raises:
        InvalidValueError: A call comes with messages or a chat with audio, or the file cannot be read as it must.
        EmptyContentError: There is no content.
        UnreadableAudioError, MediaTypeMismatchError, MissingExtraError: As `Capture.store`.
    """
    if is_chat:
        if not isinstance(content, Chat):
            raise InvalidValueError("A chat's content is messages.", advice="Give a Chat.")
        return IncomingContent("chat", CHAT_TYPE, to_json(content), io.BytesIO())
    if isinstance(content, Chat):
        raise InvalidValueError("A call's content is audio.", advice="Give an audio file.")
    file = io.BytesIO(content) if isinstance(content, bytes) else content
    head = _read_head(file)
    if not head:
        raise EmptyContentError("The recording has no content.")
    media_type = audio.recognise(head, declared=declared)
    if media_type == wav.MEDIA_TYPE:
        return IncomingContent("audio", media_type, head, file)
    if not file.seekable():
        raise InvalidValueError(
            f"Content of the type {media_type} cannot be read from a stream.", advice="Give bytes or a seekable file."
        )
    sound = audio.read_sound(file, media_type, file.seek(0, io.SEEK_END))
    file.seek(len(head))
    return IncomingContent("audio", media_type, head, file, sound)


def _read_head(file: BinaryIO) -> bytes:
    head = b""
    while len(head) < wav.LONGEST_HEADER:  # a socket gives less than it is asked for
        piece = file.read(_PIECE)
        if not isinstance(piece, bytes):
            raise InvalidValueError("The content is not a binary file.", advice="Open it in binary mode.")
        if not piece:
            break
        head += piece
    return head
