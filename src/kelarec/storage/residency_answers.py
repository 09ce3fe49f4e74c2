"""What S3, Azure and Google answer when they are asked where a place lies."""

import json
from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen

from kelarec.errors import ResidencyUnknownError

_FIRST_REGION: Final = "us-east-1"  # S3 names it by saying nothing
_OLD_NAMES: Final = {"EU": "eu-west-1"}
_NO_SUCH_SETTING: Final = ("ReplicationConfigurationNotFoundError", "ServerSideEncryptionConfigurationNotFoundError")
_MANAGEMENT: Final = "https://management.azure.com"


@frozen
class Answer:
    """Where a provider says that something lies.

    Attributes:
        told_by: What says it, such as ``the bucket's location``.
        regions: One, or those over which it spreads.
        is_copy: Whether it is a copy or a key, which may lie anywhere in the EU/EEA.
    """

    told_by: str
    regions: tuple[str, ...]
    is_copy: bool = False


def find_endpoint(filesystem: Any, scheme: str) -> str:  # noqa: ANN401  fsspec
    """Return the URL that a filesystem really talks to, whatever of arguments, environment or files it took it from."""
    if scheme in {"s3", "s3a"}:
        filesystem.connect()
        return str(filesystem.s3.meta.endpoint_url)
    if scheme in {"gs", "gcs"}:
        return str(filesystem.base)
    return str(filesystem.service_client.url)


def ask_s3(filesystem: Any, bucket: str) -> list[Answer]:  # noqa: ANN401  fsspec
    """Ask S3 for a bucket's location, the buckets it is replicated to, and the regions of the key it is encrypted with.

    Raises:
        ResidencyUnknownError: S3 does not answer, or denies the answer.
    """
    answers = [Answer("the bucket's location", (_get_s3_location(filesystem, bucket),))]
    replication = _call_s3(filesystem, "get_bucket_replication", bucket)
    for rule in replication.get("ReplicationConfiguration", {}).get("Rules", []):
        target = rule["Destination"]["Bucket"].rpartition(":")[2]
        answers.append(Answer(f"replication to {target}", (_get_s3_location(filesystem, target),), is_copy=True))
    encryption = _call_s3(filesystem, "get_bucket_encryption", bucket)
    for rule in encryption.get("ServerSideEncryptionConfiguration", {}).get("Rules", []):
        key = rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID", "")
        if "mrk-" in key:
            raise ResidencyUnknownError(
                f"The bucket {bucket} is encrypted with a multi-region key, whose replicas S3 does not tell.",
                advice="Use a key of one region.",
            )
        if key.startswith("arn:"):
            answers.append(Answer("the bucket's key", (key.split(":")[3],), is_copy=True))
    return answers


def _get_s3_location(filesystem: Any, bucket: str) -> str:  # noqa: ANN401  fsspec
    location = _call_s3(filesystem, "get_bucket_location", bucket).get("LocationConstraint") or _FIRST_REGION
    return _OLD_NAMES.get(location, location)


def _call_s3(filesystem: Any, method: str, bucket: str) -> dict[str, Any]:  # noqa: ANN401  fsspec
    try:
        return dict(filesystem.call_s3(method, Bucket=bucket))
    except Exception as error:  # whatever client and network raise: that it could not be told
        cause = error.__cause__ or error
        code = getattr(cause, "response", {}).get("Error", {}).get("Code", type(cause).__name__)
        if code in _NO_SUCH_SETTING:
            return {}
        raise ResidencyUnknownError(
            f"S3 does not tell where the bucket {bucket} lies: {method} gives {code}.",
            advice="Allow s3:GetBucketLocation, s3:GetReplicationConfiguration and s3:GetEncryptionConfiguration.",
        ) from error


def ask_google(filesystem: Any, bucket: str) -> list[Answer]:  # noqa: ANN401  fsspec
    """Ask Google for a bucket's location, those of a pair chosen by hand, and that of the key it is encrypted with.

    Raises:
        ResidencyUnknownError: Google does not answer, or denies the answer.
    """
    try:
        told = filesystem.call("GET", "b/{}", bucket, json_out=True)
    except Exception as error:
        raise ResidencyUnknownError(
            f"Google does not tell where the bucket {bucket} lies: {type(error).__name__}.",
            advice="Allow storage.buckets.get.",
        ) from error
    pair = told.get("customPlacementConfig", {}).get("dataLocations", [])
    answers = [Answer("the bucket's location", tuple(pair) or (told.get("location", ""),))]
    key = told.get("encryption", {}).get("defaultKmsKeyName", "")
    if key:
        location = key.partition("/locations/")[2].partition("/")[0]
        answers.append(Answer("the bucket's key", (location,), is_copy=True))
    return answers


def ask_azure(
    account: str,
    resource_ids: Mapping[str, str],
    credential: Any,  # noqa: ANN401  azure-core's token credentials have no common class
    management: str = _MANAGEMENT,
) -> list[Answer]:
    """Ask Azure's management service for the regions of a storage account; the storage service does not tell them.

    Raises:
        ResidencyUnknownError: The account's resource id is not declared, or the service does not answer.
    """
    resource_id = resource_ids.get(account)
    if resource_id is None:
        raise ResidencyUnknownError(
            f"Nobody tells where the Azure storage account {account} lies.", advice="Declare the account's resource id."
        )
    from urllib.request import Request, urlopen  # noqa: PLC0415  only who asks Azure pays for it

    try:
        if credential is None:
            from azure.identity import DefaultAzureCredential  # noqa: PLC0415  comes with the extra only

            credential = DefaultAzureCredential()
        token = credential.get_token(f"{_MANAGEMENT}/.default").token
        url = f"{management}{resource_id}?api-version=2024-01-01"
        with urlopen(Request(url, headers={"Authorization": f"Bearer {token}"}), timeout=30) as response:  # noqa: S310
            told = json.load(response)
    except Exception as error:
        raise ResidencyUnknownError(
            f"Azure does not tell where the storage account {account} lies: {type(error).__name__}."
        ) from error
    answers = [Answer("the account's location", (told.get("location", ""),))]
    second = told.get("properties", {}).get("secondaryLocation")
    if second:
        answers.append(Answer("the account's second location", (second,), is_copy=True))
    return answers
