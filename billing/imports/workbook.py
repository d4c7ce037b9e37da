"""Open an .xlsx from anybody: refuse what is hostile or damaged before it is parsed.

An .xlsx is a zip of XML. The zip's directory says how large it becomes, and every part is unpacked
within that size before the parser sees the file; the parser holds a sheet as a full rectangle, so
the rectangle is measured as well. The same look finds formulas without a result: the parser shows
them as empty cells, and an empty cell may mean something else.
"""

import html
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum

from billing.errors import InvalidInput
from billing.imports.cells import Cell
from billing.imports.reasons import Reason

FILE_BYTES_MAX = 50 * 2**20
UNPACKED_BYTES_MAX = 400 * 2**20
PARTS_MAX = 1000
ROWS_MAX = 300_000
COLUMNS_MAX = 256
CELLS_MAX = 20_000_000
BROKEN_MAX = 10_000
"""Cells without a value; beyond them the file is refused as a whole."""

_OLD_OFFICE = b"\xd0\xcf\x11\xe0"
_MACROS = re.compile(r"vbaproject|macrosheets", re.IGNORECASE)
_SHEET_PART = re.compile(r"xl/worksheets/[^/]+\.xml")
# No pattern looks at a byte more than a few times, whatever is written: a search stops everybody.
_REFERENCE = re.compile(rb"""[\s"']r\s*=\s*["']([A-Za-z]{1,7})([0-9]{1,10})["']""")
_ERROR_CELL = re.compile(rb"""\st\s*=\s*["']e["']""")
_CELL_OR_UNCOUNTED = re.compile(rb"<c(?=\s)([^<>]*)>|(?:</f>|<f[^<>]*/>)\s*</c>")
_SHEET = re.compile(r"<sheet\b[^<>]*>")
_RELATION = re.compile(r"<Relationship\b[^<>]*>")
_DATES_OF_1904 = re.compile(rb"""date1904\s*=\s*["'](?:1|true)["']""")

Place = tuple[int, int]
"""Row and column of a cell, both from 1."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet as it stands: rows from the first on, and the cells whose formula has no result."""

    name: str
    rows: Sequence[Sequence[Cell]]
    broken: dict[Place, Reason]


def read_workbook(path: Path) -> list[Sheet]:
    """Every worksheet of an .xlsx file.

    Raises:
        InvalidInput: not a file we can read, too large, a macro workbook, damaged, or hostile.
    """
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise InvalidInput("file", f"larger than {FILE_BYTES_MAX >> 20} MB; split the sheets")
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInput("file", f"cannot be read: {error.strerror}") from error
    return parse_workbook(content)


def parse_workbook(content: bytes) -> list[Sheet]:
    """Every worksheet of the bytes of an .xlsx file; raises as `read_workbook`."""
    broken = _inspect(content)
    try:
        with CalamineWorkbook.from_filelike(BytesIO(content)) as book:
            return [
                Sheet(
                    meta.name,
                    book.get_sheet_by_name(meta.name).to_python(skip_empty_area=False),
                    broken.get(meta.name, {}),
                )
                for meta in book.sheets_metadata
                if meta.typ is SheetTypeEnum.WorkSheet
            ]
    except (CalamineError, ValueError, OSError) as error:
        raise InvalidInput("file", f"a damaged workbook: {error}") from error


def check_workbook(content: bytes) -> None:
    """Refuse what must not be parsed, without parsing it; raises as `read_workbook`."""
    if len(content) > FILE_BYTES_MAX:
        raise InvalidInput("file", f"larger than {FILE_BYTES_MAX >> 20} MB; split the sheets")
    _inspect(content)


def _inspect(content: bytes) -> dict[str, dict[Place, Reason]]:
    """Refuse what must not be parsed; formulas without a result by sheet name."""
    if content.startswith(_OLD_OFFICE):
        raise InvalidInput(
            "file", "an old .xls or a workbook with a password; save it as .xlsx without one"
        )
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            _refuse_hostile(archive)
            names = _sheet_names(archive)
            return {
                names.get(part, part): _inspect_sheet(part, archive.read(part))
                for part in _unpacked(archive)
                if _SHEET_PART.fullmatch(part)
            }
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, NotImplementedError) as error:
        raise InvalidInput("file", "not an .xlsx workbook, or a damaged one") from error
    except (EOFError, OSError, RuntimeError, ValueError, KeyError, UnicodeError) as error:
        raise InvalidInput("file", "a damaged workbook") from error


def _refuse_hostile(archive: zipfile.ZipFile) -> None:
    parts = archive.infolist()
    names = [part.filename for part in parts]
    if len(parts) > PARTS_MAX or len(set(names)) < len(names):
        raise InvalidInput("file", "an archive with too many or repeated parts, not a workbook")
    if sum(part.file_size for part in parts) > UNPACKED_BYTES_MAX:
        raise InvalidInput(
            "file", f"unpacks to more than {UNPACKED_BYTES_MAX >> 20} MB; split the sheets"
        )
    if "xl/workbook.xml" not in names:
        raise InvalidInput("file", "not an .xlsx workbook")
    if any(_MACROS.search(name) for name in names):
        raise InvalidInput("file", "contains macros; save it as .xlsx without macros")
    if _DATES_OF_1904.search(archive.read("xl/workbook.xml")):
        raise InvalidInput("file", "counts dates from 1904; copy the sheets into the template")


def _unpacked(archive: zipfile.ZipFile) -> list[str]:
    """Names of the parts, after each was unpacked once: its size and checksum are as announced."""
    for part in archive.infolist():
        with archive.open(part) as stream:
            while stream.read(1 << 20):
                pass
    return archive.namelist()


def _sheet_names(archive: zipfile.ZipFile) -> dict[str, str]:
    """Part of the archive → the name on the tab."""
    relations = archive.read("xl/_rels/workbook.xml.rels").decode()
    targets = {
        _attribute(tag, "Id"): _attribute(tag, "Target") for tag in _RELATION.findall(relations)
    }
    names = {}
    for tag in _SHEET.findall(archive.read("xl/workbook.xml").decode()):
        target = targets.get(_attribute(tag, r"\w+:id"), "").removeprefix("/xl/")
        names[f"xl/{target}"] = html.unescape(_attribute(tag, "name"))
    return names


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf"""\s{name}\s*=\s*["']([^"']*)["']""", tag)
    return found.group(1) if found else ""


def _inspect_sheet(part: str, xml: bytes) -> dict[Place, Reason]:
    rows = columns = cells = 0
    widths: dict[bytes, int] = {}
    for match in _REFERENCE.finditer(xml):
        letters, digits = match.groups()
        if letters not in widths:
            widths[letters] = _column_number(letters)
            columns = max(columns, widths[letters])
        rows, cells = max(rows, int(digits)), cells + 1
        if rows > ROWS_MAX or columns > COLUMNS_MAX or rows * columns > CELLS_MAX:
            raise InvalidInput(
                "file",
                f"{part} reaches to row {rows}, column {columns};"
                f" at most {ROWS_MAX} rows and {COLUMNS_MAX} columns are read",
            )
        if cells > 2 * rows * columns + 1000:  # a few stand in lists of what to watch, too
            raise InvalidInput("file", f"a damaged workbook: {part} has cells twice")
    return _broken(part, xml)


def _broken(part: str, xml: bytes) -> dict[Place, Reason]:
    """Cells whose formula has no result, or fails."""
    broken: dict[Place, Reason] = {}
    place: Place | None = None
    for match in _CELL_OR_UNCOUNTED.finditer(xml):
        attributes = match.group(1)
        if attributes is not None:
            reference = _REFERENCE.search(attributes)
            place = reference and (int(reference.group(2)), _column_number(reference.group(1)))
            if place and _ERROR_CELL.search(attributes):
                broken[place] = Reason.FORMULA_FAILED
        elif place:
            broken.setdefault(place, Reason.FORMULA_UNCOUNTED)
        if len(broken) > BROKEN_MAX:
            raise InvalidInput(
                "file", f"{part} has more than {BROKEN_MAX} formulas without a result"
            )
    return broken


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters[:4].upper():
        number = number * 26 + letter - ord("A") + 1
    return number
