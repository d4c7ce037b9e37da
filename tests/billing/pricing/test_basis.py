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
LATE_FEE = {"method": "late_fee", "principal": "100", "daily_rate": "0.1", "days": 20, "cap": "50"}


def test_a_stored_line_can_be_recomputed_and_explained_years_later() -> None:
    assert recompute(AREA) == Money(19306)
    assert explain(AREA) == "98.50㎡ × 2.80元/㎡·月 × 21/30月 = 193.06元"
    assert recompute(METERED) == Money(2156)
    assert explain(METERED) == "12.5 × 3.45元 × 15/30 = 21.56元"
    assert recompute(LATE_FEE) == Money(5000)
    assert explain(LATE_FEE) == "100.00元 × 0.1 × 20天 = 200.00元，封顶50.00元"


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
    ],
)
def test_a_spoiled_basis_is_refused(spoiled: Any) -> None:
    with pytest.raises(PricingError):
        recompute(spoiled)
