"""A stored basis either gives its amount or is refused; it is never half read."""

from typing import Any

import pytest

from billing.money import Money
from billing.pricing import PricingError, explain, recompute

AREA = {
    "method": "area",
    "unit_price": "2.80",
    "per": "month",
    "area_m2": "98.50",
    "months": ["21/30"],
}
METERED = {"method": "metered", "unit_price": "3.45", "quantity": "12.5", "share": "15/30"}
LATE_DAYS = {"principal": "100", "daily_rate": "0.1", "days": 20}
LATE_FEE = {"method": "late_fee", "parts": [LATE_DAYS], "cap": "50"}
SHARE = {
    "method": "apportioned",
    "by": "area",
    "pool": {"quantity": "10", "unit_price": "1.00"},
    "weight": "98.5",
    "weights_total": "260",
    "extra_fen": 1,
    "cap": "3.50",
}
STATED = {"method": "stated", "amount": "123.45", "document": "旧系统欠费清单"}
DISCOUNT = {"method": "discount", "reason": "vacant", "charge": "275.80", "percent": "30"}


def test_a_stored_line_can_be_recomputed_and_explained_years_later() -> None:
    assert recompute(AREA) == Money(19306)
    assert explain(AREA) == "98.50㎡ × 2.80元/㎡·月 × 21/30月 = 193.06元"
    assert recompute(METERED) == Money(2156)
    assert explain(METERED) == "12.5 × 3.45元 × 15/30 = 21.56元"
    assert recompute(LATE_FEE) == Money(5000)
    assert explain(LATE_FEE) == "100.00元 × 0.1 × 20天 = 200.00元，封顶50.00元"
    assert recompute(SHARE) == Money(350)
    assert explain(SHARE) == (
        "总额：10 × 1.00元 = 10.00元；分摊：10.00元 × 98.5㎡ ÷ 260㎡ = 3.79元，封顶3.50元"
    )
    assert recompute(DISCOUNT) == Money(-8274)
    assert recompute(STATED) == Money(12345)
    assert explain(STATED) == "期初欠费 = 123.45元，依据：旧系统欠费清单"
    assert explain(DISCOUNT) == "−275.80元 × 30% = −82.74元"


@pytest.mark.parametrize(
    "spoiled",
    [
        None,
        [],
        {},
        {**AREA, "method": "formula"},
        {**AREA, "method": ["area"]},
        {**AREA, "months": ["21/0"]},
        {**AREA, "months": ["-1"]},
        {**AREA, "months": ["1/2/3"]},
        {**AREA, "months": [1]},
        {**AREA, "months": []},
        {**AREA, "days": ["3"]},
        {**AREA, "per": "once"},
        {**AREA, "area_m2": 98.5},
        {key: value for key, value in AREA.items() if key != "months"},
        {**AREA, "amount_fen": 19306},
        {**METERED, "share": "half"},
        {key: value for key, value in METERED.items() if key != "quantity"},
        {**METERED, "listed_price": "cheap"},
        {**LATE_FEE, "parts": []},
        {**LATE_FEE, "parts": [{**LATE_DAYS, "days": "0.5"}]},
        {**LATE_FEE, "parts": [{**LATE_DAYS, "since": "2026-11-01"}]},
        {**LATE_FEE, "charged": "0.001"},
        {**SHARE, "extra_fen": 2},
        {**SHARE, "weight": "261"},
        {**SHARE, "weight": "0", "weights_total": "0"},
        {**SHARE, "pool": {"quantity": "10"}},
        {**SHARE, "by": "people"},
        {**SHARE, "amount": "3.50"},
        {**DISCOUNT, "percent": "101"},
        {**DISCOUNT, "amount": "5.00"},
        {**DISCOUNT, "share": "0.7"},
        {**DISCOUNT, "left": "-1"},
        {key: value for key, value in DISCOUNT.items() if key != "charge"},
        {**STATED, "amount": "-1"},
        {**STATED, "amount": "0.001"},
        {**STATED, "document": ""},
        {key: value for key, value in STATED.items() if key != "document"},
    ],
)
def test_a_spoiled_basis_is_refused(spoiled: Any) -> None:
    with pytest.raises(PricingError):
        recompute(spoiled)
