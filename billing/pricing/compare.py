"""Why a charge differs from an earlier one of the same thing: price, quantity, time, each in fen.

One thing is changed at a time, in the order below, and the amount is worked out anew; what a step
adds is its effect. So the effects sum to the difference exactly, whatever they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing.labels import LabelEnum
from billing.money import ZERO, Money, round_to_fen
from billing.pricing.apportion import ShareBasis, pool_amount
from billing.pricing.basis import Basis, MeteredBasis, PeriodicBasis, TieredBasis
from billing.pricing.explain import show_area, show_number, show_yuan
from billing.pricing.prices import plain
from billing.pricing.tiers import charge_tiers
from billing.pricing.usage import quantity_of


class Cause(LabelEnum):
    """What made a charge differ."""

    AREA = "area", "面积"
    USAGE = "usage", "用量"
    TIER = "tier", "阶梯"
    POOL = "pool", "公摊总额"
    SHARE = "share", "分摊比例"
    TIME = "time", "计费时长"
    PRICE = "price", "单价"
    OTHER = "other", "计算方式"


@dataclass(frozen=True, slots=True)
class Effect:
    """What one cause added, fen (negative: took away), from which value to which."""

    cause: Cause
    amount: Money
    was: str = ""
    now: str = ""


@dataclass(frozen=True, slots=True)
class _Step:
    """The exact amount in yuan once this cause is as it is now."""

    cause: Cause
    reached: Fraction
    was: str
    now: str


def effects(before: Sequence[Basis], after: Sequence[Basis]) -> list[Effect]:
    """Effects that made the lines of one charge from `before` to `after`, each of one line or more;
    none of zero. They sum to the difference of the rounded lines.

    >>> from billing.pricing.basis import parse_basis
    >>> flat = {"method": "flat", "unit_price": "100.00", "per": "month", "months": ["1"]}
    >>> [dearer] = effects([parse_basis(flat)], [parse_basis(flat | {"unit_price": "120.00"})])
    >>> dearer.cause.label, dearer.amount.fen, dearer.was, dearer.now
    ('单价', 2000, '100.00元', '120.00元')
    """
    amount, end = _total(before), _total(after)
    found = []
    *steps, last = _steps(before, after)
    for step in steps:
        reached = round_to_fen(step.reached)
        found.append(Effect(step.cause, reached - amount, step.was, step.now))
        amount = reached
    found.append(Effect(last.cause, end - amount, last.was, last.now))
    return [effect for effect in found if effect.amount != ZERO]


def _total(bases: Sequence[Basis]) -> Money:
    return Money(sum(round_to_fen(basis.exact).fen for basis in bases))


def _exact(bases: Sequence[Basis]) -> Fraction:
    return sum((basis.exact for basis in bases), Fraction())


def _steps(before: Sequence[Basis], after: Sequence[Basis]) -> list[_Step]:
    """The last step is whatever the ones before it leave."""
    old, new = before[0], after[0]
    every = [*before, *after]
    if isinstance(old, PeriodicBasis) and isinstance(new, PeriodicBasis):
        periodic = [basis for basis in every if isinstance(basis, PeriodicBasis)]
        if len(periodic) == len(every) and _are_alike(periodic):
            return _periodic(periodic[: len(before)], periodic[len(before) :])
    if isinstance(old, MeteredBasis) and isinstance(new, MeteredBasis):
        metered = [basis for basis in every if isinstance(basis, MeteredBasis)]
        if len(metered) == len(every):
            return _metered(metered[: len(before)], metered[len(before) :])
    if len(every) == 2 and isinstance(old, TieredBasis) and isinstance(new, TieredBasis):
        return _tiered(old, new)
    if len(every) == 2 and isinstance(old, ShareBasis) and isinstance(new, ShareBasis):
        return _shared(old, new)
    return [_Step(Cause.OTHER, _exact(after), "", "")]


def _are_alike(bases: Sequence[PeriodicBasis]) -> bool:
    """Whether their unit prices are of one unit: 2.80 per ㎡ and 250.00 per home are no rise."""
    return len({(basis.area_m2 is None, basis.per) for basis in bases}) == 1


def _periodic(before: Sequence[PeriodicBasis], after: Sequence[PeriodicBasis]) -> list[_Step]:
    steps, reached = [], _exact(before)
    old_area, new_area = before[0].area_m2, after[0].area_m2
    if old_area and new_area and old_area != new_area:
        reached *= Fraction(new_area) / Fraction(old_area)
        steps.append(_Step(Cause.AREA, reached, show_area(old_area), show_area(new_area)))
    old_time, new_time = _time(before), _time(after)
    if old_time and new_time and old_time[0] != new_time[0] and old_time[1] == new_time[1]:
        reached *= new_time[0] / old_time[0]
        steps.append(_Step(Cause.TIME, reached, _shown(*old_time), _shown(*new_time)))
    return [*steps, _price(before, after)]


def _time(bases: Sequence[PeriodicBasis]) -> tuple[Fraction, str] | None:
    """How long was charged and in which unit; None when the lines do not agree on one."""
    durations = [basis.duration for basis in bases]
    units = {duration.unit for duration in durations if duration}
    if None in durations or len(units) != 1:
        return None
    total = sum((duration.total for duration in durations if duration), Fraction())
    return (total, units.pop().label) if total else None


def _metered(before: Sequence[MeteredBasis], after: Sequence[MeteredBasis]) -> list[_Step]:
    old, new = _used(before), _used(after)
    if old == new:
        return [_price(before, after)]
    if not old:
        return [_Step(Cause.USAGE, _exact(after), show_number(old), show_number(new))]
    reached = _exact(before) * new / old
    return [_Step(Cause.USAGE, reached, show_number(old), show_number(new)), _price(before, after)]


def _used(bases: Sequence[MeteredBasis]) -> Fraction:
    return sum((quantity_of(basis.usage) * basis.share.fraction for basis in bases), Fraction())


def _price(
    before: Sequence[PeriodicBasis] | Sequence[MeteredBasis],
    after: Sequence[PeriodicBasis] | Sequence[MeteredBasis],
) -> _Step:
    return _Step(Cause.PRICE, _exact(after), _prices(before), _prices(after))


def _prices(bases: Sequence[PeriodicBasis] | Sequence[MeteredBasis]) -> str:
    return "/".join(dict.fromkeys(show_yuan(basis.unit_price) for basis in bases))


def _tiered(old: TieredBasis, new: TieredBasis) -> list[_Step]:
    """More units at the price of the last one, then what another tier costs beside it."""
    was, now = quantity_of(old.usage), quantity_of(new.usage)
    highest = old.charge.pieces[-1][1]
    used = old.exact + (now - was) * Fraction(highest) * old.share.fraction
    laid = charge_tiers(old.price, now, new.span_days)
    return [
        _Step(Cause.USAGE, used, show_number(was), show_number(now)),
        _Step(
            Cause.TIER,
            laid.exact * old.share.fraction,
            show_yuan(highest),
            show_yuan(laid.pieces[-1][1]),
        ),
        _Step(
            Cause.PRICE,
            new.exact,
            show_yuan(old.price.tiers[0].unit_price),
            show_yuan(new.price.tiers[0].unit_price),
        ),
    ]


def _shared(old: ShareBasis, new: ShareBasis) -> list[_Step]:
    was, now = pool_amount(old.pool), pool_amount(new.pool)
    share = _Step(
        Cause.SHARE,
        new.exact,
        f"{plain(old.weight)}/{plain(old.weights_total)}",
        f"{plain(new.weight)}/{plain(new.weights_total)}",
    )
    if not was.fen:
        return [share]
    reached = old.exact * Fraction(now.fen, was.fen)
    return [
        _Step(Cause.POOL, reached, show_yuan(Decimal(was.yuan)), show_yuan(Decimal(now.yuan))),
        share,
    ]


def _shown(total: Fraction, unit: str) -> str:
    return show_number(total) + unit
