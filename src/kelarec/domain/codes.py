"""Kinds, directions and states, and the form of every other code.

Of what a register describes only these three are enums: the notice fixes them. Purposes, lines, roles, categories and
channels are codes that a register declares.
"""

import re
from collections.abc import Iterable
from enum import StrEnum

from attrs import Attribute

from kelarec.errors import InvalidValueError

_CODE = re.compile(r"[a-z][a-z0-9-]{0,62}\Z")


class Kind(StrEnum):
    """What was recorded (notice, section 5)."""

    CUSTOMER_CALL = "customer-call"
    CUSTOMER_CHAT = "customer-chat"
    SUPPORT_CALL = "support-call"
    SUPPORT_CHAT = "support-chat"

    @property
    def is_chat(self) -> bool:
        """Whether the content is written rather than spoken."""
        return self in {Kind.CUSTOMER_CHAT, Kind.SUPPORT_CHAT}

    @property
    def is_support(self) -> bool:
        """Whether an adviser consults back-office support (taustatuki)."""
        return self in {Kind.SUPPORT_CALL, Kind.SUPPORT_CHAT}


class Direction(StrEnum):
    """Who began the contact, seen from the authority."""

    INBOUND = "in"
    OUTBOUND = "out"


class State(StrEnum):
    """Where a recording is in its life."""

    KEPT = "kept"
    RESTRICTED = "restricted"
    SPOOLED = "spooled"


def to_kind(code: str) -> Kind:
    """Return the kind of a code.

    Raises:
        InvalidValueError: There is no such kind.
    """
    if code not in set(Kind):
        raise InvalidValueError("There is no such kind of contact.", advice=f"Use one of: {', '.join(Kind)}.")
    return Kind(code)


def to_direction(code: str) -> Direction:
    """Return the direction of a code.

    Raises:
        InvalidValueError: There is no such direction.
    """
    if code not in set(Direction):
        raise InvalidValueError("There is no such direction.", advice=f"Use one of: {', '.join(Direction)}.")
    return Direction(code)


def require_code(text: object, what: str) -> str:
    """Return a code unchanged.

    Raises:
        InvalidValueError: It is not a code: lower-case ASCII letters, digits and hyphens, at most 63, a letter first.
    """
    if not isinstance(text, str) or not _CODE.match(text):
        raise InvalidValueError(
            f"The {what} is not a code.",
            advice="Codes are lower-case letters, digits and hyphens, at most 63, a letter first.",
        )
    return text


def is_code(_: object, attribute: "Attribute[str]", value: object) -> None:
    """Validate an attrs field that holds one code."""
    require_code(value, attribute.name.replace("_", " "))


def to_codes(codes: Iterable[str]) -> frozenset[str]:
    """Return codes as a frozen set.

    Raises:
        InvalidValueError: They are one text, or one of them is not a code.
    """
    if isinstance(codes, str):
        raise InvalidValueError("One text stands where several codes belong.", advice="Put it into a set.")
    return frozenset(require_code(code, "code") for code in codes)
