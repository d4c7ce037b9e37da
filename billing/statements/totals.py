"""What bank accounts took on a day and what of it is in the books, for reconciliation."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.money import Money

TOTALS = text(
    """
    SELECT account.community_id,
           coalesce(sum(movement.amount), 0) AS credited,
           coalesce(sum(movement.amount) FILTER (WHERE payment.state = 'confirmed'), 0) AS booked,
           coalesce(sum(movement.amount) FILTER (WHERE movement.state = 'ignored'), 0) AS ignored
    FROM bank_account account
    LEFT JOIN bank_row movement ON movement.community_id = account.community_id
          AND movement.account_id = account.id AND movement.value_on = :day AND movement.amount > 0
    LEFT JOIN payment ON payment.community_id = movement.community_id
          AND payment.id = movement.payment_id
    GROUP BY account.community_id ORDER BY account.community_id
    """
)

OPEN = text(
    """
    SELECT community_id, id, amount, value_on FROM bank_row
    WHERE state IN ('waiting', 'ambiguous', 'unknown') AND value_on <= :day
    UNION ALL
    SELECT movement.community_id, movement.id, movement.amount, movement.value_on
    FROM payment
    JOIN bank_row movement ON movement.community_id = payment.community_id
     AND movement.payment_id = payment.id
    WHERE payment.state = 'reversed' AND movement.value_on <= :day
    ORDER BY 1, 4, 2
    """
)
"""What nobody has decided about, and what the cashier took back."""


@dataclass(frozen=True, slots=True)
class OpenRow:
    """Money in the bank that is in no home's account."""

    id: int
    amount: Money
    value_on: date
    age_days: int


@dataclass(frozen=True, slots=True)
class StatementTotals:
    """A community's bank accounts on a day."""

    community_id: int
    credited: Money
    """What came on the day, by the bank's word."""
    booked: Money
    """What of it is a payment in the books: a transfer, or the slip a cashier booked."""
    ignored: Money
    """What of it staff found to be no home's."""
    open_rows: tuple[OpenRow, ...]
    """What came on this day or before it and is in no home's account, the oldest first."""


def statement_totals(session: Session, day: date) -> list[StatementTotals]:
    """Per community with a bank account, what came on this day in Beijing and what became of it."""
    open_rows: dict[int, list[OpenRow]] = {}
    for row in session.execute(OPEN, {"day": day}):
        age = (day - row.value_on).days
        found = OpenRow(row.id, Money(row.amount), row.value_on, age)
        open_rows.setdefault(row.community_id, []).append(found)
    return [
        StatementTotals(
            community_id=row.community_id,
            credited=Money(int(row.credited)),
            booked=Money(int(row.booked)),
            ignored=Money(int(row.ignored)),
            open_rows=tuple(open_rows.get(row.community_id, ())),
        )
        for row in session.execute(TOTALS, {"day": day})
    ]
