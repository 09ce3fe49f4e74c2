"""kelarec keeps an authority's recorded calls and chats the way its privacy notice promises.

Names are loaded when they are first used, so that importing kelarec costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kelarec.access.selecting import Wanted as Wanted
    from kelarec.archive import Archive as Archive
    from kelarec.archive.sweeper import Sweeper as Sweeper
    from kelarec.capture.import_progress import Imported as Imported
    from kelarec.capture.import_progress import ImportProgress as ImportProgress
    from kelarec.domain.capture_plan import CaptureDecision as CaptureDecision
    from kelarec.domain.capture_plan import CaptureGap as CaptureGap
    from kelarec.domain.capture_plan import CaptureRule as CaptureRule
    from kelarec.domain.capture_plan import ExpectedContact as ExpectedContact
    from kelarec.domain.chat import Chat as Chat
    from kelarec.domain.chat import Message as Message
    from kelarec.domain.codes import Direction as Direction
    from kelarec.domain.codes import Kind as Kind
    from kelarec.domain.codes import State as State
    from kelarec.domain.contact import Contact as Contact
    from kelarec.domain.deadline import Deadline as Deadline
    from kelarec.domain.disclosure import Disclosure as Disclosure
    from kelarec.domain.disclosure import Recipient as Recipient
    from kelarec.domain.identity_code import PersonalIdentityCode as PersonalIdentityCode
    from kelarec.domain.lines import Line as Line
    from kelarec.domain.notice_facts import ContactPoint as ContactPoint
    from kelarec.domain.people import Address as Address
    from kelarec.domain.people import EmailAddress as EmailAddress
    from kelarec.domain.people import Person as Person
    from kelarec.domain.people import PhoneNumber as PhoneNumber
    from kelarec.domain.people import StaffId as StaffId
    from kelarec.domain.people import System as System
    from kelarec.domain.recording import Recording as Recording
    from kelarec.domain.recording import RecordingDetails as RecordingDetails
    from kelarec.domain.register import Register as Register
    from kelarec.domain.restricted_use import RestrictedUse as RestrictedUse
    from kelarec.domain.retention import RetentionPolicy as RetentionPolicy
    from kelarec.domain.staff import Authenticator as Authenticator
    from kelarec.domain.staff import Commitment as Commitment
    from kelarec.domain.staff import Credential as Credential
    from kelarec.domain.staff import Directory as Directory
    from kelarec.domain.staff import Duty as Duty
    from kelarec.domain.staff import DutyKind as DutyKind
    from kelarec.domain.staff import StaffMember as StaffMember
    from kelarec.domain.subject_request import AccessRequest as AccessRequest
    from kelarec.domain.subject_request import ErasureRequest as ErasureRequest
    from kelarec.domain.subject_request import ObjectionRequest as ObjectionRequest
    from kelarec.domain.subject_request import RectificationRequest as RectificationRequest
    from kelarec.domain.subject_request import RequestKind as RequestKind
    from kelarec.domain.subject_request import RestrictionRequest as RestrictionRequest
    from kelarec.domain.subject_request import SubjectRequest as SubjectRequest
    from kelarec.domain.take import AudioForm as AudioForm
    from kelarec.domain.take import Codec as Codec
    from kelarec.errors import KelarecError as KelarecError
    from kelarec.notice.kela import kela_register as kela_register
    from kelarec.notice.toml_form import load_register as load_register
    from kelarec.storage.places import Place as Place
    from kelarec.storage.roots import create_key_file as create_key_file

_HOMES = {
    "kelarec.access.selecting": ("Wanted",),
    "kelarec.archive": ("Archive",),
    "kelarec.archive.sweeper": ("Sweeper",),
    "kelarec.capture.import_progress": ("Imported", "ImportProgress"),
    "kelarec.domain.capture_plan": ("CaptureDecision", "CaptureGap", "CaptureRule", "ExpectedContact"),
    "kelarec.domain.chat": ("Chat", "Message"),
    "kelarec.domain.codes": ("Direction", "Kind", "State"),
    "kelarec.domain.contact": ("Contact",),
    "kelarec.domain.deadline": ("Deadline",),
    "kelarec.domain.disclosure": ("Disclosure", "Recipient"),
    "kelarec.domain.identity_code": ("PersonalIdentityCode",),
    "kelarec.domain.people": ("Address", "EmailAddress", "Person", "PhoneNumber", "StaffId", "System"),
    "kelarec.domain.recording": ("Recording", "RecordingDetails"),
    "kelarec.domain.notice_facts": ("ContactPoint",),
    "kelarec.domain.lines": ("Line",),
    "kelarec.domain.register": ("Register",),
    "kelarec.domain.retention": ("RetentionPolicy",),
    "kelarec.domain.restricted_use": ("RestrictedUse",),
    "kelarec.domain.staff": (
        "Authenticator",
        "Commitment",
        "Credential",
        "Directory",
        "Duty",
        "DutyKind",
        "StaffMember",
    ),
    "kelarec.domain.subject_request": (
        "AccessRequest",
        "ErasureRequest",
        "ObjectionRequest",
        "RectificationRequest",
        "RequestKind",
        "RestrictionRequest",
        "SubjectRequest",
    ),
    "kelarec.domain.take": ("AudioForm", "Codec"),
    "kelarec.errors": ("KelarecError",),
    "kelarec.notice.kela": ("kela_register",),
    "kelarec.notice.toml_form": ("load_register",),
    "kelarec.storage.places": ("Place",),
    "kelarec.storage.roots": ("create_key_file",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605  one list of names, kept in _HOMES


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'kelarec' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "errors"]
