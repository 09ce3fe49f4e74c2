"""Disclosures (luovutukset): what was given to somebody outside the authority (notice, sections 7 and 8)."""

from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID

from attrs import field, frozen
from attrs.validators import deep_iterable, instance_of, min_len

from kelarec.domain.eea import require_eea
from kelarec.domain.free_text import require_impersonal, require_text
from kelarec.domain.instants import to_utc
from kelarec.domain.people import StaffId


def _to_name(text: object) -> str:
    return require_text(text, "name of the recipient")


def _to_country(country: object) -> str:
    return require_eea(country, "recipient")


def _to_ground(text: object) -> str:
    return require_impersonal(text, "legal ground")


def _to_items(text: object) -> str:
    return require_impersonal(text, "items")


def _to_ids(ids: Iterable[UUID]) -> tuple[UUID, ...]:
    return tuple(ids)


@frozen(kw_only=True)
class Recipient:
    """To whom recordings are disclosed: a person or authority by name, in the EU/EEA (C-154/21; notice, section 8).

    Raises:
        NotResidentError: The country is not in the EU/EEA.
    """

    name: str = field(converter=_to_name)
    country: str = field(converter=_to_country)


@frozen(kw_only=True)
class Disclosure:
    """One entry of the register of disclosures.

    Attributes:
        id: A UUID of version 7.
        recipient: To whom.
        ground: The law that allows it, such as an act and section, without a person's identifier.
        items: What of the recordings was given, in words.
        recording_ids: Of which recordings.
        by: Who disclosed it.
        at: When, UTC.
        kept_through: The last Helsinki date on which the entry is kept.

    Source: notice, section 7; Art. 15(1)(c), Art. 19.
    """

    id: UUID = field(validator=instance_of(UUID))
    recipient: Recipient = field(validator=instance_of(Recipient))
    ground: str = field(converter=_to_ground)
    items: str = field(converter=_to_items)
    recording_ids: tuple[UUID, ...] = field(converter=_to_ids, validator=[min_len(1), deep_iterable(instance_of(UUID))])
    by: StaffId = field(validator=instance_of(StaffId))
    at: datetime = field(converter=to_utc)
    kept_through: date = field(validator=instance_of(date))
