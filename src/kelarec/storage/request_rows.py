"""Requests in the catalog: the row that follows from a request."""

from uuid import UUID

from kelarec.domain.subject_request import SubjectRequest
from kelarec.storage.recordings import microseconds


def to_row(request_id: UUID, request: SubjectRequest, path: str, envelope: bytes) -> dict[str, object]:
    """Return the row that follows from a request."""
    return {
        "id": request_id.bytes,
        "kind": request.kind.value,
        "received_at": microseconds(request.received_at),
        "due_on": request.deadline.due_on.toordinal(),
        "request_object": path,
        "request": envelope,
    }
