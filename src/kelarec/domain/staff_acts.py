"""The acts that a role may grant."""

from enum import StrEnum


class Act(StrEnum):
    """What somebody may do with the archive."""

    FIND = "find"
    DETAILS = "details"
    OPEN = "open"
    RECEIVE_REQUEST = "receive-request"
    READ_LOG = "read-log"
    ENROL_STAFF = "enrol-staff"
    STORE = "store"
    SWEEP = "sweep"
    ROTATE_ROOT_KEY = "rotate-root-key"
    EXPORT_DATA_KEY = "export-data-key"
