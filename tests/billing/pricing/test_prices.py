"""Prices are parsed once, at the door, and stored as they were read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import InvalidInput
from billing.pricing import PricingError, parse_price, price_to_json
from tests.billing.pricing.quote_requests import (
    Json,
    many,
    metered_prices,
    periodic_prices,
    tiered_prices,
)

ALL_PRICES = st.one_of(
    periodic_prices(["month", "quarter", "year", "day", "once"]), metered_prices, tiered_prices()
)


@many
@given(ALL_PRICES)
def test_a_stored_price_reads_back_equal(price: Json) -> None:
    parsed = parse_price(price)
    assert parse_price(price_to_json(parsed)) == parsed


def test_a_stored_price_keeps_its_digits() -> None:
    price = {
        "method": "area",
        "unit_price": "2.80",
        "per": "month",
        "proration": "calendar_month",
    }
    assert price_to_json(parse_price(price)) == price


def test_a_refusal_names_the_field_by_its_whole_path() -> None:
    tiers = [{"up_to": None, "unit_price": "five", "flat": "0"}]
    with pytest.raises(PricingError) as caught:
        parse_price({"method": "tiered", "mode": "volume", "tiers": tiers}, "versions[2].price")
    assert caught.value.field == "versions[2].price.tiers[0].unit_price"
    assert caught.value.reason == "'five' is not a number"


def test_a_refusal_is_an_invalid_input_like_any_other() -> None:
    with pytest.raises(InvalidInput):
        parse_price(None)
