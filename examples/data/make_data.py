"""Makes the example recordings, call.wav and chat.json, beside this file.

Run it with ``python examples/data/make_data.py``; it needs espeak-ng and sox. Everyone and everything said is
invented. The same versions of the two programs give the same bytes every time.

The call has two channels, adviser left and customer right, as a telephone switch that records both ends would
store it: G.711 A-law, 8000 samples a second, in a WAV file. From 12 s to 17 s the customer says her identity code.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

HERE = Path(__file__).resolve().parent
CALL = HERE / "call.wav"
CHAT = HERE / "chat.json"

CALL_SECONDS = 51
SAMPLES_PER_SECOND = 8000
BYTES_PER_SAMPLE = 2  # until A-law halves them
BYTES_PER_SECOND = SAMPLES_PER_SECOND * BYTES_PER_SAMPLE

# sox's options: no randomness; and samples without a header.
REPEATABLY = ("-R", "-D")
LINEAR = ("-t", "raw", "-r", str(SAMPLES_PER_SECOND), "-c", "1", "-b", "16", "-e", "signed-integer", "-L")

Speaker = Literal["adviser", "customer"]


class Turn(NamedTuple):
    """What one person says without being interrupted."""

    starts_at: float  # seconds from the start of the call
    by: Speaker
    text: str


class Message(NamedTuple):
    """One message of a chat."""

    sent_at: str  # an instant with its offset
    by: Speaker
    text: str


# espeak-ng's options: voice and variant, pitch (0 to 99), words a minute.
VOICES: dict[Speaker, tuple[str, ...]] = {
    "adviser": ("-v", "fi", "-p", "30", "-s", "175"),
    "customer": ("-v", "fi+f3", "-p", "60", "-s", "195"),
}

# Veikko Mallikas advises, Aino Esimerkki calls. Her identity code is 140281-928F; the population
# register gives nobody an individual number from 900 to 999. It is spelled out here because that is how it is said.
DIALOGUE = (
    Turn(0.3, "adviser", "Kelasta Veikko Mallikas, hyvää huomenta. Tämä puhelu tallennetaan."),
    Turn(5.7, "customer", "Huomenta, täällä Aino Esimerkki. Soitan asumistuesta."),
    Turn(9.4, "adviser", "Kertoisitteko henkilötunnuksenne?"),
    Turn(
        12.0,
        "customer",
        "Neljätoista nolla kaksi kahdeksankymmentäyksi viiva yhdeksän kaksi kahdeksan äf.",
    ),
    Turn(17.5, "adviser", "Kiitos. Mikä asumisessanne on muuttunut?"),
    Turn(
        21.0,
        "customer",
        "Vuokrani nousi maaliskuun alusta kuudestasadastaviidestäkymmenestä eurosta seitsemäänsataankahteenkymmeneen "
        "euroon. Nouseeko tukikin?",
    ),
    Turn(
        29.0,
        "adviser",
        "Tuki voidaan tarkistaa, koska vuokra nousi yli viisikymmentä euroa. Ilmoittakaa muutoksesta OmaKelassa.",
    ),
    Turn(36.6, "customer", "Tarvitsetteko uuden vuokrasopimuksen?"),
    Turn(39.4, "adviser", "Vuokranantajan ilmoitus riittää. Lähettäkää se viimeistään yhdeksäntenätoista maaliskuuta."),
    Turn(45.5, "customer", "Selvä, kiitos. Kuulemiin."),
    Turn(48.1, "adviser", "Kiitos soitosta, kuulemiin."),
)

MESSAGES = (
    Message(
        "2026-03-05T09:02:11+02:00",
        "customer",
        "Hei! Muutin maaliskuun alussa uuteen asuntoon. Pitääkö minun hakea asumistukea uudestaan?",
    ),
    Message(
        "2026-03-05T09:02:58+02:00",
        "adviser",
        "Hyvää huomenta, olen Veikko Mallikas Kelasta. Tämä keskustelu tallennetaan. Autan mielelläni.",
    ),
    Message(
        "2026-03-05T09:03:40+02:00",
        "adviser",
        "Uutta hakemusta ei tarvita. Ilmoita muutosta OmaKelassa, niin tukesi tarkistetaan.",
    ),
    Message("2026-03-05T09:04:35+02:00", "customer", "Kiitos! Mitä liitteitä ilmoitukseen tarvitaan?"),
    Message(
        "2026-03-05T09:05:27+02:00",
        "adviser",
        "Uusi vuokrasopimus ja tieto siitä, ketkä asunnossa asuvat. Asutko yksin?",
    ),
    Message(
        "2026-03-05T09:06:49+02:00",
        "customer",
        "En, tyttäreni asuu kanssani. Nimeni on Aino Esimerkki ja henkilötunnukseni 140281-928F.",
    ),
    Message(
        "2026-03-05T09:08:02+02:00",
        "adviser",
        "Kiitos, Aino. Älä kuitenkaan kirjoita henkilötunnusta tähän keskusteluun, en tarvitse sitä nyt.",
    ),
    Message(
        "2026-03-05T09:09:16+02:00",
        "customer",
        "Selvä. Vuokra on nyt 720 euroa kuukaudessa, ennen se oli 650. Milloin saan päätöksen?",
    ),
    Message(
        "2026-03-05T09:10:31+02:00",
        "adviser",
        "Lähetä liitteet viimeistään 19. maaliskuuta. Saat päätöksen OmaKelaan, kun asia on käsitelty.",
    ),
    Message("2026-03-05T09:11:05+02:00", "customer", "Hienoa, kiitos avusta ja hyvää päivänjatkoa!"),
)


def program(name: str) -> str:
    """Finds an installed program, or leaves with the names of the packages that bring both."""
    found = shutil.which(name)
    if found is None:
        sys.exit(f"{name} is not installed. On Debian and Ubuntu: apt install espeak-ng sox")
    return found


def run(*command: str) -> None:
    """Runs a command and lets its failure be ours."""
    subprocess.run(command, check=True)  # noqa: S603 - the programs are found above and the texts are this file's


def spoken(turn: Turn, *, espeak: str, sox: str, folder: Path) -> bytes:
    """Speaks one turn, as narrow and as loud as a telephone carries it."""
    studio, telephone = folder / "studio.wav", folder / "telephone.raw"
    run(espeak, *VOICES[turn.by], "-w", str(studio), turn.text)
    shape = ("gain", "-6", "rate", str(SAMPLES_PER_SECOND), "sinc", "300-3400", "gain", "-n", "-6")
    run(sox, *REPEATABLY, str(studio), *LINEAR, str(telephone), *shape)
    return telephone.read_bytes()


def timeline(turns: Sequence[tuple[Turn, bytes]]) -> dict[Speaker, bytearray]:
    """Lays the spoken turns on one timeline: a channel for each speaker, silent while the other one speaks."""
    length = CALL_SECONDS * BYTES_PER_SECOND
    channels: dict[Speaker, bytearray] = {by: bytearray(length) for by in VOICES}
    starts = [round(turn.starts_at * SAMPLES_PER_SECOND) * BYTES_PER_SAMPLE for turn, _ in turns]
    for (turn, samples), (start, limit) in zip(turns, pairwise([*starts, length]), strict=True):
        end = start + len(samples)
        if end > limit:
            over = (end - limit) / BYTES_PER_SECOND
            sys.exit(f"{turn.text!r} lasts {over:.2f} s too long: move the turns after it, or lengthen the call.")
        channels[turn.by][start:end] = samples
    return channels


def make_call() -> None:
    """Writes call.wav."""
    espeak, sox = program("espeak-ng"), program("sox")
    with TemporaryDirectory() as made:
        folder = Path(made)
        channels = timeline([(turn, spoken(turn, espeak=espeak, sox=sox, folder=folder)) for turn in DIALOGUE])
        left, right = folder / "adviser.raw", folder / "customer.raw"
        left.write_bytes(channels["adviser"])
        right.write_bytes(channels["customer"])
        run(sox, *REPEATABLY, "-M", *LINEAR, str(left), *LINEAR, str(right), "-e", "a-law", str(CALL))


def make_chat() -> None:
    """Writes chat.json."""
    content = {"messages": [message._asdict() for message in MESSAGES]}
    text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
    CHAT.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    make_call()
    make_chat()
    for path in (CALL, CHAT):
        print(f"{path.name}: {path.stat().st_size} bytes")
