"""Hypothesis strategies for registers and what they consist of."""

from datetime import date
from typing import Any

from hypothesis import strategies as st

from kelarec.domain.codes import Direction, Kind
from kelarec.domain.eea import EEA
from kelarec.domain.lines import Coverage, Line
from kelarec.domain.notice_facts import (
    RIGHTS,
    ContactPoint,
    Controller,
    Disclosure,
    Label,
    PersonGroup,
    Source,
    SubjectRight,
    Task,
    Validity,
)
from kelarec.domain.register import ARTICLE_6, Category, Channel, Purpose, Rank, Register, Role
from kelarec.domain.retention import LONGEST_YEARS, KindRetention, RetentionPolicy
from kelarec.domain.staff_acts import Act

_VERSIONS = st.dates(date(2018, 5, 25), date(2040, 12, 31))
_VISIBLE = st.characters(categories=["L", "N", "P", "S", "Zs"], max_codepoint=0xFFFF)
_RECEIVER = "receiver"


def _texts() -> st.SearchStrategy[str]:
    return (
        st.text(_VISIBLE, min_size=1, max_size=30).map(str.strip).filter(lambda text: text.isprintable() and text != "")
    )


def labels() -> st.SearchStrategy[Label]:
    """Texts in three languages, with whatever marks mean something to Markdown, HTML, TOML or JSON."""
    return st.builds(Label, fi=_texts(), sv=_texts(), en=_texts())


def _codes() -> st.SearchStrategy[str]:
    return st.from_regex(r"[a-z][a-z0-9-]{0,11}", fullmatch=True)


def _addresses() -> st.SearchStrategy[str]:
    return st.from_regex(r"https?://[a-z]{1,9}\.example/[a-z0-9/_()*-]{0,9}", fullmatch=True)


def _several(kind: Any, smallest: int = 1, **fields: Any) -> st.SearchStrategy[list[Any]]:  # noqa: ANN401  a class and its fields
    return st.lists(
        st.builds(kind, code=_codes(), **fields), min_size=smallest, max_size=3, unique_by=lambda each: each.code
    )


@st.composite
def _validities(draw: st.DrawFn, version: date) -> Validity:
    """A time that holds the version's date, or none."""
    return Validity(
        from_on=draw(st.none() | st.dates(date(2018, 5, 25), version)),
        through_on=draw(st.none() | st.dates(version, date(2060, 1, 1))),
    )


@st.composite
def _lines(draw: st.DrawFn, code: str, version: date) -> Line:
    coverage = draw(st.sampled_from(Coverage))
    part: dict[str, Any] = {}
    if coverage is Coverage.SOME:
        part = draw(st.sampled_from([{}, {"share_percent": 30}, {"recorded_numbers": ["020 1", "020 2"]}]))
    directions = draw(st.sets(st.sampled_from(Direction), min_size=1))
    if Direction.INBOUND not in directions:
        part = {}
    return Line(
        code=code,
        label=draw(labels()),
        kinds=draw(st.sets(st.sampled_from(Kind), min_size=1)),
        directions=directions,
        coverage=coverage,
        outbound_coverage=draw(st.none() | st.sampled_from(Coverage)),
        valid=draw(_validities(version)),
        **part,
    )


@st.composite
def registers(draw: st.DrawFn) -> Register:
    """Registers of invented controllers, with whatever a register may hold."""
    version = draw(_VERSIONS)
    valid = _validities(version)
    contact_points = st.lists(
        st.builds(ContactPoint, name=_texts(), telephone=_texts(), is_switchboard=st.booleans(), valid=valid),
        max_size=2,
    )
    purposes = draw(
        _several(
            Purpose,
            label=labels(),
            rank=st.sampled_from(Rank),
            legal_basis=labels(),
            article_6=st.none() | st.sampled_from(ARTICLE_6),
            valid=valid,
        )
    )
    codes = [purpose.code for purpose in purposes]
    roles = draw(
        _several(
            Role,
            smallest=0,
            label=labels(),
            acts=st.sets(st.sampled_from(Act)),
            purposes=st.sets(st.sampled_from(codes)),
        )
    )
    receiver = Role(code=_RECEIVER, label=draw(labels()), acts=[Act.RECEIVE_REQUEST], purposes=[])
    channels = draw(
        _several(Channel, label=labels(), url=st.none() | _addresses(), served_by=st.just({_RECEIVER}), valid=valid)
    )
    channel_codes = [channel.code for channel in channels]
    rights = [
        SubjectRight(
            article=article,
            channels=draw(st.lists(st.sampled_from(channel_codes), min_size=1, unique=True)),
            request_states=draw(st.lists(labels(), max_size=2)),
            exception=draw(st.none() | labels()),
        )
        for article in draw(st.lists(st.sampled_from(RIGHTS), min_size=1, unique=True))
    ]
    facts: dict[str, Any] = {
        "name": draw(_texts()),
        "title": draw(labels()),
        "version": version,
        "controller": draw(
            st.builds(
                Controller,
                name=labels(),
                short_name=labels(),
                postal_address=labels(),
                visiting_address=labels(),
                telephone=_texts(),
                url=_addresses(),
                country=st.sampled_from(sorted(EEA)),
            )
        ),
        "contact_points": [ContactPoint(name=draw(_texts()), telephone=draw(_texts())), *draw(contact_points)],
        "data_protection_officers": draw(contact_points),
        "task": draw(st.builds(Task, label=labels(), parts=st.lists(labels(), max_size=2))),
        "purposes": purposes,
        "automated_decisions": draw(st.none() | labels()),
        "lines": [
            draw(_lines(code, version)) for code in draw(st.lists(_codes(), min_size=1, max_size=3, unique=True))
        ],
        "is_automatic": draw(st.booleans()),
        "categories": draw(_several(Category, label=labels(), group=st.none() | labels(), valid=valid)),
        "categories_are_examples": draw(st.booleans()),
        "data_subjects": draw(_several(PersonGroup, smallest=0, label=labels(), is_staff=st.booleans(), valid=valid)),
        "sources": draw(
            _several(
                Source,
                label=labels(),
                content_label=st.none() | labels(),
                kinds=st.sets(st.sampled_from(Kind), min_size=1),
                valid=valid,
            )
        ),
        "obligation_to_provide": draw(st.none() | labels()),
        "regular_disclosures": draw(
            _several(Disclosure, smallest=0, recipient=labels(), items=labels(), ground=labels(), valid=valid)
        ),
        "processing_countries": draw(st.lists(st.sampled_from(sorted(EEA)), max_size=3, unique=True)),
        "retention": RetentionPolicy(draw(st.integers(1, LONGEST_YEARS))),
        "kind_retention": [
            KindRetention(kind=kind, years=draw(st.integers(1, LONGEST_YEARS)))
            for kind in draw(st.lists(st.sampled_from(Kind), max_size=2, unique=True))
        ],
        "retention_starts": draw(st.none() | labels()),
        "log_retention": RetentionPolicy(draw(st.integers(1, LONGEST_YEARS))),
        "protection": draw(st.lists(labels(), min_size=1, max_size=3)),
        "roles": [*(role for role in roles if role.code != _RECEIVER), receiver],
        "channels": channels,
        "rights": rights,
        "supervisory_authority": draw(labels()),
        "notice_url": draw(st.none() | _addresses()),
    }
    return Register(**facts)
