"""Who staff were when they did something: the versions that the log tells of, one after the other."""

from collections.abc import Collection, Iterator
from hashlib import sha256
from uuid import UUID

from sqlalchemy import select

from kelarec.audit.entries import Entry
from kelarec.domain.people import StaffId
from kelarec.domain.staff import StaffMember
from kelarec.errors import IntegrityError, InvalidValueError, KeyUnavailableError
from kelarec.storage import catalog_tables as tables
from kelarec.storage.json_form import from_json
from kelarec.storage.staff_directory import StaffDirectory
from kelarec.storage.vault import Vault


class StaffThen:
    """The staff of an archive at one point of its log, which moves on with each entry that is noted."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._directory = StaffDirectory(vault)
        self._members: dict[str, StaffMember | None] = {}
        self._entries: dict[str, UUID] = {}
        self._versions: dict[str, dict[str, StaffMember]] = {}

    @property
    def is_elsewhere(self) -> bool:
        """Whether a directory elsewhere knows the staff, which tells nothing of the past."""
        return self._directory.is_elsewhere

    def note(self, entry: Entry) -> None:
        """Take over the version that an entry tells of; one whose object is gone leaves the one before it."""
        name = entry.facts["staff"]
        self._entries[name] = entry.id
        member = self._list_versions(name).get(entry.facts.get("record-sha256", ""))
        if member is not None:
            self._members[name] = member

    def find(self, name: str) -> StaffMember | None:
        """Return what was known of somebody then; what is known now if the log tells no longer of the time before."""
        if name not in self._members:
            self._members[name] = self._find_now(name)
        return self._members[name]

    def find_entry(self, staff_id: StaffId) -> UUID | None:
        """Return the newest entry noted that tells of somebody, or None."""
        return self._entries.get(str(staff_id))

    def iter_now(self, users: Collection[str]) -> Iterator[StaffMember]:
        """Go through the staff who are known now; of a directory elsewhere only those who used something.

        Raises:
            DirectoryError: The directory cannot be asked.
        """
        if self.is_elsewhere:
            names = sorted(users)
        else:
            with self._vault.database.begin() as connection:
                names = list(connection.execute(select(tables.staff.c.id).order_by(tables.staff.c.id)).scalars())
        yield from (member for name in names if (member := self._find_now(name)) is not None)

    def _find_now(self, name: str) -> StaffMember | None:
        try:
            lookup = self._directory.ask(StaffId(name))
        except InvalidValueError:  # an entry that somebody wrote by hand
            return None
        with self._vault.database.begin() as connection:
            return lookup(connection)

    def _list_versions(self, name: str) -> dict[str, StaffMember]:
        if name not in self._versions:
            self._versions[name] = dict(self._iter_versions(name))
        return self._versions[name]

    def _iter_versions(self, name: str) -> Iterator[tuple[str, StaffMember]]:
        subject = self._vault.subject("staff", name)
        for path in list(self._vault.objects.iter_paths(f"staff/{name}")):
            envelope = self._vault.objects.read(path)
            try:
                member = from_json(self._vault.open_envelope(subject, envelope), StaffMember)
            except (KeyUnavailableError, IntegrityError):  # `verify` names what was altered
                continue
            yield sha256(envelope).hexdigest(), member
