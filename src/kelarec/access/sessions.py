"""How sessions begin."""

from datetime import timedelta
from typing import Final

from sqlalchemy import insert

from kelarec.access.session import Session
from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.access_rule import SessionTerms
from kelarec.domain.instants import helsinki_date
from kelarec.domain.people import StaffId
from kelarec.domain.register import Register
from kelarec.storage import catalog_tables as tables
from kelarec.storage.envelopes import make_data_key, seal_document
from kelarec.storage.json_form import to_json
from kelarec.storage.recordings import microseconds
from kelarec.storage.vault import Vault

LONGEST: Final = timedelta(hours=12)


class Sessions:
    """Begins sessions; each is a row with an id and an end."""

    def __init__(self, vault: Vault, log: AuditLog, register: Register) -> None:
        self._vault = vault
        self._log = log
        self._register = register

    def begin(self, *, by: StaffId, purpose: str, matter: str, country: str | None = None) -> Session:
        """Begin a session of at most twelve hours.

        Args:
            by: Who works.
            purpose: What for: a code of the register.
            matter: Which case or request; without a person's identifier, since it stands in the log.
            country: Where the staff member is; the controller's country if none is given.

        Raises:
            InvalidValueError: Purpose or matter are empty or malformed.
            LooksLikeIdentifierError: The matter looks like it names a person.
        """
        now = self._vault.now()
        terms = SessionTerms(
            id=self._vault.new_id(),
            staff_id=by,
            purpose=purpose,
            matter=matter,
            country=self._register.controller.country if country is None else country,
            begun_at=now,
            ends_at=now + LONGEST,
        )
        subject = self._vault.subject("session", str(terms.id))
        ends_on = helsinki_date(terms.ends_at)
        self._vault.keyring.get_or_make(ends_on, now)
        data_key = make_data_key(self._vault.keyring, ends_on.isoformat(), subject, self._vault.randomness)
        with self._log.transaction(self._log.new_entry(EntryKind.SESSION_BEGUN, by, terms=terms)) as connection:
            connection.execute(
                insert(tables.sessions).values(
                    id=terms.id.bytes,
                    staff_id=by.text,
                    begun_at=microseconds(terms.begun_at),
                    ends_at=microseconds(terms.ends_at),
                    terms=seal_document(data_key, subject, to_json(terms)),
                )
            )
        return Session(self._vault, self._log, self._register, terms)
