"""Tokens find a person on every day that is not over, and tell nobody else who it is (notice, section 10; Art. 32)."""

from datetime import date, timedelta
from typing import Final
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelarec.domain.people import EmailAddress, PhoneNumber
from kelarec.domain.references import ContactId, MatterReference, SearchTerm
from kelarec.errors import KeyUnavailableError
from kelarec.storage.engine import open_memory_database
from kelarec.storage.tokens import TOKEN_BYTES, IndexKeys, token_range
from kelarec.storage.vault import Vault
from kelarec.testing import strategies as ours
from kelarec.testing.builders import make_identity_code
from kelarec.testing.catalog_vault import make_vault
from kelarec.testing.clock import MovableClock

TODAY: Final = date(2026, 3, 5)
DAYS: Final = [TODAY + timedelta(days=n) for n in range(4)]
AINO: Final = make_identity_code()
PREFIX: Final = 4


def make() -> Vault:
    """Return a vault with the keys of four days."""
    vault = make_vault(open_memory_database(), UUID(int=1), MovableClock())
    for day in DAYS:
        vault.keyring.get_or_make(day, vault.now())
    return vault


VAULT: Final = make()


def terms() -> st.SearchStrategy[SearchTerm]:
    """Whatever a recording can be found by."""
    words = st.text("abcdefghij-", min_size=1, max_size=20)
    return st.one_of(
        ours.identity_codes(),
        ours.phone_numbers(),
        ours.email_addresses(),
        words.map(MatterReference),
        words.map(ContactId),
    )


@given(term=terms(), other=terms())
def test_two_days_share_nothing_and_two_terms_never_meet(term: SearchTerm, other: SearchTerm) -> None:
    """Beyond the day's number no 4 bytes of one person's tokens on two days are equal; a token is its term's alone."""
    one, two = (VAULT.index_keys.make_tokens(day, [term])[0] for day in DAYS[:2])
    assert len(one) == len(two) == TOKEN_BYTES
    pieces = [{token[at : at + 4] for at in range(PREFIX, TOKEN_BYTES - 3)} for token in (one, two)]
    assert pieces[0] & pieces[1] == set()
    assert (VAULT.index_keys.make_tokens(DAYS[0], [other]) == [one]) == (term == other)


@given(term=terms())
def test_what_was_written_is_what_is_looked_for(term: SearchTerm) -> None:
    """A look-up makes exactly the tokens that were stored, one for each day, in that day's range."""
    stored = [VAULT.index_keys.make_tokens(day, [term])[0] for day in DAYS]
    assert VAULT.index_keys.list_tokens(DAYS, [term], TODAY) == stored
    for day, token in zip(DAYS, stored, strict=True):
        first, beyond = token_range(day)
        assert first <= token < beyond


def test_the_same_text_in_two_fields_is_two_things() -> None:
    """A case reference that reads like a contact id does not find the contact."""
    found = {VAULT.index_keys.make_tokens(DAYS[0], [kind("same-1")])[0] for kind in (MatterReference, ContactId)}
    assert len(found) == 2


def test_identifiers_are_normalised_before_they_become_tokens() -> None:
    """However a telephone number or address is written, it is one token."""
    for spellings in (
        [PhoneNumber("+358 50 000 0123"), PhoneNumber("0500000123")],
        [EmailAddress("Aino@Example.org"), EmailAddress(" aino@example.org ")],
    ):
        assert len({VAULT.index_keys.make_tokens(DAYS[0], [each])[0] for each in spellings}) == 1


def test_after_a_dates_end_its_tokens_cannot_be_made_again() -> None:
    """The index key dies with its date: by no means of the library does the token come back, cached or not."""
    vault = make()
    ended, later = DAYS[0], DAYS[1]
    token = vault.index_keys.make_tokens(ended, [AINO])[0]
    assert token in vault.index_keys.list_tokens(DAYS, [AINO], TODAY)
    vault.keyring.destroy(ended)
    assert token not in vault.index_keys.list_tokens(DAYS, [AINO], later)
    assert token not in vault.index_keys.list_tokens(DAYS, [AINO], ended)
    with pytest.raises(KeyUnavailableError):
        vault.index_keys.make_tokens(ended, [AINO])
    vault.keyring.get_or_make(ended, vault.now())
    assert token not in vault.index_keys.make_tokens(ended, [AINO])


def test_a_cached_key_is_used_for_a_minute_at_most() -> None:
    """A key that is destroyed elsewhere is forgotten here within 60 seconds."""
    now = [0.0]
    vault = make()
    keys = IndexKeys(vault.keyring, lambda: now[0])
    assert len(keys.list_tokens(DAYS, [AINO], TODAY)) == len(DAYS)
    vault.keyring.destroy(DAYS[3])
    now[0] = 59.9
    keys.list_tokens(DAYS, [AINO], TODAY)
    now[0] = 60.0
    assert len(keys.list_tokens(DAYS, [AINO], TODAY)) == len(DAYS) - 1


def test_keys_are_never_shown_or_pickled() -> None:
    """No key gets out by a representation or a pickle."""
    assert repr(VAULT.index_keys) == "IndexKeys(…)"
    with pytest.raises(TypeError):
        VAULT.index_keys.__reduce__()
