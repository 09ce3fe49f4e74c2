"""Residency: nothing lies outside the EU/EEA (notice, section 8).

Each place has a declared country. Where the provider can be asked where a place lies, it is asked, and so are the
targets of replication and the keys of the provider's own encryption where they can be seen; the answers must agree with
the declaration. A folder, a database, this machine's temporary files and a server on this machine lie where the
operator declares. What cannot be told is refused, by an error of its own.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from attrs import field, frozen

from kelarec.domain.eea import EEA, require_eea
from kelarec.domain.regions import REGIONS_AS_OF, Cloud, find_countries
from kelarec.errors import NotResidentError, ResidencyUnknownError
from kelarec.storage.places import Place
from kelarec.storage.residency_answers import Answer, ask_azure, ask_google, ask_s3, find_endpoint

_CLOUDS: Final = {
    "s3": Cloud.AWS,
    "s3a": Cloud.AWS,
    "abfs": Cloud.AZURE,
    "abfss": Cloud.AZURE,
    "az": Cloud.AZURE,
    "gs": Cloud.GOOGLE,
    "gcs": Cloud.GOOGLE,
}
_HOSTS: Final = {
    Cloud.AWS: (".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws"),
    Cloud.AZURE: (".core.windows.net", ".storage.azure.net"),
    Cloud.GOOGLE: (".googleapis.com",),
}
_HOSTS_WITH_REGION: Final = {  # databases and machines whose name tells the region
    Cloud.AWS: (*_HOSTS[Cloud.AWS], ".aws.neon.tech", ".supabase.com", ".cockroachlabs.cloud"),
    Cloud.AZURE: (".cloudapp.azure.com", ".azure.neon.tech"),
    Cloud.GOOGLE: (".cockroachlabs.cloud",),
}
_LOOKS_LIKE_A_REGION: Final = {
    Cloud.AWS: re.compile(r"(?<![a-z0-9])(?!aws-)[a-z]{2,4}(?:-[a-z]{2,})+-[0-9](?![0-9])"),
    Cloud.AZURE: re.compile(r"(?<=\.)[a-z]+[0-9]?(?=\.cloudapp\.azure\.com|\.azure\.neon\.tech)"),
    Cloud.GOOGLE: re.compile(
        r"(?<![a-z0-9])(?:africa|asia|australia|europe|me|[a-z]+america|us)-[a-z]+[0-9]{1,2}(?![0-9])"
    ),
}
_KEY_ARN: Final = re.compile(r"arn:aws[a-z-]*:kms:(?P<region>[a-z0-9-]+):[0-9]*:(?:key|alias)/(?P<name>.+)")


@frozen(kw_only=True)
class Declarations:
    """What the operator says about places beyond their country.

    Attributes:
        endpoints: The country of each S3-compatible server that is not the provider's own, by host; nothing else makes
            such a server known.
        azure_accounts: The resource id of each Azure storage account, by name, as in ``/subscriptions/…``: the storage
            service itself does not tell its region, the management service does.
        azure_credential: Gives a token of the management service; azure-identity's default if none is given.
    """

    endpoints: Mapping[str, str] = field(factory=dict)
    azure_accounts: Mapping[str, str] = field(factory=dict)
    azure_credential: Any = field(default=None, repr=False)


NOTHING_DECLARED: Final = Declarations()


def require_resident(
    place: Place,
    filesystem: Any = None,  # noqa: ANN401  fsspec is untyped
    *,
    what: str,
    declared: Declarations = NOTHING_DECLARED,
) -> None:
    """Check that a place lies in the country that is declared for it.

    Args:
        place: The place, with its country.
        filesystem: The fsspec filesystem that works on the place, which is asked; for S3, Azure and Google only.
        what: What lies there, for the error, such as ``objects``.
        declared: What the operator says beyond the country.

    Raises:
        NotResidentError: It lies elsewhere, or is copied to outside the EU/EEA.
        ResidencyUnknownError: Nobody tells where it lies, or the table does not know the region.
    """
    cloud = _CLOUDS.get(place.scheme)
    if cloud is None:
        for host in _iter_hosts(place.url):
            _require_host(host, place.country, what)
        return
    if filesystem is None:
        raise ResidencyUnknownError(f"There is nobody to ask where the {what} lie.")
    host = _to_host(find_endpoint(filesystem, place.scheme))
    if _is_here(host):
        return
    if not host.endswith(_HOSTS[cloud]):
        _require_declared(host, place.country, what, declared)
        return
    require_answers(cloud, _ask(cloud, filesystem, place, declared), place.country, what)


def require_answers(cloud: Cloud, answers: Iterable[Answer], country: str, what: str) -> None:
    """Check what a provider answered; a copy may lie in another country of the EU/EEA, the place itself may not.

    Raises:
        NotResidentError: An answer names a region elsewhere.
        ResidencyUnknownError: The table does not know a region.
    """
    for answer in answers:
        _require_regions(cloud, answer.regions, None if answer.is_copy else country, f"{what} ({answer.told_by})")


def require_key_resident(
    key: str, country: str, describe: Callable[[], Mapping[str, Any]] | None = None, *, what: str = "root key"
) -> None:
    """Check that a key of AWS KMS lies in the country that is declared for it, and its replicas in the EU/EEA.

    Args:
        key: The key's ARN.
        country: The declared country.
        what: What the key is, for the error.
        describe: Asks the service for the key's description (``describe_key``); needed for a multi-region key.

    Raises:
        NotResidentError: The key, or a replica of it, lies elsewhere.
        ResidencyUnknownError: It is no ARN, an unknown region, or a multi-region key whose replicas nobody tells.
    """
    require_eea(country, what)
    arn = _KEY_ARN.fullmatch(key)
    if arn is None:
        raise ResidencyUnknownError(
            f"The id of the {what} does not tell its region.", advice="Give the key's whole ARN: arn:aws:kms:…"
        )
    _require_regions(Cloud.AWS, (arn["region"],), country, what)
    if not arn["name"].startswith("mrk-"):
        return
    if describe is None:
        raise ResidencyUnknownError(f"The {what} is a multi-region key, and nobody tells where its replicas are.")
    regions = describe()["KeyMetadata"].get("MultiRegionConfiguration", {})
    for each in (regions.get("PrimaryKey", {}), *regions.get("ReplicaKeys", [])):
        _require_regions(Cloud.AWS, (each.get("Region", ""),), None, f"{what} (a key of several regions)")


def _ask(cloud: Cloud, filesystem: Any, place: Place, declared: Declarations) -> list[Answer]:  # noqa: ANN401  fsspec
    bucket = re.split("[/?#]", place.url.partition("://")[2], maxsplit=1)[0]
    if cloud is Cloud.AWS:
        return ask_s3(filesystem, bucket)
    if cloud is Cloud.GOOGLE:
        return ask_google(filesystem, bucket)
    return ask_azure(filesystem.account_name, declared.azure_accounts, declared.azure_credential)


def _require_regions(cloud: Cloud, regions: tuple[str, ...], country: str | None, what: str) -> None:
    countries: set[str] = set()
    for region in regions:
        known = find_countries(cloud, region)
        if known is None:
            raise ResidencyUnknownError(
                f"Where {cloud}'s region {region!r} of the {what} lies is not known (table of {REGIONS_AS_OF})."
            )
        if not known <= EEA:
            shown = " and ".join(sorted(known))
            raise NotResidentError(f"The {what} lie in {cloud}'s region {region}: {shown}, not in the EU/EEA.")
        countries |= known
    if country is not None and country not in countries:
        raise NotResidentError(
            f"The {what} are declared to lie in {country}, but {cloud}'s region {' and '.join(regions)} is in "
            f"{' and '.join(sorted(countries))}.",
            advice="Correct the declared country, or move the place.",
        )


def _require_host(host: str, country: str, what: str) -> None:
    for cloud, suffixes in _HOSTS_WITH_REGION.items():
        if host.endswith(suffixes):
            for region in _LOOKS_LIKE_A_REGION[cloud].findall(host)[-1:]:  # what comes before it are names
                _require_regions(cloud, (region,), country, what)


def _require_declared(host: str, country: str, what: str, declared: Declarations) -> None:
    said = {_to_host(f"//{each}"): where for each, where in declared.endpoints.items()}.get(host)
    if said is None:
        raise ResidencyUnknownError(
            f"Nobody tells where the server {host} of the {what} lies.", advice="Declare its country by its host."
        )
    if require_eea(said, f"server {host}") != country:
        raise NotResidentError(f"The {what} are declared to lie in {country}, but their server {host} in {said}.")


def _iter_hosts(url: str) -> Iterable[str]:
    """Give every host that a URL names, also those of a PostgreSQL URL with several."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    for each in (parts.netloc.rpartition("@")[2], *query.get("host", []), *query.get("hostaddr", [])):
        yield from (_to_host(f"//{host}") for host in each.split(",") if host and not host.startswith("/"))


def _to_host(url: str) -> str:
    return (urlsplit(url if "//" in url else f"//{url}").hostname or "").rstrip(".")


def _is_here(host: str) -> bool:
    """Whether a host is this machine, which lies where the operator declares."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
