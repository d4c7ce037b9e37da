"""From a cell to a value, one reader per kind of column. Pure; nothing is guessed or rounded.

A number in Excel is a binary float of which Excel itself shows and compares 15 digits, so
it is read with 15 digits: `0.1 + 0.2` is 0.3. Texts are taken as people type them: with
full-width digits, spaces around, separators between thousands.
"""

import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from billing.imports.reasons import Reason, Unreadable
from billing.labels import LabelEnum
from billing.money import FEN_PER_YUAN, Money
from billing.pricing.fields import NUMBER_MAX
from billing.pricing.fields import TEXT_MAX as DOCUMENT_MAX

Cell = str | int | float | bool | date | datetime | time | timedelta | None
"""What the reader of .xlsx gives; an empty cell is an empty text."""
Reader = Callable[[Cell], Any]
Choice = TypeVar("Choice", bound=LabelEnum)

FIRST_DAY, LAST_DAY = date(1950, 1, 1), date(2099, 12, 31)
"""Hand-over of the oldest homes to the latest lease; what lies outside is a typing error."""
EXCEL_DAY_ZERO = date(1899, 12, 30)
EXACT_DIGITS = 15
TEXT_MAX = 200
SHOWN_MAX = 30

_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,30})(?:\.[0-9]{1,30})?")
_CODE = re.compile(r"[a-z][a-z0-9_]{0,31}")
_PHONE = re.compile(r"\+?[0-9]{5,15}")
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−﹣－", "-"))
_COMPACT_DAY = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")


class PlaceWord(LabelEnum):
    """Words people put between the parts of a room number."""

    BUILDING_NO = "building_no", "号楼"
    BUILDING_DONG = "building_dong", "栋"
    BUILDING_ZHUANG = "building_zhuang", "幢"
    BUILDING_ZUO = "building_zuo", "座"
    ENTRANCE = "entrance", "单元"
    ROOM_NO = "room_no", "号"
    ROOM = "room", "室"


class DayWord(LabelEnum):
    """Words between the parts of a date."""

    YEAR = "year", "年"
    MONTH = "month", "月"
    DAY = "day", "日"


class YesNo(LabelEnum):
    """Answers."""

    YES = "yes", "是"
    NO = "no", "否"


def _any_of(*words: LabelEnum) -> str:
    return "|".join(re.escape(word.label) for word in words)


_PART = r"([0-9A-Z]{1,8})"
_ROOM = re.compile(
    _PART
    + f"(?:-|{_any_of(*(word for word in PlaceWord if word.value.startswith('building')))})"
    + f"(?:{_PART}(?:-|{PlaceWord.ENTRANCE.label}))?"
    + _PART
    + f"(?:{_any_of(PlaceWord.ROOM, PlaceWord.ROOM_NO)})?"
)
_DAY = re.compile(
    f"([0-9]{{4}})(?:[-/.]|{DayWord.YEAR.label})([0-9]{{1,2}})"
    f"(?:[-/.]|{DayWord.MONTH.label})([0-9]{{1,2}})(?:{DayWord.DAY.label})?"
    r"(?: 0{1,2}:00(?::00)?)?"
)


def shown(cell: Cell) -> str:
    """A refused cell as quoted in a report: short."""
    text = str(cell).strip()
    return text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX - 1]}…"


def read_text(cell: Cell) -> str:
    """A text on one line; a whole number counts as its digits, because codes look like numbers."""
    if isinstance(cell, bool) or cell is None or isinstance(cell, time | timedelta):
        raise Unreadable(Reason.NOT_TEXT)
    if isinstance(cell, date):
        raise Unreadable(Reason.TURNED_INTO_DATE)
    if isinstance(cell, int | float):
        cell = _digits(cell)
    text = " ".join(cell.split())
    if len(text) > TEXT_MAX:
        raise Unreadable(Reason.TOO_LONG, most=TEXT_MAX)
    if not text.isprintable():
        raise Unreadable(Reason.UNPRINTABLE)
    return text


def read_document(cell: Cell) -> str:
    """What states an amount, short enough for the basis of a line."""
    text = read_text(cell)
    if len(text) > DOCUMENT_MAX:
        raise Unreadable(Reason.TOO_LONG, most=DOCUMENT_MAX)
    return text


def _digits(number: float) -> str:
    """Digits of a whole number Excel made of a code, while it still has them all."""
    if not abs(number) < 10**EXACT_DIGITS:  # nor NaN
        raise Unreadable(Reason.DIGITS_LOST)
    if number != int(number):
        raise Unreadable(Reason.NOT_TEXT)
    return str(int(number))


def read_name(cell: Cell) -> str:
    """What a code is called on the wall: full-width letters and dashes as plain ones."""
    return unicodedata.normalize("NFKC", read_text(cell)).translate(_DASHES)


def read_code(cell: Cell) -> str:
    """A code of our own, such as `property`."""
    text = read_name(cell)
    if _CODE.fullmatch(text) is None:
        raise Unreadable(Reason.NOT_CODE, shown=shown(cell))
    return text


def read_room(cell: Cell) -> str:
    """A canonical room number `3-2-501` (building, entrance, room) or `3-501`.

    >>> read_room(" ３-２-501 ")
    '3-2-501'
    """
    match = _ROOM.fullmatch(read_name(cell).replace(" ", "").upper())
    if match is None:
        raise Unreadable(Reason.NOT_ROOM, shown=shown(cell))
    return "-".join(part for part in match.groups() if part)


def read_subject(cell: Cell) -> str:
    """A room number, or the code of a parking space, which may look like one: `B1-088`."""
    name = read_name(cell).replace(" ", "").upper()
    match = _ROOM.fullmatch(name)
    return name if match is None else "-".join(part for part in match.groups() if part)


def read_phone(cell: Cell) -> str:
    """A telephone number: digits only, spaces and dashes dropped. Never quoted in a report."""
    text = re.sub(r"[ ()-]", "", read_name(cell))
    if _PHONE.fullmatch(text) is None:
        raise Unreadable(Reason.NOT_PHONE)
    return text


def read_decimal(cell: Cell) -> Decimal:
    """A number of either sign, as Excel shows it."""
    if isinstance(cell, bool) or not isinstance(cell, str | int | float):
        raise Unreadable(Reason.NOT_NUMBER, shown=shown(cell))
    if isinstance(cell, str):
        text = unicodedata.normalize("NFKC", cell.strip()).translate(_DASHES)
        if _NUMBER.fullmatch(text) is None:
            raise Unreadable(Reason.NOT_NUMBER, shown=shown(cell))
        return Decimal(text.replace(",", ""))
    number = Decimal(f"{cell:.{EXACT_DIGITS}g}" if isinstance(cell, float) else cell)
    if not number.is_finite():
        raise Unreadable(Reason.NOT_NUMBER, shown=shown(cell))
    return Decimal(f"{number:f}")  # 1E+5 is 100000: written without exponent from here on


def read_number(cell: Cell) -> Decimal:
    """A number from 0 to `NUMBER_MAX`."""
    number = read_decimal(cell)
    if number < 0:
        raise Unreadable(Reason.NEGATIVE)
    if number > NUMBER_MAX:
        raise Unreadable(Reason.OUT_OF_RANGE, least=0, most=NUMBER_MAX)
    return number.copy_abs()


def read_positive(cell: Cell) -> Decimal:
    """A number above 0."""
    number = read_number(cell)
    if number == 0:
        raise Unreadable(Reason.NOT_ABOVE_ZERO)
    return number


def read_area(cell: Cell) -> Decimal:
    """Square metres above 0, at most two decimals."""
    return _with_decimals(read_positive(cell), 2)


def read_percent(cell: Cell) -> Decimal:
    """0 to 100."""
    number = read_number(cell)
    if number > 100:
        raise Unreadable(Reason.OUT_OF_RANGE, least=0, most=100)
    return number


def read_money(cell: Cell) -> Money:
    """Yuan from 0 to `NUMBER_MAX`, at most two decimals."""
    return Money(int(_with_decimals(read_number(cell), 2) * FEN_PER_YUAN))


def read_payment(cell: Cell) -> Money:
    """Yuan above 0."""
    read_positive(cell)
    return read_money(cell)


def _with_decimals(number: Decimal, most: int) -> Decimal:
    quantum = Decimal(1).scaleb(-most)
    if number != number.quantize(quantum):
        raise Unreadable(Reason.TOO_MANY_DECIMALS, most=most)
    return number


def whole(least: int, most: int) -> Callable[[Cell], int]:
    """A reader of whole numbers in a range, both ends included."""

    def read(cell: Cell) -> int:
        number = read_decimal(cell)
        if not least <= number <= most:
            raise Unreadable(Reason.OUT_OF_RANGE, least=least, most=most)
        if number != int(number):
            raise Unreadable(Reason.NOT_WHOLE)
        return int(number)

    return read


def read_day(cell: Cell) -> date:
    """A date: a date of Excel's, its serial number, or a text such as `2026-11-01`."""
    day = _as_day(cell)
    if not FIRST_DAY <= day <= LAST_DAY:
        raise Unreadable(Reason.OUT_OF_RANGE, least=FIRST_DAY, most=LAST_DAY)
    return day


def _as_day(cell: Cell) -> date:
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    if isinstance(cell, bool) or not isinstance(cell, str | int | float):
        raise Unreadable(Reason.NOT_DATE, shown=shown(cell))
    text = unicodedata.normalize("NFKC", cell.strip()) if isinstance(cell, str) else _digits(cell)
    match = _COMPACT_DAY.fullmatch(text) or _DAY.fullmatch(text)
    try:
        if match is not None:
            return date(*(int(part) for part in match.groups()))
        if isinstance(cell, int | float):
            return EXCEL_DAY_ZERO + timedelta(days=int(cell))
    except (ValueError, OverflowError):
        pass  # not in the calendar; refused below as any other text
    raise Unreadable(Reason.NOT_DATE, shown=shown(cell))


def read_last_day(cell: Cell) -> date:
    """The last day of a span, as people write it; returned as the first day after it."""
    return read_day(cell) + timedelta(days=1)


def choice(options: type[Choice], among: tuple[Choice, ...] = ()) -> Callable[[Cell], Choice]:
    """A reader of an enum's labels or codes; `among` narrows the members."""
    allowed = among or tuple(options)
    named = {name: option for option in allowed for name in (option.label, option.value)}

    def read(cell: Cell) -> Choice:
        found = named.get(read_name(cell)) if isinstance(cell, str) else None
        if found is None:
            labels = "、".join(option.label for option in allowed)
            raise Unreadable(Reason.NOT_CHOICE, shown=shown(cell), options=labels)
        return found

    return read
