"""Importing existing recordings: all faults at once, nothing of a faulty manifest, each contact once.

The notice, section 5: what it does not cover cannot be stored, however it comes in.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

import importer
from importer import (
    IMPORTER,
    iter_contact_ids,
    make_content,
    make_folder,
    make_row,
    open_archive,
    write_csv,
    write_json_lines,
)
from kelarec import Archive, ImportProgress, Place, StaffId, System, create_key_file, kela_register
from kelarec.audit.entries import EntryKind
from kelarec.capture.manifest import COLUMNS, open_manifest
from kelarec.capture.manifest_row import read_row
from kelarec.errors import (
    DeniedError,
    ImportRunningError,
    InvalidValueError,
    ManifestFaultsError,
    MissingExtraError,
    StorageError,
)
from kelarec.storage.lease import Lease
from kelarec.testing.builders import make_contact, make_identity_code, make_staff_member, make_wav
from kelarec.testing.clock import USUAL_START

if TYPE_CHECKING:
    from conftest import Disk

Change = Callable[[dict[str, Any], Path], object]
SECRET: Final = "140281-928F"


def list_objects(folder: Path) -> list[str]:
    """Return the objects of recordings, by the beginning of their names."""
    return sorted(path.name.split("-")[0] for path in (folder / "archive" / "recordings").rglob("*") if path.is_file())


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_folder_is_imported_by_a_csv(disk_archive: Archive, tmp_path: Path, delimiter: str, encoding: str) -> None:
    """What comes in by a manifest is what store would have made of it, byte for byte."""
    files = tmp_path / "files"
    manifest = write_csv(files / "m.csv", make_folder(files, 12), delimiter=delimiter, encoding=encoding)
    done = disk_archive.capture.import_folder(files, manifest, by=IMPORTER)
    assert (done.rows, done.imported, done.present) == (12, 12, 0)
    disk_archive.staff.enrol(make_staff_member(), by=System("hr"))
    with disk_archive.session(by=StaffId("veikko"), purpose="verify-service-event", matter="KELA-1") as session:
        [found] = session.find(make_identity_code(7))
        details = session.get_details(found.id)
        assert session.open(found.id).read() == make_content(7)
    assert details.contact.contact_id == "old call 7"
    assert details.contact.customer is not None
    assert details.contact.customer.name == "Äinö Esimerkki"
    assert details.categories == {"name", "identity-code"}
    assert details.parts[0].sound is not None
    assert found.duration == timedelta(seconds=details.parts[0].sound.seconds)
    disk_archive.verify(by=System("night"))


def test_a_folder_is_imported_by_json_lines(kelarec_archive: Archive, tmp_path: Path) -> None:
    """Calls and chats come in by JSON Lines, too; a chat ends with its last message if nobody says when."""
    rows = make_folder(tmp_path, 3)
    said = [{"sent_at": "2026-03-05T09:59:59+02:00", "by": "customer", "text": "Hei"}]
    (tmp_path / "chat.json").write_text(json.dumps({"messages": said}))
    chat = {"kind": "customer-chat", "line": "kela-fi", "direction": "in", "file": "chat.json"}
    start = {"contact_id": "chat 1", "started_at": "2026-03-05T09:50:00+02:00", "categories": ["name"]}
    manifest = write_json_lines(tmp_path / "m.jsonl", [*rows, {**chat, **start}])
    assert kelarec_archive.capture.import_folder(tmp_path, manifest, by=IMPORTER).imported == 4
    assert sorted(iter_contact_ids(kelarec_archive)) == ["chat 1", "old call 0", "old call 1", "old call 2"]


def _put(name: str, value: object) -> Change:
    return lambda row, _: row.update({name: value})


def _write(name: str, content: bytes) -> Change:
    def write(row: dict[str, Any], folder: Path) -> None:
        (folder / name).write_bytes(content)
        row["file"] = name

    return write


def _link_out(row: dict[str, Any], folder: Path) -> None:
    (folder / "out.wav").symlink_to("/etc/passwd")
    row["file"] = "out.wav"


FAULTS: Final[dict[str, tuple[str | None, str, Change]]] = {
    "wrong kind": ("kind", "no such kind", _put("kind", "customer-cal")),
    "wrong direction": ("direction", "no such direction", _put("direction", "inward")),
    "undeclared line": ("line", "no such line", _put("line", "aino-esimerkki")),
    "line that is no code": ("line", "not a code", _put("line", "Aino Esimerkki")),
    "kind not on the line": ("kind", "covers no support-call", _put("kind", "support-call")),
    "no time zone": ("started_at", "no time zone", _put("started_at", "2026-03-05T10:00:00")),
    "no instant": ("started_at", "no instant", _put("started_at", "yesterday")),
    "older than the notice": ("started_at", "older than the notice", _put("started_at", "2020-01-01T00:00:00Z")),
    "retention over": ("started_at", "kept through", _put("started_at", "2025-01-01T00:00:00Z")),
    "in the future": ("started_at", "future", _put("started_at", "2026-03-06T00:00:00Z")),
    "ends before it starts": ("ended_at", "before it starts", _put("ended_at", "2020-01-01T00:00:00Z")),
    "wrong identity code": ("customer_identity_code", "", _put("customer_identity_code", "140281-928E")),
    "wrong telephone number": ("customer_phone_number", "", _put("customer_phone_number", "Aino")),
    "wrong e-mail address": ("customer_email", "", _put("customer_email", "aino")),
    "identity code as adviser": ("adviser_id", "identity code", _put("adviser_id", SECRET)),
    "identity code as matter": ("matter", "identifier", _put("matter", f"asia {SECRET}")),
    "undeclared category": ("categories", "does not declare", _put("categories", "name shoe-size")),
    "support expert in a customer call": ("support_expert_id", "", _put("support_expert_id", "sami")),
    "empty contact id": ("contact_id", "empty", _put("contact_id", "")),
    "contact id twice": ("contact_id", "row 2 already", _put("contact_id", "old call 0")),
    "missing file": ("file", "no such file", _put("file", "0/nothing.wav")),
    "a folder as file": ("file", "no file", _put("file", "0")),
    "path above the folder": ("file", "leaves the folder", _put("file", "../call.wav")),
    "absolute path": ("file", "leaves the folder", _put("file", "/etc/passwd")),
    "link out of the folder": ("file", "leaves the folder", _link_out),
    "empty file": ("file", "empty", _write("empty.wav", b"")),
    "text as audio": ("file", "no audio that is known", _write("a.wav", b"Aino Esimerkki soitti")),
    "audio that was cut": ("file", "cut", _write("b.wav", make_wav()[:500])),
    "another media type": ("media_type", "declared as audio/flac", _put("media_type", "audio/flac")),
    "unknown media type": ("media_type", "none of audio", _put("media_type", "video/mp4")),
    "chat type for a call": ("media_type", "as a chat", _put("media_type", "application/json")),
}


def test_every_fault_is_told_at_once(disk_archive: Archive, tmp_path: Path) -> None:
    """A manifest with every fault there is names each with its row and column, repeats no cell, imports nothing."""
    files = tmp_path / "files"
    rows = make_folder(files, len(FAULTS) + 5)
    for number, (_, _, change) in enumerate(FAULTS.values(), start=1):
        change(rows[number], files)
    manifest = write_csv(files / "m.csv", rows)
    before = list_objects(tmp_path)
    with pytest.raises(ManifestFaultsError) as raised:
        disk_archive.capture.import_folder(files, manifest, by=IMPORTER)
    told = {fault.row: fault for fault in raised.value.faults}
    for number, (name, (column, sentence, _)) in enumerate(FAULTS.items(), start=1):
        fault = told.pop(number + 2)
        assert fault.column == column, name
        assert sentence in fault.sentence, name
        assert fault.advice, name
        assert f"row {number + 2}, {column}: {fault.sentence}" in str(raised.value)
    assert told == {}
    for personal in (SECRET, "Aino", "aino", "Esimerkki", "Äinö", "old call", ".wav", "call-"):
        assert personal not in str(raised.value)
    assert (list_objects(tmp_path), list(iter_contact_ids(disk_archive))) == (before, [])
    entries = [each for each in disk_archive.audit.iter_entries(by=IMPORTER) if each.kind is EntryKind.IMPORT_ENDED]
    assert entries[0].facts["outcome"] == "faulty"


def test_a_wrong_code_in_line_70_000_is_named(kelarec_archive: Archive, tmp_path: Path) -> None:
    """Of 70,000 lines the wrong one is named; where all rows name one file this is a matter of reading only."""
    (tmp_path / "a.wav").write_bytes(make_wav(0.01))
    head = "contact_id,kind,direction,line,started_at,file\n"
    row = "c{},customer-call,in,{},2026-03-05T09:00:00+02:00,a.wav\n"
    lines = [row.format(number, "authority") for number in range(2, 70_001)]
    lines[-1] = row.format("z", "authorty")
    (tmp_path / "m.csv").write_text(head + "".join(lines))
    manifest = open_manifest(tmp_path / "m.csv")
    found = list(manifest.iter_rows())
    assert (len(found), found[-1].line) == (69_999, 70_000)
    assert found[-1].content == lines[-1].encode()
    (tmp_path / "m.csv").write_text(head + "\n" * 69_998 + lines[-1])
    with pytest.raises(ManifestFaultsError, match="row 70000, line: The register declares no such line"):
        kelarec_archive.capture.import_folder(tmp_path, tmp_path / "m.csv", by=IMPORTER)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "row 1, contact_id: The column is missing"),
        (b"contact_id,shoe_size\n", "Column 2 has a name that no manifest has"),
        (
            b"contact_id,contact_id,kind,direction,line,started_at,file\n",
            "row 1, contact_id: The column is there twice",
        ),
        ("contact_id".encode("utf-16"), "UTF-16"),
        (b"contact_id,kind,direction,line,started_at,file\n", "has no row"),
        (b"contact_id,kind,direction,line,started_at,file\na,b\n", "row 2: The row has 2 cells"),
        (b'contact_id,kind,direction,line,started_at,file\n\n"a,b\n"c,d\ne\n', "row 5: The row has 1 cells"),
        (b'contact_id,kind,direction,line,started_at,file\n"a,b\nc,d\n', "row 2: The row is no CSV"),
        (b"contact_id,kind,direction,line,started_at,file\n\xe4,b\n", "row 2: The row is not UTF-8"),
    ],
)
def test_a_manifest_that_cannot_be_read_says_where(
    kelarec_archive: Archive, tmp_path: Path, content: bytes, told: str
) -> None:
    """Header, encoding, quotation marks: each fault has its row."""
    (tmp_path / "m.csv").write_bytes(content)
    with pytest.raises(ManifestFaultsError, match=told):
        kelarec_archive.capture.import_folder(tmp_path, tmp_path / "m.csv", by=IMPORTER)


@pytest.mark.parametrize(
    "line", [b"{", b"[]", b'{"contact_id": "a", "contact_id": "b"}', b'{"shoe_size": "43"}', b"\xff"]
)
def test_json_lines_that_cannot_be_read_say_where(kelarec_archive: Archive, tmp_path: Path, line: bytes) -> None:
    """A line that is no object, names something twice or something unknown, is named."""
    (tmp_path / "m.jsonl").write_bytes(json.dumps(make_row(1)).encode() + b"\n" + line + b"\n")
    with pytest.raises(ManifestFaultsError, match=r"row 2: .*\n"):
        kelarec_archive.capture.import_folder(tmp_path, tmp_path / "m.jsonl", by=IMPORTER)


_CELLS: Final = st.one_of(st.text(max_size=30), st.integers(), st.none(), st.lists(st.text(max_size=5), max_size=3))


@given(row=st.dictionaries(st.sampled_from(COLUMNS), _CELLS))
def test_whatever_stands_in_a_row_gives_faults_and_nothing_else(
    row: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No cell brings the reader down, and no fault repeats one."""
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_text("")
    reading = read_row(open_manifest(path), 1, json.dumps(row).encode())
    told = " ".join(f"{fault.sentence} {fault.advice}" for fault in reading.faults)
    assert reading.faults
    assert not any(isinstance(cell, str) and len(cell) > 12 and cell.strip() in told for cell in row.values())


def test_other_files_are_no_manifest(kelarec_archive: Archive, tmp_path: Path) -> None:
    """A manifest has a name that says what it is, and is there; so is the folder."""
    for name in ("m.xlsx", "missing.csv"):
        with pytest.raises(InvalidValueError):
            kelarec_archive.capture.import_folder(tmp_path, tmp_path / name, by=IMPORTER)
    manifest = write_csv(tmp_path / "m.csv", [make_row(1)])
    with pytest.raises(InvalidValueError, match="folder"):
        kelarec_archive.capture.import_folder(tmp_path / "nowhere", manifest, by=IMPORTER)


def test_what_is_there_is_not_imported_again(kelarec_archive: Archive, tmp_path: Path) -> None:
    """A contact that has a recording, by store or by an import before, is passed over, even if its file is gone."""
    rows = make_folder(tmp_path, 10)
    contact = make_contact(contact_id="old call 4", started_at=USUAL_START - timedelta(days=4))
    kelarec_archive.capture.store(contact, ended_at=USUAL_START, content=make_wav(), by=IMPORTER)
    manifest = write_csv(tmp_path / "m.csv", rows)
    first = kelarec_archive.capture.import_folder(tmp_path, manifest, by=IMPORTER)
    assert (first.rows, first.imported, first.present) == (10, 9, 1)
    (tmp_path / rows[3]["file"]).unlink()
    again = kelarec_archive.capture.import_folder(tmp_path, manifest, by=IMPORTER)
    assert (again.rows, again.imported, again.present) == (10, 0, 10)
    assert sorted(iter_contact_ids(kelarec_archive)) == sorted(row["contact_id"] for row in rows)


def test_progress_tells_how_far_and_how_fast(kelarec_archive: Archive, tmp_path: Path) -> None:
    """Both stages tell their rows and bytes, and their rates, up to the last row."""
    seen: list[ImportProgress] = []
    manifest = write_csv(tmp_path / "m.csv", make_folder(tmp_path, 130))
    kelarec_archive.capture.import_folder(tmp_path, manifest, by=IMPORTER, progress=seen.append)
    length = sum(len(make_content(number)) for number in range(130))
    last = {each.stage: each for each in seen}
    assert list(last) == ["checking", "importing"]
    assert {each.done for each in last.values()} == {130}
    assert {each.content_bytes for each in last.values()} == {length}
    assert all(each.rows_per_second > 0 < each.bytes_per_second for each in last.values())
    assert last["importing"].total == 130


def test_an_import_runs_on_processes(disk: "Disk", tmp_path: Path) -> None:
    """Any executor does the work; a work item holds a place and ids, no key and nothing that a row says."""
    files = tmp_path / "files"
    manifest = write_csv(files / "m.csv", make_folder(files, 30))
    with disk.create() as archive, ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        assert archive.capture.import_folder(files, manifest, by=IMPORTER, executor=processes).imported == 30
        archive.verify(by=System("night"))


def test_a_store_that_fails_half_way_keeps_whole_groups_and_no_remains(
    disk_archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a place refuses in the middle, what was acknowledged stays, nothing half-written does, and it goes on."""
    files = tmp_path / "files"
    manifest = write_csv(files / "m.csv", make_folder(files, 150))
    write, count = disk_archive._vault.objects.write, 0

    def refuse(path: str, chunks: Any) -> int:  # noqa: ANN401  as the place has it
        nonlocal count
        count += path.startswith("recordings/")
        if count > 190 and path.startswith("recordings/"):
            raise StorageError("The disk is full.")
        return write(path, chunks)

    monkeypatch.setattr(disk_archive._vault.objects, "write", refuse)
    with pytest.raises(StorageError, match="full"):
        disk_archive.capture.import_folder(files, manifest, by=IMPORTER)
    stored = len(list(iter_contact_ids(disk_archive)))
    assert (stored % 64, 0 < stored < 150) == (0, True)
    assert list_objects(tmp_path) == ["audio"] * stored + ["record"] * stored
    monkeypatch.undo()
    done = disk_archive.capture.import_folder(files, manifest, by=IMPORTER)
    assert (done.imported, done.present) == (150 - stored, stored)
    disk_archive.verify(by=System("night"))


def test_one_import_at_a_time(kelarec_archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second import is refused while one is at work, and one whose place was taken imports nothing more."""
    manifest = write_csv(tmp_path / "m.csv", make_folder(tmp_path, 3))
    other = Lease(kelarec_archive._vault, "import")
    assert other.take()
    monkeypatch.setattr("kelarec.storage.lease._TERM", timedelta(seconds=0.2))
    with pytest.raises(ImportRunningError):
        kelarec_archive.capture.import_folder(tmp_path, manifest, by=IMPORTER)
    other.release()
    taken = Lease(kelarec_archive._vault, "import")

    def take_over(_: ImportProgress) -> None:
        with kelarec_archive._vault.database.begin() as connection:
            connection.exec_driver_sql("DELETE FROM leases WHERE name = 'import'")
        taken.take()

    with pytest.raises(ImportRunningError, match="took the place"):
        kelarec_archive.capture.import_folder(tmp_path, manifest, by=IMPORTER, progress=take_over)
    assert list(iter_contact_ids(kelarec_archive)) == []
    taken.release()
    assert kelarec_archive.capture.import_folder(tmp_path, manifest, by=IMPORTER).imported == 3


def test_who_may_not_store_may_not_import(kelarec_archive: Archive, tmp_path: Path) -> None:
    """An import is a change, and says by whom (section 10)."""
    kelarec_archive.staff.enrol(make_staff_member(), by=System("hr"))
    with pytest.raises(DeniedError):
        kelarec_archive.capture.import_folder(tmp_path, tmp_path / "m.csv", by=StaffId("veikko"))


def test_without_the_extra_other_forms_are_not_imported(
    kelarec_archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A FLAC file needs kelarec[audio], and the error says so before anything is imported."""
    rows = make_folder(tmp_path, 3)
    (tmp_path / rows[2]["file"]).write_bytes(b"fLaC" + bytes(60))
    rows[2]["media_type"] = "audio/flac"
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(MissingExtraError, match=r"kelarec\[audio\]"):
        kelarec_archive.capture.import_folder(tmp_path, write_csv(tmp_path / "m.csv", rows), by=IMPORTER)
    assert list(iter_contact_ids(kelarec_archive)) == []


def kill_and_resume(folder: Path, count: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Import so many files with three faulty lines; correct them; kill the importer half-way; resume; look at all."""
    create_key_file(folder / "root.key")
    Archive.create(
        objects=Place(folder / "archive", "FI"),
        keys=Place(folder / "keys", "FI"),
        root_key=f"keyfile:{folder / 'root.key'}",
        register=kela_register(contact_point="Registry office"),
    ).close()
    files = folder / "files"
    rows = make_folder(files, count, importer.today())
    faulty = [dict(row) for row in rows]
    faulty[count // 4]["line"] = "nobody-knows"
    faulty[count // 2]["file"] = "0/nothing.wav"
    faulty[count - 1]["started_at"] = "2026-03-05T10:00:00"
    manifest = write_csv(files / "manifest.csv", faulty)
    began = time.monotonic()
    with open_archive(folder) as archive:
        with pytest.raises(ManifestFaultsError) as raised:
            archive.capture.import_folder(files, manifest, by=IMPORTER)
        assert list(iter_contact_ids(archive)) == []
    told = [(fault.row, fault.column) for fault in raised.value.faults]
    assert told == [(count // 4 + 2, "line"), (count // 2 + 2, "file"), (count + 1, "started_at")]
    assert list_objects(folder) == [] if (folder / "archive" / "recordings").exists() else True
    checked = time.monotonic() - began
    write_csv(manifest, rows)
    command = [sys.executable, "-m", "importer", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]) as process:
        assert process.stdout is not None
        for line in process.stdout:
            stage, rows_done, *_ = line.split()
            if stage == "importing" and int(rows_done) >= count // 2 - 80:
                process.send_signal(signal.SIGKILL)
                break
    with open_archive(folder) as archive:
        stored = len(list(iter_contact_ids(archive)))
        left = len(list_objects(folder)) - 2 * stored
        assert 0 < stored < count
        began = time.monotonic()
        done = archive.capture.import_folder(files, manifest, by=IMPORTER)
        resumed = time.monotonic() - began
        assert (done.rows, done.imported, done.present) == (count, count - stored, stored)
        assert sorted(iter_contact_ids(archive)) == sorted(row["contact_id"] for row in rows)
        assert list_objects(folder) == ["audio"] * count + ["record"] * count
        archive.verify(by=System("night"))
    with capsys.disabled():
        print(
            f"\n{count} files: 3 faults told after {checked:.1f} s; killed with {stored} in the archive"
            f" and {left} objects beyond; {done.imported} more in {resumed:.1f} s, each of {count} once"
        )


def test_an_import_that_was_killed_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """300 files, three faulty lines, a kill half-way: in the end each contact has one recording."""
    kill_and_resume(tmp_path, 300, capsys)


@pytest.mark.deep
def test_20_000_files_are_imported_though_killed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """20,000 files, three faulty lines, a kill half-way: in the end each contact has one recording."""
    kill_and_resume(tmp_path, 20_000, capsys)
