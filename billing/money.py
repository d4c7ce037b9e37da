"""Money is a whole number of fen. No float and no unrounded Decimal ever becomes an amount.

There are exactly two roads from an exact fraction to an amount: `round_to_fen`, once per line, and
`split`, whose parts sum to the whole. An amount is never multiplied or divided in any other way.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import Self

from billing.errors import InvalidInput

FEN_PER_YUAN = 100
_YUAN = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,2})?")


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount in fen, of either sign. Add many with `sum(amounts, ZERO)`.

    Raises:
        TypeError: anything but a plain int, so that no float, bool or Decimal slips in.

    >>> (Money(27580) + Money(50) - Money(30)).yuan
    '276.00'
    """

    fen: int

    def __post_init__(self) -> None:
        if type(self.fen) is not int:
            raise TypeError(f"fen must be an int, not {type(self.fen).__name__}")

    @classmethod
    def from_yuan(cls, text: str) -> Self:
        """Read a plain decimal such as `1234.5` or `-0.05`; at most two decimals, no grouping.

        Raises:
            InvalidInput: any other text; nothing is rounded or guessed.

        >>> Money.from_yuan("275.8")
        Money(fen=27580)
        """
        if _YUAN.fullmatch(text) is None:
            raise InvalidInput("amount", f"{text[:40]!r} is not an amount in yuan")
        return cls(int(Decimal(text) * FEN_PER_YUAN))

    @property
    def yuan(self) -> str:
        """Plain decimal text with two decimals and no grouping, e.g. `-1234.50`."""
        whole, fraction = divmod(abs(self.fen), FEN_PER_YUAN)
        return f"{'-' if self.fen < 0 else ''}{whole}.{fraction:02d}"

    def __add__(self, other: "Money") -> "Money":
        if not isinstance(other, Money):
            return NotImplemented
        return Money(self.fen + other.fen)

    def __sub__(self, other: "Money") -> "Money":
        if not isinstance(other, Money):
            return NotImplemented
        return Money(self.fen - other.fen)

    def __neg__(self) -> "Money":
        return Money(-self.fen)

    def __bool__(self) -> bool:
        return self.fen != 0


ZERO = Money(0)


def round_to_fen(yuan: Decimal | Fraction) -> Money:
    """Round an exact amount in yuan to fen, half up: away from zero, as people round.

    Raises:
        TypeError: a float or an int; an int is ambiguous between yuan and fen.

    >>> round_to_fen(Decimal("43.125")), round_to_fen(Fraction(-1, 200))
    (Money(fen=4313), Money(fen=-1))
    """
    if not isinstance(yuan, Decimal | Fraction):
        raise TypeError(f"yuan must be a Decimal or Fraction, not {type(yuan).__name__}")
    exact = Fraction(yuan) * FEN_PER_YUAN
    # floor(x + 1/2) on the absolute value, in integers: half goes away from zero.
    half_up = (2 * abs(exact.numerator) + exact.denominator) // (2 * exact.denominator)
    return Money(half_up if exact >= 0 else -half_up)


def _whole_numbers(weights: Sequence[Decimal]) -> list[int]:
    """The weights in units of their smallest decimal place; exact, and faster than fractions."""
    ratios = [weight.as_integer_ratio() for weight in weights]
    scale = lcm(*(per for _, per in ratios))
    return [count * (scale // per) for count, per in ratios]


def split(amount: Money, weights: Sequence[Decimal]) -> list[Money]:
    """Share an amount by weights so that the parts sum to it exactly (largest remainder).

    Every part gets its exact share rounded down; the fen left over go one each to the largest
    remainders, ties to the earlier part. `split(-amount)` is `split(amount)` negated.

    Raises:
        InvalidInput: a weight that is negative or not finite, or no weight above zero.

    >>> [part.fen for part in split(Money(100), [Decimal(1), Decimal(1), Decimal(1)])]
    [34, 33, 33]
    """
    if amount.fen < 0:
        return [-part for part in split(-amount, weights)]
    if any(not weight.is_finite() or weight < 0 for weight in weights):
        raise InvalidInput("weights", "every weight must be a finite number, zero or more")
    counts = _whole_numbers(weights)
    whole = sum(counts)
    if whole <= 0:
        raise InvalidInput("weights", "the weights must have a sum above zero")
    cut = [divmod(amount.fen * count, whole) for count in counts]
    parts = [part for part, _ in cut]
    # sorted() is stable, so equal remainders keep their order.
    by_remainder = sorted(range(len(parts)), key=lambda at: -cut[at][1])
    for at in by_remainder[: amount.fen - sum(parts)]:
        parts[at] += 1
    return [Money(part) for part in parts]
