"""The catalog's tables: in clear only what must be searched by, all else sealed."""

from typing import Any, Final

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table, text

SCHEMA_VERSION: Final = 1

metadata = MetaData()

catalog = Table(
    "catalog",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("value", String(255), nullable=False),
)

recordings = Table(
    "recordings",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("kind", String(63), nullable=False),
    Column("direction", String(8), nullable=False),
    Column("line", String(63), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Column("kept_through", Integer, nullable=False, index=True),
    Column("adviser_id", String(64)),
    Column("state", String(16), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("record_object", String(255), nullable=False),
    Column("record", LargeBinary, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("token", LargeBinary(16), primary_key=True),
    Column("recording_id", LargeBinary(16), ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True),
    Index("tokens_by_recording", "recording_id"),
)

staff = Table(
    "staff",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("member_object", String(255), nullable=False),
    Column("member", LargeBinary, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("staff_id", String(64), nullable=False),
    Column("begun_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False, index=True),
    Column("terms", LargeBinary, nullable=False),
)

requests = Table(
    "requests",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("kind", String(63), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("due_on", Integer, nullable=False, index=True),
    Column("request_object", String(255), nullable=False),
    Column("request", LargeBinary, nullable=False),
)


def _entry_columns() -> list[Column[Any]]:
    return [
        Column("id", LargeBinary(16), nullable=False),
        Column("kind", String(63), nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("ends_on", Integer, nullable=False),
        Column("actor", String(140), nullable=False),
        Column("recording_id", LargeBinary(16)),
        Column("session_id", LargeBinary(16)),
        Column("purpose", String(63)),
        Column("payload", LargeBinary, nullable=False),
        Column("leaf", LargeBinary, nullable=False),
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
Index(
    "entries_by_recording",
    entries.c.recording_id,
    sqlite_where=entries.c.recording_id.is_not(None),
    postgresql_where=entries.c.recording_id.is_not(None),
)
# Written out, not bound: a planner takes the index only if it sees the same words in the question.
tells_of_dead_keys = "kind IN ('keys-destroyed', 'empty-keys-destroyed', 'leaf-destroyed')"
Index(
    "entries_of_dead_keys",
    entries.c.at,
    sqlite_where=text(tells_of_dead_keys),
    postgresql_where=text(tells_of_dead_keys),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("ends_at", BigInteger, nullable=False),
)
