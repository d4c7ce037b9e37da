"""Prepayments pay bills (预存抵扣): new ones when they are issued, old ones on demand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import CTE, Insert, Select, exists, func, insert, literal, select, text
from sqlalchemy.orm import Session

from billing.adjustment_tables import is_void
from billing.bill_lines import adjusted_on, discounted_on, paid_on
from billing.bills import Bill, BillLine, LineKind
from billing.booking import book
from billing.closing import first_open_day
from billing.facts import FactKind, mark_recorded
from billing.ledger import Account, EntryKind, FixedAccount, Posting
from billing.money import ZERO, Money
from billing.owed_lines import is_of_former_owner, list_own_unpaid
from billing.payment_tables import Payment, PaymentAllocation, PaymentChannel, PaymentState
from billing.payments import PREPAID_PREFIX, lock_home, lock_homes, refuse_in_flight
from billing.prepayments import AutoDeduction, balance


@dataclass(frozen=True, slots=True)
class Deducted:
    """What prepayments paid: how many bills, how much."""

    bills: int
    amount: Money


NOTHING = Deducted(0, ZERO)

BOOK_DEDUCTIONS = [
    text(statement)
    for statement in (
        """
        INSERT INTO journal_entry (community_id, kind, idempotency_key, source_id, effective_on,
                                   posted_at, postings, total)
        SELECT community_id, :entry_kind, 'payment:' || out_trade_no, id, :posted_on, :now, 2,
               amount
        FROM payment WHERE community_id = :community_id AND id = ANY(:payment_ids)
        ORDER BY id
        """,
        """
        INSERT INTO posting (community_id, entry_id, no, account_id, unit_id, bill_id,
                             debit, credit)
        SELECT payment.community_id, entry.id, side.no, account.id, payment.unit_id,
               CASE WHEN side.no = 2 THEN part.bill_id END,
               CASE WHEN side.no = 1 THEN payment.amount ELSE 0 END,
               CASE WHEN side.no = 2 THEN payment.amount ELSE 0 END
        FROM payment
        JOIN (SELECT DISTINCT payment_id, bill_id FROM payment_allocation
              WHERE community_id = :community_id AND payment_id = ANY(:payment_ids)) part
          ON part.payment_id = payment.id
        JOIN journal_entry entry ON entry.community_id = payment.community_id
         AND entry.idempotency_key = 'payment:' || payment.out_trade_no
        CROSS JOIN (VALUES (1, :prepayments), (2, :receivable)) AS side(no, code)
        JOIN account ON account.community_id = payment.community_id AND account.code = side.code
        WHERE payment.community_id = :community_id AND payment.id = ANY(:payment_ids)
        """,
        """
        INSERT INTO fact (community_id, kind, unit_id, ref_id, amount, data, at)
        SELECT community_id, :fact_kind, unit_id, id, amount, '{}', :now
        FROM payment WHERE community_id = :community_id AND id = ANY(:payment_ids)
        ORDER BY id
        """,
    )
]


def deduct_chunk(
    session: Session,
    community_id: int,
    run_id: int,
    chunk_no: int,
    *,
    today: date,
    now: datetime,
) -> Deducted:
    """Pay the bills of an issued chunk from the prepayments of homes that wish it, set-wise.

    A home pays the items it chose, in the order of the lines, as far as its money goes, but nothing
    of bills that a former owner owes at least a part of. One
    payment per bill, without receipt: that was given when the money came. Called again it pays
    nothing: a bill is deducted once when it is issued, later money is used by `deduct_home`.
    Homes without prepayment cost one look-up together.
    """
    homes = _homes_that_prepaid(session, community_id, run_id, chunk_no)
    if not homes:
        return NOTHING
    # What they have and owe must not change between reading and booking.
    lock_homes(session, community_id, homes)
    part = _parts(community_id, run_id, chunk_no, homes)
    paid = session.execute(_write_parts(part, community_id, today, now)).all()
    if not paid:
        return NOTHING
    payment_ids = sorted({row.payment_id for row in paid})
    parameters = {
        "community_id": community_id,
        "payment_ids": payment_ids,
        "posted_on": first_open_day(session, community_id, today),
        "now": now,
        "entry_kind": EntryKind.PAYMENT.value,
        "prepayments": FixedAccount.PREPAYMENTS.value,
        "receivable": FixedAccount.RECEIVABLE.value,
        "fact_kind": FactKind.PREPAID_USED.value,
    }
    for statement in BOOK_DEDUCTIONS:
        session.execute(statement, parameters)
    mark_recorded(session)
    return Deducted(len(payment_ids), sum((row.amount for row in paid), ZERO))


def _prepaid(community_id: int) -> Select[int | None, Money]:
    """What homes have with us: (unit_id, money), narrowed by the caller."""
    return (
        select(Posting.unit_id, func.sum(Posting.credit - Posting.debit).label("money"))
        .join(
            Account,
            (Account.community_id == Posting.community_id) & (Account.id == Posting.account_id),
        )
        .where(
            Posting.community_id == community_id,
            Account.code == FixedAccount.PREPAYMENTS,
        )
        .group_by(Posting.unit_id)
        .having(func.sum(Posting.credit - Posting.debit) > 0)
    )


def _homes_that_prepaid(
    session: Session, community_id: int, run_id: int, chunk_no: int
) -> Sequence[int]:
    willing = (
        select(Bill.unit_id)
        .join(
            AutoDeduction,
            (AutoDeduction.community_id == Bill.community_id)
            & (AutoDeduction.unit_id == Bill.unit_id),
        )
        .where(Bill.community_id == community_id, Bill.run_id == run_id, Bill.chunk_no == chunk_no)
    )
    query = _prepaid(community_id).where(Posting.unit_id.in_(willing))
    return [row.unit_id for row in session.execute(query)]


def _parts(community_id: int, run_id: int, chunk_no: int, homes: Sequence[int]) -> CTE:
    """What each line gets: (unit_id, bill_id, line_id, amount)."""
    number = func.concat(PREPAID_PREFIX, Bill.id)
    payable = BillLine.amount + discounted_on(BillLine) + adjusted_on(BillLine) - paid_on(BillLine)
    owed = (
        select(
            Bill.unit_id,
            Bill.id.label("bill_id"),
            BillLine.id.label("line_id"),
            payable.label("payable"),
        )
        .join(
            BillLine,
            (BillLine.community_id == Bill.community_id) & (BillLine.bill_id == Bill.id),
        )
        .join(
            AutoDeduction,
            (AutoDeduction.community_id == Bill.community_id)
            & (AutoDeduction.unit_id == Bill.unit_id)
            & (AutoDeduction.item_id == BillLine.item_id),
        )
        .where(
            Bill.community_id == community_id,
            Bill.run_id == run_id,
            Bill.chunk_no == chunk_no,
            Bill.unit_id.in_(homes),
            BillLine.kind != LineKind.DISCOUNT,
            ~is_void(Bill.community_id, Bill.id),
            ~is_of_former_owner(),
            ~exists().where(Payment.community_id == community_id, Payment.out_trade_no == number),
        )
        .subquery()
    )
    prepaid = _prepaid(community_id).where(Posting.unit_id.in_(homes)).subquery()
    before = func.sum(owed.c.payable).over(
        partition_by=owed.c.unit_id, order_by=(owed.c.bill_id, owed.c.line_id)
    )
    queue = (
        select(owed, (prepaid.c.money - before + owed.c.payable).label("left"))
        .join(prepaid, prepaid.c.unit_id == owed.c.unit_id)
        .where(owed.c.payable > 0)
        .subquery()
    )
    return (
        select(
            queue.c.unit_id,
            queue.c.bill_id,
            queue.c.line_id,
            func.least(queue.c.payable, queue.c.left).label("amount"),
        )
        .where(queue.c.left > 0)
        .cte("part")
    )


def _write_parts(part: CTE, community_id: int, today: date, now: datetime) -> Insert:
    """One payment per bill and its allocations; one statement, as what is owed is read once."""
    number = func.concat(PREPAID_PREFIX, part.c.bill_id)
    paid = (
        insert(Payment)
        .from_select(
            [
                "community_id",
                "out_trade_no",
                "unit_id",
                "channel",
                "state",
                "amount",
                "prepared_at",
                "confirmed_at",
                "paid_at",
            ],
            select(
                literal(community_id),
                number,
                part.c.unit_id,
                literal(PaymentChannel.PREPAID, Payment.channel.type),
                literal(PaymentState.CONFIRMED, Payment.state.type),
                func.sum(part.c.amount),
                literal(now),
                literal(now),
                literal(now),
            )
            .group_by(part.c.unit_id, part.c.bill_id)
            .order_by(part.c.bill_id),
        )
        .returning(Payment.id, Payment.out_trade_no)
        .cte("paid")
    )
    return (
        insert(PaymentAllocation)
        .from_select(
            ["community_id", "payment_id", "bill_line_id", "bill_id", "amount", "effective_on"],
            select(
                literal(community_id),
                paid.c.id,
                part.c.line_id,
                part.c.bill_id,
                part.c.amount,
                literal(today),
            )
            .join(paid, paid.c.out_trade_no == number)
            .order_by(part.c.line_id),
        )
        .returning(PaymentAllocation.payment_id, PaymentAllocation.amount)
    )


def deduct_home(
    session: Session, community_id: int, unit_id: int, *, now: datetime
) -> Payment | None:
    """Pay what a home's present owners owe from its prepayment, whatever it is for, the oldest
    first; on demand.

    Returns None, and writes nothing, when it owes nothing or has nothing with us. Safe to call
    twice.

    Raises:
        InFlight: one of the bills may be being paid already.
    """
    lock_home(session, community_id, unit_id)
    unpaid = list_own_unpaid(session, community_id, [unit_id])
    owed = sum((bill.outstanding for bill in unpaid), ZERO)
    amount = min(owed, balance(session, community_id, unit_id))
    if amount <= ZERO:
        return None
    refuse_in_flight(session, community_id, unit_id, [bill.id for bill in unpaid])
    used_before = session.scalar(
        select(func.count()).where(
            Payment.community_id == community_id,
            Payment.unit_id == unit_id,
            Payment.channel == PaymentChannel.PREPAID,
        )
    )
    payment = Payment(
        community_id=community_id,
        out_trade_no=f"{PREPAID_PREFIX}U{unit_id}-{(used_before or 0) + 1}",
        unit_id=unit_id,
        channel=PaymentChannel.PREPAID,
        state=PaymentState.CONFIRMED,
        amount=amount,
        prepared_at=now,
        confirmed_at=now,
        paid_at=now,
    )
    session.add(payment)
    session.flush()  # allocations refer to it
    book(session, payment, now)
    return payment
