"""Figures as people read them."""

from fractions import Fraction

import pytest

from notify.wording import percent


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (Fraction(1, 3), "33.3%"),
        (Fraction(0), "0.0%"),
        (Fraction(9999, 10_000), "99.9%"),
        (Fraction(12, 10), "120.0%"),
        (Fraction(-5, 1000), "-0.5%"),
        (Fraction(-1, 3), "-33.3%"),
        (Fraction(-3, 2), "-150.0%"),
        (Fraction(-1, 10_000), "0.0%"),
    ],
)
def test_a_share_has_one_decimal_and_its_sign_in_front(share: Fraction, words: str) -> None:
    assert percent(share) == words
