"""What staff are told when they write a tariff down."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import Money
from billing.pricing import (
    MeteredPrice,
    PricingError,
    TariffVersion,
    TieredPrice,
    TierMode,
    WarningKind,
    parse_price,
    refuse_overlap,
    tariff_warnings,
)
from billing.pricing.tiers import charge_tiers
from tests.billing.pricing.quote_requests import Json, many, tiered_prices


def volume(*tiers: tuple[str | None, str, str]) -> TieredPrice:
    """A volume tariff of (up_to, unit_price, flat)."""
    keys = ("up_to", "unit_price", "flat")
    price = parse_price(
        {
            "method": "tiered",
            "mode": "volume",
            "tiers": [dict(zip(keys, tier, strict=True)) for tier in tiers],
        }
    )
    assert isinstance(price, TieredPrice)
    return price


def test_a_cheaper_next_tier_makes_the_total_fall() -> None:
    (found,) = tariff_warnings(volume(("100", "0.60", "0"), (None, "0.50", "0")))
    assert found.kind is WarningKind.TOTAL_FALLS
    assert (found.field, found.at) == ("tiers[1]", Decimal(100))
    assert (found.up_to_there, found.beyond) == (Money(6000), Money(5000))


def test_a_flat_that_makes_up_for_the_cheaper_price_is_in_order() -> None:
    assert tariff_warnings(volume(("100", "0.60", "0"), (None, "0.50", "10"))) == []


def test_a_smaller_flat_makes_the_total_fall_too() -> None:
    tiers = ("100", "0.50", "20"), ("200", "0.60", "0"), (None, "0.70", "0")
    assert [found.field for found in tariff_warnings(volume(*tiers))] == ["tiers[1]"]


def test_a_falling_tariff_is_computed_all_the_same() -> None:
    price = volume(("100", "0.60", "0"), (None, "0.50", "0"))
    assert charge_tiers(price, Fraction(101), 30).exact == Fraction("50.50")


@many
@given(tiered_prices(), st.integers(1, 3))
def test_a_total_falls_past_a_bound_exactly_where_it_is_warned_of(json: Json, step: int) -> None:
    """Just past a bound means closer than any amount could hide the fall."""
    price = parse_price(json)
    assert isinstance(price, TieredPrice)
    price = replace(price, normal_days=None)
    beyond = Fraction(step, 10**12)
    falls = [
        f"tiers[{at}]"
        for at, tier in enumerate(price.tiers[:-1], start=1)
        if tier.up_to is not None
        and charge_tiers(price, Fraction(tier.up_to) + beyond, 30).exact
        < charge_tiers(price, Fraction(tier.up_to), 30).exact
    ]
    assert [found.field for found in tariff_warnings(price)] == falls
    if price.mode is TierMode.GRADUATED:
        assert falls == []


def test_other_prices_are_never_odd() -> None:
    assert tariff_warnings(MeteredPrice(Decimal(3))) == []


def test_two_versions_of_one_day_overlap() -> None:
    first = TariffVersion(date(2026, 1, 1), MeteredPrice(Decimal(3)))
    second = TariffVersion(date(2026, 1, 1), MeteredPrice(Decimal(4)))
    later = TariffVersion(date(2026, 1, 2), MeteredPrice(Decimal(4)))
    refuse_overlap([later, first])
    with pytest.raises(PricingError) as caught:
        refuse_overlap([first, later, second])
    assert caught.value.field == "versions"
