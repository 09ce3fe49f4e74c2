"""Opens the places of objects and keys: picks the backend by the URL's scheme, and asks it where it lies."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from kelarec.errors import (
    ArchiveExistsError,
    InvalidValueError,
    MissingExtraError,
    ObjectExistsError,
    StorageError,
)
from kelarec.storage.objects.contract import ObjectPlace
from kelarec.storage.objects.folder import FolderObjects
from kelarec.storage.objects.remote import RemoteObjects
from kelarec.storage.objects.requests import Requests
from kelarec.storage.objects.retries import Retries
from kelarec.storage.objects.settings import Limits
from kelarec.storage.places import Place
from kelarec.storage.residency import NOTHING_DECLARED, Declarations, require_resident
from kelarec.storage.wrapping import Randomness

Credentials = Callable[[Place], Mapping[str, Any]]
"""Gives what opens a place, as keyword arguments of its fsspec file system, each time one is opened."""

_FAMILY: Final = {"s3": "s3", "az": "azure", "abfs": "azure", "gs": "gcs", "gcs": "gcs", "sftp": "sftp"}
"""Each scheme's backend: a module of `kelarec.storage.objects` and the extra that it needs."""

SCHEMES: Final = ("file", *_FAMILY)


def no_credentials(_: Place) -> Mapping[str, Any]:
    """Leave it to the environment, the configuration of fsspec and the machine's own identity."""
    return {}


def open_objects(
    place: Place,
    *,
    what: str = "objects",
    declared: Declarations = NOTHING_DECLARED,
    credentials: Credentials = no_credentials,
    limits: Limits | None = None,
    retries: Retries | None = None,
    randomness: Randomness = os.urandom,
) -> ObjectPlace:
    """Open a place of objects or keys; a remote one is asked whether it is there.

    Args:
        place: ``file:///folder``, ``s3://bucket/prefix``, ``az://container/prefix``, ``gs://bucket/prefix`` or
            ``sftp://user@host/folder``.
        what: What lies there, for errors.
        declared: What the operator says of where servers lie; see `require_resident`.
        credentials: Gives what opens it; nothing of that is kept by the place or shown.
        limits: How long one request may take.
        retries: How often and how long a request without an answer is made again.
        randomness: Gives so many random bytes.

    Raises:
        UnknownSchemeError: No backend knows the scheme.
        MissingExtraError: The extra that it needs is not installed.
        InvalidValueError: The URL holds a password, or names no bucket.
        PlaceNotFoundError: There is no such bucket or container.
        UnreachableError: The server does not answer.
        CredentialsRefusedError: It refuses these credentials.
        NotResidentError, ResidencyUnknownError: As `require_resident`.
    """
    place.require_scheme(*SCHEMES)
    if place.scheme == "file":
        return FolderObjects(place.folder)
    _require_no_password(place)
    requests = _make_requests(place, credentials(place), limits or Limits(), randomness)
    objects = RemoteObjects(requests, retries or Retries(randomness=randomness))
    objects.require_place()
    require_resident(place, getattr(requests, "filesystem", None), what=what, declared=declared)
    return objects


def _make_requests(place: Place, secrets: Mapping[str, Any], limits: Limits, randomness: Randomness) -> Requests:
    family = _FAMILY[place.scheme]
    backend = _load(family)
    parts = urlsplit(place.url)
    options = dict(place.options)
    if family == "sftp":
        host, folder = _require_host(parts), unquote(parts.path)
        made = backend.SftpRequests(
            host, parts.port or 22, parts.username, folder, options, secrets, limits, randomness
        )
    else:
        bucket, prefix = _require_host(parts), _prefix(parts)
        if family == "azure":
            made = backend.AzureRequests(bucket, prefix, options, secrets, limits, randomness)
        elif family == "gcs":
            made = backend.GoogleRequests(bucket, prefix, options, secrets, limits, randomness)
        else:
            made = backend.S3Requests(bucket, prefix, options, secrets, limits)
    opened: Requests = made
    return opened


def _load(family: str) -> ModuleType:
    try:
        return import_module(f"kelarec.storage.objects.{family}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("kelarec"):
            raise
        raise MissingExtraError(
            f"A place of this kind needs {error.name}, which is not installed.",
            advice=f"Install kelarec[{family}].",
        ) from None


def _require_no_password(place: Place) -> None:
    if urlsplit(place.url).password is not None or (place.scheme != "sftp" and "@" in urlsplit(place.url).netloc):
        raise InvalidValueError(
            "The URL of the place holds credentials.",
            advice="Give them by the environment or the credentials callback; URLs are shown and stored.",
        )


def _require_host(parts: SplitResult) -> str:
    if not parts.hostname:
        raise InvalidValueError("The URL names no bucket or server.", advice="Such as s3://bucket/archive.")
    # The case of a bucket's name counts, and urlsplit's hostname has lost it.
    return parts.hostname if parts.scheme.lower() == "sftp" else parts.netloc


def _prefix(parts: SplitResult) -> str:
    prefix = unquote(parts.path).strip("/")
    return f"{prefix}/" if prefix else ""


@contextmanager
def new_places(places: Sequence[Place], open_place: Callable[[Place], ObjectPlace]) -> Iterator[list[ObjectPlace]]:
    """Open empty places; if what is done with them fails, they are empty again and new folders are gone.

    Raises:
        ArchiveExistsError: A place is not empty.
        StorageError: As `open_objects`.
    """
    opened = [open_place(place) for place in places]
    for place, store in zip(places, opened, strict=True):
        _require_empty(place, store)
    folders = [place.folder for place in places if place.scheme == "file"]
    missing = [each for folder in folders for each in (folder, *folder.parents) if not each.exists()]
    try:
        yield opened
    except ObjectExistsError:
        raise  # another is making an archive here at the same time: what lies there is not ours alone to remove
    except BaseException as error:
        for place, store in zip(places, opened, strict=True):
            _empty(place, store, error)
        for folder in missing:  # from the innermost outwards
            with suppress(OSError):
                folder.rmdir()
        raise


def _require_empty(place: Place, store: ObjectPlace) -> None:
    if place.scheme == "file":
        if place.folder.exists() and any(place.folder.iterdir()):
            raise ArchiveExistsError(f"The folder {place.folder} is not empty.")
    elif next(iter(store.iter_paths()), None) is not None:
        raise ArchiveExistsError(f"The place {place} is not empty.")


def _empty(place: Place, store: ObjectPlace, error: BaseException) -> None:
    if place.scheme == "file":
        _empty_folder(place.folder)
        return
    try:
        store.delete_many(list(store.iter_paths()))
    except StorageError as refusal:
        error.add_note(f"What was written to {place} could not be removed: {refusal}")


def _empty_folder(folder: Path) -> None:
    for entry in folder.iterdir() if folder.exists() else ():
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
