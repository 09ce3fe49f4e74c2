"""Which part of a recording is meant: it may have one for each party, attachments, and masked copies."""

from typing import Final

from kelarec.domain.recording import Part
from kelarec.errors import InvalidValueError, SpooledError
from kelarec.storage.recordings import OpenedRecord

CHAT: Final = "chat"


def pick_part(opened: OpenedRecord, name: str | None, *, masked_for: str | None = None) -> Part:
    """Return the part of a name, or the copy of it that was masked for a purpose; the sound if no name is given.

    Raises:
        SpooledError: The content is still in the spool.
        InvalidValueError: There is no such part, or several of sound and none was named.
    """
    _require_content(opened)
    names = _list_sound(opened, masked_for) if name is None else [name]
    found = opened.record.details.find_part(names[0], masked_for=masked_for) if len(names) == 1 else None
    if found is None:
        raise _no_such_part(opened)
    return found


def pick_original(opened: OpenedRecord, name: str | None) -> Part:
    """Return the part of a name; what the contact was made of, sound or chat, if no name is given.

    Raises:
        SpooledError, InvalidValueError: As `pick_part`.
    """
    _require_content(opened)
    originals = [each for each in opened.record.details.parts if each.masked_for is None]
    return _only([each for each in originals if _is_meant(each, name)], opened)


def pick_for_handing_out(opened: OpenedRecord, name: str | None, purpose: str) -> Part:
    """Return what is handed out of a recording: a copy masked for the purpose if there is one, else the original.

    Raises:
        SpooledError, InvalidValueError: As `pick_part`.
    """
    _require_content(opened)
    masked = [each for each in opened.record.details.parts if each.masked_for == purpose]
    if not masked:
        return pick_original(opened, name)
    return _only([each for each in masked if name is None or each.name.startswith(f"masked-{name}-")], opened)


def _require_content(opened: OpenedRecord) -> None:
    if not opened.record.details.parts:
        raise SpooledError("The content of the recording is still in the spool.")


def _is_meant(part: Part, name: str | None) -> bool:
    return part.name == name if name is not None else part.name == CHAT or part.media_type.startswith("audio/")


def _list_sound(opened: OpenedRecord, masked_for: str | None) -> list[str]:
    parts = opened.record.details.parts
    sound = [each.name for each in parts if each.masked_for is None and each.media_type.startswith("audio/")]
    if masked_for is None:
        return sound
    return [name for name in sound if opened.record.details.find_part(name, masked_for=masked_for) is not None]


def _only(found: list[Part], opened: OpenedRecord) -> Part:
    if len(found) != 1:
        raise _no_such_part(opened)
    return found[0]


def _no_such_part(opened: OpenedRecord) -> InvalidValueError:
    names = ", ".join(each.name for each in opened.record.details.parts)
    return InvalidValueError(
        "The recording has no such part, or several.",
        advice=f"Name one of {names}; a call is had by open, a chat by read_chat.",
    )
