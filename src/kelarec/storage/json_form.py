"""Domain values as JSON and back.

Dates and instants are ISO 8601, ids and codes are text, sets are sorted, so that one value has one form.
"""

import json
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, TypeVar
from uuid import UUID

from cattrs import BaseValidationError, Converter
from cattrs.gen import make_dict_unstructure_fn

from kelarec.domain.identity_code import PersonalIdentityCode
from kelarec.domain.instants import to_utc
from kelarec.domain.people import EmailAddress, PhoneNumber, StaffId
from kelarec.domain.references import MatterReference
from kelarec.domain.subject_request import (
    AccessRequest,
    ErasureRequest,
    ObjectionRequest,
    RectificationRequest,
    RestrictionRequest,
    SubjectRequest,
)
from kelarec.errors import IntegrityError, KelarecError

_Value = TypeVar("_Value")

_REQUESTS: dict[str, type[SubjectRequest]] = {
    request.kind.value: request
    for request in (AccessRequest, RectificationRequest, ErasureRequest, RestrictionRequest, ObjectionRequest)
}


def _make_converter() -> Converter:
    converter = Converter(
        detailed_validation=False
    )  # the details would be dropped anyway: they repeat what a document holds
    converter.register_unstructure_hook(datetime, lambda at: to_utc(at).isoformat())
    converter.register_structure_hook(datetime, lambda text, _: datetime.fromisoformat(text))
    converter.register_unstructure_hook(date, lambda on: on.isoformat())
    converter.register_structure_hook(date, lambda text, _: date.fromisoformat(text))
    converter.register_unstructure_hook(UUID, str)
    converter.register_structure_hook(UUID, lambda text, _: UUID(text))
    for kind in (PersonalIdentityCode, PhoneNumber, EmailAddress, StaffId, MatterReference):
        converter.register_unstructure_hook(kind, lambda value: value.text)
        converter.register_structure_hook(kind, lambda text, kind: kind(text))
    converter.register_unstructure_hook_func(
        lambda kind: getattr(kind, "__origin__", None) is frozenset, lambda values: sorted(str(each) for each in values)
    )
    for request in _REQUESTS.values():
        converter.register_unstructure_hook(request, _with_kind(converter, request))
    converter.register_unstructure_hook_func(
        _is_any_request, lambda value: converter.unstructure(value, unstructure_as=type(value))
    )
    converter.register_structure_hook_func(
        _is_any_request, lambda plain, _: converter.structure(plain, _REQUESTS[plain["kind"]])
    )
    return converter


def _is_any_request(kind: object) -> bool:
    return kind is SubjectRequest


def _with_kind(converter: Converter, request: type[SubjectRequest]) -> Callable[[SubjectRequest], dict[str, Any]]:
    plain = make_dict_unstructure_fn(request, converter)
    return lambda value: {"kind": value.kind.value, **plain(value)}


_CONVERTER = _make_converter()


def to_json(value: object) -> bytes:
    """Return a domain value as JSON, UTF-8, keys sorted."""
    plain = _CONVERTER.unstructure(value)
    return json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def from_json(content: bytes, kind: type[_Value]) -> _Value:
    """Return the domain value of a JSON document.

    Raises:
        IntegrityError: The document does not hold such a value. What it holds is not repeated.
    """
    try:
        return _CONVERTER.structure(json.loads(content), kind)
    except (BaseValidationError, KelarecError, ValueError, TypeError, KeyError, AttributeError):
        raise IntegrityError(f"A document does not hold a valid {kind.__name__}.") from None
