"""The basis of a line: the numbers its amount is made of, stored with it as JSON.

A line is priced by building its basis and rounding the exact value of the basis once. So the amount
can be recomputed from what is stored, and the sentence an owner reads is made of the same numbers.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing.labels import LabelEnum
from billing.money import Money, round_to_fen
from billing.pricing.apportion import APPORTIONED, ShareBasis, read_share_basis
from billing.pricing.discounts import DISCOUNT, DiscountBasis, read_discount_basis
from billing.pricing.fields import Fields, PricingError
from billing.pricing.late_fee import LATE_FEE, LateFeeBasis, read_late_fee_basis
from billing.pricing.prices import (
    Per,
    PricingMethod,
    TieredPrice,
    plain,
    read_tiered,
    tiered_to_json,
)
from billing.pricing.proration import Part, read_share, share_to_json
from billing.pricing.stated import STATED, StatedBasis, read_stated_basis
from billing.pricing.tiers import TierCharge, charge_tiers
from billing.pricing.usage import Usage, quantity_of, read_usage, usage_to_json

_METHODS = ", ".join([*PricingMethod, APPORTIONED, DISCOUNT, LATE_FEE, STATED])


class TimeUnit(LabelEnum):
    """What the parts of a `Duration` count; the codes are keys of the stored basis."""

    MONTHS = "months", "月"
    PERIODS = "periods", "账期"
    DAYS = "days", "天"


@dataclass(frozen=True, slots=True)
class Duration:
    """How long a price was charged, as the sum of its parts."""

    unit: TimeUnit
    parts: tuple[Part, ...]

    @property
    def total(self) -> Fraction:
        """The sum of the parts, in `unit`."""
        return sum((part.fraction for part in self.parts), Fraction())


@dataclass(frozen=True, slots=True)
class PeriodicBasis:
    """Unit price × area, if any, × time; `duration` is None for a single charge.

    `listed_price` is the tariff's unit price where the subject has one of its own.
    """

    unit_price: Decimal
    per: Per
    duration: Duration | None
    area_m2: Decimal | None = None
    listed_price: Decimal | None = None

    @property
    def divisor(self) -> int:
        """Months in `per` when time is counted in months; a billing period costs one unit price."""
        in_months = self.duration is not None and self.duration.unit is TimeUnit.MONTHS
        return self.per.months if in_months else 1

    @property
    def exact(self) -> Fraction:
        """Unrounded yuan."""
        amount = Fraction(self.unit_price)
        if self.area_m2 is not None:
            amount *= Fraction(self.area_m2)
        if self.duration is not None:
            amount *= self.duration.total / self.divisor
        return amount

    def to_json(self) -> dict[str, Any]:
        """As stored."""
        stored: dict[str, Any] = {
            "method": (PricingMethod.FLAT if self.area_m2 is None else PricingMethod.AREA).value,
            "unit_price": plain(self.unit_price),
            "per": self.per.value,
        }
        if self.area_m2 is not None:
            stored["area_m2"] = plain(self.area_m2)
        if self.duration is not None:
            stored[self.duration.unit.value] = [str(part) for part in self.duration.parts]
        return stored | _listed_to_json(self.listed_price)


@dataclass(frozen=True, slots=True)
class MeteredBasis:
    """Usage × price × the share of the usage that falls to a version.

    `listed_price` is the tariff's unit price where the subject has one of its own.
    """

    unit_price: Decimal
    usage: Usage
    share: Part
    listed_price: Decimal | None = None

    @property
    def exact(self) -> Fraction:
        """Unrounded yuan."""
        return quantity_of(self.usage) * Fraction(self.unit_price) * self.share.fraction

    def to_json(self) -> dict[str, Any]:
        """As stored."""
        return {
            "method": PricingMethod.METERED.value,
            "unit_price": plain(self.unit_price),
            **usage_to_json(self.usage),
            **share_to_json(self.share),
            **_listed_to_json(self.listed_price),
        }


@dataclass(frozen=True, slots=True)
class TieredBasis:
    """The usage of the whole span laid over the tiers × the version's share of the span's days.

    Sharing the charge by days is the same as sharing quantity, bounds and flats by days.
    """

    price: TieredPrice
    usage: Usage
    span_days: int
    share: Part

    @property
    def charge(self) -> TierCharge:
        """Pieces and flats of the whole span, before sharing."""
        return charge_tiers(self.price, quantity_of(self.usage), self.span_days)

    @property
    def exact(self) -> Fraction:
        """Unrounded yuan."""
        return self.charge.exact * self.share.fraction

    def to_json(self) -> dict[str, Any]:
        """As stored."""
        return {
            "method": PricingMethod.TIERED.value,
            **tiered_to_json(self.price),
            **usage_to_json(self.usage),
            "span_days": self.span_days,
            **share_to_json(self.share),
        }


Basis = (
    PeriodicBasis
    | MeteredBasis
    | TieredBasis
    | ShareBasis
    | DiscountBasis
    | LateFeeBasis
    | StatedBasis
)


def parse_basis(stored: object) -> Basis:
    """Read a stored basis.

    Raises:
        PricingError: it is not one that pricing wrote.
    """
    fields = Fields(stored, "basis")
    method = fields.take("method")
    basis: Basis
    match method:
        case PricingMethod.FLAT | PricingMethod.AREA:
            basis = _read_periodic(fields, with_area=method == PricingMethod.AREA)
        case PricingMethod.METERED:
            price, usage = fields.number("unit_price"), _stored_usage(fields)
            basis = MeteredBasis(price, usage, read_share(fields), _listed(fields))
        case PricingMethod.TIERED:
            tiers, usage = read_tiered(fields), _stored_usage(fields)
            basis = TieredBasis(tiers, usage, fields.whole("span_days"), read_share(fields))
        case "apportioned":
            basis = read_share_basis(fields)
        case "discount":
            basis = read_discount_basis(fields)
        case "late_fee":
            basis = read_late_fee_basis(fields)
        case "stated":
            basis = read_stated_basis(fields)
        case _:
            raise PricingError("basis.method", f"must be one of: {_METHODS}")
    fields.finish()
    return basis


def recompute(stored: object) -> Money:
    """The amount of a line from its stored basis alone, rounded as it was when priced.

    Raises:
        PricingError: the basis is not one that pricing wrote.

    >>> recompute({"method": "flat", "unit_price": "100.00", "per": "month", "months": ["21/30"]})
    Money(fen=7000)
    """
    return round_to_fen(parse_basis(stored).exact)


def _read_periodic(fields: Fields, *, with_area: bool) -> PeriodicBasis:
    unit = next((unit for unit in TimeUnit if fields.has(unit)), None)
    duration = None
    if unit is not None:
        parts = tuple(Part.read(item, path) for item, path in fields.items(unit))
        duration = Duration(unit, parts)
    per = fields.choice("per", Per)
    if (duration is None) != (per is Per.ONCE):
        raise PricingError("basis.per", "only a single charge has no duration")
    area = fields.number("area_m2") if with_area else None
    return PeriodicBasis(fields.number("unit_price"), per, duration, area, _listed(fields))


def _stored_usage(fields: Fields) -> Usage:
    usage = read_usage(fields)
    if usage is None:
        raise PricingError(fields.path("quantity"), "missing")
    return usage


def _listed(fields: Fields) -> Decimal | None:
    return fields.number("listed_price") if fields.has("listed_price") else None


def _listed_to_json(listed_price: Decimal | None) -> dict[str, str]:
    return {} if listed_price is None else {"listed_price": plain(listed_price)}
