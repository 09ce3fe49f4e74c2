"""What is known of a recording that is being erased, once its record opens no longer: it stands in the log."""

from datetime import date
from typing import Final
from uuid import UUID

from attrs import evolve, frozen

from kelarec.audit.entries import Entry, EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.people import Actor
from kelarec.storage.key_leaves import KeyLeaf
from kelarec.storage.recordings import recording_folder

_IDS_IN_ONE_FACT: Final = 13  # a fact has up to 500 characters


@frozen(kw_only=True)
class ErasureTarget:
    """One recording of an erasure.

    Attributes:
        recording_id: Which.
        kept_through: Its last day kept.
        recorded_on: Its day, by which its folder is named.
        bytes: Bytes of its content.
        parts: How many parts it has.
        is_spooled: Whether it was still in the spool when its erasure began.
        held: The decision's own hold that it is erased under, and the date of its review.
        disclosures: Ids of the entries of the disclosure register about it.
    """

    recording_id: UUID
    kept_through: date
    recorded_on: date
    bytes: int
    parts: int
    is_spooled: bool
    held: tuple[UUID, date] | None = None
    disclosures: tuple[UUID, ...] = ()

    @property
    def leaves(self) -> tuple[KeyLeaf, ...]:
        """Its key leaf, and that of its further date."""
        own = KeyLeaf(self.kept_through, self.recording_id)
        return (own,) if self.held is None else (own, KeyLeaf(self.held[1], self.recording_id, self.held[0]))

    @property
    def folder(self) -> str:
        """Where its objects lie."""
        return recording_folder(self.recording_id, self.recorded_on)


@frozen(kw_only=True)
class ErasureTerms:
    """Which erasure, on what ground, for which case.

    Attributes:
        id: A UUID of version 7.
        ground: A code, such as ``art-17-1-d``.
        matter: The case or request.
    """

    id: UUID
    ground: str
    matter: str


def new_target_entry(
    log: AuditLog,
    kind: EntryKind,
    terms: ErasureTerms,
    target: ErasureTarget,
    *,
    by: Actor,
    **facts: str,
) -> Entry:
    """Build the entry that tells of one recording of an erasure."""
    told = {
        "erasure": str(terms.id),
        "ground": terms.ground,
        "kept_through": target.kept_through.isoformat(),
        "recorded_on": target.recorded_on.isoformat(),
        "bytes": str(target.bytes),
        "parts": str(target.parts),
        **({"spooled": "yes"} if target.is_spooled else {}),
        **facts,
    }
    if target.held is not None:
        told |= {"hold": str(target.held[0]), "review_on": target.held[1].isoformat()}
    ids = [str(each) for each in target.disclosures]
    for number, start in enumerate(range(0, len(ids), _IDS_IN_ONE_FACT), start=1):
        told[f"disclosures_{number}"] = " ".join(ids[start : start + _IDS_IN_ONE_FACT])
    return evolve(log.new_entry(kind, by, recording_id=target.recording_id, terms=None, **told), matter=terms.matter)


def read_target_entry(entry: Entry) -> tuple[ErasureTerms, ErasureTarget]:
    """Return what such an entry tells."""
    facts = entry.facts
    if entry.recording_id is None:
        raise ValueError("An entry about an erasure names no recording.")
    terms = ErasureTerms(id=UUID(facts["erasure"]), ground=facts["ground"], matter=entry.matter or "")
    disclosures = " ".join(text for name, text in facts.items() if name.startswith("disclosures-")).split()
    held = (UUID(facts["hold"]), date.fromisoformat(facts["review-on"])) if "hold" in facts else None
    return terms, ErasureTarget(
        recording_id=entry.recording_id,
        kept_through=date.fromisoformat(facts["kept-through"]),
        recorded_on=date.fromisoformat(facts["recorded-on"]),
        bytes=int(facts["bytes"]),
        parts=int(facts["parts"]),
        is_spooled="spooled" in facts,
        held=held,
        disclosures=tuple(UUID(each) for each in disclosures),
    )
