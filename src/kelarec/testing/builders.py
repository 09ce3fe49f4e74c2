"""Valid values with sensible defaults, so that a test names only what it is about. All persons are invented."""

import struct
from datetime import date, datetime
from itertools import count
from typing import Any, Final

from kelarec.domain.chat import Chat, Message
from kelarec.domain.codes import Kind
from kelarec.domain.contact import Contact
from kelarec.domain.identity_code import PersonalIdentityCode, check_character
from kelarec.domain.people import Person, PhoneNumber, StaffId
from kelarec.domain.staff import Commitment, Duty, DutyKind, StaffMember
from kelarec.media.wav import WavFormat, write_wav
from kelarec.testing.clock import USUAL_START

_NUMBERS: Final = count(1)
_LINES: Final = {
    Kind.CUSTOMER_CALL: "national-service",
    Kind.CUSTOMER_CHAT: "kela-fi",
    Kind.SUPPORT_CALL: "back-office-support",
    Kind.SUPPORT_CHAT: "back-office-support",
}


def make_identity_code(number: int = 0, *, born_on: date = date(1981, 2, 14)) -> PersonalIdentityCode:
    """Return a valid code that no real person has: its individual number lies in 900 to 999."""
    digits = f"{born_on:%d%m%y}{900 + number % 100}"
    sign = "A" if born_on.year >= 2000 else "-"  # noqa: PLR2004  the century's sign
    return PersonalIdentityCode(f"{digits[:6]}{sign}{digits[6:]}{check_character(digits)}")


def make_person(**known: Any) -> Person:  # noqa: ANN401  the fields of Person
    """Return an invented customer."""
    usual: dict[str, Any] = {
        "name": "Aino Esimerkki",
        "identity_code": make_identity_code(),
        "phone_number": PhoneNumber("+358 50 000 0123"),
    }
    return Person(**usual | known)


def make_contact(**known: Any) -> Contact:  # noqa: ANN401  the fields of Contact
    """Return a contact on the line that its kind usually comes by; a customer call if no kind is given."""
    kind = Kind(known.get("kind", Kind.CUSTOMER_CALL))
    usual: dict[str, Any] = {
        "contact_id": f"contact-{next(_NUMBERS)}",
        "kind": kind,
        "line": _LINES[kind],
        "started_at": USUAL_START,
        "customer": make_person(),
        "adviser_id": StaffId("veikko"),
    }
    return Contact(**usual | known)


def make_staff_member(**known: Any) -> StaffMember:  # noqa: ANN401  the fields of StaffMember
    """Return an adviser with a commitment in force and a duty for their own contacts."""
    usual: dict[str, Any] = {
        "id": StaffId("veikko"),
        "identity_code": make_identity_code(77, born_on=date(1975, 6, 1)),
        "roles": {"adviser"},
        "commitments": [Commitment(text_version="2020-08", signed_on=date(2020, 8, 18))],
        "duties": [Duty(kind=DutyKind.OWN_CONTACTS, purpose="verify-service-event", from_on=date(2020, 8, 18))],
    }
    return StaffMember(**usual | known)


def make_wav(seconds: float = 1.0, *, channels: int = 2, rate: int = 8000) -> bytes:
    """Return a WAV file of G.711 A-law whose bytes count upwards, so that each position can be told from the next."""
    frames = round(seconds * rate)
    samples = b"".join(struct.pack(">I", number) for number in range((frames * channels + 3) // 4))
    form = WavFormat(
        tag=6, channels=channels, rate=rate, frame_bytes=channels, sample_bits=8, data_offset=0, data_length=0
    )
    return write_wav(form, samples[: frames * channels])


def make_chat(*texts: str, started_at: datetime = USUAL_START) -> Chat:
    """Return a chat in which customer and adviser take turns, all in one moment."""
    texts = texts or ("Hei, onko hakemukseni saapunut?", "Kyllä, se saapui eilen.")
    return Chat(
        tuple(Message(started_at, "adviser" if number % 2 else "customer", text) for number, text in enumerate(texts))
    )
