"""Objects in a container of Azure Blob Storage, through adlfs."""

import base64
import io
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from adlfs import AzureBlobFileSystem
from azure.core import MatchConditions
from azure.core import exceptions as azure
from azure.storage.blob import BlobBlock

from kelarec.errors import CredentialsRefusedError, KelarecError, PlaceNotFoundError
from kelarec.storage.objects.asynchronous import wait_for
from kelarec.storage.objects.requests import (
    Page,
    Part,
    failed,
    gone,
    name_builtin_error,
    name_status,
    refused,
    taken,
    unreachable,
)
from kelarec.storage.objects.settings import Limits
from kelarec.storage.wrapping import Randomness

_R = TypeVar("_R")


class AzureRequests:
    """Requests to one container; the retries of Azure's client are off.

    Blocks of an object that was begun and never completed are in no listing; Azure itself drops them after a week, and
    lets nobody do so earlier.
    """

    part_bytes = 8 * 2**20
    most_deleted = 1

    def __init__(  # noqa: PLR0917  as every backend of buckets
        self,
        container: str,
        prefix: str,
        options: Mapping[str, str],
        secrets: Mapping[str, Any],
        limits: Limits,
        randomness: Randomness,
    ) -> None:
        self._prefix = prefix
        self._limits = limits
        self._randomness = randomness
        self._once = {
            "retry_total": 0,
            "connection_timeout": limits.connect_within,
            "read_timeout": limits.answer_within,
        }
        known = {"account_name": options.get("account"), **secrets}
        if "endpoint" in options and "account_key" in known:  # adlfs takes an endpoint in a connection string only
            known["connection_string"] = (
                f"BlobEndpoint={options['endpoint']};AccountName={known['account_name']};"
                f"AccountKey={known.pop('account_key')}"
            )
        try:
            self.filesystem: Any = AzureBlobFileSystem(**known, skip_instance_cache=True, use_listings_cache=False)
        except ValueError:
            raise CredentialsRefusedError(
                "There is no account, or nothing that opens it.",
                advice="Name the account in the place's options; give AZURE_STORAGE_ACCOUNT_KEY or the like.",
            ) from None
        self._container: Any = self.filesystem.service_client.get_container_client(container)

    def put(self, path: str, content: bytes, *, is_new: bool) -> None:
        """See `Requests.put`."""
        try:
            self._put(path, content, is_new=is_new)
        except azure.HttpResponseError as error:
            # Blocks that were staged under this name and never committed are no object, but stand in its way.
            if not is_new or not _is_taken(error) or self._is_there(path):
                raise
            self._put(path, content, is_new=False)

    def _put(self, path: str, content: bytes, *, is_new: bool) -> None:
        length = len(content)
        self._ask(
            lambda: self._blob(path).upload_blob(io.BytesIO(content), length=length, overwrite=not is_new, **self._once)
        )

    def _is_there(self, path: str) -> bool:
        try:
            self.get_size(path)
        except azure.ResourceNotFoundError:
            return False
        return True

    def begin(self, path: str) -> str:  # noqa: ARG002  blocks need no beginning
        """See `Requests.begin`."""
        return self._randomness(12).hex()

    def put_part(self, path: str, upload: str, part: Part) -> str:
        """See `Requests.put_part`."""
        block = base64.b64encode(f"{upload}-{part.number:08}".encode()).decode()
        self._ask(
            lambda: self._blob(path).stage_block(
                block, io.BytesIO(part.content), length=len(part.content), **self._once
            )
        )
        return block

    def complete(self, path: str, upload: str, receipts: Sequence[str]) -> None:  # noqa: ARG002  in each receipt
        """See `Requests.complete`."""
        blocks = [BlobBlock(block_id=each) for each in receipts]
        self._ask(
            lambda: self._blob(path).commit_block_list(blocks, match_condition=MatchConditions.IfMissing, **self._once)
        )

    def abort(self, path: str, upload: str | None) -> None:
        """See `Requests.abort`; what was staged is in nobody's sight and ends by itself."""

    def get(self, path: str, start: int, stop: int | None) -> bytes:
        """See `Requests.get`."""
        if stop is not None and stop <= start:
            self.get_size(path)
            return b""
        length = None if stop is None else stop - start

        async def read() -> bytes:
            stream = await self._blob(path).download_blob(offset=start, length=length, **self._once)
            return bytes(await stream.readall())

        try:
            return self._ask(read)
        except azure.HttpResponseError as error:
            if error.status_code == 416:  # noqa: PLR2004  range not satisfiable: it begins after the end
                return b""
            raise

    def get_size(self, path: str) -> int:
        """See `Requests.get_size`."""
        return int(self._ask(lambda: self._blob(path).get_blob_properties(**self._once)).size)

    def get_modified_at(self, path: str) -> datetime:
        """See `Requests.get_modified_at`."""
        modified_at: datetime = self._ask(lambda: self._blob(path).get_blob_properties(**self._once)).last_modified
        return modified_at

    def iter_pages(self, below: str) -> Iterator[Page]:
        """See `Requests.iter_pages`."""
        start = self._prefix + (f"{below}/" if below else "")
        token: str | None = None
        is_over = False

        def ask() -> list[tuple[str, int]]:
            nonlocal token, is_over

            async def page() -> list[tuple[str, int]]:
                nonlocal token, is_over
                pages = self._container.list_blobs(name_starts_with=start, **self._once).by_page(token)
                try:
                    found = [(each.name, int(each.size)) async for each in await anext(pages)]
                except StopAsyncIteration:
                    found = []
                token = pages.continuation_token
                is_over = not token
                return found

            return [(name[len(self._prefix) :], size) for name, size in self._ask(page)]

        while not is_over:
            yield ask

    def delete(self, paths: Sequence[str]) -> None:
        """See `Requests.delete`."""
        for path in paths:
            try:
                self._delete(path)
            except azure.ResourceNotFoundError as error:
                if _code(error) == "ContainerNotFound":
                    raise

    def _delete(self, path: str) -> None:
        self._ask(lambda: self._blob(path).delete_blob(delete_snapshots="include", **self._once))

    def require_place(self) -> None:
        """See `Requests.require_place`."""
        self._ask(lambda: self._container.get_container_properties(**self._once))

    def name_error(self, error: Exception, what: str) -> KelarecError | None:
        """See `Requests.name_error`."""
        if isinstance(error, azure.HttpResponseError):
            return _name_answer(error, what)
        if isinstance(error, azure.ClientAuthenticationError):
            return refused(what, error)
        if isinstance(error, azure.ServiceRequestError | azure.ServiceResponseError | azure.IncompleteReadError):
            return unreachable(what, error)
        if isinstance(error, azure.AzureError):
            return failed(what, error)
        return name_builtin_error(error, what)

    def _blob(self, path: str) -> Any:  # noqa: ANN401  a client of Azure's
        return self._container.get_blob_client(self._prefix + path)

    def _ask(self, call: Callable[[], Awaitable[_R]]) -> _R:
        return wait_for(self.filesystem, call, self._limits.in_all)


def _code(error: azure.HttpResponseError) -> str:
    return str(getattr(getattr(error, "error_code", ""), "value", getattr(error, "error_code", "")) or "")


def _is_taken(error: azure.HttpResponseError) -> bool:
    return isinstance(error, azure.ResourceExistsError | azure.ResourceModifiedError)


def _name_answer(error: azure.HttpResponseError, what: str) -> KelarecError:
    code = _code(error)
    if code == "ContainerNotFound":
        return PlaceNotFoundError(f"{what}: there is no such container.")
    if isinstance(error, azure.ResourceNotFoundError):
        return gone(what)
    if _is_taken(error):
        return taken(what)
    if error.status_code is None:
        return unreachable(what, error)
    return name_status(int(error.status_code), what, code or str(error.status_code))
