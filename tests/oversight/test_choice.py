"""Which of several versions stands: what the log tells, else the more careful one (Art. 18, Art. 5(1)(f))."""

from hypothesis import given
from hypothesis import strategies as st

from kelarec.oversight.choice import choose
from kelarec.storage.object_kinds import Version


def version(number: int, revision: int, caution: int) -> Version:
    """Return a version whose hash is its number."""
    return Version(f"record-{revision}-{number}", str(number), revision, caution, {})


versions = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=6).map(
    lambda each: [version(number, *drawn) for number, drawn in enumerate(each)]
)
tellings = st.lists(st.integers(0, 6).map(str), max_size=6, unique=True)


@given(versions, tellings)
def test_nothing_less_careful_stands_against_the_log(some: list[Version], told: list[str]) -> None:
    """A version that the log does not tell of never lifts what the last one it tells of restricts."""
    choice = choose(some, told)
    assert (choice is None) == (not some)
    logged = [each for sha256 in told for each in some if each.sha256 == sha256]
    if choice is not None and logged:
        assert choice.version is logged[-1] or choice.version.caution >= logged[-1].caution
        assert choice.version in {id(each): each for each in (logged[-1], *some)}.values()
        assert choice.version.sha256 == logged[-1].sha256 or choice.version.path in choice.disputed


@given(versions, tellings, st.randoms())
def test_the_order_of_listing_does_not_matter(some: list[Version], told: list[str], order: "object") -> None:
    """Whatever order a store lists in, the same version stands and the same are in question."""
    shuffled = list(some)
    order.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random
    assert choose(some, told) == choose(shuffled, told)


def test_two_of_one_revision_are_told_apart_by_the_log() -> None:
    """Of two objects of one revision that stands which the log tells of, and the other is in question."""
    kept, restricted = version(1, 2, 0), version(2, 2, 1)
    first = version(0, 1, 0)
    choice = choose([first, kept, restricted], ["0", "2"])
    assert choice is not None
    assert (choice.version, choice.disputed) == (restricted, (kept.path,))


def test_without_the_log_the_more_careful_one_stands() -> None:
    """Of two objects of one revision that no log tells apart the more restrictive one stands, and both are listed."""
    kept, restricted = version(1, 2, 0), version(2, 2, 1)
    for told in ([], ["0"]):
        choice = choose([version(0, 1, 0), kept, restricted], told)
        assert choice is not None
        assert choice.version is restricted
        assert set(choice.disputed) == {kept.path, restricted.path}


def test_a_lifted_restriction_needs_the_log() -> None:
    """A newer version that lifts a restriction does not stand unless the log tells of it."""
    restricted, lifted = version(1, 2, 1), version(2, 3, 0)
    silent, logged = choose([restricted, lifted], ["1"]), choose([restricted, lifted], ["1", "2"])
    assert silent is not None
    assert silent.version is restricted
    assert silent.disputed == (lifted.path,)
    assert logged is not None
    assert (logged.version, logged.disputed) == (lifted, ())
