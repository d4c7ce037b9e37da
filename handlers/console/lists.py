"""Lists: filtered by their view, sorted, paged by key, and all of it as an Excel file.

A page begins after a key, never at an offset: the hundredth costs as much as the first, and rows
that come meanwhile move nothing.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import IO, Any
from urllib.parse import urlencode

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import ColumnElement, Select, Subquery, func, literal, select, tuple_
from sqlalchemy.engine import Row

from billing.labels import LabelEnum
from handlers.console.desk import Desk
from handlers.console.sheets import file_of, open_book

ROWS_PER_PAGE = 50
COUNTED_MAX = 10_000
"""Rows; beyond them a list says that there are more, and the database does not count them all for
every page.
"""

ROWS_AT_ONCE = 2000
KEY = re.compile(r"[0-9]{1,18}")

Cells = Mapping[int, Mapping[str, object]]
Beside = Callable[[Sequence[Row[Any]]], Cells]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list.

    Attributes:
        name: of the file it is exported to.
        columns: what is shown; values are the names of columns of `query`, labels their heads.
        query: the rows, filtered; `key` numbers them.
        sortable: columns it may be sorted by, never null; else it is sorted by key.
        newest_first: by key, descending.
        beside: reads columns for the rows that are shown and no others: key → column → value.
        shown: column → what its value is turned into, on the page as in the file; e.g. a sealed
            name into a masked one.
    """

    name: str
    columns: type[LabelEnum]
    query: Select[*tuple[Any, ...]]
    sortable: tuple[LabelEnum, ...] = ()
    newest_first: bool = False
    beside: Beside | None = None
    shown: Mapping[LabelEnum, Callable[[Any], object]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """A page of a list.

    Attributes:
        total: rows of all pages, up to `COUNTED_MAX` and one.
        next_key: where the next page begins; None on the last one.
        has_restarted: it is the first page, because the row it was to begin behind has left the
            list and nobody knows where that was.
    """

    listing: Listing
    rows: Sequence[Row[Any]]
    total: int
    sort: LabelEnum | None
    is_descending: bool
    next_key: int | None
    is_first: bool
    has_restarted: bool
    beside: Cells

    @property
    def counted(self) -> str:
        """How many rows there are, as the page says it."""
        return str(self.total) if self.total <= COUNTED_MAX else f"{COUNTED_MAX}+"

    def value(self, row: Row[Any], column: LabelEnum) -> object:
        """What stands in a cell."""
        return _value(self.listing, row, column, self.beside)

    def link(self, **changes: object) -> str:
        """The query of this list with something changed; None takes it out."""
        values = {name: text for name, text in request.args.items() if name != "after"}
        values |= {name: str(value) for name, value in changes.items()}
        kept = {name: value for name, value in values.items() if changes.get(name, "") is not None}
        return "?" + urlencode(kept)


def show_list(
    desk: Desk, listing: Listing, template: str, **context: object
) -> ResponseReturnValue:
    """The page of a list, or with `format=xlsx` the whole list as a file."""
    if request.args.get("format") == "xlsx":
        return export(desk, listing)
    return desk.page(template, found=_read(desk, listing), **context)


def _read(desk: Desk, listing: Listing) -> Found:
    rows = listing.query.order_by(None).subquery("listed")
    sort, is_descending = _asked_order(listing)
    page = _ordered(rows, sort, is_descending)
    after = request.args.get("after", "")
    is_behind = KEY.fullmatch(after) is not None
    place = _place(desk, rows, sort, int(after)) if is_behind else None
    if place is not None:
        here = tuple_(*_columns(rows, sort))
        page = page.where(here < place if is_descending else here > place)
    read = desk.session.execute(page.limit(ROWS_PER_PAGE + 1)).all()
    shown = read[:ROWS_PER_PAGE]
    return Found(
        listing=listing,
        rows=shown,
        total=_count(desk, rows),
        sort=sort,
        is_descending=is_descending,
        next_key=shown[-1].key if len(read) > len(shown) else None,
        is_first=place is None,
        has_restarted=is_behind and place is None,
        beside=_beside(listing, shown),
    )


def _count(desk: Desk, rows: Subquery) -> int:
    counted = select(rows.c.key).limit(COUNTED_MAX + 1).subquery("counted")
    return desk.session.scalars(select(func.count()).select_from(counted)).one()


def _beside(listing: Listing, rows: Sequence[Row[Any]]) -> Cells:
    return listing.beside(rows) if listing.beside is not None else {}


def _value(listing: Listing, row: Row[Any], column: LabelEnum, beside: Cells) -> object:
    extra = beside.get(row.key, {})
    value = extra[column.value] if column.value in extra else row._mapping.get(column.value)
    turn = listing.shown.get(column)
    return value if turn is None else turn(value)


def _asked_order(listing: Listing) -> tuple[LabelEnum | None, bool]:
    """The column a list is sorted by, none for its key, and whether descending."""
    sort = next((one for one in listing.sortable if one.value == request.args.get("sort")), None)
    if sort is None:
        return None, listing.newest_first
    return sort, request.args.get("order") == "desc"


def _columns(rows: Subquery, sort: LabelEnum | None) -> list[ColumnElement[Any]]:
    return [rows.c.key] if sort is None else [rows.c[sort.value], rows.c.key]


def _ordered(
    rows: Subquery, sort: LabelEnum | None, is_descending: bool
) -> Select[*tuple[Any, ...]]:
    columns = _columns(rows, sort)
    return select(rows).order_by(*(one.desc() if is_descending else one for one in columns))


def _place(
    desk: Desk, rows: Subquery, sort: LabelEnum | None, key: int
) -> ColumnElement[Any] | None:
    """Where the row with this key stands. What a list is sorted by is asked of the database, not of
    the browser; None when the row is there no more.
    """
    if sort is None:
        return tuple_(literal(key))
    found = desk.session.execute(
        select(*_columns(rows, sort)).where(rows.c.key == key)
    ).one_or_none()
    if found is None:
        return None
    return tuple_(literal(found[0], rows.c[sort.value].type), literal(key))


def export(desk: Desk, listing: Listing) -> ResponseReturnValue:
    """Every row in the list's order, streamed through a file on disk: memory does not grow with the
    list.
    """
    return file_of(f"{listing.name}-{desk.today.isoformat()}", partial(_write, desk, listing))


def _write(desk: Desk, listing: Listing, file: IO[bytes]) -> None:
    with open_book(file) as book:
        columns = list(listing.columns)
        sheet = book.sheet([column.label for column in columns])
        listed = listing.query.order_by(None).subquery("listed")
        rows = desk.session.execute(
            _ordered(listed, *_asked_order(listing)),
            execution_options={"yield_per": ROWS_AT_ONCE},
        )
        for part in rows.partitions():
            beside = _beside(listing, part)
            for row in part:
                sheet.add([_value(listing, row, column, beside) for column in columns])
