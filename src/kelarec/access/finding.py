"""Finding recordings in a session: by person, case or contact, and by their clear facts, page by page.

What the session may not use is left out; how many were found and left out is in the log before anything is given.
"""

from collections.abc import Callable, Iterator
from typing import Final

from attrs import field, frozen

from kelarec.domain.access_rule import Clause
from kelarec.domain.recording import Recording
from kelarec.errors import InvalidValueError
from kelarec.storage.cursors import open_cursor, seal_cursor
from kelarec.storage.recordings import OpenedRecord, Recordings, microseconds
from kelarec.storage.search import Position, Search, Searcher
from kelarec.storage.vault import Vault

MOST_ON_PAGE: Final = 1000
_PIECE: Final = 100


@frozen
class Page:
    """Some of what was found.

    Attributes:
        recordings: Oldest first.
        cursor: Give it to ask for the next page; None if there is none.
    """

    recordings: tuple[Recording, ...]
    cursor: str | None = field(repr=False)


@frozen
class Finding:
    """The look-ups of one session.

    Attributes:
        clause_against: Says which clause of the access rule a record is left out by, if by one.
        report: Writes to the log how many were found and how many left out.
    """

    vault: Vault = field(repr=False)
    clause_against: Callable[[OpenedRecord], Clause | None] = field(repr=False)
    report: Callable[[int, int], None] = field(repr=False)

    def find_all(self, search: Search) -> list[Recording]:
        """Return all that a search finds, oldest first; one entry in the log."""
        allowed, _ = self._find(search, None, None)
        return [opened.record.recording for opened in allowed]

    def find_page(self, search: Search, *, cursor: str | None, size: int) -> Page:
        """Return a page of what a search finds.

        Raises:
            CursorError: The cursor is none of this search.
            InvalidValueError: The size is not from 1 to 1,000.
        """
        if not 1 <= size <= MOST_ON_PAGE:
            raise InvalidValueError(f"A page holds from 1 to {MOST_ON_PAGE} recordings.", advice="Ask for fewer.")
        after = None if cursor is None else open_cursor(self.vault, search, cursor)
        allowed, is_last = self._find(search, after, size)
        following = None if is_last else seal_cursor(self.vault, search, _position(allowed[-1]))
        return Page(tuple(opened.record.recording for opened in allowed), following)

    def iter_found(self, search: Search) -> Iterator[Recording]:
        """Go through all that a search finds, oldest first, in pieces; each piece is in the log before it is given."""
        after, is_last = None, False
        while not is_last:
            allowed, is_last = self._find(search, after, _PIECE)
            yield from (opened.record.recording for opened in allowed)
            after = _position(allowed[-1]) if allowed else after

    def _find(self, search: Search, after: Position | None, size: int | None) -> tuple[list[OpenedRecord], bool]:
        """Return so many records that the session may use, and whether there are no more after them."""
        searcher = Searcher(self.vault, Recordings(self.vault))
        allowed: list[OpenedRecord] = []
        seen, is_last = 0, False
        while not is_last and (size is None or len(allowed) <= size):
            with self.vault.database.begin() as connection:
                batch = searcher.find_page(connection, search, after=after, size=None if size is None else size + 1)
            for opened in batch.opened:
                if size is not None and len(allowed) > size:
                    break
                seen += 1
                if self.clause_against(opened) is None:
                    allowed.append(opened)
            after, is_last = batch.end, batch.is_last
        given = allowed if size is None else allowed[:size]
        self.report(len(given), seen - len(allowed))
        return given, size is None or len(allowed) <= size


def _position(opened: OpenedRecord) -> Position:
    recording = opened.record.recording
    return Position(microseconds(recording.started_at), recording.id.bytes)
