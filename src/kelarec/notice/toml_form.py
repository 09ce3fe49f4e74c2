"""A register as a TOML document that people write, and back."""

import tomllib
from pathlib import Path

from kelarec.domain.register import Register
from kelarec.errors import Fault, MissingExtraError, RegisterFaultsError
from kelarec.notice.structure import from_plain, to_plain


def load_register(path: str | Path) -> Register:
    """Return the register that a TOML file describes.

    Raises:
        RegisterFaultsError: With every fault and its place in the document.
        OSError: The file cannot be read.
    """
    return parse_register(Path(path).read_bytes())


def parse_register(document: bytes | str) -> Register:
    """Return the register that a TOML document describes.

    Raises:
        RegisterFaultsError: With every fault and its place in the document.
    """
    try:
        plain = tomllib.loads(document.decode() if isinstance(document, bytes) else document)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RegisterFaultsError([Fault("the document", f"It is no TOML: {error}.")]) from None
    return from_plain(plain)


def to_toml(register: Register) -> str:
    """Return the TOML document of a register.

    Raises:
        MissingExtraError: ``kelarec[notice]`` is not installed.
    """
    try:
        import tomli_w  # noqa: PLC0415  an extra
    except ImportError:
        raise MissingExtraError.of("notice") from None
    return tomli_w.dumps(to_plain(register))
