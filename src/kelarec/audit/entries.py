"""Log entries: who did what, what for, when, to which recording, and with what outcome.

Never an identity code, never content: what people write, such as a matter, is checked where it comes in.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from attrs import field, frozen
from attrs.validators import deep_mapping, instance_of, optional

from kelarec.domain.codes import is_code
from kelarec.domain.free_text import require_text
from kelarec.domain.instants import to_utc


class EntryKind(StrEnum):
    """What was done."""

    ARCHIVE_CREATED = "archive-created"
    ARCHIVE_OPENED = "archive-opened"
    ARCHIVE_CLOSED = "archive-closed"
    STAFF_ENROLLED = "staff-enrolled"
    RECORDING_BEGUN = "recording-begun"
    RECORDING_STORED = "recording-stored"
    RECORDING_AMENDED = "recording-amended"
    RECORDING_ABANDONED = "recording-abandoned"
    STAFF_CHANGE_PROPOSED = "staff-change-proposed"
    STAFF_CHANGE_REJECTED = "staff-change-rejected"
    SESSION_BEGUN = "session-begun"
    SESSION_RESUMED = "session-resumed"
    GLASS_BROKEN = "glass-broken"
    ACCESS_REVIEWED = "access-reviewed"
    SESSION_ENDED = "session-ended"
    LOOKED_UP = "looked-up"
    DETAILS_SHOWN = "details-shown"
    CONTENT_OPENED = "content-opened"
    CONTENT_HEARD = "content-heard"
    CONTENT_HANDED_OUT = "content-handed-out"
    MASKING_BEGUN = "masking-begun"
    MASKED_COPY_MADE = "masked-copy-made"
    DISCLOSED = "disclosed"
    DISCLOSURES_LISTED = "disclosures-listed"
    SELECTED_FOR_TRAINING = "selected-for-training"
    RESTRICTED = "restricted"
    RESTRICTION_LIFTED = "restriction-lifted"
    DENIED = "denied"
    REQUEST_RECEIVED = "request-received"
    HOLD_INTENDED = "hold-intended"
    HOLD_PLACED = "hold-placed"
    HOLD_REVIEWED = "hold-reviewed"
    HOLD_MOVED_ON = "hold-moved-on"
    HOLD_RELEASED = "hold-released"
    KEYS_DESTROYED = "keys-destroyed"
    DATE_CLEARED = "date-cleared"
    EMPTY_KEYS_DESTROYED = "empty-keys-destroyed"
    LEAF_DESTROYED = "leaf-destroyed"
    DESTROYED_AGAIN = "destroyed-again"
    ERASURE_PREVIEWED = "erasure-previewed"
    ERASURE_BEGUN = "erasure-begun"
    ERASURE_ABANDONED = "erasure-abandoned"
    ERASED = "erased"
    RETURNED_REMOVED = "returned-removed"
    LOG_READ = "log-read"
    RECORDING_CHANGED = "recording-changed"
    CATALOG_REBUILT = "catalog-rebuilt"
    VERSION_ADOPTED = "version-adopted"
    COMPARISON_BEGUN = "comparison-begun"
    COMPARISON_ENDED = "comparison-ended"
    GAPS_SOUGHT = "gaps-sought"
    GAPS_FOUND = "gaps-found"
    IMPORT_BEGUN = "import-begun"
    IMPORT_ENDED = "import-ended"
    ROOT_KEY_ROTATION = "root-key-rotation"
    DATA_KEY_EXPORTED = "data-key-exported"
    REGISTER_ADOPTED = "register-adopted"
    NOTICE_CHECKED = "notice-checked"


WITHOUT_HASHES: Final = frozenset(
    {
        EntryKind.ARCHIVE_OPENED,
        EntryKind.ARCHIVE_CLOSED,
        EntryKind.RECORDING_BEGUN,
        EntryKind.SESSION_BEGUN,
        EntryKind.SESSION_ENDED,
        EntryKind.LOOKED_UP,
        EntryKind.DETAILS_SHOWN,
        EntryKind.CONTENT_OPENED,
        EntryKind.CONTENT_HEARD,
        EntryKind.DENIED,
        EntryKind.KEYS_DESTROYED,
        EntryKind.DATE_CLEARED,
        EntryKind.EMPTY_KEYS_DESTROYED,
        EntryKind.ERASURE_PREVIEWED,
        EntryKind.ERASURE_BEGUN,
        EntryKind.ERASURE_ABANDONED,
        EntryKind.ERASED,
        EntryKind.RETURNED_REMOVED,
        EntryKind.LOG_READ,
        EntryKind.ROOT_KEY_ROTATION,
        EntryKind.CATALOG_REBUILT,
        EntryKind.COMPARISON_BEGUN,
        EntryKind.COMPARISON_ENDED,
        EntryKind.NOTICE_CHECKED,
        EntryKind.GAPS_SOUGHT,
        EntryKind.GAPS_FOUND,
        EntryKind.IMPORT_BEGUN,
        EntryKind.IMPORT_ENDED,
    }
)
"""Kinds that never tell the hash of an object; whoever looks for hashes leaves them closed."""


def _to_texts(facts: "dict[str, str]") -> "dict[str, str]":
    # What people write is refused where it comes in; here stand codes, ids and hashes, which may look like anything.
    return {name: require_text(text, f"log entry's {name}") for name, text in facts.items()}


@frozen(kw_only=True)
class Entry:
    """One entry of the log.

    Attributes:
        id: A UUID of version 7.
        kind: What was done.
        at: When, UTC.
        actor: A staff id, or ``system:`` and the name of a system.
        recording_id: To which recording, if to one.
        session_id: In which session, if in one.
        purpose: What for, the register's code.
        matter: For which case or request.
        facts: Further facts by name, such as the outcome.

    Raises:
        InvalidValueError: A fact is empty or no text of one line.
    """

    id: UUID = field(validator=instance_of(UUID))
    kind: EntryKind = field(converter=EntryKind)
    at: datetime = field(converter=to_utc)
    actor: str = field(validator=instance_of(str))
    recording_id: UUID | None = field(default=None, validator=optional(instance_of(UUID)))
    session_id: UUID | None = field(default=None, validator=optional(instance_of(UUID)))
    purpose: str | None = field(default=None, validator=optional(is_code))
    matter: str | None = field(default=None)
    facts: dict[str, str] = field(
        factory=dict,
        converter=_to_texts,
        validator=deep_mapping(key_validator=is_code, value_validator=instance_of(str)),
    )
