"""What makes a charge differ is told cause by cause, and the causes sum to the difference."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.pricing.basis import parse_basis, recompute
from billing.pricing.compare import Cause, effects
from tests.conftest import SOAK

Stored = dict[str, Any]

AREA: Stored = {
    "method": "area", "unit_price": "2.80", "per": "month", "area_m2": "100", "months": ["1"],
}  # fmt: skip
FLAT: Stored = {"method": "flat", "unit_price": "250.00", "per": "month", "months": ["1"]}
WATER: Stored = {"method": "metered", "unit_price": "3.45", "quantity": "12"}
LAMPS: Stored = {
    "method": "apportioned", "by": "area", "pool": "900.00", "weight": "100",
    "weights_total": "3000", "extra_fen": 0,
}  # fmt: skip


def power(quantity: str, low: str = "0.50", high: str = "0.80") -> Stored:
    return {
        "method": "tiered", "mode": "graduated", "quantity": quantity, "span_days": 30,
        "tiers": [
            {"up_to": "200", "unit_price": low, "flat": "0"},
            {"up_to": None, "unit_price": high, "flat": "0"},
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param(
            AREA, AREA | {"unit_price": "3.00"}, [(Cause.PRICE, 2000, "2.80元", "3.00元")],
            id="price",
        ),
        pytest.param(AREA, FLAT, [(Cause.OTHER, -3000, "", "")], id="another method"),
        pytest.param(
            FLAT, FLAT | {"unit_price": "700.00", "per": "quarter"}, [(Cause.OTHER, -1667, "", "")],
            id="per another time",
        ),
        pytest.param(
            AREA | {"months": ["15/30"]}, AREA, [(Cause.TIME, 14000, "0.5月", "1月")], id="time"
        ),
        pytest.param(
            AREA, AREA | {"area_m2": "98.50", "unit_price": "3.00"},
            [(Cause.AREA, -420, "100㎡", "98.50㎡"), (Cause.PRICE, 1970, "2.80元", "3.00元")],
            id="area and price",
        ),
        pytest.param(
            WATER, WATER | {"quantity": "18"}, [(Cause.USAGE, 2070, "12", "18")], id="usage"
        ),
        pytest.param(
            WATER, WATER | {"quantity": "18", "unit_price": "4.00"},
            [(Cause.USAGE, 2070, "12", "18"), (Cause.PRICE, 990, "3.45元", "4.00元")],
            id="usage and price",
        ),
        pytest.param(
            WATER | {"quantity": "0"}, WATER, [(Cause.USAGE, 4140, "0", "12")], id="from nothing"
        ),
        pytest.param(
            power("180"), power("230"),
            [(Cause.USAGE, 2500, "180", "230"), (Cause.TIER, 900, "0.50元", "0.80元")],
            id="into the next tier",
        ),
        pytest.param(
            power("150"), power("150", low="0.55"), [(Cause.PRICE, 750, "0.50元", "0.55元")],
            id="dearer tier",
        ),
        pytest.param(
            LAMPS, LAMPS | {"pool": "1200.00"}, [(Cause.POOL, 1000, "900.00元", "1200.00元")],
            id="pool",
        ),
        pytest.param(
            LAMPS, LAMPS | {"weights_total": "2500"},
            [(Cause.SHARE, 600, "100/3000", "100/2500")], id="share",
        ),
        pytest.param(
            {"method": "flat", "unit_price": "5.00", "per": "once"}, WATER,
            [(Cause.OTHER, 3640, "", "")], id="another method",
        ),
        pytest.param(AREA, AREA, [], id="nothing"),
    ],
)  # fmt: skip
def test_each_cause_has_its_amount(
    before: Stored, after: Stored, told: list[tuple[Cause, int, str, str]]
) -> None:
    found = effects([parse_basis(before)], [parse_basis(after)])
    assert [(one.cause, one.amount.fen, one.was, one.now) for one in found] == told


def test_a_price_that_changed_within_the_month_is_a_change_of_price() -> None:
    halves = [
        AREA | {"months": ["15/30"]},
        AREA | {"months": ["15/30"], "unit_price": "3.00"},
    ]
    [one] = effects([parse_basis(AREA)], [parse_basis(half) for half in halves])
    assert (one.cause, one.amount.fen, one.now) == (Cause.PRICE, 1000, "2.80元/3.00元")


def decimals(top: int) -> st.SearchStrategy[str]:
    return st.decimals(0, top, places=2).map(str)


PRICES = st.decimals("0.01", 99, places=2).map(str)
MONTHS = st.lists(st.sampled_from(["1", "7/30", "13/31", "2"]), min_size=1, max_size=2)
BASES = st.one_of(
    st.builds(
        lambda price, area, months: AREA | {"unit_price": price, "area_m2": area, "months": months},
        PRICES, st.decimals("0.5", 400, places=2).map(str), MONTHS,
    ),
    st.builds(
        lambda price, used: WATER | {"unit_price": price, "quantity": used}, PRICES, decimals(900)
    ),
    st.builds(power, decimals(900), PRICES, PRICES),
    st.builds(lambda pool: LAMPS | {"pool": pool}, decimals(9000)),
)  # fmt: skip


@given(
    before=st.lists(BASES, min_size=1, max_size=2), after=st.lists(BASES, min_size=1, max_size=2)
)
@settings(max_examples=3000 if SOAK else 60, deadline=None)
def test_the_causes_sum_to_the_difference(before: list[Stored], after: list[Stored]) -> None:
    told = effects(list(map(parse_basis, before)), list(map(parse_basis, after)))
    assert sum(one.amount.fen for one in told) == sum(
        recompute(stored).fen for stored in after
    ) - sum(recompute(stored).fen for stored in before)
    assert all(one.amount.fen for one in told)
