"""What cannot be answered is refused by field and reason; nothing is guessed."""

import copy
import re
from typing import Any

import pytest

from billing.pricing.quote import answer
from tests.billing.pricing.quote_requests import Json

FLAT: Json = {
    "price": {"method": "flat", "unit_price": "100", "per": "month"},
    "from": "2026-11-01",
    "to": "2026-12-01",
}
AREA: Json = {**FLAT, "price": {**FLAT["price"], "method": "area"}, "subject": {"area_m2": "98.50"}}
METERED: Json = {
    "price": {"method": "metered", "unit_price": "3.45"},
    "reading": {"previous": "120.5", "current": "133", "multiplier": "1"},
    "from": "2026-11-01",
    "to": "2026-12-01",
}
TIERED: Json = {
    "price": {
        "method": "tiered",
        "mode": "graduated",
        "tiers": [
            {"up_to": "180", "unit_price": "5.00", "flat": "0"},
            {"up_to": "260", "unit_price": "6.00", "flat": "0"},
            {"up_to": None, "unit_price": "7.00", "flat": "0"},
        ],
    },
    "quantity": "200",
    "from": "2026-11-01",
    "to": "2026-12-01",
}
VERSIONS: Json = {
    "versions": [
        {"effective_from": "2026-01-01", "price": dict(FLAT["price"])},
        {"effective_from": "2026-11-16", "price": dict(FLAT["price"])},
    ],
    "from": "2026-11-01",
    "to": "2026-12-01",
}
ACTUAL: Json = {
    **FLAT,
    "price": {**FLAT["price"], "proration": "actual_period"},
    "billing_period": {"from": "2026-11-01", "to": "2026-12-01"},
}
SPLIT: Json = {"split": {"amount_fen": 100, "weights": ["1", "2"]}}
LATE_FEE: Json = {
    "late_fee": {
        "principal": "100.00",
        "due_on": "2026-10-31",
        "as_of": "2026-11-23",
        "daily_rate": "0.0005",
        "grace_days": 0,
        "cap": "principal",
    }
}
DUE: Json = {"due": {"issued_on": "2026-02-15", "day": 31, "month_offset": 0}}
CHANGED: Json = {
    **METERED,
    "reading": {**METERED["reading"], "change": {"old_final": "125.5", "new_initial": "0.5"}},
}
ROLLED: Json = {**METERED, "reading": {**METERED["reading"], "rolls_over_at": "100000"}}
DISCOUNTED: Json = {
    **FLAT,
    "discounts": [{"reason": "vacant", "percent": "30", "from": "2026-11-01", "to": "2026-12-01"}],
}
APPORTION: Json = {
    "apportion": {
        "amount": {"quantity": "1000", "unit_price": "0.62"},
        "by": "area",
        "weights": ["1", "2"],
        "cap": "500",
    }
}
LONG_LATE: Json = {
    "late_fee": {
        **{key: value for key, value in LATE_FEE["late_fee"].items() if key != "daily_rate"},
        "rates": [{"effective_from": "2026-01-01", "daily_rate": "0.0005"}],
        "freezes": [{"from": "2026-11-10", "to": "2026-11-12"}],
        "payments": [{"on": "2026-11-10", "amount": "10"}],
        "charged": "0.50",
    }
}
ALL = [
    FLAT, AREA, METERED, TIERED, VERSIONS, ACTUAL, SPLIT, LATE_FEE, DUE, CHANGED, ROLLED,
    DISCOUNTED, APPORTION, LONG_LATE,
]  # fmt: skip
OPTIONAL = {
    "proration", "change", "rolls_over_at", "discounts", "cap", "freezes", "payments", "charged",
}  # fmt: skip
"""Keys that may be left out; a late fee must say its cap."""

NUMBERS = [
    (FLAT, "price.unit_price"),
    (AREA, "price.unit_price"),
    (AREA, "subject.area_m2"),
    (METERED, "price.unit_price"),
    (METERED, "reading.previous"),
    (METERED, "reading.current"),
    (METERED, "reading.multiplier"),
    (TIERED, "quantity"),
    (TIERED, "price.normal_days"),
    (TIERED, "price.year_to_date"),
    (TIERED, "price.tiers.0.up_to"),
    (TIERED, "price.tiers.1.unit_price"),
    (TIERED, "price.tiers.2.flat"),
    (VERSIONS, "versions.1.price.unit_price"),
    (SPLIT, "split.weights.1"),
    (LATE_FEE, "late_fee.principal"),
    (LATE_FEE, "late_fee.daily_rate"),
    (LATE_FEE, "late_fee.grace_days"),
    (LATE_FEE, "late_fee.cap"),
    (DUE, "due.day"),
    (DUE, "due.month_offset"),
    (CHANGED, "reading.change.old_final"),
    (CHANGED, "reading.change.new_initial"),
    (ROLLED, "reading.rolls_over_at"),
    (DISCOUNTED, "discounts.0.percent"),
    (APPORTION, "apportion.amount.quantity"),
    (APPORTION, "apportion.amount.unit_price"),
    (APPORTION, "apportion.weights.1"),
    (APPORTION, "apportion.cap"),
    (LONG_LATE, "late_fee.rates.0.daily_rate"),
    (LONG_LATE, "late_fee.payments.0.amount"),
    (LONG_LATE, "late_fee.charged"),
]
NOT_NUMBERS = [
    "-1", -1, "NaN", "Infinity", "-Infinity", "1e999999999", "1000000000.01", 10**30, "9" * 5000,
    "", " 1", "1 ", "1,000", "1_000", "+1", "0x10", "１", "十", "1元", True, [], {}, 1.5,
    float("nan"), float("inf"),
]  # fmt: skip
DATES = [
    (FLAT, "from"),
    (FLAT, "to"),
    (VERSIONS, "versions.0.effective_from"),
    (ACTUAL, "billing_period.from"),
    (ACTUAL, "billing_period.to"),
    (LATE_FEE, "late_fee.due_on"),
    (LATE_FEE, "late_fee.as_of"),
    (DUE, "due.issued_on"),
    (DISCOUNTED, "discounts.0.from"),
    (DISCOUNTED, "discounts.0.to"),
    (LONG_LATE, "late_fee.rates.0.effective_from"),
    (LONG_LATE, "late_fee.freezes.0.to"),
    (LONG_LATE, "late_fee.payments.0.on"),
]
NOT_DATES = [
    "2026-02-29", "2026-13-01", "2026-11-31", "0000-01-01", "2026-1-1", "20261101", "2026-W45-1",
    "2026/11/01", "2026-11-01T00:00:00", "", None, 20261101, True,
]  # fmt: skip


def changed(request: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """The request with the value at `a.b.0` replaced or added."""
    copied = copy.deepcopy(request)
    inner: Any = copied
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in way:
        inner = inner[step]
    inner[last] = value
    return copied


def error(request: object) -> str:
    found = answer(request)
    assert set(found) == {"error"}, found
    text = found["error"]
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("request_", ALL, ids=lambda request: next(iter(request)))
def test_the_requests_these_tests_spoil_are_good(request_: dict[str, Any]) -> None:
    assert "error" not in answer(request_)


@pytest.mark.parametrize(("request_", "path"), NUMBERS, ids=lambda value: str(value)[:40])
def test_what_is_no_number_from_zero_to_a_milliard_is_refused(
    request_: dict[str, Any], path: str
) -> None:
    field = re.sub(r"\.(\d+)", r"[\1]", path)
    for bad in NOT_NUMBERS:
        assert error(changed(request_, path, bad)).startswith(f"{field}: "), bad


@pytest.mark.parametrize(
    ("request_", "path"),
    [pair for pair in NUMBERS if not pair[1].endswith("up_to")],  # null is the open last tier
    ids=lambda value: str(value)[:40],
)
def test_null_is_no_number(request_: dict[str, Any], path: str) -> None:
    error(changed(request_, path, None))


@pytest.mark.parametrize(("request_", "path"), DATES, ids=lambda value: str(value)[:40])
def test_what_is_no_date_is_refused(request_: dict[str, Any], path: str) -> None:
    for bad in NOT_DATES:
        assert path.split(".")[-1] in error(changed(request_, path, bad)), bad


def objects(value: object, path: str = "") -> list[str]:
    """Paths of all objects inside a request, itself as an empty path."""
    found = []
    if isinstance(value, dict):
        found.append(path)
        for key, inner in value.items():
            found += objects(inner, f"{path}.{key}" if path else key)
    if isinstance(value, list):
        for at, inner in enumerate(value):
            found += objects(inner, f"{path}.{at}")
    return found


@pytest.mark.parametrize("request_", ALL, ids=lambda request: next(iter(request)))
def test_every_key_is_needed_and_no_other_is_known(request_: dict[str, Any]) -> None:
    for path in objects(request_):
        prefix = f"{path}." if path else ""
        assert "unknown key 'colour'" in error(changed(request_, f"{prefix}colour", "red"))
        inner: Any = request_
        for step in path.split(".") if path else []:
            inner = inner[int(step) if step.isdigit() else step]
        for key in inner:
            if key in OPTIONAL and request_ is not LATE_FEE:
                continue
            short = copy.deepcopy(request_)
            target: Any = short
            for step in path.split(".") if path else []:
                target = target[int(step) if step.isdigit() else step]
            del target[key]
            error(short)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (changed(FLAT, "to", "2026-11-01"), "to"),
        (changed(FLAT, "to", "2026-10-31"), "to"),
        (changed(FLAT, "price.method", "formula"), "method"),
        (changed(FLAT, "price.per", "week"), "per"),
        (changed(FLAT, "price.per", ["month"]), "per"),
        (changed(FLAT, "price.proration", "sometimes"), "proration"),
        (changed(METERED, "reading.current", "120.4"), "lower than previous"),
        (changed(METERED, "quantity", "5"), "quantity"),
        (changed(METERED, "price.per", "month"), "unknown key 'per'"),
        (changed(TIERED, "price.mode", "progressive"), "mode"),
        (changed(TIERED, "price.tiers", []), "tiers"),
        (changed(TIERED, "price.tiers.1.up_to", "180"), "ascend"),
        (changed(TIERED, "price.tiers.1.up_to", None), "only the last"),
        (changed(TIERED, "price.tiers.2.up_to", "300"), "last up_to"),
        (changed(TIERED, "price.normal_days", "0"), "normal_days"),
        (changed(ACTUAL, "billing_period.to", "2026-11-30"), "does not contain"),
        (changed(ACTUAL, "billing_period.from", "2026-11-02"), "does not contain"),
        (changed(FLAT, "billing_period", {"from": "2026-11-02", "to": "2026-12-01"}), "contain"),
        (changed(VERSIONS, "versions", []), "versions"),
        (changed(VERSIONS, "versions.0.effective_from", "2026-11-02"), "no version is in force"),
        (changed(VERSIONS, "versions.0.effective_from", "2026-11-16"), "same day"),
        (changed(VERSIONS, "price", FLAT["price"]), "exactly one"),
        (changed(SPLIT, "split.weights", ["0", "0"]), "weights"),
        (changed(SPLIT, "split.weights", []), "weights"),
        (changed(SPLIT, "split.amount_fen", "0.5"), "whole"),
        (changed(SPLIT, "split.amount_fen", 1.0), "amount_fen"),
        (changed(SPLIT, "split.amount_fen", True), "amount_fen"),
        (changed(SPLIT, "split.amount_fen", 10**12), "amount_fen"),
        (changed(LATE_FEE, "late_fee.grace_days", "0.5"), "whole"),
        (changed(LATE_FEE, "late_fee.as_of", "9999-12-31"), "as_of"),
        (changed(LATE_FEE, "late_fee.cap", "half"), "cap"),
        (changed(METERED, "reading.previous", None), "reading.previous: no base reading"),
        (changed(FLAT, "discounts", []), "discounts"),
        (changed(APPORTION, "price", FLAT["price"]), "exactly one"),
        (changed(DUE, "due.day", 0), "day"),
        (changed(DUE, "due.day", 32), "day"),
        (changed(DUE, "due.month_offset", 10**6), "calendar"),
        ({}, "exactly one"),
        ([], "object"),
        (None, "object"),
        ("flat", "object"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_request_that_means_nothing_is_refused_with_the_reason(
    request_: object, reason: str
) -> None:
    assert reason in error(request_)


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "volume", "year_to_date": "10"},
        {"normal_days": 30, "year_to_date": "10"},
        {"tiers": [{"up_to": None, "unit_price": "1", "flat": "1"}], "year_to_date": "10"},
        {"normal_days": 30, "year_to_date": "0"},
    ],
)
def test_year_to_date_goes_only_where_it_has_one_meaning(options: dict[str, Any]) -> None:
    assert "year_to_date" in error({**TIERED, "price": {**TIERED["price"], **options}})


def test_an_amount_no_database_could_add_up_is_refused() -> None:
    spoiled = changed(changed(AREA, "subject.area_m2", "1000000000"), "price.unit_price", "100000")
    assert "amount" in error(spoiled)


def test_integers_and_small_exponents_are_numbers_too() -> None:
    assert answer(changed(FLAT, "price.unit_price", 100)) == answer(FLAT)
    assert answer(changed(FLAT, "price.unit_price", "1E+2"))["total_fen"] == 10000
    assert answer(changed(FLAT, "price.unit_price", "-0"))["total_fen"] == 0


def test_a_long_grace_period_does_not_run_off_the_calendar() -> None:
    assert answer(changed(LATE_FEE, "late_fee.grace_days", 10**9)) == {"total_fen": 0, "lines": []}


def test_the_last_day_of_the_calendar_can_be_the_end() -> None:
    request = {**FLAT, "from": "0001-01-01", "to": "9999-12-31"}
    months = 9999 * 12 - 1
    assert answer(request)["total_fen"] == months * 10000 + round(10000 * 30 / 31)
