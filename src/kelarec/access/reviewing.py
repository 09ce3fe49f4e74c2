"""Reviewing the sessions in which somebody broke the glass: by a second person, who reads the log of them."""

from uuid import UUID

from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.access_review import AccessReview
from kelarec.domain.free_text import require_impersonal
from kelarec.domain.people import Actor, StaffId
from kelarec.domain.staff_acts import Act
from kelarec.errors import ChangedMeanwhileError, InvalidValueError
from kelarec.storage.review_queue import ReviewQueue
from kelarec.storage.vault import Vault


class AccessReviews:
    """The queue of one archive."""

    def __init__(self, vault: Vault, log: AuditLog) -> None:
        self._vault = vault
        self._log = log
        self._queue = ReviewQueue(vault)

    def list_open(self, *, by: Actor) -> list[AccessReview]:
        """Return what waits for a second person, oldest first; the log tells what was done, by session.

        Raises:
            DeniedError: A staff member without a role that grants it.
        """
        self._log.require_may(by, Act.REVIEW_ACCESS)
        with self._vault.database.begin() as connection:
            return [review for review, _ in self._queue.find(connection)]

    def close(self, session_id: UUID, *, by: StaffId, finding: str) -> None:
        """Write what the second person found, and take the session out of the queue.

        Args:
            session_id: Which session.
            by: Who reviewed it; not the one who broke the glass.
            finding: Whether there was need, and what follows; without a person's identifier.

        Raises:
            DeniedError: Who reviews broke the glass themself, or has no role that grants it.
            InvalidValueError: Nothing waits of that session, or the finding is empty.
            LooksLikeIdentifierError: The finding looks like it names a person.
        """
        if not isinstance(by, StaffId):
            raise InvalidValueError("A second person reviews, not a system.", advice="Give the id of who does it.")
        self._log.require_may(by, Act.REVIEW_ACCESS)
        found = require_impersonal(finding, "finding")
        with self._vault.database.begin() as connection:
            waiting = self._queue.find(connection, session_id)
        if not waiting:
            raise InvalidValueError("Nothing waits for review of that session.", advice="See list_open.")
        review, path = waiting[0]
        if review.staff_id == by:
            entry = self._log.new_entry(EntryKind.DENIED, by, act=Act.REVIEW_ACCESS.value, clause="oneself")
            raise self._log.deny(
                entry, "Nobody reviews their own session.", clause="oneself", advice="Ask a second person."
            )
        entry = self._log.new_entry(EntryKind.ACCESS_REVIEWED, by, session=str(session_id), finding=found)
        with self._log.transaction(entry) as connection:
            if not self._queue.remove(connection, session_id):
                raise ChangedMeanwhileError("The session was reviewed meanwhile.")
        self._vault.objects.delete(path)
