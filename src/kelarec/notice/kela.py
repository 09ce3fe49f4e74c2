"""Kela's privacy notice of 18.8.2020 for the recording of calls and chats, as data.

Each value names the section of the notice it comes from. What the notice leaves open is marked as configuration.
"""

from collections.abc import Iterable
from datetime import date

from attrs import evolve

from kelarec.domain.codes import Direction, Kind
from kelarec.domain.lines import Coverage, Line
from kelarec.domain.notice_facts import ContactPoint, Controller, Label, Source, SubjectRight, Task
from kelarec.domain.register import (
    Category,
    Channel,
    Purpose,
    Rank,
    Register,
    Role,
)
from kelarec.domain.register_rules import DATA_SUBJECT_RIGHT, LEGAL_CLAIM
from kelarec.domain.restricted_use import RestrictedUse
from kelarec.domain.retention import RetentionPolicy
from kelarec.domain.staff_acts import Act

VERIFY_SERVICE_EVENT = "verify-service-event"
STAFF_TRAINING = "staff-training"

_REGIONAL = "regional-service"
_SWITCHBOARD = "020 634 11"
_BOTH_WAYS = (Direction.INBOUND, Direction.OUTBOUND)

_TITLE = Label(  # head
    "Kelan asiakaspuheluiden, taustatukipuheluiden ja chattikeskustelujen tallennusjärjestelmän tietosuojaseloste",
    "Dataskyddsbeskrivning för FPA:s system för inspelning av kundsamtal, bakgrundsstödssamtal och chattkonversationer",
    "Privacy notice of Kela's recording system for customer calls, back-office support calls and chats",
)

_CONTROLLER = Controller(  # section 1
    name=Label("Kansaneläkelaitos", "Folkpensionsanstalten", "Social Insurance Institution of Finland"),
    short_name=Label("Kela", "FPA", "Kela"),
    postal_address=Label(
        "PL 450, 00056 HELSINKI", "PB 450, 00056 HELSINGFORS", "P.O. Box 450, FI-00056 HELSINKI, Finland"
    ),
    visiting_address=Label(
        "Nordenskiöldinkatu 12, 00250 HELSINKI",
        "Nordenskiöldsgatan 12, 00250 HELSINGFORS",
        "Nordenskiöldinkatu 12, FI-00250 HELSINKI, Finland",
    ),
    telephone=_SWITCHBOARD,
    url="http://www.kela.fi/yhteystiedot-hallinto",
    country="FI",
)

_TASK = Task(  # section 4
    label=Label(
        "lakisääteisen sosiaalivakuutuksen toteuttaminen",
        "verkställande av den lagstadgade socialförsäkringen",
        "implementing statutory social insurance",
    ),
    parts=[
        Label(
            "eri etuuslajien hoito", "handläggning av olika slags förmåner", "handling the various kinds of benefits"
        ),
        Label("asiakaspalvelu", "kundservice", "customer service"),
    ],
)

_STATUTORY_TASKS = Label(
    "Kelan lakisääteisten tehtävien hoitaminen",
    "skötseln av FPA:s lagstadgade uppgifter",
    "carrying out Kela's statutory tasks",
)
_THE_LAW = Label(
    "EU:n yleinen tietosuoja-asetus (EU) 2016/679",
    "EU:s allmänna dataskyddsförordning (EU) 2016/679",
    "General Data Protection Regulation (EU) 2016/679",
)
_PURPOSES = (  # section 4, and what the law demands whatever a notice says
    Purpose(
        code=VERIFY_SERVICE_EVENT,
        label=Label("palvelutapahtuman todentaminen", "verifiering av servicehändelsen", "verifying the service event"),
        rank=Rank.PRIMARY,
        legal_basis=_STATUTORY_TASKS,
    ),
    Purpose(
        code=STAFF_TRAINING,
        label=Label(
            "asiakaspalveluhenkilöstön koulutus palvelun laadun kehittämiseksi",
            "utbildning av kundtjänstpersonalen för att utveckla servicens kvalitet",
            "training customer service staff to improve the quality of service",
        ),
        rank=Rank.SECONDARY,
        legal_basis=_STATUTORY_TASKS,
        shows_masked_only=True,
    ),
    Purpose(
        code=DATA_SUBJECT_RIGHT,
        label=Label("rekisteröidyn oikeudet", "den registrerades rättigheter", "rights of the data subject"),
        rank=Rank.STATUTORY,
        legal_basis=_THE_LAW,
    ),
    Purpose(
        code=LEGAL_CLAIM,
        label=Label("oikeusvaade", "rättsligt anspråk", "legal claim"),
        rank=Rank.STATUTORY,
        legal_basis=_THE_LAW,
    ),
)

_LINES = (  # section 5
    Line(
        code="national-service",
        label=Label("valtakunnalliset palvelunumerot", "riksomfattande servicenummer", "national service numbers"),
        kinds=[Kind.CUSTOMER_CALL],
        directions=_BOTH_WAYS,
        coverage=Coverage.ALL,
    ),
    Line(
        code="authority",
        label=Label("viranomaislinja", "myndighetslinjen", "authority line"),
        kinds=[Kind.CUSTOMER_CALL],
        directions=_BOTH_WAYS,
        coverage=Coverage.ALL,
    ),
    Line(
        code=_REGIONAL,
        label=Label("alueelliset palvelunumerot", "regionala servicenummer", "regional service numbers"),
        kinds=[Kind.CUSTOMER_CALL],
        directions=_BOTH_WAYS,
        coverage=Coverage.SOME,
    ),
    Line(
        code="kela-fi",
        label=Label("kela.fi", "kela.fi", "kela.fi"),
        kinds=[Kind.CUSTOMER_CHAT],
        directions=[Direction.INBOUND],
        coverage=Coverage.ALL,
    ),
    Line(
        code="back-office-support",
        label=Label("asiakaspalvelun taustatuki", "kundtjänstens bakgrundsstöd", "back-office support"),
        kinds=[Kind.SUPPORT_CALL, Kind.SUPPORT_CHAT],
        directions=[Direction.INBOUND],
        coverage=Coverage.ALL,
    ),
)

_IDENTIFICATION = Label(
    "henkilön yksilöintitiedot", "uppgifter som identifierar personen", "data that identify the person"
)
_CATEGORIES = tuple(  # section 5
    Category(code=code, label=Label(fi, sv, en), group=group)
    for code, group, fi, sv, en in (
        ("name", _IDENTIFICATION, "nimi", "namn", "name"),
        ("identity-code", _IDENTIFICATION, "henkilötunnus", "personbeteckning", "personal identity code"),
        ("address", _IDENTIFICATION, "osoitetiedot", "adressuppgifter", "address details"),
        ("telephone", _IDENTIFICATION, "puhelinnumero", "telefonnummer", "telephone number"),
        ("housing", None, "asumistiedot", "boendeuppgifter", "housing"),
        ("family", None, "perhesuhdetiedot", "uppgifter om familjeförhållanden", "family relationships"),
        ("insurance", None, "vakuuttamistiedot", "försäkringsuppgifter", "insurance coverage"),
        ("taxation", None, "verotustiedot", "beskattningsuppgifter", "taxation"),
        (
            "income-and-property",
            None,
            "työtulo- ja omaisuustiedot",
            "uppgifter om arbetsinkomster och egendom",
            "earned income and property",
        ),
        ("withholding-tax", None, "ennakonpidätystiedot", "uppgifter om förskottsinnehållning", "withholding tax"),
        ("benefit-references", None, "etuuksien viitetiedot", "referensuppgifter om förmåner", "benefit references"),
    )
)

_SOURCES = (  # section 6, with section 5's other word for the same role
    Source(
        code="customer",
        label=Label("asiakas itse", "kunden själv", "the customer"),
        kinds=[Kind.CUSTOMER_CALL, Kind.CUSTOMER_CHAT],
    ),
    Source(
        code="adviser",
        label=Label("palveluasiantuntija", "servicesakkunnig", "service specialist"),
        content_label=Label("palveluneuvoja", "servicerådgivare", "service adviser"),
        kinds=[Kind.SUPPORT_CALL, Kind.SUPPORT_CHAT],
    ),
)

_PROTECTION = (  # section 10
    Label(
        "kaikessa toiminnassa ollaan huolellisia ja varmistetaan tietosuojan ja tietoturvallisuuden toteutuminen",
        "all verksamhet präglas av omsorg, och man ser till att dataskyddet och informationssäkerheten förverkligas",
        "care is taken in all activities, and it is ensured that data protection and information security are realised",
    ),
    Label(
        "vaitiolositoumuksen antaa jokainen työntekijä, joka käsittelee henkilötietoja",
        "varje anställd som behandlar personuppgifter avger en tystnadsförbindelse",
        "every employee who handles personal data gives a confidentiality commitment",
    ),
    Label(
        "tietoihin pääsevät käyttöoikeuksiensa rajoissa vain ne, jotka tarvitsevat tietoja työtehtävissään",
        "uppgifterna används, inom ramen för användarrättigheterna, bara av dem som behöver dem i sina arbetsuppgifter",
        "the data are used, within their access rights, only by those who need them for their duties",
    ),
)

_LISTENING = (Act.DETAILS, Act.OPEN, Act.CLIP, Act.READ_CHAT)
_ROLES = (  # configuration: who may do what is the controller's to decide within sections 4 and 10
    Role(
        code="adviser",
        label=Label("palveluneuvoja", "servicerådgivare", "adviser"),
        acts=[Act.FIND, *_LISTENING],
        purposes=[VERIFY_SERVICE_EVENT, STAFF_TRAINING],
    ),
    Role(
        code="support-expert",
        label=Label("taustatuen asiantuntija", "sakkunnig vid bakgrundsstödet", "support expert"),
        acts=[Act.FIND, *_LISTENING],
        purposes=[VERIFY_SERVICE_EVENT, STAFF_TRAINING],
    ),
    Role(
        code="supervisor",
        label=Label("esihenkilö", "chef", "supervisor"),
        acts=[Act.FIND, *_LISTENING, Act.MASK],
        purposes=[VERIFY_SERVICE_EVENT, STAFF_TRAINING],
    ),
    Role(
        code="trainer",
        label=Label("kouluttaja", "utbildare", "trainer"),
        acts=[*_LISTENING, Act.MASK, Act.SELECT],
        purposes=[STAFF_TRAINING],
    ),
    Role(
        code="registry-officer",
        label=Label("kirjaamon virkailija", "registrator", "registry officer"),
        acts=[
            Act.FIND,
            *_LISTENING,
            Act.HAND_OUT,
            Act.MASK,
            Act.LIST_DISCLOSURES,
            Act.RECEIVE_REQUEST,
            Act.RESTRICT,
            Act.ERASE,
            Act.HOLD,
            Act.RELEASE_HOLD,
        ],
        purposes=[DATA_SUBJECT_RIGHT],
        restricted_uses=[RestrictedUse.CONSENT],
    ),
    Role(
        code="data-protection-officer",
        label=Label("tietosuojavastaava", "dataskyddsombud", "data protection officer"),
        acts=[
            Act.FIND,
            *_LISTENING,
            Act.HAND_OUT,
            Act.MASK,
            Act.DISCLOSE,
            Act.LIST_DISCLOSURES,
            Act.RECEIVE_REQUEST,
            Act.RESTRICT,
            Act.ERASE,
            Act.HOLD,
            Act.RELEASE_HOLD,
            Act.READ_LOG,
            Act.REVIEW_ACCESS,
            Act.EXPORT_DATA_KEY,
            Act.VERIFY,
            Act.ADOPT_REGISTER,
            Act.CHECK_NOTICE,
        ],
        purposes=[DATA_SUBJECT_RIGHT, LEGAL_CLAIM],
        restricted_uses=list(RestrictedUse),
    ),
    Role(
        code="operator",
        label=Label("järjestelmän ylläpitäjä", "systemoperatör", "operator"),
        acts=[Act.ENROL_STAFF, Act.STORE, Act.SWEEP, Act.ROTATE_ROOT_KEY, Act.VERIFY, Act.REBUILD],
        purposes=[],
    ),
    Role(
        code="auditor",
        label=Label("tarkastaja", "revisor", "auditor"),
        acts=[Act.READ_LOG, Act.REVIEW_ACCESS, Act.VERIFY, Act.CHECK_NOTICE],
        purposes=[],
    ),
)

_SERVED_BY = ("registry-officer",)  # configuration: the notice does not say who takes requests in
_CHANNELS = (  # sections 11 to 13
    Channel(
        code="registry-office",
        label=Label("Kelan kirjaamo", "FPA:s registratorskontor", "Kela's registry office"),
        url="http://www.kela.fi/yhteystiedot-hallinto",
        served_by=_SERVED_BY,
    ),
    Channel(code="telephone", label=Label("puhelin", "telefon", "telephone"), served_by=_SERVED_BY),
    Channel(
        code="service-point",
        label=Label("Kelan palvelupiste", "FPA:s serviceställe", "Kela's service point"),
        served_by=_SERVED_BY,
    ),
    Channel(
        code="e-service-message",
        label=Label("viesti asiointipalvelussa", "meddelande i e-tjänsten", "message in the e-service"),
        url="http://www.kela.fi/asiointi",
        served_by=_SERVED_BY,
    ),
)

_RIGHTS = (
    SubjectRight(  # section 11
        article=15, channels=["registry-office", "telephone", "service-point", "e-service-message"]
    ),
    SubjectRight(  # section 12
        article=16,
        channels=["registry-office", "telephone", "service-point", "e-service-message"],
        request_states=[
            Label("mikä tieto on virheellinen", "vilken uppgift som är felaktig", "which item is wrong"),
            Label(
                "millä perusteella se on virheellinen", "på vilken grund den är felaktig", "on what ground it is wrong"
            ),
            Label("miten sitä tulisi muuttaa", "hur den bör ändras", "how it should be changed"),
        ],
    ),
    SubjectRight(  # section 13
        article=17,
        channels=["registry-office", "e-service-message", "telephone", "service-point"],
        exception=Label(
            "henkilötiedot, joita Kela tarvitsee lakisääteisen tehtävänsä hoitamiseen",
            "personuppgifter som FPA behöver för att sköta sin lagstadgade uppgift",
            "personal data that Kela needs to carry out its statutory task",
        ),
    ),
)


def kela_register(
    *,
    contact_point: ContactPoint | str,
    article_6: str | None = None,
    regional_share_percent: int | None = None,
    regional_numbers: Iterable[str] = (),
) -> Register:
    """Return Kela's notice of 18.8.2020 as data.

    Args:
        contact_point: Whom to ask today (section 2): a person or a function. A bare name is reached through the
            controller's switchboard. The notice of 2020 names a person; who it is now is yours to say.
        article_6: The letter of Art. 6(1) that the purposes of section 4 rest on, which the notice leaves open. Where
            the letters differ, ``evolve`` the purposes.
        regional_share_percent: How many in a hundred calls of the regional service numbers are recorded: section 5 says
            "some", so how many is configuration. 1 to 99; or
        regional_numbers: which of the regional service numbers are recorded. With neither, nobody is told which calls.

    Raises:
        InvalidValueError: The contact point has no name, there is no such letter, or the part is told in both ways.
    """
    if isinstance(contact_point, str):
        contact_point = ContactPoint(name=contact_point, telephone=_SWITCHBOARD, is_switchboard=True)
    return Register(
        name="Asiakaspuheluiden, taustatukipuheluiden ja chattikeskustelujen tallennusjärjestelmä",  # section 3
        title=_TITLE,
        version=date(2020, 8, 18),
        controller=_CONTROLLER,
        contact_points=(contact_point,),
        task=_TASK,
        purposes=tuple(
            each if each.rank is Rank.STATUTORY else evolve(each, article_6=article_6) for each in _PURPOSES
        ),
        lines=tuple(
            evolve(each, share_percent=regional_share_percent, recorded_numbers=regional_numbers)
            if each.code == _REGIONAL
            else each
            for each in _LINES
        ),
        is_automatic=True,
        categories=_CATEGORIES,
        categories_are_examples=True,
        sources=_SOURCES,
        regular_disclosures=(),  # section 7
        processing_countries=(),  # section 8 names none; that none lies outside the EU/EEA holds for every register
        retention=RetentionPolicy(years=1),  # section 9
        log_retention=RetentionPolicy(years=5),  # configuration: the notice is silent
        disclosure_retention=RetentionPolicy(years=5),  # configuration: the notice is silent
        protection=_PROTECTION,
        roles=_ROLES,
        channels=_CHANNELS,
        rights=_RIGHTS,
        supervisory_authority=Label(  # section 14
            "tietosuojavaltuutettu", "dataombudsmannen", "Data Protection Ombudsman"
        ),
    )
