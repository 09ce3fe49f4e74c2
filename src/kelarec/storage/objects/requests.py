"""What a remote backend can do in one request each; everything that makes it an object place is built on that once."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final, Protocol

from attrs import field, frozen

from kelarec.errors import (
    CredentialsRefusedError,
    KelarecError,
    ObjectExistsError,
    ObjectNotFoundError,
    StorageError,
    UnreachableError,
)

_NOT_IMPLEMENTED: Final = 501


@frozen
class Part:
    """A piece of an object on its way.

    Attributes:
        number: From 0.
        start: Position of its first byte in the object.
        content: So many bytes as the backend's ``part_bytes``; fewer only in the last.
        is_last: After this one there is none.
    """

    number: int
    start: int
    content: bytes = field(repr=False)
    is_last: bool

    @property
    def stop(self) -> int:
        """Position after its last byte."""
        return self.start + len(self.content)


class Requests(Protocol):
    """One request for each call, no attempt made twice, and whatever the client library raises comes through.

    Attributes:
        part_bytes: How long the parts of a large object are; a shorter one is put whole.
        most_deleted: How many objects one request can delete.
    """

    part_bytes: int
    most_deleted: int

    def put(self, path: str, content: bytes, *, is_new: bool) -> None:
        """Write a whole object; if it must be new, refuse where the store can tell in the same step."""
        ...

    def begin(self, path: str) -> str:
        """Begin an object in parts, of which nobody sees anything; return what names it meanwhile."""
        ...

    def put_part(self, path: str, upload: str, part: Part) -> str:
        """Write a part; doing it again changes nothing. Return the store's receipt."""
        ...

    def complete(self, path: str, upload: str, receipts: Sequence[str]) -> None:
        """Let the object appear, from all its parts, as a new one."""
        ...

    def abort(self, path: str, upload: str | None) -> None:
        """Discard an object in parts; without a name, all that were begun for that path."""
        ...

    def get(self, path: str, start: int, stop: int | None) -> bytes:
        """Return a range of an object, or all from a start; nothing if it begins after the end."""
        ...

    def get_size(self, path: str) -> int:
        """Return the size of an object in bytes."""
        ...

    def get_modified_at(self, path: str) -> datetime:
        """Return when an object was written, by the store's clock."""
        ...

    def iter_pages(self, below: str) -> Iterator["Page"]:
        """Go through the paths and sizes below a folder, in order; each page is a request of its own."""
        ...

    def delete(self, paths: Sequence[str]) -> None:
        """Remove up to ``most_deleted`` objects; one that is not there is no error."""
        ...

    def require_place(self) -> None:
        """Check that the bucket or server is there and lets this client in."""
        ...

    def name_error(self, error: Exception, what: str) -> KelarecError | None:
        """Return what an error of the client library means, or None if it does not come from there."""
        ...


class Page(Protocol):
    """A page of a listing that is still to be asked for."""

    def __call__(self) -> Sequence[tuple[str, int]]:
        """Ask for it; asking again gives the same page."""
        ...


def iter_parts(chunks: Iterable[bytes], part_bytes: int) -> Iterator[Part]:
    """Cut chunks into parts of one length, the last one shorter or, of nothing, empty."""
    waiting = bytearray()
    number = start = 0
    for chunk in chunks:
        waiting += chunk
        while len(waiting) > part_bytes:  # one that is exactly full may be the last
            yield Part(number, start, bytes(waiting[:part_bytes]), is_last=False)
            del waiting[:part_bytes]
            number, start = number + 1, start + part_bytes
    yield Part(number, start, bytes(waiting), is_last=True)


def unreachable(what: str, error: Exception | str) -> UnreachableError:
    """Return the error that says that no answer came."""
    return UnreachableError(f"{what}: it could not be told, the place does not answer ({_kind(error)}).")


def refused(what: str, error: Exception | str) -> CredentialsRefusedError:
    """Return the error that says that the credentials do not do."""
    return CredentialsRefusedError(f"{what}: the place refuses these credentials ({_kind(error)}).")


def not_there(path: str) -> ObjectNotFoundError:
    """Return the error that says that there is no such object."""
    return ObjectNotFoundError(f"There is no object {path!r}.")


def gone(what: str) -> ObjectNotFoundError:
    """Return the error that says that a request met no such object."""
    return ObjectNotFoundError(f"{what}: there is none of that name.")


def taken(what: str) -> ObjectExistsError:
    """Return the error that says that a request met an object that should not be there."""
    return ObjectExistsError(f"{what}: there is one of that name already.")


def already_there(path: str) -> ObjectExistsError:
    """Return the error that says that there is such an object."""
    return ObjectExistsError(f"There is an object {path} already.")


def failed(what: str, error: Exception | str) -> StorageError:
    """Return the error that says that the place refuses."""
    return StorageError(f"{what}: the place refuses ({_kind(error)}).")


def name_builtin_error(error: Exception, what: str) -> KelarecError | None:
    """Return what an error of Python's own means when it comes from a network."""
    if isinstance(error, TimeoutError | ConnectionError | EOFError):
        return unreachable(what, error)
    if isinstance(error, PermissionError):
        return refused(what, error)
    if isinstance(error, OSError):  # no route, no such name, no descriptors: nothing that is an answer
        return unreachable(what, error)
    return None


def name_status(status: int, what: str, code: str) -> KelarecError:
    """Return what an HTTP status means that says no more about the object."""
    if status in {408, 425, 429} or (status >= 500 and status != _NOT_IMPLEMENTED):  # noqa: PLR2004  HTTP's classes
        return unreachable(what, code)
    if status in {401, 403}:
        return refused(what, code)
    return failed(what, code)


def _kind(error: Exception | str) -> str:
    # A client library's message may quote headers and URLs with signatures: its class says enough.
    return error if isinstance(error, str) else type(error).__name__
