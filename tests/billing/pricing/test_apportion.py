"""A shared cost is shared to the last fen, and every share can be checked and proved."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import InvalidInput
from billing.money import ZERO, Money
from billing.period import DateRange
from billing.pricing import (
    ApportionBy,
    PoolUsage,
    PricingError,
    ShareBasis,
    apportion,
    parse_basis,
    priced_line,
    recompute,
    uncollected,
)
from billing.pricing.explain import explain_basis
from billing.pricing.fields import Fields
from billing.pricing.quote import answer
from tests.billing.pricing import quote_oracle
from tests.billing.pricing.explanation_checker import check_steps
from tests.billing.pricing.quote_requests import Json, apportions, many

HOMES = [Decimal("98.5"), Decimal("101.5"), Decimal("60")]


def shares_of(request: Json) -> list[ShareBasis]:
    """The shares of a request, as they are stored and read back."""
    fields = Fields({"cap": "0", **request}, "")
    pool = request["amount"]
    shares = apportion(
        PoolUsage(Decimal(pool["quantity"]), Decimal(pool["unit_price"]))
        if isinstance(pool, dict)
        else Money.from_yuan(pool),
        fields.choice("by", ApportionBy),
        [Decimal(weight) for weight in request["weights"]],
        fields.yuan("cap") if "cap" in request else None,
    )
    stored = [parse_basis(json.loads(json.dumps(share.to_json()))) for share in shares]
    return [basis for basis in stored if isinstance(basis, ShareBasis)]


@many
@given(apportions)
def test_shares_agree_with_handing_out_single_fen_and_are_the_whole(request: Json) -> None:
    found = answer({"apportion": request})
    assert (found["parts_fen"], found["uncollected_fen"]) == quote_oracle.apportion(request)
    assert sum(found["parts_fen"]) + found["uncollected_fen"] == found["total_fen"]


@many
@given(apportions)
def test_a_stored_share_gives_its_amount_and_steps_and_all_of_them_prove_the_pool(
    request: Json,
) -> None:
    shares, found = shares_of(request), answer({"apportion": request})
    assert [recompute(share.to_json()).fen for share in shares] == found["parts_fen"]
    assert uncollected(shares).fen == found["uncollected_fen"]
    assert [explain_basis(share) for share in shares] == found["explanations"]
    for part, sentence in zip(found["parts_fen"], found["explanations"], strict=True):
        assert check_steps(sentence).charged * 100 == part


@many
@given(apportions, st.data())
def test_a_pool_with_one_share_spoiled_is_not_proved(request: Json, data: Any) -> None:
    shares = shares_of(request)
    at = data.draw(st.integers(0, len(shares) - 1))
    share = shares[at]
    spoiled = ShareBasis(
        share.by, share.pool, share.weight, share.weights_total, 1 - share.extra_fen, share.cap
    )
    with pytest.raises(PricingError):
        uncollected([*shares[:at], spoiled, *shares[at + 1 :]])


def test_a_cost_no_division_fits_is_still_collected_in_full() -> None:
    """620.00 among 333 households: each rounded alone would collect 619.38."""
    pool = {"quantity": "1000", "unit_price": "0.62"}
    request = {"amount": pool, "by": "household", "weights": ["1"] * 333}
    found = answer({"apportion": request})
    assert found["total_fen"] == sum(found["parts_fen"]) == 62000
    assert found["explanations"][0] == (
        "总额：1000 × 0.62元 = 620.00元；分摊：620.00元 × 1户 ÷ 333户 = 1.86元；"
        "尾差：1.86元 + 0.01元 = 1.87元"
    )
    assert found["explanations"][-1] == (
        "总额：1000 × 0.62元 = 620.00元；分摊：620.00元 × 1户 ÷ 333户 = 1.86元"
    )


def test_a_share_whose_own_rounding_is_a_fen_too_much_says_so() -> None:
    found = answer({"apportion": {"amount": "0.01", "by": "area", "weights": ["1", "1"]}})
    assert found["explanations"] == [
        "0.01元 × 1㎡ ÷ 2㎡ = 0.01元",
        "分摊：0.01元 × 1㎡ ÷ 2㎡ = 0.01元；尾差：0.01元 − 0.01元 = 0.00元",
    ]


def test_what_a_cap_cuts_off_is_never_shared_among_the_others() -> None:
    capped = apportion(Money(1000), ApportionBy.AREA, HOMES, cap=Money(380))
    free = apportion(Money(1000), ApportionBy.AREA, HOMES)
    assert [share.amount.fen for share in free] == [379, 390, 231]
    assert [share.amount.fen for share in capped] == [379, 380, 231]
    assert uncollected(capped) == Money(10)
    assert explain_basis(capped[1]) == "10.00元 × 101.5㎡ ÷ 260.0㎡ = 3.90元，封顶3.80元"


def test_a_cap_of_nothing_collects_nothing() -> None:
    shares = apportion(Money(1000), ApportionBy.AREA, HOMES, cap=ZERO)
    assert [share.amount for share in shares] == [ZERO] * 3
    assert uncollected(shares) == Money(1000)
    assert explain_basis(shares[0]).endswith("，封顶0.00元")


def test_a_share_can_be_a_line_of_a_bill() -> None:
    (share, *_) = apportion(Money(1000), ApportionBy.USAGE, HOMES)
    november = DateRange(date(2026, 11, 1), date(2026, 12, 1))
    line = priced_line(share, november, 0)
    assert (line.amount, line.start, line.end) == (Money(379), november.start, november.end)
    assert recompute(line.basis) == line.amount


def test_shares_in_another_order_prove_their_pool_too() -> None:
    shares = apportion(Money(100), ApportionBy.HOUSEHOLD, [Decimal(1)] * 3)
    assert uncollected(shares[::-1]) == ZERO


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda shares: [], "at least one"),
        (lambda shares: shares[1:], "weights do not sum"),
        (lambda shares: [*shares, shares[0]], "weights do not sum"),
        (
            lambda shares: [
                *shares[1:],
                apportion(Money(1001), ApportionBy.AREA, HOMES)[0],
            ],
            "not of one pool",
        ),
    ],
)
def test_shares_that_are_not_one_whole_pool_are_refused(spoil: Any, reason: str) -> None:
    with pytest.raises(PricingError, match=reason):
        uncollected(spoil(apportion(Money(1000), ApportionBy.AREA, HOMES)))


def test_a_fen_given_to_the_wrong_share_is_found_although_the_sum_is_right() -> None:
    right = apportion(Money(1000), ApportionBy.AREA, HOMES)
    assert [share.extra_fen for share in right] == [1, 0, 1]
    wrong = [
        ShareBasis(share.by, share.pool, share.weight, share.weights_total, extra)
        for share, extra in zip(right, [1, 1, 0], strict=True)
    ]
    with pytest.raises(PricingError, match="smaller remainder"):
        uncollected(wrong)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount": "620.005"}, "apportion.amount"),
        ({"amount": None}, "apportion.amount"),
        ({"amount": "-1"}, "apportion.amount"),
        ({"amount": {"quantity": "1"}}, "apportion.amount.unit_price"),
        ({"amount": {"quantity": "1", "unit_price": "1", "unit": "度"}}, "apportion.amount"),
        ({"amount": {"quantity": "1000000000", "unit_price": "1000000000"}}, "amount"),
        ({"by": "people"}, "apportion.by"),
        ({"weights": []}, "apportion.weights"),
        ({"weights": ["1", "-1"]}, "apportion.weights[1]"),
        ({"weights": ["0", "0"]}, "weights"),
        ({"weights": ["1000000000", "1"]}, "weights"),
        ({"cap": "0.005"}, "apportion.cap"),
        ({"cap": None}, "apportion.cap"),
        ({"colour": "red"}, "apportion"),
    ],
)
def test_a_pool_that_cannot_be_shared_is_refused_by_field(changes: Json, field: str) -> None:
    request = {"amount": "620.00", "by": "area", "weights": ["1", "2"], **changes}
    assert answer({"apportion": request})["error"].startswith(f"{field}: ")


def test_a_negative_weight_is_refused_behind_the_door_as_well() -> None:
    with pytest.raises(InvalidInput):
        apportion(Money(100), ApportionBy.AREA, [Decimal(2), Decimal(-1)])
