"""Where a payment goes: the payer's word first, else oldest first; nothing lost, nothing
overpaid.
"""

from hypothesis import given
from hypothesis import strategies as st

from billing.allocation import OpenLine, allocate
from billing.money import ZERO, Money


def fen(*lines: tuple[int, int, int]) -> list[OpenLine]:
    return [OpenLine(bill, line, Money(owed)) for bill, line, owed in lines]


def test_without_a_word_the_oldest_is_paid_first() -> None:
    result = allocate(Money(120), None, fen((1, 1, 100), (2, 2, 50)))
    assert [(part.line_id, part.amount.fen) for part in result.parts] == [(1, 100), (2, 20)]
    assert result.remainder == ZERO


def test_the_payers_word_comes_first() -> None:
    result = allocate(Money(50), {2: Money(50)}, fen((1, 1, 100), (2, 2, 50)))
    assert [(part.bill_id, part.amount.fen) for part in result.parts] == [(2, 50)]


def test_money_for_a_bill_paid_meanwhile_stays_the_payers() -> None:
    result = allocate(Money(50), {2: Money(50)}, fen((1, 1, 100)))
    assert (result.parts, result.remainder) == ((), Money(50))


def test_part_of_a_bill_pays_its_lines_in_order() -> None:
    result = allocate(Money(70), {1: Money(70)}, fen((1, 1, 60), (1, 2, 60)))
    assert [part.amount.fen for part in result.parts] == [60, 10]
    assert result.per_bill() == {1: Money(70)}


lines = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 9000)), max_size=12)


@given(st.integers(1, 50_000), lines, st.dictionaries(st.integers(1, 4), st.integers(1, 9000)))
def test_parts_and_remainder_are_the_payment_and_no_line_is_overpaid(
    paid: int, owed: list[tuple[int, int]], wishes: dict[int, int]
) -> None:
    open_lines = [OpenLine(bill, at, Money(fen)) for at, (bill, fen) in enumerate(owed)]
    designated = {bill: Money(fen) for bill, fen in wishes.items()}
    result = allocate(Money(paid), designated, open_lines)
    outstanding = {line.line_id: line.outstanding for line in open_lines}
    assert sum((part.amount for part in result.parts), ZERO) + result.remainder == Money(paid)
    assert all(ZERO < part.amount <= outstanding[part.line_id] for part in result.parts)
    if designated:
        assert all(total <= designated[bill] for bill, total in result.per_bill().items())
