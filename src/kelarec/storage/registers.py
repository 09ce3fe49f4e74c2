"""The register's versions: sealed objects, a row each, and what every part of a running archive asks them by.

    registers/<version>/register-<random>

Each transaction learns from the catalog which version is the newest. So every process that has the archive open knows
of a version with its first transaction after it was adopted, and long before it begins.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from hashlib import sha256
from itertools import groupby
from typing import Any, Final

from attrs import field, frozen
from sqlalchemy import Connection, insert, select

from kelarec.domain.register import Register
from kelarec.domain.register_versions import RegisterVersions
from kelarec.errors import ChangedMeanwhileError, IntegrityError, InvalidValueError, KelarecError
from kelarec.storage import catalog_tables as tables
from kelarec.storage.json_form import from_json, to_json
from kelarec.storage.vault import Vault

_FOLDER: Final = "registers"
_TURN: Final = "registers"
_ROWS: Final = select(tables.registers).order_by(tables.registers.c.version)


@frozen
class WrittenRegister:
    """A version whose object is durable and whose row is still to come."""

    register: Register
    path: str
    envelope: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """The hash of the object in hexadecimal, for the log."""
        return sha256(self.envelope).hexdigest()


class Registers:
    """The versions of an archive's register, as they are known now; for all parts of an open archive.

    Args:
        vault: The archive's.
        versions: Those that are known.
        is_provisional: Whether they are from elsewhere than the catalog, whose own stand as soon as it has some.
    """

    def __init__(self, vault: Vault, versions: RegisterVersions, *, is_provisional: bool = False) -> None:
        self._vault = vault
        self._known = versions
        self._unread: list[Mapping[str, Any]] | None = None
        vault.database.watch_versions("" if is_provisional else versions.newest.version.isoformat(), self._note)

    @property
    def versions(self) -> RegisterVersions:
        """All versions that are adopted.

        Raises:
            IntegrityError: One that was adopted since does not open.
        """
        unread = self._unread
        if unread is not None:
            try:
                self._known = _read_rows(self._vault, unread, self._known.newest.name)
            except KelarecError:
                self._vault.database.watch_versions("", self._note)  # the next transaction looks whether it was mended
                raise
            if self._unread is unread:
                self._unread = None
        return self._known

    @property
    def readable(self) -> RegisterVersions:
        """All versions that open, for whoever looks for what was altered."""
        try:
            return self.versions
        except KelarecError:
            return self._known

    def in_force(self, at: datetime) -> Register:
        """Return the version in force at an instant; see `RegisterVersions.in_force`.

        Raises:
            IntegrityError: As `versions`.
        """
        return self.versions.in_force(at)

    def now(self) -> Register:
        """Return the version in force now.

        Raises:
            IntegrityError: As `versions`.
        """
        return self.versions.in_force(self._vault.now())

    def learn(self) -> None:
        """Ask the catalog now, and not only with the next transaction, which version is the newest."""
        with self._vault.database.begin():
            pass

    def _note(self, connection: Connection) -> None:
        """Take over the rows of a transaction that has found another newest version; they are opened when asked for."""
        rows: list[Mapping[str, Any]] = [dict(row) for row in connection.execute(_ROWS).mappings()]
        if rows:  # a catalog that is being made or rebuilt has none yet
            self._unread = rows


def write_register(vault: Vault, register: Register) -> WrittenRegister:
    """Seal a version of the register into the archive.

    Raises:
        StorageError: The place refuses.
    """
    version = register.version.isoformat()
    path = f"{_FOLDER}/{version}/{vault.new_object_name('register')}"
    envelope = vault.write_standing(path, vault.subject("register", version), to_json(register))
    return WrittenRegister(register, path, envelope)


def insert_register(vault: Vault, connection: Connection, written: WrittenRegister, *, after: date | None) -> None:
    """Make the row of a version.

    Args:
        vault: The archive's.
        connection: In a transaction.
        written: The version.
        after: Which version must be the newest until now; None in a new catalog.

    Raises:
        ChangedMeanwhileError: Another version was adopted meanwhile.
    """
    vault.database.take_turn(connection, _TURN)
    newest = connection.execute(_ROWS).mappings().all()[-1:]
    if [row["version"] for row in newest] != ([] if after is None else [after.isoformat()]):
        raise ChangedMeanwhileError("Another version of the register was adopted meanwhile.")
    connection.execute(insert(tables.registers), to_row(written.register, written.path, written.envelope))


def read_registers(vault: Vault, name: str) -> RegisterVersions:
    """Return the versions that the catalog knows, which must bear the name that the archive's description gives.

    Raises:
        IntegrityError: There is none, one was altered, or one bears another name.
    """
    with vault.database.begin() as connection:
        rows = [dict(row) for row in connection.execute(_ROWS).mappings()]
    return _read_rows(vault, rows, name) if rows else _fill_rows(vault, name)


def _fill_rows(vault: Vault, name: str) -> RegisterVersions:
    """Make the rows, which catalogs of schema 1 did not have, of the versions that the objects hold."""
    kept = _list_kept(vault)
    versions = _read_rows(vault, kept, name)
    with vault.database.begin() as connection:
        vault.database.take_turn(connection, _TURN)
        if connection.execute(_ROWS).first() is None:
            for register, row in zip(versions, kept, strict=True):
                connection.execute(insert(tables.registers), to_row(register, row["path"], row["register"]))
    return versions


def read_kept_registers(vault: Vault, name: str) -> RegisterVersions:
    """Return the versions that the objects hold, for whoever has no catalog; of two of one date the later name's.

    Raises:
        IntegrityError: There is none, one was altered, or one bears another name.
    """
    return _read_rows(vault, _list_kept(vault), name)


def _list_kept(vault: Vault) -> list[dict[str, Any]]:
    paths = sorted(vault.objects.iter_paths(_FOLDER))
    newest = [list(group)[-1] for _, group in groupby(paths, lambda path: path.split("/")[1])]
    return [{"version": path.split("/")[1], "path": path, "register": vault.objects.read(path)} for path in newest]


def _read_rows(vault: Vault, rows: Sequence[Mapping[str, Any]], name: str) -> RegisterVersions:
    if not rows:
        raise IntegrityError("The archive's register is missing.", lost="the register")
    registers = [_open(vault, row) for row in rows]
    if any(each.name != name for each in registers):
        raise IntegrityError("The archive's description names another register than the one it holds.")
    try:
        return RegisterVersions(registers)
    except InvalidValueError as error:
        raise IntegrityError(f"The versions of the register do not follow one another: {error.happened}") from None


def _open(vault: Vault, row: Mapping[str, Any]) -> Register:
    version = str(row["version"])
    register = from_json(vault.open_envelope(vault.subject("register", version), row["register"]), Register)
    if register.version.isoformat() != version:
        raise IntegrityError(f"The row of version {version} of the register holds another one.")
    return register


def to_row(register: Register, path: str, envelope: bytes) -> dict[str, object]:
    """Return the row that follows from a version of the register."""
    return {"version": register.version.isoformat(), "register_object": path, "register": envelope}
