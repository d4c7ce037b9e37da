"""A priced line: the one place where the exact value of a basis is rounded."""

from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any, Protocol

from billing.money import Money, round_to_fen
from billing.period import DateRange
from billing.pricing.fields import PricingError

LINE_MAX = Money(10**15)
"""Sums of many lines still fit a BIGINT; a line above ten million million yuan is an error."""


class LineBasis(Protocol):
    """What a line is made of; see basis.py."""

    @property
    def exact(self) -> Fraction:
        """Unrounded yuan."""

    def to_json(self) -> dict[str, Any]:
        """As stored."""


@dataclass(frozen=True, slots=True)
class PricedLine:
    """One charged span `[start, end)`; `version_index` counts in the versions as they were given.

    `basis` is JSON: `recompute(basis)` is `amount` and `explain(basis)` is the sentence. The amount
    is negative on the line of a discount and nowhere else; there `discount_index` counts in the
    discounts as they were given.
    """

    amount: Money
    start: date
    end: date
    version_index: int
    basis: dict[str, Any]
    discount_index: int | None = None


def priced_line(basis: LineBasis, days: DateRange, version_index: int) -> PricedLine:
    """Round a basis into a line.

    Raises:
        PricingError: the amount is absurd.
    """
    amount = refuse_absurd(round_to_fen(basis.exact))
    return PricedLine(amount, days.start, days.end, version_index, basis.to_json())


def refuse_absurd(amount: Money) -> Money:
    """The amount itself.

    Raises:
        PricingError: it is above `LINE_MAX`.
    """
    if amount > LINE_MAX:
        raise PricingError("amount", f"must not be above {LINE_MAX.yuan} yuan")
    return amount
