"""Late fees with freezes, payments and rates that change: the same total whenever computed."""

import json
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import ZERO, Money
from billing.period import DateRange
from billing.pricing import (
    DailyRate,
    LateFeeTerms,
    PricedLine,
    PricingError,
    PrincipalPayment,
    explain,
    price_late_fee,
    recompute,
)
from billing.pricing.quote import answer
from tests.billing.pricing import quote_oracle
from tests.billing.pricing.explanation_checker import check_steps
from tests.billing.pricing.quote_requests import Json, long_late_fees, many

DEBT: Json = {
    "principal": "275.80",
    "due_on": "2026-10-31",
    "as_of": "2026-11-23",
    "daily_rate": "0.0005",
    "grace_days": 0,
    "cap": "principal",
}


def fee(**changes: object) -> list[tuple[int, str]]:
    """Amount and sentence of the one line, if any, for 275.80 yuan 23 days late."""
    request = {key: value for key, value in {**DEBT, **changes}.items() if value is not None}
    found = answer({"late_fee": request})
    assert "error" not in found, found
    return [(line["amount_fen"], line["explanation"]) for line in found["lines"]]


def line_of(request: Json, as_of: date, charged: Money = ZERO) -> PricedLine | None:
    """The line of a random request on a day, after lines that took `charged`."""
    principal, cap = Decimal(request["principal"]), request["cap"]
    rates = [
        DailyRate(date.fromisoformat(rate["effective_from"]), Decimal(rate["daily_rate"]))
        for rate in request["rates"]
    ]
    freezes = [
        DateRange(date.fromisoformat(days["from"]), date.fromisoformat(days["to"]))
        for days in request.get("freezes", [])
    ]
    payments = [
        PrincipalPayment(date.fromisoformat(paid["on"]), Money.from_yuan(paid["amount"]))
        for paid in request.get("payments", [])
    ]
    limit = {"principal": principal, "none": None}.get(cap)
    terms = LateFeeTerms(
        request["grace_days"],
        tuple(rates),
        Decimal(cap) if cap not in ("principal", "none") else limit,
        tuple(freezes),
    )
    due_on = date.fromisoformat(request["due_on"])
    return price_late_fee(
        principal, terms, due_on=due_on, as_of=as_of, payments=payments, charged=charged
    )


def test_frozen_days_are_not_counted() -> None:
    frozen = [{"from": "2026-11-10", "to": "2026-11-20"}]
    assert fee(freezes=frozen) == [(179, "275.80元 × 0.0005 × 13天 = 1.79元")]


def test_overlapping_freezes_freeze_a_day_once() -> None:
    overlapping = [
        {"from": "2026-11-12", "to": "2026-11-20"},
        {"from": "2026-11-10", "to": "2026-11-15"},
        {"from": "2026-11-12", "to": "2026-11-13"},
    ]
    assert fee(freezes=overlapping) == fee(freezes=[{"from": "2026-11-10", "to": "2026-11-20"}])


def test_a_debt_frozen_from_its_first_day_has_no_late_fee() -> None:
    assert fee(freezes=[{"from": "2026-11-01", "to": "2027-01-01"}]) == []


def test_each_day_has_the_rate_of_its_time() -> None:
    rates = [
        {"effective_from": "2026-11-11", "daily_rate": "0.0003"},
        {"effective_from": "2025-01-01", "daily_rate": "0.0005"},
    ]
    explained = "275.80元 × 0.0005 × 10天 + 275.80元 × 0.0003 × 13天 = 2.45元"
    assert fee(daily_rate=None, rates=rates) == [(245, explained)]


def test_the_day_of_a_payment_still_counts_on_what_was_paid() -> None:
    explained = "275.80元 × 0.0005 × 10天 + 175.80元 × 0.0005 × 13天 = 2.52元"
    assert fee(payments=[{"on": "2026-11-10", "amount": "100"}]) == [(252, explained)]


def test_two_payments_on_following_days_each_count_their_own_day() -> None:
    explained = (
        "275.80元 × 0.0005 × 1天 + 175.80元 × 0.0005 × 1天 + 75.80元 × 0.0005 × 21天 = 1.02元"
    )
    payments = [{"on": f"2026-11-0{day}", "amount": "100"} for day in (2, 1)]
    assert fee(payments=payments) == [(102, explained)]


def test_what_was_paid_in_time_never_counts() -> None:
    explained = "175.80元 × 0.0005 × 23天 = 2.02元"
    assert fee(payments=[{"on": "2026-10-31", "amount": "100"}]) == [(202, explained)]


def test_a_payment_after_the_day_that_is_asked_for_changes_nothing_yet() -> None:
    assert fee(payments=[{"on": "2026-11-23", "amount": "100"}]) == fee()


def test_a_debt_paid_in_full_stops_counting() -> None:
    paid = {"payments": [{"on": "2026-11-10", "amount": "275.80"}]}
    assert fee(**paid) == [(138, "275.80元 × 0.0005 × 10天 = 1.38元")]
    assert fee(**paid, as_of="2027-11-23") == fee(**paid)
    assert fee(payments=[{"on": "2026-10-31", "amount": "275.80"}]) == []


def test_the_cap_is_the_principal_as_it_was_due() -> None:
    paid = [{"on": "2027-11-30", "amount": "200"}]
    (found,) = fee(daily_rate="0.01", as_of="2027-12-31", payments=paid)
    assert found[0] == 27580
    assert found[1].endswith("，封顶275.80元")


def test_a_later_line_takes_what_earlier_lines_have_not() -> None:
    explained = "累计：275.80元 × 0.0005 × 23天 = 3.17元；扣除已计：3.17元 − 2.00元 = 1.17元"
    assert fee(charged="2.00") == [(117, explained)]
    assert fee(charged="3.17") == []
    assert fee(charged="5.00") == []


def test_a_later_line_of_a_capped_fee_starts_from_the_cap() -> None:
    explained = (
        "累计：275.80元 × 0.1 × 23天 = 634.34元，封顶275.80元；"
        "扣除已计：275.80元 − 200.00元 = 75.80元"
    )
    assert fee(daily_rate="0.1", charged="200") == [(7580, explained)]


@many
@given(long_late_fees())
def test_late_fees_agree_with_walking_the_days_and_are_true_arithmetic(request: Json) -> None:
    answered = answer({"late_fee": request})
    assert answered["total_fen"] == quote_oracle.long_late_fee(request)
    if Fraction(request.get("charged", "0")) and answered["total_fen"] == 0:
        assert answered["lines"] == []
    for line in answered["lines"]:
        assert check_steps(line["explanation"]).charged == Fraction(line["amount_fen"], 100)
    charged = Money.from_yuan(request.get("charged", "0"))
    found = line_of(request, date.fromisoformat(request["as_of"]), charged)
    assert (found is None) == (answered["lines"] == [])
    if found is not None:
        assert found.amount.fen == answered["total_fen"]
        assert recompute(json.loads(json.dumps(found.basis))) == found.amount


@many
@given(long_late_fees(), st.lists(st.integers(0, 90), min_size=1, max_size=5))
def test_computed_in_steps_it_never_falls_and_sums_to_the_same(
    request: Json, steps: list[int]
) -> None:
    as_of, charged, before = date.fromisoformat(request["due_on"]), ZERO, ZERO
    for step in steps:
        as_of += timedelta(days=step)
        whole, increment = line_of(request, as_of), line_of(request, as_of, charged)
        total = ZERO if whole is None else whole.amount
        assert total >= before
        if increment is not None:
            assert check_steps(explain(increment.basis)).charged * 100 == increment.amount.fen
            assert recompute(increment.basis) == increment.amount
            charged += increment.amount
        assert charged == total
        before = total


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"rates": [{"effective_from": "2026-01-01", "daily_rate": "0.1"}]}, "late_fee.daily_rate"),
        ({"daily_rate": None}, "late_fee.daily_rate"),
        ({"daily_rate": None, "rates": []}, "late_fee.rates"),
        (
            {"daily_rate": None, "rates": [{"daily_rate": "0.1"}]},
            "late_fee.rates[0].effective_from",
        ),
        (
            {
                "daily_rate": None,
                "rates": [{"effective_from": "2026-11-02", "daily_rate": "0.1"}],
            },
            "rates",
        ),
        (
            {
                "daily_rate": None,
                "rates": [{"effective_from": "2026-01-01", "daily_rate": "0.1"}] * 2,
            },
            "rates",
        ),
        ({"freezes": []}, "late_fee.freezes"),
        ({"freezes": [{"from": "2026-11-10"}]}, "late_fee.freezes[0].to"),
        ({"freezes": [{"from": "2026-11-10", "to": "2026-11-10"}]}, "to"),
        ({"freezes": [{"from": "2026-11-10", "to": "2026-11-12", "by": "x"}]}, "late_fee.freezes"),
        ({"payments": [{"on": "2026-11-10"}]}, "late_fee.payments[0].amount"),
        ({"payments": [{"on": "2026-11-10", "amount": "1.005"}]}, "late_fee.payments[0].amount"),
        ({"payments": [{"on": "2026-11-10", "amount": "-1"}]}, "late_fee.payments[0].amount"),
        ({"payments": [{"on": "2026-12-10", "amount": "275.81"}]}, "payments"),
        ({"charged": "-1"}, "late_fee.charged"),
        ({"charged": "0.001"}, "late_fee.charged"),
    ],
)
def test_terms_that_mean_nothing_are_refused_by_field(changes: Json, field: str) -> None:
    request = {key: value for key, value in {**DEBT, **changes}.items() if value is not None}
    assert answer({"late_fee": request})["error"].startswith(field)


def test_a_frozen_day_needs_no_rate() -> None:
    rates = [{"effective_from": "2026-11-11", "daily_rate": "0.0005"}]
    frozen = [{"from": "2026-11-01", "to": "2026-11-11"}]
    assert fee(daily_rate=None, rates=rates, freezes=frozen)[0][0] == 179


def test_two_rates_of_one_day_are_refused_behind_the_door_as_well() -> None:
    rate = DailyRate(date(2026, 1, 1), Decimal("0.1"))
    with pytest.raises(PricingError):
        LateFeeTerms(0, (rate, rate), None)
