"""Reading a form: parsed once here, typed values inside; what cannot be read is said at its field.

What was typed stays in `values`, so that a form shown again loses nothing.
"""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import TypeVar

from werkzeug.datastructures import MultiDict

from billing.errors import InvalidInput
from billing.labels import LabelEnum
from billing.money import Money
from billing.period import Period

Choice = TypeVar("Choice", bound=LabelEnum)
TEXT_MAX = 200
NUMBER = re.compile(r"[0-9]{1,18}")
DECIMAL = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,12})?")
MONEY = re.compile(r"-?[0-9]{1,10}(\.[0-9]{1,2})?")
EARLIEST, LATEST = date(1990, 1, 1), date(2100, 1, 1)


class Problem(LabelEnum):
    """Why a field cannot be read."""

    MISSING = "missing", "请填写"
    NOT_CHOSEN = "not_chosen", "请选择"
    TOO_LONG = "too_long", "太长了"
    NO_NUMBER = "no_number", "请填写数字"
    NO_MONEY = "no_money", "请填写金额，如 1234.56，最多两位小数"
    NOT_POSITIVE = "not_positive", "须大于 0"
    NO_DAY = "no_day", "请填写日期，如 2026-11-23"
    NO_PERIOD = "no_period", "请填写月份，如 2026-11"
    UNKNOWN = "unknown", "没有这个选项"


class Form:
    """A form as it was sent, or as it begins.

    `place` tells its fields from those of another form of the page that have the same names.
    """

    def __init__(self, values: Mapping[str, str] | None = None, *, place: str = "") -> None:
        self.place = place
        self.values: dict[str, str] = dict((values or {}).items())
        self._lists: dict[str, list[str]] = (
            dict(values.lists()) if isinstance(values, MultiDict) else {}
        )
        self.errors: dict[str, str] = {}

    @property
    def is_fine(self) -> bool:
        """Whether everything read so far could be read."""
        return not self.errors

    def refuse(self, name: str, words: str) -> None:
        """Say why a field is not accepted; the first reason stays. Name "" is the whole form."""
        self.errors.setdefault(name, words)

    def typed(self, name: str) -> str:
        """What was typed, without spaces around it."""
        return self.values.get(name, "").strip()

    def several(self, name: str) -> tuple[str, ...]:
        """Every box of a name that is ticked, each once."""
        return tuple(dict.fromkeys(self._lists.get(name, ())))

    def text(self, name: str, *, most: int = TEXT_MAX) -> str:
        """A text that has to be there."""
        typed = self.typed(name)
        if not typed:
            self.refuse(name, Problem.MISSING.label)
        return self.optional(name, most=most)

    def optional(self, name: str, *, most: int = TEXT_MAX) -> str:
        """A text that may be empty."""
        typed = self.typed(name)
        if len(typed) > most:
            self.refuse(name, Problem.TOO_LONG.label)
        return typed[:most]

    def number(self, name: str, *, default: int = 0, positive: bool = False) -> int:
        """A whole number from 0 on, or with `positive` from 1 on."""
        typed = self.typed(name)
        if not typed:
            self.refuse(name, Problem.MISSING.label)
        elif not NUMBER.fullmatch(typed):
            self.refuse(name, Problem.NO_NUMBER.label)
        elif positive and not int(typed):
            self.refuse(name, Problem.NOT_POSITIVE.label)
        else:
            return int(typed)
        return default

    def decimal(self, name: str) -> Decimal:
        """A decimal number in plain digits, without an exponent; 0 when it cannot be read."""
        typed = self.typed(name)
        if DECIMAL.fullmatch(typed):
            return Decimal(typed)
        self.refuse(name, Problem.NO_NUMBER.label if typed else Problem.MISSING.label)
        return Decimal(0)

    def money(self, name: str, *, positive: bool = True) -> Money:
        """An amount in yuan."""
        typed = self.typed(name).replace(",", "")
        if not typed:
            self.refuse(name, Problem.MISSING.label)
        elif not MONEY.fullmatch(typed):
            self.refuse(name, Problem.NO_MONEY.label)
        else:
            amount = Money.from_yuan(typed)
            if positive and amount.fen <= 0:
                self.refuse(name, Problem.NOT_POSITIVE.label)
            return amount
        return Money(0)

    def day(self, name: str, *, default: date) -> date:
        """A day, `YYYY-MM-DD`."""
        try:
            day = date.fromisoformat(self.typed(name))
        except ValueError:
            day = date.min
        if EARLIEST <= day < LATEST:
            return day
        self.refuse(name, Problem.NO_DAY.label)
        return default

    def optional_day(self, name: str) -> date | None:
        """A day, or none."""
        return self.day(name, default=EARLIEST) if self.typed(name) else None

    def period(self, name: str, *, default: Period) -> Period:
        """A month, `YYYY-MM`."""
        try:
            return Period(self.typed(name))
        except InvalidInput:
            self.refuse(name, Problem.NO_PERIOD.label)
        return default

    def choice(self, name: str, options: type[Choice], *, default: Choice) -> Choice:
        """One of the members of an enum."""
        typed = self.typed(name)
        if typed in {option.value for option in options}:
            return options(typed)
        self.refuse(name, Problem.UNKNOWN.label if typed else Problem.NOT_CHOSEN.label)
        return default

    def ticked(self, name: str) -> bool:
        """Whether a box is ticked."""
        return bool(self.typed(name))
