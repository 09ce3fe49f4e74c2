"""A chat: messages in the order in which they were sent."""

from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise

from attrs import field, frozen

from kelarec.domain.codes import is_code
from kelarec.domain.instants import to_utc
from kelarec.errors import EmptyContentError, InvalidValueError


@frozen
class Message:
    """One message of a chat.

    Attributes:
        sent_at: When it was sent, an aware instant, kept as UTC.
        by: Who wrote it: ``customer``, ``adviser``, ``support-expert`` or another party's code.
        text: What it says, never shown in ``repr``.

    Raises:
        NaiveInstantError: The instant has no time zone.
        EmptyContentError: The text is empty.
        InvalidValueError: The text holds half a character (a lone surrogate).
    """

    sent_at: datetime = field(converter=to_utc)
    by: str = field(validator=is_code)
    text: str = field(repr=False)

    @text.validator
    def _has_text(self, _: object, value: object) -> None:
        if not isinstance(value, str) or not value.strip():
            raise EmptyContentError("A chat message is empty.")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise InvalidValueError("A chat message is no valid Unicode.", advice="Decode it again from its source.")


def _to_messages(messages: Iterable[Message]) -> tuple[Message, ...]:
    return tuple(messages)


@frozen
class Chat:
    """The messages of one chat, oldest first.

    Raises:
        EmptyContentError: There is no message.
        InvalidValueError: A message was sent before the one above it.
    """

    messages: tuple[Message, ...] = field(converter=_to_messages)

    @messages.validator
    def _is_in_order(self, _: object, messages: tuple[Message, ...]) -> None:
        if not messages:
            raise EmptyContentError("The chat has no message.")
        for number, (earlier, later) in enumerate(pairwise(messages), start=2):
            if later.sent_at < earlier.sent_at:
                raise InvalidValueError(
                    f"Message {number} was sent before message {number - 1}.", advice="Sort the messages by time."
                )

    def __repr__(self) -> str:
        return f"Chat({len(self.messages)} messages)"
