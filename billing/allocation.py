"""Which line a payment pays (核销). Pure.

Order (民法典 560/561): what the payer designated, and nothing else; for money without designation
what is owed, in the order given, the oldest first. What is left becomes a prepayment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from billing.money import ZERO, Money


@dataclass(frozen=True, slots=True)
class OpenLine:
    """A line with something still owed on it."""

    bill_id: int
    line_id: int
    outstanding: Money


@dataclass(frozen=True, slots=True)
class Allocated:
    """A part of the payment for one line."""

    bill_id: int
    line_id: int
    amount: Money


@dataclass(frozen=True, slots=True)
class Allocation:
    """Parts per line and the remainder that becomes a prepayment; together exactly the payment."""

    parts: tuple[Allocated, ...]
    remainder: Money

    def per_bill(self) -> dict[int, Money]:
        """Amount applied to each bill."""
        totals: dict[int, Money] = {}
        for part in self.parts:
            totals[part.bill_id] = totals.get(part.bill_id, ZERO) + part.amount
        return totals


def allocate(
    amount: Money, designated: Mapping[int, Money] | None, open_lines: Sequence[OpenLine]
) -> Allocation:
    """Apply `amount` to `open_lines`.

    Args:
        amount: what was paid, above zero.
        designated: bill id → how much of the payment the payer meant for it, the rest being meant
            as a prepayment; None when the payer said nothing. Money designated for a bill that was
            paid meanwhile is not moved to another bill: it stays the payer's, as a prepayment.
        open_lines: lines in the order they are to be paid.

    Returns:
        Parts that never exceed what is owed on a line; parts + remainder = amount.

    >>> lines = [OpenLine(7, 1, Money(100)), OpenLine(7, 2, Money(50))]
    >>> [part.amount.fen for part in allocate(Money(120), None, lines).parts]
    [100, 20]
    """
    left = amount
    budget = None if designated is None else dict(designated)
    parts: list[Allocated] = []
    for line in open_lines:
        allowed = left if budget is None else min(left, budget.get(line.bill_id, ZERO))
        part = min(allowed, line.outstanding)
        if part <= ZERO:
            continue
        parts.append(Allocated(line.bill_id, line.line_id, part))
        left -= part
        if budget is not None:
            budget[line.bill_id] -= part
    return Allocation(tuple(parts), left)
