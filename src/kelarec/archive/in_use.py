"""An archive that is open: what its parts are, sessions, comparison, and its end."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from datetime import date
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
from kelarec.domain.staff import Authenticator, Credential
from kelarec.errors import ClosedError
from kelarec.oversight.difference import Difference
from kelarec.oversight.rebuild import Rebuilt
from kelarec.oversight.verification import Verification
from kelarec.retention.destroyed_again import DestroyedAgain
from kelarec.retention.sweep import Retention
from kelarec.rights.receive import Rights
from kelarec.storage.bulk import ShowProgress
from kelarec.storage.source import Source
from kelarec.storage.spool_place import MemorySpoolPlace
from kelarec.storage.vault import Vault

_HERE: Final = System("archive")


class ArchiveInUse:
    """What an open archive does; `kelarec.Archive` makes and opens it."""

    def __init__(
        self,
        vault: Vault,
        register: Register,
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
        self.register = register
        self.audit = AuditLog(vault, register, witnesses)
        self.staff = Staff(vault, self.audit, register)
        spool = MemorySpoolPlace() if source is None else source.open_spool(vault.archive_id, vault.randomness)
        self.capture = Capture(
            vault,
            self.audit,
            register,
            spool=spool,
            spool_limit=None if source is None else source.spool_limit,
            reopen=None if source is None else source.open_bare,
        )
        self.retention = Retention(vault, self.audit, register)
        self.rights = Rights(vault, self.audit, register)
        self.restrictions = Restrictions(vault, self.audit)
        self.access_reviews = AccessReviews(vault, self.audit)
        self.destroyed_again = DestroyedAgain()
        self.lost_keys: tuple[date, ...] = ()
        self.keys = Keys(vault, self.audit)
        self._verification = Verification(vault, self.audit, register, None if source is None else source.open_bare)
        self._authenticator = authenticator
        self._sessions = Sessions(vault, self.audit, register, authenticator)

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
