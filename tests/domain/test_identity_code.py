"""The personal identity code: read strictly, compared exactly, shown to nobody."""

import pickle
import traceback
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from stdnum.fi import hetu

from kelarec.domain.identity_code import (
    CENTURIES,
    CHECK_CHARACTERS,
    PersonalIdentityCode,
    check_character,
    contains_identity_code,
)
from kelarec.errors import InvalidIdentityCodeError
from kelarec.testing._domain_strategies import identity_codes

EVERY_NUMBER = range(2, 1000)
DIGIT_PLACES = [0, 1, 2, 3, 4, 5, 7, 8, 9]

codes = identity_codes()
all_codes = identity_codes(individual_numbers=EVERY_NUMBER)
blanks = st.text(st.sampled_from(" \t\n\u00a0\u2009"), max_size=2)


def _is_accepted(text: str) -> bool:
    try:
        PersonalIdentityCode(text)
    except InvalidIdentityCodeError:
        return False
    return True


@given(all_codes, st.data())
def test_blanks_and_case_do_not_matter(code: PersonalIdentityCode, data: st.DataObject) -> None:
    """The canonical form is upper case without blanks, however it was typed."""
    typed = "".join(data.draw(blanks) + data.draw(st.sampled_from([each, each.lower()])) for each in code.text)
    read = PersonalIdentityCode(typed + data.draw(blanks))
    assert (read, hash(read), read.text) == (code, hash(code), code.text)


@given(all_codes)
def test_valid_codes_are_valid_to_the_oracle(code: PersonalIdentityCode) -> None:
    """What is accepted here is accepted by python-stdnum, temporary codes included."""
    assert hetu.validate(code.text, allow_temporary=True) == code.text
    assert hetu.is_valid(code.text) is not code.is_temporary


@given(
    st.from_regex(r"[0-3][0-9][01][0-9]{3}[-+YXWVUABCDEF][0-9]{4}", fullmatch=True),
    st.none() | st.sampled_from(CHECK_CHARACTERS + "GIOQZ"),
)
@example("010100-001", None)
@example("290200A902", None)
@example("290200-902", None)
@example("290200+902", None)
def test_accepts_exactly_what_the_oracle_accepts(start: str, check: str | None) -> None:
    """Form, real date, individual number from 002 and check character decide, as python-stdnum decides."""
    text = start[:10] + (check or check_character(start[:6] + start[7:10]))
    assert _is_accepted(text) is hetu.is_valid(text, allow_temporary=True)


@given(st.from_regex(r"[0-9]{9}", fullmatch=True))
def test_check_character_is_the_remainder_by_31(digits: str) -> None:
    """The check character is the one at DDMMYYNNN modulo 31 among the 31 permitted ones."""
    rest = 0
    for digit in digits:
        rest = (rest * 10 + int(digit)) % 31
    assert check_character(digits) == "0123456789ABCDEFHJKLMNPRSTUVWXY"[rest]


@pytest.mark.parametrize("digits", ["", "12345678", "1234567890", "12345678A", "٣٣٣٣٣٣٣٣٣", "123456789\n"])
def test_check_character_needs_nine_digits(digits: str) -> None:
    """The check character is defined for nine ASCII digits only."""
    with pytest.raises(InvalidIdentityCodeError):
        check_character(digits)


@given(all_codes, st.sampled_from(DIGIT_PLACES), st.integers(1, 9))
def test_one_wrong_digit_is_always_found(code: PersonalIdentityCode, place: int, shift: int) -> None:
    """31 is prime and divides no n·10^k for n from 1 to 9, so no single wrong digit keeps its check character."""
    wrong = str((int(code.text[place]) + shift) % 10)
    assert not _is_accepted(code.text[:place] + wrong + code.text[place + 1 :])


@given(all_codes, st.sampled_from(list(pairwise(DIGIT_PLACES))))
def test_two_swapped_neighbours_are_always_found(code: PersonalIdentityCode, places: tuple[int, int]) -> None:
    """Swapped neighbours differ by 9·n·10^k, which 31 does not divide either, also across the sign."""
    left, right = places
    characters = list(code.text)
    assume(characters[left] != characters[right])
    characters[left], characters[right] = characters[right], characters[left]
    assert not _is_accepted("".join(characters))


@given(all_codes, st.characters(codec="utf-8"))
def test_one_wrong_check_character_is_always_found(code: PersonalIdentityCode, wrong: str) -> None:
    """Each nine digits have one check character, so every other one is refused."""
    assume(wrong.upper() != code.text[10] or not wrong.isascii())
    assert not _is_accepted(code.text[:10] + wrong)


@given(all_codes, st.sampled_from(sorted(CENTURIES)))
def test_a_wrong_sign_is_not_found_but_is_another_person(code: PersonalIdentityCode, sign: str) -> None:
    """The check does not cover the sign: with another one it is a valid code, and another person's."""
    assume(sign != code.text[6])
    assume(not code.text.startswith("290200"))
    other = PersonalIdentityCode(code.text[:6] + sign + code.text[7:])
    assert other != code
    assert other.born_on.replace(year=2000) == code.born_on.replace(year=2000)


def test_two_signs_of_one_century_are_two_people() -> None:
    """131052-308T and 131052Y308T are both valid, of one birthday, and not equal."""
    first, second = PersonalIdentityCode("131052-308T"), PersonalIdentityCode("131052Y308T")
    assert first.born_on == second.born_on == date(1952, 10, 13)
    assert first != second
    assert len({first, second}) == 2


@pytest.mark.parametrize(("signs", "century"), [("+", 1800), ("-YXWVU", 1900), ("ABCDEF", 2000)])
def test_the_sign_gives_the_century(signs: str, century: int) -> None:
    """A plus is the 1800s, a hyphen and Y to U the 1900s, A to F the 2000s."""
    for sign in signs:
        assert PersonalIdentityCode(f"131052{sign}308T").born_on == date(century + 52, 10, 13)


@pytest.mark.parametrize(("individual", "is_temporary"), [("002", False), ("899", False), ("900", True), ("999", True)])
def test_temporary_numbers_begin_at_900(individual: str, is_temporary: bool) -> None:  # noqa: FBT001  expected value
    """002 to 899 are given to persons, 900 to 999 for a time or for tests."""
    code = PersonalIdentityCode(f"131052-{individual}{check_character('131052' + individual)}")
    assert code.is_temporary is is_temporary


NOT_CODES = [
    pytest.param("", id="empty"),
    pytest.param("131052-308", id="too short"),
    pytest.param("131052-308TT", id="too long"),
    pytest.param("131052308T", id="no sign"),
    pytest.param("131052G308T", id="G is no sign"),
    pytest.param("131052\u2212308T", id="a minus is no hyphen"),
    pytest.param("131052-308U", id="wrong check character"),
    pytest.param("131052-308I", id="no such check character"),
    pytest.param("310252-308Y", id="31 February"),
    pytest.param("290200-902" + check_character("290200902"), id="1900 had no 29 February"),
    pytest.param("131352-308" + check_character("131352308"), id="month 13"),
    pytest.param("001052-308" + check_character("001052308"), id="day 0"),
    pytest.param("131052-000" + check_character("131052000"), id="individual number 000"),
    pytest.param("131052-001" + check_character("131052001"), id="individual number 001"),
    pytest.param("١٣١٠٥٢-308T", id="Arabic digits"),
    pytest.param("131052-927\u017f", id="long s, upper-cased S"),
    pytest.param("131052-308T\x00", id="trailing NUL"),
    pytest.param(b"131052-308T", id="bytes"),
    pytest.param(None, id="nothing"),
]


@pytest.mark.parametrize("text", NOT_CODES)
def test_anything_else_is_refused_without_repeating_it(text: object) -> None:
    """What breaks a rule of the code is refused, and the error tells the rule but not the text."""
    with pytest.raises(InvalidIdentityCodeError) as caught:
        PersonalIdentityCode(text)
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    assert not any(part in str(caught.value) for part in ("1310", "308", "2902", "3102"))


@given(codes, st.integers(0, 10), st.sampled_from("0123456789AXZ?"))
def test_no_error_repeats_a_nearly_right_code(code: PersonalIdentityCode, place: int, wrong: str) -> None:
    """A mistyped code is still nearly somebody's: no error, trace or chained error shows a digit of it."""
    typed = code.text[:place] + wrong + code.text[place + 1 :]
    assume(wrong != code.text[place])
    assume(not _is_accepted(typed))
    with pytest.raises(InvalidIdentityCodeError) as caught:
        PersonalIdentityCode(typed)
    error = caught.value
    shown = f"{error} {error!r} {error.args} {error.advice} {error.lost}"
    assert not any(character.isdigit() for character in shown)
    assert typed not in "".join(traceback.format_exception(error))
    assert error.__context__ is None
    assert error.__cause__ is None


@given(codes, codes)
def test_what_is_shown_does_not_depend_on_what_is_hidden(
    one: PersonalIdentityCode, other: PersonalIdentityCode
) -> None:
    """Two people of one birthday and sign look the same in repr, str and format: only text tells them apart."""
    twin = other.text[7:10]
    another = PersonalIdentityCode(f"{one.text[:7]}{twin}{check_character(one.text[:6] + twin)}")
    assert repr(one) == repr(another) == f"PersonalIdentityCode('{one.text[:7]}****')"
    assert str(one) == str(another) == f"{one} {another}".split()[1]
    assert one.text not in f"{one} {one!r} {[one]} { ({one.born_on: one}) }"


def test_a_code_survives_pickling() -> None:
    """A copy in another process is equal and hides itself as well."""
    code = PersonalIdentityCode("131052-308T")
    copy = pickle.loads(pickle.dumps(code))  # noqa: S301  our own bytes
    assert copy == code
    assert repr(copy) == "PersonalIdentityCode('131052-****')"


CONTAINING = [
    "131052-308T", "131052-308t", "asiakas 131052-308T soitti", "(131052-308T)", "case_131052-308T_2",
    "131052 - 308T", "13 10 52-308 T", "131052\u00a0-\u00a0308T", "131052\u2013308T", "131052\u2212308T",
    "\uff11\uff13\uff11\uff10\uff15\uff12-308T", "131052A308T", "131052y308t", "131052+308T", "131052-308U",
    "\uff11\uff13\uff11\uff10\uff15\uff12\uff0d\uff13\uff10\uff18\uff34",
    "999999-9999", "hetu131052-308T", "ID131052-308Tx", "hetu131052A308T", "131052-308Tkopio",
    "x131052\u2013308Tx", "131052-131052-308Tx",
]  # fmt: skip


@pytest.mark.parametrize("text", CONTAINING)
def test_texts_with_something_like_a_code_are_found(text: str) -> None:
    """In doubt a text holds a code: by shape where it stands alone, by its check character where it is run together."""
    assert contains_identity_code(text)


NOT_CONTAINING = [
    "", "KELA/2026/12345", "18.8.2020", "2026-03-05T10:00:00", "020 634 11", "+358 20 634 11", "131052",
    "131052-308", "131052-308I", "131052/308T", "1131052-308T", "hetu131052-308U", "131052-308Ukopio",
    "c0ffee131052a917efee", "f131052a9085", "0b131052-9085-7abc-8def-0123456789ab",
    "0B131052-917E-7ABC-8DEF-0123456789AB",
]  # fmt: skip


@pytest.mark.parametrize("text", NOT_CONTAINING)
def test_texts_without_one_are_left_alone(text: str) -> None:
    """Case references, dates, telephone numbers and the ids of systems are no codes."""
    assert not contains_identity_code(text)


@given(all_codes, st.text(max_size=20), st.text(max_size=20))
def test_no_valid_code_between_blanks_is_overlooked(code: PersonalIdentityCode, before: str, after: str) -> None:
    """A valid code in a sentence is always found."""
    assert contains_identity_code(f"{before} {code.text} {after}")


@given(st.uuids(), st.sampled_from(["{}", "call-{}", "{}@sip.example"]))
def test_no_uuid_is_mistaken_for_a_code(uuid: object, form: str) -> None:
    """Contacts are often named by UUIDs; refusing one would lose a recording."""
    assert not contains_identity_code(form.format(uuid))
    assert not contains_identity_code(form.format(str(uuid).replace("-", "")))
