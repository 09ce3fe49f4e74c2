"""What a register obeys: validity dates, coverage by direction, and parts that must not contradict each other."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings

from facts import change
from kelarec import ContactPoint, Register, kela_register
from kelarec.domain.codes import Direction
from kelarec.domain.lines import Coverage
from kelarec.domain.notice_facts import Validity
from kelarec.errors import InvalidValueError, NotResidentError, OutsideNoticeError
from kelarec.testing.builders import make_contact
from kelarec.testing.strategies import registers

KELA: Final = kela_register(contact_point="Registry office")
UNTIL_MAY: Final = Validity(through_on=date(2026, 5, 31))


def test_a_line_is_covered_while_it_is_valid() -> None:
    """A contact after a line's last day lies outside the notice (section 5)."""
    register = change(KELA, lines=[change(KELA.lines[0], valid=UNTIL_MAY), *KELA.lines[1:]])
    register.require_covers(make_contact(started_at=datetime(2026, 5, 31, 20, 59, tzinfo=UTC)))
    with pytest.raises(OutsideNoticeError, match="2026-06-01"):
        register.require_covers(make_contact(started_at=datetime(2026, 5, 31, 21, 0, tzinfo=UTC)))


def test_a_purpose_is_declared_while_it_is_valid() -> None:
    """A purpose that has ended is none, but those of the law never end (section 4)."""
    purposes = [change(each, valid=UNTIL_MAY) for each in KELA.purposes]
    register = change(KELA, purposes=purposes)
    last, after = date(2026, 5, 31), date(2026, 6, 1)
    assert register.has_purpose("staff-training")
    assert register.has_purpose("staff-training", on=last)
    assert not register.has_purpose("staff-training", on=after)
    assert register.has_purpose("legal-claim", on=after)


def test_a_register_of_a_date_holds_only_what_holds_then() -> None:
    """Channels that have closed vanish from the rights, too (sections 11 to 13)."""
    closed = [change(KELA.channels[0], valid=UNTIL_MAY), *KELA.channels[1:]]
    register = change(KELA, channels=closed)
    assert register.as_of(date(2026, 5, 31)) == KELA
    later = register.as_of(date(2026, 6, 1))
    assert not later.has_channel("registry-office")
    assert all("registry-office" not in right.channels for right in later.rights)
    nobody = change(KELA, contact_points=[change(KELA.contact_points[0], valid=UNTIL_MAY)])
    with pytest.raises(InvalidValueError, match="contact_points"):
        nobody.as_of(date(2026, 6, 1))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(registers())
def test_on_its_own_date_every_register_is_whole(register: Register) -> None:
    """What a register holds on its notice's date makes a register, which no longer changes with the date."""
    there = register.as_of(register.version)
    assert there.as_of(register.version + timedelta(days=9999)) == there


def test_coverage_may_differ_by_direction() -> None:
    """All calls to a line and some of those from it (section 5)."""
    line = change(KELA.lines[0], outbound_coverage="some", share_percent=20)
    assert line.get_coverage(Direction.INBOUND) is Coverage.ALL
    assert line.get_coverage(Direction.OUTBOUND) is Coverage.SOME


@pytest.mark.parametrize(
    "facts",
    [
        {"share_percent": 20},
        {"recorded_numbers": ["020 1"]},
        {"coverage": "some", "share_percent": 20, "recorded_numbers": ["020 1"]},
        {"coverage": "some", "share_percent": 0},
        {"coverage": "some", "share_percent": 100},
        {"coverage": "some", "share_percent": True},
    ],
)
def test_a_part_is_told_of_a_part_only(facts: dict[str, Any]) -> None:
    """A line recorded as a whole has no share; a share is more than nothing and less than all (section 5)."""
    with pytest.raises(InvalidValueError):
        change(KELA.lines[0], **facts)


@pytest.mark.parametrize(
    "facts",
    [
        {"purposes": [KELA.purposes[0], *KELA.purposes]},
        {"roles": [change(KELA.roles[0], purposes=["profiling"]), *KELA.roles[1:]]},
        {"channels": [change(each, served_by=["operator"]) for each in KELA.channels]},
        {"channels": KELA.channels[1:]},
        {"rights": [KELA.rights[0], *KELA.rights]},
    ],
    ids=[
        "a purpose twice",
        "a role's purpose undeclared",
        "a channel nobody serves",
        "no such channel",
        "a right twice",
    ],
)
def test_parts_that_contradict_each_other_are_refused(facts: dict[str, Any]) -> None:
    """A register that says two things at once cannot be built."""
    with pytest.raises(InvalidValueError, match="contradict"):
        change(KELA, **facts)


def test_a_transfer_out_of_the_eea_cannot_be_declared() -> None:
    """Data lie in the EU/EEA (section 8)."""
    with pytest.raises(NotResidentError):
        change(KELA, processing_countries=["FI", "GB"])


@pytest.mark.parametrize("url", ["javascript:alert(1)", "www.kela.fi", "https://kela.fi/a b", "data:text/html,x"])
def test_a_link_leads_to_the_web(url: str) -> None:
    """What becomes a link in a published page is an address on the web and nothing else."""
    with pytest.raises(InvalidValueError, match="web"):
        change(KELA.controller, url=url)


def test_a_validity_has_an_order() -> None:
    """Nothing ends before it begins."""
    with pytest.raises(InvalidValueError, match="ends before"):
        ContactPoint(name="a", telephone="1", valid=Validity(from_on=date(2026, 2, 1), through_on=date(2026, 1, 1)))
