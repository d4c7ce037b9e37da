"""Shared costs (公摊): one amount shared by weights, so that the shares sum to it exactly.

Shares are rounded together (largest remainder), never one by one: each is its exact share cut to
whole fen, and the fen left over go one each to the shares that were cut most. A stored share
therefore says whether it got such a fen, and `uncollected` proves a whole pool from its shares.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from typing import Any

from billing.labels import LabelEnum
from billing.money import FEN_PER_YUAN, ZERO, Money, round_to_fen, split
from billing.pricing.fields import EXACT, NUMBER_MAX, Fields, PricingError
from billing.pricing.line import refuse_absurd
from billing.pricing.prices import plain

APPORTIONED = "apportioned"


class ApportionBy(LabelEnum):
    """What the weights of a shared cost count."""

    AREA = "area", "按面积"
    HOUSEHOLD = "household", "按户"
    USAGE = "usage", "按用量"


@dataclass(frozen=True, slots=True)
class PoolUsage:
    """A pool that is a quantity at a price in yuan, rounded once before it is shared."""

    quantity: Decimal
    unit_price: Decimal


Pool = Money | PoolUsage
"""What is shared: an amount, or a quantity at a price."""


@dataclass(frozen=True, slots=True)
class ShareBasis:
    """One weight's share of a pool.

    Args:
        weights_total: the sum of all weights of the pool.
        extra_fen: 1 if the share got one of the fen left over by cutting all shares, else 0.
        cap: the most one share pays; what it cuts off is nobody else's to pay.

    Raises:
        PricingError: a weight above the total, or an extra beyond one fen.
    """

    by: ApportionBy
    pool: Pool
    weight: Decimal
    weights_total: Decimal
    extra_fen: int
    cap: Money | None = None

    def __post_init__(self) -> None:
        if self.weights_total <= 0:
            raise PricingError("weights_total", "must be above zero")
        if self.weight > self.weights_total:
            raise PricingError("weight", "must not be above weights_total")
        if self.extra_fen not in (0, 1):
            raise PricingError("extra_fen", "must be 0 or 1")

    @property
    def quotient(self) -> Fraction:
        """Pool × weight ÷ total, in unrounded fen."""
        return Fraction(*self._ratio)

    @property
    def _ratio(self) -> tuple[int, int]:
        # Whole numbers, not reduced: a run works this out for every home.
        weight, per = self.weight.as_integer_ratio()
        total, total_per = self.weights_total.as_integer_ratio()
        return pool_amount(self.pool).fen * weight * total_per, per * total

    @property
    def share(self) -> Money:
        """The share before the cap: the quotient cut to whole fen, and the extra fen."""
        numerator, denominator = self._ratio
        return Money(numerator // denominator + self.extra_fen)

    @property
    def capped(self) -> bool:
        """Whether the cap lowers the amount."""
        return self.cap is not None and self.share > self.cap

    @property
    def amount(self) -> Money:
        """What this share pays."""
        return self.cap if self.cap is not None and self.capped else self.share

    @property
    def exact(self) -> Fraction:
        """Yuan; whole fen already."""
        return Fraction(self.amount.fen, FEN_PER_YUAN)

    def to_json(self) -> dict[str, Any]:
        """As stored."""
        return {
            "method": APPORTIONED,
            "by": self.by.value,
            "pool": _pool_to_json(self.pool),
            "weight": plain(self.weight),
            "weights_total": plain(self.weights_total),
            "extra_fen": self.extra_fen,
            **({} if self.cap is None else {"cap": self.cap.yuan}),
        }


def apportion(
    pool: Pool, by: ApportionBy, weights: Sequence[Decimal], cap: Money | None = None
) -> list[ShareBasis]:
    """Share a pool by weights; pure. A basis becomes a bill line by `priced_line`.

    Args:
        cap: the most one share pays. What caps cut off is borne by the company and never shared
            again among the others.

    Returns:
        One basis per weight, in order. Their shares sum to the pool; their amounts and
        `uncollected` do.

    Raises:
        InvalidInput: a negative weight, no weight above zero, or an absurd pool or sum of weights.

    >>> weights = [Decimal("98.5"), Decimal("101.5"), Decimal("60")]
    >>> shares = apportion(Money(1000), ApportionBy.AREA, weights, cap=Money(380))
    >>> [share.amount.fen for share in shares], uncollected(shares)
    ([379, 380, 231], Money(fen=10))
    """
    amount = refuse_absurd(pool_amount(pool))
    parts = split(amount, weights)
    total = _sum(weights)
    if total > NUMBER_MAX:
        raise PricingError("weights", f"their sum must not be above {NUMBER_MAX}")
    cut = [ShareBasis(by, pool, weight, total, 0, cap) for weight in weights]
    return [
        basis if basis.share == part else replace(basis, extra_fen=1)
        for basis, part in zip(cut, parts, strict=True)
    ]


def uncollected(shares: Sequence[ShareBasis]) -> Money:
    """What caps cut off a pool, after proving the pool from its shares, in any order.

    Raises:
        PricingError: the shares are not one whole pool, each share once, or a fen left over went to
            a share that was cut less than one without.
    """
    if not shares:
        raise PricingError("shares", "a pool has at least one share")
    first = shares[0]
    if len({(basis.by, basis.pool, basis.weights_total) for basis in shares}) > 1:
        raise PricingError("shares", "are not of one pool")
    if _sum([basis.weight for basis in shares]) != first.weights_total:
        raise PricingError("shares", "their weights do not sum to weights_total")
    if sum((basis.share for basis in shares), ZERO) != pool_amount(first.pool):
        raise PricingError("shares", "do not sum to the pool")
    cut = [(basis.quotient % 1, basis.extra_fen) for basis in shares]
    granted = [remainder for remainder, extra in cut if extra]
    if granted and min(granted) < max((rest for rest, extra in cut if not extra), default=0):
        raise PricingError("shares", "a fen left over went to a smaller remainder")
    return sum((basis.share - basis.amount for basis in shares), ZERO)


def pool_amount(pool: Pool) -> Money:
    """What is shared, rounded once where it is a quantity at a price.

    >>> pool_amount(PoolUsage(Decimal(1000), Decimal("0.62"))).yuan
    '620.00'
    """
    if isinstance(pool, Money):
        return pool
    return round_to_fen(Fraction(pool.quantity) * Fraction(pool.unit_price))


def read_pool(fields: Fields, key: str) -> Pool:
    """A pool: yuan, or an object with `quantity` and `unit_price`."""
    if not isinstance(fields.take(key), dict):
        return fields.yuan(key)
    inner = fields.object(key)
    pool = PoolUsage(inner.number("quantity"), inner.number("unit_price"))
    inner.finish()
    return pool


def read_share_basis(fields: Fields) -> ShareBasis:
    """The keys of a stored share without `method`; the caller finishes the object."""
    return ShareBasis(
        by=fields.choice("by", ApportionBy),
        pool=read_pool(fields, "pool"),
        weight=fields.number("weight"),
        weights_total=fields.number("weights_total"),
        extra_fen=fields.whole("extra_fen"),
        cap=fields.yuan("cap") if fields.has("cap") else None,
    )


def _pool_to_json(pool: Pool) -> str | dict[str, str]:
    if isinstance(pool, Money):
        return pool.yuan
    return {"quantity": plain(pool.quantity), "unit_price": plain(pool.unit_price)}


def _sum(weights: Sequence[Decimal]) -> Decimal:
    return reduce(EXACT.add, weights, Decimal())
