"""A medium that remembers what was synced, and every state in which a crash may leave it.

Writes that were not synced may be there, missing, torn, zeroed, or there without those before them. Names that were not
synced may be missing, removed ones may still be there.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Final

from attrs import define, field

from kelarec.storage.spool_files import MemoryFiles

PAGE: Final = 512
TEARS: int | None = 8
"""In how many places a write is torn, beside the borders of its header and seal; None for every byte."""


@define
class Pending:
    """One write that is not synced yet: bytes put at an offset, or the end moved."""

    offset: int
    content: bytes
    is_cut: bool = field(default=False)


@define
class Medium:
    """One file as the medium has it.

    Attributes:
        stable: What was synced.
        pending: What was written since.
        is_named: Its name was synced.
        is_removed: It was removed since names were synced.
    """

    stable: bytes = field(default=b"")
    length: int = field(default=0)
    pending: list[Pending] = field(factory=list)
    is_named: bool = field(default=False)
    is_removed: bool = field(default=False)

    def iter_contents(self) -> Iterator[bytes]:
        """Go through everything the file may hold after a crash."""
        seen = set()
        for content in self._iter_contents():
            if content not in seen:
                seen.add(content)
                yield content

    def _iter_contents(self) -> Iterator[bytes]:
        yield self.stable
        for count in range(1, len(self.pending) + 1):
            written = self.pending[:count]
            yield _apply(self.stable, written)
            yield from self._iter_damaged(written)
        for left_out in range(len(self.pending) - 1):  # reordered: a later write is there without an earlier one
            kept = [each for number, each in enumerate(self.pending) if number != left_out]
            yield _apply(self.stable, kept)

    def _iter_damaged(self, written: list[Pending]) -> Iterator[bytes]:
        last = written[-1]
        before, content = written[:-1], last.content
        if last.is_cut or not content:
            return
        size = len(content)
        for stop in _tears(size):
            yield _apply(self.stable, [*before, Pending(last.offset, content[:stop])])  # torn
        yield _apply(self.stable, [*before, Pending(last.offset, bytes(size))])  # length without content
        for start in range(0, size, max(PAGE, size // 8)):
            hole = content[:start] + bytes(min(PAGE, size - start)) + content[start + PAGE :]
            yield _apply(self.stable, [*before, Pending(last.offset, hole)])  # one page never came


def _tears(size: int) -> list[int]:
    if TEARS is None:
        return list(range(1, size))
    borders = {1, 20, 41, 42, 43, size - 17, size - 1} | {size * part // TEARS for part in range(TEARS)}
    return sorted(borders & set(range(1, size)))


def _apply(stable: bytes, written: Sequence[Pending]) -> bytes:
    content = bytearray(stable)
    for each in written:
        if each.is_cut:
            del content[each.offset :]
        else:
            content += bytes(max(0, each.offset - len(content)))
            content[each.offset : each.offset + len(each.content)] = each.content
    return bytes(content)


class CrashingFiles(MemoryFiles):
    """Files in memory over a medium that may lose what was not synced; after each operation a crash is examined.

    Args:
        examine: Called after each operation with every state that a crash would leave: names and contents.
    """

    def __init__(self, examine: Callable[[dict[str, bytes]], None]) -> None:
        super().__init__()
        self._examine = examine
        self._media: dict[str, Medium] = {}
        self._names: dict[int, str] = {}
        self.failing_syncs: set[int] = set()
        self.syncs = 0
        self.operations = 0
        self.synced_handles: list[int] = []

    def iter_states(self) -> Iterator[dict[str, bytes]]:
        """Go through the states in which a crash now may leave the medium."""
        choices: list[list[tuple[str, bytes | None]]] = []
        for name, medium in self._media.items():
            contents: list[tuple[str, bytes | None]] = [(name, content) for content in medium.iter_contents()]
            if not medium.is_named or medium.is_removed:
                contents.append((name, None))
            choices.append(contents)
        for chosen in product(*choices):
            yield {name: content for name, content in chosen if content is not None}

    def _crash(self) -> None:
        self.operations += 1
        for state in self.iter_states():
            self._examine(state)

    def create(self, name: str) -> int:
        """See `SpoolFiles.create`."""
        self._media[name] = Medium()
        handle = super().create(name)
        self._crash()
        return handle

    def open(self, name: str) -> int:
        """See `SpoolFiles.open`."""
        handle = super().open(name)
        self._names[handle] = name
        return handle

    def append(self, handle: int, pieces: Sequence[bytes]) -> None:
        """See `SpoolFiles.append`."""
        medium = self._media[self._names[handle]]
        for piece in pieces:
            medium.pending.append(Pending(medium.length, piece))
            medium.length += len(piece)
        super().append(handle, pieces)
        self._crash()

    def wipe(self, name: str, offset: int, length: int) -> None:
        """See `SpoolFiles.wipe`."""
        medium = self._media[name]
        medium.pending.append(Pending(offset, bytes(length)))
        super().wipe(name, offset, length)
        self._crash()
        medium.stable, medium.pending = _apply(medium.stable, medium.pending), []

    def sync(self, handle: int) -> None:
        """See `SpoolFiles.sync`; one that is to fail loses what was written, as a kernel does."""
        self.syncs += 1
        medium = self._media[self._names[handle]]
        if self.syncs in self.failing_syncs:
            medium.pending = []  # marked clean without having been written: asking again succeeds and proves nothing
            raise OSError(5, "Input/output error")
        self.synced_handles.append(handle)
        self._crash()
        medium.stable, medium.pending = _apply(medium.stable, medium.pending), []
        self._crash()

    def sync_names(self) -> None:
        """See `SpoolFiles.sync_names`."""
        self._crash()
        for name, medium in list(self._media.items()):
            medium.is_named = True
            if medium.is_removed:
                del self._media[name]

    def cut(self, handle: int, length: int) -> None:
        """See `SpoolFiles.cut`."""
        medium = self._media[self._names[handle]]
        medium.pending.append(Pending(length, b"", is_cut=True))
        medium.length = length
        super().cut(handle, length)
        self._crash()

    def remove(self, name: str) -> None:
        """See `SpoolFiles.remove`."""
        super().remove(name)
        if name in self._media:
            self._media[name].is_removed = True
            self._crash()


class StillFiles(MemoryFiles):
    """Files as a crash left them, to be read."""

    def __init__(self, state: dict[str, bytes]) -> None:
        super().__init__()
        self._files = {name: bytearray(content) for name, content in state.items()}
