"""Requests of persons: versions as sealed objects, and the one in force in the catalog.

    requests/<request id>/request-<revision>-<random>

An open request has no end yet and is sealed under the standing key; a version that has one, under its last day.
"""

import hashlib
from collections.abc import Iterator
from datetime import date
from typing import Any, Final
from uuid import UUID

from attrs import field, frozen
from attrs.validators import ge, instance_of
from sqlalchemy import Connection, insert, select, update

from kelarec.domain.subject_request import RequestState, SubjectRequest
from kelarec.errors import ChangedMeanwhileError, IntegrityError, KeyUnavailableError
from kelarec.storage import catalog_tables as tables
from kelarec.storage.envelopes import make_data_key, seal_document
from kelarec.storage.json_form import from_json, to_json
from kelarec.storage.keyring import STANDING
from kelarec.storage.recordings import microseconds
from kelarec.storage.vault import Vault

_FOLDER: Final = "requests"
_ROWS: Final = tables.requests.c


@frozen(kw_only=True)
class RequestRecord:
    """All that is known of a request; sealed as one document.

    Attributes:
        id: A UUID of version 7.
        revision: Counts its versions from 1.
        state: Open, or closed.
        due_on: The last Helsinki date on which it can be answered in time.
        request: What is asked.
    """

    id: UUID = field(validator=instance_of(UUID))
    revision: int = field(validator=[instance_of(int), ge(1)])
    state: RequestState = field(converter=RequestState)
    due_on: date = field(validator=instance_of(date))
    request: SubjectRequest = field(validator=instance_of(SubjectRequest), repr=False)


@frozen
class WrittenRequest:
    """A version of a request whose object is durable and whose row is still to come."""

    record: RequestRecord
    path: str
    envelope: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """The hash of the object in hexadecimal, for the log."""
        return hashlib.sha256(self.envelope).hexdigest()


class Requests:
    """The requests that an archive knows."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def write(self, record: RequestRecord, *, kept_through: date | None = None) -> WrittenRequest:
        """Seal a version of a request into the archive; without an end if no last day is given."""
        if kept_through is not None:
            self._vault.keyring.get_or_make(kept_through, self._vault.now())
        key_id = STANDING if kept_through is None else kept_through.isoformat()
        subject = self._vault.subject("request", str(record.id))
        data_key = make_data_key(self._vault.keyring, key_id, subject, self._vault.randomness)
        path = f"{_FOLDER}/{record.id}/{self._vault.new_object_name(f'request-{record.revision}')}"
        envelope = seal_document(data_key, subject, to_json(record))
        self._vault.objects.write(path, [envelope])
        return WrittenRequest(record, path, envelope)

    def insert(self, connection: Connection, written: WrittenRequest) -> None:
        """Make the row of a request."""
        connection.execute(insert(tables.requests).values(to_row(written)))

    def replace(self, connection: Connection, written: WrittenRequest) -> None:
        """Make a newer version the one in force, if the row still holds the revision just before it.

        Raises:
            ChangedMeanwhileError: Somebody else was quicker, or the request is gone.
        """
        record = written.record
        replaced = connection.execute(
            update(tables.requests)
            .where(_ROWS.id == record.id.bytes, _ROWS.revision == record.revision - 1)
            .values(to_row(written))
        ).rowcount
        if not replaced:
            raise ChangedMeanwhileError(f"The request {record.id} was changed meanwhile.")

    def find(self, connection: Connection, request_id: UUID) -> RequestRecord | None:
        """Return the version in force of a request, or None if there is none or its key is gone.

        Raises:
            IntegrityError: Its row or what is sealed was altered.
        """
        wanted = select(tables.requests).where(_ROWS.id == request_id.bytes)
        row = connection.execute(wanted).mappings().one_or_none()
        return None if row is None else self._open(row)

    def iter_in(self, connection: Connection, state: RequestState) -> Iterator[RequestRecord]:
        """Go through the requests in a state, the one that is due first coming first."""
        wanted = select(tables.requests).where(_ROWS.state == state.value).order_by(_ROWS.due_on, _ROWS.id)
        rows = connection.execute(wanted).mappings().all()
        yield from (record for row in rows if (record := self._open(row)) is not None)

    def discard(self, request_id: UUID) -> None:
        """Remove all objects of a request."""
        for path in list(self._vault.objects.iter_paths(f"{_FOLDER}/{request_id}")):
            self._vault.objects.delete(path)

    def _open(self, row: Any) -> RequestRecord | None:  # noqa: ANN401  a mapping of the driver's types
        request_id = UUID(bytes=row["id"])
        subject = self._vault.subject("request", str(request_id))
        try:
            record = from_json(self._vault.open_envelope(subject, row["request"]), RequestRecord)
        except KeyUnavailableError:
            return None
        for name, value in _clear_columns(record).items():
            if row[name] != value:
                raise IntegrityError(
                    f"The catalog's row of request {request_id} was altered: its {name} is not the request's.",
                    advice="Rebuild the catalog from the objects.",
                )
        return record


def to_row(written: WrittenRequest) -> dict[str, object]:
    """Return the row that follows from a version of a request."""
    return {**_clear_columns(written.record), "request_object": written.path, "request": written.envelope}


def _clear_columns(record: RequestRecord) -> dict[str, object]:
    return {
        "id": record.id.bytes,
        "kind": record.request.kind.value,
        "state": record.state.value,
        "received_at": microseconds(record.request.received_at),
        "due_on": record.due_on.toordinal(),
        "revision": record.revision,
    }
