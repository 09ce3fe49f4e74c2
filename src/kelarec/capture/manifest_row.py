"""One row of a manifest as values, with every fault in it. No fault repeats what stands in a cell."""

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, Final

from attrs import field, frozen

from kelarec.capture.manifest import REQUIRED, Cells, Manifest, UnreadableRowError
from kelarec.domain.codes import Kind, require_code, to_codes, to_direction, to_kind
from kelarec.domain.contact import Contact
from kelarec.domain.free_text import require_impersonal, require_text
from kelarec.domain.identity_code import PersonalIdentityCode
from kelarec.domain.instants import to_utc
from kelarec.domain.people import EmailAddress, Person, PhoneNumber, StaffId
from kelarec.errors import InvalidValueError, KelarecError, ManifestFault
from kelarec.media.audio import to_media_type

_CHAT_TYPE: Final = "application/json"
_CUSTOMER: Final = "customer_"
_NEEDED: Final = set(REQUIRED) - {"file"}


def _to_faults(faults: Iterable[ManifestFault]) -> tuple[ManifestFault, ...]:
    return tuple(faults)


@frozen(kw_only=True)
class RowReading:
    """What a row says, as far as it could be read.

    Attributes:
        contact_id: The contact centre's id; None if that has a fault.
        contact: What is told of the contact; None if one of the cells that every row has is faulty.
        kind: Call or chat; None if that has a fault.
        file: The path of the content below the folder; None if that has a fault.
        media_type: What the content is declared as.
        ended_at: When the contact ended, if the row says so.
        categories: Which data categories occur.
        faults: Everything that is wrong.
    """

    contact_id: str | None = None
    contact: Contact | None = None
    kind: Kind | None = None
    file: str | None = None
    media_type: str | None = None
    ended_at: datetime | None = None
    categories: frozenset[str] = frozenset()
    faults: tuple[ManifestFault, ...] = field(default=(), converter=_to_faults)


def _to_instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidValueError("It is no instant.", advice="Such as 2026-03-05T10:00:00+02:00.") from None
    if instant.tzinfo is None:
        raise InvalidValueError("The instant has no time zone.", advice="Such as 2026-03-05T10:00:00+02:00.")
    try:
        return to_utc(instant)
    except OverflowError:
        raise InvalidValueError("It is no instant.", advice="Such as 2026-03-05T10:00:00+02:00.") from None


def to_relative_path(text: str) -> str:
    """Return a path that stays below the folder it is looked up in, as far as its text tells.

    Raises:
        InvalidValueError: It leaves the folder, or is no path of a file.
    """
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or "\\" in text or not path.parts:
        raise InvalidValueError("The path leaves the folder.", advice="Name the file below the folder, with slashes.")
    return str(path)


def _to_categories(told: str | list[str]) -> frozenset[str]:
    return to_codes(told.replace(";", " ").replace(",", " ").split() if isinstance(told, str) else told)


def _to_content_type(text: str) -> str:
    return _CHAT_TYPE if text.strip().lower() == _CHAT_TYPE else to_media_type(text)


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "contact_id": lambda text: require_text(text, "contact id"),
    "kind": to_kind,
    "direction": to_direction,
    "line": lambda text: require_code(text, "line"),
    "started_at": _to_instant,
    "ended_at": _to_instant,
    "file": to_relative_path,
    "media_type": _to_content_type,
    "customer_name": lambda text: require_text(text, "name"),
    "customer_identity_code": PersonalIdentityCode,
    "customer_phone_number": PhoneNumber,
    "customer_email": EmailAddress,
    "adviser_id": StaffId,
    "support_expert_id": StaffId,
    "matter": lambda text: require_impersonal(text, "matter"),
    "unit": lambda text: require_code(text, "unit"),
    "service_number": lambda text: require_text(text, "service number"),
    "categories": _to_categories,
}


def read_row(manifest: Manifest, line: int, content: bytes) -> RowReading:
    """Read a row and put down everything that is wrong in it."""
    try:
        cells = manifest.to_cells(content)
    except UnreadableRowError as error:
        return RowReading(faults=[ManifestFault(line, None, error.sentence, error.advice)])
    faults = [ManifestFault(line, name, "The cell is empty.", "Fill it.") for name in REQUIRED if name not in cells]
    known = _read_cells(cells, line, faults)
    contact = _to_contact(known, line, faults) if known.keys() >= _NEEDED else None
    ended_at = known.get("ended_at")
    if contact is not None and ended_at is not None and ended_at < contact.started_at:
        faults.append(ManifestFault(line, "ended_at", "It ends before it starts.", "Exchange or correct the two."))
    return RowReading(
        contact_id=known.get("contact_id"),
        contact=contact,
        kind=known.get("kind"),
        file=known.get("file"),
        media_type=known.get("media_type"),
        ended_at=ended_at,
        categories=known.get("categories", frozenset()),
        faults=faults,
    )


def _read_cells(cells: Cells, line: int, faults: list[ManifestFault]) -> Cells:
    known: Cells = {}
    for name, cell in cells.items():
        is_list = name == "categories" and isinstance(cell, list) and all(isinstance(each, str) for each in cell)
        if not isinstance(cell, str) and not is_list:
            faults.append(ManifestFault(line, name, "A text belongs here.", "Put it in quotation marks."))
            continue
        try:
            known[name] = _READERS[name](cell)
        except KelarecError as error:
            faults.append(ManifestFault(line, name, error.happened, error.advice or "Correct it."))
    return known


def _to_contact(known: Cells, line: int, faults: list[ManifestFault]) -> Contact | None:
    told = {name.removeprefix(_CUSTOMER): cell for name, cell in known.items() if name.startswith(_CUSTOMER)}
    taken: Iterable[str] = ("file", "media_type", "ended_at", "categories")
    facts = {name: cell for name, cell in known.items() if name not in taken and not name.startswith(_CUSTOMER)}
    try:
        return Contact(customer=Person(**told) if told else None, **facts)
    except KelarecError as error:
        column = "support_expert_id" if "support_expert_id" in known else None
        faults.append(ManifestFault(line, column, error.happened, error.advice or "Correct it."))
        return None
