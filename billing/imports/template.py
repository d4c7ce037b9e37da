"""Workbooks we write: the template to fill in, and the report of what is wrong with one."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xlsxwriter
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from billing.errors import InvalidInput
from billing.imports.cells import (
    read_code,
    read_day,
    read_document,
    read_last_day,
    read_name,
    read_phone,
    read_room,
    read_subject,
    read_text,
)
from billing.imports.columns import Column, SheetKind
from billing.imports.parsing import COMMENT, REQUIRED_MARK
from billing.imports.reasons import Fault
from billing.imports.sheets import columns_of
from billing.imports.wording import headings, note, words

LAST_ROW = 100_000
"""Lists and formats of the template reach as far as this."""
WIDTH = 16
TEXT_FORMAT = 49
"""Excel's own number of the format of text."""
TEXT_READERS = (
    read_text,
    read_name,
    read_document,
    read_code,
    read_room,
    read_subject,
    read_phone,
)


def write_template(path: Path) -> None:
    """Write the template: a sheet of notes, then one sheet per kind with headings and an example.

    Text columns are formatted as text, so that Excel makes no date of `3-2-01`.

    Raises:
        InvalidInput: the file exists, and may have been filled in, or cannot be written.
    """
    with _new_workbook(path) as book:
        styles = {
            "required": book.add_format({"bold": True, "bg_color": "#FFE699", "border": 1}),
            "optional": book.add_format({"bold": True, "bg_color": "#DDEBF7", "border": 1}),
            "example": book.add_format({"italic": True, "font_color": "#7F7F7F"}),
            "text": book.add_format({"num_format": TEXT_FORMAT}),
            "date": book.add_format({"num_format": "yyyy-mm-dd"}),
        }
        notes = book.add_worksheet(words()["notes"]["title"])
        notes.set_column(0, 0, WIDTH * 6)
        lines = [*words()["notes"]["lines"], *(f"{kind.label}: {note(kind)}" for kind in SheetKind)]
        for at, line in enumerate(lines):
            notes.write_string(at, 0, line)
        for kind in SheetKind:
            _write_sheet(book.add_worksheet(kind.label), kind, styles)


def write_faults(path: Path, faults: Iterable[Fault]) -> None:
    """Write the report of what is wrong, one fault per row.

    Raises:
        InvalidInput: the file exists or cannot be written.
    """
    rows = [(fault.sheet, fault.row or "", fault.column, fault.reason) for fault in faults]
    write_table(path, {words()["faults"]["title"]: (words()["faults"]["headings"], rows)})


def write_table(path: Path, tables: dict[str, tuple[list[str], list[tuple[Any, ...]]]]) -> None:
    """Write sheets of plain rows. A text is never taken for a formula.

    Raises:
        InvalidInput: the file exists or cannot be written.
    """
    with _new_workbook(path) as book:
        bold = book.add_format({"bold": True})
        for title, (titles, rows) in tables.items():
            sheet = book.add_worksheet(title)
            sheet.set_column(0, len(titles) - 1, WIDTH)
            sheet.freeze_panes(1, 0)
            sheet.write_row(0, 0, titles, bold)
            for at, row in enumerate(rows, start=1):
                sheet.write_row(at, 0, row)


@contextmanager
def _new_workbook(path: Path) -> Iterator[xlsxwriter.Workbook]:
    if path.exists():
        raise InvalidInput("file", f"{path.name} exists already; name another file")
    options = {"strings_to_formulas": False, "strings_to_urls": False}
    try:
        with xlsxwriter.Workbook(path, options) as book:
            yield book
    except FileCreateError as error:
        raise InvalidInput("file", f"cannot be written: {error}") from error


def _write_sheet(sheet: Worksheet, kind: SheetKind, styles: dict[str, Format]) -> None:
    sheet.freeze_panes(1, 0)
    for at, (key, column) in enumerate(columns_of(kind).items()):
        words_of = headings(kind)[key]
        mark, style = (REQUIRED_MARK, "required") if column.required else ("", "optional")
        sheet.write_string(0, at, words_of.heading + mark, styles[style])
        if words_of.help:
            sheet.write_comment(0, at, words_of.help)
        sheet.set_column(at, at, WIDTH, _format_of(column, styles))
        prefix = f"{COMMENT} " if at == 0 else ""
        sheet.write_string(1, at, prefix + words_of.example, styles["example"])
        if column.options:
            labels = [option.label for option in column.options]
            sheet.data_validation(1, at, LAST_ROW, at, {"validate": "list", "source": labels})


def _format_of(column: Column, styles: dict[str, Format]) -> Format | None:
    if column.read in (read_day, read_last_day):
        return styles["date"]
    return styles["text"] if column.read in TEXT_READERS else None
