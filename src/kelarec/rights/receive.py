"""Receiving a request: from then on the clock runs."""

from uuid import UUID

from attrs import field, frozen

from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.deadline import Deadline
from kelarec.domain.people import Actor
from kelarec.domain.staff_acts import Act
from kelarec.domain.subject_request import RequestState, SubjectRequest
from kelarec.errors import RequestError
from kelarec.storage.registers import Registers
from kelarec.storage.requests import RequestRecord, Requests
from kelarec.storage.vault import Vault


@frozen(kw_only=True)
class ReceivedRequest:
    """A request that the archive knows of.

    Attributes:
        id: A UUID of version 7.
        request: What is asked.
        deadline: When the answer is due, with each step explained.
    """

    id: UUID
    request: SubjectRequest = field(repr=False)
    deadline: Deadline


class Rights:
    """Keeps the requests of persons."""

    def __init__(self, vault: Vault, log: AuditLog, registers: Registers) -> None:
        self._vault = vault
        self._log = log
        self._registers = registers
        self._requests = Requests(vault)

    def receive(self, request: SubjectRequest, *, by: Actor) -> ReceivedRequest:
        """Take a request in: sealed, durable, in the log, and with its due date.

        Raises:
            RequestError: It comes from the future, or by a channel that the register does not declare.
            DeniedError: A staff member without a role that grants it.
            StorageError: A place refuses; nothing half-written stays behind.
        """
        self._log.require_may(by, Act.RECEIVE_REQUEST)
        register = self._registers.now()
        if not register.has_channel(request.channel):
            raise RequestError(
                f"The register declares no channel {request.channel}.",
                advice=f"Use one of: {', '.join(channel.code for channel in register.channels)}.",
            )
        if request.received_at > self._vault.now():
            raise RequestError("The request was received in the future.", advice="Check the clock that dated it.")
        received = ReceivedRequest(id=self._vault.new_id(), request=request, deadline=request.deadline)
        written = self._requests.write(
            RequestRecord(
                id=received.id, revision=1, state=RequestState.OPEN, due_on=received.deadline.due_on, request=request
            )
        )
        entry = self._log.new_entry(
            EntryKind.REQUEST_RECEIVED,
            by,
            request=str(received.id),
            record_sha256=written.sha256,
            right=request.kind.value,
            due_on=received.deadline.due_on.isoformat(),
        )
        with (
            self._log.or_discard(lambda: self._requests.discard(received.id)),
            self._log.transaction(entry) as connection,
        ):
            self._requests.insert(connection, written)
        return received
