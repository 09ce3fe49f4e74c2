"""Which terms of the W3C Data Privacy Vocabulary (DPV) say what a register says.

A field without a term there gets one of ours, ``urn:kelarec:register:<field>``.
"""

from collections.abc import Mapping
from typing import Any, Final

from kelarec.domain.notice_facts import (
    ContactPoint,
    Controller,
    Disclosure,
    PersonGroup,
    Source,
    SubjectRight,
)
from kelarec.domain.register import Category, Purpose, Rank, Register
from kelarec.domain.retention import KindRetention, RetentionPolicy

PREFIXES: Final[Mapping[str, str]] = {
    "dpv": "https://w3id.org/dpv#",
    "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
    "legal-fi": "https://w3id.org/dpv/legal/fi#",
    "loc": "https://w3id.org/dpv/loc#",
    "pd": "https://w3id.org/dpv/pd#",
    "dcterms": "http://purl.org/dc/terms/",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "kelarec": "urn:kelarec:register:",
}

PROPERTIES: Final[Mapping[tuple[type, str], str]] = {
    (Register, "name"): "dpv:hasName",
    (Register, "title"): "dcterms:title",
    (Register, "version"): "dcterms:issued",
    (Register, "controller"): "dpv:hasDataController",
    (Register, "contact_points"): "dpv:hasContact",
    (Register, "data_protection_officers"): "dpv:hasDataProtectionOfficer",
    (Register, "purposes"): "dpv:hasPurpose",
    (Register, "categories"): "dpv:hasPersonalData",
    (Register, "data_subjects"): "dpv:hasDataSubject",
    (Register, "sources"): "dpv:hasDataSource",
    (Register, "regular_disclosures"): "dpv:hasRecipient",
    (Register, "processing_countries"): "dpv:hasCountry",
    (Register, "retention"): "dpv:hasStorageCondition",
    (Register, "kind_retention"): "dpv:hasStorageCondition",
    (Register, "protection"): "dpv:hasTechnicalOrganisationalMeasure",
    (Register, "rights"): "dpv:hasRight",
    (Controller, "name"): "dpv:hasName",
    (Controller, "postal_address"): "dpv:hasAddress",
    (Controller, "telephone"): "dpv:hasContact",
    (Controller, "country"): "dpv:hasCountry",
    (ContactPoint, "name"): "dpv:hasName",
    (ContactPoint, "telephone"): "dpv:hasContact",
    (Purpose, "rank"): "dpv:hasImportance",
    (Purpose, "article_6"): "dpv:hasLegalBasis",
    (SubjectRight, "channels"): "dpv:isExercisedAt",
    (RetentionPolicy, "years"): "dpv:hasDuration",
    (KindRetention, "years"): "dpv:hasDuration",
}

ANY_CLASS: Final[Mapping[str, str]] = {"label": "skos:prefLabel", "code": "dcterms:identifier"}

_PERSONAL_DATA: Final[Mapping[str, tuple[str, ...]]] = {
    "name": ("pd:Name",),
    "identity-code": ("pd:OfficialID",),
    "address": ("pd:PhysicalAddress",),
    "telephone": ("pd:TelephoneNumber",),
    "housing": ("pd:Residency",),
    "family": ("pd:FamilyStructure",),
    "insurance": ("pd:Insurance",),
    "taxation": ("pd:Tax",),
    "income-and-property": ("pd:Income", "pd:Ownership"),
    "withholding-tax": ("pd:Tax",),
    "benefit-references": ("pd:Reference",),
}

TO_TERMS: Final[Mapping[tuple[type, str], Mapping[str, str]]] = {
    (Purpose, "rank"): {
        Rank.PRIMARY.value: "dpv:PrimaryImportance",
        Rank.SECONDARY.value: "dpv:SecondaryImportance",
        Rank.STATUTORY.value: "kelarec:statutory",
    },
    (Purpose, "article_6"): {letter: f"eu-gdpr:A6-1-{letter}" for letter in "abcdef"},
}
"""Values that are written as terms, one for one."""

COUNTRIES: Final = frozenset({(Register, "processing_countries"), (Controller, "country")})
"""Fields whose values are countries, written as terms of ``loc``."""


_CLASSES: Final[Mapping[type, tuple[str, ...]]] = {
    Register: ("dpv:PersonalDataProcess",),
    Controller: ("dpv:DataController", "eu-gdpr:Controller"),
    Purpose: ("dpv:Purpose",),
    Category: ("dpv:PersonalData",),
    PersonGroup: ("dpv:DataSubject",),
    Source: ("dpv:DataSource",),
    Disclosure: ("dpv:Recipient",),
    SubjectRight: ("dpv:DataSubjectRight",),
}
_CLASSES_IN: Final[Mapping[str, tuple[str, ...]]] = {
    "data_protection_officers": ("dpv:DataProtectionOfficer",),
    "protection": ("dpv:TechnicalOrganisationalMeasure",),
    "retention": ("dpv:StorageDuration",),
    "kind_retention": ("dpv:StorageDuration",),
}


def list_types(value: Any, name: str) -> list[str]:  # noqa: ANN401  a part of a register
    """Return the classes of DPV that a part of a register belongs to.

    Args:
        value: The part.
        name: The field it stands in.
    """
    narrower: tuple[str, ...] = ()
    if isinstance(value, Category):
        narrower = _PERSONAL_DATA.get(value.code, ())
    elif isinstance(value, PersonGroup):
        narrower = ("dpv:Employee" if value.is_staff else "dpv:Customer",)
    elif isinstance(value, SubjectRight):
        narrower = (f"eu-gdpr:A{value.article}",)
    return [*_CLASSES.get(type(value), ()), *_CLASSES_IN.get(name, ()), *narrower]


def list_implied(register: Register) -> dict[str, Any]:
    """Return what follows from a register in DPV terms and is not read back, because it follows."""
    implied: dict[str, Any] = {
        "dpv:hasProcessing": [{"@id": f"dpv:{act}"} for act in ("Record", "Store", "Use", "Erase")],
        "dpv:hasRecordOfActivity": {"@type": "dpv:ROPA"},
        "dpv:hasNotice": {"@type": "dpv:PrivacyNotice"},
    }
    if register.controller.country == "FI":
        implied["dpv:hasAuthority"] = {"@id": "legal-fi:DPA-FI"}
    return implied
