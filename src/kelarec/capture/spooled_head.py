"""The head of a take in the spool: what is needed to go on with it when its process is gone."""

from collections.abc import Iterable
from uuid import UUID

from attrs import frozen

from kelarec.domain.recording import Recording
from kelarec.domain.take import PartForm, TakeEvent, TakeStory
from kelarec.errors import IntegrityError, KelarecError
from kelarec.storage.envelopes import DataKey, open_document, seal_document
from kelarec.storage.json_form import from_json, to_json
from kelarec.storage.recordings import part_context
from kelarec.storage.vault import Vault


@frozen
class Head:
    """What was known when the take began.

    Attributes:
        recording: Its clear facts.
        story: Everything else.
    """

    recording: Recording
    story: TakeStory


def write_head(vault: Vault, data_key: DataKey, head: Head) -> bytes:
    """Return a head as the spool keeps it: the recording's id, then a document sealed under its data key."""
    recording_id = head.recording.id
    return f"{recording_id}\n".encode() + seal_document(
        data_key, vault.subject("recording", str(recording_id)), to_json(head)
    )


def read_head(vault: Vault, content: bytes) -> tuple[Head, DataKey]:
    """Return a head and the data key of its take.

    Raises:
        IntegrityError: It is none, or not as it was written.
        KeyUnavailableError: Its key was destroyed: the recording has expired, or was erased.
    """
    recording_id = read_recording_id(content)
    document = content.partition(b"\n")[2]
    data_key, told = open_document(vault.keyring, vault.subject("recording", str(recording_id)), document)
    return from_json(told, Head), data_key


def read_recording_id(content: bytes) -> UUID:
    """Return whom a head is about.

    Raises:
        IntegrityError: It is no head.
    """
    try:
        return UUID(content.partition(b"\n")[0].decode("ascii"))
    except ValueError:
        raise IntegrityError("The head of a take in the spool is damaged.", lost="the take") from None


def part_prefix(vault: Vault, recording_id: UUID, take_id: UUID, form: PartForm) -> bytes:
    """Return what is bound into each message of a part: archive, recording, part, format and take."""
    subject = vault.subject("recording", str(recording_id))
    return part_context(subject, form.name, form.media_type) + f"\ntake {take_id}".encode()


def tell(story: TakeStory, lines: Iterable[bytes]) -> TakeStory:
    """Return the story after the events that lie in the spool."""
    for line in lines:
        try:
            story = story.after(from_json(line, TakeEvent))
        except IntegrityError:
            raise
        except KelarecError:
            continue  # refused then as it is now
    return story
