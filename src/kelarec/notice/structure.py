"""From plain values (dicts, lists, texts, numbers) to a register and back, with every fault at once.

What is read is told by the attrs classes themselves, so a field that is added there is read, written and checked here
without a line more.
"""

import types
import typing
from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from types import SimpleNamespace
from typing import Any, Final

import attrs

from kelarec.domain.register import Register
from kelarec.domain.register_rules import iter_contradictions
from kelarec.errors import Fault, KelarecError, RegisterFaultsError

_NOTHING: Final = object()


def from_plain(plain: object) -> Register:
    """Return the register of a plain value.

    Raises:
        RegisterFaultsError: With every fault and its place.
    """
    faults: list[Fault] = []
    parts = _Reader(faults).read_fields(plain, Register, "")
    faults += [Fault(place, sentence) for place, sentence in iter_contradictions(parts)]
    if faults:
        raise RegisterFaultsError(faults)
    return Register(**parts)


def to_plain(value: Any) -> Any:  # noqa: ANN401  dicts, lists, texts, numbers
    """Return a register, or a part of one, as plain values; what is not told (None, none, always) is left out."""
    if attrs.has(type(value)):
        fields = ((each, to_plain(getattr(value, each.name))) for each in attrs.fields(type(value)))
        return {each.name: part for each, part in fields if each.default is attrs.NOTHING or part not in (None, [], {})}
    if isinstance(value, frozenset):
        return sorted(to_plain(each) for each in value)
    if isinstance(value, tuple):
        return [to_plain(each) for each in value]
    return value.value if isinstance(value, StrEnum) else value


def iter_classes(kind: type = Register) -> Iterator[type]:
    """Go through the attrs classes that a register consists of, itself first, each once."""
    seen: list[type] = []
    waiting = [kind]
    while waiting:
        each = waiting.pop(0)
        if each in seen:
            continue
        seen.append(each)
        yield each
        inner = (inner_of(hint) for hint in typing.get_type_hints(each).values())
        waiting += [hint for hint in inner if isinstance(hint, type) and attrs.has(hint)]


def is_list(hint: Any) -> bool:  # noqa: ANN401  a type or a form of typing
    """Whether a field holds several values."""
    return typing.get_origin(hint) in {tuple, frozenset}


def inner_of(hint: Any) -> Any:  # noqa: ANN401  a type or a form of typing
    """Return what a field holds, out of its tuple, frozenset or `None`."""
    arguments = [each for each in typing.get_args(hint) if each not in {type(None), ...}]
    return arguments[0] if arguments else hint


class _Reader:
    """Reads plain values as attrs classes and puts down each fault; what has one reads as `_NOTHING`."""

    def __init__(self, faults: list[Fault]) -> None:
        self._faults = faults

    def _put_down(self, place: str, sentence: str) -> object:
        self._faults.append(Fault(place or "the document", sentence))
        return _NOTHING

    def read_fields(self, plain: object, kind: type, place: str) -> dict[str, Any]:
        """Return the fields of a class that could be read."""
        if not isinstance(plain, dict):
            self._put_down(place, "A table belongs here.")
            return {}
        hints = typing.get_type_hints(kind)
        attributes = {each.name: each for each in attrs.fields(kind)}
        for name in sorted(str(key) for key in plain.keys() - attributes.keys()):
            self._put_down(_join(place, name), "There is no such field.")
        read: dict[str, Any] = {}
        for name, attribute in attributes.items():
            here = _join(place, name)
            if name in plain:
                value = self._read_attribute(plain[name], attribute, hints[name], here)
            else:
                value = attribute.default
                if value is attrs.NOTHING:
                    value = self._put_down(here, "It is missing.")
            if value is not _NOTHING:
                read[name] = value
        return read

    def _read_attribute(self, plain: object, attribute: "attrs.Attribute[Any]", hint: Any, place: str) -> Any:  # noqa: ANN401
        value, is_faulty = self._read_counting(plain, hint, place)
        if is_faulty:
            return value if is_list(hint) else _NOTHING  # of a list the rest may still be asked
        convert: Any = attribute.converter
        try:
            if convert is not None:
                value = convert(value)
            if attribute.validator is not None:
                attribute.validator(None, attribute, value)
        except KelarecError as error:
            return self._put_down(place, str(error))
        except (TypeError, ValueError):
            return self._put_down(place, "Such a value is not allowed here.")
        return value

    def _read_counting(self, plain: object, hint: Any, place: str) -> tuple[Any, bool]:  # noqa: ANN401
        """Return a value and whether it had faults."""
        before = len(self._faults)
        value = self._read(plain, hint, place)
        return value, len(self._faults) > before

    def _read(self, plain: object, hint: Any, place: str) -> Any:  # noqa: ANN401, PLR0911  one line for each form
        form = typing.get_origin(hint)
        if form in {types.UnionType, typing.Union}:
            return None if plain is None else self._read(plain, inner_of(hint), place)
        if is_list(hint):
            if not isinstance(plain, list):
                return self._put_down(place, "A list belongs here.")
            items = [self._read(each, inner_of(hint), f"{place}[{number}]") for number, each in enumerate(plain)]
            return form(each for each in items if each is not _NOTHING)
        if attrs.has(hint):
            return self._read_object(plain, hint, place)
        if issubclass(hint, StrEnum):
            if plain not in list(hint):
                return self._put_down(place, f"One of these belongs here: {', '.join(hint)}.")
            return hint(plain)
        if type(plain) is not hint:
            return self._put_down(place, f"{_NAMES[hint]} belongs here.")
        return plain

    def _read_object(self, plain: object, kind: type, place: str) -> object:
        before = len(self._faults)
        fields = self.read_fields(plain, kind, place)
        if len(self._faults) > before:
            return SimpleNamespace(**fields)  # what could be read of it, so that references to it are not faults, too
        try:
            return kind(**fields)
        except KelarecError as error:
            self._put_down(place, str(error))
            return SimpleNamespace(**fields)


_NAMES: Final = {str: "A text", int: "A whole number", bool: "true or false", date: "A date"}


def _join(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
