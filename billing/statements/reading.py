"""From cells to movements of the account. Pure; a row that cannot be read is named, never guessed.

Amounts are positive when money came in. Rows without a day (totals, footers) and without an amount
are left out and counted; a row with an amount that is not understood refuses the whole file.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from billing.business_day import BEIJING, business_date
from billing.errors import InvalidInput
from billing.imports.cells import Cell, read_day, read_decimal
from billing.imports.reasons import Unreadable
from billing.money import FEN_PER_YUAN, Money
from billing.statements.columns import Table
from billing.statements.grid import Grid
from billing.statements.words import words

FIRST = date(2000, 1, 1)
NOON = time(12)
"""Of a movement whose bank says only the day."""
AMOUNT_MAX = Decimal(10) ** 10
FAULTS_SHOWN_MAX = 5
TEXT_MAX = 500

_STAMP = re.compile(
    r"([0-9]{4})\D?([0-9]{1,2})\D?([0-9]{1,2})\D{0,2}[\sT]{0,2}"
    r"([0-9]{2}):?([0-9]{2})(?::?([0-9]{2}))?(?:\.[0-9]+)?"
)
_CLOCK = re.compile(r"([0-9]{1,2}):?([0-9]{2})(?::?([0-9]{2}))?(?:\.[0-9]+)?")
_BRACKETED = re.compile(r"\((.+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRow:
    """One movement as the bank tells it. `line` counts the rows of the sheet from 1."""

    line: int
    value_at: datetime
    amount: Money
    payer_name: str
    payer_account: str
    remark: str
    serial: str | None
    balance: str

    @property
    def value_on(self) -> date:
        """The day of it in Beijing."""
        return business_date(self.value_at)


@dataclass(frozen=True, slots=True)
class Read:
    """What a file says, in its order."""

    rows: tuple[ReadRow, ...]
    skipped: int


class UnreadableCell(Exception):
    """Why a row cannot be read."""


def read_rows(grid: Grid, table: Table) -> Read:
    """Every movement below the headings.

    Raises:
        InvalidInput: a row cannot be read, or there is none; names the first rows and why.
    """
    rows, faults, skipped = [], [], 0
    for at in range(table.first_row, len(grid)):
        cells = grid[at]
        if not any(_present(cell) for cell in cells):
            continue
        try:
            row = _read(cells, table, at + 1)
        except UnreadableCell as fault:
            faults.append(f"row {at + 1}: {fault}")
            continue
        if row is None:
            skipped += 1
        else:
            rows.append(row)
    if faults:
        more = (
            f" and {len(faults) - FAULTS_SHOWN_MAX} more" if len(faults) > FAULTS_SHOWN_MAX else ""
        )
        raise InvalidInput("file", "; ".join(faults[:FAULTS_SHOWN_MAX]) + more)
    if not rows:
        raise InvalidInput("file", "no movements below the headings")
    return Read(tuple(rows), skipped)


def _present(cell: Cell) -> bool:
    return cell is not None and cell != ""


def _cell(cells: Sequence[Cell], table: Table, key: str) -> Cell:
    places = table.places.get(key)
    return cells[places[0]] if places and places[0] < len(cells) else ""


def _read(cells: Sequence[Cell], table: Table, line: int) -> ReadRow | None:
    day = _cell(cells, table, "date")
    if _is_words(day):
        if _begins_as_total(day) or _begins_as_total(_first(cells)) or not _amount(cells, table):
            return None
        raise UnreadableCell("an amount without a day")
    amount = _amount(cells, table)
    if not amount:
        return None
    return ReadRow(
        line=line,
        value_at=_value_at(day, _cell(cells, table, "time")),
        amount=amount,
        payer_name=text_of(_cell(cells, table, "payer_name")),
        payer_account=text_of(_cell(cells, table, "payer_account")),
        remark=_remark(cells, table),
        serial=text_of(_cell(cells, table, "serial")) or None,
        balance=_balance(_cell(cells, table, "balance")),
    )


def _first(cells: Sequence[Cell]) -> Cell:
    return next((cell for cell in cells if _present(cell)), "")


def _is_words(cell: Cell) -> bool:
    """Whether a cell that should hold a day is empty or says something else."""
    return isinstance(cell, str) and (not re.search("[0-9]", cell) or _begins_as_total(cell))


def _begins_as_total(cell: Cell) -> bool:
    if not isinstance(cell, str):
        return False
    plain = unicodedata.normalize("NFKC", cell).replace(" ", "")
    return plain.startswith(tuple(words("totals")))


def _amount(cells: Sequence[Cell], table: Table) -> Money:
    if "credit" in table.places:
        came = read_amount(_cell(cells, table, "credit"))
        went = read_amount(_cell(cells, table, "debit"))
        if came and went:
            raise UnreadableCell("an amount in both directions")
        return came or -went
    amount = read_amount(_cell(cells, table, "amount"))
    if "direction" not in table.places or not amount:
        return amount
    word = text_of(_cell(cells, table, "direction")).replace(" ", "").lower()
    if word in words("credit_words"):
        return amount
    if word in words("debit_words"):
        return amount if amount.fen < 0 else -amount
    raise UnreadableCell(f"{word[:20]!r} says neither in nor out")


def read_amount(cell: Cell) -> Money:
    """Yuan in any of the usual spellings, exact; nothing for an empty cell.

    Raises:
        UnreadableCell: not a number, parts of a fen, or absurd.
    """
    if isinstance(cell, str):
        text = unicodedata.normalize("NFKC", cell).replace(" ", "")
        for word in words("currency"):
            text = text.replace(unicodedata.normalize("NFKC", word), "")
        if not text or text in words("no_amount"):
            return Money(0)
        bracketed = _BRACKETED.fullmatch(text)
        cell = f"-{bracketed.group(1)}" if bracketed else text
    if not _present(cell):
        return Money(0)
    try:
        yuan = read_decimal(cell)
    except Unreadable as error:
        raise UnreadableCell(f"{str(cell)[:20]!r} is not an amount") from error
    fen = yuan * FEN_PER_YUAN
    if fen != int(fen) or abs(yuan) > AMOUNT_MAX:
        raise UnreadableCell(f"{yuan} is not an amount in yuan and fen")
    return Money(int(fen))


def _balance(cell: Cell) -> str:
    """A balance as it tells rows apart: `100`, `100.00` and 100.0 are one."""
    try:
        return read_amount(cell).yuan
    except UnreadableCell:
        return text_of(cell)


def text_of(cell: Cell) -> str:
    """A cell as text on one line: a whole number as its digits."""
    if isinstance(cell, float) and cell == int(cell) and abs(cell) < 10**15:
        cell = int(cell)
    return " ".join(str("" if cell is None else cell).split())[:TEXT_MAX]


def _remark(cells: Sequence[Cell], table: Table) -> str:
    places = table.places.get("remarks", ())
    texts = [text_of(cells[at]) for at in places if at < len(cells)]
    return " ".join(text for text in texts if text)


def _value_at(day: Cell, clock: Cell) -> datetime:
    """The moment, in Beijing, of a day cell that may carry the time and of a time cell."""
    stamp = _stamp(day)
    if stamp is None:
        stamp = datetime.combine(_day(day), _clock(clock), BEIJING)
    elif stamp.time() == time(0) and _present(clock):
        stamp = datetime.combine(stamp.date(), _clock(clock), BEIJING)
    return stamp


def _stamp(cell: Cell) -> datetime | None:
    """Day and time in one cell, or None when it holds a day alone."""
    if isinstance(cell, datetime):
        return None if cell.time() == time(0) else cell.replace(tzinfo=BEIJING)
    if isinstance(cell, float) and cell != int(cell):
        moment = datetime.combine(_day(cell - cell % 1), time(0), BEIJING)
        seconds = round((Decimal(repr(cell)) % 1) * 86_400)
        return moment + timedelta(seconds=seconds)
    match = _STAMP.fullmatch(unicodedata.normalize("NFKC", cell)) if isinstance(cell, str) else None
    if match is None:
        return None
    try:
        year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
        return datetime(year, month, day, hour, minute, second, tzinfo=BEIJING)
    except ValueError as error:
        raise UnreadableCell(f"{str(cell)[:20]!r} is not a day and time") from error


def _day(cell: Cell) -> date:
    try:
        return read_day(cell)
    except Unreadable as error:
        raise UnreadableCell(f"{str(cell)[:20]!r} is not a day") from error


def _clock(cell: Cell) -> time:
    """A time of day; noon when the bank does not say."""
    if isinstance(cell, datetime):
        return cell.time()
    if isinstance(cell, time):
        return cell
    if isinstance(cell, timedelta):
        return _of_day(cell)
    if isinstance(cell, float) and 0 <= cell < 1:
        return _of_day(timedelta(seconds=round(Decimal(repr(cell)) * 86_400)))
    text = text_of(cell)
    if not text:
        return NOON
    text = text.zfill(6) if text.isdecimal() else text  # 93015 is a number Excel cut a zero off
    stamp = _stamp(text)
    if stamp is not None:
        return stamp.time()
    match = _CLOCK.fullmatch(unicodedata.normalize("NFKC", text))
    try:
        if match is not None:
            hour, minute, second = (int(part or 0) for part in match.groups())
            return time(hour, minute, second)
    except ValueError:
        pass  # no such hour; refused below
    raise UnreadableCell(f"{text[:20]!r} is not a time")


def _of_day(since_midnight: timedelta) -> time:
    return (datetime.combine(FIRST, time(0), BEIJING) + since_midnight).time()
