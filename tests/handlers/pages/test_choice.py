"""What a payer chose: pure rules about amounts and bills."""

import pytest

from billing.bills import BillState
from billing.money import ZERO, Money
from billing.period import Period
from handlers.pages.choice import choose, designate, designate_whole, read_amount
from handlers.pages.refusals import Objected, Objection


def bill(number: int, owed: int) -> BillState:
    period = Period(f"2026-{number:02d}")
    return BillState(
        1, number, 8, "1-1-302", period, period.start, period.end, Money(owed), ZERO, ZERO
    )


OLDER, NEWER = bill(9, 300), bill(10, 500)


@pytest.mark.parametrize(
    ("typed", "fen"),
    [
        ("120", 12000),
        ("120.5", 12050),
        ("120.", 12000),
        ("0.01", 1),
        ("007", 700),
        (" ¥1,234.50 ", 123450),
        ("１２３．４５", 12345),
        ("￥8", 800),
        ("+5", 500),
    ],
)
def test_amounts_are_read_as_people_type_them(typed: str, fen: int) -> None:
    assert read_amount(typed) == Money(fen)


@pytest.mark.parametrize("typed", ["", "  ", "¥"])
def test_an_empty_amount_means_everything_chosen(typed: str) -> None:
    assert read_amount(typed) is None


@pytest.mark.parametrize(
    ("typed", "objection"),
    [
        ("abc", Objection.NOT_A_NUMBER),
        ("12元", Objection.NOT_A_NUMBER),
        ("1e3", Objection.NOT_A_NUMBER),
        ("1.2.3", Objection.NOT_A_NUMBER),
        ("--1", Objection.NOT_A_NUMBER),
        ("nan", Objection.NOT_A_NUMBER),
        ("一百", Objection.NOT_A_NUMBER),
        ("9" * 40, Objection.NOT_A_NUMBER),
        ("0", Objection.NOT_POSITIVE),
        ("0.00", Objection.NOT_POSITIVE),
        ("-5", Objection.NOT_POSITIVE),
        ("1.005", Objection.TOO_FINE),
        ("1.000", Objection.TOO_FINE),
    ],
)
def test_other_amounts_get_the_sentence_that_fits(typed: str, objection: Objection) -> None:
    with pytest.raises(Objected) as refused:
        read_amount(typed)
    assert refused.value.objection is objection


@pytest.mark.parametrize(
    ("fen", "shares"),
    [
        (None, {9: 300, 10: 500}),
        (800, {9: 300, 10: 500}),
        (300, {9: 300}),
        (301, {9: 300, 10: 1}),
        (1, {9: 1}),
    ],
)
def test_part_of_the_money_pays_the_oldest_bill_first(
    fen: int | None, shares: dict[int, int]
) -> None:
    amount = None if fen is None else Money(fen)
    found = designate([OLDER, NEWER], amount)
    assert {number: share.fen for number, share in found.items()} == shares


def test_more_than_is_owed_on_the_chosen_bills_is_refused() -> None:
    with pytest.raises(Objected) as refused:
        designate([OLDER], Money(301))
    assert refused.value.objection is Objection.TOO_MUCH


def test_chosen_bills_keep_the_order_in_which_they_fall_due() -> None:
    assert choose([OLDER, NEWER], {10, 9}) == [OLDER, NEWER]
    assert choose([OLDER, NEWER], {10}) == [NEWER]


@pytest.mark.parametrize(
    ("chosen", "objection"),
    [(set(), Objection.NOTHING_CHOSEN), ({9, 77}, Objection.CHANGED), ({77}, Objection.CHANGED)],
)
def test_a_choice_must_be_of_unpaid_bills(chosen: set[int], objection: Objection) -> None:
    with pytest.raises(Objected) as refused:
        choose([OLDER, NEWER], chosen)
    assert refused.value.objection is objection


def test_a_helper_pays_exactly_what_was_shown() -> None:
    assert designate_whole([OLDER, NEWER], Money(800)) == {9: Money(300), 10: Money(500)}
    for shown in (Money(799), Money(801), None):
        with pytest.raises(Objected) as refused:
            designate_whole([OLDER, NEWER], shown)
        assert refused.value.objection is Objection.CHANGED
