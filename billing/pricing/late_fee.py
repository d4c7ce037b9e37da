"""Late fees (违约金): simple, per day, on the unpaid principal, capped."""

from datetime import date, timedelta
from decimal import Decimal

from billing.period import DateRange
from billing.pricing.basis import LateFeeBasis
from billing.pricing.charge import PricedLine, priced_line
from billing.pricing.fields import PricingError


def price_late_fee(
    principal: Decimal,
    *,
    due_on: date,
    as_of: date,
    daily_rate: Decimal,
    grace_days: int,
    cap: Decimal | None,
) -> PricedLine | None:
    """Late fee up to and including `as_of`, always from day 1, so any day gives the same sum.

    Args:
        principal: unpaid yuan.
        due_on: last day to pay in time; day 1 is the day after `due_on + grace_days`.
        daily_rate: fraction per day, 0.0005 is 0.05 %.
        cap: yuan the fee never exceeds, usually the principal; None is no cap.

    Returns:
        One line from day 1 to the day after `as_of`, None while nothing is late. Its
        version_index is 0: a late fee has one rule.

    Raises:
        PricingError: `as_of` is the last day of the calendar, or an absurd amount.

    >>> line = price_late_fee(
    ...     Decimal("275.80"), due_on=date(2026, 10, 31), as_of=date(2026, 11, 23),
    ...     daily_rate=Decimal("0.0005"), grace_days=0, cap=Decimal("275.80"),
    ... )
    >>> line.amount.yuan, line.start.isoformat(), line.end.isoformat()
    ('3.17', '2026-11-01', '2026-11-24')
    """
    # Subtracted in days, not dates: a long grace period must not run off the calendar.
    days = (as_of - due_on).days - grace_days
    if days <= 0:
        return None
    if as_of == date.max:
        raise PricingError("as_of", "has no day after it")
    span = DateRange(as_of - timedelta(days=days - 1), as_of + timedelta(days=1))
    return priced_line(LateFeeBasis(principal, daily_rate, days, cap), span, 0)
