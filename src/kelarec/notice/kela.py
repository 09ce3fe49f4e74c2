"""Kela's privacy notice of 18.8.2020 for the recording of calls and chats, as data.

Each value names the section of the notice it comes from. What the notice leaves open is marked as configuration.
"""

from datetime import date

from kelarec.domain.codes import Direction, Kind
from kelarec.domain.register import (
    Category,
    Channel,
    ContactPoint,
    Controller,
    Coverage,
    Label,
    Line,
    Purpose,
    Rank,
    Register,
    Role,
)
from kelarec.domain.retention import RetentionPolicy
from kelarec.domain.staff_acts import Act

VERIFY_SERVICE_EVENT = "verify-service-event"
STAFF_TRAINING = "staff-training"
DATA_SUBJECT_RIGHT = "data-subject-right"
LEGAL_CLAIM = "legal-claim"

_SWITCHBOARD = "020 634 11"
_BOTH_WAYS = (Direction.INBOUND, Direction.OUTBOUND)

_CONTROLLER = Controller(  # section 1
    name="Kansaneläkelaitos",
    short_name="Kela",
    postal_address="PL 450, 00056 HELSINKI",
    visiting_address="Nordenskiöldinkatu 12, 00250 HELSINKI",
    telephone=_SWITCHBOARD,
    url="http://www.kela.fi/yhteystiedot-hallinto",
    country="FI",
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
        code="regional-service",
        label=Label("alueelliset palvelunumerot", "regionala servicenummer", "regional service numbers"),
        kinds=[Kind.CUSTOMER_CALL],
        directions=_BOTH_WAYS,
        coverage=Coverage.SOME,
    ),
    Line(
        code="kela-fi",
        label=Label("kela.fi-chatti", "chatten på fpa.fi", "chat on kela.fi"),
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

_CATEGORIES = tuple(  # section 5
    Category(code=code, label=Label(fi, sv, en))
    for code, fi, sv, en in (
        ("name", "nimi", "namn", "name"),
        ("identity-code", "henkilötunnus", "personbeteckning", "personal identity code"),
        ("address", "osoitetiedot", "adressuppgifter", "address"),
        ("telephone", "puhelinnumero", "telefonnummer", "telephone number"),
        ("housing", "asumistiedot", "boendeuppgifter", "housing"),
        ("family", "perhesuhdetiedot", "familjeuppgifter", "family"),
        ("insurance", "vakuuttamistiedot", "försäkringsuppgifter", "insurance"),
        ("taxation", "verotustiedot", "beskattningsuppgifter", "taxation"),
        (
            "income-and-property",
            "työtulo- ja omaisuustiedot",
            "uppgifter om arbetsinkomst och egendom",
            "earned income and property",
        ),
        ("withholding-tax", "ennakonpidätystiedot", "uppgifter om förskottsinnehållning", "withholding tax"),
        ("benefit-references", "etuuksien viitetiedot", "referensuppgifter om förmåner", "benefit references"),
    )
)

_SOURCES = (  # section 6, with section 5's other word for the same role
    Label(
        "asiakas itse asiakaspuheluissa ja chattikeskusteluissa",
        "kunden själv i kundsamtal och chattar",
        "the customer, in customer calls and chats",
    ),
    Label(
        "palveluneuvoja eli palveluasiantuntija taustatukipuheluissa ja taustatuen chattikeskusteluissa",
        "servicerådgivaren, det vill säga servicesakkunnige, i samtal och chattar med bakgrundsstödet",
        "the adviser, called by two names in the notice, in support calls and chats",
    ),
)

_PROTECTION = (  # section 10
    Label(
        "vaitiolositoumus jokaiselta, joka käsittelee henkilötietoja",
        "tystnadsförbindelse av alla som behandlar personuppgifter",
        "a confidentiality commitment from everyone who handles personal data",
    ),
    Label(
        "käyttöoikeudet vain niille, jotka tarvitsevat tietoja työtehtävissään",
        "användarrättigheter bara för dem som behöver uppgifterna i sitt arbete",
        "access rights for those only who need the data for their work",
    ),
)

_ROLES = (  # configuration: who may do what is the controller's to decide within section 10
    Role(
        code="adviser",
        label=Label("palveluneuvoja", "servicerådgivare", "adviser"),
        acts=[Act.FIND, Act.DETAILS, Act.OPEN],
        purposes=[VERIFY_SERVICE_EVENT],
    ),
    Role(
        code="registry-officer",
        label=Label("kirjaamon virkailija", "registrator", "registry officer"),
        acts=[Act.FIND, Act.DETAILS, Act.OPEN, Act.RECEIVE_REQUEST],
        purposes=[DATA_SUBJECT_RIGHT],
    ),
    Role(
        code="data-protection-officer",
        label=Label("tietosuojavastaava", "dataskyddsombud", "data protection officer"),
        acts=[Act.FIND, Act.DETAILS, Act.OPEN, Act.RECEIVE_REQUEST, Act.READ_LOG, Act.EXPORT_DATA_KEY],
        purposes=[DATA_SUBJECT_RIGHT, LEGAL_CLAIM],
    ),
    Role(
        code="operator",
        label=Label("järjestelmän ylläpitäjä", "systemoperatör", "operator"),
        acts=[Act.ENROL_STAFF, Act.STORE, Act.SWEEP, Act.ROTATE_ROOT_KEY],
        purposes=[],
    ),
)

_CHANNELS = (  # sections 11 to 13
    Channel(code="registry-office", label=Label("Kelan kirjaamo", "FPA:s registratur", "Kela's registry office")),
    Channel(code="telephone", label=Label("puhelin", "telefon", "telephone")),
    Channel(code="service-point", label=Label("Kelan palvelupiste", "FPA:s serviceställe", "Kela's service point")),
    Channel(
        code="e-service-message",
        label=Label("viesti asiointipalvelussa", "meddelande i e-tjänsten", "message in the e-service"),
    ),
)


def kela_register(*, contact_point: ContactPoint | str) -> Register:
    """Return Kela's notice of 18.8.2020 as data.

    Args:
        contact_point: Whom to ask today (section 2): a person or a function. A bare name is reached through the
            controller's switchboard. The notice of 2020 names a person; who it is now is yours to say.

    Raises:
        InvalidValueError: The contact point has no name.
    """
    if isinstance(contact_point, str):
        contact_point = ContactPoint(name=contact_point, telephone=_SWITCHBOARD)
    return Register(
        name="Asiakaspuheluiden, taustatukipuheluiden ja chattikeskustelujen tallennusjärjestelmä",  # section 3
        version=date(2020, 8, 18),
        controller=_CONTROLLER,
        contact_point=contact_point,
        purposes=_PURPOSES,
        lines=_LINES,
        categories=_CATEGORIES,
        sources=_SOURCES,
        regular_disclosures=(),  # section 7
        transfers=(),  # section 8
        retention=RetentionPolicy(years=1),  # section 9
        log_retention=RetentionPolicy(years=5),  # configuration: the notice is silent
        protection=_PROTECTION,
        roles=_ROLES,
        channels=_CHANNELS,
        supervisory_authority=Label(  # section 14
            "tietosuojavaltuutettu", "dataombudsmannen", "Data Protection Ombudsman"
        ),
    )
