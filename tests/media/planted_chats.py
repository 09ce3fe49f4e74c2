"""Chats with identifiers planted in every form in which people write them, and how to tell whether one survived.

The forms are written down by hand or by rules of this module's own; nothing of the masking is used to make them.
"""

import random  # noqa: TID251  seeded: one seed gives one chat
import re
from datetime import date, timedelta
from typing import Final
from unicodedata import normalize

from attrs import field, frozen

from kelarec import Address, Chat, EmailAddress, Message, Person, PhoneNumber
from kelarec.domain.identity_code import CENTURIES, PersonalIdentityCode, check_character
from kelarec.testing.clock import USUAL_START

NAMES: Final[dict[str, str]] = {
    "Aino": "Ainon Ainoa Ainolla Ainolle Ainolta Ainosta Ainoon Ainona ainokin Ainoni",
    "Pekka": "Pekan Pekkaa Pekalla Pekalle Pekalta Pekasta Pekkaan pekka Pekkakin",
    "Matti": "Matin Mattia Matille Matilta Matilla Mattiin matti",
    "Heikki": "Heikin Heikkiä Heikille Heikiltä Heikkikin",
    "Tuomas": "Tuomaksen Tuomaan Tuomasta Tuomakselle Tuomakselta tuomas",
    "Markus": "Markuksen Markusta Markukselle Markukselta",
    "Salme": "Salmen Salmea Salmelle Salmelta Salmessa",
    "Satu": "Sadun Satun Satua Sadulle Satulle Sadulta",
    "Mikael": "Mikaelin Mikaelia Mikaelille Mikaelilta Mikaeliin",
    "Johan": "Johanin Johania Johanille Johan:lle",
    "Tapio": "Tapion Tapiota Tapiolle Tapiolta Tapioon",
    "Lea": "Lean Leaa Lealle Lealta",
    "Kirsi": "Kirsin Kirsiä Kirsille Kirsiltä",
    "Elisabet": "Elisabetin Elisabetia Elisabetille",
    "Anna-Maija": "Anna-Maijan Anna-Maijaa Anna-Maijalle anna maijalle Annamaijan",
    "Ilkka": "Ilkan Ilkkaa Ilkalle Ilkkako",
    "Orvokki": "Orvokin Orvokkia Orvokille Orvokkihan",
}
FAMILY_NAMES: Final[dict[str, str]] = {
    "Virtanen": "Virtasen Virtasta Virtaselle Virtaselta Virtasella Virtaset Virtasten Virtasia Virtasilla virtanen",
    "Mäki": "Mäen Mäkeä Mäelle Mäeltä Mäet Mäkien Mäkiä",
    "Lahti": "Lahden Lahtea Lahdelle Lahdelta Lahdet Lahteen",
    "Laine": "Laineen Lainetta Laineelle Laineelta Laineet Laineita",
    "Koskela": "Koskelan Koskelaa Koskelalle Koskelat Koskeloiden Koskeloita Koskeloille",
    "Kangas": "Kankaan Kangasta Kankaalle Kankaalta Kankaat",
    "Rinne": "Rinteen Rinnettä Rinteelle Rinteet",
    "Järvi": "Järven Järveä Järvelle Järvet",
    "Virta": "Virran Virtaa Virralle Virrat",
    "Hämäläinen": "Hämäläisen Hämäläistä Hämäläiselle Hämäläiset Hämäläisten",
    "Esimerkki": "Esimerkin Esimerkkiä Esimerkille Esimerkit Esimerkkien Esimerkkejä",
    "Nyman": "Nymanin Nymania Nymanille Nymanit",
    "Lindqvist": "Lindqvistin Lindqvistiä Lindqvistille",
    "Kuusi": "Kuusen Kuusta Kuuselle Kuuset",
    "Suonpää": "Suonpään Suonpäätä Suonpäälle Suonpäähän",
    "Selkä": "Selän Selkää Selälle Selät",
    "Ilves": "Ilveksen Ilvestä Ilvekselle",
    "Kallio": "Kallion Kalliota Kalliolle Kalliot",
    "von Platen": "von Platenin Platenia Platenille",
}
STREETS: Final[dict[str, str]] = {
    "Mallipolku 7 B 12": "Mallipolulla 7|Mallipolulle|Mallipolku 7 b 12|mallipolun|Mallipolulta 7 B",
    "Kauppakatu 15": "Kauppakadulla 15|Kauppakatu 15 as 3|Kauppakadulle|kauppakadun",
    "Mannerheimintie 100 A": "Mannerheimintiellä|Mannerheimintie 100 a|Mannerheimintien",
    "Koivukuja 3": "Koivukujalla 3|Koivukujan|koivukuja 3",
    "Esimerkkirinne 2": "Esimerkkirinteellä|Esimerkkirinteen 2|Esimerkkirinne 2",
}
CITIES: Final[dict[str, str]] = {
    "Helsinki": "Helsingissä Helsinkiin Helsingistä",
    "Turku": "Turussa Turkuun Turun",
    "Tampere": "Tampereella Tampereelle Tamperetta Tampereen",
    "Esimerkkilä": "Esimerkkilässä Esimerkkilään Esimerkkilän",
    "Oulu": "Oulussa Ouluun Oulusta",
}
AROUND: Final = (
    "Hei, {} on se mitä kysyitte.",
    "se on {}",
    "{} kirjoitin sen jo viime viikolla",
    "Voisitteko tarkistaa: {}?",
    "({})",
    "Kiitos! Tässä vielä {}, jos tarvitsette.",
    "olikohan {} oikein vai pitääkö se korjata",
)
HARMLESS: Final = (
    "Hakemus jätettiin 15.3.2026 ja päätös tuli 01.04.2026 klo 12.30.",
    "Maksoin vuokraa 1250,50 euroa ja vakuus oli 2 500 €.",
    "Asian numero on KELA-2026-4711 ja edellinen oli 2025-03-0099.",
    "Kela soittaa teille maanantaina 9-15 välillä.",
    "Laki 252/2007, pykälä 13, momentti 2.",
    "Opintopisteitä on 180 ja kurssin koodi on TVT123456.",
    "Viitenumero on 1234561 ja lasku 2026030512345.",
    "Asun neljän hengen perheessä, virta katkesi eilen ja järvi on jäässä.",
    "Minulla on kuusi lasta, selkä kipeä ja rinne liukas.",
    "Ainoa vaihtoehto oli odottaa, matto on märkä ja leikin vain.",
    "Mäet ovat jyrkkiä ja kankaat kalliita, laineet lyövät.",
    "Mikä on seuraava vaihe? Aion lähettää liitteet huomenna.",
    "Päivärahaa sain 37,21 e/pv ajalta 1.1.-31.1.2026.",
    "Palvelu on auki ma-pe 8-16, puhelin ruuhkautuu klo 10-12.",
    "Sivulla https://www.kela.fi/asumistuki luki toista.",
    "IP-osoite 192.168.0.1 ja versio 0.12.345-6.",
    "Onni potkaisi, suvi on kaunis ja lahti lainehtii kallion alla.",
    "Y-tunnus 0246246-0 on Kelan.",
    "Tuo summa 0045000000 ei voi olla oikein, eikä 00000012345.",
)


@frozen
class Planted:
    """One identifier as it was written, and what must not be left of it."""

    text: str
    core: str
    is_word: bool = False


@frozen
class PlantedChat:
    """A chat, whom it is about, and what was planted in it."""

    chat: Chat
    person: Person
    planted: tuple[Planted, ...]
    harmless: tuple[str, ...] = field(default=())


def reduce_text(text: str) -> str:
    """Return letters and digits only, compatibility forms resolved, in one case."""
    return "".join(each for each in normalize("NFKC", text).casefold() if each.isalnum())


def survives(planted: Planted, text: str) -> bool:
    """Whether an identifier can still be read in a text."""
    if planted.is_word:
        return re.search(rf"(?<![^\W_]){re.escape(planted.text.casefold())}(?![^\W_])", text.casefold()) is not None
    if "*" in planted.core:  # where the sign of an identity code stands, in whatever words
        birth, _, end = planted.core.partition("*")
        return re.search(f"{birth}[a-z]{{0,6}}{end.casefold()}", reduce_text(text)) is not None
    return reduce_text(planted.core) in reduce_text(text)


def make_code(dice: random.Random) -> PersonalIdentityCode:
    """Return a code of any century and sign that no person has."""
    sign = dice.choice(sorted(CENTURIES))
    born_on = date(CENTURIES[sign], 1, 1) + timedelta(days=dice.randrange(36_500))
    digits = f"{born_on:%d%m}{born_on.year % 100:02}{dice.randrange(900, 1000)}"
    return PersonalIdentityCode(f"{digits[:6]}{sign}{digits[6:]}{check_character(digits)}")


def write_code(code: PersonalIdentityCode, dice: random.Random) -> str:
    """Write a code in one of the ways in which people write it."""
    birth, sign, end = code.text[:6], code.text[6], code.text[7:]
    dash = dice.choice("-\u2010\u2011\u2013\u2014\u2212") if sign == "-" else sign
    ways = [
        code.text,
        code.text.lower(),
        f"{birth}{dash}{end}",
        f"{birth} {dash} {end}",
        f"{birth}{dash} {end}",
        f"{birth} {dash}{end}",
        " ".join(birth + dash + end),
        "  ".join(birth + dash + end),
        "\u00a0".join(birth + dash + end),
        f"{birth[:2]} {birth[2:4]} {birth[4:]} {dash} {end[:3]} {end[3]}",
        f"{birth[:2]}.{birth[2:4]}.{birth[4:]}{dash}{end}",
        f"{birth}{dash}{end[:3]} {end[3].lower()}",
        "\u200b".join(birth + dash + end),
        "".join(chr(ord(each) + 0xFEE0) if each.isdigit() else each for each in birth + dash + end),
        f"hetu{code.text}",
        f"{code.text}:n",
    ]
    if sign == "-":
        ways += [
            birth + end,
            f"{birth} {end}",
            f"{birth} miinus {end}",
            f"{birth} viiva {end.lower()}",
            f"{birth}/{end}",
        ]
    return dice.choice(ways)


def write_phone(national: str, dice: random.Random) -> str:
    """Write a Finnish mobile number, given without its first zero, in one of the ways in which people write it."""
    a, b, c = national[:2], national[2:5], national[5:]
    return dice.choice(
        [
            f"0{national}",
            f"0{a} {b} {c}",
            f"0{a}-{b}{c}",
            f"0{a} - {b} {c}",
            f"(0{a}) {b} {c}",
            f"+358{national}",
            f"+358 {a} {b} {c}",
            f"+358 (0){a} {b} {c}",
            f"00358 {a} {b}{c}",
            f"358{national}",
            f"0{a}/{b} {c}",
            f"0{a}.{b}.{c}",
            " ".join(f"0{national}"),
            f"0{a}\u00a0{b}\u00a0{c}",
            f"0{a}\u2013{b}\u2013{c}",
        ]
    )


def make_account(dice: random.Random) -> str:
    """Return a Finnish account number whose check digits are right."""
    digits = f"{dice.randrange(10**14):014}"
    check = 98 - int(f"{digits}151800") % 97
    return f"FI{check:02}{digits}"


def write_account(account: str, dice: random.Random) -> str:
    """Write an account number in one of the ways in which people write it."""
    grouped = [account[at : at + 4] for at in range(0, len(account), 4)]
    return dice.choice(
        [
            account,
            account.lower(),
            " ".join(grouped),
            " ".join(grouped).lower(),
            "-".join(grouped),
            "\u00a0".join(grouped),
        ]
    )


def write_email(local: str, domain: str, dice: random.Random) -> str:
    """Write an e-mail address in one of the ways in which people write it."""
    host, _, top = domain.rpartition(".")
    return dice.choice(
        [
            f"{local}@{domain}",
            f"{local}@{domain}".upper(),
            f"<{local}@{domain}>",
            f"{local}(at){domain}",
            f"{local} at {domain}",
            f"{local}[at]{host}.{top}",
            f"{local} (at) {host} piste {top}",
            f"{local} ät {host}.{top}",
        ]
    )


def make_planted_chat(seed: int) -> PlantedChat:
    """Return a chat in which one person's identifiers, and a stranger's, are planted among harmless sentences."""
    dice = random.Random(seed)  # noqa: S311  nothing secret
    given, family = dice.choice(sorted(NAMES)), dice.choice(sorted(FAMILY_NAMES))
    street, city = dice.choice(sorted(STREETS)), dice.choice(sorted(CITIES))
    postal = f"{dice.randrange(100, 99_999):05}"
    own_code, other_code = make_code(dice), make_code(dice)
    own_phone, other_phone = (f"{dice.choice(('40', '50', '44'))}{dice.randrange(10**7):07}" for _ in range(2))
    local = f"{given}.{dice.randrange(1000)}".lower().replace("ä", "a")
    person = Person(
        name=f"{given} {family}",
        identity_code=own_code,
        phone_number=PhoneNumber(f"+358{own_phone}"),
        email=EmailAddress(f"{local}@example.org"),
        address=Address(street, postal, city),
    )
    account = make_account(dice)
    planted = [
        *(Planted(write_code(code, dice), f"{code.text[:6]}*{code.text[7:]}") for code in (own_code, other_code)),
        *(Planted(write_phone(phone, dice), phone) for phone in (own_phone, other_phone)),
        Planted(write_account(account, dice), account),
        Planted(write_email(local, "example.org", dice), local),
        Planted(write_email(f"tuntematon{dice.randrange(99)}", "posti.example.com", dice), "tuntematon"),
        *(_word(dice.choice([name, *forms.split()])) for name, forms in ((given, NAMES[given]),)),
        *(_word(form) for form in dice.sample(FAMILY_NAMES[family].replace("von ", "").split(), 2)),
        _word(dice.choice(STREETS[street].split("|"))),
        _word(dice.choice(CITIES[city].split())),
        _word(postal),
    ]
    dice.shuffle(planted)
    harmless = tuple(dice.sample(HARMLESS, 5))
    lines = [dice.choice(AROUND).format(each.text) for each in planted] + list(harmless)
    dice.shuffle(lines)
    messages = []
    for number, line in enumerate(lines):
        pieces = _perhaps_in_two(line, planted, dice)
        writer = dice.choice(("customer", "adviser"))
        messages += [Message(USUAL_START + timedelta(seconds=number), writer, piece) for piece in pieces]
    return PlantedChat(Chat(messages), person, tuple(planted), harmless)


def _word(text: str) -> Planted:
    return Planted(text, text, is_word=True)


def _perhaps_in_two(line: str, planted: list[Planted], dice: random.Random) -> list[str]:
    """Send a line as two messages now and then, torn in the middle of an identity code."""
    torn = next((each.text for each in planted if not each.is_word and "-" in each.text and each.text in line), None)
    if torn is None or "@" in torn or not torn[:6].isdigit() or dice.random() < 0.5:
        return [line]
    at = line.index(torn) + 7
    return [line[:at], line[at:]]
