"""A batch as the bank takes it: .xlsx or .csv, one row per order."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import xlsxwriter

from billing.direct_debit.batches import Line
from billing.direct_debit.words import words
from billing.errors import InvalidInput


def write_batch(path: Path, number: str, lines: Sequence[Line]) -> None:
    """Write the file; its ending says which: `.xlsx`, or `.csv` in UTF-8 with a BOM, which Excel
    needs. An existing file is replaced.

    Raises:
        InvalidInput: another ending, or a path that cannot be written.
    """
    rows = [list(words("out").values()), *(_cells(number, line) for line in lines)]
    try:
        if path.suffix == ".xlsx":
            _write_workbook(path, rows)
        elif path.suffix == ".csv":
            text = io.StringIO(newline="")
            csv.writer(text).writerows(rows)
            path.write_bytes(text.getvalue().encode("utf-8-sig"))
        else:
            raise InvalidInput("file", f"{path.name} must end in .xlsx or .csv")
    except (OSError, xlsxwriter.exceptions.FileCreateError) as error:
        raise InvalidInput("file", f"{path.name} cannot be written: {error}") from error


def _cells(number: str, line: Line) -> list[str]:
    return [number, str(line.no), line.holder, line.account, line.amount.yuan, line.remark]


def _write_workbook(path: Path, rows: Sequence[Sequence[str]]) -> None:
    # As text: Excel would keep fifteen digits of an account and make 1.10 of 1.1.
    with xlsxwriter.Workbook(path, {"strings_to_numbers": False}) as book:
        sheet = book.add_worksheet(words("sheet"))
        for at, row in enumerate(rows):
            for column, cell in enumerate(row):
                sheet.write_string(at, column, cell)
