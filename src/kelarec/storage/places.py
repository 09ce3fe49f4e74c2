"""Places: a URL and the country it lies in (notice, section 8)."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from attrs import field, frozen

from kelarec.domain.eea import require_eea
from kelarec.errors import InvalidValueError, PlaceOverlapError, UnknownSchemeError

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*\Z")

OPTIONS: Final = {
    "s3": {"endpoint", "region", "addressing"},
    "az": {"account", "endpoint"},
    "abfs": {"account", "endpoint"},
    "gs": {"endpoint", "project"},
    "gcs": {"endpoint", "project"},
    "sftp": {"key_file", "host_key", "known_hosts"},
}
"""What the place of a scheme may be told openly; nothing that opens it is among them."""


def _to_url(url: object) -> str:
    if isinstance(url, Path):
        return url.absolute().as_uri()
    if not isinstance(url, str) or not url:
        raise UnknownSchemeError("A place is given as a URL or a path.", advice="Such as file:///srv/archive.")
    scheme, separator, _ = url.partition("://")
    if not separator:
        return Path(url).absolute().as_uri()
    if not _SCHEME.match(scheme.lower()):
        raise UnknownSchemeError("The URL of the place has no scheme.", advice="Such as file:///srv/archive.")
    return url


def _to_country(country: object) -> str:
    return require_eea(country, "place")


def _to_pairs(options: object) -> tuple[tuple[str, str], ...]:
    pairs = options.items() if isinstance(options, Mapping) else options
    try:
        return tuple(sorted((str(name), str(value)) for name, value in pairs))  # type: ignore[attr-defined]  # or fails
    except (TypeError, ValueError):
        raise InvalidValueError("The options of a place are names and texts.") from None


@frozen
class Place:
    """Where something lies.

    Attributes:
        url: Such as ``file:///srv/archive``; a bare path is a folder of this machine. Never shown with credentials.
        country: ISO 3166-1 alpha-2, in the EU/EEA.
        options: What a client of the scheme must know beside the URL, given as a mapping: ``endpoint``, ``region`` and
            ``addressing`` for S3; ``account`` and ``endpoint`` for Azure; ``endpoint`` and ``project`` for Google;
            ``key_file``, ``host_key`` and ``known_hosts`` for SFTP. Never a key or a password: those come from the
            environment or from the ``credentials`` callback of the archive, so that a place may be shown and pickled.
        backups_kept_for: How long a backup of it is kept at most, zero if there are none; certificates say it. If it
            is not given they say that nobody has declared it.

    Raises:
        NotResidentError: The country is not in the EU/EEA, or unknown.
        UnknownSchemeError: The URL has no scheme.
        InvalidValueError: An option is none of those that the scheme knows, or the time that backups are kept is none.
    """

    url: str = field(converter=_to_url, repr=lambda url: repr(re.sub(r"//[^/@]*@", "//…@", url)))
    country: str = field(converter=_to_country)
    options: tuple[tuple[str, str], ...] = field(default=(), converter=_to_pairs, kw_only=True)
    backups_kept_for: timedelta | None = field(default=None, kw_only=True)

    @options.validator
    def _check_options(self, _: object, options: tuple[tuple[str, str], ...]) -> None:
        known = OPTIONS.get(self.scheme, set())
        for name, _value in options:
            if name not in known:
                raise InvalidValueError(
                    f"A place of the scheme {self.scheme} has no option {name}.",
                    advice=f"It may have: {', '.join(sorted(known)) or 'none'}. Secrets come from the environment.",
                )

    @backups_kept_for.validator
    def _check_time(self, _: object, kept_for: object) -> None:
        if kept_for is not None and (not isinstance(kept_for, timedelta) or kept_for < timedelta(0)):
            raise InvalidValueError("The time that backups are kept is none.", advice="Such as timedelta(days=30).")

    @property
    def scheme(self) -> str:
        """The part of the URL before ``://``, in lower case."""
        return self.url.partition("://")[0].lower()

    def require_scheme(self, *known: str) -> None:
        """Check that something here can use such a place.

        Raises:
            UnknownSchemeError: It cannot.
        """
        if self.scheme not in known:
            raise UnknownSchemeError(
                f"No backend knows the scheme {self.scheme}.", advice=f"Use one of: {', '.join(sorted(known))}."
            )

    @property
    def folder(self) -> Path:
        """The folder of a ``file://`` place.

        Raises:
            UnknownSchemeError: The place is not on this machine's file system.
        """
        self.require_scheme("file")
        parts = urlsplit(self.url)
        if parts.netloc not in {"", "localhost"}:
            raise UnknownSchemeError("A file URL names another machine.", advice="Write file:///path, three slashes.")
        return Path(unquote(parts.path))


def require_apart(*folders: Path) -> None:
    """Check that of several folders none is, or lies inside, another.

    Raises:
        PlaceOverlapError: Two of them overlap; symbolic links are followed.
    """
    resolved = [folder.resolve() for folder in folders]
    for number, one in enumerate(resolved):
        for other in resolved[number + 1 :]:
            if one == other or one in other.parents or other in one.parents:
                raise PlaceOverlapError(f"The places {one} and {other} overlap.")
