"""Making masked copies: sealed beside the original as a part of the recording, so that they die with it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import BinaryIO, cast
from uuid import UUID

from attrs import evolve, frozen

from kelarec.access.changing import replace_record
from kelarec.access.gate import Gate
from kelarec.access.picking import pick_original
from kelarec.access.reader import AudioReader
from kelarec.audit.entries import EntryKind
from kelarec.audit.log import AuditLog
from kelarec.domain.chat import Chat
from kelarec.domain.people import Person
from kelarec.domain.recording import Part, RecordingDetails
from kelarec.domain.staff_acts import Act
from kelarec.errors import InvalidValueError
from kelarec.media.masking import mask_chat
from kelarec.media.wav_masks import silence_wav
from kelarec.storage.json_form import from_json, to_json
from kelarec.storage.registers import Registers
from kelarec.storage.vault import Vault


@frozen(kw_only=True)
class MadeMask:
    """What was masked, without any of it.

    Attributes:
        part_name: The name of the masked copy among the recording's parts.
        masked_for: The purpose that it was made for.
        taken: How often something in a chat was taken for what, such as ``nimi`` or ``henkilötunnus``.
        silenced: The seconds of a call that hold no sound any more.
    """

    part_name: str
    masked_for: str
    taken: dict[str, int]
    silenced: tuple[tuple[float, float], ...]


def mask_recording(
    vault: Vault,
    log: AuditLog,
    registers: Registers,
    gate: Gate,
    recording_id: UUID,
    *,
    masked_for: str,
    silenced: Sequence[tuple[float, float]],
    words: Iterable[str],
    part_name: str | None = None,
) -> MadeMask:
    """Make a masked copy of a recording for one purpose; an earlier one for that purpose is removed.

    For a purpose that sees masked copies only, everybody in a chat is masked. For another, such as the copy that a
    person gets (Art. 15(4)), the customer's own names and numbers stay and the others' are masked.

    Raises:
        InvalidValueError: The purpose is undeclared, intervals are given for a chat or none for a call, or there are
            several parts and none is named.
        SpooledError: The content is still in the spool.
        UnreadableAudioError: An interval does not lie within the recording.
        ChangedMeanwhileError: Somebody else changed the recording in between; nothing was changed.
        DeniedError, ExpiredError, ObjectNotFoundError, IntegrityError: As `Session.open`.
    """
    opened, original = gate.grant(
        Act.MASK, recording_id, EntryKind.MASKING_BEGUN, lambda opened: pick_original(opened, part_name)
    )
    recording, details = opened.record.recording, opened.record.details
    recordings = gate.recordings
    taken: Counter[str] = Counter()
    register = registers.now()
    with gate.logging_refusals(Act.MASK, recording_id):
        if not register.has_purpose(masked_for):
            raise InvalidValueError(f"The register declares no purpose {masked_for}.", advice="Use one it declares.")
        with recordings.open_part(opened, original, gate.guard(Act.MASK, opened), AudioReader) as reader:
            if original.name == "chat":
                if silenced:
                    raise InvalidValueError("A chat has no seconds to silence.", advice="Give words instead.")
                chat = from_json(reader.read(), Chat)
                spares = () if register.shows_masked_only(masked_for) else (details.contact.customer,)
                masked, found = mask_chat(chat, **_known(details, spares), words=words)
                taken.update(each.value for each in found)
                content = to_json(masked)
                length, pieces = len(content), iter([content])
            else:
                length = original.length
                pieces = silence_wav(
                    cast("BinaryIO", reader), reader.get_format(), length=length, intervals=tuple(silenced)
                )
            part = Part(
                name=f"masked-{original.name}-{opened.record.revision + 1}",
                media_type=original.media_type,
                length=length,
                object_name=vault.new_object_name(f"masked-{original.name}"),
                masked_for=masked_for,
            )
            part = recordings.write_part(recording.id, recording.recorded_on, opened.data_key, part, pieces)
    earlier = [each for each in details.parts if each.masked_for == masked_for]
    parts = (*(each for each in details.parts if each not in earlier), part)
    try:
        replace_record(
            vault,
            log,
            opened,
            opened.record.change_details(evolve(details, parts=parts)),
            EntryKind.MASKED_COPY_MADE,
            by=gate.terms.staff_id,
            terms=gate.terms,
            masked_for=masked_for,
        )
    except BaseException:
        recordings.remove_part(recording, part)
        raise
    for each in earlier:
        recordings.remove_part(recording, each)
    return MadeMask(part_name=part.name, masked_for=masked_for, taken=dict(taken), silenced=tuple(silenced))


def _known(details: RecordingDetails, spares: tuple[Person | None, ...]) -> dict[str, tuple[Person, ...]]:
    spared = tuple(each for each in spares if each is not None)
    return {"persons": tuple(each for each in details.contact.persons if each not in spared), "spared": spared}
