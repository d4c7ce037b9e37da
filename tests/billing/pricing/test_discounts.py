"""Discounts stand beside the charge, can be checked alone, and never turn it into a gift."""

import json
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import assume, given

from billing.money import Money
from billing.period import DateRange
from billing.pricing import (
    Discount,
    DiscountReason,
    FlatPrice,
    Per,
    PricingError,
    TariffVersion,
    explain,
    parse_discount,
    price_discounts,
    price_period,
    recompute,
)
from billing.pricing.quote import answer
from tests.billing.pricing import quote_oracle
from tests.billing.pricing.explanation_checker import check_steps
from tests.billing.pricing.quote_requests import Json, discount_requests, many

HOME: Json = {
    "price": {"method": "area", "unit_price": "2.80", "per": "month"},
    "subject": {"area_m2": "98.50"},
    "from": "2026-11-01",
    "to": "2026-12-01",
}
VACANT: Json = {"reason": "vacant", "percent": "30"}
NOVEMBER = DateRange(date(2026, 11, 1), date(2026, 12, 1))


def discounted(*rules: Json, **changes: object) -> list[tuple[int, str]]:
    """Amount and sentence of every discount line of 275.80 yuan in November."""
    found = answer({**HOME, "discounts": list(rules), **changes})
    assert "error" not in found, found
    assert found["total_fen"] == sum(line["amount_fen"] for line in found["lines"])
    lines = [line for line in found["lines"] if line.get("kind") == "discount"]
    return [(line["amount_fen"], line["explanation"]) for line in lines]


def test_a_percentage_is_taken_from_the_rounded_charge() -> None:
    assert discounted(VACANT) == [(-8274, "−275.80元 × 30% = −82.74元")]


def test_the_charge_itself_stays_as_it_is() -> None:
    assert answer({**HOME, "discounts": [VACANT]})["lines"][:1] == answer(HOME)["lines"]


def test_a_discount_line_says_what_it_is() -> None:
    dated = {**VACANT, "from": "2026-11-10", "to": "2027-01-01"}
    assert answer({**HOME, "discounts": [dated]})["lines"][1] == {
        "amount_fen": -5792,
        "from": "2026-11-10",
        "to": "2026-12-01",
        "explanation": "−275.80元 × 30% × 21/30 = −57.92元",
        "kind": "discount",
        "reason": "vacant",
    }


def test_an_amount_is_taken_off_the_whole_charge_and_shared_by_its_versions() -> None:
    assert discounted({"reason": "agreed", "amount": "50"}) == [(-5000, "−50.00元 = −50.00元")]
    versions = [
        {"effective_from": begin, "price": HOME["price"]} for begin in ("2026-01-01", "2026-11-16")
    ]
    request = {key: value for key, value in HOME.items() if key != "price"}
    rules = [{"reason": "agreed", "amount": "50"}]
    found = answer({**request, "versions": versions, "discounts": rules})
    assert [line["explanation"] for line in found["lines"][2:]] == [
        "−50.00元 × 15/30 = −25.00元",
        "−50.00元 × 15/30 = −25.00元",
    ]


def test_discounts_add_up_each_from_the_whole_charge() -> None:
    year = {"reason": "prepaid_year", "percent": "5"}
    assert discounted(VACANT, year) == [
        (-8274, "−275.80元 × 30% = −82.74元"),
        (-1379, "−275.80元 × 5% = −13.79元"),
    ]


def test_the_last_discount_takes_no_more_than_is_left() -> None:
    agreed = {"reason": "agreed", "amount": "200"}
    assert discounted(VACANT, agreed) == [
        (-8274, "−275.80元 × 30% = −82.74元"),
        (-19306, "−200.00元 = −200.00元，封顶193.06元"),
    ]
    assert discounted(agreed, VACANT)[1] == (-7580, "−275.80元 × 30% = −82.74元，封顶75.80元")


def test_a_discount_that_takes_nothing_off_is_no_line() -> None:
    assert discounted({"reason": "agreed", "percent": "100"}, VACANT) == [
        (-27580, "−275.80元 × 100% = −275.80元")
    ]
    assert discounted({"reason": "agreed", "percent": "0"}) == []
    assert discounted({**VACANT, "from": "2026-12-01", "to": "2027-01-01"}) == []


def test_a_single_charge_has_the_discount_that_holds_on_its_first_day_whole() -> None:
    once = {"price": {"method": "flat", "unit_price": "60", "per": "once"}}
    begins = {**VACANT, "from": "2026-10-01", "to": "2026-11-02"}
    ended = {**VACANT, "from": "2026-10-01", "to": "2026-11-01"}
    later = {**VACANT, "from": "2026-11-02", "to": "2027-11-02"}
    assert discounted(begins, ended, later, **once) == [(-1800, "−60.00元 × 30% = −18.00元")]
    on_the_day = {**VACANT, "from": "2026-11-01", "to": "2026-11-02"}
    assert discounted(on_the_day, **once) == discounted(begins, **once)


@many
@given(discount_requests())
def test_discounts_agree_with_taking_them_day_by_day_and_are_true_arithmetic(request: Json) -> None:
    charges = quote_oracle.lines(request)
    assume(all(amount <= 10**11 for amount, *_ in charges))
    found = answer(request)["lines"]
    lines = found[len(charges) :]
    assert [line["amount_fen"] for line in found[: len(charges)]] == [fen for fen, *_ in charges]
    assert [
        (line["amount_fen"], line["from"], line["to"]) for line in lines
    ] == quote_oracle.discounts(request)
    assert answer(request)["total_fen"] >= 0
    for line in lines:
        assert check_steps(line["explanation"]).charged * 100 == line["amount_fen"]


def test_a_stored_discount_gives_its_amount_and_its_sentence_again() -> None:
    flat = TariffVersion(date(2026, 1, 1), FlatPrice(Decimal("100"), Per.MONTH))
    rules = [
        Discount(DiscountReason.VACANT, Decimal("12.5"), DateRange(date(2026, 1, 1), date.max)),
        Discount(DiscountReason.AGREED, Money(9999), approved_by="mgr01"),
    ]
    lines = price_discounts(price_period([flat], NOVEMBER), rules, NOVEMBER)
    assert [line.basis for line in lines] == [
        {"method": "discount", "reason": "vacant", "charge": "100.00", "percent": "12.5"},
        {
            "method": "discount",
            "reason": "agreed",
            "amount": "99.99",
            "left": "87.50",
            "approved_by": "mgr01",
        },
    ]
    for line in lines:
        stored = json.loads(json.dumps(line.basis))
        assert recompute(stored) == line.amount
    assert [explain(line.basis) for line in lines] == [
        "−100.00元 × 12.5% = −12.50元",
        "−99.99元 = −99.99元，封顶87.50元",
    ]


def test_a_rule_that_needs_an_approval_is_refused_without_one() -> None:
    asking = {**VACANT, "approval_required": True}
    error = answer({**HOME, "discounts": [asking]})["error"]
    assert error == "discounts[0].approved_by: missing"
    assert discounted({**asking, "approved_by": "mgr01"}) == discounted(VACANT)
    with pytest.raises(PricingError, match="approved_by"):
        Discount(DiscountReason.VACANT, Decimal(30), approval_required=True)


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"reason": "vacant"}, "discounts[0].percent"),
        ({"percent": "30"}, "discounts[0].reason"),
        ({**VACANT, "reason": "friend"}, "discounts[0].reason"),
        ({**VACANT, "percent": "100.01"}, "discounts[0].percent"),
        ({**VACANT, "percent": "-1"}, "discounts[0].percent"),
        ({**VACANT, "percent": 30.0}, "discounts[0].percent"),
        ({**VACANT, "amount": "5"}, "discounts[0].amount"),
        ({"reason": "vacant", "amount": "0.005"}, "discounts[0].amount"),
        ({"reason": "vacant", "amount": "1000000001"}, "discounts[0].amount"),
        ({**VACANT, "from": "2026-11-01"}, "discounts[0].to"),
        ({**VACANT, "from": "2026-11-31", "to": "2026-12-01"}, "discounts[0].from"),
        ({**VACANT, "from": "2026-11-01", "to": "2026-11-01"}, "to"),
        ({**VACANT, "approval_required": "yes"}, "discounts[0].approval_required"),
        ({**VACANT, "approved_by": ""}, "discounts[0].approved_by"),
        ({**VACANT, "approved_by": "a\nb"}, "discounts[0].approved_by"),
        ({**VACANT, "approved_by": "x" * 65}, "discounts[0].approved_by"),
        ({**VACANT, "colour": "red"}, "discounts[0]"),
        ([], "discounts[0]"),
    ],
)
def test_a_rule_that_means_nothing_is_refused_by_field(rule: Json, field: str) -> None:
    assert answer({**HOME, "discounts": [rule]})["error"].startswith(f"{field}: ")


def test_a_stored_rule_is_read_with_its_dates_and_its_approval() -> None:
    rule = {**VACANT, "from": "2026-11-01", "to": "2026-12-01", "approved_by": "mgr01"}
    expected = Discount(DiscountReason.VACANT, Decimal(30), NOVEMBER, approved_by="mgr01")
    assert parse_discount(rule) == expected


@pytest.mark.parametrize("off", [Decimal("100.5"), Decimal(-1), Money(-1), Money(10**12)])
def test_an_absurd_rule_is_refused_behind_the_door_as_well(off: Decimal | Money) -> None:
    with pytest.raises(PricingError):
        Discount(DiscountReason.AGREED, off)


def test_a_charge_too_large_to_be_true_has_no_discount() -> None:
    large = {**HOME, "subject": {"area_m2": "1000000000"}}
    assert answer({**large, "discounts": [VACANT]})["error"].startswith("amount: ")
    assert answer(large)["total_fen"] == 280_000_000_000
