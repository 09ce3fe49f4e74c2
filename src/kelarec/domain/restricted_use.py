"""Uses of a recording that is restricted to storage (Art. 18(2))."""

from enum import StrEnum

from kelarec.errors import InvalidValueError


class RestrictedUse(StrEnum):
    """What the law still allows to be done with data whose processing is restricted.

    Source: Art. 18(2): with consent, for legal claims, to protect the rights of another person, for reasons of
    important public interest.
    """

    CONSENT = "consent"
    LEGAL_CLAIMS = "legal-claims"
    PROTECTION_OF_ANOTHER = "protection-of-another"
    PUBLIC_INTEREST = "public-interest"


def to_restricted_use(code: str | None) -> RestrictedUse | None:
    """Return the use of a code, or None for none.

    Raises:
        InvalidValueError: The law knows no such use.
    """
    if code is None:
        return None
    if code not in set(RestrictedUse):
        raise InvalidValueError(
            "Art. 18(2) knows no such use of a restricted recording.",
            advice=f"Use one of: {', '.join(RestrictedUse)}.",
        )
    return RestrictedUse(code)
