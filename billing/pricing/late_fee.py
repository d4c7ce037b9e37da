"""Late fees (违约金): simple, per day, on the unpaid principal, capped.

A fee is always counted from day 1. So the total does not depend on when, or how often, it was
computed; a later line takes what earlier lines have not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from billing.money import FEN_PER_YUAN, ZERO, Money, round_to_fen
from billing.period import DateRange
from billing.pricing.fields import EXACT, Fields, PricingError
from billing.pricing.line import PricedLine, priced_line
from billing.pricing.prices import plain

LATE_FEE = "late_fee"


@dataclass(frozen=True, slots=True)
class DailyRate:
    """A fraction per day (0.0005 is 0.05 %), in force until the next one begins."""

    effective_from: date
    daily_rate: Decimal


@dataclass(frozen=True, slots=True)
class PrincipalPayment:
    """Part of the principal was paid: day `on` still counts on it, the day after does not."""

    on: date
    amount: Money


@dataclass(frozen=True, slots=True)
class LateFeeTerms:
    """What the contract says.

    Args:
        grace_days: day 1 is the day after `due_on + grace_days`.
        rates: in any order; every counted day needs one.
        cap: yuan the fee never exceeds, usually the principal as it was due; None is no cap.
        freezes: days that are not counted; they may overlap.

    Raises:
        PricingError: two rates of one day.
    """

    grace_days: int
    rates: tuple[DailyRate, ...]
    cap: Decimal | None
    freezes: tuple[DateRange, ...] = ()

    def __post_init__(self) -> None:
        if len({rate.effective_from for rate in self.rates}) < len(self.rates):
            raise PricingError("rates", "two rates take effect on the same day")

    def rate_on(self, day: date) -> Decimal:
        """The rate in force on a day.

        Raises:
            PricingError: the day is before the first rate.
        """
        begun = [rate for rate in self.rates if rate.effective_from <= day]
        if not begun:
            raise PricingError("rates", f"no rate is in force on {day}")
        return max(begun, key=lambda rate: rate.effective_from).daily_rate


@dataclass(frozen=True, slots=True)
class LateDays:
    """Counted days with one principal (yuan) and one rate."""

    principal: Decimal
    daily_rate: Decimal
    days: int

    @property
    def exact(self) -> Fraction:
        """Unrounded yuan."""
        return Fraction(self.principal) * Fraction(self.daily_rate) * self.days


@dataclass(frozen=True, slots=True)
class LateFeeBasis:
    """Principal × daily rate × days, summed, never above `cap`, less what was `charged` before.

    `cap` None is no cap; `charged` is the sum of earlier lines for the same debt.
    """

    parts: tuple[LateDays, ...]
    cap: Decimal | None
    charged: Money = ZERO

    @property
    def uncapped(self) -> Fraction:
        """Unrounded yuan of all days before the cap."""
        return sum((part.exact for part in self.parts), Fraction())

    @property
    def capped(self) -> bool:
        """Whether the cap lowers the amount."""
        return self.cap is not None and self.uncapped > Fraction(self.cap)

    @property
    def total(self) -> Money:
        """The fee of all days, earlier lines included."""
        return round_to_fen(
            Fraction(self.cap) if self.cap is not None and self.capped else self.uncapped
        )

    @property
    def exact(self) -> Fraction:
        """Yuan of this line: whole fen, so that lines of one debt add up to its total."""
        return Fraction((self.total - self.charged).fen, FEN_PER_YUAN)

    def to_json(self) -> dict[str, Any]:
        """As stored."""
        return {
            "method": LATE_FEE,
            "parts": [
                {
                    "principal": plain(part.principal),
                    "daily_rate": plain(part.daily_rate),
                    "days": part.days,
                }
                for part in self.parts
            ],
            **({} if self.cap is None else {"cap": plain(self.cap)}),
            **({"charged": self.charged.yuan} if self.charged else {}),
        }


def read_late_fee_basis(fields: Fields) -> LateFeeBasis:
    """The keys of a stored late fee without `method`; the caller finishes the object."""
    parts = tuple(_late_days(Fields(item, path)) for item, path in fields.items("parts"))
    cap = fields.number("cap") if fields.has("cap") else None
    return LateFeeBasis(parts, cap, fields.yuan("charged") if fields.has("charged") else ZERO)


def price_late_fee(
    principal: Decimal,
    terms: LateFeeTerms,
    *,
    due_on: date,
    as_of: date,
    payments: Sequence[PrincipalPayment] = (),
    charged: Money = ZERO,
) -> PricedLine | None:
    """Late fee up to and including `as_of`, always from day 1, so any day gives the same sum.

    Computed later it is never less, and computing it in steps, each with the sum of the steps
    before as `charged`, gives the same total as computing it once.

    Args:
        principal: yuan due on `due_on`, the last day to pay in time.
        payments: of the principal, in any order; one after `as_of` changes nothing yet.
        charged: what earlier lines for this debt have taken.

    Returns:
        One line from day 1 to the day after `as_of`; None while nothing is late, and when earlier
        lines took as much already. Its version_index is 0: a late fee has one rule.

    Raises:
        PricingError: more paid than owed, a counted day without a rate, `as_of` is the last day of
            the calendar, or an absurd amount.

    >>> terms = LateFeeTerms(0, (DailyRate(date.min, Decimal("0.0005")),), Decimal("275.80"))
    >>> line = price_late_fee(
    ...     Decimal("275.80"), terms, due_on=date(2026, 10, 31), as_of=date(2026, 11, 23)
    ... )
    >>> line.amount.yuan, line.start.isoformat(), line.end.isoformat()
    ('3.17', '2026-11-01', '2026-11-24')
    """
    if _yuan(sum((payment.amount for payment in payments), ZERO)) > principal:
        raise PricingError("payments", "more was paid than the principal")
    # Subtracted in days, not dates: a long grace period must not run off the calendar.
    days = (as_of - due_on).days - terms.grace_days
    if days <= 0:
        return None
    if as_of == date.max:
        raise PricingError("as_of", "has no day after it")
    span = DateRange(as_of - timedelta(days=days - 1), as_of + timedelta(days=1))
    parts = _late_parts(principal, terms, span, payments)
    basis = LateFeeBasis(parts, terms.cap, charged)
    if not parts or (charged and basis.total <= charged):
        return None
    return priced_line(basis, span, 0)


def _late_parts(
    principal: Decimal,
    terms: LateFeeTerms,
    span: DateRange,
    payments: Sequence[PrincipalPayment],
) -> tuple[LateDays, ...]:
    """The counted days of the span, in order; neighbours of equal principal and rate are one."""
    parts: list[LateDays] = []
    for start, end in pairwise(_borders(terms, span, payments)):
        if any(freeze.start <= start < freeze.end for freeze in terms.freezes):
            continue
        paid = sum((payment.amount for payment in payments if payment.on < start), ZERO)
        left = EXACT.subtract(principal, _yuan(paid)) if paid else principal
        if paid and not left:  # nothing is late any more
            break
        part = LateDays(left, terms.rate_on(start), (end - start).days)
        if parts and (parts[-1].principal, parts[-1].daily_rate) == (left, part.daily_rate):
            part = LateDays(left, part.daily_rate, parts.pop().days + part.days)
        parts.append(part)
    return tuple(parts)


def _borders(
    terms: LateFeeTerms, span: DateRange, payments: Sequence[PrincipalPayment]
) -> list[date]:
    """The ends of the span, and every day between on which something changes."""
    changes = {rate.effective_from for rate in terms.rates}
    changes.update(day for freeze in terms.freezes for day in (freeze.start, freeze.end))
    day = timedelta(days=1)
    changes.update(payment.on + day for payment in payments if payment.on < span.end)
    return [span.start, *sorted(d for d in changes if span.start < d < span.end), span.end]


def _yuan(amount: Money) -> Decimal:
    return Decimal(amount.yuan)


def _late_days(fields: Fields) -> LateDays:
    principal, rate = fields.number("principal"), fields.number("daily_rate")
    part = LateDays(principal, rate, fields.whole("days"))
    fields.finish()
    return part
