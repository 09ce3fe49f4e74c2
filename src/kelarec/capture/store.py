"""Taking contacts in: finished ones at once, live ones as takes."""

from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Executor
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from attrs import evolve

from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.capture.admission import Admission
from kelarec.capture.bulk_import import FolderImport, Imported, ShowImportProgress
from kelarec.capture.content import open_content
from kelarec.capture.deposit import Deposit
from kelarec.capture.live import LiveTakes
from kelarec.capture.plan import CapturePlan
from kelarec.capture.recover import Recovered, Recovery
from kelarec.capture.take import Take
from kelarec.domain.capture_plan import CaptureDecision, CaptureGap, ExpectedContact
from kelarec.domain.chat import Chat
from kelarec.domain.contact import Contact
from kelarec.domain.people import Actor
from kelarec.domain.recording import Recording, RecordingDetails
from kelarec.domain.register import Register
from kelarec.domain.staff_acts import Act
from kelarec.domain.take import AudioForm
from kelarec.errors import InvalidValueError, NoSpoolError, ObjectNotFoundError, SpooledError
from kelarec.storage.bulk import Reopen
from kelarec.storage.recordings import Record, Recordings
from kelarec.storage.spool_place import SpoolPlace
from kelarec.storage.vault import Vault


class Capture:
    """Takes contacts into the archive."""

    def __init__(
        self,
        vault: Vault,
        log: AuditLog,
        register: Register,
        *,
        spool: SpoolPlace | None = None,
        spool_limit: int | None = None,
        reopen: Reopen | None = None,
    ) -> None:
        self._vault = vault
        self._log = log
        self._recordings = Recordings(vault)
        self._admission = Admission(vault, register)
        self._plan = CapturePlan(vault, log, register)
        self._spool = spool
        self._import = FolderImport(vault, log, self._admission, self._plan, reopen)
        self._live = LiveTakes(vault, log, self._admission, spool, spool_limit)

    def decide(self, contact: Contact) -> CaptureDecision:
        """Return whether a contact is to be recorded, with the rule of the notice that says so (section 5).

        Where a share of a line's contacts is recorded, a keyed hash of the contact id decides, alike on every node.
        Nothing is recorded by that: the recorder begins a take, or not. A contact that a rule bars cannot be stored;
        one that is merely out of a share can.

        Raises:
            KeyUnavailableError, IntegrityError: A share decides, and the key place is not whole.
        """
        self._vault.database.require_usable()
        return self._plan.decide(contact)

    def gaps(self, expected: Iterable[ExpectedContact], *, by: Actor) -> Iterator[CaptureGap]:
        """Go through those contacts of the contact centre's own list that were to be recorded and have no recording.

        Contacts that the plan does not want are no gaps. A recording that is still spooled counts; one that was erased
        is gone, so its contact is named. The list is read as the gaps are, some thousands at a time. That it was asked
        is in the log, and what came of it once the last gap was given.

        Args:
            expected: What the contact centre knows of, in any order.
            by: Who asks.

        Raises:
            DeniedError: No role grants it.
            InvalidValueError: Something in the list is no `ExpectedContact`.
            StorageError: The catalog or the key place refuses: it could not be told.
        """
        self._vault.database.require_usable()
        return self._plan.find_gaps(expected, by)

    def begin(
        self,
        contact: Contact,
        *,
        by: Actor,
        parts: Collection[str] = (),
        form: AudioForm | None = None,
        categories: Collection[str] = (),
        linked_to: UUID | None = None,
    ) -> Take:
        """Begin a live take of a contact that the notice covers.

        A contact whose take was cut is taken again as its next piece.

        Args:
            contact: What is known of it; more can be told while it goes on.
            by: The recorder.
            parts: One name for each party that comes apart, such as ``["customer", "adviser"]``; one part ``audio`` if
                none is named. A chat has its messages.
            form: How the sound of each part comes; G.711 A-law, one channel, 8,000 a second, if it is not given.
            categories: Which of the register's data categories are known to occur.
            linked_to: The recording that it belongs to, such as the call during which support is consulted.

        Raises:
            NoSpoolError: The archive was opened without a spool.
            SpoolFullError, SpoolError: The spool can take no more just now.
            ContactTakenError: This process is taking the contact already.
            UnknownLineError, OutsideNoticeError, InvalidValueError, DeniedError: As `store`.
        """
        self._vault.database.require_usable()
        self._log.require_may(by, Act.STORE)
        return self._live.begin(contact, parts=parts, form=form, by=by, categories=categories, linked_to=linked_to)

    def recover(self) -> tuple[Recovered, ...]:
        """Bring in what processes that died have left in the spool; leave alone what living ones own.

        Each take is sealed under a new key and says that it was cut and when, unless it had ended. A second recovery
        finds nothing to do.

        Raises:
            NoSpoolError: The archive was opened without a spool.
            SpoolMismatchError: A folder holds the takes of another archive.
            StorageError: A place refuses; what was not brought in stays in the spool.
        """
        self._vault.database.require_usable()
        if self._spool is None:
            raise NoSpoolError("There is nothing to recover from: the archive has no spool.")
        return tuple(Recovery(self._vault, self._log, self._spool).run())

    def attach(self, recording_id: UUID, name: str, media_type: str, content: bytes, *, by: Actor) -> Recording:
        """Add a sealed part, such as a transcript, to a recording that is in the archive: a new version of its record.

        Raises:
            ObjectNotFoundError: There is no such recording.
            SpooledError: It is still in the spool; attach to its take instead.
            InvalidValueError: It has a part of that name, or there is no content.
            ChangedMeanwhileError: Somebody changed the recording at the same time.
            DeniedError: A staff member attaches without a role that grants it.
            StorageError: A place refuses. Nothing half-written stays behind.
        """
        self._log.require_may(by, Act.STORE)
        if not content:
            raise InvalidValueError("There is nothing to attach.", advice="Attach it when there is.")
        with self._vault.database.begin() as connection:
            opened = self._recordings.find_one(connection, recording_id)
        if opened is None:
            raise ObjectNotFoundError(f"There is no recording {recording_id}.")
        recording, details = opened.record.recording, opened.record.details
        if not details.parts:
            raise SpooledError("The recording is still in the spool.")
        if any(part.name == name for part in details.parts):
            raise InvalidValueError(f"The recording has a part {name} already.", advice="Choose another name.")
        deposit = Deposit(self._vault, self._log, recording, opened.data_key)
        part = deposit.add(name, media_type, [content])
        record = Record(opened.record.revision + 1, recording, evolve(details, parts=(*details.parts, part)))
        with self._log.or_discard(lambda: deposit.discard_part(part)):
            written = self._recordings.write_record(record, opened.data_key)
            entry = self._log.new_entry(
                EntryKind.RECORDING_AMENDED, by, recording_id=recording_id, part=name, record_sha256=written.sha256
            )
            with (
                self._log.or_discard(lambda: self._vault.objects.delete(written.path)),
                self._log.transaction(entry) as connection,
            ):
                self._recordings.replace(connection, written)
        return recording

    def import_folder(
        self,
        folder: str | PathLike[str],
        manifest: str | PathLike[str],
        *,
        by: Actor,
        executor: Executor | None = None,
        progress: ShowImportProgress | None = None,
    ) -> Imported:
        """Import existing recordings from a folder, as a manifest of them says.

        All rows and files are checked first: if one has a fault, all faults are told and nothing is imported. A contact
        that has a recording is not imported again, so an import that was broken off, or killed, is repeated to go on.
        One import at a time works on an archive.

        Args:
            folder: Where the files lie; none outside it is read.
            manifest: A CSV (``.csv``) or JSON Lines file (``.jsonl``), a row for each recording.
            by: Who imports.
            executor: Does the work, and stays the caller's; threads of this process if none is given. The files and the
                manifest have to be there for it, too.
            progress: Is called with how far it is, and how fast, after each hundred rows or so and at the end.

        Raises:
            ManifestFaultsError: Rows or files have faults, all of which it names; or a file was changed meanwhile.
            InvalidValueError: The manifest is neither CSV nor JSON Lines, or cannot be read.
            ImportRunningError: Another import is at work.
            MissingExtraError: A file is FLAC, Ogg or MP3, and ``kelarec[audio]`` is not installed.
            DeniedError: A staff member imports without a role that grants it.
            StorageError: A place refuses; what was imported until then stays, and nothing half-written does.
        """
        self._vault.database.require_usable()
        self._log.require_may(by, Act.STORE)
        return self._import.run(Path(folder), Path(manifest), by, executor, progress)

    def close(self) -> None:
        """Seal what is live as cut and let go of the spool; what cannot be sealed in now stays there."""
        self._live.close()

    def store(
        self,
        contact: Contact,
        *,
        ended_at: datetime,
        content: bytes | BinaryIO | Chat,
        by: Actor,
        media_type: str | None = None,
        categories: frozenset[str] = frozenset(),
        linked_to: UUID | None = None,
    ) -> Recording:
        """Store a finished call or chat; when this returns it is sealed, durable and in the log.

        Args:
            contact: What is known of it.
            ended_at: When it ended, an aware instant.
            content: A `Chat`, or audio as bytes or as a binary file at its beginning: WAV; with ``kelarec[audio]`` also
                FLAC, Ogg or MP3, whose file has to be seekable.
            by: The recorder.
            media_type: What the sender says it is, such as ``audio/flac``; what it is, is read from the content.
            categories: Which of the register's data categories are known to occur.
            linked_to: The recording that it belongs to, such as the call during which support was consulted.

        Raises:
            UnknownLineError: The register declares no such line.
            OutsideNoticeError: The notice does not cover it, its retention would be over already, or it starts more
                than five minutes in the future.
            EndBeforeStartError: It ends before it starts.
            EmptyContentError: There is no content.
            UnreadableAudioError: A call's content is no whole audio file.
            MediaTypeMismatchError: The content is something else than its sender says.
            MissingExtraError: It is FLAC, Ogg or MP3, and ``kelarec[audio]`` is not installed.
            InvalidValueError: A call comes with messages or a chat with audio, or a category is undeclared.
            DeniedError: A staff member stores without a role that grants it.
            StorageError: A place refuses. Nothing half-written stays behind.
        """
        self._log.require_may(by, Act.STORE)
        recording = self._admission.admit(contact, ended_at=ended_at, categories=categories)
        incoming = open_content(content, is_chat=contact.kind.is_chat, declared=media_type)
        deposit = Deposit(self._vault, self._log, recording)
        with self._log.or_discard(deposit.discard):
            part = deposit.add(incoming.name, incoming.media_type, incoming.iter_pieces(), lambda: incoming.sound)
            details = RecordingDetails(contact=contact, categories=categories, parts=(part,), linked_to=linked_to)
            return deposit.commit(details, by)
