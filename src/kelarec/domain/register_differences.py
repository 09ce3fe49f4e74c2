"""What changed from one version of a register to the next, and what of it people must be told."""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

import attrs
from attrs import frozen

from kelarec.domain.lines import Coverage
from kelarec.domain.notice_facts import Label, Validity
from kelarec.domain.register import Register


class Change(StrEnum):
    """What happened to a fact."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@frozen(kw_only=True)
class Difference:
    """One fact that is not the same in two versions of a register.

    Attributes:
        field: The register's field.
        item: The declaration within it, as it was or, if it was added, as it is; None if the field is one fact.
        leaf: The field within the declaration, or None if the whole of it was added or removed.
        change: What happened.
        before: The fact as it was, or None.
        after: The fact as it is, or None.
        article: Under which article people must be told of it before it holds, or None.
    """

    field: str
    item: Any = None
    leaf: str | None = None
    change: Change
    before: Any = None
    after: Any = None
    article: str | None = None

    @property
    def must_be_told(self) -> bool:
        """Whether people must be told of it, not just find it in the new notice."""
        return self.article is not None

    @property
    def place(self) -> str:
        """Where it stands, as a path."""
        code = getattr(self.item, "code", None)
        return f"{self.field}{'' if code is None else f'[{code}]'}{'' if self.leaf is None else f'.{self.leaf}'}"


def compare_registers(before: Register, after: Register) -> tuple[Difference, ...]:
    """Return every difference between two versions of a register, in the order of its fields; none if they are equal.

    A change is marked as one that people must be told of where it is news to them under Art. 13(3) (another purpose) or
    where not telling would leave them with a notice that promised less recording, shorter keeping, fewer recipients or
    better rights (Arts 5(1)(a), 12(1)).
    """
    return tuple(
        attrs.evolve(each, article=_find_article(each))
        for attribute in attrs.fields(Register)
        for each in _compare_field(attribute.name, getattr(before, attribute.name), getattr(after, attribute.name))
    )


def _compare_field(name: str, before: Any, after: Any) -> Iterator[Difference]:  # noqa: ANN401  any fact
    if before == after:
        return
    if isinstance(before, tuple):
        found = list(_compare_lists(name, before, after))
        yield from found or [Difference(field=name, change=Change.CHANGED, before=before, after=after)]
    elif _has_fields(before) and _has_fields(after):
        yield from _compare_items(name, None, before, after)
    else:
        yield Difference(field=name, change=_change(before, after), before=before, after=after)


def _compare_lists(name: str, before: tuple[Any, ...], after: tuple[Any, ...]) -> Iterator[Difference]:
    was, is_now = ({getattr(each, "code", each): each for each in items} for items in (before, after))
    for key, item in was.items():
        if key not in is_now:
            yield Difference(field=name, item=item, change=Change.REMOVED, before=item)
        elif item != is_now[key]:
            yield from _compare_items(name, item, item, is_now[key])
    for key, item in is_now.items():
        if key not in was:
            yield Difference(field=name, item=item, change=Change.ADDED, after=item)


def _compare_items(name: str, item: Any, before: Any, after: Any) -> Iterator[Difference]:  # noqa: ANN401  any fact
    for attribute in attrs.fields(type(before)):
        was, is_now = getattr(before, attribute.name), getattr(after, attribute.name)
        if was != is_now:
            yield Difference(
                field=name, item=item, leaf=attribute.name, change=_change(was, is_now), before=was, after=is_now
            )


def _has_fields(value: object) -> bool:
    return attrs.has(type(value)) and not isinstance(value, Label | Validity)


def _change(before: object, after: object) -> Change:
    return Change.ADDED if before in (None, ()) else Change.REMOVED if after in (None, ()) else Change.CHANGED


def _always(_: Difference) -> bool:
    return True


def _unless_removed(difference: Difference) -> bool:
    return difference.leaf is not None or difference.change is not Change.REMOVED


def _if_added(difference: Difference) -> bool:
    return difference.leaf is None and difference.change is Change.ADDED


def _if_wider(difference: Difference) -> bool:
    before, after = difference.before, difference.after
    match difference.leaf:
        case None:
            return difference.change is Change.ADDED
        case "kinds" | "directions":
            return not after <= before
        case "coverage" | "outbound_coverage":
            return after is not Coverage.SOME
        case "share_percent":
            return before is None or after is None or after > before
        case "recorded_numbers":
            return not before or not set(after) <= set(before)
        case _:
            return difference.leaf == "valid"


def _if_another(difference: Difference) -> bool:
    return difference.leaf in {"name", "country"}


def _if_longer(difference: Difference) -> bool:
    return bool(difference.after > difference.before)


def _if_kind_longer(difference: Difference) -> bool:
    return difference.leaf is None or _if_longer(difference)


def _if_less(difference: Difference) -> bool:
    return difference.change is not Change.ADDED if difference.leaf is None else difference.leaf != "label"


_ANOTHER_PURPOSE: Final = "Art. 13(3)"
_TRANSPARENCY: Final = "Arts 5(1)(a), 12(1)"
_TOLD: Final[Mapping[str, tuple[str, Callable[[Difference], bool]]]] = {
    "controller": (_TRANSPARENCY, _if_another),
    "task": (_ANOTHER_PURPOSE, _always),
    "purposes": (_ANOTHER_PURPOSE, _unless_removed),
    "automated_decisions": (_TRANSPARENCY, _always),
    "lines": (_TRANSPARENCY, _if_wider),
    "categories": (_TRANSPARENCY, _if_added),
    "data_subjects": (_TRANSPARENCY, _if_added),
    "sources": (_TRANSPARENCY, _unless_removed),
    "obligation_to_provide": (_TRANSPARENCY, _always),
    "regular_disclosures": (_TRANSPARENCY, _unless_removed),
    "retention": (_TRANSPARENCY, _if_longer),
    "kind_retention": (_TRANSPARENCY, _if_kind_longer),
    "retention_starts": (_TRANSPARENCY, _always),
    "channels": (_TRANSPARENCY, _if_less),
    "rights": (_TRANSPARENCY, _if_less),
}
"""The fields a change of which may be news to people: under which article, and when. The rest is not."""


def _find_article(difference: Difference) -> str | None:
    article, is_news = _TOLD.get(difference.field, ("", lambda _: False))
    return article if is_news(difference) else None
