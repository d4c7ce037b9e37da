"""A unit price agreed with one owner takes the place of the listed one, and says so."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from billing.pricing import explain, recompute
from billing.pricing.quote import answer
from tests.billing.pricing.explanation_checker import check_steps
from tests.billing.pricing.quote_requests import (
    Json,
    decimals,
    many,
    metered_prices,
    periodic_prices,
    price_requests,
)

HOME: Json = {
    "price": {"method": "area", "unit_price": "2.80", "per": "month"},
    "subject": {"area_m2": "98.50", "unit_price": "2.50"},
    "from": "2026-11-01",
    "to": "2026-12-01",
}


def test_the_sentence_names_the_listed_price() -> None:
    (line,) = answer(HOME)["lines"]
    assert line["explanation"] == "98.50㎡ × 2.50元/㎡·月 = 246.25元，约定单价（标准2.80元）"


def test_every_version_is_replaced() -> None:
    versions = [
        {"effective_from": begin, "price": {**HOME["price"], "unit_price": listed}}
        for begin, listed in (("2026-01-01", "2.80"), ("2026-11-16", "3.10"))
    ]
    request = {key: value for key, value in HOME.items() if key != "price"}
    found = answer({**request, "versions": versions})
    assert [line["explanation"] for line in found["lines"]] == [
        "98.50㎡ × 2.50元/㎡·月 × 15/30月 = 123.13元，约定单价（标准2.80元）",
        "98.50㎡ × 2.50元/㎡·月 × 15/30月 = 123.13元，约定单价（标准3.10元）",
    ]


def test_tiers_have_no_unit_price_to_replace() -> None:
    tiers = [{"up_to": None, "unit_price": "5", "flat": "0"}]
    price = {"method": "tiered", "mode": "graduated", "tiers": tiers}
    error = answer({**HOME, "price": price, "quantity": "5"})["error"]
    assert error.startswith("subject.unit_price: ")


def test_a_stored_basis_keeps_the_listed_price() -> None:
    stored = {
        "method": "metered",
        "unit_price": "3.00",
        "quantity": "12.5",
        "listed_price": "3.45",
    }
    assert recompute(stored).yuan == "37.50"
    assert explain(stored) == "12.5 × 3.00元 = 37.50元，约定单价（标准3.45元）"


@many
@given(
    price_requests(periodic_prices(["month", "quarter", "year", "day", "once"]) | metered_prices),
    decimals(5000),
    st.data(),
)
def test_it_costs_what_a_tariff_of_that_price_would(
    request: Json, unit_price: str, data: Any
) -> None:
    listed = request["price"]["unit_price"]
    subject = {**request["subject"], "unit_price": unit_price}
    ordinary = answer({**request, "price": {**request["price"], "unit_price": unit_price}})
    agreed = answer({**request, "subject": subject})
    assert agreed["total_fen"] == ordinary["total_fen"]
    for line, same in zip(agreed["lines"], ordinary["lines"], strict=True):
        assert line["explanation"].startswith(f"{same['explanation']}，约定单价（标准{listed}")
        assert check_steps(line["explanation"]).charged * 100 == line["amount_fen"]
