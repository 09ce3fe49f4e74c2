"""The sessions that a second person has to look at: sealed objects and rows, until somebody did.

reviews/<session id>/review-<random>
"""

from typing import Final
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select

from kelarec.domain.access_review import AccessReview
from kelarec.storage import catalog_tables as tables
from kelarec.storage.envelopes import Subject
from kelarec.storage.json_form import from_json, to_json
from kelarec.storage.recordings import microseconds
from kelarec.storage.vault import Vault

_FOLDER: Final = "reviews"


class ReviewQueue:
    """What waits for a second person."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def write(self, review: AccessReview) -> tuple[str, bytes]:
        """Seal what is to be reviewed into the archive; return the object's path and envelope."""
        path = f"{_FOLDER}/{review.session_id}/{self._vault.new_object_name('review')}"
        return path, self._vault.write_standing(path, self._subject(review.session_id), to_json(review))

    def insert(self, connection: Connection, review: AccessReview, path: str, envelope: bytes) -> None:
        """Make the row of what is to be reviewed."""
        connection.execute(
            insert(tables.access_reviews).values(
                session_id=review.session_id.bytes,
                begun_at=microseconds(review.begun_at),
                review_object=path,
                review=envelope,
            )
        )

    def find(self, connection: Connection, session_id: UUID | None = None) -> list[tuple[AccessReview, str]]:
        """Return what waits, oldest first, or what waits of one session; each with its object's path."""
        reviews = tables.access_reviews.c
        wanted = select(tables.access_reviews).order_by(reviews.begun_at, reviews.session_id)
        if session_id is not None:
            wanted = wanted.where(reviews.session_id == session_id.bytes)
        return [
            (self._open(UUID(bytes=row.session_id), row.review), row.review_object)
            for row in connection.execute(wanted)
        ]

    def remove(self, connection: Connection, session_id: UUID) -> bool:
        """Remove the row of what was reviewed; return whether there was one."""
        reviews = tables.access_reviews
        removed = connection.execute(delete(reviews).where(reviews.c.session_id == session_id.bytes))
        return bool(removed.rowcount)

    def _open(self, session_id: UUID, envelope: bytes) -> AccessReview:
        return from_json(self._vault.open_envelope(self._subject(session_id), envelope), AccessReview)

    def _subject(self, session_id: UUID) -> Subject:
        return self._vault.subject("review", str(session_id))
