"""A bank's file as rows of cells, whatever it is: .xlsx, .xls, or text in any usual encoding.

What a file is, is seen from its bytes: banks hand out text files named `.xls`. Pure but for opening
the file.
"""

import csv
import io
import re
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum

from billing.errors import InvalidInput
from billing.imports.cells import Cell
from billing.imports.workbook import ROWS_MAX, parse_workbook

FILE_BYTES_MAX = 50 * 2**20
OLD_OFFICE_BYTES_MAX = 20 * 2**20
DELIMITERS = ",;\t|"
LINES_LOOKED_AT = 60

Grid = list[list[Cell]]
"""Rows of cells from the first on; texts are stripped of what banks put around them."""

_OLD_OFFICE = b"\xd0\xcf\x11\xe0"
_ZIP = b"PK"
_MARKUP = re.compile(rb"\s*<(?:!doctype|html|table|\?xml|mt:|meta)", re.IGNORECASE)
_ENCODINGS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_AS_TEXT = re.compile(r'="(.*)"', re.DOTALL)
_WRAPPING = " \t\r\n\u3000\u00a0\ufeff\u200b`"


def read_grids(path: Path) -> list[Grid]:
    """Every sheet of a file; a text file is one.

    Raises:
        InvalidInput: not a file we can read, empty, too large, damaged or hostile.
    """
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise InvalidInput("file", f"larger than {FILE_BYTES_MAX >> 20} MB; split it by days")
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInput("file", f"cannot be read: {error.strerror}") from error
    return parse_grids(content)


def parse_grids(content: bytes) -> list[Grid]:
    """The same of a file's bytes."""
    if not content.strip():
        raise InvalidInput("file", "is empty")
    if content.startswith(_ZIP):
        sheets = parse_workbook(content)
        broken = [f"{sheet.name}, row {place[0]}" for sheet in sheets for place in sheet.broken]
        if broken:
            raise InvalidInput(
                "file", f"a formula without a result in {broken[0]}; save the values only"
            )
        return [_stripped(sheet.rows) for sheet in sheets]
    if content.startswith(_OLD_OFFICE):
        return _parse_old_office(content)
    if _MARKUP.match(content):
        raise InvalidInput("file", "is a web page, not a table; open it and save it as .xlsx")
    return [_parse_text(_decoded(content))]


def _parse_old_office(content: bytes) -> list[Grid]:
    if len(content) > OLD_OFFICE_BYTES_MAX:
        raise InvalidInput("file", "a large old .xls; save it as .xlsx")
    try:
        with CalamineWorkbook.from_filelike(BytesIO(content)) as book:
            return [
                _stripped(book.get_sheet_by_name(meta.name).to_python(skip_empty_area=False))
                for meta in book.sheets_metadata
                if meta.typ is SheetTypeEnum.WorkSheet
            ]
    except (CalamineError, ValueError, OSError) as error:
        raise InvalidInput(
            "file", f"a damaged .xls, or one with a password; save it as .xlsx: {error}"
        ) from error


def _decoded(content: bytes) -> str:
    """UTF-8 or UTF-16 when the file says so, UTF-8 when it is, GB18030 otherwise."""
    marked = next((name for mark, name in _ENCODINGS if content.startswith(mark)), None)
    if marked is None and b"\0" in content:  # no other text has one; ASCII has its zero behind it
        ends_low = content[1::2].count(b"\0") > content[::2].count(b"\0")
        marked = "utf-16-le" if ends_low else "utf-16-be"
    for encoding in (marked,) if marked else ("utf-8", "gb18030"):
        try:
            text = content.decode(encoding)
        except UnicodeError:
            continue
        if "\0" not in text:
            return text
    raise InvalidInput("file", "neither a workbook nor text in UTF-8, UTF-16 or GB18030")


def _parse_text(text: str) -> Grid:
    lines = text.splitlines(keepends=True)
    if len(lines) > ROWS_MAX:
        raise InvalidInput("file", f"more than {ROWS_MAX} lines; split it by days")
    delimiter = _delimiter(lines[:LINES_LOOKED_AT])
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        return _stripped(list(reader))
    except csv.Error as error:
        raise InvalidInput("file", f"line {reader.line_num}: {error}") from error


def _delimiter(lines: Sequence[str]) -> str:
    """The one that cuts most of the first lines into the same number of cells, above one."""

    def agreement(delimiter: str) -> int:
        widths = [len(cells) for cells in csv.reader(lines, delimiter=delimiter) if len(cells) > 2]
        return max((widths.count(width) * width for width in set(widths)), default=0)

    return max(DELIMITERS, key=agreement)


def _stripped(rows: Sequence[Sequence[Cell]]) -> Grid:
    return [[_bare(cell) for cell in row] for row in rows]


def _bare(cell: Cell) -> Cell:
    """A text without the marks that keep Excel from reading it as a number: a backtick, an
    apostrophe or a tab before it, or a formula around it.
    """
    if not isinstance(cell, str):
        return cell
    text = cell.strip(_WRAPPING)
    formula = _AS_TEXT.fullmatch(text)
    if formula is not None:
        text = formula.group(1).strip(_WRAPPING)
    return text[1:].strip(_WRAPPING) if text.startswith("'") else text
