"""Money that arrived, or that a home had with us, goes to the books, whatever its channel."""

import json
from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.allocation import Allocation, OpenLine, allocate
from billing.bills import LineKind
from billing.business_day import business_date
from billing.closing import first_open_day
from billing.facts import FactKind, mark_recorded
from billing.ledger import EntryKind, FixedAccount, Leg, post
from billing.money import ZERO, Money
from billing.owed_lines import OwedLine, list_designated_lines, list_owed_lines
from billing.payment_channels import CHANNELS
from billing.payment_tables import Payment
from billing.payments import list_in_flight, list_targets, lock_home
from billing.property import Community


def book(session: Session, payment: Payment, now: datetime) -> Allocation:
    """Allocate a confirmed payment, post it, ask for its receipt and record the fact.

    The money belongs to the day it was paid, as on the provider's statement, however late its word
    came: who paid in time bears no late fee. Where that month was closed meanwhile, the entry alone
    is dated the first open day. The receipt is numbered after this is committed
    (`receipts.number_waiting`). What a prepayment pays has no receipt: it was given when the money
    came. Money that is meant for nothing in particular pays what the present owners owe; the rest
    is a prepayment, whatever a former owner owes.

    Must be called once per payment, in the transaction that confirms it.
    """
    # One payment of a home at a time: what is owed must not change between reading and allocating.
    lock_home(session, payment.community_id, payment.unit_id)
    paid_on = business_date(payment.paid_at or now)
    allocation = _allocate_to_open_lines(session, payment)
    _write_down(session, payment, allocation, paid_on, now)
    post(
        session,
        payment.community_id,
        kind=EntryKind.PAYMENT,
        key=f"payment:{payment.out_trade_no}",
        source_id=payment.id,
        effective_on=first_open_day(session, payment.community_id, paid_on),
        now=now,
        legs=payment_legs(payment, allocation),
    )
    return allocation


WRITE_DOWN = text(
    """
    WITH allocated AS (
        INSERT INTO payment_allocation (community_id, payment_id, bill_line_id, bill_id, amount,
                                        effective_on)
        SELECT :community_id, :payment_id, part.line_id, part.bill_id, part.amount, :effective_on
        FROM unnest(CAST(:line_ids AS bigint[]), CAST(:bill_ids AS bigint[]),
                    CAST(:amounts AS bigint[])) AS part (line_id, bill_id, amount)
    ),
    waiting AS (
        INSERT INTO receipt_waiting (community_id, payment_id)
        SELECT :community_id, :payment_id WHERE :has_receipt
    )
    INSERT INTO fact (community_id, kind, unit_id, ref_id, amount, data, at)
    VALUES (:community_id, :fact_kind, :unit_id, :payment_id, :amount, CAST(:data AS jsonb), :now)
    """
)
"""In one statement, as callbacks come by the hundred: what the money paid, that its receipt is to
be numbered, and the fact that it came.
"""


def _write_down(
    session: Session, payment: Payment, allocation: Allocation, paid_on: date, now: datetime
) -> None:
    has_receipt = CHANNELS[payment.channel].has_receipt
    kind = FactKind.PAYMENT_CONFIRMED if has_receipt else FactKind.PREPAID_USED
    session.execute(
        WRITE_DOWN,
        {
            "community_id": payment.community_id,
            "payment_id": payment.id,
            "line_ids": [part.line_id for part in allocation.parts],
            "bill_ids": [part.bill_id for part in allocation.parts],
            "amounts": [part.amount.fen for part in allocation.parts],
            "effective_on": paid_on,
            "has_receipt": has_receipt,
            "fact_kind": kind.value,
            "unit_id": payment.unit_id,
            "amount": payment.amount.fen,
            "data": json.dumps({"payer_id": payment.payer_id} if has_receipt else {}),
            "now": now,
        },
    )
    mark_recorded(session)


def _allocate_to_open_lines(session: Session, payment: Payment) -> Allocation:
    designated: dict[int, Money] | None = None
    if payment.is_designated:
        owed, designated = list_designated_lines(session, payment)
        _leave_to_others(session, payment, designated)
    else:
        owed = list_owed_lines(session, payment.community_id, [payment.unit_id])
    late_fees_first = any(line.kind is LineKind.LATE_FEE for line in owed) and late_fees_go_first(
        session, payment.community_id
    )
    return allocate(payment.amount, designated, in_order(owed, late_fees_first=late_fees_first))


def in_order(owed: Sequence[OwedLine], *, late_fees_first: bool) -> list[OpenLine]:
    """What is owed, in the order in which money pays it: late fees first or last, else as given."""
    late_fee_rank = -1 if late_fees_first else 1
    ordered = sorted(owed, key=lambda line: late_fee_rank if line.kind is LineKind.LATE_FEE else 0)
    return [OpenLine(line.bill_id, line.line_id, line.outstanding) for line in ordered]


def _leave_to_others(session: Session, payment: Payment, designated: dict[int, Money]) -> None:
    """What somebody else is paying meanwhile, because this number had been closed, is left to
    him.
    """
    if payment.closed_at is None:
        return
    for other in list_in_flight(session, payment.community_id, payment.unit_id, designated):
        for bill_id in list_targets(session, other):
            designated.pop(bill_id, None)


def late_fees_go_first(session: Session, community_id: int) -> bool:
    """民法典 561 puts interest before principal unless agreed otherwise; the community says."""
    return bool(
        session.scalar(select(Community.late_fee_first).where(Community.id == community_id))
    )


def payment_legs(payment: Payment, allocation: Allocation) -> list[Leg]:
    """The two sides of the entry that books a payment."""
    source = CHANNELS[payment.channel].account
    home = payment.unit_id if source is FixedAccount.PREPAYMENTS else None
    legs = [Leg(source, debit=payment.amount, unit_id=home)]
    legs += [
        Leg(FixedAccount.RECEIVABLE, credit=amount, unit_id=payment.unit_id, bill_id=bill_id)
        for bill_id, amount in allocation.per_bill().items()
    ]
    if allocation.remainder > ZERO:
        legs.append(
            Leg(FixedAccount.PREPAYMENTS, credit=allocation.remainder, unit_id=payment.unit_id)
        )
    return legs
