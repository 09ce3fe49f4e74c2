"""What places on this machine have in common: reads and listings of fsspec's own file systems."""

from collections.abc import Iterator
from typing import Any, Final

from kelarec.errors import ObjectNotFoundError, StorageError
from kelarec.storage.objects.contract import UNFINISHED, OneByOne

NO_SUCH_OBJECT: Final = (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError)
"""With what fsspec says that there is none; ValueError is a name with a NUL byte."""


class LocalObjects(OneByOne):
    """Reads and listings of a place on this machine."""

    def __init__(self, filesystem: Any, root: str) -> None:  # noqa: ANN401  fsspec is untyped
        self._filesystem = filesystem
        self._root = root.rstrip("/")

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}"

    def read(self, path: str) -> bytes:
        """See `ObjectPlace.read`."""
        try:
            return bytes(self._filesystem.cat_file(self._full(path)))
        except NO_SUCH_OBJECT:
            raise ObjectNotFoundError(f"There is no object {path!r}.") from None
        except OSError as error:
            raise StorageError(f"The object {path} cannot be read: {error.strerror or error}.") from error

    def read_range(self, path: str, start: int, stop: int) -> bytes:
        """See `ObjectPlace.read_range`."""
        try:
            return bytes(self._filesystem.cat_file(self._full(path), start=start, end=stop))
        except NO_SUCH_OBJECT:
            raise ObjectNotFoundError(f"There is no object {path!r}.") from None
        except OSError as error:
            raise StorageError(f"The object {path} cannot be read: {error.strerror or error}.") from error

    def get_size(self, path: str) -> int:
        """See `ObjectPlace.get_size`."""
        try:
            return int(self._filesystem.size(self._full(path)))
        except NO_SUCH_OBJECT:
            raise ObjectNotFoundError(f"There is no object {path!r}.") from None

    def iter_paths(self, below: str = "") -> Iterator[str]:
        """See `ObjectPlace.iter_paths`."""
        yield from self._find(below, detail=False)

    def iter_sizes(self, below: str = "") -> Iterator[tuple[str, int]]:
        """See `ObjectPlace.iter_sizes`."""
        found = self._find(below, detail=True)
        yield from ((path, int(facts["size"])) for path, facts in found.items())

    def _find(self, below: str, *, detail: bool) -> dict[str, Any]:
        start = self._full(below) if below else self._root
        try:
            found = self._filesystem.find(start, detail=detail)
        except FileNotFoundError:
            return {}
        relative = ((path[len(self._root) + 1 :], path) for path in sorted(found))
        return {name: found[path] if detail else None for name, path in relative if not name.endswith(UNFINISHED)}
