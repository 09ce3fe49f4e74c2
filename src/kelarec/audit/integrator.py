"""The integrator: numbers waiting entries, writes their tiles, then a signed checkpoint.

One process at a time holds the lease. What it does is the same whoever does it: entries are numbered once, in the
catalog, and everything after follows from the numbers. So an integrator that stalls or dies loses nothing, and the next
one writes the same tiles again.

    audit/catalog                      the id of the one catalog that may number entries
    audit/key                          the public key, as a C2SP verifier key
    audit/checkpoint                   the newest checkpoint (c2sp.org/tlog-checkpoint)
    audit/checkpoints/<size>           every checkpoint that was signed
    audit/tile/…                       tiles and entry bundles (c2sp.org/tlog-tiles)
    audit/payloads/<end>/<from>-<to>   salts and payloads, sealed
"""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any, Final

from attrs import frozen
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, delete, func, insert, literal, select, update

from kelarec.audit import succession
from kelarec.audit.note import sign_note
from kelarec.audit.proofs import verify_consistency
from kelarec.audit.tiles import consistency_proof, grow, inclusion_proof
from kelarec.audit.verify import (
    ED25519,
    TILE_WIDTH,
    Checkpoint,
    VerificationError,
    VerificationKey,
    get_tile,
    leaf_hash,
    open_checkpoint,
)
from kelarec.errors import (
    CatalogError,
    ClockError,
    ForkedLogError,
    IntegrityError,
    InvalidValueError,
    KelarecError,
    ObjectExistsError,
    ObjectNotFoundError,
)
from kelarec.storage import catalog_tables as tables
from kelarec.storage.engine import read_catalog_fact
from kelarec.storage.recordings import microseconds
from kelarec.storage.vault import Vault

FOLDER: Final = "audit"
LONGEST_BATCH: Final = 4096
_LEASE: Final = "integrator"
_LEASE_FOR: Final = timedelta(seconds=30)
_PAUSE: Final = timedelta(seconds=2)
_NOBODY: Final = ""
_LOGGER: Final = logging.getLogger("kelarec.audit")

Witness = Callable[[bytes], bytes | None]
"""Takes a signed checkpoint and keeps it elsewhere; may return a signature line (c2sp.org/tlog-cosignature) for it."""


@frozen
class TreeHead:
    """The newest signed checkpoint.

    Attributes:
        checkpoint: Origin, size and root.
        note: The signed note.
    """

    checkpoint: Checkpoint
    note: bytes


class Integrator:
    """Builds the tree behind the entries of one archive.

    Attributes:
        is_witnessed: Whether a witness took the newest checkpoint that this process has shown; before the first,
            whether there is any witness.
    """

    def __init__(self, vault: Vault, witnesses: Sequence[Witness] = ()) -> None:
        self._vault = vault
        self._witnesses = witnesses
        self.is_witnessed = bool(witnesses)
        self._turn = threading.RLock()
        self._holder = vault.randomness(16).hex()
        self._signing_key = Ed25519PrivateKey.from_private_bytes(vault.keyring.get_signing_seed())
        self.origin = f"kelarec/{vault.archive_id}"
        self.key = VerificationKey(self.origin, ED25519, self._signing_key.public_key().public_bytes_raw())
        self.vkey = self.key.to_vkey()

    def sign_statement(self, text: str) -> bytes:
        """Return a statement that is no checkpoint as a note signed by the log's key.

        Raises:
            InvalidValueError: It begins as a checkpoint does; only an integrator signs those.
        """
        if text.startswith(f"{self.origin}\n"):
            raise InvalidValueError("A statement that begins as a checkpoint does is never signed.")
        return sign_note(text.encode(), self.origin, self._signing_key)

    def prove(self, index: int, head: TreeHead) -> list[bytes]:
        """Return the hashes that show an entry to be in the tree of a checkpoint (RFC 6962, 2.1.1).

        Raises:
            IntegrityError: A tile is missing or cut.
        """
        try:
            return inclusion_proof(index, head.checkpoint.size, self._read)
        except VerificationError as error:
            raise IntegrityError(f"An entry of the log cannot be proven: {error}") from None

    def begin_log(self) -> None:
        """Write the catalog's id and the public key of a new archive."""
        succession.begin(self._vault.objects, self._read_catalog_id())
        self._vault.objects.write(f"{FOLDER}/key", [f"{self.vkey}\n".encode()])

    def find_head(self) -> TreeHead | None:
        """Return the newest checkpoint, or None before the first.

        Raises:
            IntegrityError: It is not one that this archive signed.
        """
        try:
            note = self._vault.objects.read(f"{FOLDER}/checkpoint")
        except ObjectNotFoundError:
            return None
        try:
            return TreeHead(open_checkpoint(note, self.key), note)
        except VerificationError as error:
            raise IntegrityError(f"The log's newest checkpoint is not one that this archive signed: {error}") from None

    def find_newest_head(self) -> TreeHead | None:
        """Return the newest checkpoint that was ever signed, also if `audit/checkpoint` names an older one or none.

        Raises:
            IntegrityError: One of the two is not one that this archive signed.
        """
        head = self.find_head()
        newest = max(self._vault.objects.iter_paths(f"{FOLDER}/checkpoints"), default=None)
        if newest is None:
            return head
        note = self._vault.objects.read(newest)
        try:
            signed = TreeHead(open_checkpoint(note, self.key), note)
        except VerificationError as error:
            raise IntegrityError(f"The checkpoint {newest} is not one that this archive signed: {error}") from None
        return signed if head is None or signed.checkpoint.size > head.checkpoint.size else head

    def adopt(self, head: TreeHead) -> None:
        """Make a signed checkpoint the newest one: an integrator died before it did, or an older one was put back."""
        self._vault.objects.replace(f"{FOLDER}/checkpoint", head.note)

    def integrate(self, *, is_urgent: bool = True) -> TreeHead | None:
        """Bring every waiting entry into the tree; return the newest checkpoint, or None if another is at work.

        What is not urgent waits until two seconds after the newest checkpoint, whoever made that.

        Raises:
            ClockError: A clock ran backwards by more than a minute while an integrator was at work.
            CatalogMismatchError: Another catalog numbers this archive's entries.
            ForkedLogError: The log that lies there is not the beginning of the one this catalog holds.
            IntegrityError: The newest checkpoint or a tile was altered.
            CatalogError, StorageError: A place refuses; the entries wait for the next try.
        """
        with self._turn:  # the lease is the process's: its threads take turns
            return self._integrate() if self._take_lease(is_urgent=is_urgent) else None

    def _integrate(self) -> TreeHead | None:
        try:
            self._require_own_catalog()
            head = self.find_head()
            while True:
                size = 0 if head is None else head.checkpoint.size
                with self._vault.database.begin() as connection:
                    self._require_continues(connection, head)
                    self._number_waiting(connection, size)
                    rows = self._read_numbered(connection, size)
                if not rows:
                    return head
                head = self._extend(head, rows)
        finally:
            self._release_lease()

    def _take_lease(self, *, is_urgent: bool) -> bool:
        now = self._vault.now()
        leases = tables.leases.c
        with self._vault.database.begin() as connection:
            self._vault.database.take_turn(connection, _LEASE)
            row = connection.execute(select(leases.holder, leases.ends_at).where(leases.name == _LEASE)).one_or_none()
            if row is not None and not self._may_take(row.holder, row.ends_at, now, is_urgent=is_urgent):
                return False
            connection.execute(delete(tables.leases).where(leases.name == _LEASE))
            ends_at = microseconds(now + _LEASE_FOR)
            connection.execute(insert(tables.leases).values(name=_LEASE, holder=self._holder, ends_at=ends_at))
        return True

    def _may_take(self, holder: str, ends_at: int, now: datetime, *, is_urgent: bool) -> bool:
        is_ahead = microseconds(now + 2 * _LEASE_FOR) < ends_at
        if holder == _NOBODY:  # a pause, which nobody holds and a clock that was set back makes void
            return is_urgent or is_ahead or microseconds(now) >= ends_at
        if is_ahead:
            raise ClockError(
                "The integrator's lease was taken at a later time than now: a clock ran backwards.",
                advice="Check the clocks of all machines; entries wait until they are right.",
            )
        return holder == self._holder or microseconds(now) >= ends_at

    def _require_lease(self) -> None:
        with self._vault.database.begin() as connection:
            leases = tables.leases.c
            holder = connection.execute(select(leases.holder).where(leases.name == _LEASE)).scalar_one_or_none()
        if holder != self._holder:
            raise CatalogError(
                "Another integrator took over while this one stalled.", advice="Nothing is lost; it does the work."
            )

    def _release_lease(self) -> None:
        pause = microseconds(self._vault.now() + _PAUSE)
        with self._vault.database.begin() as connection:
            leases = tables.leases.c
            connection.execute(
                update(tables.leases)
                .where(leases.name == _LEASE, leases.holder == self._holder)
                .values(holder=_NOBODY, ends_at=pause)
            )

    def _require_continues(self, connection: Connection, head: TreeHead | None) -> None:
        """Check, before anything is numbered, that the catalog still holds the entry that the tree ends with."""
        if head is None:
            return
        index, at = divmod(head.checkpoint.size - 1, TILE_WIDTH)
        try:
            last = get_tile(self._read, 0, index, at + 1)[at]
        except VerificationError as error:
            raise IntegrityError(f"The log cannot be continued: {error}") from None
        entries = tables.entries.c
        leaf = connection.execute(
            select(entries.leaf).where(entries.leaf_index == head.checkpoint.size - 1)
        ).scalar_one_or_none()
        if leaf is None or leaf_hash(leaf) != last:
            raise ForkedLogError(
                f"The log ends with entry {head.checkpoint.size - 1}; the catalog holds another or none there: "
                "it was rolled back."
            )

    def _number_waiting(self, connection: Connection, size: int) -> None:
        """Move waiting entries to the end of the log, which numbers them."""
        self._vault.database.take_turn(connection, "numbering")
        entries, waiting = tables.entries.c, tables.waiting.c
        highest = connection.execute(select(func.max(entries.leaf_index))).scalar_one_or_none()
        following = 0 if highest is None else highest + 1
        if following - size >= LONGEST_BATCH:
            return
        # By what waits, never by position: positions do not become visible in their order.
        names = [column.name for column in entries if column.name != "leaf_index"]
        index = literal(following - 1) + func.row_number().over(order_by=waiting.position)
        numbered = select(index, *(waiting[name] for name in names)).order_by(waiting.position).limit(LONGEST_BATCH)
        connection.execute(insert(tables.entries).from_select(["leaf_index", *names], numbered))
        moved = select(entries.id).where(entries.leaf_index >= following)
        connection.execute(delete(tables.waiting).where(waiting.id.in_(moved)))

    def _read_numbered(self, connection: Connection, size: int) -> list[Any]:
        entries = tables.entries.c
        wanted = (
            select(entries.id, entries.ends_on, entries.leaf, entries.payload, entries.leaf_index)
            .where(entries.leaf_index >= size)
            .order_by(entries.leaf_index)
            .limit(LONGEST_BATCH)
        )
        rows = list(connection.execute(wanted).all())
        if rows and [row.leaf_index for row in rows] != list(range(size, size + len(rows))):
            raise ForkedLogError("The catalog lacks entries that it had numbered: rows were removed or it is damaged.")
        return rows

    def _extend(self, head: TreeHead | None, rows: list[Any]) -> TreeHead:
        size = 0 if head is None else head.checkpoint.size
        self._write_payloads(size, rows)
        root = None if head is None else head.checkpoint.root
        try:
            growth = grow(size, [bytes(row.leaf) for row in rows], self._read, root=root)
        except VerificationError as error:
            raise IntegrityError(f"The log cannot be continued: {error}") from None
        for path, content in growth.objects:
            self._write_same(f"{FOLDER}/{path}", content)
        checkpoint = Checkpoint(self.origin, growth.size, growth.root)
        if head is not None:
            self._prove_consistent(head.checkpoint, checkpoint)
        self._require_own_catalog()
        note = sign_note(checkpoint.to_text(), self.origin, self._signing_key)
        shown = self._show_witnesses(note)
        self._require_lease()
        self._vault.objects.replace(f"{FOLDER}/checkpoint", shown)
        # Kept after it is published: who lists what was kept and then reads the newest never finds that one older.
        self._write_same(f"{FOLDER}/checkpoints/{checkpoint.size:020}", note)
        return TreeHead(checkpoint, shown)

    def _prove_consistent(self, older: Checkpoint, newer: Checkpoint) -> None:
        try:
            proof = consistency_proof(older.size, newer.size, self._read)
            verify_consistency(older.size, newer.size, proof, older.root, newer.root)
        except VerificationError as error:
            raise ForkedLogError(f"The log does not continue the one that was signed: {error}") from None

    def _show_witnesses(self, note: bytes) -> bytes:
        """Return the checkpoint with the cosignatures of those who gave one; no witness can hold up the log."""
        self.is_witnessed = False
        for witness in self._witnesses:
            try:
                cosigned = note + (witness(note) or b"")
                open_checkpoint(cosigned, self.key)
            except (VerificationError, KelarecError, OSError) as error:
                _LOGGER.warning("A witness did not cosign a checkpoint: %s", type(error).__name__)
            else:
                note = cosigned
                self.is_witnessed = True
        return note

    def _write_payloads(self, size: int, rows: list[Any]) -> None:
        by_end: dict[int, list[bytes]] = defaultdict(list)
        for row in rows:
            if row.payload:
                by_end[row.ends_on].append(row.id.hex().encode() + b" " + row.payload)
        for ends_on, lines in by_end.items():
            name = f"{size:020}-{size + len(rows):020}"
            path = f"{FOLDER}/payloads/{date.fromordinal(ends_on).isoformat()}/{name}"
            with suppress(ObjectExistsError):  # written by an integrator that did not get as far as its checkpoint
                self._vault.objects.write(path, [b"\n".join([*lines, b""])])

    def _write_same(self, path: str, content: bytes) -> None:
        try:
            self._vault.objects.write(path, [content])
        except ObjectExistsError:
            if self._vault.objects.read(path) != content:
                raise ForkedLogError(f"The object {path} holds another history of the log.") from None

    def _read(self, path: str) -> bytes | None:
        try:
            return self._vault.objects.read(f"{FOLDER}/{path}")
        except ObjectNotFoundError:
            return None

    def _read_catalog_id(self) -> str:
        with self._vault.database.begin() as connection:
            return read_catalog_fact(connection, "catalog")

    def _require_own_catalog(self) -> None:
        succession.require_in_charge(self._vault.objects, self._read_catalog_id())
