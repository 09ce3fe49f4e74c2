"""Objects in a bucket of Google Cloud Storage, through gcsfs."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

import aiohttp
import google.auth.exceptions
from attrs import field, frozen
from gcsfs.core import GCSFileSystem
from yarl import URL

from kelarec.errors import KelarecError, PlaceNotFoundError
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

_RESUME: Final = 308
_BAD: Final = 400
_GONE: Final = 404
_TAKEN: Final = 412
_BEYOND: Final = 416
_REFUSED: Final = 400


@frozen
class _Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)


class _RefusedError(Exception):
    """An answer that is no success."""

    def __init__(self, answer: _Answer) -> None:
        super().__init__(str(answer.status))
        self.answer = answer


class GoogleRequests:
    """Requests to one bucket by the JSON API, on the session and with the credentials of gcsfs.

    gcsfs's core class is used and not the one that first asks what kind of bucket it is, at which emulators and
    accounts without that right stall; its own retries are passed by.
    """

    part_bytes = 8 * 2**20
    most_deleted = 1

    def __init__(  # noqa: PLR0917  as every backend of buckets
        self,
        bucket: str,
        prefix: str,
        options: Mapping[str, str],
        secrets: Mapping[str, Any],
        limits: Limits,
        randomness: Randomness,
    ) -> None:
        self._randomness = randomness
        self._bucket = bucket
        self._prefix = prefix
        self._limits = limits
        self.filesystem: Any = GCSFileSystem(
            **{"endpoint_url": options.get("endpoint"), "project": options.get("project", "-"), **secrets},
            skip_instance_cache=True,
            use_listings_cache=False,
        )
        self._timeout = aiohttp.ClientTimeout(sock_connect=limits.connect_within, sock_read=limits.answer_within)

    def put(self, path: str, content: bytes, *, is_new: bool) -> None:
        """See `Requests.put`."""
        # As metadata and content in one body: a body of content alone may be empty, at which an emulator breaks.
        border = self._randomness(16).hex()
        head = f"--{border}\r\nContent-Type: application/json\r\n\r\n{json.dumps({'name': self._prefix + path})}\r\n"
        head += f"--{border}\r\nContent-Type: application/octet-stream\r\n\r\n"
        body = b"".join([head.encode(), content, f"\r\n--{border}--\r\n".encode()])
        kind = {"Content-Type": f"multipart/related; boundary={border}"}
        self._ask("POST", self._upload_url, self._upload("multipart", path, is_new=is_new), headers=kind, content=body)

    def begin(self, path: str) -> str:
        """See `Requests.begin`."""
        answer = self._ask("POST", self._upload_url, self._upload("resumable", path, is_new=True))
        return answer.headers["Location"]

    def put_part(self, path: str, upload: str, part: Part) -> str:  # noqa: ARG002  the upload knows its path
        """See `Requests.put_part`; the last part completes the object."""
        total = str(part.stop) if part.is_last else "*"
        span = f"bytes {part.start}-{part.stop - 1}/{total}"
        try:
            self._ask("PUT", upload, headers={"Content-Range": span}, content=part.content)
        except _RefusedError as error:
            # Sent again after a lost reply: Google ignores bytes that it has, an emulator refuses them.
            if error.answer.status != _BAD or self._count_received(upload, part) < part.stop:
                raise
        return ""

    def complete(self, path: str, upload: str, receipts: Sequence[str]) -> None:
        """See `Requests.complete`; the last part has done it."""

    def abort(self, path: str, upload: str | None) -> None:  # noqa: ARG002  the upload knows its path
        """See `Requests.abort`; an upload whose name was lost holds no byte and ends by itself."""
        if upload is None:
            return
        try:
            self._ask("DELETE", upload)
        except _RefusedError as error:
            if error.answer.status not in {_GONE, 405, 499}:  # 499 is Google's word for a cancelled upload
                raise

    def get(self, path: str, start: int, stop: int | None) -> bytes:
        """See `Requests.get`."""
        if stop is not None and stop <= start:
            self.get_size(path)
            return b""
        whole = start == 0 and stop is None
        span = {} if whole else {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"}
        try:
            return self._ask("GET", self._url(path), {"alt": "media"}, headers=span).content
        except _RefusedError as error:
            if error.answer.status == _BEYOND:
                return b""
            raise

    def get_size(self, path: str) -> int:
        """See `Requests.get_size`."""
        return int(json.loads(self._ask("GET", self._url(path), {"fields": "size"}).content)["size"])

    def get_modified_at(self, path: str) -> datetime:
        """See `Requests.get_modified_at`."""
        return datetime.fromisoformat(
            json.loads(self._ask("GET", self._url(path), {"fields": "updated"}).content)["updated"]
        )

    def iter_pages(self, below: str) -> Iterator[Page]:
        """See `Requests.iter_pages`."""
        start = self._prefix + (f"{below}/" if below else "")
        following: dict[str, str] | None = {}

        def ask() -> list[tuple[str, int]]:
            nonlocal following
            query = {"prefix": start, "fields": "items(name,size),nextPageToken", **(following or {})}
            answer = json.loads(self._ask("GET", self._url(), query).content)
            token = answer.get("nextPageToken")
            following = {"pageToken": token} if token else None
            return [(each["name"][len(self._prefix) :], int(each["size"])) for each in answer.get("items", ())]

        while following is not None:
            yield ask

    def delete(self, paths: Sequence[str]) -> None:
        """See `Requests.delete`."""
        for path in paths:
            try:
                self._ask("DELETE", self._url(path))
            except _RefusedError as error:
                if error.answer.status != _GONE:
                    raise

    def require_place(self) -> None:
        """See `Requests.require_place`."""
        try:
            self._ask("GET", self._url(), {"prefix": self._prefix, "maxResults": "1"})
        except _RefusedError as error:
            if error.answer.status == _GONE:
                raise PlaceNotFoundError(f"There is no bucket {self._bucket}.") from None
            raise

    def name_error(self, error: Exception, what: str) -> KelarecError | None:
        """See `Requests.name_error`."""
        if isinstance(error, _RefusedError):
            return _name_answer(error.answer.status, what)
        if isinstance(error, aiohttp.ClientError | google.auth.exceptions.TransportError):
            return unreachable(what, error)
        if isinstance(error, google.auth.exceptions.GoogleAuthError):
            return refused(what, error)
        if isinstance(error, json.JSONDecodeError | KeyError):
            return failed(what, error)
        return name_builtin_error(error, what)

    @property
    def _upload_url(self) -> str:
        return f"{self.filesystem._location}/upload/storage/v1/b/{quote(self._bucket)}/o"  # noqa: SLF001

    def _url(self, path: str | None = None) -> str:
        objects = f"{self.filesystem.base}b/{quote(self._bucket)}/o"
        return objects if path is None else f"{objects}/{quote(self._prefix + path, safe='')}"

    def _upload(self, kind: str, path: str, *, is_new: bool) -> dict[str, str]:
        condition = {"ifGenerationMatch": "0"} if is_new else {}
        return {"uploadType": kind, "name": self._prefix + path, **condition}

    def _count_received(self, upload: str, part: Part) -> int:
        total = str(part.stop) if part.is_last else "*"
        answer = self._ask("PUT", upload, headers={"Content-Range": f"bytes */{total}"})
        if answer.status != _RESUME:
            return part.stop
        return int(answer.headers.get("Range", "bytes=0--1").rpartition("-")[2]) + 1

    def _ask(
        self,
        method: str,
        url: str,
        query: Mapping[str, str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
    ) -> _Answer:
        filesystem = self.filesystem

        async def ask() -> _Answer:
            session = await filesystem._set_session()  # noqa: SLF001  its one door to the session
            async with session.request(
                method,
                URL(f"{url}?{urlencode(query)}" if query else url, encoded=True),
                headers=filesystem._get_headers({"Content-Type": "application/octet-stream", **(headers or {})}),  # noqa: SLF001
                data=io.BytesIO(content),
                timeout=self._timeout,
                allow_redirects=False,  # 308 is the answer to a part, not a redirection
            ) as reply:
                return _Answer(reply.status, dict(reply.headers), await reply.read())

        answer = wait_for(filesystem, ask, self._limits.in_all)
        if answer.status >= _REFUSED:
            raise _RefusedError(answer)
        return answer


def _name_answer(status: int, what: str) -> KelarecError:
    if status == _GONE:
        return gone(what)
    if status == _TAKEN:
        return taken(what)
    return name_status(status, what, str(status))
