"""A register as JSON-LD in the terms of the W3C Data Privacy Vocabulary, and back without loss.

The context stands in the document, so nothing is fetched. A document that another tool has expanded is brought back to
this form by compacting it with `get_context`.
"""

import json
import typing
from datetime import date
from functools import cache
from typing import Any

import attrs

from kelarec.domain.notice_facts import Label
from kelarec.domain.register import Register
from kelarec.errors import Fault, RegisterFaultsError
from kelarec.notice.dpv_terms import ANY_CLASS, COUNTRIES, PREFIXES, PROPERTIES, TO_TERMS, list_implied, list_types
from kelarec.notice.structure import from_plain, inner_of, is_list, to_plain

_LABEL = {"@id": ANY_CLASS["label"], "@container": "@language"}


def to_jsonld(register: Register) -> str:
    """Return the record of processing of a register as JSON-LD, two blanks of indent.

    Source: GDPR, Art. 30(1); Data Privacy Vocabulary 2.3, https://w3id.org/dpv.
    """
    document = {"@context": get_context(), **_to_node(register, ""), **list_implied(register)}
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def from_jsonld(document: str | bytes) -> Register:
    """Return the register of a JSON-LD document in the form that `to_jsonld` writes.

    Raises:
        RegisterFaultsError: With every fault and its place; also if the document has another context.
    """
    try:
        plain = json.loads(document)
    except ValueError as error:
        raise RegisterFaultsError([Fault("the document", f"It is no JSON: {error}.")]) from None
    if not isinstance(plain, dict) or plain.get("@context") != get_context():
        raise RegisterFaultsError(
            [Fault("@context", "It is another context; compact the document with get_context().")]
        )
    return from_plain(_from_node(plain, Register))


@cache
def _make_context() -> str:
    return json.dumps({"@version": 1.1, **PREFIXES, **_terms_of(Register)})


def get_context() -> dict[str, Any]:
    """Return the JSON-LD context of the documents: each field of a register as a term."""
    context: dict[str, Any] = json.loads(_make_context())
    return context


def _terms_of(kind: type) -> dict[str, Any]:
    return {name: _term_of(kind, name, hint) for name, hint in typing.get_type_hints(kind).items()}


def _term_of(kind: type, name: str, hint: Any) -> dict[str, Any]:  # noqa: ANN401  a type or a form of typing
    term: dict[str, Any] = {"@id": PROPERTIES.get((kind, name), ANY_CLASS.get(name, f"kelarec:{name}"))}
    inner = inner_of(hint)
    if is_list(hint):
        term["@container"] = "@set" if typing.get_origin(hint) is frozenset else "@list"
        if inner is Label:  # no list of texts in several languages: each becomes a node with a label
            return term | {"@context": {"label": _LABEL}}
    if inner is Label:
        return term | {"@container": "@language"}
    if attrs.has(inner):
        return term | {"@context": _terms_of(inner)}
    if inner is date:
        return term | {"@type": "xsd:date"}
    if (kind, name) in COUNTRIES or (kind, name) in TO_TERMS:
        return term | {"@type": "@id"}
    return term


def _to_node(value: Any, name: str) -> dict[str, Any]:  # noqa: ANN401  a part of a register
    node: dict[str, Any] = {}
    if types := list_types(value, name):
        node["@type"] = types
    told = to_plain(value)
    if isinstance(value, Label):
        return node | {"label": told}
    for field in told:
        node[field] = _to_value(getattr(value, field), type(value), field)
    return node


def _to_value(value: Any, kind: type, name: str) -> Any:  # noqa: ANN401  a part of a register
    if isinstance(value, tuple):
        return [_to_node(each, name) if attrs.has(type(each)) else _to_scalar(each, kind, name) for each in value]
    if isinstance(value, frozenset):
        return sorted(_to_scalar(each, kind, name) for each in value)
    if attrs.has(type(value)) and not isinstance(value, Label):
        return _to_node(value, name)
    return to_plain(value) if isinstance(value, Label) else _to_scalar(value, kind, name)


def _to_scalar(value: Any, kind: type, name: str) -> Any:  # noqa: ANN401  a text, number, date or code
    if (kind, name) in COUNTRIES:
        return f"loc:{value}"
    if (kind, name) in TO_TERMS:
        return TO_TERMS[kind, name][value]
    return value.isoformat() if isinstance(value, date) else to_plain(value)


def _from_node(node: object, kind: type) -> object:
    if not isinstance(node, dict):
        return node
    hints = typing.get_type_hints(kind)
    told = {name: value for name, value in node.items() if not name.startswith("@") and ":" not in name}
    return {
        name: _from_value(value, kind, name, hints[name]) if name in hints else value for name, value in told.items()
    }


def _from_value(value: object, kind: type, name: str, hint: Any) -> object:  # noqa: ANN401  a type or a form of typing
    inner = inner_of(hint)
    if is_list(hint):
        if not isinstance(value, list):
            return value
        if inner is Label:
            return [each.get("label", each) if isinstance(each, dict) else each for each in value]
        return [_from_single(each, kind, name, inner) for each in value]
    return _from_single(value, kind, name, inner)


def _from_single(value: object, kind: type, name: str, inner: type) -> object:
    if attrs.has(inner):
        return _from_node(value, inner)
    if not isinstance(value, str):
        return value
    if (kind, name) in COUNTRIES:
        return value.removeprefix("loc:")
    if (kind, name) in TO_TERMS:
        return {term: code for code, term in TO_TERMS[kind, name].items()}.get(value, value)
    return _from_date(value) if inner is date else value


def _from_date(text: str) -> date | str:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return text
