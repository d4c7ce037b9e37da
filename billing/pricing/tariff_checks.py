"""What staff are told about a tariff before it is in force; nothing here stops a calculation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from billing.labels import LabelEnum
from billing.money import Money, round_to_fen
from billing.pricing.fields import PricingError
from billing.pricing.prices import (
    AreaPrice,
    FlatPrice,
    MeteredPrice,
    Per,
    Price,
    TariffVersion,
    Tier,
    TieredPrice,
    TierMode,
    plain,
)
from billing.pricing.tiers import charge_tiers

JUMP = Fraction(30, 100)
"""A price that changes by more than this part of the one before is asked about."""


class WarningKind(LabelEnum):
    """What is odd about a price that is computed all the same."""

    TOTAL_FALLS = "total_falls", "用量增加时总价反而下降"
    PRICE_JUMPS = "price_jumps", "价格变动超过三成"


@dataclass(frozen=True, slots=True)
class TariffWarning:
    """`field` is odd: a usage of `at` costs `up_to_there`, any more at first only `beyond`."""

    kind: WarningKind
    field: str
    at: Decimal
    up_to_there: Money
    beyond: Money


@dataclass(frozen=True, slots=True)
class PriceJump:
    """What cost `before` costs `after`: yuan per unit, square metre or `per`, or, with tiers, for a
    usage of `at` units.
    """

    kind: WarningKind
    at: Decimal | None
    before: Decimal | Money
    after: Decimal | Money


def tariff_warnings(price: Price) -> list[TariffWarning]:
    """What is odd about a price, by tier; nothing for almost all. Pure.

    Only volume tiers can fall: past a bound all units are charged at the next price. Bounds that
    scale with days are taken as written, that is, for a period of `normal_days`.

    >>> tiers = (Tier(Decimal(100), Decimal("0.60"), Decimal(0)),
    ...          Tier(None, Decimal("0.50"), Decimal(0)))
    >>> (found,) = tariff_warnings(TieredPrice(TierMode.VOLUME, tiers))
    >>> found.field, found.at, found.up_to_there.yuan, found.beyond.yuan
    ('tiers[1]', Decimal('100'), '60.00', '50.00')
    """
    if not isinstance(price, TieredPrice) or price.mode is not TierMode.VOLUME:
        return []
    found = []
    for at, (tier, following) in enumerate(pairwise(price.tiers), start=1):
        if tier.up_to is None:  # only the last may be open, and nothing follows it
            continue
        before, after = _charge(tier, tier.up_to), _charge(following, tier.up_to)
        if after < before:
            amounts = round_to_fen(before), round_to_fen(after)
            kind = WarningKind.TOTAL_FALLS
            found.append(TariffWarning(kind, f"tiers[{at}]", tier.up_to, *amounts))
    return found


def price_jump(before: Price, after: Price) -> PriceJump | None:
    """A change of more than `JUMP` up or down, where the largest is; None for a smaller one. Pure.

    Prices of two methods have no common measure and are not compared; a price for another time is
    compared by the month. Tiers are compared at all their bounds, as written, at one unit, and well
    past the last bound.

    >>> jump = price_jump(MeteredPrice(Decimal("3.00")), MeteredPrice(Decimal("4.00")))
    >>> jump.before, jump.after
    (Decimal('3.00'), Decimal('4.00'))
    >>> price_jump(MeteredPrice(Decimal("3.00")), MeteredPrice(Decimal("3.90")))
    """
    if isinstance(before, TieredPrice | MeteredPrice) and isinstance(
        after, TieredPrice | MeteredPrice
    ):
        if isinstance(before, MeteredPrice) and isinstance(after, MeteredPrice):
            return _jump(before.unit_price, after.unit_price)
        return _usage_jump(_as_tiers(before), _as_tiers(after))
    if isinstance(before, FlatPrice | AreaPrice) and type(before) is type(after):
        comparable = before.per is after.per or not {Per.DAY, Per.ONCE} & {before.per, after.per}
        if comparable:
            return _jump(before.unit_price, after.unit_price, before.per.months, after.per.months)
    return None


def refuse_margin(price: Price, supplier: Price) -> None:
    """What is collected for a supplier costs the owner no more than the supplier charges: no
    handling fee, no margin (《物业管理条例》 art. 44).

    Raises:
        PricingError: a unit price or flat above the supplier's, or a price of another shape, which
            could hide one: other method, time, mode or bounds.
    """
    if _shape(price) != _shape(supplier):
        raise PricingError(
            "supplier_price", "must have the method, time and tiers of price, to be compared with"
        )
    for (field, charged), (_, paid) in zip(_rates(price), _rates(supplier), strict=True):
        if charged > paid:
            raise PricingError(
                f"price.{field}",
                f"{plain(charged)} is above the supplier's {plain(paid)}; what is collected for a"
                " supplier carries no margin (Property Management Regulations, article 44)",
            )


def refuse_overlap(versions: Sequence[TariffVersion]) -> None:
    """A version is in force until the next begins, so two overlap when they begin on one day.

    Raises:
        PricingError: two versions of one day.
    """
    if len({version.effective_from for version in versions}) < len(versions):
        raise PricingError("versions", "two versions take effect on the same day")


def _charge(tier: Tier, quantity: Decimal) -> Fraction:
    return Fraction(quantity) * Fraction(tier.unit_price) + Fraction(tier.flat)


def _usage_jump(before: TieredPrice, after: TieredPrice) -> PriceJump | None:
    bounds = {tier.up_to for price in (before, after) for tier in price.tiers if tier.up_to}
    usages = {Decimal(1), *bounds, 2 * max(bounds, default=Decimal(1))}  # and past the last bound
    found = []
    for at in sorted(usages):
        old, new = (charge_tiers(price, Fraction(at), 1).exact for price in (before, after))
        if _jumps(old, new):
            size = abs(new - old) / old if old else Fraction(10**9)
            amounts = round_to_fen(old), round_to_fen(new)
            found.append((size, PriceJump(WarningKind.PRICE_JUMPS, at, *amounts)))
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _as_tiers(price: MeteredPrice | TieredPrice) -> TieredPrice:
    """Bounds as written, from nothing used."""
    if isinstance(price, TieredPrice):
        return replace(price, normal_days=None, year_to_date=None)
    return TieredPrice(TierMode.GRADUATED, (Tier(None, price.unit_price, Decimal(0)),))


def _jump(
    before: Decimal, after: Decimal, months_before: int = 1, months_after: int = 1
) -> PriceJump | None:
    if not _jumps(Fraction(before) / months_before, Fraction(after) / months_after):
        return None
    return PriceJump(WarningKind.PRICE_JUMPS, None, before, after)


def _jumps(before: Fraction, after: Fraction) -> bool:
    return abs(after - before) > JUMP * before


def _rates(price: Price) -> list[tuple[str, Decimal]]:
    if not isinstance(price, TieredPrice):
        return [("unit_price", price.unit_price)]
    return [
        rate
        for at, tier in enumerate(price.tiers)
        for rate in (
            (f"tiers[{at}].unit_price", tier.unit_price),
            (f"tiers[{at}].flat", tier.flat),
        )
    ]


def _shape(price: Price) -> Price:
    """The price without its prices."""
    nothing = Decimal(0)
    if not isinstance(price, TieredPrice):
        return replace(price, unit_price=nothing)
    tiers = tuple(replace(tier, unit_price=nothing, flat=nothing) for tier in price.tiers)
    return replace(price, tiers=tiers)
