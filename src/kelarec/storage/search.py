"""Searching the catalog: which recordings, oldest first, page by page.

Persons, cases and contacts are found by tokens, under every day that is not over and holds recordings, and under every
review date of a hold, in one query. Pages follow one another by the last start and id, so that what is inserted
meanwhile is neither shown twice nor pushes anything out.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from itertools import chain
from typing import Any, Final, TypedDict

from attrs import field, frozen
from attrs.converters import optional as optional_of
from attrs.validators import instance_of, optional
from sqlalchemy import ColumnElement, Connection, RowMapping, bindparam, func, literal, select, tuple_, union

from kelarec.domain.codes import Direction, Kind, State, is_code, to_direction, to_kind
from kelarec.domain.hold import HoldState
from kelarec.domain.instants import helsinki_date, to_utc
from kelarec.domain.people import StaffId
from kelarec.domain.references import MatterReference, SearchTerm
from kelarec.errors import EndBeforeStartError, IntegrityError, InvalidValueError
from kelarec.storage import catalog_tables as tables
from kelarec.storage.compiled import execute_now
from kelarec.storage.json_form import to_json
from kelarec.storage.recordings import OpenedRecord, Recordings, microseconds, to_date
from kelarec.storage.token_index import MOST_TOKENS, list_recording_ids, select_recording_ids
from kelarec.storage.tokens import FINDABLE
from kelarec.storage.vault import Vault

_FEW: Final = 1000  # as many ids as are better handed from one statement to the next than joined within one
_ROWS: Final = tables.recordings.c
_HOLDS: Final = tables.holds.c


def _to_terms(terms: Iterable[SearchTerm]) -> frozenset[SearchTerm]:
    found = frozenset(terms)
    if not all(isinstance(term, FINDABLE) for term in found):
        raise InvalidValueError("A look-up takes parsed identifiers.", advice=_PARSED)
    return found


_PARSED: Final = "Such as PersonalIdentityCode, PhoneNumber, EmailAddress, MatterReference, ContactId."


@frozen(kw_only=True)
class Search:
    """Which recordings are looked for: those for which all holds that is given.

    Attributes:
        terms: Identifiers, any of which it is found by; a person's several go together, former identity codes too.
        case: The case it belongs to.
        line: The register's code of its line.
        kind: Call or chat, with a customer or with support.
        direction: Who began it.
        adviser_id: Which adviser took part.
        since: Started then or later.
        until: Started before then.
        kept_through: The last day on which it is kept.
        state: Kept, restricted, or still spooled.

    Raises:
        InvalidValueError: Nothing is given, or something that is no parsed identifier.
        NaiveInstantError: An instant has no time zone.
        EndBeforeStartError: The time ends before it starts.
    """

    terms: frozenset[SearchTerm] = field(default=frozenset(), converter=_to_terms, repr=False)
    case: MatterReference | None = field(default=None, validator=optional(instance_of(MatterReference)))
    line: str | None = field(default=None, validator=optional(is_code))
    kind: Kind | None = field(default=None, converter=optional_of(to_kind))
    direction: Direction | None = field(default=None, converter=optional_of(to_direction))
    adviser_id: StaffId | None = field(default=None, validator=optional(instance_of(StaffId)))
    since: datetime | None = field(default=None, converter=optional_of(to_utc))
    until: datetime | None = field(default=None, converter=optional_of(to_utc))
    kept_through: date | None = field(default=None, validator=optional(instance_of(date)))
    state: State | None = field(default=None, converter=optional_of(State))

    def __attrs_post_init__(self) -> None:
        if self.since is not None and self.until is not None and self.until < self.since:
            raise EndBeforeStartError("The time looked for ends before it starts.", advice="Exchange its ends.")
        if self == _EVERYTHING:
            raise InvalidValueError("The search says nothing of what is looked for.", advice="Say at least one thing.")

    @property
    def fingerprint(self) -> str:
        """A text that two equal searches share and others do not; of no use outside what is sealed."""
        terms = sorted(f"{type(term).__name__} {term.text}" for term in self.terms)
        instants = [None if at is None else at.isoformat() for at in (self.since, self.until)]
        others = [self.case, self.line, self.kind, self.direction, self.adviser_id, self.kept_through, self.state]
        told = [None if value is None else str(value) for value in others]
        return hashlib.sha256(to_json([terms, instants, told])).hexdigest()


class Criteria(TypedDict, total=False):
    """What a `Search` may ask besides identifiers, as keyword arguments."""

    case: MatterReference | None
    line: str | None
    kind: Kind | None
    direction: Direction | None
    adviser_id: StaffId | None
    since: datetime | None
    until: datetime | None
    kept_through: date | None
    state: State | None


_EVERYTHING: Any = None  # until it is built, nothing equals it
_EVERYTHING = Search()


@frozen
class Position:
    """Between two recordings in the order of a search: after the one that started then and has that id."""

    started_at: int
    recording_id: bytes


@frozen
class Batch:
    """What one query of a search gave.

    Attributes:
        opened: The records, oldest first, without those whose keys are gone.
        end: After the last row that was read; None if there was none.
        is_last: Whether no row follows.
    """

    opened: tuple[OpenedRecord, ...]
    end: Position | None
    is_last: bool


class Searcher:
    """Searches the recordings of one archive."""

    def __init__(self, vault: Vault, recordings: Recordings) -> None:
        self._vault = vault
        self._recordings = recordings

    def find_page(
        self, connection: Connection, search: Search, *, after: Position | None = None, size: int | None = None
    ) -> Batch:
        """Return the records of a search from a position on, oldest first, at most so many; all if no size is given.

        Raises:
            IntegrityError: A row, a token or a record was altered.
        """
        rows = self.select_page(connection, search, after=after, size=size)
        opened = tuple(each for row in rows if (each := self._recordings.open_row(connection, row)) is not None)
        for each in opened:
            _require_found_rightly(search, each)
        end = Position(rows[-1]["started_at"], rows[-1]["id"]) if rows else after
        return Batch(opened, end, is_last=size is None or len(rows) < size)

    def select_page(
        self, connection: Connection, search: Search, *, after: Position | None, size: int | None
    ) -> Sequence[RowMapping]:
        """Return the rows of `find_page` as they lie in the catalog, still sealed and unchecked."""
        wanted = select(tables.recordings).where(*self._conditions(connection, search))
        if after is not None:
            start_and_id = tuple_(_ROWS.started_at, _ROWS.id)
            wanted = wanted.where(start_and_id > tuple_(after.started_at, after.recording_id))
        wanted = wanted.order_by(_ROWS.started_at, _ROWS.id)
        return connection.execute(wanted if size is None else wanted.limit(size)).mappings().all()

    def count(self, connection: Connection, search: Search) -> int:
        """Return how many rows a search finds, without opening one."""
        counted = select(func.count()).select_from(tables.recordings).where(*self._conditions(connection, search))
        return int(connection.execute(counted).scalar_one())

    def list_days(self, connection: Connection) -> list[date]:
        """Return the days under whose index keys tokens lie: last days kept and review dates that are not over."""
        today = helsinki_date(self._vault.now()).toordinal()
        rows = execute_now(connection, _DAYS, {"today": today, "placed": HoldState.PLACED.value})
        return [to_date(row[0]) for row in rows.fetchall()]

    def _conditions(self, connection: Connection, search: Search) -> list[ColumnElement[bool]]:
        conditions = [
            column == value
            for column, value in (
                (_ROWS.line, search.line),
                (_ROWS.kind, None if search.kind is None else search.kind.value),
                (_ROWS.direction, None if search.direction is None else search.direction.value),
                (_ROWS.adviser_id, None if search.adviser_id is None else search.adviser_id.text),
                (_ROWS.kept_through, None if search.kept_through is None else search.kept_through.toordinal()),
            )
            if value is not None
        ]
        if search.state is not None:  # in words, or the index of what is restricted would not serve
            conditions.append(_ROWS.state == literal(search.state.value, literal_execute=True))
        if search.since is not None:
            conditions.append(_ROWS.started_at >= microseconds(search.since))
        if search.until is not None:
            conditions.append(_ROWS.started_at < microseconds(search.until))
        fields = [terms for terms in (search.terms, _only(search.case)) if terms]
        days = self.list_days(connection) if fields else []
        return conditions + [self._found_by(connection, days, terms) for terms in fields]

    def _found_by(self, connection: Connection, days: list[date], terms: Collection[SearchTerm]) -> ColumnElement[bool]:
        today = helsinki_date(self._vault.now())
        tokens = self._vault.index_keys.list_tokens(days, terms, today)
        if len(tokens) <= MOST_TOKENS:
            few = list_recording_ids(connection, tokens, at_most=_FEW + 1)
            return _ROWS.id.in_(few if len(few) <= _FEW else select_recording_ids(tokens))
        pieces = (tokens[start : start + MOST_TOKENS] for start in range(0, len(tokens), MOST_TOKENS))
        found = (connection.execute(select_recording_ids(piece)).scalars() for piece in pieces)
        return _ROWS.id.in_(set(chain.from_iterable(found)))


def _only(case: MatterReference | None) -> tuple[MatterReference, ...]:
    return () if case is None else (case,)


def _require_found_rightly(search: Search, opened: OpenedRecord) -> None:
    terms = set(opened.record.details.contact.search_terms)
    if (search.terms and not terms & search.terms) or (search.case is not None and search.case not in terms):
        raise IntegrityError(
            f"The catalog's tokens were altered: the recording {opened.record.recording.id} is not what they say.",
            advice="Rebuild the catalog from the objects.",
        )


def _list_days() -> Any:  # noqa: ANN401  a compound select
    """Build the query for the days that hold recordings: from one to the next by the index, not over every row."""
    unheld = _ROWS.held_through.is_(None)
    first = select(func.min(_ROWS.kept_through).label("day")).where(unheld, _ROWS.kept_through >= bindparam("today"))
    days = first.cte("days", recursive=True)
    following = select(func.min(_ROWS.kept_through)).where(unheld, _ROWS.kept_through > days.c.day)
    days = days.union_all(select(following.correlate(days).scalar_subquery()).where(days.c.day.is_not(None)))
    of_holds = select(_HOLDS.review_on).where(
        _HOLDS.state == bindparam("placed"), _HOLDS.review_on >= bindparam("today")
    )
    return union(select(days.c.day).where(days.c.day.is_not(None)), of_holds)


_DAYS: Final = _list_days()
