"""Sealed documents: a clear line that names the key, then JSON sealed as Cobblestone-256.

    kelarec sealed v1
    2027-03-05 A256GCM <base64 of the data key, wrapped under a key of that date>
    <sealed bytes>

What the document is (its archive, kind and name) is bound into the wrap and into the sealing, so that an envelope put
in another's place does not open.
"""

from collections.abc import Iterator
from datetime import date
from typing import Final
from uuid import UUID

from attrs import field, frozen

from kelarec.errors import FormatTooNewError, IntegrityError
from kelarec.storage.keyring import STANDING, Keyring
from kelarec.storage.sealing import seal, unseal
from kelarec.storage.wrapping import KEY_BYTES, Randomness, bind, unwrap, wrap

_FIRST_LINE: Final = b"kelarec sealed v1"
_ANY_VERSION: Final = b"kelarec sealed v"

HAVE_LEAVES: Final = frozenset({"recording", "hold"})
"""Kinds of subjects that can be erased one by one: each has a key leaf of its own, named by the subject's name."""


@frozen
class DataKey:
    """The key of one recording or document, bare and wrapped.

    Attributes:
        key_id: Which key wraps it: a date, or ``standing``.
        wrapped: The wrap, a line of text.
    """

    key_id: str
    wrapped: str = field(repr=False)
    bare: bytes = field(repr=False)


@frozen
class Subject:
    """What a sealed thing is: its kind and name in its archive.

    Attributes:
        kind: Such as ``recording`` or ``staff``.
        name: Its id.
    """

    archive_id: UUID
    kind: str
    name: str

    def context(self, *facts: tuple[str, str]) -> bytes:
        """Return what is bound into a seal or wrap of this subject."""
        return bind(self.archive_id, (self.kind, self.name), *facts)


def make_data_key(keyring: Keyring, key_id: str, subject: Subject, randomness: Randomness) -> DataKey:
    """Make a data key, wrapped for one subject under a date's key or the standing key.

    Raises:
        KeyUnavailableError: The wrapping key is not there.
    """
    return wrap_data_key(keyring, key_id, subject, randomness(KEY_BYTES), randomness)


def wrap_data_key(keyring: Keyring, key_id: str, subject: Subject, bare: bytes, randomness: Randomness) -> DataKey:
    """Wrap a data key for one subject under a date's key or the standing key; also one that is wrapped elsewhere too.

    Raises:
        KeyUnavailableError: The wrapping key is not there.
    """
    wrapped = wrap(_get_wrapping_key(keyring, key_id, subject), bare, subject.context(("key", key_id)), randomness)
    return DataKey(key_id, wrapped, bare)


def seal_document(data_key: DataKey, subject: Subject, content: bytes) -> bytes:
    """Return the envelope of a document."""
    sealed = seal(data_key.bare, _document_context(subject), content)
    return b"\n".join([_FIRST_LINE, f"{data_key.key_id} {data_key.wrapped}".encode(), sealed])


def open_document(keyring: Keyring, subject: Subject, envelope: bytes) -> tuple[DataKey, bytes]:
    """Return the data key and content of an envelope.

    Raises:
        FormatTooNewError: A newer version wrote it.
        IntegrityError: It was altered, cut, or put in another's place.
        KeyUnavailableError: Its key was destroyed or is missing.
    """
    if not isinstance(envelope, bytes):  # a value of the catalog that was edited
        raise IntegrityError(f"The {subject.kind} {subject.name} is no sealed document.")
    first, key_line, sealed = _split(envelope)
    if first != _FIRST_LINE:
        if first.startswith(_ANY_VERSION) and first[len(_ANY_VERSION) :].isdigit():
            raise FormatTooNewError(f"The {subject.kind} {subject.name} was sealed by a newer version.")
        raise IntegrityError(f"The {subject.kind} {subject.name} is no sealed document.")
    try:
        key_id, _, wrapped = key_line.decode("ascii").partition(" ")
    except UnicodeDecodeError:
        raise IntegrityError(f"The {subject.kind} {subject.name} is damaged in its second line.") from None
    if not _is_key_id(key_id):
        raise IntegrityError(f"The {subject.kind} {subject.name} is damaged in its second line.")
    bare = unwrap(_get_wrapping_key(keyring, key_id, subject), wrapped, subject.context(("key", key_id)))
    return DataKey(key_id, wrapped, bare), unseal(bare, _document_context(subject), sealed)


def _get_wrapping_key(keyring: Keyring, key_id: str, subject: Subject) -> bytes:
    """Return the subject's own key leaf if it may be erased before its date, else what wraps all of that key id."""
    if key_id != STANDING and subject.kind in HAVE_LEAVES:
        return keyring.get_leaf(date.fromisoformat(key_id), subject.name)
    return keyring.get(key_id).wrapping


def open_document_with(bare: bytes, subject: Subject, envelope: bytes) -> tuple[DataKey, bytes]:
    """Return the data key and content of an envelope whose own wrap opens no longer, by its data key had elsewhere.

    Raises:
        IntegrityError: It was altered, cut, or put in another's place.
    """
    _, key_line, sealed = _split(envelope)
    key_id, _, wrapped = key_line.decode("ascii", "replace").partition(" ")
    return DataKey(key_id, wrapped, bare), unseal(bare, _document_context(subject), sealed)


def read_key_id(envelope: bytes) -> str | None:
    """Return which key an envelope says it needs, a date or ``standing``, or None if it says none."""
    _, key_line, _ = _split(envelope)
    key_id = key_line.partition(b" ")[0].decode("ascii", "replace")
    return key_id if _is_key_id(key_id) else None


def _is_key_id(text: str) -> bool:
    """Whether a text from an envelope may go into the path of a key."""
    if text == STANDING:
        return True
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _split(envelope: bytes) -> Iterator[bytes]:
    pieces = envelope.split(b"\n", 2)
    return iter(pieces if len(pieces) == 3 else [b"", b"", b""])  # noqa: PLR2004  two lines, then the seal


def _document_context(subject: Subject) -> bytes:
    return subject.context(("format", "application/json"))
