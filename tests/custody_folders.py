"""An archive on disk with calls, staff and a request in it, under any root key; for the tests of custody."""

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

from kelarec import AccessRequest, Archive, Place, Recording, StaffId, System, create_key_file, kela_register
from kelarec.storage.key_place import KeyPlaces
from kelarec.storage.roots import Secrets
from kelarec.testing.builders import make_contact, make_person, make_staff_member, make_wav
from kelarec.testing.clock import MovableClock

RECORDER: Final = System("recorder@test")
VEIKKO: Final = StaffId("veikko")


def always(secret: str) -> Secrets:
    """Return a callback that gives one secret, whatever it is asked for."""
    return lambda _: secret


@frozen
class Custody:
    """Folders of one archive.

    Attributes:
        folder: Holds ``archive/``, ``keys/`` and the catalog.
        clock: Of every archive that is created or opened here.
    """

    folder: Path
    clock: MovableClock = field(factory=MovableClock)
    wav: bytes = field(factory=lambda: make_wav(2), repr=False)

    def places(self, keys: KeyPlaces | None = None) -> dict[str, Any]:
        """Return the places for creating or opening."""
        own = Place(self.folder / "keys", "FI") if keys is None else keys
        return {"objects": Place(self.folder / "archive", "FI"), "keys": own, "clock": self.clock}

    def create(self, root_key: str, secrets: Secrets | None = None, keys: KeyPlaces | None = None) -> Archive:
        """Make a new archive."""
        register = kela_register(contact_point="Registry office")
        return Archive.create(**self.places(keys), root_key=root_key, secrets=secrets, register=register)

    def open(self, root_key: str, secrets: Secrets | None = None, keys: KeyPlaces | None = None) -> Archive:
        """Open it anew."""
        return Archive.open(**self.places(keys), root_key=root_key, secrets=secrets)

    def make_key_file(self, name: str = "root.key") -> str:
        """Make a key file and return its URI."""
        return create_key_file(self.folder / name)

    def fill(self, archive: Archive, calls: int = 1) -> list[Recording]:
        """Enrol Veikko, receive a request, and store calls."""
        archive.staff.enrol(make_staff_member(), by=RECORDER)
        request = AccessRequest(person=make_person(), channel="telephone", received_at=self.clock())
        archive.rights.receive(request, by=RECORDER)
        ended_at = self.clock() + timedelta(seconds=2)
        return [
            archive.capture.store(make_contact(), ended_at=ended_at, content=self.wav, by=RECORDER)
            for _ in range(calls)
        ]

    def listen(self, archive: Archive, recording: Recording) -> bytes:
        """Return the whole content of a recording, as Veikko."""
        with (
            archive.session(by=VEIKKO, purpose="verify-service-event", matter="KELA-1") as session,
            session.open(recording.id) as audio,
        ):
            return audio.read()

    def list_files(self, below: str) -> dict[str, tuple[str, int, int]]:
        """Return hash, time of change and inode of every file below a folder."""
        return {
            str(path.relative_to(self.folder)): (
                hashlib.sha256(path.read_bytes()).hexdigest(),
                path.stat().st_mtime_ns,
                path.stat().st_ino,
            )
            for path in (self.folder / below).rglob("*")
            if path.is_file()
        }
