"""Meters that are replaced, that roll over, or that have no first reading yet."""

import pytest

from billing.pricing import PricingError
from billing.pricing.fields import Fields
from billing.pricing.quote import answer
from billing.pricing.usage import read_usage
from tests.billing.pricing.quote_requests import Json

SPAN = {"from": "2026-11-01", "to": "2026-12-01"}


def charge(**reading: object) -> Json:
    """The one line of 3.45 yuan per unit for these readings."""
    price = {"method": "metered", "unit_price": "3.45"}
    found = answer({"price": price, "reading": {"multiplier": "1", **reading}, **SPAN})
    assert "error" not in found, found
    (line,) = found["lines"]
    return line


def refusal(**reading: object) -> tuple[str, str]:
    with pytest.raises(PricingError) as caught:
        read_usage(Fields({"reading": {"multiplier": "1", **reading}}, ""))
    return caught.value.field, caught.value.reason


def test_a_replaced_meter_is_two_differences() -> None:
    line = charge(previous="120.5", current="8", change={"old_final": "133", "new_initial": "0.5"})
    assert line["explanation"] == "((133 − 120.5) + (8 − 0.5)) × 1 × 3.45元 = 69.00元"


def test_a_new_meter_may_show_more_than_the_old_one_did() -> None:
    line = charge(previous="10", current="905", change={"old_final": "12", "new_initial": "900"})
    assert line["amount_fen"] == 7 * 345


def test_a_meter_that_rolled_over_counts_through_its_last_number() -> None:
    line = charge(previous="99990", current="12", rolls_over_at="100000")
    assert line["explanation"] == "(100000 − 99990 + 12) × 1 × 3.45元 = 75.90元"


def test_a_meter_that_can_roll_over_but_did_not_is_an_ordinary_one() -> None:
    line = charge(previous="120.5", current="133", rolls_over_at="100000")
    assert line["explanation"] == "(133 − 120.5) × 1 × 3.45元 = 43.13元"


def test_two_equal_readings_are_no_usage_and_no_roll_over() -> None:
    assert charge(previous="133", current="133", rolls_over_at="100000")["amount_fen"] == 0


def test_what_a_meter_shows_at_first_is_never_charged() -> None:
    field, reason = refusal(previous=None, current="4319")
    assert (field, reason) == ("reading.previous", "no base reading")


@pytest.mark.parametrize(
    ("reading", "field"),
    [
        ({"previous": "133", "current": "120"}, "reading.current"),
        ({"previous": "100000", "current": "12", "rolls_over_at": "100000"}, "reading.previous"),
        ({"previous": "12", "current": "100000", "rolls_over_at": "100000"}, "reading.current"),
        (
            {"previous": "9", "current": "5", "change": {"old_final": "8", "new_initial": "0"}},
            "reading.change.old_final",
        ),
        (
            {"previous": "9", "current": "5", "change": {"old_final": "9", "new_initial": "6"}},
            "reading.current",
        ),
        (
            {
                "previous": "9",
                "current": "5",
                "change": {"old_final": "9", "new_initial": "0"},
                "rolls_over_at": "100",
            },
            "reading.rolls_over_at",
        ),
    ],
)
def test_a_meter_that_ran_backwards_is_refused_by_field(reading: Json, field: str) -> None:
    assert refusal(**reading)[0] == field


def test_tiers_take_readings_of_a_replaced_meter_too() -> None:
    tiers = [
        {"up_to": "10", "unit_price": "1", "flat": "0"},
        {"up_to": None, "unit_price": "2", "flat": "0"},
    ]
    reading = {
        "previous": "95",
        "current": "7",
        "multiplier": "1",
        "change": {"old_final": "100", "new_initial": "0"},
    }
    price = {"method": "tiered", "mode": "graduated", "tiers": tiers}
    (line,) = answer({"price": price, "reading": reading, **SPAN})["lines"]
    assert line["explanation"] == "10 × 1.00元 + 2 × 2.00元 = 14.00元"
