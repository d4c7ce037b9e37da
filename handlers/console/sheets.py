"""Excel files, and a value as it is written into a cell; streamed through a file on disk."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from tempfile import TemporaryFile
from typing import IO

import xlsxwriter
from flask import send_file
from flask.typing import ResponseReturnValue
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from billing.labels import LabelEnum
from billing.money import Money
from notify.wording import clock, percent, yuan

WIDTH = 16
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
"""Texts stay texts: none becomes a formula or a link when somebody opens the file."""


class Answer(LabelEnum):
    """How yes, no and nothing are written."""

    YES = "yes", "是"
    NO = "no", "否"
    NOTHING = "nothing", "无"


@dataclass(frozen=True, slots=True)
class Table:
    """A sheet of a file.

    Attributes:
        rows: each as long as `heads`; a `Fraction` is a share and written in per cent.
    """

    title: str
    heads: Sequence[str]
    rows: Iterable[Sequence[object]]


@dataclass(slots=True)
class Sheet:
    """A sheet that is written row by row."""

    _sheet: Worksheet
    _money: Format
    _day: Format
    _share: Format
    _number: int = 0

    def add(self, values: Sequence[object]) -> None:
        """Write the next row."""
        self._number += 1
        for place, value in enumerate(values):
            self._write(place, value)

    def _write(self, place: int, value: object) -> None:
        if isinstance(value, Money):
            self._sheet.write_number(self._number, place, float(value.yuan), self._money)
        elif isinstance(value, Fraction):
            self._sheet.write_number(self._number, place, float(value), self._share)
        elif is_number(value):
            self._sheet.write_number(self._number, place, value)
        elif isinstance(value, date) and not isinstance(value, datetime):
            self._sheet.write_datetime(self._number, place, value, self._day)
        else:
            self._sheet.write_string(self._number, place, cell(value))


class Book:
    """A file of sheets, one after the other."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self._book = book
        self._bold = book.add_format({"bold": True})
        self._formats = [
            book.add_format({"num_format": form}) for form in ("#,##0.00", "yyyy-mm-dd", "0.0%")
        ]

    def sheet(self, heads: Sequence[str], title: str | None = None) -> Sheet:
        """The next sheet, with its heads written."""
        sheet = self._book.add_worksheet(title)
        sheet.set_column(0, len(heads) - 1, WIDTH)
        sheet.freeze_panes(1, 0)
        for place, head in enumerate(heads):
            sheet.write_string(0, place, head, self._bold)
        return Sheet(sheet, *self._formats)


@contextmanager
def open_book(file: IO[bytes]) -> Iterator[Book]:
    """A workbook that is written into a file; memory does not grow with it."""
    with xlsxwriter.Workbook(file, OPTIONS) as book:
        yield Book(book)


def file_of(name: str, write: Callable[[IO[bytes]], None]) -> ResponseReturnValue:
    """What is written, as a file to be kept."""
    file = TemporaryFile()  # noqa: SIM115  # sent, and closed by whoever sends it
    write(file)
    file.seek(0)
    return send_file(file, mimetype=XLSX, as_attachment=True, download_name=f"{name}.xlsx")


def send_tables(name: str, tables: Sequence[Table]) -> ResponseReturnValue:
    """Small tables in one file, a sheet each."""

    def write(file: IO[bytes]) -> None:
        with open_book(file) as book:
            for table in tables:
                sheet = book.sheet(table.heads, table.title)
                for row in table.rows:
                    sheet.add(row)

    return file_of(name, write)


def cell(value: object) -> str:
    """A value as a person reads it in a table."""
    match value:
        case None | "":
            return Answer.NOTHING.label
        case bool():
            return (Answer.YES if value else Answer.NO).label
        case LabelEnum():
            return value.label
        case Money():
            return yuan(value)
        case Fraction():
            return percent(value)
        case datetime():
            return clock(value)
        case dict():
            return "; ".join(f"{name}={cell(one)}" for name, one in value.items())
        case list():
            return ", ".join(map(str, value))
        case _:
            return str(value)


def is_number(value: object) -> bool:
    """Whether a cell is aligned as a figure."""
    return isinstance(value, Money | Decimal | int | Fraction) and not isinstance(value, bool)
