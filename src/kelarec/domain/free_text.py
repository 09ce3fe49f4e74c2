"""Short free texts that stand in the log or beside a recording.

A log outlives what it tells of, so a text that goes there must not name a person.
"""

import re

from kelarec.domain.identity_code import contains_identity_code
from kelarec.errors import InvalidValueError, LooksLikeIdentifierError

LONGEST = 500
_EMAIL = re.compile(r"[^\s@]@[^\s@]+\.[^\s@]")
_PHONE = re.compile(r"(?:\+|\b00)\d(?:[ -]?\d){7,}")


def require_text(text: object, what: str) -> str:
    """Return a text without the blanks around it.

    Raises:
        InvalidValueError: It is empty, longer than 500 characters, or holds control characters.
    """
    if not isinstance(text, str) or not text.strip():
        raise InvalidValueError(f"The {what} is empty.", advice=f"Say the {what} in a few words.")
    stripped = text.strip()
    if len(stripped) > LONGEST or not stripped.isprintable():
        raise InvalidValueError(
            f"The {what} is too long or holds control characters.",
            advice=f"At most {LONGEST} printable characters on one line.",
        )
    return stripped


def require_impersonal(text: object, what: str) -> str:
    """Return a text that may stand in the log.

    Raises:
        InvalidValueError: It is empty, too long, or holds control characters.
        LooksLikeIdentifierError: It looks like it holds an identity code, a telephone number or an e-mail address.
    """
    stripped = require_text(text, what)
    if contains_identity_code(stripped) or _EMAIL.search(stripped) or _PHONE.search(stripped):
        raise LooksLikeIdentifierError(f"The {what} looks like it holds a person's identifier.")
    return stripped
