"""An archive that is open: what its parts are, sessions, comparison, and its end."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from datetime import date, timedelta
from types import TracebackType
from typing import Final, Self
from uuid import UUID

from kelarec.access.enrolment import Staff
from kelarec.access.restricting import Restrictions
from kelarec.access.reviewing import AccessReviews
from kelarec.access.session import Session
from kelarec.access.sessions import Sessions
from kelarec.audit.entries import EntryKind
from kelarec.audit.integrator import Witness
from kelarec.audit.log import AuditLog
from kelarec.capture.store import Capture
from kelarec.custody.keys import Keys
from kelarec.domain.people import Actor, StaffId, System
from kelarec.domain.register import Register
from kelarec.domain.register_versions import RegisterVersions
from kelarec.domain.staff import Authenticator, Credential
from kelarec.errors import ClosedError
from kelarec.oversight.adoption import Adopted, adopt_register
from kelarec.oversight.departure import Departure
from kelarec.oversight.difference import Difference
from kelarec.oversight.health import Health, measure_health
from kelarec.oversight.notice_check import NoticeCheck
from kelarec.oversight.practice_of_recording import Gap
from kelarec.oversight.rebuild import Rebuilt
from kelarec.oversight.verification import Verification
from kelarec.retention.certificates import Certificates
from kelarec.retention.destroyed_again import DestroyedAgain
from kelarec.retention.erasing import Erasures
from kelarec.retention.sweep import Retention
from kelarec.rights.receive import Rights
from kelarec.storage.backups import UNDECLARED, read_horizons
from kelarec.storage.bulk import ShowProgress
from kelarec.storage.registers import Registers
from kelarec.storage.source import Source
from kelarec.storage.spool_place import MemorySpoolPlace
from kelarec.storage.vault import Vault

_HERE: Final = System("archive")


class ArchiveInUse:
    """What an open archive does; `kelarec.Archive` makes and opens it."""

    def __init__(
        self,
        vault: Vault,
        registers: Registers,
        witnesses: Sequence[Witness] = (),
        source: Source | None = None,
        authenticator: Authenticator | None = None,
    ) -> None:
        self._vault = vault
        self._source = source
        self._witnesses = witnesses
        self.rebuilt: Rebuilt | None = None
        self._is_closed = False
        self.id = vault.archive_id
        self._registers = registers
        self.audit = AuditLog(vault, registers, witnesses)
        self.staff = Staff(vault, self.audit, registers)
        spool = MemorySpoolPlace() if source is None else source.open_spool(vault.archive_id, vault.randomness)
        self.capture = Capture(
            vault,
            self.audit,
            registers,
            spool=spool,
            spool_limit=None if source is None else source.spool_limit,
            reopen=None if source is None else source.open_bare,
        )
        erasures = Erasures(vault, self.audit, self.capture.drop_erased)
        horizons = UNDECLARED if source is None else read_horizons(source.keys, source.catalog)
        certificates = Certificates(vault, self.audit, horizons)
        self.retention = Retention(vault, self.audit, registers, erasures=erasures, certificates=certificates)
        self.rights = Rights(vault, self.audit, registers)
        self.restrictions = Restrictions(vault, self.audit)
        self.access_reviews = AccessReviews(vault, self.audit)
        self.destroyed_again = DestroyedAgain()
        self.lost_keys: tuple[date, ...] = ()
        self.keys = Keys(vault, self.audit)
        self._verification = Verification(vault, self.audit, registers, None if source is None else source.open_bare)
        self._notice_check = NoticeCheck(vault, self.audit, registers, source)
        self._authenticator = authenticator
        self._sessions = Sessions(vault, self.audit, registers, authenticator)

    def __repr__(self) -> str:
        return f"Archive({self.id})"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("An archive is never pickled; open it where it is needed.")

    def session(
        self,
        *,
        by: StaffId | Credential,
        purpose: str,
        matter: str,
        country: str | None = None,
        break_glass: str | None = None,
        restricted_use: str | None = None,
    ) -> Session:
        """Begin a session: the only way to content and personal data. See `Sessions.begin`."""
        self._require_open()
        return self._sessions.begin(
            by=by,
            purpose=purpose,
            matter=matter,
            country=country,
            break_glass=break_glass,
            restricted_use=restricted_use,
        )

    def resume(self, session_id: UUID, *, by: StaffId | Credential) -> Session:
        """Go on in a session that was begun elsewhere. See `Sessions.resume`."""
        self._require_open()
        return self._sessions.resume(session_id, by=by)

    @property
    def register(self) -> Register:
        """The version of the notice that is in force now."""
        return self._registers.now()

    @property
    def registers(self) -> RegisterVersions:
        """Every version that was adopted, the oldest first; the last may begin in the future."""
        return self._registers.versions

    def adopt(self, register: Register, *, by: Actor) -> Adopted:
        """Add a version of the notice, in force from the start of its date in Helsinki on.

        What was recorded before keeps the version that it was made under: its last day, and the purposes that it may be
        used for. Every process that has the archive open uses the version from that instant on.

        Returns:
            What it changes, with what people must be told of before it begins.

        Raises:
            VersionFaultsError: It is not newer than all others, begins in less than ten minutes, bears another name, or
                tells of the past what the version before it does not.
            DeniedError: A staff member without a role that grants it.
            ChangedMeanwhileError: Another version was adopted meanwhile.
            StorageError: A place refuses; nothing was adopted.
        """
        self._require_open()
        return adopt_register(self._vault, self.audit, self._registers, register, by=by)

    def iter_differences(
        self, *, by: Actor, executor: Executor | None = None, progress: ShowProgress | None = None
    ) -> Iterator[Difference]:
        """Go through what objects, catalog, log and keys disagree on; also beside live writers.

        That it was asked is in the log, and what came of it once the last difference was given. Executor and progress
        are as for `rebuild_lost`.

        Raises:
            DeniedError, StorageError: No role grants it, or a place refuses: it could not be told.
        """
        self._require_open()
        return self._verification.iter_differences(by=by, executor=executor, progress=progress)

    def verify(self, *, by: Actor, executor: Executor | None = None, progress: ShowProgress | None = None) -> None:
        """Check that objects, catalog, log and keys agree; as `iter_differences`.

        Raises:
            MissingError, RolledBackError, AlteredError, LogDiffersError, KeysMissingError, OrphanedError: They do not;
                the gravest class that was found, in this order, with its count.
        """
        self._require_open()
        self._verification.verify(by=by, executor=executor, progress=progress)

    def check_notice(
        self, *, by: Actor, gaps: Iterable[Gap] = (), backups_kept_for: timedelta | None = None
    ) -> tuple[Departure, ...]:
        """Hold what the archive does against what its notice says, section by section; none if it keeps all of it.

        Every recording's record is opened and the log is gone through once, also beside live writers. That it was asked
        and what came of it is in the log.

        Args:
            by: Who asks; a data protection officer or an auditor.
            gaps: Contacts that were to be recorded and have no recording, such as ``archive.capture.gaps`` gives.
            backups_kept_for: For how long copies of the key place and the catalog are kept.

        Raises:
            DeniedError: A staff member without a role that grants it.
            IntegrityError, StorageError: A place refuses or something was altered: it could not be told.
            DirectoryError: The directory of staff cannot be asked.
        """
        self._require_open()
        return self._notice_check.run(by=by, gaps=gaps, backups_kept_for=backups_kept_for)

    def health(self) -> Health:
        """Return how the archive is, in figures for monitoring: they name nobody, so no session is needed.

        Cheap: a handful of indexed questions to the catalog, one small object, up to six keys; no listing. Call it as
        often as you like.

        Raises:
            CatalogError: The catalog does not answer.
            IntegrityError: The newest checkpoint or a key was altered.
        """
        self._require_open()
        return measure_health(self._vault, self.audit, self._registers, self.capture.measure_spool())

    def close(self) -> None:
        """Write that it closed, and let go of the catalog. Closing it twice is no error."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self.capture.close()
            self.audit.write(self.audit.new_entry(EntryKind.ARCHIVE_CLOSED, _HERE))
            self.audit.close()
        finally:
            self._vault.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _require_open(self) -> None:
        if self._is_closed:
            raise ClosedError("The archive was closed.", advice="Open it again.")
