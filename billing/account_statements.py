"""The statement of account of a home (对账单): every booking of some days with what was owed then.

What a home owes is its receivable less its prepayment. Deposits are somebody else's matter and are
left out (`deposits`).
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Select, and_, func, select, type_coerce
from sqlalchemy.orm import Session

from billing.bills import Bill
from billing.db import MoneyColumn
from billing.ledger import Account, EntryKind, FixedAccount, JournalEntry, Posting
from billing.money import ZERO, Money
from billing.payment_tables import Payment, PaymentChannel
from billing.period import Period

ACCOUNTS = (FixedAccount.RECEIVABLE, FixedAccount.PREPAYMENTS)


@dataclass(frozen=True, slots=True)
class Booking:
    """An entry of the journal as it changed what a home owes, fen.

    Attributes:
        period: of the bill it is about; None where it is about none or several.
        charged: added to what is owed.
        credited: taken off; of a bill that was paid from the prepayment both are its amount.
        balance: owed after it; negative: the home has money with us.
        channel, number: of the payment, if it is one.
    """

    key: int
    on: date
    kind: EntryKind
    period: Period | None
    channel: PaymentChannel | None
    number: str | None
    charged: Money
    credited: Money
    balance: Money


@dataclass(frozen=True, slots=True)
class Statement:
    """Bookings of the days `[start, end)` between two balances."""

    start: date
    end: date
    opening: Money
    bookings: list[Booking]

    @property
    def charged(self) -> Money:
        """Everything that was added."""
        return sum((one.charged for one in self.bookings), ZERO)

    @property
    def credited(self) -> Money:
        """Everything that was taken off."""
        return sum((one.credited for one in self.bookings), ZERO)

    @property
    def closing(self) -> Money:
        """What was owed in the end."""
        return self.opening + self.charged - self.credited


def statement_rows(community_id: int, unit_id: int) -> Select[Any]:
    """SELECT of every booking of a home, in order, with the running balance."""
    period = select(func.min(Bill.period)).where(
        Bill.community_id == community_id,
        Bill.id == func.min(Posting.bill_id),
        func.min(Posting.bill_id) == func.max(Posting.bill_id),
    )
    change = func.sum(Posting.debit - Posting.credit)
    order = (JournalEntry.effective_on, JournalEntry.id)
    return (
        select(
            JournalEntry.id.label("key"),
            JournalEntry.effective_on.label("on"),
            JournalEntry.kind,
            period.correlate(Posting).scalar_subquery().label("period"),
            func.min(Payment.channel).label("channel"),
            func.min(Payment.out_trade_no).label("number"),
            type_coerce(func.sum(Posting.debit), MoneyColumn()).label("charged"),
            type_coerce(func.sum(Posting.credit), MoneyColumn()).label("credited"),
            type_coerce(func.sum(change).over(order_by=order), MoneyColumn()).label("balance"),
        )
        .join_from(
            Posting,
            JournalEntry,
            (JournalEntry.community_id == Posting.community_id)
            & (JournalEntry.id == Posting.entry_id),
        )
        .join(
            Account,
            (Account.community_id == Posting.community_id) & (Account.id == Posting.account_id),
        )
        .outerjoin(
            Payment,
            and_(
                JournalEntry.kind == EntryKind.PAYMENT,
                Payment.community_id == JournalEntry.community_id,
                Payment.id == JournalEntry.source_id,
            ),
        )
        .where(
            Posting.community_id == community_id,
            Posting.unit_id == unit_id,
            Account.code.in_(ACCOUNTS),
        )
        .group_by(JournalEntry.community_id, JournalEntry.id)
        .order_by(*order)
    )


def read_statement(
    session: Session, community_id: int, unit_id: int, *, start: date, end: date
) -> Statement:
    """The statement of a home for the days `[start, end)`, by the day that counts and then as they
    were posted.
    """
    rows = [
        Booking(**row) for row in session.execute(statement_rows(community_id, unit_id)).mappings()
    ]
    before = [one for one in rows if one.on < start]
    return Statement(
        start=start,
        end=end,
        opening=before[-1].balance if before else ZERO,
        bookings=[one for one in rows if start <= one.on < end],
    )
