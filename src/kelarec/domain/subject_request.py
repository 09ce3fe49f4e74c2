"""A right exercised (notice, sections 11 to 13): what the person asks, when it came in, and by which channel."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from attrs import field, frozen
from attrs.validators import in_, instance_of

from kelarec.domain.codes import is_code
from kelarec.domain.deadline import Deadline
from kelarec.domain.free_text import require_text
from kelarec.domain.instants import to_utc
from kelarec.domain.people import Person
from kelarec.errors import RequestError

LANGUAGES = ("fi", "sv", "en")


class RequestKind(StrEnum):
    """Which right a person exercises; articles of Regulation (EU) 2016/679."""

    ACCESS = "access"
    RECTIFICATION = "rectification"
    ERASURE = "erasure"
    RESTRICTION = "restriction"
    OBJECTION = "objection"

    @property
    def article(self) -> int:
        """The article that gives the right."""
        return {"access": 15, "rectification": 16, "erasure": 17, "restriction": 18, "objection": 21}[self.value]


class RequestState(StrEnum):
    """Where a request is in its life."""

    OPEN = "open"
    CLOSED = "closed"


def _to_text(text: object) -> str:
    return require_text(text, "text of the request")


@frozen(kw_only=True)
class SubjectRequest:
    """What all requests have in common; build one of its five kinds.

    Attributes:
        person: Whom it concerns; known by an identifier, or nothing could be found.
        channel: The register's code of the channel it came by.
        received_at: When it reached that channel, kept as UTC.
        language: Of the answer: ``fi``, ``sv`` or ``en``.

    Raises:
        NaiveInstantError: The instant has no time zone.
        RequestError: The person has no identifier.
    """

    kind: ClassVar[RequestKind]

    person: Person = field(validator=instance_of(Person))
    channel: str = field(validator=is_code)
    received_at: datetime = field(converter=to_utc)
    language: str = field(default="fi", validator=in_(LANGUAGES))

    def __attrs_post_init__(self) -> None:
        if not self.person.identifiers:
            raise RequestError(
                "The request is for a person without an identifier.",
                advice="Ask for an identity code, a telephone number or an e-mail address (Art. 11(2)).",
            )

    @property
    def deadline(self) -> Deadline:
        """When the answer is due (Art. 12(3))."""
        return Deadline.for_request(self.received_at)


@frozen(kw_only=True)
class AccessRequest(SubjectRequest):
    """Art. 15: what do you have on me, and who listened?"""

    kind = RequestKind.ACCESS


@frozen(kw_only=True)
class RectificationRequest(SubjectRequest):
    """Art. 16 and notice, section 12: which fact is wrong, why, and how it should read."""

    kind = RequestKind.RECTIFICATION

    which: str = field(repr=False, converter=_to_text)
    why: str = field(repr=False, converter=_to_text)
    how: str = field(repr=False, converter=_to_text)


@frozen(kw_only=True)
class ErasureRequest(SubjectRequest):
    """Art. 17: erase what is about me."""

    kind = RequestKind.ERASURE


@frozen(kw_only=True)
class RestrictionRequest(SubjectRequest):
    """Art. 18: store it, but use it no more."""

    kind = RequestKind.RESTRICTION


@frozen(kw_only=True)
class ObjectionRequest(SubjectRequest):
    """Art. 21: I object to the processing, on grounds of my situation."""

    kind = RequestKind.OBJECTION

    ground: str = field(repr=False, converter=_to_text)
