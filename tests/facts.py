"""Changing facts of a register in tests."""

from typing import Any, TypeVar

from attrs import evolve

_Value = TypeVar("_Value")


def change(value: _Value, **facts: Any) -> _Value:  # noqa: ANN401  the fields of the value, before they are converted
    """The same value with other facts; each may be what the value's converters take, such as a list for a tuple."""
    known: Any = value
    changed: _Value = evolve(known, **facts)
    return changed
