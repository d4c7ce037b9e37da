"""The arithmetic of a line as one sentence in Chinese that a calculator can check.

Only × ÷ + − ( ), `/` between the numbers of a fraction, plain decimals, and units after numbers.
What is written is the unrounded amount exactly; only the result after `=` is rounded.
"""

from decimal import Decimal
from fractions import Fraction

from billing.money import round_to_fen
from billing.pricing.basis import (
    Basis,
    Duration,
    LateFeeBasis,
    MeteredBasis,
    PeriodicBasis,
    Reading,
    TieredBasis,
    TimeUnit,
    Usage,
    parse_basis,
)
from billing.pricing.prices import Per, plain
from billing.pricing.proration import Part


def explain(stored: object) -> str:
    """The sentence of a stored basis.

    Raises:
        PricingError: the basis is not one that pricing wrote.

    >>> explain({"method": "flat", "unit_price": "100.00", "per": "month", "months": ["21/30"]})
    '100.00元/月 × 21/30月 = 70.00元'
    >>> explain({"method": "area", "unit_price": "2.80", "per": "month", "area_m2": "98.50",
    ...          "months": ["1"]})
    '98.50㎡ × 2.80元/㎡·月 = 275.80元'
    """
    return explain_basis(parse_basis(stored))


def explain_basis(basis: Basis) -> str:
    """The sentence of a basis that was already read."""
    match basis:
        case PeriodicBasis():
            return f"{_periodic(basis)} = {_result(basis.exact)}"
        case MeteredBasis():
            product = f"{_usage(basis.usage)} × {_yuan(basis.unit_price)}元"
            return f"{product}{_share(basis.share)} = {_result(basis.exact)}"
        case TieredBasis():
            return f"{_tiered(basis)} = {_result(basis.exact)}"
        case LateFeeBasis():
            return _late_fee(basis)


def _periodic(basis: PeriodicBasis) -> str:
    per = "" if basis.per is Per.ONCE else basis.per.label
    price = f"{_yuan(basis.unit_price)}元"
    if basis.area_m2 is not None:
        unit = f"/㎡·{per}" if per else "/㎡"
        price = f"{plain(basis.area_m2)}㎡ × {price}{unit}"
    elif per:
        price += f"/{per}"
    return price + _time(basis.duration, basis.divisor)


def _time(duration: Duration | None, divisor: int) -> str:
    """` × (21/30 + 5)月 ÷ 3`; nothing where the price is paid exactly once."""
    if duration is None or _is_one(duration, divisor):
        return ""
    parts = " + ".join(str(part) for part in duration.parts)
    count = f"({parts})" if len(duration.parts) > 1 else parts
    return f" × {count}{duration.unit.label}" + (f" ÷ {divisor}" if divisor > 1 else "")


def _is_one(duration: Duration, divisor: int) -> bool:
    if duration.unit is TimeUnit.DAYS or len(duration.parts) > 1:
        return False
    return duration.total == divisor


def _tiered(basis: TieredBasis) -> str:
    charge = basis.charge
    terms = [f"{_number(units)} × {_yuan(price)}元" for units, price in charge.pieces]
    terms += [f"{_yuan(flat)}元" for flat in charge.flats if flat]
    share = _share(basis.share)
    total = " + ".join(terms)
    return f"({total}){share}" if share and len(terms) > 1 else total + share


def _late_fee(basis: LateFeeBasis) -> str:
    product = f"{_yuan(basis.principal)}元 × {plain(basis.daily_rate)} × {basis.days}天"
    sentence = f"{product} = {_result(basis.uncapped)}"
    if basis.cap is None or not basis.capped:
        return sentence
    return f"{sentence}，封顶{_yuan(basis.cap)}元"


def _usage(usage: Usage) -> str:
    if not isinstance(usage, Reading):
        return plain(usage)
    difference = f"({plain(usage.current)} − {plain(usage.previous)})"
    return f"{difference} × {plain(usage.multiplier)}"


def _share(share: Part) -> str:
    return "" if share.of == 1 else f" × {share}"


def _result(exact: Fraction) -> str:
    return f"{round_to_fen(exact).yuan}元"


def _yuan(value: Decimal) -> str:
    """A price as given, with two decimals at least: `5` is `5.00`, `0.125` stays."""
    whole, _, decimals = plain(value).partition(".")
    return f"{whole}.{decimals.ljust(2, '0')}"


def _number(value: Fraction) -> str:
    """A plain decimal where the number has one, else a fraction such as `5220/31`."""
    rest, digits = value.denominator, 0
    for prime in (2, 5):
        power = 0
        while rest % prime == 0:
            rest, power = rest // prime, power + 1
        digits = max(digits, power)
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    if digits == 0:
        return str(value.numerator)
    shifted = str(value.numerator * 10**digits // value.denominator).zfill(digits + 1)
    return f"{shifted[:-digits]}.{shifted[-digits:]}"
