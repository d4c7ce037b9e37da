"""Every sentence is arithmetic a calculator repeats, whatever was priced and however."""

from collections.abc import Callable
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, assume, find, given, settings
from hypothesis import strategies as st

from billing.pricing.quote import answer
from tests.billing.pricing.explanation_checker import check_steps
from tests.billing.pricing.quote_requests import (
    PERS,
    SOAK,
    Json,
    agreed_requests,
    apportions,
    discount_requests,
    late_fees,
    long_late_fees,
    metered_prices,
    periodic_prices,
    price_requests,
    tiered_prices,
    version_requests,
)


def late(request: Json) -> Json:
    return {"late_fee": request}


REQUESTS: dict[str, st.SearchStrategy[Json]] = {
    "flat": price_requests(periodic_prices(PERS, ("flat",))),
    "area": price_requests(periodic_prices(PERS, ("area",))),
    "metered": price_requests(metered_prices),
    "graduated": price_requests(tiered_prices("graduated")),
    "volume": price_requests(tiered_prices("volume")),
    "versions": version_requests(),
    "agreed": agreed_requests(),
    "discounts": discount_requests(),
    "late fee": late_fees().map(late),
    "late fee with a history": long_late_fees().map(late),
    "apportion": apportions.map(lambda request: {"apportion": request}),
}


def sentences(request: Json) -> list[tuple[int, str]]:
    """(fen, sentence) of everything a request is answered with."""
    found = answer(request)
    if "parts_fen" in found:
        return list(zip(found["parts_fen"], found["explanations"], strict=True))
    assume(not found.get("error", "").startswith("amount: a discount needs"))  # absurdly large
    return [(line["amount_fen"], line["explanation"]) for line in found["lines"]]


@pytest.mark.parametrize("kind", REQUESTS)
@settings(max_examples=1500 if SOAK else 15, deadline=None)
@given(st.data())
def test_its_arithmetic_gives_the_amount(kind: str, data: Any) -> None:
    for amount_fen, sentence in sentences(data.draw(REQUESTS[kind])):
        assert check_steps(sentence).charged == Fraction(amount_fen, 100)


def said(text: str) -> Callable[[Json], bool]:
    """Whether some sentence of the answer says this."""
    return lambda request: any(text in sentence for _, sentence in sentences(request))


def has(*path: str) -> Callable[[Json], bool]:
    """Whether a request has a key, and more than one line to show for it."""

    def holds(request: Json) -> bool:
        found: Any = request
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        return found is not None and bool(sentences(request))

    return holds


@pytest.mark.parametrize(
    ("kind", "reached"),
    [
        ("metered", has("reading", "change")),
        ("metered", said("(1000 − ")),  # rolled over
        ("metered", has("quantity")),
        ("graduated", has("price", "normal_days")),
        ("graduated", has("price", "year_to_date")),
        ("graduated", lambda request: len(sentences(request)[0][1].split(" + ")) > 3),
        ("volume", has("price", "normal_days")),
        ("versions", lambda request: len(sentences(request)) > 2),
        ("agreed", said("，约定单价（标准")),
        ("discounts", lambda request: any(amount < 0 for amount, _ in sentences(request))),
        ("discounts", said("，封顶")),
        ("discounts", said("% × ")),
        ("late fee", said("，封顶")),
        ("late fee with a history", has("late_fee", "freezes")),
        ("late fee with a history", has("late_fee", "payments")),
        ("late fee with a history", said("天 + ")),
        ("late fee with a history", said("；扣除已计：")),
        ("apportion", said("；尾差：")),
        ("apportion", said("，封顶")),
        ("apportion", said("总额：")),
    ],
)
def test_the_random_requests_reach_it(kind: str, reached: Callable[[Json], bool]) -> None:
    """Where nothing is found, the properties above and beside would hold of nothing."""
    any_will_do = settings(max_examples=5000, database=None, deadline=None, phases=[Phase.generate])
    assert find(REQUESTS[kind], reached, settings=any_will_do, random=Random(1))
