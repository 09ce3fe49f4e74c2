"""The catalog's tables: in clear only what must be searched by, all else sealed."""

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table

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

entries = Table(
    "entries",
    metadata,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("id", LargeBinary(16), nullable=False),
    Column("kind", String(63), nullable=False),
    Column("at", BigInteger, nullable=False, index=True),
    Column("ends_on", Integer, nullable=False, index=True),
    Column("actor", String(140), nullable=False),
    Column("recording_id", LargeBinary(16)),
    Column("session_id", LargeBinary(16)),
    Column("purpose", String(63)),
    Column("payload", LargeBinary, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("leaf_index", BigInteger),
)
Index(
    "entries_waiting",
    entries.c.position,
    sqlite_where=entries.c.leaf_index.is_(None),
    postgresql_where=entries.c.leaf_index.is_(None),
)
for _name, _column in (("leaf", entries.c.leaf_index), ("recording", entries.c.recording_id)):
    Index(
        f"entries_by_{_name}",
        _column,
        unique=_name == "leaf",
        sqlite_where=_column.is_not(None),
        postgresql_where=_column.is_not(None),
    )

leases = Table(
    "leases",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("ends_at", BigInteger, nullable=False),
)

staff_changes = Table(
    "staff_changes",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("staff_id", String(64), nullable=False),
    Column("proposed_at", BigInteger, nullable=False),
    Column("change_object", String(255), nullable=False),
    Column("change", LargeBinary, nullable=False),
)

access_reviews = Table(
    "access_reviews",
    metadata,
    Column("session_id", LargeBinary(16), primary_key=True),
    Column("begun_at", BigInteger, nullable=False),
    Column("review_object", String(255), nullable=False),
    Column("review", LargeBinary, nullable=False),
)

disclosures = Table(
    "disclosures",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("ends_on", Integer, nullable=False, index=True),
    Column("disclosure_object", String(255), nullable=False),
    Column("disclosure", LargeBinary, nullable=False),
)

disclosure_tokens = Table(
    "disclosure_tokens",
    metadata,
    Column("token", LargeBinary(16), primary_key=True),
    Column("disclosure_id", LargeBinary(16), ForeignKey("disclosures.id", ondelete="CASCADE"), primary_key=True),
    Index("disclosure_tokens_by_disclosure", "disclosure_id"),
)
