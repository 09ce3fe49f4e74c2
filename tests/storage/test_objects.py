"""Object places keep one contract, wherever they lie: GDPR, Art. 5(1)(f) and 32(1)(b)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from kelarec.errors import ObjectExistsError, ObjectNotFoundError, StorageError
from kelarec.storage.objects import FolderObjects, MemoryObjects, ObjectPlace

PATH: Final = "recordings/2026-03-05/one/audio-1"


@pytest.fixture(params=["folder", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectPlace:
    """Each kind of place, empty."""
    return FolderObjects(tmp_path / "place") if request.param == "folder" else MemoryObjects()


def list_files(folder: Path) -> list[str]:
    """Return everything below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_what_was_written_is_read(place: ObjectPlace) -> None:
    """An object holds what its chunks were, in order, and tells its size."""
    assert place.write(PATH, iter([b"one ", b"", b"two"])) == 7
    assert place.read(PATH) == b"one two"
    assert place.get_size(PATH) == 7


@pytest.mark.parametrize(("start", "stop"), [(0, 3), (2, 5), (4, 7), (5, 99), (7, 9), (3, 3)])
def test_a_range_is_read_as_a_slice(place: ObjectPlace, start: int, stop: int) -> None:
    """A range gives the bytes from start to before stop, fewer at the end."""
    place.write(PATH, [b"one two"])
    assert place.read_range(PATH, start, stop) == b"one two"[start:stop]


def test_an_empty_object_is_an_object(place: ObjectPlace) -> None:
    """An object without bytes is there all the same."""
    assert place.write(PATH, []) == 0
    assert place.read(PATH) == b""
    assert list(place.iter_paths()) == [PATH]


def test_nothing_is_overwritten(place: ObjectPlace) -> None:
    """A second object of a name is refused, and the first stays as it is (Art. 5(1)(f))."""
    place.write(PATH, [b"first"])
    with pytest.raises(ObjectExistsError):
        place.write(PATH, [b"second"])
    assert place.read(PATH) == b"first"
    assert list(place.iter_paths()) == [PATH]


def test_what_is_not_there_is_named(place: ObjectPlace) -> None:
    """Reading what is not there is an ObjectNotFoundError, in an empty place as in any."""
    place.write("recordings/other", [b"other"])
    for read in (place.read, place.get_size, lambda path: place.read_range(path, 0, 1)):
        with pytest.raises(ObjectNotFoundError):
            read(PATH)


@pytest.mark.parametrize("name", ["ring\0.key", "\0", "a/\0b"])
def test_a_damaged_name_is_no_object(place: ObjectPlace, name: str) -> None:
    """A name that no object can have, such as one from a damaged file, is named like any other that is not there."""
    with pytest.raises(ObjectNotFoundError):
        place.read(name)


def test_paths_come_in_order(place: ObjectPlace) -> None:
    """All objects below a folder are listed, in order, and none of a neighbour with a longer name."""
    for path in ("b/2", "a/1/x", "a/10/x", "a/1/w", "c"):
        place.write(path, [b"."])
    assert list(place.iter_paths()) == ["a/1/w", "a/1/x", "a/10/x", "b/2", "c"]
    assert list(place.iter_paths("a")) == ["a/1/w", "a/1/x", "a/10/x"]
    assert list(place.iter_paths("a/1")) == ["a/1/w", "a/1/x"]
    assert list(place.iter_paths("nowhere")) == []


def test_deleting_is_for_good_and_no_error_twice(place: ObjectPlace) -> None:
    """What was deleted is gone, and deleting it again is no error (notice, section 9)."""
    place.write(PATH, [b"one"])
    place.write("recordings/other", [b"other"])
    place.delete(PATH)
    place.delete(PATH)
    place.delete("never/there")
    assert list(place.iter_paths()) == ["recordings/other"]
    place.write(PATH, [b"anew"])
    assert place.read(PATH) == b"anew"


class BreakingError(Exception):
    """What happens to a source."""


def break_with(error: BaseException) -> Iterator[bytes]:
    """Give a chunk and then an error."""
    yield b"half"
    raise error


@pytest.mark.parametrize(
    "error",
    [
        BreakingError("fault"),
        OSError(5, "line dead"),
        PermissionError("denied"),
        FileExistsError("odd"),
        KeyboardInterrupt(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_source_that_breaks_leaves_nothing(place: ObjectPlace, error: BaseException) -> None:
    """What the chunks raise comes through as it is, nothing half-written is there, and the name is free again."""
    with pytest.raises(type(error)) as caught:
        place.write(PATH, break_with(error))
    assert caught.value is error
    assert list(place.iter_paths()) == []
    with pytest.raises(ObjectNotFoundError):
        place.read(PATH)
    place.write(PATH, [b"whole"])
    assert place.read(PATH) == b"whole"


def test_a_source_that_breaks_leaves_no_folder(tmp_path: Path) -> None:
    """Not even an empty folder stays of what did not come to be."""
    place = FolderObjects(tmp_path)
    with pytest.raises(BreakingError):
        place.write(PATH, break_with(BreakingError()))
    assert list_files(tmp_path) == []


def test_what_is_not_finished_is_not_seen(tmp_path: Path) -> None:
    """While an object is being written, nobody sees it; then it is whole."""
    place = FolderObjects(tmp_path)

    def chunks() -> Iterator[bytes]:
        yield b"half "
        assert list(place.iter_paths()) == []
        with pytest.raises(ObjectNotFoundError):
            place.read(PATH)
        yield b"whole"

    place.write(PATH, chunks())
    assert place.read(PATH) == b"half whole"
    assert list_files(tmp_path)[-1] == PATH


def test_an_unfinished_file_is_no_object(tmp_path: Path) -> None:
    """What a killed writer left is in no listing."""
    place = FolderObjects(tmp_path)
    place.write(PATH, [b"one"])
    (tmp_path / "recordings" / "half.part").write_bytes(b"half")
    assert list(place.iter_paths()) == [PATH]


def test_with_the_last_object_goes_its_folder(tmp_path: Path) -> None:
    """An empty folder would tell that there was something, and when (notice, section 9)."""
    place = FolderObjects(tmp_path)
    place.write(PATH, [b"one"])
    place.write("recordings/2026-03-05/two/audio", [b"two"])
    place.delete(PATH)
    assert list_files(tmp_path / "recordings" / "2026-03-05") == ["two", "two/audio"]
    place.delete("recordings/2026-03-05/two/audio")
    assert list_files(tmp_path) == []


def test_folders_are_for_their_owner_only(tmp_path: Path) -> None:
    """Nobody else on the machine lists what lies in a place (notice, section 10)."""
    FolderObjects(tmp_path / "place").write(PATH, [b"one"])
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "place").rglob("*") if path.is_dir()}
    assert modes | {(tmp_path / "place").stat().st_mode & 0o777} == {0o700}


def test_a_medium_that_refuses_is_named(tmp_path: Path) -> None:
    """Where a file stands in the way of a folder, writing is a StorageError and nothing is changed."""
    (tmp_path / "recordings").write_bytes(b"a file")
    with pytest.raises(StorageError):
        FolderObjects(tmp_path).write(PATH, [b"one"])
    assert list_files(tmp_path) == ["recordings"]
    assert (tmp_path / "recordings").read_bytes() == b"a file"


MANY: Final = {f"days/{number}.key": bytes([number]) for number in range(40)} | {"elsewhere/one": b"one"}


def test_many_are_written_as_one_is(place: ObjectPlace) -> None:
    """Many small objects written at once are there whole; what was there before stays as it was (Art. 5(1)(f))."""
    place.write("days/7.key", [b"first"])
    place.write_many(MANY)
    assert {path: place.read(path) for path in place.iter_paths()} == MANY | {"days/7.key": b"first"}
    place.write_many({})


@pytest.mark.parametrize("count", [1, 41])
def test_many_are_replaced_as_one_is(place: ObjectPlace, count: int) -> None:
    """Objects replaced at once hold the new content, whether they were there before or not."""
    place.write("days/0.key", [b"first"])
    wanted = dict(list(MANY.items())[:count])
    place.replace_many(wanted)
    assert {path: place.read(path) for path in place.iter_paths()} == wanted


@pytest.mark.parametrize("how", ["write_many", "replace_many"])
def test_many_that_cannot_be_written_leave_nothing_unfinished(tmp_path: Path, how: str) -> None:
    """If one of many cannot be written it is named, and nothing half-written stays behind (fault 5)."""
    place = FolderObjects(tmp_path)
    (tmp_path / "elsewhere").write_bytes(b"a file, so no folder")
    with pytest.raises(StorageError):
        getattr(place, how)(MANY)
    assert not [path for path in list_files(tmp_path) if path.endswith(".part")]


def test_unfinished_writes_are_removed_by_prefix(tmp_path: Path) -> None:
    """What dead processes left of some objects is removed, theirs alone, and no object with it."""
    place = FolderObjects(tmp_path)
    place.write_many(MANY)
    left = [tmp_path / "days" / name for name in ("1.key.9-9.part", "10.key.9-9.part", "2.key.9-9.part")]
    for each in left:
        each.write_bytes(b"half")
    place.delete_unfinished("days/1")
    assert [each.exists() for each in left] == [False, False, True]
    place.delete_unfinished("nowhere/at/all")
    assert len(list(place.iter_paths())) == len(MANY)
