"""The facts of the notice of 18.8.2020, section by section, held against what is rendered in three languages."""

import re
from datetime import date
from typing import Any, Final

import pytest

from facts import change
from kelarec import ContactPoint, Kind, Register, kela_register
from kelarec.domain.notice_facts import Label, Validity
from kelarec.errors import InvalidValueError, UnknownLineError
from kelarec.notice.jsonld import from_jsonld, to_jsonld
from kelarec.notice.render import announce, render_notice, render_record
from kelarec.notice.toml_form import parse_register, to_toml

CHECKLIST: Final[dict[int, dict[str, list[str]]]] = {
    0: {
        "fi": [
            "Kelan asiakaspuheluiden, taustatukipuheluiden ja chattikeskustelujen tallennusjärjestelmän",
            "18.8.2020",
        ],
        "sv": ["FPA:s system för inspelning av kundsamtal, bakgrundsstödssamtal och chattk", "18 augusti 2020"],
        "en": ["Kela's recording system for customer calls, back-office support calls and chats", "18 August 2020"],
    },
    1: {
        "fi": ["Kansaneläkelaitos", "Kela", "PL 450, 00056 HELSINKI", "Nordenskiöldinkatu 12, 00250 HELSINKI"],
        "sv": ["Folkpensionsanstalten", "FPA", "PB 450, 00056 HELSINGFORS", "Nordenskiöldsgatan 12, 00250 HELSINGFORS"],
        "en": [
            "Social Insurance Institution",
            "Kela",
            "P.O. Box 450, FI-00056 HELSINKI",
            "Nordenskiöldinkatu 12, FI-00250",
        ],
        "all": ["020 634 11", "http://www.kela.fi/yhteystiedot-hallinto"],
    },
    2: {"fi": ["(vaihde)"], "sv": ["(växel)"], "en": ["(switchboard)"], "all": ["Esa Hämäläinen", "020 634 11"]},
    3: {"all": ["Asiakaspuheluiden, taustatukipuheluiden ja chattikeskustelujen tallennusjärjestelmä"]},
    4: {
        "fi": [
            "lakisääteisen sosiaalivakuutuksen toteuttaminen",
            "eri etuuslajien hoito",
            "asiakaspalvelu",
            "ensisijainen käyttötarkoitus: palvelutapahtuman todentaminen",
            "voidaan käyttää myös tähän: asiakaspalveluhenkilöstön koulutus palvelun laadun kehittämiseksi",
            "peruste: Kelan lakisääteisten tehtävien hoitaminen",
        ],
        "sv": [
            "verkställande av den lagstadgade socialförsäkringen",
            "handläggning av olika slags förmåner",
            "kundservice",
            "i första hand för följande ändamål: verifiering av servicehändelsen",
            "också användas för följande ändamål: utbildning av kundtjänstpersonalen för att utveckla servicens",
            "Grunden för behandlingen är skötseln av FPA:s lagstadgade uppgifter",
        ],
        "en": [
            "implementing statutory social insurance",
            "handling the various kinds of benefits",
            "customer service",
            "primarily used for: verifying the service event",
            "may also be used for: training customer service staff to improve the quality of service",
            "based on carrying out Kela's statutory tasks",
        ],
    },
    5: {
        "fi": [
            "valtakunnalliset palvelunumerot: kaikki saapuvat ja lähtevät puhelut",
            "viranomaislinja: kaikki saapuvat ja lähtevät puhelut",
            "alueelliset palvelunumerot: osa saapuvista ja lähtevistä puheluista",
            "kela.fi: kaikki chattikeskustelut",
            "asiakaspalvelun taustatuki: kaikki saapuvat taustatukipuhelut ja taustatuen chattikeskustelut",
            "automaattisesti",
            "asiakaspuhelut ja chattikeskustelut: asiakas itse",
            "taustatukipuhelut ja taustatuen chattikeskustelut: palveluneuvoja",
            "esimerkiksi",
            "henkilön yksilöintitiedot nimi henkilötunnus osoitetiedot puhelinnumero",
            "asumistiedot perhesuhdetiedot vakuuttamistiedot verotustiedot työtulo- ja omaisuustiedot",
            "ennakonpidätystiedot etuuksien viitetiedot",
        ],
        "sv": [
            "riksomfattande servicenummer: alla inkommande och utgående samtal",
            "myndighetslinjen: alla inkommande och utgående samtal",
            "regionala servicenummer: en del av de inkommande och utgående samtalen",
            "kela.fi: alla chattkonversationer",
            "bakgrundsstöd: alla inkommande bakgrundsstödssamtal och chattkonversationer med bakgrundsstödet",
            "automatiskt",
            "kundsamtal och chattkonversationer: kunden själv",
            "bakgrundsstödssamtal och chattkonversationer med bakgrundsstödet: servicerådgivare",
            "till exempel",
            "uppgifter som identifierar personen namn personbeteckning adressuppgifter telefonnummer",
            "boendeuppgifter uppgifter om familjeförhållanden försäkringsuppgifter beskattningsuppgifter",
            "uppgifter om arbetsinkomster och egendom uppgifter om förskottsinnehållning referensuppgifter om förmåner",
        ],
        "en": [
            "national service numbers: all incoming and outgoing calls",
            "authority line: all incoming and outgoing calls",
            "regional service numbers: some of the incoming and outgoing calls",
            "kela.fi: all chats",
            "back-office support: all incoming back-office support calls and back-office support chats",
            "automatically",
            "customer calls and chats: the customer",
            "back-office support calls and back-office support chats: service adviser",
            "for example",
            "data that identify the person name personal identity code address details telephone number",
            "housing family relationships insurance coverage taxation earned income and property",
            "withholding tax benefit references",
        ],
    },
    6: {
        "fi": ["chattikeskustelut: asiakas itse", "taustatuen chattikeskustelut: palveluasiantuntija"],
        "sv": ["chattkonversationer: kunden själv", "chattkonversationer med bakgrundsstödet: servicesakkunnig"],
        "en": ["chats: the customer", "back-office support chats: service specialist"],
    },
    7: {
        "fi": ["Säännönmukaisia luovutuksia ei ole"],
        "sv": ["Inga uppgifter lämnas ut"],
        "en": ["No data are disclosed"],
    },
    8: {
        "fi": ["ei siirretä näiden maiden ulkopuolelle", "EU- ja ETA-maissa"],
        "sv": ["inte till länder utanför", "EU- och EES-länderna"],
        "en": ["not transferred outside", "EU and the EEA"],
    },
    9: {
        "fi": ["Puhelu- ja chatti", "1 vuosi"],
        "sv": ["samtals- och chatt", "1 år"],
        "en": ["calls and chats", "1 year"],
    },
    10: {
        "fi": [
            "huolellisia",
            "tietosuojan ja tietoturvallisuuden",
            "vaitiolositoumuksen",
            "käyttöoikeuksiensa",
            "työtehtävissään",
        ],
        "sv": [
            "omsorg",
            "dataskyddet och informationssäkerheten",
            "tystnadsförbindelse",
            "användarrättigheterna",
            "arbetsuppgifter",
        ],
        "en": ["care", "data protection and information security", "confidentiality", "access rights", "their duties"],
    },
    11: {
        "fi": ["15 artikla", "saada pääsy", "tarkastaa itseään koskevat tiedot"],
        "sv": ["Artikel 15", "få tillgång", "granska sina egna uppgifter"],
        "en": ["Article 15", "right of access", "inspect their own data"],
        "all": ["2016/679"],
    },
    12: {
        "fi": ["16 artikla", "mikä tieto on virheellinen", "millä perusteella", "miten sitä tulisi muuttaa"],
        "sv": ["Artikel 16", "vilken uppgift som är felaktig", "på vilken grund", "hur den bör ändras"],
        "en": ["Article 16", "which item is wrong", "on what ground", "how it should be changed"],
    },
    13: {
        "fi": ["17 artikla", "poistetaan rekisteristä", "joita Kela tarvitsee lakisääteisen tehtävänsä hoitamiseen"],
        "sv": ["Artikel 17", "raderas ur registret", "som FPA behöver för att sköta sin lagstadgade uppgift"],
        "en": ["Article 17", "erased from the register", "that Kela needs to carry out its statutory task"],
    },
    14: {
        "fi": ["77 artikla", "tietosuojavaltuutettu", "rikkovan"],
        "sv": ["Artikel 77", "dataombudsmannen", "bryter mot"],
        "en": ["Article 77", "Data Protection Ombudsman", "infringes"],
    },
}
CHANNELS: Final = {
    "fi": ["Kelan kirjaamo: ", "puhelin", "Kelan palvelupiste", "viesti asiointipalvelussa: "],
    "sv": ["FPA:s registratorskontor: ", "telefon", "FPA:s serviceställe", "meddelande i e-tjänsten: "],
    "en": ["Kela's registry office: ", "telephone", "Kela's service point", "message in the e-service: "],
    "all": ["http://www.kela.fi/yhteystiedot-hallinto", "http://www.kela.fi/asiointi"],
}
HEADINGS: Final = (
    "Rekisterinpitäjä",
    "Yhteyshenkilö rekisteriä koskevissa asioissa",
    "Rekisterin nimi",
    "Henkilötietojen käsittelyn tarkoitus ja käsittelyn peruste",
    "Rekisterin tietosisältö",
    "Säännönmukaiset tietolähteet",
    "Tietojen säännönmukaiset luovutukset",
    "Tietojen siirto EU- tai ETA-maiden ulkopuolelle",
    "Henkilötietojen säilytysaika",
    "Rekisterin suojauksen periaatteet",
    "Oikeus saada pääsy tietoihin",
    "Oikeus korjata virheelliset tiedot",
    "Oikeus tietojen poistamiseen",
    "Oikeus tehdä valitus valvontaviranomaiselle",
)
LANGUAGES: Final = ("fi", "sv", "en")


@pytest.fixture(scope="module")
def register() -> Register:
    """Kela's notice with the contact person of 2020."""
    return kela_register(contact_point="Esa Hämäläinen")


def render_sections(register: Register, language: str) -> list[str]:
    """The head and the sections of the Markdown, list marks left out and blanks made one."""
    document = render_notice(register, language=language, form="markdown")
    sections = re.split(r"^## \d+ ", document, flags=re.MULTILINE)
    return [" ".join(re.sub(r"^ *- ", "", section, flags=re.MULTILINE).split()) for section in sections]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("section", CHECKLIST)
def test_each_fact_stands_in_its_section(register: Register, language: str, section: int) -> None:
    """Each fact of the notice is found in its own section of the rendering (notice, head and sections 1 to 14)."""
    said = render_sections(register, language)[section]
    facts = CHECKLIST[section].get(language, []) + CHECKLIST[section].get("all", [])
    if section in {11, 12, 13}:
        facts = facts + CHANNELS[language] + CHANNELS["all"]
    assert [fact for fact in facts if fact not in said] == []


def test_the_sections_bear_the_notices_headings(register: Register) -> None:
    """The fourteen sections come in the notice's order under its own headings."""
    headings = re.findall(r"^## (\d+) (.*)$", render_notice(register, language="fi", form="markdown"), re.MULTILINE)
    assert headings == [(str(number), heading) for number, heading in enumerate(HEADINGS, 1)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_said_that_the_register_does_not_hold(register: Register, language: str) -> None:
    """A register whose every text is one word leaves only the law and our own sentences: no fact of Kela's stays."""
    word = Label("sana", "ord", "word")
    numbered = {"label": word}
    bare = change(
        register,
        name="sana",
        title=word,
        controller=change(
            register.controller,
            name=word,
            short_name=word,
            postal_address=word,
            visiting_address=word,
            telephone="1",
            url="https://example.org",
        ),
        contact_points=[ContactPoint(name="sana", telephone="1")],
        task=change(register.task, label=word, parts=[]),
        purposes=[change(each, **numbered, legal_basis=word) for each in register.purposes],
        lines=[change(each, **numbered) for each in register.lines],
        categories=[change(each, **numbered, group=None) for each in register.categories],
        sources=[change(each, **numbered, content_label=None) for each in register.sources],
        protection=[word],
        channels=[change(each, **numbered, url=None) for each in register.channels],
        rights=[change(each, request_states=[], exception=None) for each in register.rights],
        supervisory_authority=word,
    )
    said = " ".join(render_sections(bare, language))
    kelas = {"Kela", "FPA", "634", "Helsin", "kirjaamo", "palvelupiste", "vaitiolo", "sosiaali", "henkilötunnus"}
    assert [fact for fact in kelas if fact.casefold() in said.casefold()] == []
    digits = set(re.findall(r"\d+", said)) - {"2016", "679", "15", "16", "17", "77"}  # the law's own numbers
    assert digits <= {"18", "8", "2020", "1"}  # the date and the year kept


@pytest.mark.parametrize("language", LANGUAGES)
def test_changing_one_fact_changes_the_text(register: Register, language: str) -> None:
    """Each fact that the notice states is told from the register: another fact gives another text."""
    other = Label("toinen", "annan", "other")
    changes: list[dict[str, Any]] = [
        {"name": "Toinen"},
        {"title": other},
        {"version": date(2020, 8, 19)},
        *(
            {"controller": change(register.controller, **{name: other})}
            for name in ("name", "short_name", "postal_address", "visiting_address")
        ),
        {"controller": change(register.controller, telephone="1")},
        {"controller": change(register.controller, url="https://example.org")},
        {"contact_points": [change(register.contact_points[0], name="Toinen")]},
        {"contact_points": [change(register.contact_points[0], is_switchboard=False)]},
        {"data_protection_officers": register.contact_points},
        {"task": change(register.task, label=other)},
        {"task": change(register.task, parts=[other])},
        {"purposes": [change(register.purposes[0], article_6="e"), *register.purposes[1:]]},
        {"purposes": [change(register.purposes[0], legal_basis=other), *register.purposes[1:]]},
        {"purposes": [change(register.purposes[0], rank="secondary"), *register.purposes[1:]]},
        {"automated_decisions": other},
        {"lines": [change(register.lines[0], coverage="some"), *register.lines[1:]]},
        {"lines": [change(register.lines[0], outbound_coverage="some"), *register.lines[1:]]},
        {"lines": [change(register.lines[0], directions=["in"]), *register.lines[1:]]},
        {"lines": [*register.lines[:2], change(register.lines[2], share_percent=10), *register.lines[3:]]},
        {"lines": [*register.lines[:2], change(register.lines[2], recorded_numbers=["1"]), *register.lines[3:]]},
        {"is_automatic": False},
        {"categories": register.categories[:-1]},
        {"categories_are_examples": False},
        {"sources": [register.sources[0], change(register.sources[1], label=other)]},
        {"sources": [register.sources[0], change(register.sources[1], content_label=other)]},
        {"obligation_to_provide": other},
        {"processing_countries": ["FI"]},
        {"retention": change(register.retention, years=2)},
        {"retention_starts": other},
        {"protection": register.protection[:-1]},
        {"channels": [change(register.channels[0], url=None), *register.channels[1:]]},
        {"rights": register.rights[:-1]},
        {"rights": [change(register.rights[0], exception=other), *register.rights[1:]]},
        {"supervisory_authority": other},
    ]
    text = render_notice(register, language=language, form="html")
    texts = {render_notice(change(register, **facts), language=language, form="html") for facts in changes}
    assert text not in texts
    assert len(texts) == len(changes)


def test_todays_contact_is_shown() -> None:
    """A contact point that has left is not named, and the one who came is (notice, section 2)."""
    left = ContactPoint(name="Edellinen", telephone="1", valid=Validity(through_on=date(2026, 2, 28)))
    came = ContactPoint(name="Nykyinen", telephone="1", valid=Validity(from_on=date(2026, 3, 1)))
    register = change(kela_register(contact_point=left), contact_points=[left, came])
    for on, named, unnamed in ((date(2026, 2, 28), left, came), (date(2026, 3, 1), came, left)):
        said = render_notice(register, language="fi", form="markdown", on=on)
        assert named.name in said
        assert unnamed.name not in said


@pytest.mark.parametrize(
    ("language", "begins"), [("fi", "Tämä puhelu"), ("sv", "Det här samtalet"), ("en", "This call")]
)
def test_the_announcement_tells_who_and_what_for(register: Register, language: str, begins: str) -> None:
    """Before a call: that it is recorded, by whom, what for, how long, and where to ask (Art. 13)."""
    said = announce(register, line="national-service", kind=Kind.CUSTOMER_CALL, language=language)
    assert said.startswith(begins)
    for fact in (register.controller.name, register.purposes[0].label, register.purposes[1].label):
        assert getattr(fact, language) in said
    assert "020 634 11" in said


def test_what_is_recorded_in_part_is_announced_so(register: Register) -> None:
    """A regional call may be recorded, a chat is; what nobody records is announced by nobody (notice, section 5)."""
    regional = announce(register, line="regional-service", kind=Kind.CUSTOMER_CALL, language="fi")
    assert regional.startswith("Tämä puhelu voidaan tallentaa.")
    chat = announce(register, line="kela-fi", kind=Kind.CUSTOMER_CHAT, language="en")
    assert chat.startswith("This chat is recorded.")
    with pytest.raises(InvalidValueError, match="recorded"):
        announce(register, line="kela-fi", kind=Kind.CUSTOMER_CALL, language="en")
    with pytest.raises(UnknownLineError):
        announce(register, line="fax", kind=Kind.CUSTOMER_CALL, language="en")


def test_an_unknown_language_or_form_is_refused(register: Register) -> None:
    """There are three languages and two forms."""
    with pytest.raises(InvalidValueError, match="language"):
        render_notice(register, language="de", form="html")
    with pytest.raises(InvalidValueError, match="form"):
        render_notice(register, language="fi", form="pdf")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_record_of_processing_tells_all_seven_points(register: Register, language: str) -> None:
    """Controller, purposes, persons and data, recipients, transfers, time limits, measures (Art. 30(1)(a) to (g))."""
    record = render_record(register, language=language, form="markdown")
    assert len(re.findall(r"^## ", record, re.MULTILINE)) == 7
    assert register.name in record
    for purpose in register.purposes:
        assert getattr(purpose.label, language) in record
    for category in register.categories:
        assert getattr(category.label, language) in record


@pytest.mark.parametrize("part", [{"regional_share_percent": 30}, {"regional_numbers": ["020 692 204", "020 692 210"]}])
def test_a_share_or_list_goes_through_every_form_of_the_notice(part: dict[str, Any]) -> None:
    """What the register says of regional numbers is published, and comes back from TOML and JSON-LD (section 5)."""
    register = kela_register(contact_point="Registry office", **part)
    assert parse_register(to_toml(register)) == register
    assert from_jsonld(to_jsonld(register)) == register
    told = {"regional_share_percent": "30 in a hundred", "regional_numbers": "020 692 204 and 020 692 210"}
    assert told[next(iter(part))] in render_notice(register, language="en", form="markdown")
