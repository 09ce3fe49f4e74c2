"""Objects in a bucket of Amazon S3 or of a server that speaks its protocol, through s3fs."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

import aiohttp
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from s3fs import S3FileSystem

from kelarec.errors import KelarecError, PlaceNotFoundError, StorageError
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

_R = TypeVar("_R")
_NO_CREDENTIALS: Final = (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError)
_NO_ANSWER: Final = (boto.HTTPClientError, boto.ConnectionError, ResponseParserError, aiohttp.ClientError)
_GONE: Final = {"NoSuchKey", "NoSuchUpload", "404", "NotFound"}
_TAKEN: Final = {"PreconditionFailed", "ConditionalRequestConflict", "412"}
_SLOW: Final = {"RequestTimeout", "SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded"}
_NO_BULK: Final = {"NotImplemented", "MethodNotAllowed", "InvalidRequest", "MissingContentMD5", "501", "405"}


class S3Requests:
    """Requests to one bucket.

    Every retry is `RemoteObjects`': those of botocore and of s3fs are off, since they would multiply.
    """

    part_bytes = 8 * 2**20
    most_deleted = 1000

    def __init__(
        self, bucket: str, prefix: str, options: Mapping[str, str], secrets: Mapping[str, Any], limits: Limits
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._limits = limits
        self._deletes_many = True
        self._refuses_overwriting = True
        client = {"region_name": options["region"]} if "region" in options else {}
        self.filesystem: Any = S3FileSystem(
            **{"endpoint_url": options.get("endpoint"), "client_kwargs": client, **secrets},
            config_kwargs={
                "connect_timeout": limits.connect_within,
                "read_timeout": limits.answer_within,
                "retries": {"mode": "standard", "max_attempts": 1},
                "s3": {"addressing_style": options.get("addressing", "path" if "endpoint" in options else "auto")},
                "request_checksum_calculation": "when_required",  # servers beside Amazon's know no trailing checksums
                "response_checksum_validation": "when_required",
            },
            skip_instance_cache=True,
            use_listings_cache=False,
        )

    def put(self, path: str, content: bytes, *, is_new: bool) -> None:
        """See `Requests.put`."""
        condition = {"IfNoneMatch": "*"} if is_new else {}
        self._conditional("put_object", path, condition, Body=content)

    def begin(self, path: str) -> str:
        """See `Requests.begin`."""
        return str(self._call("create_multipart_upload", path)["UploadId"])

    def put_part(self, path: str, upload: str, part: Part) -> str:
        """See `Requests.put_part`."""
        answer = self._call("upload_part", path, UploadId=upload, PartNumber=part.number + 1, Body=part.content)
        return str(answer["ETag"])

    def complete(self, path: str, upload: str, receipts: Sequence[str]) -> None:
        """See `Requests.complete`."""
        parts = [{"PartNumber": number, "ETag": receipt} for number, receipt in enumerate(receipts, 1)]
        self._conditional(
            "complete_multipart_upload", path, {"IfNoneMatch": "*"}, UploadId=upload, MultipartUpload={"Parts": parts}
        )

    def abort(self, path: str, upload: str | None) -> None:
        """See `Requests.abort`."""
        for each in self._list_uploads(path) if upload is None else [upload]:
            try:
                self._call("abort_multipart_upload", path, UploadId=each)
            except boto.ClientError as error:
                if _code(error) not in _GONE:
                    raise

    def get(self, path: str, start: int, stop: int | None) -> bytes:
        """See `Requests.get`."""
        if stop is not None and stop <= start:
            self.get_size(path)
            return b""
        wanted = {} if start == 0 and stop is None else {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"}

        async def read(client: Any) -> bytes:  # noqa: ANN401  botocore makes its clients at run time
            answer = await client.get_object(Bucket=self._bucket, Key=self._prefix + path, **wanted)
            async with answer["Body"] as body:
                return bytes(await body.read())

        try:
            return self._ask(read)
        except boto.ClientError as error:
            if _code(error) in {"InvalidRange", "416"}:
                return b""
            raise

    def get_size(self, path: str) -> int:
        """See `Requests.get_size`."""
        return int(self._call("head_object", path)["ContentLength"])

    def get_modified_at(self, path: str) -> datetime:
        """See `Requests.get_modified_at`."""
        modified_at: datetime = self._call("head_object", path)["LastModified"]
        return modified_at

    def iter_pages(self, below: str) -> Iterator[Page]:
        """See `Requests.iter_pages`."""
        start = self._prefix + (f"{below}/" if below else "")
        following: dict[str, str] | None = {}

        def ask() -> list[tuple[str, int]]:
            nonlocal following
            answer = self._ask(lambda s3: s3.list_objects_v2(Bucket=self._bucket, Prefix=start, **(following or {})))
            token = answer.get("NextContinuationToken")
            following = {"ContinuationToken": token} if answer.get("IsTruncated") and token else None
            return [(each["Key"][len(self._prefix) :], int(each["Size"])) for each in answer.get("Contents", ())]

        while following is not None:
            yield ask

    def delete(self, paths: Sequence[str]) -> None:
        """See `Requests.delete`."""
        if len(paths) == 1 or not self._deletes_many:
            for path in paths:
                self._call("delete_object", path)
            return
        listed = {"Objects": [{"Key": self._prefix + path} for path in paths], "Quiet": True}
        try:
            answer = self._ask(lambda s3: s3.delete_objects(Bucket=self._bucket, Delete=listed))
        except boto.ClientError as error:
            if _code(error) not in _NO_BULK:
                raise
            self._deletes_many = False
            self.delete(paths)
            return
        for each in answer.get("Errors", ()):
            code = str(each.get("Code"))
            if code not in _GONE:
                raise _name_code(code, 503 if code in _SLOW | {"InternalError"} else 403, "Objects cannot be deleted")

    def require_place(self) -> None:
        """See `Requests.require_place`."""
        try:
            self._ask(lambda s3: s3.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1))
        except boto.ClientError as error:
            if _code(error) in _GONE:
                raise PlaceNotFoundError(f"There is no bucket {self._bucket}.") from None
            raise

    def name_error(self, error: Exception, what: str) -> KelarecError | None:
        """See `Requests.name_error`."""
        if isinstance(error, boto.ClientError):
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            return _name_code(_code(error), status, what)
        if isinstance(error, _NO_CREDENTIALS):
            return refused(what, error)
        if isinstance(error, _NO_ANSWER):
            return unreachable(what, error)
        if isinstance(error, boto.BotoCoreError):
            return failed(what, error)
        return name_builtin_error(error, what)

    def _conditional(self, method: str, path: str, condition: Mapping[str, str], **arguments: Any) -> None:  # noqa: ANN401
        """Call with a condition, or without for ever where the server does not know conditions."""
        if condition and self._refuses_overwriting:
            try:
                self._call(method, path, **arguments, **condition)
            except boto.ClientError as error:
                if _code(error) != "NotImplemented":
                    raise
                self._refuses_overwriting = False
            else:
                return
        self._call(method, path, **arguments)

    def _list_uploads(self, path: str) -> list[str]:
        key = self._prefix + path
        try:
            answer = self._ask(lambda s3: s3.list_multipart_uploads(Bucket=self._bucket, Prefix=key))
        except boto.ClientError as error:
            if _code(error) in _GONE:  # rclone's way of saying that there are none
                return []
            raise
        return [each["UploadId"] for each in answer.get("Uploads", ()) if each["Key"] == key]

    def _call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401  botocore's own
        key = self._prefix + path
        return self._ask(lambda client: getattr(client, method)(Bucket=self._bucket, Key=key, **arguments))

    def _ask(self, call: Callable[[Any], Awaitable[_R]]) -> _R:
        async def on_client() -> _R:
            return await call(await self.filesystem.set_session())

        return wait_for(self.filesystem, on_client, self._limits.in_all)


def _code(error: boto.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _name_code(code: str, status: int, what: str) -> StorageError | KelarecError:
    if code == "NoSuchBucket":
        return PlaceNotFoundError(f"{what}: there is no such bucket.")
    if code in _GONE:
        return gone(what)
    if code in _TAKEN:
        return taken(what)
    if code in _SLOW:
        return unreachable(what, code)
    return name_status(status, what, code)
