"""Attacks on what an archive holds, each by name, with what the comparison must find of it and nothing beside."""

from collections.abc import Callable

from attrs import evolve, frozen
from sqlalchemy import Executable, delete, insert, update

from kelarec import Archive, Recording, State
from kelarec.audit.integrator import Integrator
from kelarec.oversight.difference import DifferenceKind
from kelarec.storage import catalog_tables as tables
from kelarec.storage.objects import ObjectPlace
from kelarec.storage.recordings import Recordings, WrittenRecord, to_row
from oversight_archive import dump, store

Findings = set[tuple[DifferenceKind, str]]
MISSING, ROLLED_BACK, ALTERED = DifferenceKind.MISSING, DifferenceKind.ROLLED_BACK, DifferenceKind.ALTERED
LOG_DIFFERS, ORPHANED = DifferenceKind.LOG_DIFFERS, DifferenceKind.ORPHANED
KEYS_MISSING = DifferenceKind.KEYS_MISSING


@frozen
class Scene:
    """A filled archive in memory, and the hands to alter it with.

    Attributes:
        stored: Its recordings; the first two are restricted.
    """

    archive: Archive
    stored: list[Recording]

    @property
    def objects(self) -> ObjectPlace:
        """The objects."""
        return self.archive._vault.objects

    def run(self, statement: Executable) -> None:
        """Change the catalog behind the archive's back."""
        with self.archive._vault.database.begin() as connection:
            connection.execute(statement)

    def first(self, below: str) -> str:
        """Return the first path below a folder."""
        return next(iter(self.objects.iter_paths(below)))

    def flip(self, path: str) -> None:
        """Change one bit of an object."""
        content = bytearray(self.objects.read(path))
        content[-1] ^= 1
        self.objects.replace(path, bytes(content))

    def name(self, number: int) -> str:
        """Return what differences call a recording."""
        return f"recording {self.stored[number].id}"

    def make_version(self, number: int, revision: int) -> WrittenRecord:
        """Return a newer version of a recording that nobody has written yet."""
        recordings = Recordings(self.archive._vault)
        with self.archive._vault.database.begin() as connection:
            opened = recordings.find_one(connection, self.stored[number].id)
        assert opened is not None
        return recordings.write_record(evolve(opened.record, revision=revision), opened.data_key)

    def find(self, number: int, word: str) -> list[str]:
        """Return the paths of a recording's objects whose names begin with a word."""
        folder = f"recordings/{self.stored[number].recorded_on}/{self.stored[number].id}"
        return [path for path in self.objects.iter_paths(folder) if path.rpartition("/")[2].startswith(f"{word}-")]

    def hold_paths(self) -> list[str]:
        """Return the path of the hold's object, then those of its wraps."""
        paths = list(self.objects.iter_paths("holds"))
        return sorted(paths, key=lambda path: not path.rpartition("/")[2].startswith("hold-"))

    def hold_name(self) -> str:
        """Return what differences call the hold."""
        return f"hold {self.hold_paths()[0].split('/')[1]}"

    def key_of(self, number: int) -> bytes:
        """Return a recording's id as the catalog keeps it."""
        return self.stored[number].id.bytes


def put_old_record_back(scene: Scene) -> Findings:
    """Put the bytes of a record before its restriction in the place of those after it."""
    older, newer = scene.find(0, "record")
    scene.objects.replace(newer, scene.objects.read(older))
    return {(ROLLED_BACK, scene.name(0))}


def lose_newest_record(scene: Scene) -> Findings:
    """Lose the record that stands, and keep the one before."""
    scene.objects.delete(scene.find(0, "record")[1])
    return {(MISSING, scene.name(0))}


def lose_record(scene: Scene) -> Findings:
    """Lose a record."""
    scene.objects.delete(scene.find(3, "record")[0])
    return {(MISSING, scene.name(3))}


def lose_content(scene: Scene) -> Findings:
    """Lose a content."""
    scene.objects.delete(scene.find(3, "audio")[0])
    return {(MISSING, scene.name(3))}


def cut_content(scene: Scene) -> Findings:
    """Cut the last byte of a content off."""
    [path] = scene.find(3, "audio")
    scene.objects.replace(path, scene.objects.read(path)[:-1])
    return {(ALTERED, scene.name(3))}


def alter_record(scene: Scene) -> Findings:
    """Flip a bit of a record."""
    scene.flip(scene.find(3, "record")[0])
    return {(ALTERED, scene.name(3))}


def lose_everything_of_one(scene: Scene) -> Findings:
    """Lose all objects of a recording, and its row."""
    for path in [*scene.find(3, "record"), *scene.find(3, "audio")]:
        scene.objects.delete(path)
    scene.run(delete(tables.recordings).where(tables.recordings.c.id == scene.key_of(3)))
    scene.run(delete(tables.tokens).where(tables.tokens.c.recording_id == scene.key_of(3)))
    return {(MISSING, scene.name(3))}


def edit_state(scene: Scene) -> Findings:
    """Lift a restriction in the catalog."""
    scene.run(update(tables.recordings).where(tables.recordings.c.id == scene.key_of(0)).values(state=State.KEPT.value))
    return {(ALTERED, scene.name(0))}


def roll_row_back(scene: Scene) -> Findings:
    """Put a row back to what it was before the restriction."""
    older = scene.find(0, "record")[0]
    recordings = Recordings(scene.archive._vault)
    opened = recordings.open_record(scene.stored[0].id, scene.objects.read(older))
    row = to_row(WrittenRecord(opened.record, older, scene.objects.read(older)))
    scene.run(update(tables.recordings).where(tables.recordings.c.id == scene.key_of(0)).values(**row))
    return {(ROLLED_BACK, scene.name(0))}


def swap_sealed_record(scene: Scene) -> Findings:
    """Put another recording's sealed record into a row."""
    other = scene.objects.read(scene.find(4, "record")[0])
    scene.run(update(tables.recordings).where(tables.recordings.c.id == scene.key_of(3)).values(record=other))
    return {(ALTERED, scene.name(3))}


def remove_row(scene: Scene) -> Findings:
    """Remove a row."""
    scene.run(delete(tables.recordings).where(tables.recordings.c.id == scene.key_of(3)))
    return {(MISSING, scene.name(3))}


def remove_tokens(scene: Scene) -> Findings:
    """Remove the tokens of a recording, so that nobody finds it."""
    scene.run(delete(tables.tokens).where(tables.tokens.c.recording_id == scene.key_of(3)))
    return {(ALTERED, scene.name(3))}


def add_token(scene: Scene) -> Findings:
    """Add a token to a recording."""
    scene.run(insert(tables.tokens).values(token=bytes(16), recording_id=scene.key_of(3)))
    return {(ALTERED, scene.name(3))}


def add_token_of_nobody(scene: Scene) -> Findings:
    """Add a token of a recording that never was."""
    nobody = scene.archive._vault.new_id()
    scene.run(insert(tables.tokens).values(token=bytes(16), recording_id=nobody.bytes))
    return {(ORPHANED, f"recording {nobody}")}


def lose_hold(scene: Scene) -> Findings:
    """Lose the object of a hold."""
    name = scene.hold_name()
    scene.objects.delete(scene.hold_paths()[0])
    return {(MISSING, name)}


def lose_wrap(scene: Scene) -> Findings:
    """Lose one of the wraps of a hold."""
    scene.objects.delete(scene.hold_paths()[1])
    return {(MISSING, scene.hold_name())}


def alter_wrap(scene: Scene) -> Findings:
    """Flip a bit of one of the wraps of a hold."""
    scene.flip(scene.hold_paths()[1])
    return {(ALTERED, scene.hold_name())}


def release_hold_in_the_catalog(scene: Scene) -> Findings:
    """Let the catalog say that a hold was released, though its wraps open."""
    scene.run(update(tables.holds).values(state="released"))
    return {(ALTERED, scene.hold_name())}


def end_held_recording_early(scene: Scene) -> Findings:
    """Let the catalog forget that a recording is held, so that a sweep ends it on its own day."""
    held = tables.held_recordings.c
    scene.run(delete(tables.held_recordings).where(held.recording_id == scene.key_of(5)))
    scene.run(update(tables.recordings).where(tables.recordings.c.id == scene.key_of(5)).values(held_through=None))
    return {(ALTERED, scene.hold_name()), (ALTERED, scene.name(5))}


def remove_hold_row(scene: Scene) -> Findings:
    """Remove a hold from the catalog, its recordings' rows as well."""
    scene.run(delete(tables.holds))
    return {(ORPHANED, scene.hold_name())}


def leave_record_without_row(scene: Scene) -> Findings:
    """Leave a record of which neither row nor log tell."""
    remove_row(scene)
    scene.run(delete(tables.entries).where(tables.entries.c.recording_id == scene.key_of(3)))
    return {(ORPHANED, scene.name(3)), (MISSING, "log entry")}


def leave_newer_version(scene: Scene) -> Findings:
    """Leave a newer record that no row has come to stand for."""
    scene.make_version(3, 2)
    return {(ORPHANED, scene.name(3))}


def lose_staff(scene: Scene) -> Findings:
    """Lose all that is known of staff."""
    for path in list(scene.objects.iter_paths("staff")):
        scene.objects.delete(path)
    return {(MISSING, "staff veikko")}


def put_older_roles_back(scene: Scene) -> Findings:
    """Put the former roles of a staff member back in the catalog."""
    rows = dump(scene.archive)["staff"]
    paths = [path for path in scene.objects.iter_paths("staff") if path != dict(rows[0])["member_object"]]
    scene.run(update(tables.staff).values(member_object=paths[0], member=scene.objects.read(paths[0])))
    return {(ROLLED_BACK, "staff veikko")}


def remove_staff_row(scene: Scene) -> Findings:
    """Remove a staff member from the catalog."""
    scene.run(delete(tables.staff))
    return {(MISSING, "staff veikko")}


def put_request_off(scene: Scene) -> Findings:
    """Put the due date of a request off."""
    path = scene.first("requests")
    row = tables.requests.c.request_object == path
    scene.run(update(tables.requests).where(row).values(due_on=tables.requests.c.due_on + 365))
    return {(ALTERED, f"request {path.split('/')[1]}")}


def lose_request(scene: Scene) -> Findings:
    """Lose a request."""
    path = scene.first("requests")
    scene.objects.delete(path)
    return {(MISSING, f"request {path.split('/')[1]}")}


def lose_request_and_row(scene: Scene) -> Findings:
    """Lose a request, and its row."""
    path = scene.first("requests")
    scene.objects.delete(path)
    scene.run(delete(tables.requests).where(tables.requests.c.request_object == path))
    return {(MISSING, f"request {path.split('/')[1]}")}


def lose_register(scene: Scene) -> Findings:
    """Lose the register."""
    scene.objects.delete(scene.first("registers"))
    return {(MISSING, "register 2020-08-18")}


def alter_register(scene: Scene) -> Findings:
    """Flip a bit of the register."""
    scene.flip(scene.first("registers"))
    return {(ALTERED, "register 2020-08-18")}


def put_stranger_among_recordings(scene: Scene) -> Findings:
    """Put something among the recordings that is none."""
    scene.objects.write("recordings/2026-03-05/nobody/record-1-aa", [b"nothing"])
    return {(ORPHANED, "recording nobody")}


def lose_keys(scene: Scene) -> Findings:
    """Destroy the keys of a date that is not over; two of its recordings still open under a hold."""
    day = scene.stored[0].kept_through
    assert scene.archive._vault.keyring.destroy(day)
    return {(KEYS_MISSING, f"keys of {day}"), *((KEYS_MISSING, scene.name(number)) for number in range(4))}


def edit_entry(scene: Scene) -> Findings:
    """Let another have done what an entry tells."""
    scene.run(update(tables.entries).where(tables.entries.c.leaf_index == 4).values(actor="system:nobody"))
    return {(ALTERED, "log entry 4")}


def remove_entry(scene: Scene) -> Findings:
    """Remove an entry."""
    scene.run(delete(tables.entries).where(tables.entries.c.leaf_index == 4))
    return {(MISSING, "log entry 4")}


def alter_leaf(scene: Scene) -> Findings:
    """Alter a leaf in the catalog."""
    scene.run(update(tables.entries).where(tables.entries.c.leaf_index == 4).values(leaf=b"nothing"))
    return {(ALTERED, "log entry 4")}


def roll_log_rows_back(scene: Scene) -> Findings:
    """Remove the newest entries from the catalog."""
    scene.archive.audit.abandon()
    scene.run(delete(tables.entries).where(tables.entries.c.leaf_index >= 9))
    return {(ROLLED_BACK, "log entries 9 to"), (ORPHANED, scene.name(0)), (ORPHANED, scene.name(1))}


def alter_tile(scene: Scene) -> Findings:
    """Flip a bit of a tile."""
    head = Integrator(scene.archive._vault).find_head()
    assert head is not None
    path = f"audit/tile/0/000.p/{head.checkpoint.size}"
    scene.flip(path)
    signed = f"log object checkpoints/{head.checkpoint.size:020}"
    return {(LOG_DIFFERS, f"log object {path.removeprefix('audit/')}"), (LOG_DIFFERS, signed)}


def lose_payloads(scene: Scene) -> Findings:
    """Lose all payloads."""
    for path in list(scene.objects.iter_paths("audit/payloads")):
        scene.objects.delete(path)
    return {(MISSING, "log entry")}


def name_an_older_checkpoint(scene: Scene) -> Findings:
    """Put an older checkpoint in the place of the newest."""
    scene.archive.audit.abandon()
    older = scene.objects.read(scene.first("audit/checkpoints"))
    store(scene.archive)
    scene.archive.audit.integrate()
    scene.objects.replace("audit/checkpoint", older)
    return {(ROLLED_BACK, "log checkpoint")}


ATTACKS: list[Callable[[Scene], Findings]] = [
    put_old_record_back,
    lose_newest_record,
    lose_record,
    lose_content,
    cut_content,
    alter_record,
    lose_everything_of_one,
    edit_state,
    roll_row_back,
    swap_sealed_record,
    remove_row,
    remove_tokens,
    add_token,
    add_token_of_nobody,
    lose_hold,
    lose_wrap,
    alter_wrap,
    release_hold_in_the_catalog,
    end_held_recording_early,
    remove_hold_row,
    leave_record_without_row,
    leave_newer_version,
    lose_staff,
    put_older_roles_back,
    remove_staff_row,
    put_request_off,
    lose_request,
    lose_request_and_row,
    lose_register,
    alter_register,
    put_stranger_among_recordings,
    lose_keys,
    edit_entry,
    remove_entry,
    alter_leaf,
    roll_log_rows_back,
    alter_tile,
    lose_payloads,
    name_an_older_checkpoint,
]
