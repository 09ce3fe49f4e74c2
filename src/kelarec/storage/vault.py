"""The vault: the objects, keys and catalog of one archive, and the clock and randomness they work with."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from attrs import Factory, field, frozen

from kelarec.domain.instants import to_utc
from kelarec.domain.uuid7 import RANDOM_BYTES, uuid7
from kelarec.storage.engine import Database
from kelarec.storage.envelopes import Subject, make_data_key, open_document, seal_document
from kelarec.storage.keyring import STANDING, Keyring
from kelarec.storage.objects import ObjectPlace
from kelarec.storage.tokens import IndexKeys
from kelarec.storage.wrapping import Randomness

Clock = Callable[[], datetime]


@frozen
class Vault:
    """What every part of an archive works on.

    Attributes:
        clock: Gives the present as an aware instant.
        randomness: Gives so many random bytes.
        index_keys: Makes the tokens that recordings are found by.
    """

    archive_id: UUID
    objects: ObjectPlace = field(repr=False)
    keyring: Keyring = field(repr=False)
    database: Database = field(repr=False)
    clock: Clock = field(repr=False)
    randomness: Randomness = field(repr=False)
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
        data_key = make_data_key(self.keyring, STANDING, subject, self.randomness)
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
