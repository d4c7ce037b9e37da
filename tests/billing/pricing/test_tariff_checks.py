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
    price_jump,
    refuse_margin,
    refuse_overlap,
    tariff_warnings,
)
from billing.pricing.tiers import charge_tiers
from tests.billing.pricing.quote_requests import (
    Json,
    many,
    metered_prices,
    periodic_prices,
    tiered_prices,
)


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


FLAT = {"method": "flat", "unit_price": "100", "per": "month"}
AREA = {"method": "area", "unit_price": "2.00", "per": "month"}
METERED = {"method": "metered", "unit_price": "5.00"}


def graduated(*prices: str, up_to: str = "180") -> Json:
    """One tier, or two."""
    bounds = [*[up_to][: len(prices) - 1], None]
    return {
        "method": "tiered",
        "mode": "graduated",
        "tiers": [
            {"up_to": bound, "unit_price": price, "flat": "0"}
            for bound, price in zip(bounds, prices, strict=True)
        ],
    }


def jump(before: Json, after: Json) -> tuple[str | None, ...] | None:
    """At which usage, before and after, as text."""
    found = price_jump(parse_price(before), parse_price(after))
    if found is None:
        return None
    return tuple(
        value.yuan if isinstance(value, Money) else None if value is None else str(value)
        for value in (found.at, found.before, found.after)
    )


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (FLAT, {**FLAT, "unit_price": "130"}, None),
        (FLAT, {**FLAT, "unit_price": "130.01"}, (None, "100", "130.01")),
        (FLAT, {**FLAT, "unit_price": "70"}, None),
        (FLAT, {**FLAT, "unit_price": "69.99"}, (None, "100", "69.99")),
        (FLAT, {**FLAT, "unit_price": "360", "per": "quarter"}, None),
        (FLAT, {**FLAT, "unit_price": "600", "per": "quarter"}, (None, "100", "600")),
        (FLAT, {**FLAT, "unit_price": "3.3", "per": "day"}, None),
        ({**FLAT, "unit_price": "0"}, FLAT, (None, "0", "100")),
        ({**FLAT, "unit_price": "0"}, {**FLAT, "unit_price": "0"}, None),
        (FLAT, AREA, None),
        (METERED, {**METERED, "unit_price": "7"}, (None, "5.00", "7")),
        (METERED, graduated("5.00"), None),
        (METERED, graduated("5.00", "7.00"), None),
        (METERED, graduated("5.00", "9.00"), ("360", "1800.00", "2520.00")),
        (graduated("5.00", "7.00"), graduated("5.00", "9.50"), None),
        (graduated("5.00", "7.00"), graduated("7.00", "7.00"), ("1", "5.00", "7.00")),
        (
            graduated("5.00", "50.00"),
            graduated("5.00", "50.00", up_to="90"),
            ("180", "900.00", "4950.00"),
        ),
    ],
)
def test_a_price_jumps_when_it_changes_by_more_than_three_tenths(
    before: Json, after: Json, expected: tuple[str | None, ...] | None
) -> None:
    assert jump(before, after) == expected


priced = metered_prices | tiered_prices() | periodic_prices(["month", "quarter", "year", "day"])


@many
@given(priced)
def test_the_same_price_again_never_jumps_and_carries_no_margin(price: Json) -> None:
    assert jump(price, price) is None
    refuse_margin(parse_price(price), parse_price(price))


@many
@given(tiered_prices(), st.integers(0, 999))
def test_any_tier_above_the_supplier_s_is_a_margin(price: Json, number: int) -> None:
    at = number % len(price["tiers"])
    cheaper = {**price, "tiers": [dict(tier) for tier in price["tiers"]]}
    paid = Fraction(price["tiers"][at]["unit_price"])
    cheaper["tiers"][at]["unit_price"] = format(float(paid) / 2, ".6f")
    charged, supplier = parse_price(price), parse_price(cheaper)
    refuse_margin(supplier, charged)
    if paid:
        with pytest.raises(PricingError) as caught:
            refuse_margin(charged, supplier)
        assert caught.value.field == f"price.tiers[{at}].unit_price"
