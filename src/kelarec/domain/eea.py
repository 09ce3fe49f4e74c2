"""The countries in which data and keys may lie (notice, section 8).

Source: EEA Agreement, as in force since 31 January 2020, when the United Kingdom left the Union. Switzerland is not in.
"""

from typing import Final

from kelarec.errors import NotResidentError

VALID_FROM: Final = "2020-02-01"

EU: Final = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split()  # noqa: SIM905
)
EEA: Final = EU | {"IS", "LI", "NO"}


def require_eea(country: object, what: str) -> str:
    """Return an ISO 3166-1 alpha-2 country code of the EU/EEA in upper case.

    Raises:
        NotResidentError: The country is another one, or unknown.
    """
    code = country.strip().upper() if isinstance(country, str) else ""
    if code not in EEA:
        shown = code if code.isascii() and code.isalpha() else "not a country code"
        raise NotResidentError(f"The country of the {what} ({shown}) is not in the EU/EEA.")
    return code
