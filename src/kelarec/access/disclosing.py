"""Disclosing: once, to one recipient in the EU/EEA, on a legal ground, and in the register (notice, sections 7, 8)."""

from uuid import UUID

from kelarec.access.gate import Gate
from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.disclosure import Disclosure, Recipient
from kelarec.domain.retention import RetentionPolicy
from kelarec.domain.staff_acts import Act
from kelarec.errors import InvalidValueError, StandingDisclosureError
from kelarec.storage.disclosures import DisclosureRegister
from kelarec.storage.vault import Vault


def disclose(
    vault: Vault,
    log: AuditLog,
    gate: Gate,
    recording_ids: tuple[UUID, ...],
    *,
    kept: RetentionPolicy,
    recipient: str,
    country: str,
    ground: str,
    items: str,
    recurring: str | None,
) -> Disclosure:
    """Register one disclosure, if the rule allows it for each of the recordings; else nothing is registered.

    The entry has an end of its own, since a person may ask for it when the recordings are long gone.

    Raises:
        StandingDisclosureError: It is meant to recur (notice, section 7).
        NotResidentError: The recipient is not in the EU/EEA (notice, section 8).
        InvalidValueError: There is no recording, or another field is empty or malformed.
        LooksLikeIdentifierError: Ground or items look like they name a person.
        DeniedError: A clause of the access rule is false for one of the recordings.
    """
    if recurring is not None:
        gate.write_denial(Act.DISCLOSE, "standing-disclosure")
        raise StandingDisclosureError(
            "The notice has no regular disclosures (section 7): säännönmukaisia luovutuksia ei ole."
        )
    with gate.logging_refusals(Act.DISCLOSE):
        if not recording_ids:
            raise InvalidValueError("A disclosure of no recording.", advice="Name the recordings.")
        at = vault.now()
        disclosure = Disclosure(
            id=vault.new_id(),
            recipient=Recipient(name=recipient, country=country),
            ground=ground,
            items=items,
            recording_ids=recording_ids,
            by=gate.terms.staff_id,
            at=at,
            kept_through=kept.last_day(at),
        )
    opened = [gate.require_one(Act.DISCLOSE, each) for each in recording_ids]
    register = DisclosureRegister(vault)
    path, envelope = register.write(disclosure)
    contacts = [each.record.details.contact for each in opened]
    try:
        with vault.database.begin() as connection:
            register.insert(connection, disclosure, contacts, path, envelope)
            for each in recording_ids:
                entry = gate.entry(
                    EntryKind.DISCLOSED, each, disclosure=str(disclosure.id), country=disclosure.recipient.country
                )
                log.append(connection, entry)
    except BaseException:
        vault.objects.delete(path)
        raise
    log.wake()
    return disclosure
