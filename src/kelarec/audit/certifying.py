"""Statements about single log entries that a third party can check: entry, proof, signed checkpoint."""

import base64
import json
from collections.abc import Collection, Iterator
from typing import Any, Final
from uuid import UUID

from attrs import field, frozen
from sqlalchemy import select

from kelarec.audit.entries import Entry, EntryKind
from kelarec.audit.integrator import Integrator, TreeHead
from kelarec.audit.leaf import SALT_BYTES, open_commitment
from kelarec.audit.log_rows import open_secret
from kelarec.audit.verify import open_note
from kelarec.audit.verify_certificate import FIRST_LINE
from kelarec.errors import IntegrityError, KeyUnavailableError
from kelarec.storage import catalog_tables as tables
from kelarec.storage.vault import Vault

_ENTRIES: Final = tables.entries.c


@frozen
class ProvenEntry:
    """An entry of the tree, with what shows it there.

    Attributes:
        entry: What is told.
        index: Its place in the tree, from 0.
        head: The checkpoint whose tree it is in.
        cosigned_by: Names of the witnesses that have signed that checkpoint, unchecked.
    """

    entry: Entry
    index: int
    head: TreeHead
    cosigned_by: tuple[str, ...]
    _leaf: bytes = field(repr=False)
    _secret: bytes = field(repr=False)
    _proof: tuple[bytes, ...] = field(repr=False)

    def to_facts(self) -> dict[str, object]:
        """Return what a certificate holds of it; see docs/formats.md."""
        return {
            "payload": self._secret[SALT_BYTES:].decode(),
            "salt": base64.b64encode(self._secret[:SALT_BYTES]).decode(),
            "leaf": self._leaf.decode(),
            "index": self.index,
            "proof": [base64.b64encode(each).decode() for each in self._proof],
            "checkpoint": self.head.note.decode(),
        }


class Certifier:
    """Proves entries of one archive's log and signs statements about them."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._integrator = Integrator(vault)

    @property
    def origin(self) -> str:
        """The name of the log."""
        return self._integrator.origin

    def iter_proven(
        self, kinds: Collection[EntryKind], *, recording_id: UUID | None = None, after: int = -1
    ) -> Iterator[ProvenEntry]:
        """Go through the entries of some kinds that are in the tree, oldest first.

        Those whose payload has ended tell nothing any more and are left out.

        Args:
            kinds: Which.
            recording_id: Only what was done to one recording.
            after: Only beyond an index.

        Raises:
            IntegrityError: An entry, a tile or the checkpoint was altered.
        """
        head = self._integrator.find_head()
        if head is None:
            return
        seen = open_note(head.note, [self._integrator.key])
        cosigned_by = tuple(sorted({each.rpartition("+")[0] for each in seen.unknown}))
        wanted = select(tables.entries).where(
            _ENTRIES.kind.in_([kind.value for kind in kinds]),
            _ENTRIES.leaf_index.between(after + 1, head.checkpoint.size - 1),
            _ENTRIES.actor != "",
        )
        if recording_id is not None:
            wanted = wanted.where(_ENTRIES.recording_id == recording_id.bytes)
        with self._vault.database.begin() as connection:
            rows = connection.execute(wanted.order_by(_ENTRIES.leaf_index)).mappings().all()
        for row in rows:
            yield self._prove(row, head, cosigned_by)

    def _prove(self, row: Any, head: TreeHead, cosigned_by: tuple[str, ...]) -> ProvenEntry:  # noqa: ANN401  a mapping
        try:
            secret = open_secret(self._vault, row)
        except KeyUnavailableError as error:
            raise IntegrityError(f"The entry {row['leaf_index']} cannot be read: {error}") from None
        entry = open_commitment(row["leaf"], secret)
        proof = tuple(self._integrator.prove(row["leaf_index"], head))
        return ProvenEntry(entry, row["leaf_index"], head, cosigned_by, row["leaf"], secret, proof)

    def sign(self, words: list[str], facts: dict[str, object]) -> bytes:
        """Return words and facts as a certificate, signed by the log's key."""
        last = json.dumps(facts, ensure_ascii=False, sort_keys=True)
        return self._integrator.sign_statement("\n".join([FIRST_LINE, *words, "", last, ""]))
