"""Prices as typed values: parsed once from JSON, written back to the same JSON."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

from billing.labels import LabelEnum
from billing.pricing.fields import Fields, PricingError
from billing.pricing.proration import Proration


class PricingMethod(LabelEnum):
    """What a price is multiplied with."""

    FLAT = "flat", "固定金额"
    AREA = "area", "按面积"
    METERED = "metered", "按用量"
    TIERED = "tiered", "阶梯计价"


class Per(LabelEnum):
    """The time one unit price pays for."""

    MONTH = "month", "月"
    QUARTER = "quarter", "季"
    YEAR = "year", "年"
    DAY = "day", "天"
    ONCE = "once", "次"

    @property
    def months(self) -> int:
        """Months one unit price pays for; a day or a single charge is not counted in months."""
        return {Per.QUARTER: 3, Per.YEAR: 12}.get(self, 1)


class TierMode(LabelEnum):
    """Whether each tier prices its own units, or the tier reached prices all of them."""

    GRADUATED = "graduated", "分档累进"
    VOLUME = "volume", "全量按档"


@dataclass(frozen=True, slots=True)
class FlatPrice:
    """A fixed price, in yuan per `per`."""

    unit_price: Decimal
    per: Per
    proration: Proration = Proration.CALENDAR_MONTH


@dataclass(frozen=True, slots=True)
class AreaPrice:
    """A price in yuan per square metre and `per`."""

    unit_price: Decimal
    per: Per
    proration: Proration = Proration.CALENDAR_MONTH


@dataclass(frozen=True, slots=True)
class MeteredPrice:
    """A price in yuan per unit used."""

    unit_price: Decimal


@dataclass(frozen=True, slots=True)
class Tier:
    """A band of usage up to and including `up_to` (None: open); `flat` is yuan once reached."""

    up_to: Decimal | None
    unit_price: Decimal
    flat: Decimal


@dataclass(frozen=True, slots=True)
class TieredPrice:
    """Prices by bands of usage (阶梯价).

    Args:
        normal_days: the bounds are meant for so many days and scale with the days charged.
        year_to_date: units used this year before the period; shifts where the tiers begin.

    Raises:
        PricingError: bounds that do not ascend strictly to an open last tier, or a `year_to_date`
            with volume tiers, scaled bounds or flats, which would have no single meaning.
    """

    mode: TierMode
    tiers: tuple[Tier, ...]
    normal_days: Decimal | None = None
    year_to_date: Decimal | None = None

    def __post_init__(self) -> None:
        bounds = [tier.up_to for tier in self.tiers]
        if not bounds or bounds[-1] is not None:
            raise PricingError("tiers", "the last up_to must be null")
        known = [bound for bound in bounds[:-1] if bound is not None]
        if len(known) != len(bounds) - 1:
            raise PricingError("tiers", "only the last up_to may be null")
        if any(upper <= lower for lower, upper in pairwise(known)):
            raise PricingError("tiers", "up_to must ascend strictly")
        if self.normal_days is not None and self.normal_days == 0:
            raise PricingError("normal_days", "must be above zero")
        if self.year_to_date is not None:
            self._refuse_ambiguous_year_to_date()

    def _refuse_ambiguous_year_to_date(self) -> None:
        if self.mode is not TierMode.GRADUATED:
            raise PricingError("year_to_date", "goes only with graduated tiers")
        if self.normal_days is not None:
            raise PricingError("year_to_date", "does not go with normal_days")
        if any(tier.flat for tier in self.tiers):
            raise PricingError("year_to_date", "goes only with flats of 0")


Price = FlatPrice | AreaPrice | MeteredPrice | TieredPrice


@dataclass(frozen=True, slots=True)
class TariffVersion:
    """A price in force from a date until the next version begins."""

    effective_from: date
    price: Price


def parse_price(value: object, path: str = "price") -> Price:
    """Read a price; the shapes are in README.md of this package.

    Args:
        path: where the value stands, for the field named in an error.

    Raises:
        PricingError: what is missing, unknown, negative or not a number, by field.

    >>> parse_price({"method": "metered", "unit_price": "3.45"})
    MeteredPrice(unit_price=Decimal('3.45'))
    """
    fields = Fields(value, path)
    price: Price
    match fields.choice("method", PricingMethod):
        case PricingMethod.FLAT:
            price = FlatPrice(*_periodic(fields))
        case PricingMethod.AREA:
            price = AreaPrice(*_periodic(fields))
        case PricingMethod.METERED:
            price = MeteredPrice(fields.number("unit_price"))
        case PricingMethod.TIERED:
            price = read_tiered(fields)
    fields.finish()
    return price


def price_to_json(price: Price) -> dict[str, Any]:
    """The JSON that `parse_price` reads back to an equal price.

    >>> price_to_json(MeteredPrice(Decimal("3.45")))
    {'method': 'metered', 'unit_price': '3.45'}
    """
    match price:
        case FlatPrice() | AreaPrice():
            method = PricingMethod.FLAT if isinstance(price, FlatPrice) else PricingMethod.AREA
            return {
                "method": method.value,
                "unit_price": plain(price.unit_price),
                "per": price.per.value,
                "proration": price.proration.value,
            }
        case MeteredPrice():
            return {
                "method": PricingMethod.METERED.value,
                "unit_price": plain(price.unit_price),
            }
        case TieredPrice():
            return {"method": PricingMethod.TIERED.value, **tiered_to_json(price)}


def read_tiered(fields: Fields) -> TieredPrice:
    """The keys of a tiered price, without `method`; the caller finishes the object."""
    return TieredPrice(
        mode=fields.choice("mode", TierMode),
        tiers=tuple(_tier(Fields(item, path)) for item, path in fields.items("tiers")),
        normal_days=fields.number("normal_days") if fields.has("normal_days") else None,
        year_to_date=fields.number("year_to_date") if fields.has("year_to_date") else None,
    )


def tiered_to_json(price: TieredPrice) -> dict[str, Any]:
    """The keys that `read_tiered` takes."""
    optional = {"normal_days": price.normal_days, "year_to_date": price.year_to_date}
    return {
        "mode": price.mode.value,
        "tiers": [
            {
                "up_to": None if tier.up_to is None else plain(tier.up_to),
                "unit_price": plain(tier.unit_price),
                "flat": plain(tier.flat),
            }
            for tier in price.tiers
        ],
        **{key: plain(value) for key, value in optional.items() if value is not None},
    }


def plain(value: Decimal) -> str:
    """The number digit for digit, without exponent."""
    return format(value, "f")


def _periodic(fields: Fields) -> tuple[Decimal, Per, Proration]:
    return (
        fields.number("unit_price"),
        fields.choice("per", Per),
        fields.choice("proration", Proration)
        if fields.has("proration")
        else Proration.CALENDAR_MONTH,
    )


def _tier(fields: Fields) -> Tier:
    bound = None if fields.take("up_to") is None else fields.number("up_to")
    tier = Tier(bound, fields.number("unit_price"), fields.number("flat"))
    fields.finish()
    return tier
