"""Cursors: where the next page of a search begins, as a text that can be neither read nor forged.

A cursor is a sealed document under the standing key, bound to the search it belongs to, in URL-safe base64.
"""

import base64
import binascii
from uuid import UUID

from kelarec.errors import CursorError, FormatTooNewError, IntegrityError, KeyUnavailableError
from kelarec.storage.envelopes import Subject, make_data_key, seal_document
from kelarec.storage.json_form import from_json, to_json
from kelarec.storage.keyring import STANDING
from kelarec.storage.search import Position, Search
from kelarec.storage.vault import Vault


def seal_cursor(vault: Vault, search: Search, position: Position) -> str:
    """Return the cursor of a position in a search."""
    subject = _subject(vault, search)
    data_key = make_data_key(vault.keyring, STANDING, subject, vault.randomness)
    place = [position.started_at, str(UUID(bytes=position.recording_id))]
    return base64.urlsafe_b64encode(seal_document(data_key, subject, to_json(place))).decode("ascii")


def open_cursor(vault: Vault, search: Search, cursor: str) -> Position:
    """Return the position of a cursor.

    Raises:
        CursorError: It is the cursor of another search or archive, was altered, or is none.
    """
    try:
        envelope = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
        if base64.urlsafe_b64encode(envelope).decode("ascii") != cursor:
            raise CursorError("The cursor is none of this search.")
        started_at, recording_id = from_json(vault.open_envelope(_subject(vault, search), envelope), tuple[int, str])
        return Position(started_at, UUID(recording_id).bytes)
    except (
        AttributeError,
        UnicodeEncodeError,
        binascii.Error,
        IntegrityError,
        KeyUnavailableError,
        FormatTooNewError,
        ValueError,
    ):
        raise CursorError("The cursor is none of this search.") from None


def _subject(vault: Vault, search: Search) -> Subject:
    return vault.subject("cursor", search.fingerprint)
