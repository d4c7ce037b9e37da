"""Pure calculators: prices, quantities and dates in, lines and their reasons out. See README.md."""

from billing.pricing.basis import Reading, Usage, recompute
from billing.pricing.charge import PricedLine, Subject, price_period
from billing.pricing.explain import explain
from billing.pricing.fields import PricingError
from billing.pricing.late_fee import price_late_fee
from billing.pricing.prices import (
    AreaPrice,
    FlatPrice,
    MeteredPrice,
    Per,
    Price,
    PricingMethod,
    TariffVersion,
    Tier,
    TieredPrice,
    TierMode,
    parse_price,
    price_to_json,
)
from billing.pricing.proration import Proration

__all__ = [
    "AreaPrice",
    "FlatPrice",
    "MeteredPrice",
    "Per",
    "Price",
    "PricedLine",
    "PricingError",
    "PricingMethod",
    "Proration",
    "Reading",
    "Subject",
    "TariffVersion",
    "Tier",
    "TierMode",
    "TieredPrice",
    "Usage",
    "explain",
    "parse_price",
    "price_late_fee",
    "price_period",
    "price_to_json",
    "recompute",
]
