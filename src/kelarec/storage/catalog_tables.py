"""The catalog's tables: in clear only what must be searched by, all else sealed."""

from typing import Any, Final

from sqlalchemy import DDL, BigInteger, Column, Dialect, Index, Integer, LargeBinary, MetaData, String, Table, event

SCHEMA_VERSION: Final = 2


class Bytes(LargeBinary):
    """Bytes as both drivers take and give them by themselves: converting each of hundreds of tokens costs more."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> None:
        """Convert nothing."""

    def result_processor(self, dialect: Dialect, coltype: object) -> None:
        """Convert nothing."""


metadata = MetaData()


def _index_where(table: Table, name: str, column: str, condition: str, *, is_unique: bool = False) -> None:
    """Index some rows of a table only; as text, since SQLAlchemy's own way loads each dialect's every driver."""
    kind = "UNIQUE INDEX" if is_unique else "INDEX"
    statement = f"CREATE {kind} {name} ON {table.name} ({column}) WHERE {condition}"
    event.listen(table, "after_create", DDL(statement))  # type: ignore[no-untyped-call]


catalog = Table(
    "catalog",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("value", String(255), nullable=False),
)

registers = Table(
    "registers",
    metadata,
    Column("version", String(10), primary_key=True),
    Column("register_object", String(255), nullable=False),
    Column("register", Bytes, nullable=False),
)

recordings = Table(
    "recordings",
    metadata,
    Column("id", Bytes(16), primary_key=True),
    Column("kind", String(63), nullable=False),
    Column("direction", String(8), nullable=False),
    Column("line", String(63), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Column("kept_through", Integer, nullable=False),
    Column("held_through", Integer),
    Column("adviser_id", String(64)),
    Column("state", String(16), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("record_object", String(255), nullable=False),
    Column("record", Bytes, nullable=False),
    Column("bytes", BigInteger),
    Index("recordings_by_start", "started_at", "id"),
    Index("recordings_by_end", "kept_through", "held_through", "bytes"),
)
_index_where(recordings, "recordings_by_adviser", "adviser_id, started_at, id", "adviser_id IS NOT NULL")
_index_where(recordings, "recordings_restricted", "started_at, id", "state = 'restricted'")

# The tokens of a day lie beside each other: each begins with its day. So a day's tokens are written and swept in one
# place, however many there are of other days, and no second index is needed to find them.
tokens = Table(
    "tokens",
    metadata,
    Column("token", Bytes(16), primary_key=True),
    Column("recording_id", Bytes(16), primary_key=True),
    sqlite_with_rowid=False,
)

holds = Table(
    "holds",
    metadata,
    Column("id", Bytes(16), primary_key=True),
    Column("kind", String(63), nullable=False),
    Column("ground", String(63), nullable=False),
    Column("placed_at", BigInteger, nullable=False),
    Column("review_on", Integer, nullable=False, index=True),
    Column("state", String(16), nullable=False),
    Column("hold_object", String(255), nullable=False),
    Column("hold", Bytes, nullable=False),
)

held_recordings = Table(
    "held_recordings",
    metadata,
    Column("recording_id", Bytes(16), primary_key=True),
    Column("hold_id", Bytes(16), primary_key=True),
    Column("review_on", Integer, nullable=False),
    Column("wrap_object", String(255), nullable=False),
    Column("wrap", Bytes, nullable=False),
    Index("held_recordings_by_hold", "hold_id"),
)

staff = Table(
    "staff",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("member_object", String(255), nullable=False),
    Column("member", Bytes, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Bytes(16), primary_key=True),
    Column("staff_id", String(64), nullable=False),
    Column("begun_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False, index=True),
    Column("terms", Bytes, nullable=False),
)

requests = Table(
    "requests",
    metadata,
    Column("id", Bytes(16), primary_key=True),
    Column("kind", String(63), nullable=False),
    Column("state", String(16), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("due_on", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("request_object", String(255), nullable=False),
    Column("request", Bytes, nullable=False),
    Index("requests_due", "state", "due_on"),
)


def _entry_columns() -> list[Column[Any]]:
    return [
        Column("id", Bytes(16), nullable=False),
        Column("kind", String(63), nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("ends_on", Integer, nullable=False),
        Column("actor", String(140), nullable=False),
        Column("recording_id", Bytes(16)),
        Column("session_id", Bytes(16)),
        Column("purpose", String(63)),
        Column("payload", Bytes, nullable=False),
        Column("leaf", Bytes, nullable=False),
    ]


# Log entries that have no place in the tree yet. Writers only append here, and nothing is indexed on their time.
waiting = Table(
    "waiting",
    metadata,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    *_entry_columns(),
)

entries = Table(
    "entries",
    metadata,
    Column("leaf_index", BigInteger, primary_key=True, autoincrement=False),
    *_entry_columns(),
    Index("entries_by_time", "at"),
    Index("entries_by_end", "ends_on"),
)
_index_where(entries, "entries_by_recording", "recording_id", "recording_id IS NOT NULL")
tells_of_dead_keys = "kind IN ('keys-destroyed', 'empty-keys-destroyed', 'leaf-destroyed')"
_index_where(entries, "entries_of_dead_keys", "at", tells_of_dead_keys)
tells_of_erasures = "kind IN ('erasure-begun', 'erasure-abandoned', 'erased', 'data-key-exported')"
_index_where(entries, "entries_of_erasures", "recording_id, kind", tells_of_erasures)

leases = Table(
    "leases",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("ends_at", BigInteger, nullable=False),
)

# How far the end of each date has come: closed, keys destroyed, told, cleared. A rebuild makes the rows from the log.
closed_dates = Table(
    "closed_dates",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("closed_at", BigInteger, nullable=False),
    Column("closed_by", String(140), nullable=False),
    Column("keys_destroyed_at", BigInteger),
    Column("told_at", BigInteger),
    Column("cleared_at", BigInteger),
    Column("ended", Integer, nullable=False),
    Column("silenced", Integer, nullable=False),
    Column("removed", Integer, nullable=False),
    Column("removed_bytes", BigInteger, nullable=False),
)

staff_changes = Table(
    "staff_changes",
    metadata,
    Column("id", Bytes(16), primary_key=True),
    Column("staff_id", String(64), nullable=False),
    Column("proposed_at", BigInteger, nullable=False),
    Column("change_object", String(255), nullable=False),
    Column("change", Bytes, nullable=False),
)

access_reviews = Table(
    "access_reviews",
    metadata,
    Column("session_id", Bytes(16), primary_key=True),
    Column("begun_at", BigInteger, nullable=False),
    Column("review_object", String(255), nullable=False),
    Column("review", Bytes, nullable=False),
)

disclosures = Table(
    "disclosures",
    metadata,
    Column("id", Bytes(16), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("ends_on", Integer, nullable=False, index=True),
    Column("disclosure_object", String(255), nullable=False),
    Column("disclosure", Bytes, nullable=False),
)

# As those of recordings: a day's tokens lie beside each other.
disclosure_tokens = Table(
    "disclosure_tokens",
    metadata,
    Column("token", Bytes(16), primary_key=True),
    Column("disclosure_id", Bytes(16), primary_key=True),
    sqlite_with_rowid=False,
)
