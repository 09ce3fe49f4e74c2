"""The manifest of an import: rows of cells, from CSV or JSON Lines, each found again by where it lies in the file.

A row is at most 64 KiB. CSV is RFC 4180 in UTF-8, with comma, semicolon or tab, its first line naming the columns.
"""

import codecs
import csv
import hashlib
import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, Final

from attrs import frozen

from kelarec.errors import InvalidValueError, ManifestFault, ManifestFaultsError

REQUIRED: Final = ("contact_id", "kind", "direction", "line", "started_at", "file")
OPTIONAL: Final = (
    "ended_at",
    "media_type",
    "customer_name",
    "customer_identity_code",
    "customer_phone_number",
    "customer_email",
    "adviser_id",
    "support_expert_id",
    "matter",
    "unit",
    "service_number",
    "categories",
)
COLUMNS: Final = (*REQUIRED, *OPTIONAL)
LONGEST_ROW: Final = 64 * 1024
_DELIMITERS: Final = ",;\t"
_KNOWN: Final = f"Known are {', '.join(COLUMNS)}."
_QUOTES: Final = "Close each quotation mark, and double those inside."
_TO_UTF8: Final = "Save the manifest as UTF-8."
Cells = dict[str, Any]


class Form(StrEnum):
    """How the rows of a manifest are written."""

    CSV = "csv"
    JSON_LINES = "jsonl"


_FORMS: Final = {".csv": Form.CSV, ".jsonl": Form.JSON_LINES, ".ndjson": Form.JSON_LINES}


class UnreadableRowError(Exception):
    """A row gives no cells."""

    def __init__(self, sentence: str, advice: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.advice = advice


@frozen
class RawRow:
    """One row as it lies in the file.

    Attributes:
        line: The line on which it begins, from 1.
        offset: Where it begins, in bytes.
        content: Its bytes.
    """

    line: int
    offset: int
    content: bytes


@frozen
class Manifest:
    """A manifest whose rows can be read.

    Attributes:
        path: Where it lies.
        columns: The names of the columns of a CSV.
        delimiter: What stands between its cells.
        begins_at: Where its first row begins, in bytes.
    """

    path: str
    form: Form
    columns: tuple[str, ...] = ()
    delimiter: str = ","
    begins_at: int = 0

    def iter_rows(self) -> Iterator[RawRow]:
        """Go through the rows, read one by one."""
        line = 0 if self.form is Form.JSON_LINES else 1
        with Path(self.path).open("rb") as file:
            file.seek(self.begins_at)
            offset = self.begins_at
            while first := file.readline():
                content, lines = self._complete(file, first)
                if content.strip():
                    yield RawRow(line + 1, offset, content)
                offset += len(content)
                line += lines

    def _complete(self, file: BinaryIO, first: bytes) -> tuple[bytes, int]:
        """Return a row that goes on over several lines because a quotation mark is open, and how many lines it has."""
        content, lines = first, 1
        while self.form is Form.CSV and content.count(b'"') % 2:
            more = file.readline() if len(content) <= LONGEST_ROW else b""
            if not more:  # it is never closed: the rows after it are looked at all the same
                file.seek(len(first) - len(content), 1)
                return first, 1
            content += more
            lines += 1
        return content, lines

    def read_row(self, offset: int, length: int) -> bytes:
        """Return the bytes that lie where a row was found."""
        with Path(self.path).open("rb") as file:
            file.seek(offset)
            return file.read(length)

    @staticmethod
    def digest(content: bytes) -> bytes:
        """Return the SHA-256 of a row: one that was changed after it was checked shows."""
        return hashlib.sha256(content).digest()

    def to_cells(self, content: bytes) -> Cells:
        """Return the filled cells of a row by the names of their columns.

        Raises:
            UnreadableRowError: It is no row of this manifest.
        """
        if len(content) > LONGEST_ROW:
            raise UnreadableRowError("The row is longer than 64 KiB.", "Look for a quotation mark that is not closed.")
        try:
            text = content.decode()
        except UnicodeDecodeError:
            raise UnreadableRowError("The row is not UTF-8.", _TO_UTF8) from None
        if "\0" in text:
            raise UnreadableRowError("The row holds a zero character.", _TO_UTF8)
        cells = self._split(text) if self.form is Form.CSV else _parse_json(text)
        return {name: cell for name, cell in cells.items() if cell not in (None, "", [])}

    def _split(self, text: str) -> Cells:
        try:
            [cells] = csv.reader([text.rstrip("\r\n")], delimiter=self.delimiter, strict=True)
        except (csv.Error, ValueError):
            raise UnreadableRowError("The row is no CSV.", _QUOTES) from None
        if len(cells) != len(self.columns):
            told = f"The row has {len(cells)} cells, and the manifest {len(self.columns)} columns."
            raise UnreadableRowError(told, "Fill each row up; put cells that hold the delimiter in quotation marks.")
        return {name: cell.strip() for name, cell in zip(self.columns, cells, strict=True)}


def _parse_json(text: str) -> Cells:
    try:
        cells = json.loads(text, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError):
        raise UnreadableRowError("The row is no JSON.", "Write one object on one line, each name once.") from None
    if not isinstance(cells, dict):
        raise UnreadableRowError("The row is no JSON object.", "Write one object on each line.")
    if not cells.keys() <= set(COLUMNS):
        raise UnreadableRowError("The row has a name that no manifest has.", _KNOWN)
    return cells


def _without_doubles(pairs: list[tuple[str, Any]]) -> Cells:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError
    return dict(pairs)


def open_manifest(path: Path) -> Manifest:
    """Look at the beginning of a manifest.

    Raises:
        InvalidValueError: Its name does not end in ``.csv``, ``.jsonl`` or ``.ndjson``, or it cannot be read.
        ManifestFaultsError: It is no UTF-8, or its header has faults.
    """
    form = _FORMS.get(path.suffix.lower())
    if form is None:
        raise InvalidValueError("The manifest is neither CSV nor JSON Lines.", advice="Call it .csv or .jsonl.")
    try:
        with path.open("rb") as file:
            header = file.readline(LONGEST_ROW)
    except OSError as error:
        raise InvalidValueError(f"The manifest cannot be read: {error.strerror}.", advice="Name a file.") from None
    if header.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ManifestFaultsError([ManifestFault(1, None, "The manifest is UTF-16.", _TO_UTF8)])
    mark = len(codecs.BOM_UTF8) if header.startswith(codecs.BOM_UTF8) else 0
    if form is Form.JSON_LINES:
        return Manifest(str(path), form, begins_at=mark)
    return _open_csv(path, header, mark)


def _open_csv(path: Path, header: bytes, mark: int) -> Manifest:
    try:
        text = header[mark:].decode().strip("\r\n")
    except UnicodeDecodeError:
        raise ManifestFaultsError([ManifestFault(1, None, "The header is not UTF-8.", _TO_UTF8)]) from None
    delimiter = max(_DELIMITERS, key=text.count)
    try:
        rows = list(csv.reader([text], delimiter=delimiter, strict=True))
        names = [name.strip().lower() for cells in rows for name in cells]
    except csv.Error:
        names = []
    faults = [
        ManifestFault(1, None, f"Column {number} has a name that no manifest has.", _KNOWN)
        for number, name in enumerate(names, 1)
        if name not in COLUMNS
    ]
    faults += [
        ManifestFault(1, name, "The column is there twice.", "Leave one.")
        for name in dict.fromkeys(names)
        if name in COLUMNS and names.count(name) > 1
    ]
    faults += [
        ManifestFault(1, name, "The column is missing.", "Add it to the first line, and to each row.")
        for name in REQUIRED
        if name not in names
    ]
    if faults:
        raise ManifestFaultsError(faults)
    return Manifest(str(path), Form.CSV, tuple(names), delimiter, len(header))
