"""A take as the spool holds it: what waits in memory, and where the rest lies."""

import threading
from array import array
from collections import deque
from typing import Final

EVENTS: Final = 0
_OFFSET_BITS: Final = 40
_OFFSET_MASK: Final = (1 << _OFFSET_BITS) - 1
WORDS: Final = 2


class SpooledPart:
    """One part of a take on its way into the spool.

    Written by one thread and emptied by the spool's: each touches what the other does not, and a deque takes and gives
    in one step, so that neither ever waits for the other.

    Attributes:
        number: Of the part in its take; 0 are the events.
        prefix: What is bound into the seal of each of its messages.
        chunks: What waits to be sealed, in order.
        taken: Bytes that came in, counted by the writing thread.
        sealed: Bytes that went out again, counted by the spool's thread.
        length: Bytes of content that are durable.
        places: Where its durable messages lie in shared files: two words each.
    """

    __slots__ = ("chunks", "length", "next_number", "number", "places", "prefix", "sealed", "taken")

    def __init__(self, number: int, prefix: bytes) -> None:
        self.number = number
        self.prefix = prefix
        self.chunks: deque[bytes] = deque()
        self.taken = 0
        self.sealed = 0
        self.length = 0
        self.next_number = 0
        self.places = array("Q")

    def take_chunks(self) -> bytes:
        """Return all that waits, in order, and leave nothing of it."""
        chunks = self.chunks
        if len(chunks) == 1:
            content = chunks.popleft()
        else:
            taken = []
            while chunks:
                taken.append(chunks.popleft())
            content = b"".join(taken)
        self.sealed += len(content)
        return content

    def note(self, segment: int, offset: int, length: int) -> None:
        """Note where the next durable message lies: file, offset of its content, and sealed length."""
        self.places.append(segment << _OFFSET_BITS | offset)
        self.places.append(length)

    def get_place(self, index: int) -> tuple[int, int, int]:
        """Return file, offset and sealed length of a message, counted among those in shared files."""
        word = self.places[WORDS * index]
        return word >> _OFFSET_BITS, word & _OFFSET_MASK, self.places[WORDS * index + 1]


class SpooledTake:
    """One take in the spool.

    Attributes:
        id: 16 bytes.
        key: The recording's bare data key.
        head: The sealed document that says whom the take is about; None once it is durable.
        head_places: Where copies of the head lie: file name, offset, length.
        chapters: Files of its own that hold its older messages, earliest first.
        is_ended: Nothing more comes in.
        is_abandoned: It ended and nothing of it is to be kept.
        is_gone: The spool has let go of it.
        turn: Held by whoever moves or reads its durable messages.
    """

    __slots__ = (
        "chapters",
        "head",
        "head_places",
        "head_segment",
        "id",
        "is_abandoned",
        "is_durable",
        "is_ended",
        "is_gone",
        "key",
        "parts",
        "turn",
    )

    def __init__(self, take_id: bytes, key: bytes, head: bytes) -> None:
        self.id = take_id
        self.key = key
        self.head: bytes | None = head
        self.head_places: list[tuple[str, int, int]] = []
        self.head_segment: int | None = None
        self.parts: list[SpooledPart] = []
        self.chapters: list[str] = []
        self.is_durable = False
        self.is_ended = False
        self.is_abandoned = False
        self.is_gone = False
        self.turn = threading.Lock()

    def __repr__(self) -> str:
        return f"SpooledTake({self.id.hex()})"

    @property
    def oldest_segment(self) -> int | None:
        """The earliest shared file that it needs."""
        oldest = self.head_segment
        for part in self.parts:  # asked of every take each second
            places = part.places
            if places and (oldest is None or places[0] >> _OFFSET_BITS < oldest):
                oldest = places[0] >> _OFFSET_BITS
        return oldest

    @property
    def message_count(self) -> int:
        """How many of its messages lie in shared files."""
        return sum(len(part.places) for part in self.parts) // WORDS
