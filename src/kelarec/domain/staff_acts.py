"""The acts that a role may grant."""

from enum import StrEnum
from typing import Final


class Act(StrEnum):
    """What somebody may do with the archive."""

    FIND = "find"
    DETAILS = "details"
    OPEN = "open"
    CLIP = "clip"
    READ_CHAT = "read-chat"
    HAND_OUT = "hand-out"
    MASK = "mask"
    DISCLOSE = "disclose"
    LIST_DISCLOSURES = "list-disclosures"
    SELECT = "select"
    RECEIVE_REQUEST = "receive-request"
    READ_LOG = "read-log"
    REVIEW_ACCESS = "review-access"
    ENROL_STAFF = "enrol-staff"
    RESTRICT = "restrict"
    HOLD = "hold"
    RELEASE_HOLD = "release-hold"
    STORE = "store"
    SWEEP = "sweep"
    ERASE = "erase"
    ROTATE_ROOT_KEY = "rotate-root-key"
    EXPORT_DATA_KEY = "export-data-key"
    VERIFY = "verify"
    REBUILD = "rebuild"
    ADOPT_REGISTER = "adopt-register"
    CHECK_NOTICE = "check-notice"


ASKED_BEFORE_IT_IS_KNOWN_WHAT: Final = frozenset({Act.FIND, Act.LIST_DISCLOSURES, Act.SELECT})
"""Acts that are decided once as such, and then for each recording that they find."""

GIVES_CONTENT: Final = frozenset({Act.OPEN, Act.CLIP, Act.READ_CHAT, Act.HAND_OUT})
"""Acts after which somebody has heard or read what was said."""

USES_MASKED: Final = frozenset({Act.DETAILS, Act.OPEN, Act.CLIP, Act.READ_CHAT, Act.MASK, Act.SELECT})
"""All that a purpose that sees masked copies only may do: it looks nobody up and gives nothing out."""
