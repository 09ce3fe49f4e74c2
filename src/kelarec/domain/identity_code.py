"""The Finnish personal identity code (henkilötunnus): read, checked, and shown to nobody.

The check character guards the nine digits only. The sign between them is outside it, so two codes that differ in the
sign alone can both be right, and are two people. Nothing here tells a person's sex.
"""

import re
from datetime import date
from typing import Final
from unicodedata import normalize

from attrs import field, frozen

from kelarec.errors import InvalidIdentityCodeError

CHECK_CHARACTERS: Final = "0123456789ABCDEFHJKLMNPRSTUVWXY"
CENTURIES: Final = {"+": 1800, **dict.fromkeys("-YXWVU", 1900), **dict.fromkeys("ABCDEF", 2000)}

_LOWEST_INDIVIDUAL: Final = 2
_LOWEST_TEMPORARY: Final = 900

_CODE = re.compile(r"[0-9]{6}[-+YXWVUABCDEF][0-9]{3}[0-9A-FHJ-NPR-Y]\Z")
_NINE_DIGITS = re.compile(r"[0-9]{9}\Z")

# Office programs turn a typed hyphen into one of these.
_DASHES: Final = "-\u2010\u2011\u2012\u2013\u2014\u2212"
_SIGN: Final = rf"[{_DASHES}+YXWVUABCDEF]"
_CHECK: Final = "[0-9A-FHJ-NPR-Y]"

# By shape alone, a code must stand by itself: hexadecimal ids are full of its shape. The underscore parts words here.
_ALONE = re.compile(
    r"(?<![^\W_])" + r"\s*".join([*[r"\d"] * 6, _SIGN, *[r"\d"] * 3, _CHECK]) + r"(?![^\W_])",
)
# Run together with other letters it must also be a right one. After a digit it is part of a longer number, and with a
# letter for its sign it could be part of a hexadecimal one. Looking ahead only, it finds codes that overlap.
_RUN_TOGETHER = re.compile(rf"(?=((?:(?<!\d)\d{{6}}[{_DASHES}+]|(?<![0-9A-F])\d{{6}}[A-FU-Y])\d{{3}}{_CHECK}))")
_DASH = re.compile(f"[{_DASHES}]")
_UUID = re.compile(r"(?<![0-9A-F])[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}(?![0-9A-F])")


def check_character(digits9: str) -> str:
    """Return the check character of a birth date and individual number, written DDMMYYNNN.

    Raises:
        InvalidIdentityCodeError: It is not nine ASCII digits.

    Source: the remainder modulo 31 indexes the 31 permitted characters, which leave out G, I, O, Q and Z.
    """
    if not _NINE_DIGITS.match(digits9):
        raise InvalidIdentityCodeError("A check character is reckoned from nine digits.")
    return CHECK_CHARACTERS[int(digits9) % len(CHECK_CHARACTERS)]


def _birth_date(code: str) -> date | None:
    try:
        return date(CENTURIES[code[6]] + int(code[4:6]), int(code[2:4]), int(code[:2]))
    except ValueError:
        return None


def _find_fault(code: str) -> str | None:
    """Name the first rule that a canonical text breaks, without quoting any of it."""
    if not _CODE.match(code):
        return "The text does not have the form of a personal identity code."
    if _birth_date(code) is None:
        return "The birth date in the personal identity code does not exist."
    if int(code[7:10]) < _LOWEST_INDIVIDUAL:
        return "The individual number in the personal identity code is never given."
    if check_character(code[:6] + code[7:10]) != code[10]:
        return "The check character of the personal identity code does not match."
    return None


def _to_canonical(text: object) -> str:
    if not isinstance(text, str):
        raise InvalidIdentityCodeError("A personal identity code is given as text.")
    code = "".join(text.split())
    # Upper-casing would turn some foreign letters, such as the long s, into ones that a code may have.
    code = code.upper() if code.isascii() else ""
    fault = _find_fault(code)
    if fault is not None:
        raise InvalidIdentityCodeError(fault)
    return code


@frozen(repr=False)
class PersonalIdentityCode:
    """A personal identity code in its canonical form: upper case, no blanks.

    Only ``text`` gives the code; ``repr`` and ``str`` hide the individual number and the check character. Two codes are
    equal when every character is, the sign included.

    Raises:
        InvalidIdentityCodeError: The text is none: its form, birth date, individual number (002 to 999) or check
            character is wrong. The text is not repeated, nor is any error that repeats it chained.
    """

    text: str = field(converter=_to_canonical)

    @property
    def born_on(self) -> date:
        """The date of birth; the sign gives the century."""
        return date(CENTURIES[self.text[6]] + int(self.text[4:6]), int(self.text[2:4]), int(self.text[:2]))

    @property
    def is_temporary(self) -> bool:
        """Whether the individual number is 900 to 999: given for a time or for tests, not for life."""
        return int(self.text[7:10]) >= _LOWEST_TEMPORARY

    def __repr__(self) -> str:
        return f"PersonalIdentityCode('{self}')"

    def __str__(self) -> str:
        return f"{self.text[:7]}****"


def contains_identity_code(text: str) -> bool:
    """Tell whether a free text holds something that looks like a personal identity code.

    In doubt it does: a code that stands by itself counts by its shape, with blanks anywhere in it, even if its date or
    check character is wrong, for a mistyped code still points at a person. A code run together with other letters
    counts if it is a right one.
    """
    # The ids that systems give to contacts are often UUIDs, and one in some hundred thousand would count otherwise.
    plain = _UUID.sub("/", normalize("NFKC", text).upper())
    if _ALONE.search(plain):
        return True
    candidates = (_DASH.sub("-", match[1]) for match in _RUN_TOGETHER.finditer(plain))
    return any(_find_fault(candidate) is None for candidate in candidates)
