"""Requests worked out by hand: ours, and the examples that came with the contract."""

import json
from pathlib import Path
from typing import Any

import pytest

from billing.pricing.quote import answer

HERE = Path(__file__).resolve()
OURS = HERE.with_name("worked_examples.jsonl")
GIVEN = HERE.parents[4] / "shared" / "devset" / "quotes.jsonl"


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("example", read(OURS), ids=lambda example: example["why"])
def test_a_worked_example(example: dict[str, Any]) -> None:
    found = answer(example["request"])
    assert [line["explanation"] for line in found["lines"]] == example["explained"]
    assert found["total_fen"] == example["total_fen"]


@pytest.mark.skipif(not GIVEN.exists(), reason="the example set is not beside this checkout")
def test_the_given_examples() -> None:
    for example in read(GIVEN):
        found, expected = answer(example["request"]), example["expected"]
        if "error" in expected:
            assert set(found) == {"error"}, example
        else:
            assert {key: found.get(key) for key in expected} == expected, example


def test_an_answer_has_the_documented_shape() -> None:
    price = {"method": "flat", "unit_price": "100.00", "per": "month"}
    assert answer({"price": price, "from": "2026-11-10", "to": "2026-12-01"}) == {
        "total_fen": 7000,
        "lines": [
            {
                "amount_fen": 7000,
                "from": "2026-11-10",
                "to": "2026-12-01",
                "explanation": "100.00元/月 × 21/30月 = 70.00元",
            }
        ],
    }


def test_a_late_fee_line_runs_from_day_one_to_the_day_after_as_of() -> None:
    request = {
        "principal": "100.00",
        "due_on": "2026-10-31",
        "as_of": "2026-11-23",
        "daily_rate": "0.0005",
        "grace_days": 5,
        "cap": "principal",
    }
    (line,) = answer({"late_fee": request})["lines"]
    assert (line["from"], line["to"]) == ("2026-11-06", "2026-11-24")


def test_a_single_charge_followed_by_a_monthly_price_ends_where_that_begins() -> None:
    once = {"method": "flat", "unit_price": "50", "per": "once"}
    monthly = {"method": "flat", "unit_price": "100", "per": "month"}
    versions = [
        {"effective_from": "2026-01-01", "price": once},
        {"effective_from": "2026-11-16", "price": monthly},
        {"effective_from": "2026-12-01", "price": once},
    ]
    found = answer({"versions": versions, "from": "2026-11-01", "to": "2027-01-01"})
    assert [(line["amount_fen"], line["from"], line["to"]) for line in found["lines"]] == [
        (5000, "2026-11-01", "2026-11-16"),
        (5000, "2026-11-16", "2026-12-01"),
    ]
