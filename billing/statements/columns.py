"""Which column of a bank's statement is what: told by staff, remembered per bank, or guessed.

Headings stand somewhere below title lines, sometimes in two rows with a merged cell above. Pure.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import zip_longest
from typing import Any

from billing.errors import InvalidInput
from billing.imports.cells import Cell
from billing.statements.grid import Grid
from billing.statements.words import words

ROWS_ABOVE_MAX = 60
SHOWN_MAX = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Headings by what they mean. An amount is either one signed column, with or without a word for
    its direction, or a column for each direction.
    """

    date: str | None = None
    time: str | None = None
    amount: str | None = None
    direction: str | None = None
    credit: str | None = None
    debit: str | None = None
    payer_name: str | None = None
    payer_account: str | None = None
    remarks: tuple[str, ...] = ()
    serial: str | None = None
    balance: str | None = None

    def as_json(self) -> dict[str, Any]:
        """As it is remembered: what is known."""
        return {key: value for key, value in asdict(self).items() if value}

    @property
    def keyed_by(self) -> str:
        """The columns that tell rows apart: statements read with others must not overlap."""
        if self.serial is not None:
            return f"serial {self.serial}"
        parts = (self.date, self.time, self.amount, self.credit, self.debit, self.payer_name,
                 *self.remarks, self.balance)  # fmt: skip
        return "rows " + "/".join(part or "" for part in parts)

    def missing(self) -> list[str]:
        """What is needed and not there."""
        absent = [] if self.date else ["date"]
        return absent if self.amount or self.credit else [*absent, "amount or credit"]


KEYS = tuple(field.name for field in fields(Columns))
TABLE_KEYS = tuple(key for key in KEYS if key != "remarks")


def columns_from(given: Mapping[str, Any]) -> Columns:
    """Columns as somebody names them: key → heading, `remarks` a heading or several.

    Raises:
        InvalidInput: a key that is none, or a heading that is no text.
    """
    unknown = sorted(set(given) - set(KEYS))
    if unknown:
        raise InvalidInput("columns", f"{', '.join(unknown)} is none of {', '.join(KEYS)}")
    values: dict[str, Any] = {}
    for key, value in given.items():
        texts = value if key == "remarks" and isinstance(value, list | tuple) else [value]
        if not all(isinstance(text, str) and text.strip() for text in texts):
            raise InvalidInput("columns", f"{key}: name a heading of the file")
        plain = tuple(heading_of(text) for text in texts)
        values[key] = plain if key == "remarks" else plain[0]
    return Columns(**values)


@dataclass(frozen=True, slots=True)
class Table:
    """A grid whose headings were found: where its rows begin and which cell is what."""

    columns: Columns
    first_row: int
    """Index in the grid of the first row below the headings."""
    places: Mapping[str, tuple[int, ...]]
    """Key → indexes of its cells; one but for remarks."""


def heading_of(cell: Cell) -> str:
    """A heading as it is compared: plain forms of letters and brackets, nothing blank inside."""
    text = unicodedata.normalize("NFKC", cell) if isinstance(cell, str) else ""
    return re.sub(r"\s", "", text).lower()


def find_table(
    grids: Sequence[Grid], told: Mapping[str, Any], remembered: Columns | None
) -> tuple[Grid, Table]:
    """The sheet that holds a statement, and its columns.

    Args:
        told: what staff say, key → heading; their word counts, the rest is remembered or guessed.
            An empty heading: there is no such column.
        remembered: how this bank's last file was read; used as long as its headings are there.

    Raises:
        InvalidInput: `told` names no column of ours, or no row of headings holds a date and an
            amount; the message names the headings that were found and what is needed.
    """
    without = frozenset(key for key, value in told.items() if not value)
    named = columns_from({key: value for key, value in told.items() if value})
    best: tuple[int, list[str], list[str]] = (-1, [], [])
    for grid in grids:
        for at, headings, height in _candidates(grid):
            known = _recognised(headings)
            columns = _choose(headings, named, without, remembered)
            missing = columns.missing() if columns else ["the headings that were named"]
            if columns is not None and not missing:
                places = _places(headings, columns)
                return grid, Table(columns, at + height, places)
            if known > best[0]:
                best = (known, [heading for heading in headings if heading], missing)
    found = ", ".join(heading[:SHOWN_MAX] for heading in best[1][:SHOWN_MAX]) or "none"
    raise InvalidInput(
        "columns",
        f"needed but not found: {', '.join(best[2] or ['date', 'amount or credit'])};"
        f" headings found: {found}; say which is which, e.g. --column date=…",
    )


def _candidates(grid: Grid) -> list[tuple[int, list[str], int]]:
    """Rows that may be headings: index, headings, how many rows they take. Where the row below
    holds headings too, the two stand under merged cells and are read as one.
    """
    found = []
    for at, row in enumerate(grid[:ROWS_ABOVE_MAX]):
        upper = [heading_of(cell) for cell in row]
        if sum(map(bool, upper)) < 2:
            continue
        lower = [heading_of(cell) for cell in grid[at + 1]] if at + 1 < len(grid) else []
        if _recognised(upper) and _recognised(lower) >= 2:
            pairs = zip_longest(lower, upper, fillvalue="")
            found.append((at, [low or up for low, up in pairs], 2))
        found.append((at, upper, 1))
    return found


def _recognised(headings: Sequence[str]) -> int:
    known = {heading for key in KEYS for heading in words("headings").get(key, ())}
    return sum(heading in known for heading in headings)


def _choose(
    headings: Sequence[str],
    told: Columns,
    without: Collection[str],
    remembered: Columns | None,
) -> Columns | None:
    """Columns of this row of headings; None when one that staff named is not there."""
    there = set(headings)
    named = _values(told)
    if any(text not in there for key in named for text in _texts(named[key])):
        return None
    kept = {
        key: value
        for key, value in _values(remembered).items()
        if all(text in there for text in _texts(value))
    }
    # What is remembered is taken as a whole or not at all: half of it would key rows differently.
    whole = kept if kept and kept == _values(remembered) else {}
    guessed = {} if whole else _guess(headings, taken=named)
    chosen = {k: v for k, v in (guessed | whole | named).items() if k not in without}
    if named.keys() & {"credit", "debit"}:
        chosen = {k: v for k, v in chosen.items() if k not in {"amount", "direction"} or k in named}
    if "amount" in named:
        chosen = {k: v for k, v in chosen.items() if k not in {"credit", "debit"} or k in named}
    if chosen.get("time") == chosen.get("date"):
        chosen.pop("time", None)
    return Columns(**chosen)


def _values(columns: Columns | None) -> dict[str, Any]:
    if columns is None:
        return {}
    return {key: getattr(columns, key) for key in KEYS if getattr(columns, key)}


def _texts(value: str | Sequence[str]) -> Sequence[str]:
    return (value,) if isinstance(value, str) else value


def _guess(headings: Sequence[str], taken: Mapping[str, Any]) -> dict[str, Any]:
    """Columns by the headings banks usually have; a heading means one thing only."""
    free = set(headings) - {text for value in taken.values() for text in _texts(value)}
    usual = words("headings")
    found: dict[str, Any] = {}
    for key in TABLE_KEYS:
        if key in taken:
            continue
        match = next((text for text in usual[key] if text in free), None)
        if match is not None:
            found[key] = match
            free.discard(match)
    if found.get("credit"):
        found = {key: value for key, value in found.items() if key not in {"amount", "direction"}}
    elif found.get("amount"):
        found.pop("debit", None)
    remarks = tuple(heading for heading in headings if heading in usual["remarks"])
    return found | ({"remarks": remarks} if remarks else {})


def _places(headings: Sequence[str], columns: Columns) -> dict[str, tuple[int, ...]]:
    """Where each column stands; of two columns with one heading the first counts."""
    return {
        key: tuple(headings.index(text) for text in _texts(value))
        for key, value in _values(columns).items()
    }
