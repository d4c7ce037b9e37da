"""From sheets to rows: every cell of every row is read, and every fault of all of them is kept."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from billing.imports.cells import Cell
from billing.imports.columns import Column, SheetKind
from billing.imports.reasons import Fault, Reason, Unreadable
from billing.imports.sheets import ROWS, Row, columns_of
from billing.imports.wording import headings, words
from billing.imports.workbook import Sheet

COMMENT = "#"
"""Begins the first cell of an example or a remark."""
REQUIRED_MARK = "*"
ROWS_PER_REPORT = 1000

AnyRow = TypeVar("AnyRow", bound=Row)
Advance = Callable[[int], None]
"""Told how many rows more were done."""


PlacedColumn = tuple[str, Column, int | None]
"""Key, column, and where it stands in the sheet; None where it was left out."""


class Faults:
    """The faults found so far, in the order of the workbook's checks."""

    def __init__(self) -> None:
        self.found: list[Fault] = []

    def __bool__(self) -> bool:
        return bool(self.found)

    def add(self, row: Row, column: str, reason: Reason, **blanks: object) -> None:
        """A fault of a row that was read; `column` is the key of the field."""
        kind = row.sheet
        self.cell(kind, row.row, column, reason.label.format(**blanks))

    def cell(self, kind: SheetKind, row: int, column: str, sentence: str) -> None:
        """A fault of a cell."""
        self.found.append(Fault(kind.label, row, headings(kind)[column].heading, sentence))

    def sheet(self, name: str, reason: Reason, row: int = 0, column: str = "") -> None:
        """A fault of a whole sheet or of its headings."""
        self.found.append(Fault(name, row, column, reason.label))


@dataclass(slots=True)
class Book:
    """What a workbook holds, by sheet; `total` counts all rows."""

    rows: dict[SheetKind, list[Row]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Rows of all sheets."""
        return sum(len(rows) for rows in self.rows.values())

    def of(self, kind: type[AnyRow]) -> list[AnyRow]:
        """The rows of a sheet; none when it is absent."""
        return self.rows.get(kind.sheet, [])  # type: ignore[return-value]  # keyed by class


def read_book(sheets: Iterable[Sheet], faults: Faults, advance: Advance = lambda _: None) -> Book:
    """Read every known sheet. Rows with a fault are left out, and so is an empty sheet.

    A sheet or column nobody knows is a fault where it is not empty: what was written under
    a misspelt heading must not be lost silently.
    """
    book = Book()
    kinds = {kind.label: kind for kind in SheetKind}
    for sheet in sheets:
        kind = kinds.get(sheet.name.strip())
        if kind is not None:
            book.rows[kind] = list(_read_sheet(kind, sheet, faults, advance))
        elif sheet.name != words()["notes"]["title"] and any(map(_filled, sheet.rows)):
            faults.sheet(sheet.name, Reason.UNKNOWN_SHEET)
    if not faults and not book.total:
        faults.sheet("", Reason.NO_ROWS)
    return book


def _filled(cells: Sequence[Cell]) -> bool:
    return any(cell != "" and cell is not None for cell in cells)


def _read_sheet(kind: SheetKind, sheet: Sheet, faults: Faults, advance: Advance) -> Iterable[Row]:
    filled = [(no, cells) for no, cells in enumerate(sheet.rows, start=1) if _filled(cells)]
    if not filled:
        return
    top, titles = filled[0]
    columns = _match_columns(kind, top, titles, faults)
    if columns is None:
        return
    seen: dict[tuple[Any, ...], int] = {}
    done = 0
    for no, cells in filled[1:]:
        if isinstance(cells[0], str) and cells[0].lstrip().startswith(COMMENT):
            continue
        row = _read_row(kind, no, cells, columns, sheet.broken, faults)
        if row is not None and _is_first(row, seen, faults):
            yield row
        done += 1
        if done % ROWS_PER_REPORT == 0:
            advance(ROWS_PER_REPORT)
    advance(done % ROWS_PER_REPORT)


def _match_columns(
    kind: SheetKind, top: int, titles: Sequence[Cell], faults: Faults
) -> list[PlacedColumn] | None:
    """Each column with its place in the sheet; None where the headings cannot be used."""
    keys = {words.heading: key for key, words in headings(kind).items()}
    places: dict[str, int] = {}
    usable = True
    for at, title in enumerate(titles):
        text = "".join(str(title).split()).rstrip(REQUIRED_MARK) if title is not None else ""
        if not text:
            continue
        key = keys.get(text)
        if key is None or key in places:
            reason = Reason.UNKNOWN_COLUMN if key is None else Reason.REPEATED_COLUMN
            faults.sheet(kind.label, reason, top, text[:30])
            usable = False
        else:
            places[key] = at
    for key, column in columns_of(kind).items():
        if column.required and key not in places:
            faults.sheet(kind.label, Reason.MISSING_COLUMN, top, headings(kind)[key].heading)
            usable = False
    if not usable:
        return None
    return [(key, column, places.get(key)) for key, column in columns_of(kind).items()]


def _read_row(
    kind: SheetKind,
    no: int,
    cells: Sequence[Cell],
    columns: list[PlacedColumn],
    broken: dict[tuple[int, int], Reason],
    faults: Faults,
) -> Row | None:
    values: dict[str, Any] = {}
    sound = True
    for key, column, at in columns:
        cell = cells[at] if at is not None else ""
        try:
            if broken and at is not None and (no, at + 1) in broken:
                raise Unreadable(broken[no, at + 1])
            values[key] = _read_cell(column, cell)
        except Unreadable as error:
            faults.cell(kind, no, key, error.sentence)
            sound = False
    return ROWS[kind](row=no, **values) if sound else None


def _read_cell(column: Column, cell: Cell) -> Any:
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        if column.required:
            raise Unreadable(Reason.REQUIRED)
        return column.absent
    return column.read(cell)


def _is_first(row: Row, seen: dict[tuple[Any, ...], int], faults: Faults) -> bool:
    if not row.key:
        return True
    key = tuple(getattr(row, name) for name in row.key)
    first = seen.setdefault(key, row.row)
    if first != row.row:
        faults.add(row, row.key[0], Reason.REPEATED, other=first)
    return first == row.row
