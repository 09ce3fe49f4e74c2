"""How sessions begin, and how a service without a memory of its own goes on in one."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Final, TypeVar
from uuid import UUID

from sqlalchemy import insert, select

from kelarec.access.session import Session
from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.access_review import AccessReview
from kelarec.domain.instants import helsinki_date
from kelarec.domain.people import StaffId, System
from kelarec.domain.restricted_use import to_restricted_use
from kelarec.domain.session_terms import BreakGlass, SessionTerms
from kelarec.domain.staff import Authenticator, Credential
from kelarec.errors import InvalidValueError, KelarecError, KeyUnavailableError, UnknownCallerError
from kelarec.storage import catalog_tables as tables
from kelarec.storage.envelopes import make_data_key, seal_document
from kelarec.storage.json_form import from_json, to_json
from kelarec.storage.recordings import microseconds
from kelarec.storage.registers import Registers
from kelarec.storage.review_queue import ReviewQueue
from kelarec.storage.vault import Vault

LONGEST: Final = timedelta(hours=12)
LONGEST_BREAK_GLASS: Final = timedelta(hours=1)
_AUTHENTICATOR: Final = System("authenticator")
_Built = TypeVar("_Built")


class Sessions:
    """Begins and resumes sessions; each is a row with an id and an end."""

    def __init__(
        self, vault: Vault, log: AuditLog, registers: Registers, authenticator: Authenticator | None = None
    ) -> None:
        self._vault = vault
        self._log = log
        self._registers = registers
        self._authenticator = authenticator
        self._reviews = ReviewQueue(vault)

    def begin(
        self,
        *,
        by: StaffId | Credential,
        purpose: str,
        matter: str,
        country: str | None = None,
        break_glass: str | None = None,
        restricted_use: str | None = None,
    ) -> Session:
        """Begin a session of at most twelve hours, or of one hour if it breaks the glass.

        Nothing is decided yet, save that the terms are well formed: each act in it is, by itself.

        Args:
            by: Who works; the credential of the caller if the archive was opened with an authenticator.
            purpose: What for: a code of the register.
            matter: Which case, request or training plan; without a person's identifier, since it stands in the log.
            country: Where the staff member is; the controller's country if none is given.
            break_glass: Why there is no time for a duty; it waives the duty only, and a second person reviews it.
            restricted_use: For which use of Art. 18(2) restricted recordings are needed.

        Raises:
            UnknownCallerError: The authenticator does not know the caller.
            InvalidValueError: A term is empty or malformed; the attempt is in the log.
            LooksLikeIdentifierError: Matter or reason look like they name a person; the attempt is in the log.
        """
        staff_id = self.authenticate(by)
        now = self._vault.now()
        ends_at = now + (LONGEST if break_glass is None else LONGEST_BREAK_GLASS)
        terms = self._logging_refusals(
            staff_id,
            lambda: SessionTerms(
                id=self._vault.new_id(),
                staff_id=staff_id,
                purpose=purpose,
                matter=matter,
                country=self._registers.in_force(now).controller.country if country is None else country,
                begun_at=now,
                ends_at=ends_at,
                break_glass=None if break_glass is None else BreakGlass(reason=break_glass, ends_at=ends_at),
                restricted_use=to_restricted_use(restricted_use),
            ),
        )
        self._write(terms)
        return Session(self._vault, self._log, self._registers, terms)

    def resume(self, session_id: UUID, *, by: StaffId | Credential) -> Session:
        """Go on in a session that was begun elsewhere, such as in another process of a web service.

        Do not use it in a ``with`` block, which would end it.

        Raises:
            UnknownCallerError: The authenticator does not know the caller.
            DeniedError: There is no such session of the caller's, or it is over; the denial is in the log.
        """
        staff_id = self.authenticate(by)
        terms = self._find_terms(session_id)
        if terms is None or terms.staff_id != staff_id or not terms.begun_at <= self._vault.now() < terms.ends_at:
            entry = self._log.new_entry(
                EntryKind.DENIED, staff_id, act="resume", clause="session", session=str(session_id)
            )
            raise self._log.deny(entry, "There is no such session of yours, or it is over.", clause="session")
        self._log.write(self._log.new_entry(EntryKind.SESSION_RESUMED, staff_id, terms=terms))
        return Session(self._vault, self._log, self._registers, terms)

    def authenticate(self, by: StaffId | Credential) -> StaffId:
        """Return who the caller is.

        Raises:
            UnknownCallerError: The authenticator does not say, or says something else than a staff id.
            InvalidValueError: A bare staff id where the authenticator is to say who works, or the other way round.
        """
        if self._authenticator is None:
            if isinstance(by, StaffId):
                return by
            raise self._refuse(InvalidValueError("The archive was opened without an authenticator; give a StaffId."))
        if not isinstance(by, Credential):
            raise self._refuse(InvalidValueError("The archive's authenticator says who works; give a Credential."))
        try:
            staff_id = self._authenticator.authenticate(by.value)
        except Exception as error:  # noqa: BLE001  whatever it raises means that nobody is known
            raise self._refuse(UnknownCallerError(f"The caller is not known: {type(error).__name__}.")) from None
        if not isinstance(staff_id, StaffId):
            raise self._refuse(UnknownCallerError("The authenticator answers with something else than a staff id."))
        return staff_id

    def _refuse(self, error: KelarecError) -> KelarecError:
        self._log.write(self._log.new_entry(EntryKind.DENIED, _AUTHENTICATOR, act="begin", clause=error.code))
        return error

    def _logging_refusals(self, staff_id: StaffId, build: Callable[[], _Built]) -> _Built:
        try:
            return build()
        except KelarecError as error:
            self._log.write(self._log.new_entry(EntryKind.DENIED, staff_id, act="begin", clause=error.code))
            raise

    def _write(self, terms: SessionTerms) -> None:
        subject = self._vault.subject("session", str(terms.id))
        ends_on = helsinki_date(terms.ends_at)
        self._vault.keyring.get_or_make(ends_on, terms.begun_at)
        data_key = make_data_key(self._vault.keyring, ends_on.isoformat(), subject, self._vault.randomness)
        row = {
            "id": terms.id.bytes,
            "staff_id": terms.staff_id.text,
            "begun_at": microseconds(terms.begun_at),
            "ends_at": microseconds(terms.ends_at),
            "terms": seal_document(data_key, subject, to_json(terms)),
        }
        begun = self._log.new_entry(EntryKind.SESSION_BEGUN, terms.staff_id, terms=terms)
        if terms.break_glass is None:
            with self._log.transaction(begun) as connection:
                connection.execute(insert(tables.sessions).values(row))
            return
        review = AccessReview(
            session_id=terms.id,
            staff_id=terms.staff_id,
            purpose=terms.purpose,
            matter=terms.matter,
            reason=terms.break_glass.reason,
            begun_at=terms.begun_at,
            ends_at=terms.break_glass.ends_at,
        )
        path, envelope = self._reviews.write(review)
        broken = self._log.new_entry(
            EntryKind.GLASS_BROKEN,
            terms.staff_id,
            terms=terms,
            reason=review.reason,
            review=str(terms.id),
            record_sha256=hashlib.sha256(envelope).hexdigest(),
        )
        with (
            self._log.or_discard(lambda: self._vault.objects.delete(path)),
            self._log.transaction(broken) as connection,
        ):
            self._log.append(connection, begun)
            connection.execute(insert(tables.sessions).values(row))
            self._reviews.insert(connection, review, path, envelope)

    def _find_terms(self, session_id: UUID) -> SessionTerms | None:
        wanted = select(tables.sessions.c.terms).where(tables.sessions.c.id == session_id.bytes)
        with self._vault.database.begin() as connection:
            envelope = connection.execute(wanted).scalar_one_or_none()
        if envelope is None:
            return None
        try:
            content = self._vault.open_envelope(self._vault.subject("session", str(session_id)), envelope)
        except KeyUnavailableError:  # its last day is over
            return None
        return from_json(content, SessionTerms)
