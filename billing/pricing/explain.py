"""The arithmetic of a line as one sentence in Chinese that a calculator can check.

Only × ÷ + − ( ), `/` between the numbers of a fraction, %, plain decimals, and units after numbers.
What is written is the unrounded amount exactly; only the result after `=` is rounded. What takes
several steps is several such sentences, each with its name, and the last result is the amount.
"""

from decimal import Decimal
from fractions import Fraction

from billing.money import FEN_PER_YUAN, round_to_fen
from billing.pricing.apportion import ApportionBy, PoolUsage, ShareBasis, pool_amount
from billing.pricing.basis import (
    Basis,
    Duration,
    MeteredBasis,
    PeriodicBasis,
    TieredBasis,
    TimeUnit,
    parse_basis,
)
from billing.pricing.discounts import DiscountBasis
from billing.pricing.late_fee import LateFeeBasis
from billing.pricing.prices import Per, plain
from billing.pricing.proration import Part
from billing.pricing.stated import StatedBasis
from billing.pricing.usage import Reading, Usage

_WEIGHT_UNITS = {ApportionBy.AREA: "㎡", ApportionBy.HOUSEHOLD: "户", ApportionBy.USAGE: ""}


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
            return f"{_periodic(basis)} = {_result(basis.exact)}{_listed(basis.listed_price)}"
        case MeteredBasis():
            product = f"{_usage(basis.usage)} × {_yuan(basis.unit_price)}元"
            sentence = f"{product}{_share(basis.share)} = {_result(basis.exact)}"
            return sentence + _listed(basis.listed_price)
        case TieredBasis():
            return f"{_tiered(basis)} = {_result(basis.exact)}"
        case ShareBasis():
            return _shared_cost(basis)
        case DiscountBasis():
            return _discount(basis)
        case LateFeeBasis():
            return _late_fee(basis)
        case StatedBasis():
            return f"期初欠费 = {basis.amount.yuan}元，依据：{basis.document}"


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
    terms = [f"{show_number(units)} × {_yuan(price)}元" for units, price in charge.pieces]
    terms += [f"{_yuan(flat)}元" for flat in charge.flats if flat]
    share = _share(basis.share)
    total = " + ".join(terms)
    return f"({total}){share}" if share and len(terms) > 1 else total + share


def _late_fee(basis: LateFeeBasis) -> str:
    products = [
        f"{_yuan(part.principal)}元 × {plain(part.daily_rate)} × {part.days}天"
        for part in basis.parts
    ]
    total = f"{' + '.join(products)} = {_result(basis.uncapped)}"
    if basis.cap is not None and basis.capped:
        total += f"，封顶{_yuan(basis.cap)}元"
    if not basis.charged:
        return total
    rest = f"{basis.total.yuan}元 − {basis.charged.yuan}元 = {_result(basis.exact)}"
    return f"累计：{total}；扣除已计：{rest}"


def _shared_cost(basis: ShareBasis) -> str:
    """The pool, the share as a calculator rounds it, and the fen by which the real share differs.

    Shares are rounded together, so that they sum to the pool; a share may differ from its own
    rounding by one fen.
    """
    steps = []
    if isinstance(basis.pool, PoolUsage):
        product = f"{plain(basis.pool.quantity)} × {_yuan(basis.pool.unit_price)}元"
        steps.append(f"总额：{product} = {pool_amount(basis.pool).yuan}元")
    unit, rounded = _WEIGHT_UNITS[basis.by], round_to_fen(Fraction(basis.quotient, FEN_PER_YUAN))
    weights = f"{plain(basis.weight)}{unit} ÷ {plain(basis.weights_total)}{unit}"
    share = f"{pool_amount(basis.pool).yuan}元 × {weights} = {rounded.yuan}元"
    steps.append(f"分摊：{share}")
    if basis.share != rounded:
        sign, fen = (
            ("+", basis.share - rounded) if basis.extra_fen else ("−", rounded - basis.share)
        )
        steps.append(f"尾差：{rounded.yuan}元 {sign} {fen.yuan}元 = {basis.share.yuan}元")
    sentence = "；".join(steps) if len(steps) > 1 else share
    if basis.cap is not None and basis.capped:
        sentence += f"，封顶{basis.cap.yuan}元"
    return sentence


def _discount(basis: DiscountBasis) -> str:
    percent = "" if basis.percent is None else f" × {plain(basis.percent)}%"
    off = f"−{basis.of.yuan}元{percent}{_share(basis.share)} = {_result(-basis.uncapped)}"
    return f"{off}，封顶{basis.left.yuan}元" if basis.left is not None and basis.capped else off


def _usage(usage: Usage) -> str:
    if not isinstance(usage, Reading):
        return plain(usage)
    return f"({_steps(usage)}) × {plain(usage.multiplier)}"


def _steps(reading: Reading) -> str:
    """What the meter counted; of two meters as two differences, past its last number from there."""
    previous, current = plain(reading.previous), plain(reading.current)
    if reading.change is not None:
        old_final, initial = plain(reading.change.old_final), plain(reading.change.new_initial)
        return f"({old_final} − {previous}) + ({current} − {initial})"
    if reading.rolls_over_at is not None and reading.rolled_over:
        return f"{plain(reading.rolls_over_at)} − {previous} + {current}"
    return f"{current} − {previous}"


def _listed(listed_price: Decimal | None) -> str:
    return "" if listed_price is None else f"，约定单价（标准{_yuan(listed_price)}元）"


def _share(share: Part) -> str:
    return "" if share.of == 1 else f" × {share}"


def _result(exact: Fraction) -> str:
    return f"{round_to_fen(exact).yuan}元".replace("-", "−")


def _yuan(value: Decimal) -> str:
    """A price as given, with two decimals at least: `5` is `5.00`, `0.125` stays."""
    whole, _, decimals = plain(value).partition(".")
    return f"{whole}.{decimals.ljust(2, '0')}"


def show_yuan(value: Decimal) -> str:
    """A price or a sum: `2.80元`."""
    return f"{_yuan(value)}元"


def show_area(value: Decimal) -> str:
    """An area: `98.50㎡`."""
    return f"{plain(value)}㎡"


def show_number(value: Fraction) -> str:
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
