"""Money is whole fen, and whatever is divided adds up again."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from billing.errors import InvalidInput
from billing.money import ZERO, Money, round_to_fen, split


@pytest.mark.parametrize("wrong", [1.0, True, Decimal(1), "1", None, Fraction(1)])
def test_only_a_plain_int_is_an_amount(wrong: Any) -> None:
    with pytest.raises(TypeError):
        Money(wrong)


def test_amounts_add_compare_and_negate() -> None:
    assert Money(5) + Money(7) - Money(20) == Money(-8) == -Money(8)
    assert sorted([Money(3), Money(-1), ZERO]) == [Money(-1), ZERO, Money(3)]
    assert sum([Money(1), Money(2)], ZERO) == Money(3)
    assert Money(1)
    assert not ZERO


@pytest.mark.parametrize("other", [1, 1.0, Decimal(1), True])
def test_an_amount_does_not_mix_with_numbers(other: Any) -> None:
    with pytest.raises(TypeError):
        Money(1) + other
    with pytest.raises(TypeError):
        Money(1) - other
    with pytest.raises(TypeError):
        assert Money(1) < other
    with pytest.raises(TypeError):
        Money(1) * other


def test_an_amount_is_written_in_yuan() -> None:
    texts = [Money(fen).yuan for fen in (123450, 5, 0, -5, -123450)]
    assert texts == ["1234.50", "0.05", "0.00", "-0.05", "-1234.50"]


@pytest.mark.parametrize(
    ("text", "fen"), [("1234.5", 123450), ("0.05", 5), ("-0.05", -5), ("7", 700), ("-0", 0)]
)
def test_yuan_are_read_exactly(text: str, fen: int) -> None:
    assert Money.from_yuan(text) == Money(fen)


@pytest.mark.parametrize(
    "text",
    ["", "1.005", "1,234.50", " 1", "1.", ".5", "+1", "1e3", "NaN", "１", "1元", "1\n", "9" * 13],
)
def test_what_is_not_plainly_yuan_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        Money.from_yuan(text)


@pytest.mark.parametrize(
    ("yuan", "fen"),
    [
        (Decimal("43.125"), 4313),
        (Decimal("43.1249999"), 4312),
        (Decimal("-43.125"), -4313),
        (Fraction(1, 3), 33),
        (Fraction(1, 200), 1),
        (Decimal(0), 0),
        (Decimal("0.30"), 30),
    ],
)
def test_half_a_fen_is_rounded_away_from_zero(yuan: Decimal | Fraction, fen: int) -> None:
    assert round_to_fen(yuan) == Money(fen)


@pytest.mark.parametrize("wrong", [1, 1.0, "1.00"])
def test_only_exact_fractions_are_rounded(wrong: Any) -> None:
    with pytest.raises(TypeError):
        round_to_fen(wrong)


@pytest.mark.parametrize(
    ("fen", "weights", "parts"),
    [
        (100, ["1", "1", "1"], [34, 33, 33]),
        (-100, ["1", "1", "1"], [-34, -33, -33]),
        (1000, ["98.5", "101.5", "60"], [379, 390, 231]),
        (1, ["0", "1", "1"], [0, 1, 0]),
        (0, ["1", "2"], [0, 0]),
        (5, ["1"], [5]),
        (2, ["1", "1", "8"], [0, 0, 2]),
    ],
)
def test_a_split_gives_the_fen_left_over_to_the_largest_remainders(
    fen: int, weights: list[str], parts: list[int]
) -> None:
    found = split(Money(fen), [Decimal(weight) for weight in weights])
    assert [part.fen for part in found] == parts


@pytest.mark.parametrize("weights", [[], ["0"], ["1", "-1"], ["2", "-1"], ["NaN"], ["Infinity"]])
def test_weights_that_share_nothing_are_refused(weights: list[str]) -> None:
    with pytest.raises(InvalidInput):
        split(Money(100), [Decimal(weight) for weight in weights])
