"""Live takes of one process: how they begin, and how they end with the archive."""

import threading
from collections.abc import Collection
from functools import partial
from typing import Final
from uuid import UUID

from kelarec.audit.log import AuditLog
from kelarec.capture.admission import Admission
from kelarec.capture.drain import Drain
from kelarec.capture.spool_state import SpoolState
from kelarec.capture.spooled_head import Head, part_prefix, write_head
from kelarec.capture.take import Take
from kelarec.capture.take_part import make_part_forms
from kelarec.domain.codes import State
from kelarec.domain.contact import Contact
from kelarec.domain.people import Actor
from kelarec.domain.recording import Recording
from kelarec.domain.take import AudioForm, TakeStory
from kelarec.errors import ContactTakenError, NoSpoolError, SpoolError
from kelarec.storage.recordings import Recordings, from_microseconds
from kelarec.storage.spool import Spool
from kelarec.storage.spool_place import SpoolPlace
from kelarec.storage.spooled_take import SpooledTake
from kelarec.storage.vault import Vault

_CLOSED: Final = "the archive was closed"


class LiveTakes:
    """The takes that this process records, and the spool folder that it owns while it does."""

    def __init__(
        self, vault: Vault, log: AuditLog, admission: Admission, place: SpoolPlace | None, limit: int | None
    ) -> None:
        self._vault = vault
        self._log = log
        self._admission = admission
        self._place = place
        self._limit = limit
        self._recordings = Recordings(vault)
        self._drain = Drain(vault, log, self._forget, self._list_takes)
        self._spool: Spool | None = None
        self._takes: dict[bytes, Take] = {}
        self._contacts: dict[str, Take] = {}
        self._turn = threading.Lock()

    def begin(
        self,
        contact: Contact,
        *,
        parts: Collection[str],
        form: AudioForm | None,
        by: Actor,
        categories: Collection[str],
        linked_to: UUID | None,
    ) -> Take:
        """Begin a take; see `Capture.begin`."""
        forms = make_part_forms(parts, form, is_chat=contact.kind.is_chat)
        recording = self._admission.admit(
            contact, ended_at=contact.started_at, categories=categories, state=State.SPOOLED
        )
        story = TakeStory(
            contact=contact, parts=forms, by=str(by), categories=frozenset(categories), linked_to=linked_to
        )
        with self._turn:
            live = self._contacts.get(contact.contact_id)
            if live is not None and not live.spooled.is_ended:
                raise ContactTakenError("The contact is being taken already.")
            spool = self._get_spool()
            trouble = spool.refusal or spool.trouble
            if trouble is not None:
                raise type(trouble)(trouble.happened, advice=trouble.advice)
            take = self._make_take(spool, recording, story)
            self._takes[take.spooled.id] = self._contacts[contact.contact_id] = take
        spool.add(take.spooled)
        return take

    def _make_take(self, spool: Spool, recording: Recording, story: TakeStory) -> Take:
        data_key = self._recordings.new_data_key(recording.id, recording.kept_through)
        take_id = self._vault.new_id()
        head = write_head(self._vault, data_key, Head(recording, story))
        return Take(
            spool=spool,
            recording=recording,
            story=story,
            data_key=data_key,
            spooled=SpooledTake(take_id.bytes, data_key.bare, head),
            prefix_of=lambda form: part_prefix(self._vault, recording.id, take_id, form),
            clock=self._vault.now,
            on_change=self._drain.note_change,
            require_declared=partial(self._admission.require_declared, started_at=recording.started_at),
        )

    def _get_spool(self) -> Spool:
        if self._spool is None:
            if self._place is None:
                raise NoSpoolError("A live take needs a spool, and the archive has none.")
            self._spool = Spool(
                self._place.new_files(),
                self._vault.archive_id,
                self._vault.now,
                limit=self._limit,
                on_ended=lambda spooled: self._drain.put(self._takes[spooled.id]),
                on_durable=lambda spooled: self._drain.note_change(self._takes[spooled.id]),
                on_failure=self._tell_failure,
            )
            self._drain.start(self._spool)
            self._spool.start()
        return self._spool

    def drop_erased(self, recording_ids: Collection[UUID]) -> None:
        """Keep nothing of the takes of recordings that were erased."""
        for take in self._list_takes():
            if take.recording_id in recording_ids:
                take.erase()

    def _list_takes(self) -> list[Take]:
        return list(self._takes.values())

    def _tell_failure(self, error: SpoolError) -> None:
        for take in list(self._takes.values()):
            take.tell_failure(error)

    def _forget(self, take: Take) -> None:
        with self._turn:
            self._takes.pop(take.spooled.id, None)
            if self._contacts.get(take.story.contact.contact_id) is take:
                del self._contacts[take.story.contact.contact_id]

    def measure(self) -> SpoolState:
        """Return how full the spool is, and how far behind."""
        spool = self._spool
        if spool is None:
            return SpoolState()
        trouble = spool.refusal or spool.trouble
        is_behind = spool.is_writing and spool.synced_at > 0
        return SpoolState(
            takes=spool.depth,
            bytes=spool.size,
            durable_at=from_microseconds(spool.synced_at) if is_behind else None,
            refusal=None if trouble is None else trouble.code,
        )

    def close(self) -> None:
        """Seal what is live as cut, bring in what can be brought in, and let go of the spool."""
        spool = self._spool
        if spool is None:
            return
        self._vault.database.require_usable()  # in a fork the files are the parent's
        for take in list(self._takes.values()):
            if not take.spooled.is_ended:
                take.cut(_CLOSED)
        is_durable = spool.stop()
        self._drain.stop()
        for take in list(self._takes.values()):
            if not take.done.done():
                lost = "nothing" if is_durable else "what was not acknowledged"
                take.done.set_exception(
                    SpoolError(
                        "The archive was closed before the take was sealed into it.",
                        lost=lost,
                        advice="Open the archive and call capture.recover().",
                    )
                )
        spool.release()
        self._spool, self._drain = None, Drain(self._vault, self._log, self._forget, self._list_takes)
