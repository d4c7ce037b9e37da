"""Tiered usage: which units are charged at which price. Exact; nothing is rounded here."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing.pricing.prices import Tier, TieredPrice, TierMode


@dataclass(frozen=True, slots=True)
class TierCharge:
    """Units at their prices in yuan, and the flats in yuan of the tiers reached."""

    pieces: tuple[tuple[Fraction, Decimal], ...]
    flats: tuple[Decimal, ...]

    @property
    def exact(self) -> Fraction:
        """The whole charge in yuan."""
        usage = sum((units * Fraction(price) for units, price in self.pieces), Fraction())
        return usage + sum((Fraction(flat) for flat in self.flats), Fraction())


def charge_tiers(price: TieredPrice, quantity: Fraction, days: int) -> TierCharge:
    """Lay a quantity over the tiers.

    Args:
        quantity: units used, zero or more.
        days: days the quantity was used in; they scale the bounds when the price has normal_days.

    Returns:
        At least one piece. Graduated: every tier's units at its own price plus the flat of every
        tier reached, the first always. Volume: all units at the price of the tier they fall in,
        plus its flat.

    >>> bands = (
    ...     Tier(Decimal(180), Decimal("5.00"), Decimal(0)),
    ...     Tier(None, Decimal("7.00"), Decimal(0)),
    ... )
    >>> charge_tiers(TieredPrice(TierMode.GRADUATED, bands), Fraction(200), 30).exact
    Fraction(1040, 1)
    >>> charge_tiers(TieredPrice(TierMode.VOLUME, bands), Fraction(200), 30).exact
    Fraction(1400, 1)
    """
    scale = Fraction(1) if price.normal_days is None else days / Fraction(price.normal_days)
    bounds = [_bound(tier, scale) for tier in price.tiers]
    if price.mode is TierMode.VOLUME:
        return _volume(price.tiers, bounds, quantity)
    return _graduated(price, bounds, quantity)


def _bound(tier: Tier, scale: Fraction) -> Fraction | None:
    return None if tier.up_to is None else Fraction(tier.up_to) * scale


def _volume(
    tiers: tuple[Tier, ...], bounds: list[Fraction | None], quantity: Fraction
) -> TierCharge:
    at = next(i for i, bound in enumerate(bounds) if bound is None or quantity <= bound)
    return TierCharge(((quantity, tiers[at].unit_price),), (tiers[at].flat,))


def _graduated(price: TieredPrice, bounds: list[Fraction | None], quantity: Fraction) -> TierCharge:
    begin = Fraction(price.year_to_date or 0)
    end = begin + quantity
    pieces, flats = [], [price.tiers[0].flat]
    lower = Fraction(0)
    for at, (tier, bound) in enumerate(zip(price.tiers, bounds, strict=True)):
        if at > 0 and end > lower:
            flats.append(tier.flat)
        upper = end if bound is None else min(end, bound)
        units = upper - max(begin, lower)
        if units > 0:
            pieces.append((units, tier.unit_price))
        lower = lower if bound is None else bound
    if not pieces:
        pieces.append((Fraction(0), price.tiers[0].unit_price))
    return TierCharge(tuple(pieces), tuple(flats))
