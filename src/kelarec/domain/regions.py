"""In which country the regions of AWS, Azure and Google lie.

A region that is not here is unknown, and what is unknown is refused. Traps: AWS ``eu-west-2``, Azure ``uksouth`` and
Google ``europe-west2`` are in the United Kingdom; AWS ``eu-central-2``, Azure ``switzerlandnorth`` and Google
``europe-west6`` in Switzerland; Google's pairs ``EUR5``, ``EUR7`` and ``EUR8`` reach into one of the two.

Sources, compared line by line on 24.11.2026:

- AWS: ``partitions.json`` of botocore 1.43.117. Its isolated partitions (``aws-iso…``) are left out.
- Azure: "List of Azure regions" of Microsoft Learn (MicrosoftDocs/reliability-docs, regions-list.md, dated 23.9.2025;
  "Physical location" and "Programmatic name"), for China the list of docs.azure.cn. The regions of the US
  government and ``swedensouth``, which is named as the pair of ``swedencentral``, are not in its table.
- Google: the regions of "Region availability" of Cloud SQL (docs.cloud.google.com/sql, a stored copy of 2026), which
  is in all regions. The pairs ``EUR4``, ``EUR5``, ``EUR7``, ``EUR8``, ``NAM4``, and that nothing of ``EU`` lies in
  London or Zürich, are from "Bucket locations" of Cloud Storage as public code cites it, not from the page itself;
  ``EU`` is what is left of Europe. Bangkok (``asia-southeast3``) is in public code of 2026 only.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

REGIONS_AS_OF: Final = "2026-11-24"


class Cloud(StrEnum):
    """Whose regions have a table here."""

    AWS = "AWS"
    AZURE = "Azure"
    GOOGLE = "Google"


def _to_table(text: str) -> dict[str, frozenset[str]]:
    lines = (line.split() for line in text.strip().splitlines())
    return {region: frozenset(countries) for region, *countries in lines}


_AWS: Final = """
af-south-1 ZA
ap-east-1 HK
ap-east-2 TW
ap-northeast-1 JP
ap-northeast-2 KR
ap-northeast-3 JP
ap-south-1 IN
ap-south-2 IN
ap-southeast-1 SG
ap-southeast-2 AU
ap-southeast-3 ID
ap-southeast-4 AU
ap-southeast-5 MY
ap-southeast-6 NZ
ap-southeast-7 TH
ca-central-1 CA
ca-west-1 CA
cn-north-1 CN
cn-northwest-1 CN
eu-central-1 DE
eu-central-2 CH
eu-north-1 SE
eu-south-1 IT
eu-south-2 ES
eu-west-1 IE
eu-west-2 GB
eu-west-3 FR
eusc-de-east-1 DE
il-central-1 IL
me-central-1 AE
me-south-1 BH
mx-central-1 MX
sa-east-1 BR
us-east-1 US
us-east-2 US
us-gov-east-1 US
us-gov-west-1 US
us-west-1 US
us-west-2 US
"""

_AZURE: Final = """
australiacentral AU
australiacentral2 AU
australiaeast AU
australiasoutheast AU
austriaeast AT
belgiumcentral BE
brazilsouth BR
brazilsoutheast BR
canadacentral CA
canadaeast CA
centralindia IN
centralus US
chilecentral CL
chinaeast CN
chinaeast2 CN
chinaeast3 CN
chinanorth CN
chinanorth2 CN
chinanorth3 CN
denmarkeast DK
eastasia HK
eastus US
eastus2 US
francecentral FR
francesouth FR
germanynorth DE
germanywestcentral DE
indonesiacentral ID
israelcentral IL
italynorth IT
japaneast JP
japanwest JP
koreacentral KR
koreasouth KR
malaysiawest MY
mexicocentral MX
newzealandnorth NZ
northcentralus US
northeurope IE
norwayeast NO
norwaywest NO
polandcentral PL
qatarcentral QA
southafricanorth ZA
southafricawest ZA
southcentralus US
southeastasia SG
southindia IN
spaincentral ES
swedencentral SE
swedensouth SE
switzerlandnorth CH
switzerlandwest CH
uaecentral AE
uaenorth AE
uksouth GB
ukwest GB
usgovarizona US
usgovtexas US
usgovvirginia US
westcentralus US
westeurope NL
westindia IN
westus US
westus2 US
westus3 US
"""

_GOOGLE: Final = """
africa-south1 ZA
asia-east1 TW
asia-east2 HK
asia-northeast1 JP
asia-northeast2 JP
asia-northeast3 KR
asia-south1 IN
asia-south2 IN
asia-southeast1 SG
asia-southeast2 ID
asia-southeast3 TH
asia1 JP
australia-southeast1 AU
australia-southeast2 AU
eu BE DE ES FI FR IT NL PL SE
eur4 FI NL
eur5 BE GB
eur7 DE GB
eur8 CH DE
europe-central2 PL
europe-north1 FI
europe-north2 SE
europe-southwest1 ES
europe-west1 BE
europe-west10 DE
europe-west12 IT
europe-west2 GB
europe-west3 DE
europe-west4 NL
europe-west6 CH
europe-west8 IT
europe-west9 FR
me-central1 QA
me-central2 SA
me-west1 IL
nam4 US
northamerica-northeast1 CA
northamerica-northeast2 CA
northamerica-south1 MX
southamerica-east1 BR
southamerica-west1 CL
us US
us-central1 US
us-central2 US
us-east1 US
us-east4 US
us-east5 US
us-south1 US
us-west1 US
us-west2 US
us-west3 US
us-west4 US
"""

REGIONS: Final[Mapping[Cloud, Mapping[str, frozenset[str]]]] = {
    Cloud.AWS: _to_table(_AWS),
    Cloud.AZURE: _to_table(_AZURE),
    Cloud.GOOGLE: _to_table(_GOOGLE),
}


def find_countries(cloud: Cloud, region: str) -> frozenset[str] | None:
    """Return the countries over which a region spreads, mostly one, or None if the table does not know it.

    However it is written: ``West Europe`` is Azure's ``westeurope``, ``EUROPE-NORTH1`` Google's ``europe-north1``.
    """
    name = region.strip().lower()
    return REGIONS[cloud].get(name.replace(" ", "") if cloud is Cloud.AZURE else name)
