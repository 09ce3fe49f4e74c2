"""What the parts of a register must not say against one another.

The same rules stop a register from being built and, one by one with their places, tell what is wrong in a document.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, Final

from kelarec.domain.staff_acts import Act

DATA_SUBJECT_RIGHT: Final = "data-subject-right"
LEGAL_CLAIM: Final = "legal-claim"
STATUTORY_PURPOSES: Final = frozenset({DATA_SUBJECT_RIGHT, LEGAL_CLAIM})
"""What the law demands or allows whatever a notice says (Chapter III of the Regulation; Art. 17(3)(e), 18(2))."""

DECLARED: Final = (
    "purposes",
    "lines",
    "categories",
    "data_subjects",
    "sources",
    "regular_disclosures",
    "roles",
    "channels",
    "kind_retention",
    "rights",
)
_NEEDED_FROM_THE_FIRST_DAY: Final = ("contact_points", "purposes", "lines", "categories", "sources", "channels")


def iter_contradictions(parts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Go through what is wrong between the parts of a register: place and sentence.

    Args:
        parts: By the names of `Register`'s fields; what is missing or could not be read is passed over.
    """
    for name in DECLARED:
        yield from _find_doubles(name, parts.get(name, ()))
    yield from _find_undeclared_purposes(parts)
    yield from _find_unserved_channels(parts)
    yield from _find_undeclared_channels(parts)
    yield from _find_empty_first_day(parts)


def _codes(items: Iterable[Any]) -> list[str]:
    return [code for item in items if (code := getattr(item, "code", None)) is not None]


def _find_doubles(name: str, items: Iterable[Any]) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for number, item in enumerate(items):
        code = getattr(item, "code", None)
        if code in seen:
            yield f"{name}[{number}].code", f"The code {code} is declared twice among the {name}."
        elif code is not None:
            seen.add(code)


def _find_undeclared_purposes(parts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "purposes" not in parts:
        return
    declared = STATUTORY_PURPOSES | set(_codes(parts["purposes"]))
    for number, role in enumerate(parts.get("roles", ())):
        for code in sorted(set(getattr(role, "purposes", ())) - declared):
            yield f"roles[{number}].purposes", f"The role serves a purpose that the register does not declare: {code}."


def _find_unserved_channels(parts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "roles" not in parts:
        return
    receiving = {
        getattr(role, "code", None)
        for role in parts["roles"]
        if not hasattr(role, "acts") or Act.RECEIVE_REQUEST in role.acts
    }
    for number, channel in enumerate(parts.get("channels", ())):
        served_by = getattr(channel, "served_by", None)
        if served_by is not None and not served_by & receiving:
            yield (
                f"channels[{number}].served_by",
                "Nobody serves the channel: no role named here is declared and may receive requests.",
            )


def _find_undeclared_channels(parts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "channels" not in parts:
        return
    declared = set(_codes(parts["channels"]))
    for number, right in enumerate(parts.get("rights", ())):
        for code in getattr(right, "channels", ()):
            if code not in declared:
                yield f"rights[{number}].channels", f"The register declares no channel {code}."


def _find_empty_first_day(parts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    version = parts.get("version")
    if not isinstance(version, date):
        return
    for name in _NEEDED_FROM_THE_FIRST_DAY:
        items = parts.get(name, ())
        if items and not any(not hasattr(item, "valid") or item.valid.holds(version) for item in items):
            yield name, f"None of the {name} holds on the date of the notice, {version.isoformat()}."
