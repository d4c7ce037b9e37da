"""Pure calculators: prices, quantities and dates in, lines and their reasons out. See README.md."""

from billing.pricing.apportion import (
    ApportionBy,
    PoolUsage,
    ShareBasis,
    apportion,
    uncollected,
)
from billing.pricing.basis import parse_basis, recompute
from billing.pricing.charge import Subject, price_period
from billing.pricing.discounts import Discount, DiscountReason, parse_discount, price_discounts
from billing.pricing.explain import explain
from billing.pricing.fields import PricingError
from billing.pricing.late_fee import DailyRate, LateFeeTerms, PrincipalPayment, price_late_fee
from billing.pricing.line import PricedLine, priced_line
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
from billing.pricing.stated import StatedBasis
from billing.pricing.tariff_checks import (
    PriceJump,
    TariffWarning,
    WarningKind,
    price_jump,
    refuse_margin,
    refuse_overlap,
    tariff_warnings,
)
from billing.pricing.usage import MeterChange, Reading, Usage, usage_to_json

__all__ = [
    "ApportionBy",
    "AreaPrice",
    "DailyRate",
    "Discount",
    "DiscountReason",
    "FlatPrice",
    "LateFeeTerms",
    "MeterChange",
    "MeteredPrice",
    "Per",
    "PoolUsage",
    "Price",
    "PriceJump",
    "PricedLine",
    "PricingError",
    "PricingMethod",
    "PrincipalPayment",
    "Proration",
    "Reading",
    "ShareBasis",
    "StatedBasis",
    "Subject",
    "TariffVersion",
    "TariffWarning",
    "Tier",
    "TierMode",
    "TieredPrice",
    "Usage",
    "WarningKind",
    "apportion",
    "explain",
    "parse_basis",
    "parse_discount",
    "parse_price",
    "price_discounts",
    "price_jump",
    "price_late_fee",
    "price_period",
    "price_to_json",
    "priced_line",
    "recompute",
    "refuse_margin",
    "refuse_overlap",
    "tariff_warnings",
    "uncollected",
    "usage_to_json",
]
