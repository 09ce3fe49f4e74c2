"""Nothing lies outside the EU/EEA: the notice, section 8; GDPR, Art. 44.

S3 is asked as in earnest: the real client, the real host names, and moto behind a proxy on this machine.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import boto3
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem

from kelarec import Place
from kelarec.domain.eea import EEA
from kelarec.domain.regions import REGIONS, Cloud
from kelarec.errors import NotResidentError, ResidencyUnknownError, UnknownSchemeError
from kelarec.storage.residency import Declarations, require_answers, require_key_resident, require_resident
from kelarec.storage.residency_answers import Answer

RULE: Final = {
    "ID": "copy",
    "Priority": 1,
    "Status": "Enabled",
    "Filter": {},
    "DeleteMarkerReplication": {"Status": "Disabled"},
}
ARN: Final = "arn:aws:kms:{}:123456789012:key/{}"


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The URL of a mock of AWS on this machine, with a bucket in each of five regions."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    try:
        requests.post(f"{url}/moto-api/reset", timeout=30)  # what other tests of this process have left in it
        for region in ("eu-west-2", "eu-central-2", "eu-north-1", "eu-west-1", "us-east-1"):
            s3 = connect(url, region)
            where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
            s3.create_bucket(Bucket=f"rec-{region}", **where)
            s3.put_bucket_versioning(Bucket=f"rec-{region}", VersioningConfiguration={"Status": "Enabled"})
        yield url
    finally:
        server.stop()


def connect(url: str, region: str) -> Any:  # noqa: ANN401  boto3 is untyped
    """Return a client of the mock."""
    return boto3.client("s3", region_name=region, endpoint_url=url, aws_access_key_id="k", aws_secret_access_key="s")


def open_s3(moto: str, endpoint: str = "http://s3.eu-north-1.amazonaws.com") -> S3FileSystem:
    """Return a filesystem that believes itself at AWS and is led to the mock by a proxy."""
    proxied = {"proxies": {"http": moto}, "s3": {"addressing_style": "path"}, "retries": {"max_attempts": 1}}
    return S3FileSystem(
        key="k", secret="s", use_ssl=False, endpoint_url=endpoint, config_kwargs=proxied, skip_instance_cache=True
    )


@pytest.mark.parametrize(("region", "country"), [("eu-west-2", "GB"), ("eu-central-2", "CH"), ("us-east-1", "US")])
def test_a_bucket_elsewhere_is_refused_by_name(moto: str, region: str, country: str) -> None:
    """A bucket in London or Zurich is refused though its region is called Europe, and the error says where it is."""
    with pytest.raises(NotResidentError, match=f"{region}: {country}") as caught:
        require_resident(Place(f"s3://rec-{region}/archive", "SE"), open_s3(moto), what="objects")
    assert not isinstance(caught.value, ResidencyUnknownError)
    print(f"\n{caught.value}")


def test_a_bucket_in_the_declared_country_is_resident(moto: str) -> None:
    """A bucket in Stockholm is in Sweden, and nowhere else in the EEA."""
    require_resident(Place("s3://rec-eu-north-1/archive", "SE"), open_s3(moto), what="objects")
    with pytest.raises(NotResidentError, match="declared to lie in FI, but AWS's region eu-north-1 is in SE"):
        require_resident(Place("s3://rec-eu-north-1/archive", "FI"), open_s3(moto), what="objects")


@pytest.mark.parametrize(("target", "is_resident"), [("us-east-1", False), ("eu-west-2", False), ("eu-west-1", True)])
def test_copies_are_looked_at_too(moto: str, target: str, is_resident: bool) -> None:  # noqa: FBT001
    """A bucket in Stockholm that is replicated to Virginia or London is not resident; one copied to Ireland is."""
    rule = RULE | {"Destination": {"Bucket": f"arn:aws:s3:::rec-{target}"}}
    told = {"Role": "arn:aws:iam::123456789012:role/copy", "Rules": [rule]}
    s3 = connect(moto, "eu-north-1")
    s3.put_bucket_replication(Bucket="rec-eu-north-1", ReplicationConfiguration=told)
    place = Place("s3://rec-eu-north-1/archive", "SE")
    try:
        if is_resident:
            require_resident(place, open_s3(moto), what="objects")
        else:
            with pytest.raises(NotResidentError, match=f"replication to rec-{target}.*{target}"):
                require_resident(place, open_s3(moto), what="objects")
    finally:
        s3.delete_bucket_replication(Bucket="rec-eu-north-1")


@pytest.mark.parametrize(
    ("key", "error"),
    [
        (ARN.format("eu-north-1", "1-2-3"), None),
        (ARN.format("us-east-1", "1-2-3"), NotResidentError),
        (ARN.format("eu-north-1", "mrk-1"), ResidencyUnknownError),
    ],
)
def test_the_buckets_own_key_is_looked_at(moto: str, key: str, error: type[Exception] | None) -> None:
    """What encrypts the bucket lies in the EEA too; a key of several regions might not."""
    s3 = connect(moto, "eu-north-1")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    s3.put_bucket_encryption(Bucket="rec-eu-north-1", ServerSideEncryptionConfiguration={"Rules": [rule]})
    place = Place("s3://rec-eu-north-1/archive", "SE")
    try:
        if error is None:
            require_resident(place, open_s3(moto), what="objects")
        else:
            with pytest.raises(error):
                require_resident(place, open_s3(moto), what="objects")
    finally:
        s3.delete_bucket_encryption(Bucket="rec-eu-north-1")


def test_what_s3_does_not_tell_is_unknown(moto: str) -> None:
    """No bucket, no right, no answer: where it lies could not be told, which is another error than that it is false."""
    with pytest.raises(ResidencyUnknownError, match="NoSuchBucket"):
        require_resident(Place("s3://nowhere/archive", "SE"), open_s3(moto), what="objects")
    with pytest.raises(ResidencyUnknownError) as caught:
        require_resident(Place("s3://rec-eu-north-1", "SE"), open_s3("http://127.0.0.1:9"), what="objects")
    assert caught.value.code == "residency-unknown"
    with pytest.raises(ResidencyUnknownError, match="nobody to ask"):
        require_resident(Place("s3://rec-eu-north-1", "SE"), what="objects")


def test_another_providers_server_needs_a_declaration(moto: str) -> None:
    """An S3-compatible server is known by the operator's word alone: its regions only sound like those of AWS."""
    filesystem = open_s3(moto, "http://s3.eu-west-2.example.org:9000")
    place = Place("s3://rec/archive", "FI")
    with pytest.raises(ResidencyUnknownError, match=r"s3\.eu-west-2\.example\.org"):
        require_resident(place, filesystem, what="objects")
    said = Declarations(endpoints={"S3.eu-west-2.example.org": "FI"})
    require_resident(place, filesystem, what="objects", declared=said)
    with pytest.raises(NotResidentError, match="in SE"):
        require_resident(
            place, filesystem, what="objects", declared=Declarations(endpoints={"s3.eu-west-2.example.org": "SE"})
        )
    with pytest.raises(NotResidentError):
        require_resident(
            place, filesystem, what="objects", declared=Declarations(endpoints={"s3.eu-west-2.example.org": "GB"})
        )


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "[::1]"])
def test_a_server_on_this_machine_lies_where_the_machine_does(moto: str, host: str) -> None:
    """A server on this machine is where the operator declares the machine to be."""
    require_resident(Place("s3://rec/archive", "FI"), open_s3(moto, f"http://{host}:9000"), what="objects")


@pytest.mark.parametrize("host", ["localhost.example.org", "127.0.0.1.example.org", "192.168.1.1"])
def test_what_only_sounds_like_this_machine_is_unknown(moto: str, host: str) -> None:
    """A name that begins like this machine's is another machine."""
    with pytest.raises(ResidencyUnknownError):
        require_resident(Place("s3://rec/archive", "FI"), open_s3(moto, f"http://{host}:9000"), what="objects")


@pytest.mark.parametrize(
    ("url", "country", "error"),
    [
        ("postgresql+psycopg://u:p@db.example.org/catalog", "FI", None),
        ("postgresql+psycopg://u:p@rec.abc.eu-north-1.rds.amazonaws.com:5432/catalog", "SE", None),
        ("postgresql+psycopg://u:p@rec.abc.eu-north-1.rds.amazonaws.com/catalog", "FI", NotResidentError),
        ("postgresql+psycopg://u:p@rec.abc.eu-west-2.rds.amazonaws.com/catalog", "SE", NotResidentError),
        ("postgresql+psycopg://u:p@eu-north-1.abc.eu-central-2.rds.amazonaws.com/catalog", "SE", NotResidentError),
        ("postgresql+psycopg://u:p@rec.abc.eu-north-9.rds.amazonaws.com/catalog", "SE", ResidencyUnknownError),
        ("postgresql+psycopg://u:p@db-prod-main-1.abc.eu-north-1.rds.amazonaws.com/catalog", "SE", None),
        ("postgresql+psycopg://u:p@db.example.org,rec.abc.eu-west-2.rds.amazonaws.com/c", "SE", NotResidentError),
        ("postgresql+psycopg:///c?host=rec.abc.eu-west-2.rds.amazonaws.com", "SE", NotResidentError),
        ("postgresql+psycopg:///c?host=/run/postgresql", "SE", None),
        ("postgresql+psycopg://u@ep-x-1.eu-central-1.aws.neon.tech/c", "DE", None),
        ("postgresql+psycopg://u@aws-0-eu-west-2.pooler.supabase.com/c", "DE", NotResidentError),
        ("postgresql+psycopg://u@x.aws-eu-west-1.cockroachlabs.cloud/c", "IE", None),
        ("postgresql+psycopg://u@x.gcp-europe-west2.cockroachlabs.cloud/c", "BE", NotResidentError),
        ("postgresql+psycopg://u@rec.uksouth.cloudapp.azure.com/c", "SE", NotResidentError),
        ("postgresql+psycopg://u@rec.swedencentral.cloudapp.azure.com/c", "SE", None),
        ("postgresql+psycopg://u@[::1]:5432/c", "FI", None),
        ("sftp://backup@ec2-1-2-3-4.eu-west-2.compute.amazonaws.com/srv", "SE", NotResidentError),
        ("file:///srv/archive", "FI", None),
        ("sqlite:///srv/catalog.sqlite", "FI", None),
    ],
)
def test_a_host_that_names_its_region_agrees(url: str, country: str, error: type[NotResidentError] | None) -> None:
    """A database or machine lies where it is declared, unless its own name says otherwise."""
    if error is None:
        require_resident(Place(url, country), what="catalog")
        return
    with pytest.raises(error) as caught:
        require_resident(Place(url, country), what="catalog")
    assert type(caught.value) is error
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize("url", ["filecache::s3://rec/archive", "simplecache::gs://rec", "blockcache::s3://rec"])
def test_no_place_goes_through_a_cache_on_another_disk(url: str) -> None:
    """Caches of fsspec would put objects into temporary files: a place is the store itself."""
    with pytest.raises(UnknownSchemeError):
        Place(url, "FI")


def describe(*regions: str) -> Callable[[], dict[str, Any]]:
    """Return what gives a key's description in the format of AWS."""
    primary, *replicas = regions
    told = {"PrimaryKey": {"Region": primary}, "ReplicaKeys": [{"Region": each} for each in replicas]}
    return lambda: {"KeyMetadata": {"MultiRegion": True, "MultiRegionConfiguration": told}}


@pytest.mark.parametrize(
    ("key", "replicas", "error"),
    [
        (ARN.format("eu-north-1", "1-2"), None, None),
        (ARN.format("eu-west-2", "1-2"), None, NotResidentError),
        (ARN.format("eu-west-1", "1-2"), None, NotResidentError),
        (ARN.format("eu-north-1", "mrk-1"), None, ResidencyUnknownError),
        (ARN.format("eu-north-1", "mrk-1"), ("eu-north-1", "eu-west-1"), None),
        (ARN.format("eu-north-1", "mrk-1"), ("eu-north-1", "us-east-1"), NotResidentError),
        (ARN.format("eu-north-1", "mrk-1"), ("eu-west-2", "eu-north-1"), NotResidentError),
        ("alias/kelarec", None, ResidencyUnknownError),
        ("1234abcd-12ab-34cd-56ef-1234567890ab", None, ResidencyUnknownError),
    ],
)
def test_the_root_key_lies_in_the_eea(
    key: str, replicas: tuple[str, ...] | None, error: type[NotResidentError] | None
) -> None:
    """A key service lies where it is declared, and no replica of the key outside the EEA."""
    asked = None if replicas is None else describe(*replicas)
    if error is None:
        require_key_resident(key, "SE", asked)
        return
    with pytest.raises(error) as caught:
        require_key_resident(key, "SE", asked)
    assert type(caught.value) is error


ANY_REGION: Final = st.sampled_from([(cloud, region) for cloud, table in REGIONS.items() for region in table])


@given(ANY_REGION, st.sampled_from(sorted(EEA)))
def test_a_place_is_resident_exactly_where_it_lies(pair: tuple[Cloud, str], country: str) -> None:
    """Those agree whose countries are all in the EEA and among them the declared one, and no others."""
    cloud, region = pair
    countries = REGIONS[cloud][region]
    if countries <= EEA and country in countries:
        require_answers(cloud, [Answer("the table", (region,))], country, "objects")
        return
    with pytest.raises(NotResidentError) as caught:
        require_answers(cloud, [Answer("the table", (region,))], country, "objects")
    assert type(caught.value) is NotResidentError


@given(ANY_REGION, ANY_REGION)
def test_a_copy_is_resident_anywhere_in_the_eea(home: tuple[Cloud, str], copy: tuple[Cloud, str]) -> None:
    """A copy is refused exactly if one of its countries is outside the EEA."""
    cloud, region = copy
    if REGIONS[cloud][region] <= EEA:
        require_answers(cloud, [Answer("a copy", (region,), is_copy=True)], "FI", "objects")
    else:
        with pytest.raises(NotResidentError):
            require_answers(cloud, [Answer("a copy", (region,), is_copy=True)], "FI", "objects")
    if home[0] is not cloud and region not in REGIONS[home[0]]:
        with pytest.raises(ResidencyUnknownError):
            require_answers(home[0], [Answer("another provider's name", (region,), is_copy=True)], "FI", "objects")
