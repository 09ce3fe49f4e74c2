"""What every object place must do; subclass `ObjectPlaceSuite` and give it an empty place."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import ClassVar, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from kelarec.errors import ObjectExistsError, ObjectNotFoundError
from kelarec.storage.objects import ObjectPlace
from kelarec.testing.suites.object_place_machine import ObjectPlaceMachine

PATH: Final = "recordings/2026-03-05/one/audio-1"
ODD_NAMES: Final = (
    "with space",
    "ä-Ö-å-€-漢",
    "plus+and%20percent%",
    "hash#question?semicolon;ampersand&",
    "colon:equals=comma,at@",
    "quote'double\"back`tick",
    "brackets[1]{2}(3)",
    "star*tilde~dollar$",
    ".hidden",
    "x" * 200,
)
_MIB: Final = 2**20


class BreakingError(Exception):
    """What happens to a source of bytes in a test."""


def _break_after(chunks: int, size: int) -> Iterator[bytes]:
    for number in range(chunks):
        yield bytes([number % 256]) * size
    raise BreakingError


class ObjectPlaceSuite:
    """What every object place must do.

    Subclass it with a fixture ``place`` that gives an empty place, a new one for each test::

        class TestMyPlace(ObjectPlaceSuite):
            @pytest.fixture
            def place(self, tmp_path):
                return MyPlace(tmp_path)

    Attributes:
        large_mib: Size of the large object, in MiB; more than one part of a backend that writes in parts.
        excludes: Of several that write one name at once, the store itself lets one through. A server that ignores
            conditions does not; on it only random names are safe, and such are all that concur.
        examples: How many sequences of acts are compared with a dict.
    """

    large_mib: ClassVar[int] = 20
    excludes: ClassVar[bool] = True
    examples: ClassVar[int] = 10

    def test_what_was_written_is_read(self, place: ObjectPlace) -> None:
        """An object holds what its chunks were, in order, and tells its size."""
        assert place.write(PATH, iter([b"one ", b"", b"two"])) == len(b"one two")
        assert place.read(PATH) == b"one two"
        assert place.get_size(PATH) == len(b"one two")

    @pytest.mark.parametrize(("start", "stop"), [(0, 3), (2, 5), (4, 7), (5, 99), (7, 9), (3, 3), (0, 7), (99, 100)])
    def test_a_range_is_read_as_a_slice(self, place: ObjectPlace, start: int, stop: int) -> None:
        """A range gives the bytes from start to before stop, fewer at the end."""
        place.write(PATH, [b"one two"])
        assert place.read_range(PATH, start, stop) == b"one two"[start:stop]

    def test_an_empty_object_is_an_object(self, place: ObjectPlace) -> None:
        """An object without bytes is there all the same."""
        assert place.write(PATH, []) == 0
        assert place.read(PATH) == b""
        assert place.read_range(PATH, 0, 5) == b""
        assert place.get_size(PATH) == 0
        assert list(place.iter_paths()) == [PATH]

    def test_nothing_is_overwritten(self, place: ObjectPlace) -> None:
        """A second object of a name is refused, and the first stays as it is."""
        place.write(PATH, [b"first"])
        with pytest.raises(ObjectExistsError):
            place.write(PATH, [b"second"])
        assert place.read(PATH) == b"first"
        assert list(place.iter_paths()) == [PATH]

    def test_what_is_not_there_is_named(self, place: ObjectPlace) -> None:
        """Asking for what is not there is an ObjectNotFoundError, in an empty place as in any."""
        for _ in range(2):
            with pytest.raises(ObjectNotFoundError):
                place.read(PATH)
            with pytest.raises(ObjectNotFoundError):
                place.get_size(PATH)
            for start, stop in ((0, 1), (3, 3)):
                with pytest.raises(ObjectNotFoundError):
                    place.read_range(PATH, start, stop)
            if not list(place.iter_paths()):
                place.write("recordings/other", [b"other"])

    def test_a_folder_is_no_object(self, place: ObjectPlace) -> None:
        """What lies above an object is not one."""
        place.write(PATH, [b"one"])
        for folder in ("recordings", "recordings/2026-03-05/one"):
            with pytest.raises(ObjectNotFoundError):
                place.read(folder)

    @pytest.mark.parametrize("name", ["ring\0.key", "\0", "a/\0b"])
    def test_a_damaged_name_is_no_object(self, place: ObjectPlace, name: str) -> None:
        """A name that no object can have, such as one from a damaged file, is one that is not there."""
        with pytest.raises(ObjectNotFoundError):
            place.read(name)

    def test_odd_names_are_names(self, place: ObjectPlace) -> None:
        """A name is taken as it is, whatever a URL or a shell would make of it."""
        for name in ODD_NAMES:
            place.write(f"odd/{name}/x", [name.encode()])
        assert list(place.iter_paths()) == sorted(f"odd/{name}/x" for name in ODD_NAMES)
        for name in ODD_NAMES:
            assert place.read(f"odd/{name}/x") == name.encode()
            assert list(place.iter_paths(f"odd/{name}")) == [f"odd/{name}/x"]
            place.delete(f"odd/{name}/x")
        assert list(place.iter_paths()) == []

    def test_paths_come_in_order(self, place: ObjectPlace) -> None:
        """All objects below a folder are listed, in order, and none of a neighbour with a longer name."""
        paths = ["a-b", "a/1/w", "a/1/x", "a/10/x", "b/2", "c"]
        for path in reversed(paths):
            place.write(path, [b"."])
        assert list(place.iter_paths()) == paths
        assert list(place.iter_paths("a")) == ["a/1/w", "a/1/x", "a/10/x"]
        assert list(place.iter_paths("a/1")) == ["a/1/w", "a/1/x"]
        assert list(place.iter_paths("nowhere")) == []

    def test_sizes_come_with_the_paths(self, place: ObjectPlace) -> None:
        """A listing tells of each object how long it is, without asking for each."""
        for number in range(4):
            place.write(f"sized/{number % 2}/{number}", [b"x" * number])
        expected = [("sized/0/0", 0), ("sized/0/2", 2), ("sized/1/1", 1), ("sized/1/3", 3)]
        assert list(place.iter_sizes("sized")) == expected
        assert list(place.iter_sizes("sized/1")) == expected[2:]
        assert list(place.iter_sizes("nowhere")) == []

    def test_the_clock_is_the_places_own(self, place: ObjectPlace) -> None:
        """A place that has a clock tells its time, and nothing stays of the object that was written to ask it."""
        before = set(place.iter_paths())
        told = place.read_clock("clock/asked")
        now = datetime.now(UTC)  # noqa: TID251  a real server's clock is compared with the real one
        assert told is None or abs(told - now) < timedelta(seconds=60)
        assert set(place.iter_paths()) == before

    def test_deleting_is_for_good_and_no_error_twice(self, place: ObjectPlace) -> None:
        """What was deleted is gone, deleting it again is no error, and its name is free."""
        place.write(PATH, [b"one"])
        place.write("recordings/other", [b"other"])
        for path in (PATH, PATH, "never/there"):
            place.delete(path)
        assert list(place.iter_paths()) == ["recordings/other"]
        with pytest.raises(ObjectNotFoundError):
            place.get_size(PATH)
        place.write(PATH, [b"anew"])
        assert place.read(PATH) == b"anew"

    def test_many_are_read_and_deleted_at_once(self, place: ObjectPlace) -> None:
        """Bulk reads come in the order asked for; bulk deletes leave nothing of what was named, and the rest alone."""
        paths = [f"many/{number:02}" for number in range(25)]
        for path in paths:
            place.write(path, [path.encode()])
        place.write("other", [b"other"])
        wanted = paths[::-1]
        assert list(place.read_many(wanted)) == [(path, path.encode()) for path in wanted]
        with ThreadPoolExecutor(2) as pool:
            assert len(list(place.read_many(paths, pool))) == len(paths)
            place.delete_many(paths[:5], pool)
        place.delete_many([*paths, "never/there"])
        assert list(place.iter_paths()) == ["other"]
        with pytest.raises(ObjectNotFoundError):
            list(place.read_many(["other", paths[0]]))

    def test_many_are_written_at_once(self, place: ObjectPlace) -> None:
        """What is there already stays as it is, what is not is written; replaced, each holds the new content."""
        place.write("days/03", [b"first"])
        place.write_many({f"days/{number:02}": b"second" for number in range(12)})
        expected = {f"days/{number:02}": b"first" if number == 3 else b"second" for number in range(12)}
        assert dict(place.read_many(expected)) == expected
        place.replace_many({"days/03": b"third", "days/12": b"third"})
        assert dict(place.read_many(["days/03", "days/12"])) == {"days/03": b"third", "days/12": b"third"}
        place.write_many({})
        place.delete_unfinished("days/0")
        assert list(place.iter_paths("days")) == [f"days/{number:02}" for number in range(13)]

    def test_replacing_is_whole(self, place: ObjectPlace) -> None:
        """A pointer is made or replaced, and is then the new one, shorter or longer."""
        for content in (b"first", b"second, longer", b"", b"3"):
            place.replace("pointer", content)
            assert place.read("pointer") == content
            assert place.get_size("pointer") == len(content)
        assert list(place.iter_paths()) == ["pointer"]

    def test_a_reader_sees_the_old_pointer_or_the_new(self, place: ObjectPlace) -> None:
        """Whoever reads while a pointer is replaced reads one of its contents, whole."""
        contents = [bytes([number]) * 100_000 for number in range(6)]
        place.replace("pointer", contents[0])

        def replace_all() -> None:
            for each in contents:
                place.replace("pointer", each)

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(replace_all)
            seen = [place.read("pointer")]
            while not writing.done():
                seen.append(place.read("pointer"))
            writing.result()
        assert all(each in contents for each in seen)
        assert place.read("pointer") == contents[-1]

    @pytest.mark.parametrize("chunks", [0, 1, 9, 19])
    def test_a_source_that_breaks_leaves_nothing(self, place: ObjectPlace, chunks: int) -> None:
        """What the chunks raise comes through, nothing half-written is there, and the name is free."""
        with pytest.raises(BreakingError):
            place.write(PATH, _break_after(chunks, _MIB))
        assert list(place.iter_paths()) == []
        with pytest.raises(ObjectNotFoundError):
            place.read(PATH)
        place.write(PATH, [b"whole"])
        assert place.read(PATH) == b"whole"

    def test_a_large_object_appears_whole(self, place: ObjectPlace) -> None:
        """An object of many parts is not there until it is all there, and then every byte is in its position."""
        written = hashlib.sha256()

        def chunks() -> Iterator[bytes]:
            for number in range(self.large_mib):
                chunk = hashlib.sha256(bytes([number])).digest() * (_MIB // 32)
                written.update(chunk)
                yield chunk
            assert list(place.iter_paths()) == []

        size = self.large_mib * _MIB + 1
        assert place.write(PATH, (each for source in (chunks(), [b"."]) for each in source)) == size
        written.update(b".")
        assert place.get_size(PATH) == size
        assert hashlib.sha256(place.read(PATH)).digest() == written.digest()
        middle = hashlib.sha256(bytes([8])).digest()
        assert place.read_range(PATH, 8 * _MIB, 8 * _MIB + 32) == middle
        assert place.read_range(PATH, size - 1, size + 5) == b"."

    def test_many_writers_of_many_names(self, place: ObjectPlace) -> None:
        """Writers beside one another do not meet: each object is what its writer wrote."""
        paths = [f"folder-{number % 3}/{number}" for number in range(24)]
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda path: place.write(path, [path.encode(), b"!" * 50_000]), paths))
        assert list(place.iter_paths()) == sorted(paths)
        assert all(content == path.encode() + b"!" * 50_000 for path, content in place.read_many(paths))

    def test_of_many_writers_of_one_name_one_is_kept(self, place: ObjectPlace) -> None:
        """What lies there in the end is whole and one writer's; where the store excludes, all others were refused."""
        writers = 6
        together = Barrier(writers)

        def write(number: int) -> bytes | None:
            content = bytes([number]) * 10_000
            together.wait()
            try:
                place.write(PATH, [content])
            except ObjectExistsError:
                return None
            return content

        with ThreadPoolExecutor(writers) as pool:
            kept = [content for content in pool.map(write, range(writers)) if content is not None]
        assert place.read(PATH) in kept
        assert list(place.iter_paths()) == [PATH]
        if self.excludes:
            assert len(kept) == 1

    def test_any_sequence_of_acts_does_what_a_dict_does(self, place: ObjectPlace) -> None:
        """A place is a dict of paths and bytes, whatever is done in whatever order."""
        run_state_machine_as_test(
            lambda: ObjectPlaceMachine(place),  # type: ignore[arg-type]  # whatever makes one does
            settings=settings(
                max_examples=self.examples,
                stateful_step_count=12,
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
