"""Who used recordings, for what, and to whom they were disclosed, held against the notice (sections 4, 7, 8 and 10)."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Final
from uuid import UUID

from attrs import Factory, define, field

from kelarec.audit.entries import Entry, EntryKind
from kelarec.audit.log_rows import open_entry
from kelarec.domain.instants import helsinki_date
from kelarec.domain.register import Register
from kelarec.domain.register_rules import DATA_SUBJECT_RIGHT
from kelarec.domain.register_versions import RegisterVersions
from kelarec.domain.staff import StaffMember
from kelarec.domain.staff_acts import Act
from kelarec.errors import IntegrityError, KeyUnavailableError
from kelarec.oversight.departure import Departure, Severity
from kelarec.oversight.log_in_order import Row, iter_rows
from kelarec.oversight.staff_then import StaffThen
from kelarec.storage.recordings import from_microseconds
from kelarec.storage.vault import Vault

_USES: Final[dict[str, frozenset[Act]]] = {
    EntryKind.LOOKED_UP.value: frozenset({Act.FIND}),
    EntryKind.DETAILS_SHOWN.value: frozenset({Act.DETAILS}),
    EntryKind.CONTENT_OPENED.value: frozenset({Act.OPEN, Act.CLIP, Act.READ_CHAT}),
    EntryKind.CONTENT_HANDED_OUT.value: frozenset({Act.HAND_OUT}),
    EntryKind.MASKING_BEGUN.value: frozenset({Act.MASK}),
    EntryKind.DISCLOSED.value: frozenset({Act.DISCLOSE}),
    EntryKind.DISCLOSURES_LISTED.value: frozenset({Act.LIST_DISCLOSURES}),
    EntryKind.SELECTED_FOR_TRAINING.value: frozenset({Act.SELECT}),
}
_STAFF: Final = frozenset({EntryKind.STAFF_ENROLLED, EntryKind.VERSION_ADOPTED})
_OPENED: Final = _STAFF | {
    EntryKind.ARCHIVE_CREATED,
    EntryKind.REGISTER_ADOPTED,
    EntryKind.DISCLOSED,
    EntryKind.REQUEST_RECEIVED,
}


@define
class Told:
    """What the log tells that other parts of the check need.

    Attributes:
        registers: The hash of each version of the register, and the entry that tells of it.
        requests: The entry that tells of each request, by its id.
        disclosures: The first entry of each disclosure, by its id, and when it was.
    """

    registers: dict[str, tuple[str, UUID]] = Factory(dict)
    requests: dict[str, UUID] = Factory(dict)
    disclosures: dict[str, tuple[UUID, datetime]] = Factory(dict)


@define
class PracticeOfUse:
    """Goes through the log once.

    Attributes:
        told: What else it tells; whole once the departures were gone through.
    """

    vault: Vault
    versions: RegisterVersions
    told: Told = field(factory=Told, init=False)
    _handed_out: dict[tuple[bytes, bytes], bytes] = field(factory=dict, init=False)
    _disclosed: set[tuple[bytes, bytes]] = field(factory=set, init=False)
    _users: set[str] = field(factory=set, init=False)
    _uncommitted: set[str] = field(factory=set, init=False)

    def iter_departures(self, today: date) -> Iterator[Departure]:
        """Go through the uses that the notice does not allow, and the staff who may no longer use anything."""
        staff = StaffThen(self.vault)
        for row in iter_rows(self.vault, frozenset(_OPENED)):
            if "payload" in row:
                self._note(row, staff)
            if row["kind"] in _USES:
                yield from self._judge(row, staff)
        for key, entry_id in self._handed_out.items():
            if key not in self._disclosed:
                yield Departure(
                    section=7,
                    code="handed-out-unregistered",
                    fact="A recording was handed out, neither to the person nor as a disclosure that was registered.",
                    severity=Severity.BREACH,
                    entry_id=UUID(bytes=entry_id),
                    recording_id=UUID(bytes=key[1]),
                    advice="Register the disclosure, with recipient and ground.",
                )
        yield from self._judge_staff_now(staff, self.versions.on(today), today)

    def _note(self, row: Row, staff: StaffThen) -> None:
        try:
            entry = open_entry(self.vault, row)
        except (KeyUnavailableError, IntegrityError):  # `verify` names what was altered
            return
        if entry.kind in _STAFF and "staff" in entry.facts:
            staff.note(entry)
        elif "register" in entry.facts and "record-sha256" in entry.facts:
            self.told.registers[entry.facts["register"]] = (entry.facts["record-sha256"], entry.id)
        elif entry.kind is EntryKind.REQUEST_RECEIVED:
            self.told.requests[entry.facts["request"]] = entry.id
        elif entry.kind is EntryKind.DISCLOSED:
            self._note_disclosure(entry)

    def _note_disclosure(self, entry: Entry) -> None:
        if "disclosure" in entry.facts:
            self.told.disclosures.setdefault(entry.facts["disclosure"], (entry.id, entry.at))
        if entry.session_id is not None and entry.recording_id is not None:
            self._disclosed.add((entry.session_id.bytes, entry.recording_id.bytes))

    def _judge(self, row: Row, staff: StaffThen) -> Iterator[Departure]:
        at, actor, purpose = from_microseconds(row["at"]), row["actor"], row["purpose"]
        self._users.add(actor)
        handed_out = row["kind"] == EntryKind.CONTENT_HANDED_OUT.value and purpose != DATA_SUBJECT_RIGHT
        if handed_out and row["session_id"] is not None and row["recording_id"] is not None:
            self._handed_out.setdefault((row["session_id"], row["recording_id"]), row["id"])
        register, on = self.versions.in_force(at), helsinki_date(at)
        if purpose is None or not register.has_purpose(purpose, on=on):
            yield _depart(
                row,
                section=4,
                code="undeclared-purpose",
                fact=f"A recording was used for {purpose or 'no purpose'}, which the notice does not declare.",
                advice="Find out who may have let it through; tell the data protection officer.",
            )
        elif not staff.is_elsewhere:
            yield from self._judge_member(row, register, on, staff.find(actor))

    def _judge_member(self, row: Row, register: Register, on: date, member: StaffMember | None) -> Iterator[Departure]:
        if member is None:
            yield _depart(
                row,
                section=10,
                code="use-by-unknown-staff",
                fact=f"{row['actor']}, whom the archive did not know, used recordings.",
                advice="Find out who it was; enrol staff before they work.",
            )
        elif not any(each.is_in_force(on) for each in member.commitments):
            self._uncommitted.add(row["actor"])
            yield _depart(
                row,
                section=10,
                code="use-without-commitment",
                fact=f"{row['actor']} used recordings without a confidentiality commitment in force.",
                advice="Have the commitment signed, and find out who let it through.",
            )
        elif not _grants(register, member, _USES[row["kind"]], row["purpose"]):
            yield _depart(
                row,
                section=10,
                code="use-without-role",
                fact=f"{row['actor']} did what no role of theirs grants for {row['purpose']}: {row['kind']}.",
                advice="Find out who let it through.",
            )

    def _judge_staff_now(self, staff: StaffThen, register: Register, today: date) -> Iterator[Departure]:
        for member in staff.iter_now(self._users):
            unknown = sorted(code for code in member.roles if register.find_role(code) is None)
            if unknown:
                yield Departure(
                    section=10,
                    code="undeclared-role",
                    fact=f"{member.id} has roles that the notice in force does not declare: {', '.join(unknown)}.",
                    severity=Severity.LAPSE,
                    entry_id=staff.find_entry(member.id),
                    advice="Give them a role of the register, or none.",
                )
            is_bound = any(each.is_in_force(today) for each in member.commitments)
            name = member.id.text
            if name in self._users - self._uncommitted and member.roles and not is_bound:
                yield Departure(
                    section=10,
                    code="commitment-lapsed",
                    fact=f"{name} has used recordings, still has roles, and has no commitment in force any more.",
                    severity=Severity.LAPSE,
                    entry_id=staff.find_entry(member.id),
                    advice="Have it signed anew, or take the roles away; until then every act is denied.",
                )


def _grants(register: Register, member: StaffMember, acts: frozenset[Act], purpose: str) -> bool:
    roles = (register.find_role(code) for code in member.roles)
    return any(role is not None and role.grants(act, purpose) for role in roles for act in acts)


def _depart(row: Row, *, section: int, code: str, fact: str, advice: str) -> Departure:
    return Departure(
        section=section,
        code=code,
        fact=fact,
        severity=Severity.BREACH,
        entry_id=UUID(bytes=row["id"]),
        recording_id=None if row["recording_id"] is None else UUID(bytes=row["recording_id"]),
        advice=advice,
    )
