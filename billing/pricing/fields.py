"""The door of pricing: JSON is read once, strictly; behind it every value has type and bounds."""

import re
from datetime import date
from decimal import Context, Decimal, Inexact, InvalidOperation
from enum import StrEnum
from typing import TypeVar

from billing.errors import InvalidInput
from billing.money import Money
from billing.period import DateRange

Choice = TypeVar("Choice", bound=StrEnum)

NUMBER_MAX = 1_000_000_000
"""Yuan, square metres and quantities beyond this are typing errors, not property fees."""
FEN_MAX = NUMBER_MAX * 100
EXACT = Context(prec=400, traps=[Inexact, InvalidOperation])
"""For sums and differences of numbers read here: none needs as many digits, nothing is rounded."""

TEXT_MAX = 64

# At most 99 digits and a two-digit exponent: no text can explode into a huge number.
_NUMBER = re.compile(r"-?[0-9]{1,99}(\.[0-9]{1,99})?([eE][-+]?[0-9]{1,2})?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class PricingError(InvalidInput):
    """A price, quantity, date or basis that cannot be calculated with; `field` is its path."""


class Fields:
    """One JSON object whose keys are taken one by one; `finish` refuses what nobody asked for.

    >>> fields = Fields({"unit_price": "2.80"}, "price")
    >>> fields.number("unit_price")
    Decimal('2.80')
    >>> fields.finish()
    """

    def __init__(self, value: object, path: str) -> None:
        if not isinstance(value, dict):
            raise PricingError(path or "request", "must be a JSON object")
        self._values: dict[str, object] = value
        self._taken: set[str] = set()
        self._path = path

    def path(self, key: str) -> str:
        """Where the key stands in the whole request, e.g. `price.tiers[1].up_to`."""
        return f"{self._path}.{key}" if self._path else key

    def has(self, key: str) -> bool:
        """Whether the key is given; a null counts as given, and is then no number."""
        return key in self._values

    def take(self, key: str) -> object:
        """The raw value.

        Raises:
            PricingError: the key is missing.
        """
        if key not in self._values:
            raise PricingError(self.path(key), "missing")
        self._taken.add(key)
        return self._values[key]

    def number(self, key: str) -> Decimal:
        """A number from 0 to `NUMBER_MAX`."""
        return read_number(self.take(key), self.path(key))

    def whole(self, key: str) -> int:
        """A whole number from 0 to `NUMBER_MAX`."""
        return int(_refuse_fraction(self.number(key), self.path(key)))

    def fen(self, key: str) -> int:
        """Whole fen of either sign, up to `FEN_MAX`."""
        value, path = _decimal(self.take(key), self.path(key)), self.path(key)
        if value.copy_abs() > FEN_MAX:
            raise PricingError(path, f"must not be beyond {FEN_MAX} fen")
        return int(_refuse_fraction(value, path))

    def yuan(self, key: str) -> Money:
        """An amount from 0 to `NUMBER_MAX` yuan, in whole fen."""
        fen = EXACT.scaleb(self.number(key), 2)
        if fen != fen.to_integral_value():
            raise PricingError(self.path(key), "must have at most two decimals")
        return Money(int(fen))

    def flag(self, key: str) -> bool:
        """A JSON true or false."""
        value = self.take(key)
        if not isinstance(value, bool):
            raise PricingError(self.path(key), f"{shown(value)} is not true or false")
        return value

    def text(self, key: str) -> str:
        """A text of 1 to `TEXT_MAX` printable characters."""
        value = self.take(key)
        if not isinstance(value, str) or not (0 < len(value) <= TEXT_MAX and value.isprintable()):
            raise PricingError(self.path(key), f"{shown(value)} is not a text of 1 to {TEXT_MAX}")
        return value

    def day(self, key: str) -> date:
        """A date written `2026-11-23`."""
        value, path = self.take(key), self.path(key)
        if not isinstance(value, str) or _DAY.fullmatch(value) is None:
            raise PricingError(path, f"{shown(value)} is not a date like 2026-11-23")
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise PricingError(path, f"{value} is not in the calendar") from error

    def choice(self, key: str, options: type[Choice]) -> Choice:
        """One of the codes of an enum."""
        value, codes = self.take(key), [option.value for option in options]
        if not isinstance(value, str) or value not in codes:
            raise PricingError(self.path(key), f"{shown(value)} is not one of: {', '.join(codes)}")
        return options(value)

    def items(self, key: str) -> list[tuple[object, str]]:
        """The elements of a list that is not empty, each with its path."""
        value, path = self.take(key), self.path(key)
        if not isinstance(value, list) or not value:
            raise PricingError(path, "must be a list with at least one element")
        return [(item, f"{path}[{at}]") for at, item in enumerate(value)]

    def object(self, key: str) -> "Fields":
        """A nested object, to be finished by itself."""
        return Fields(self.take(key), self.path(key))

    def finish(self) -> None:
        """Refuse keys that were not taken: a misspelt option must not be ignored silently."""
        for key in self._values:
            if key not in self._taken:
                raise PricingError(self._path or "request", f"unknown key {shown(key)}")


def read_number(value: object, path: str) -> Decimal:
    """A decimal string or JSON integer from 0 to `NUMBER_MAX`, kept digit for digit.

    Raises:
        PricingError: floats, booleans, null, other text, negative or absurd values.
    """
    number = _decimal(value, path)
    if number < 0:
        raise PricingError(path, "must not be negative")
    if number > NUMBER_MAX:
        raise PricingError(path, f"must not be above {NUMBER_MAX}")
    return number.copy_abs()  # "-0" is 0


def read_range(fields: Fields) -> DateRange:
    """The half-open `from` and `to` of an object.

    Raises:
        InvalidInput: a bad date, or `to` not after `from`.
    """
    return DateRange(fields.day("from"), fields.day("to"))


def shown(value: object) -> str:
    """A refused value as printed in an error: escaped and short."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _decimal(value: object, path: str) -> Decimal:
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Decimal(value)
    if isinstance(value, float):
        raise PricingError(path, "must be a decimal string, not a JSON float")
    raise PricingError(path, f"{shown(value)} is not a number")


def _refuse_fraction(value: Decimal, path: str) -> Decimal:
    if value != value.to_integral_value():
        raise PricingError(path, "must be a whole number")
    return value
