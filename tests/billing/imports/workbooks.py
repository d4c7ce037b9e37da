"""Real .xlsx files for tests: what a clerk would have typed, by column key."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import xlsxwriter
from sqlalchemy.orm import Session

from billing.imports.columns import SheetKind
from billing.imports.parsing import Advance
from billing.imports.run import Outcome, import_workbook
from billing.imports.wording import headings
from billing.imports.workbook import parse_workbook
from billing.people import Staff
from billing.privacy import Vault
from tests.conftest import NOW, TODAY, World

Rows = Sequence[Mapping[str, Any]]
Content = Mapping[SheetKind, Rows]


def xlsx(content: Mapping[str, Sequence[Sequence[Any]]]) -> bytes:
    """A file with these sheets of cells."""
    file = BytesIO()
    with xlsxwriter.Workbook(file, {"strings_to_formulas": False}) as book:
        date_format = book.add_format({"num_format": "yyyy-mm-dd"})
        for name, rows in content.items():
            sheet = book.add_worksheet(name)
            for at, row in enumerate(rows):
                for column, cell in enumerate(row):
                    if hasattr(cell, "year"):
                        sheet.write_datetime(at, column, cell, date_format)
                    elif cell is not None:
                        sheet.write(at, column, cell)
    return file.getvalue()


def filled(content: Content) -> bytes:
    """A file with the headings of these sheets and rows given by column key."""
    cells = {}
    for kind, rows in content.items():
        words = headings(kind)
        lines = [[word.heading for word in words.values()]]
        lines += [[row.get(key) for key in words] for row in rows]
        cells[kind.label] = lines
    return xlsx(cells)


def take(
    session: Session,
    vault: Vault,
    content: Content,
    *,
    code: str = "HY",
    by: Staff | None = None,
    write: bool = True,
    advance: Advance = lambda _: None,
) -> Outcome:
    """Import rows into a community."""
    sheets = parse_workbook(filled(content))
    return import_workbook(
        session, sheets, code, vault, by=by, today=TODAY, now=NOW, write=write, advance=advance
    )


def take_into(world: World, vault: Vault, content: Content, *, by: Staff | None = None) -> Outcome:
    """Import rows into the world's community, in a transaction of their own."""
    with world.database.transaction() as session:
        return take(session, vault, content, by=by)


def complaints(outcome: Outcome) -> list[tuple[str, int, str, str]]:
    """Sheet, row, column and reason of every fault."""
    return [(one.sheet, one.row, one.column, one.reason) for one in outcome.faults]


def counts(outcome: Outcome) -> dict[str, tuple[int, int, int]]:
    """Created, updated and unchanged rows by sheet."""
    return {
        kind.value: (tally.created, tally.updated, tally.unchanged)
        for kind, tally in outcome.sheets.items()
    }
