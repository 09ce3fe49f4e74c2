"""Objects as files on an SFTP server, through fsspec's own file system on paramiko."""

import errno
import posixpath
import stat
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import paramiko
from fsspec.implementations.sftp import SFTPFileSystem
from paramiko.sftp import CMD_EXTENDED
from paramiko.ssh_exception import NoValidConnectionsError

from kelarec.errors import CredentialsRefusedError, KelarecError
from kelarec.storage.objects.contract import UNFINISHED
from kelarec.storage.objects.requests import (
    Page,
    Part,
    already_there,
    failed,
    gone,
    name_builtin_error,
    not_there,
    refused,
    unreachable,
)
from kelarec.storage.objects.settings import Limits
from kelarec.storage.wrapping import Randomness

_R = TypeVar("_R")
_TRIES: Final = 3
_PREFETCHED: Final = 2**18
_UNSUPPORTED: Final = "Operation unsupported"


class _KnownHost(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]  # untyped
    """Lets in only a server whose key is known; fsspec's own choice is to believe any."""

    def __init__(self, expected: str | None, known_hosts: str | None) -> None:
        self._expected = expected
        self._known = paramiko.HostKeys()
        file = Path(known_hosts or "~/.ssh/known_hosts").expanduser()
        if expected is None and file.exists():
            self._known.load(str(file))

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:  # noqa: ARG002
        """Refuse a key that is not the one expected."""
        shown = f"{key.get_name()} {key.get_base64()}"
        if self._expected is not None:
            is_known = self._expected.split()[:2] == shown.split()
        else:
            is_known = self._known.check(hostname, key)
        if not is_known:
            raise CredentialsRefusedError(
                f"The server {hostname} shows a host key that is not known.",
                advice="Give its public key in the place's option host_key, or in known_hosts.",
            )


class SftpRequests:
    """Requests to one server; each thread that asks at the same time has a connection of its own.

    An object is written to a name of its own, synced where the server can (OpenSSH's ``fsync@openssh.com``), and
    renamed, by which a server of OpenSSH replaces nothing. No server lets a client sync a folder: after a power cut of
    the server a new name may be missing, though never half an object be there.
    """

    part_bytes = 8 * 2**20
    most_deleted = 1

    def __init__(  # noqa: PLR0917  each is needed, in the URL's order
        self,
        host: str,
        port: int,
        user: str | None,
        folder: str,
        options: Mapping[str, str],
        secrets: Mapping[str, Any],
        limits: Limits,
        randomness: Randomness,
    ) -> None:
        self._folder = folder.rstrip("/")
        self._limits = limits
        self._randomness = randomness
        self._idle: list[Any] = []
        self._turn = threading.Lock()
        self._host = host
        self._known = {
            "port": port,
            "username": user,
            "key_filename": options.get("key_file"),
            "timeout": limits.connect_within,
            "banner_timeout": limits.answer_within,
            "auth_timeout": limits.answer_within,
            "host_key_policy": _KnownHost(options.get("host_key"), options.get("known_hosts")),
            **secrets,
        }

    def put(self, path: str, content: bytes, *, is_new: bool) -> None:
        """See `Requests.put`."""
        self._on_server(lambda sftp: self._put(sftp, path, content, is_new=is_new))

    def _put(self, sftp: paramiko.SFTPClient, path: str, content: bytes, *, is_new: bool) -> None:
        unfinished = self._unfinished(path, self._randomness(8).hex())
        try:
            self._write_at(sftp, unfinished, 0, content)
            self._publish(sftp, unfinished, self._full(path), is_new=is_new)
        except Exception:
            with suppress(OSError, EOFError, paramiko.SSHException):
                sftp.remove(unfinished)
            raise

    def begin(self, path: str) -> str:  # noqa: ARG002  the first part makes the file
        """See `Requests.begin`."""
        return self._randomness(8).hex()

    def put_part(self, path: str, upload: str, part: Part) -> str:
        """See `Requests.put_part`."""
        unfinished = self._unfinished(path, upload)
        self._on_server(lambda sftp: self._write_at(sftp, unfinished, part.start, part.content))
        return ""

    def complete(self, path: str, upload: str, receipts: Sequence[str]) -> None:  # noqa: ARG002  they are empty
        """See `Requests.complete`."""
        unfinished = self._unfinished(path, upload)
        self._on_server(lambda sftp: self._publish(sftp, unfinished, self._full(path), is_new=True))

    def abort(self, path: str, upload: str | None) -> None:
        """See `Requests.abort`."""
        self._on_server(lambda sftp: self._abort(sftp, path, upload))

    def _abort(self, sftp: paramiko.SFTPClient, path: str, upload: str | None) -> None:
        full = self._full(path)
        folder, name = posixpath.split(full)
        with suppress(FileNotFoundError):
            for each in sftp.listdir(folder):
                ours = each.startswith(f"{name}.{upload or ''}") and each.endswith(UNFINISHED)
                if ours:
                    with suppress(FileNotFoundError):
                        sftp.remove(f"{folder}/{each}")
        self._remove_empty_folders(sftp, folder)

    def get(self, path: str, start: int, stop: int | None) -> bytes:
        """See `Requests.get`."""
        return self._on_server(lambda sftp: self._get(sftp, path, start, stop))

    def _get(self, sftp: paramiko.SFTPClient, path: str, start: int, stop: int | None) -> bytes:
        full = self._full(path)
        with sftp.open(full, "rb") as file:
            found = file.stat()
            if stat.S_ISDIR(found.st_mode or 0):
                raise FileNotFoundError(full)
            end = min(found.st_size or 0, stop if stop is not None else found.st_size or 0)
            if end <= start:
                return b""
            if start == 0 and end > _PREFETCHED:
                file.prefetch(end)
                return bytes(file.read(end))
            file.seek(start)
            return bytes(file.read(end - start))

    def get_size(self, path: str) -> int:
        """See `Requests.get_size`."""
        found = self._on_server(lambda sftp: sftp.stat(self._full(path)))
        if stat.S_ISDIR(found.st_mode or 0):
            raise not_there(path)
        return int(found.st_size or 0)

    def get_modified_at(self, path: str) -> datetime:
        """See `Requests.get_modified_at`."""
        found = self._on_server(lambda sftp: sftp.stat(self._full(path)))
        return datetime.fromtimestamp(found.st_mtime or 0, UTC)

    def iter_pages(self, below: str) -> Iterator[Page]:
        """See `Requests.iter_pages`; each folder is a request."""
        found: list[tuple[str, int | None]] = []

        def ask() -> tuple[tuple[str, int], ...]:
            found[:] = self._on_server(lambda sftp: self._list(sftp, below))
            return ()

        yield ask
        for name, size in found:
            path = f"{below}/{name}" if below else name
            if size is None:
                yield from self.iter_pages(path)
            elif not name.endswith(UNFINISHED):
                yield partial(_only, path, size)

    def _list(self, sftp: paramiko.SFTPClient, below: str) -> list[tuple[str, int | None]]:
        """Return what is in a folder: files with their size, folders with none."""
        try:
            found = sftp.listdir_attr(self._full(below) if below else self._folder or "/")
        except FileNotFoundError:
            return []
        entries = [
            (each.filename, None if stat.S_ISDIR(each.st_mode or 0) else int(each.st_size or 0)) for each in found
        ]
        return sorted(entries, key=lambda entry: f"{entry[0]}/" if entry[1] is None else entry[0])

    def delete(self, paths: Sequence[str]) -> None:
        """See `Requests.delete`."""
        for path in paths:
            self._on_server(partial(self._delete, self._full(path)))

    def _delete(self, full: str, sftp: paramiko.SFTPClient) -> None:
        try:
            sftp.remove(full)
        except FileNotFoundError:
            return
        self._remove_empty_folders(sftp, posixpath.dirname(full))

    def require_place(self) -> None:
        """See `Requests.require_place`; a folder that is not there yet is made by the first write."""
        self._on_server(lambda sftp: sftp.normalize("."))

    def name_error(self, error: Exception, what: str) -> KelarecError | None:
        """See `Requests.name_error`."""
        if isinstance(error, paramiko.AuthenticationException | paramiko.PasswordRequiredException):
            return refused(what, error)
        if isinstance(error, FileNotFoundError):
            return gone(what)
        if isinstance(error, paramiko.SFTPError):  # no IOError, so nothing that the server says
            return unreachable(what, error)
        if isinstance(error, paramiko.SSHException):
            return unreachable(what, error)
        is_silence = isinstance(error, TimeoutError | ConnectionError | NoValidConnectionsError)
        if isinstance(error, OSError) and not is_silence and error.errno in {None, errno.ENOSPC, errno.EDQUOT}:
            return failed(what, "failure")  # an SFTP server of version 3 says no more than that
        return name_builtin_error(error, what)

    def _full(self, path: str) -> str:
        return f"{self._folder}/{path}"

    def _unfinished(self, path: str, upload: str) -> str:
        return f"{self._full(path)}.{upload}{UNFINISHED}"

    def _write_at(self, sftp: paramiko.SFTPClient, full: str, start: int, content: bytes) -> None:
        file = self._open_for_writing(sftp, full, start)
        with file:
            file.set_pipelined(True)
            file.seek(start)
            file.write(content)
            file.flush()
            file.set_pipelined(False)  # from here on every answer counts
            self._sync(sftp, file)
            if file.stat().st_size != start + len(content):
                raise ConnectionError(f"The server has not all of {full}.")

    def _open_for_writing(self, sftp: paramiko.SFTPClient, full: str, start: int) -> paramiko.SFTPFile:
        for attempt in range(_TRIES):
            try:
                return sftp.open(full, "r+b" if start else "wb")
            except FileNotFoundError:
                if start or attempt + 1 == _TRIES:
                    raise
                self._make_folders(sftp, posixpath.dirname(full))  # perhaps one that just became empty and went
        raise AssertionError("There is at least one attempt.")

    def _sync(self, sftp: paramiko.SFTPClient, file: paramiko.SFTPFile) -> None:
        try:
            sftp._request(CMD_EXTENDED, "fsync@openssh.com", file.handle)  # noqa: SLF001  paramiko has no name for it
        except OSError as error:
            if _UNSUPPORTED not in str(error):
                raise

    def _publish(self, sftp: paramiko.SFTPClient, unfinished: str, final: str, *, is_new: bool) -> None:
        if not is_new:
            sftp.posix_rename(unfinished, final)
            return
        try:
            sftp.rename(unfinished, final)  # unlike posix_rename, refuses to replace what is there
        except OSError:
            with suppress(FileNotFoundError):
                sftp.stat(final)
                raise already_there(final.removeprefix(f"{self._folder}/")) from None
            raise

    def _make_folders(self, sftp: paramiko.SFTPClient, folder: str) -> None:
        if folder in {"", "/"}:
            return
        try:
            sftp.mkdir(folder, mode=0o700)
        except FileNotFoundError:
            self._make_folders(sftp, posixpath.dirname(folder))
            self._make_folders(sftp, folder)
        except OSError:
            if not stat.S_ISDIR(sftp.stat(folder).st_mode or 0):
                raise

    def _remove_empty_folders(self, sftp: paramiko.SFTPClient, folder: str) -> None:
        while len(folder) > len(self._folder):
            try:
                sftp.rmdir(folder)
            except OSError:  # not empty, or another was quicker
                return
            folder = posixpath.dirname(folder)

    def _on_server(self, act: Callable[[paramiko.SFTPClient], _R]) -> _R:
        """Act on a connection that nobody else uses meanwhile: paramiko mixes up answers between threads."""
        with self._turn:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = SFTPFileSystem(self._host, **self._known, skip_instance_cache=True)
            connection.ftp.get_channel().settimeout(self._limits.answer_within)
        try:
            answer = act(connection.ftp)
        except KelarecError:
            self._give_back(connection)
            raise
        except FileNotFoundError:
            self._give_back(connection)
            raise
        except BaseException:
            connection.client.close()
            raise
        self._give_back(connection)
        return answer

    def _give_back(self, connection: Any) -> None:  # noqa: ANN401  fsspec is untyped
        with self._turn:
            self._idle.append(connection)


def _only(path: str, size: int) -> tuple[tuple[str, int], ...]:
    return ((path, size),)
