"""The keys of an archive as its operators see them: ids, dates and states, never bytes."""

from datetime import date
from enum import StrEnum
from typing import Final
from uuid import UUID

from attrs import frozen
from sqlalchemy import select

from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.access_rule import Clause
from kelarec.domain.codes import State
from kelarec.domain.free_text import require_impersonal
from kelarec.domain.instants import end_of, helsinki_date
from kelarec.domain.people import Actor, StaffId
from kelarec.domain.staff_acts import Act
from kelarec.errors import ExpiredError, KeyCopiesDifferError, ObjectNotFoundError
from kelarec.storage import catalog_tables as tables
from kelarec.storage.key_export import UNSAFE_EXPORT_TOKEN, UnsafeExportToken
from kelarec.storage.keyring import SIGNING, STANDING
from kelarec.storage.mirrored import find_differences
from kelarec.storage.recordings import Recordings
from kelarec.storage.ring import require_ring_of
from kelarec.storage.roots import Secrets, load_root_key
from kelarec.storage.vault import Vault

RING: Final = "ring"
_MOST_SHOWN: Final = 5


class KeyState(StrEnum):
    """How a key stands."""

    IN_USE = "in-use"
    OVER = "over"  # its date is over; the next sweep destroys it
    MISSING = "missing"  # something needs it and it is not there


@frozen
class KeyFacts:
    """What may be said of a key.

    Attributes:
        id: ``ring``, ``standing``, ``signing`` or the date.
        state: How it stands.
        kept_through: The last day of a day's keys, or None for what has no end.
        root_kind: Of the ring key: which kind of root key wraps it.
    """

    id: str
    state: KeyState
    kept_through: date | None = None
    root_kind: str | None = None


class Keys:
    """The keys of one archive."""

    def __init__(self, vault: Vault, log: AuditLog) -> None:
        self._vault = vault
        self._log = log
        self._recordings = Recordings(vault)

    def list_keys(self) -> tuple[KeyFacts, ...]:
        """Return the facts of every key: first the ring, standing and signing keys, then the days', earliest first.

        A day that recordings, log entries or disclosures need and that has no keys is among them, as missing.
        """
        place = self._vault.keyring.place
        ring = require_ring_of(place, self._vault.archive_id)
        facts = [KeyFacts(RING, KeyState.IN_USE, root_kind=ring.scheme)]
        for key_id in (STANDING, SIGNING):
            try:
                place.get_size(f"{key_id}.key")
            except ObjectNotFoundError:
                facts.append(KeyFacts(key_id, KeyState.MISSING))
            else:
                facts.append(KeyFacts(key_id, KeyState.IN_USE))
        there = set(self._vault.keyring.iter_days())
        now = self._vault.now()
        for day in sorted(there | self._find_needed_days()):
            over = KeyState.OVER if end_of(day) <= now else KeyState.IN_USE
            facts.append(KeyFacts(day.isoformat(), over if day in there else KeyState.MISSING, kept_through=day))
        return tuple(facts)

    def _find_needed_days(self) -> set[date]:
        today = helsinki_date(self._vault.now()).toordinal()
        wanted = [select(tables.recordings.c.kept_through).distinct()]
        wanted += [
            select(log.c.ends_on).where(log.c.actor != "").distinct() for log in (tables.entries, tables.waiting)
        ]
        wanted.append(select(tables.disclosures.c.ends_on).distinct())
        with self._vault.database.begin() as connection:
            days = [day for each in wanted for day in connection.execute(each).scalars()]
        return {date.fromordinal(day) for day in days if day >= today}

    def require_same_copies(self) -> None:
        """Check that two copies of the keys hold the same; with one copy there is nothing to compare.

        Raises:
            KeyCopiesDifferError: They do not.
            KeyCopyAwayError: One of them is away.
        """
        differences = find_differences(self._vault.keyring.place)
        if differences:
            told = [
                f"{each.path} ({f'only in the {each.only_in}' if each.only_in else 'unlike'})" for each in differences
            ]
            more = f" and {len(told) - _MOST_SHOWN} more" if len(told) > _MOST_SHOWN else ""
            raise KeyCopiesDifferError(f"The two copies of the keys differ: {', '.join(told[:_MOST_SHOWN])}{more}.")

    def rotate(self, *, root_key: str, secrets: Secrets | None = None, by: Actor) -> None:
        """Put the ring key under another root key. One file is replaced; no other key and no object changes.

        The log tells of it twice: when it begins and when it is done. A crash in between leaves the old root key in
        force or the new one.

        Args:
            root_key: The URI of the new root key, such as ``pkcs11:…``.
            secrets: Is asked for the new one's passphrase or PIN.
            by: The system or operator who does it.

        Raises:
            DeniedError: A staff member without a role that grants it.
            RootKeyError, UnknownSchemeError, MissingExtraError: The new root key cannot be had; the old one stands.
            StorageError: The key place refuses.
        """
        self._log.require_may(by, Act.ROTATE_ROOT_KEY)
        new = load_root_key(root_key, self._vault.randomness, secrets)
        old = require_ring_of(self._vault.keyring.place, self._vault.archive_id)
        kind, kinds = EntryKind.ROOT_KEY_ROTATION, f"{old.scheme} to {new.scheme}"
        self._log.write(self._log.new_entry(kind, by, kinds=kinds, outcome="begun"))
        self._vault.keyring.rewrap(new)
        self._log.write(self._log.new_entry(kind, by, kinds=kinds, outcome="done"))

    def unsafe_export_data_key(
        self, recording_id: UUID, *, token: UnsafeExportToken, by: StaffId, reason: str
    ) -> bytes:
        """Hand out the data key of one recording: 32 bytes that open its parts wherever they are, for ever.

        The one way to content that is not a session, for a court or an examiner who works without kelarec.

        Args:
            recording_id: Which recording.
            token: `kelarec.storage.key_export.UNSAFE_EXPORT_TOKEN`.
            by: A staff member whose role grants it; no system does this.
            reason: Why, without anybody's identifier; it stands in the log.

        Raises:
            DeniedError: Not by this caller, or no such recording; the denial is in the log.
            ExpiredError: The recording's last day is over.
            LooksLikeIdentifierError, InvalidValueError: The reason is none that may stand in the log.
        """
        reason = require_impersonal(reason, "reason")
        if token is not UNSAFE_EXPORT_TOKEN:
            raise self._deny(by, recording_id, "token")
        if not isinstance(by, StaffId):
            raise self._deny(by, recording_id, Clause.KNOWN_STAFF)
        self._log.require_may(by, Act.EXPORT_DATA_KEY)
        with self._vault.database.begin() as connection:
            opened = self._recordings.find_one(connection, recording_id)
        if opened is None:
            raise self._deny(by, recording_id, Clause.KNOWN_RECORDING)
        if end_of(opened.record.recording.kept_through) <= self._vault.now():
            self._deny(by, recording_id, Clause.END)
            raise ExpiredError(
                "The recording's retention has ended; its key is not handed out.", clause=Clause.END.value
            )
        if opened.record.recording.state is State.RESTRICTED:
            raise self._deny(by, recording_id, Clause.RESTRICTION)
        entry = self._log.new_entry(EntryKind.DATA_KEY_EXPORTED, by, recording_id=recording_id, reason=reason)
        self._log.write(entry)
        return opened.data_key.bare

    def _deny(self, by: Actor, recording_id: UUID, clause: str) -> Exception:
        act = Act.EXPORT_DATA_KEY.value
        entry = self._log.new_entry(EntryKind.DENIED, by, recording_id=recording_id, act=act, clause=clause)
        return self._log.deny(
            entry,
            f"The data key of recording {recording_id} is not handed out to {by}: {clause}.",
            clause=clause,
            advice="See Keys.unsafe_export_data_key for who may ask and how.",
        )
