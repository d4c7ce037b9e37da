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
from billing.pricing.fields import Fields, PricingError
from billing.pricing.prices import (
    Per,
    PricingMethod,
    TieredPrice,
    plain,
    read_tiered,
    tiered_to_json,
)
from billing.pricing.proration import Part
from billing.pricing.tiers import TierCharge, charge_tiers

LATE_FEE = "late_fee"
_METHODS = ", ".join([*PricingMethod, LATE_FEE])


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
class Reading:
    """Two readings of one meter and what one step of it stands for.

    Raises:
        PricingError: the meter went backwards; without a meter change that is a wrong reading.
    """

    previous: Decimal
    current: Decimal
    multiplier: Decimal

    def __post_init__(self) -> None:
        if self.current < self.previous:
            raise PricingError("reading.current", "lower than previous without a meter change")

    @property
    def quantity(self) -> Fraction:
        """Units used."""
        return (Fraction(self.current) - Fraction(self.previous)) * Fraction(self.multiplier)


Usage = Reading | Decimal
"""Units used: as two readings, or known as a quantity."""


@dataclass(frozen=True, slots=True)
class PeriodicBasis:
    """Unit price × area, if any, × time; `duration` is None for a single charge."""

    unit_price: Decimal
    per: Per
    duration: Duration | None
    area_m2: Decimal | None = None

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
        return stored


@dataclass(frozen=True, slots=True)
class MeteredBasis:
    """Usage × price × the share of the usage that falls to a version."""

    unit_price: Decimal
    usage: Usage
    share: Part

    @property
    def exact(self) -> Fraction:
        """Unrounded yuan."""
        return quantity_of(self.usage) * Fraction(self.unit_price) * self.share.fraction

    def to_json(self) -> dict[str, Any]:
        """As stored."""
        return {
            "method": PricingMethod.METERED.value,
            "unit_price": plain(self.unit_price),
            **_usage_to_json(self.usage),
            **_share_to_json(self.share),
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
            **_usage_to_json(self.usage),
            "span_days": self.span_days,
            **_share_to_json(self.share),
        }


@dataclass(frozen=True, slots=True)
class LateFeeBasis:
    """Principal × daily rate × days, never above `cap`; None is no cap."""

    principal: Decimal
    daily_rate: Decimal
    days: int
    cap: Decimal | None

    @property
    def uncapped(self) -> Fraction:
        """Unrounded yuan before the cap."""
        return Fraction(self.principal) * Fraction(self.daily_rate) * self.days

    @property
    def capped(self) -> bool:
        """Whether the cap lowers the amount."""
        return self.cap is not None and self.uncapped > Fraction(self.cap)

    @property
    def exact(self) -> Fraction:
        """Unrounded yuan."""
        return Fraction(self.cap) if self.cap is not None and self.capped else self.uncapped

    def to_json(self) -> dict[str, Any]:
        """As stored."""
        return {
            "method": LATE_FEE,
            "principal": plain(self.principal),
            "daily_rate": plain(self.daily_rate),
            "days": self.days,
            **({} if self.cap is None else {"cap": plain(self.cap)}),
        }


Basis = PeriodicBasis | MeteredBasis | TieredBasis | LateFeeBasis


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
            basis = MeteredBasis(fields.number("unit_price"), _stored_usage(fields), _share(fields))
        case PricingMethod.TIERED:
            price = read_tiered(fields)
            usage, days = _stored_usage(fields), fields.whole("span_days")
            basis = TieredBasis(price, usage, days, _share(fields))
        case "late_fee":
            cap = fields.number("cap") if fields.has("cap") else None
            principal, rate = fields.number("principal"), fields.number("daily_rate")
            basis = LateFeeBasis(principal, rate, fields.whole("days"), cap)
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


def read_usage(fields: Fields) -> Usage | None:
    """`reading` or `quantity` of an object, None when neither is given.

    Raises:
        PricingError: both are given, or either is unusable.
    """
    if fields.has("reading") and fields.has("quantity"):
        raise PricingError(fields.path("quantity"), "cannot be given together with reading")
    if fields.has("quantity"):
        return fields.number("quantity")
    if not fields.has("reading"):
        return None
    inner = fields.object("reading")
    previous, current = inner.number("previous"), inner.number("current")
    reading = Reading(previous, current, inner.number("multiplier"))
    inner.finish()
    return reading


def quantity_of(usage: Usage) -> Fraction:
    """Units used, exactly."""
    return usage.quantity if isinstance(usage, Reading) else Fraction(usage)


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
    return PeriodicBasis(fields.number("unit_price"), per, duration, area)


def _stored_usage(fields: Fields) -> Usage:
    usage = read_usage(fields)
    if usage is None:
        raise PricingError(fields.path("quantity"), "missing")
    return usage


def _usage_to_json(usage: Usage) -> dict[str, Any]:
    if not isinstance(usage, Reading):
        return {"quantity": plain(usage)}
    return {
        "reading": {
            "previous": plain(usage.previous),
            "current": plain(usage.current),
            "multiplier": plain(usage.multiplier),
        }
    }


def _share(fields: Fields) -> Part:
    return Part.read(fields.take("share"), fields.path("share")) if fields.has("share") else Part(1)


def _share_to_json(share: Part) -> dict[str, Any]:
    return {} if share.of == 1 else {"share": str(share)}
