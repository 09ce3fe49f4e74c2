"""The vault: the objects, keys and catalog of one archive, and the clock and randomness they work with."""

from datetime import date, datetime
from typing import Final
from uuid import UUID

from attrs import Factory, field, frozen

from kelarec.domain.instants import to_utc
from kelarec.domain.staff import Directory
from kelarec.domain.uuid7 import RANDOM_BYTES, uuid7
from kelarec.storage.clocks import Clock
from kelarec.storage.closed_dates import require_not_closed
from kelarec.storage.engine import Database
from kelarec.storage.envelopes import Subject, make_data_key, open_document, seal_document
from kelarec.storage.keyring import STANDING, Keyring
from kelarec.storage.objects import ObjectPlace
from kelarec.storage.tokens import IndexKeys
from kelarec.storage.wrapping import Randomness

_PIECES_WITH_REVISION: Final = 3


@frozen
class Vault:
    """What every part of an archive works on.

    Attributes:
        clock: Gives the present as an aware instant.
        randomness: Gives so many random bytes.
        directory: Where staff are known, or None if the archive keeps them itself.
        index_keys: Makes the tokens that recordings are found by.
    """

    archive_id: UUID
    objects: ObjectPlace = field(repr=False)
    keyring: Keyring = field(repr=False)
    database: Database = field(repr=False)
    clock: Clock = field(repr=False)
    randomness: Randomness = field(repr=False)
    directory: Directory | None = field(default=None, repr=False)
    index_keys: IndexKeys = field(
        init=False, repr=False, eq=False, default=Factory(lambda self: IndexKeys(self.keyring), takes_self=True)
    )

    def now(self) -> datetime:
        """Return the present in UTC.

        Raises:
            NaiveInstantError: The injected clock gives an instant without a time zone.
        """
        return to_utc(self.clock())

    def new_id(self) -> UUID:
        """Return a new id: a UUID of version 7."""
        return uuid7(self.now(), self.randomness(RANDOM_BYTES))

    def new_object_name(self, prefix: str) -> str:
        """Return a random name that tells nothing, so that no object is ever overwritten."""
        return f"{prefix}-{self.randomness(12).hex()}"

    def subject(self, kind: str, name: str) -> Subject:
        """Return what is bound into the seals of one thing in this archive."""
        return Subject(self.archive_id, kind, name)

    def write_standing(self, path: str, subject: Subject, content: bytes) -> bytes:
        """Write a document that has no end yet as a sealed object, and return the envelope.

        Raises:
            ObjectExistsError: There is an object of that name.
            StorageError: The medium refuses.
        """
        return self._write(path, STANDING, subject, content)

    def write_until(self, day: date, path: str, subject: Subject, content: bytes) -> bytes:
        """Write a document that is kept through a date as a sealed object, and return the envelope.

        Raises:
            KeyUnavailableError: The date is over.
            DateClosedError: The date is being ended, or has ended.
            ObjectExistsError: There is an object of that name.
            StorageError: The medium refuses.
        """
        self.require_keys(day)
        return self._write(path, day.isoformat(), subject, content)

    def require_keys(self, day: date) -> None:
        """See to it that a date has keys, made now if nobody made them ahead; never under a transaction of the caller.

        Raises:
            KeyUnavailableError: There are none and the date is over.
            DateClosedError: There are none since the date was ended: none are ever made again.
        """
        if not self.keyring.has(day):
            with self.database.begin() as connection:
                require_not_closed(connection, [day])
            self.keyring.get_or_make(day, self.now())

    def _write(self, path: str, key_id: str, subject: Subject, content: bytes) -> bytes:
        data_key = make_data_key(self.keyring, key_id, subject, self.randomness)
        envelope = seal_document(data_key, subject, content)
        self.objects.write(path, [envelope])
        return envelope

    def open_envelope(self, subject: Subject, envelope: bytes) -> bytes:
        """Return the content of a sealed document.

        Raises:
            IntegrityError: It was altered, cut, or put in another's place.
            KeyUnavailableError: Its key was destroyed or is missing.
        """
        return open_document(self.keyring, subject, envelope)[1]


def get_revision(path: str) -> int:
    """Return the revision that the name of an object tells, ``<word>-<revision>-<random>``, or 0 if it tells none."""
    pieces = path.rpartition("/")[2].split("-")
    return int(pieces[1]) if len(pieces) == _PIECES_WITH_REVISION and pieces[1].isdigit() else 0
