"""Payments: prepare → call the provider → record → confirm, once.

`prepare` writes our number before anybody outside hears of it; the caller then talks to the
channel with no transaction open and records the outcome. `confirm` is the only road from a
provider's word to the books, whether that word came by callback, by query or by statement.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from sqlalchemy import func, insert, or_, select, update
from sqlalchemy.orm import Session

from billing.allocation import Allocation, OpenLine, allocate
from billing.bills import get_bills, list_lines, list_unpaid
from billing.business_day import business_date
from billing.channels.base import ProviderAnswer, ProviderState
from billing.errors import Conflict, InvalidInput, NotFound
from billing.facts import FactKind, record
from billing.ledger import EntryKind, FixedAccount, Leg, post
from billing.merchants import MerchantAccount, ProviderOrder
from billing.money import ZERO, Money
from billing.payment_tables import (
    OPEN_STATES,
    Payment,
    PaymentAllocation,
    PaymentChannel,
    PaymentState,
    PaymentTarget,
    Receipt,
)
from billing.people import Follower
from billing.property import Community, Unit
from billing.reconciliation import DiscrepancyKind, record_discrepancy

ORDER_LIFE = timedelta(hours=2)
"""How long a prepared payment may be paid; afterwards it is closed at the provider."""


class Outcome(Enum):
    """What `confirm` did."""

    BOOKED = "booked"
    ALREADY_BOOKED = "already_booked"
    NOT_PAID = "not_paid"
    DISCREPANCY = "discrepancy"


def new_out_trade_no() -> str:
    """A fresh order number: 28 characters, unguessable, within WeChat's 6–32 of `[0-9A-Za-z_-]`."""
    return "MZ" + secrets.token_hex(13)


def prepare(
    session: Session,
    *,
    community_id: int,
    unit_id: int,
    payer_id: int,
    designated: Mapping[int, Money],
    out_trade_no: str,
    now: datetime,
) -> Payment:
    """Write down a payment that is about to be offered to the payer. Moves nothing.

    Called again with the same number and the same wishes it returns the same payment, so a
    double click orders once.

    Args:
        designated: bill id → amount, each above zero and at most what is owed on the bill now.

    Raises:
        InvalidInput: nothing designated, or more than is owed.
        NotFound: a bill that is not an issued bill of this home.
        Conflict: the number was already used for something else, or is closed or paid.
    """
    community = session.get_one(Community, community_id)
    known = session.scalar(
        select(Payment).where(
            Payment.community_id == community_id, Payment.out_trade_no == out_trade_no
        )
    )
    if known is not None:
        return _same_or_conflict(session, known, unit_id, payer_id, designated)
    _check_designation(session, community_id, unit_id, designated)
    payment_id: int = session.execute(
        insert(Payment)
        .values(
            community_id=community_id,
            merchant_id=community.merchant_id,
            out_trade_no=out_trade_no,
            unit_id=unit_id,
            payer_id=payer_id,
            channel=PaymentChannel.WECHAT_JSAPI,
            state=PaymentState.PREPARED,
            amount=Money(sum(amount.fen for amount in designated.values())),
            prepared_at=now,
        )
        .returning(Payment.id)
    ).scalar_one()
    session.execute(
        insert(ProviderOrder).values(
            merchant_id=community.merchant_id,
            out_trade_no=out_trade_no,
            community_id=community_id,
            payment_id=payment_id,
            created_at=now,
        )
    )
    session.execute(
        insert(PaymentTarget),
        [
            {
                "community_id": community_id,
                "payment_id": payment_id,
                "bill_id": bill_id,
                "amount": amount,
            }
            for bill_id, amount in designated.items()
        ],
    )
    return session.get_one(Payment, (community_id, payment_id))


def _same_or_conflict(
    session: Session,
    payment: Payment,
    unit_id: int,
    payer_id: int,
    designated: Mapping[int, Money],
) -> Payment:
    same = (
        payment.unit_id == unit_id
        and payment.payer_id == payer_id
        and list_targets(session, payment) == dict(designated)
    )
    if not same or payment.state not in OPEN_STATES:
        raise Conflict(f"order number {payment.out_trade_no} was already used")
    return payment


def _check_designation(
    session: Session, community_id: int, unit_id: int, designated: Mapping[int, Money]
) -> None:
    if not designated:
        raise InvalidInput("designated", "nothing to pay")
    for bill in get_bills(session, community_id, designated.keys()):
        if bill.unit_id != unit_id:
            raise NotFound(f"bill {bill.id} does not belong to home {unit_id}")
        wanted = designated[bill.id]
        if wanted <= ZERO or wanted > bill.outstanding:
            raise InvalidInput(
                "amount", f"{wanted.yuan} for bill {bill.id}, which owes {bill.outstanding.yuan}"
            )


def list_targets(session: Session, payment: Payment) -> dict[int, Money]:
    """What the payer designated this payment for: bill id → amount."""
    rows = session.scalars(
        select(PaymentTarget)
        .where(
            PaymentTarget.community_id == payment.community_id,
            PaymentTarget.payment_id == payment.id,
        )
        .order_by(PaymentTarget.bill_id)
    )
    return {row.bill_id: row.amount for row in rows}


def _set_open(session: Session, payment: Payment, state: PaymentState, **values: Any) -> None:
    """Move a payment between open states; one that was confirmed or closed meanwhile stays so."""
    session.execute(
        update(Payment)
        .where(
            Payment.community_id == payment.community_id,
            Payment.id == payment.id,
            Payment.state.in_(OPEN_STATES),
        )
        .values(state=state, **values)
    )


def record_call(session: Session, payment: Payment, call: dict[str, Any]) -> None:
    """The provider accepted the order; `call` is what the payer's phone needs."""
    _set_open(session, payment, PaymentState.WAITING, call=call)


def record_unknown(session: Session, payment: Payment) -> None:
    """The provider gave no trustworthy answer; it will be asked again, never charged again."""
    _set_open(session, payment, PaymentState.UNKNOWN)


def record_asked(session: Session, payment: Payment, now: datetime) -> None:
    """The provider was asked and says the money has not come."""
    session.execute(
        update(Payment)
        .where(Payment.community_id == payment.community_id, Payment.id == payment.id)
        .values(asked_at=now)
    )


def record_closed(session: Session, payment: Payment, now: datetime) -> None:
    """The number can no longer be paid."""
    _set_open(session, payment, PaymentState.CLOSED, closed_at=now)


def list_unsettled(
    session: Session, *, now: datetime, older_than: timedelta, ask_again: timedelta, limit: int
) -> list[Payment]:
    """Open payments the provider should be asked about, oldest first.

    Args:
        older_than: leave alone what was prepared more recently; its callback is on the way.
        ask_again: leave alone what was asked about more recently.
    """
    return list(
        session.scalars(
            select(Payment)
            .where(
                Payment.state.in_(OPEN_STATES),
                Payment.prepared_at < now - older_than,
                or_(Payment.asked_at.is_(None), Payment.asked_at < now - ask_again),
            )
            .order_by(Payment.prepared_at)
            .limit(limit)
        )
    )


def confirm(
    session: Session, merchant: MerchantAccount, answer: ProviderAnswer, now: datetime
) -> Outcome:
    """Book a payment the provider says was made. Safe to call any number of times, from anywhere.

    An answer about an unknown order, another merchant, amount or payer, or a second transaction
    for a booked number becomes a Discrepancy and moves nothing. Money for a number we had closed is
    booked: it arrived.
    """
    if answer.state is not ProviderState.PAID:
        return Outcome.NOT_PAID
    order = session.get(ProviderOrder, (merchant.id, answer.out_trade_no))
    payment = None
    if order is not None:
        payment = session.scalar(
            select(Payment)
            .where(Payment.community_id == order.community_id, Payment.id == order.payment_id)
            .with_for_update()
        )
    objection = _objection(session, merchant, payment, answer)
    if objection is not None:
        record_discrepancy(
            session,
            objection,
            merchant_id=merchant.id,
            community_id=order.community_id if order else None,
            out_trade_no=answer.out_trade_no,
            transaction_id=answer.transaction_id,
            data={
                "provider_fen": answer.amount.fen if answer.amount else None,
                "booked_fen": payment.amount.fen if payment else None,
            },
            now=now,
        )
        return Outcome.DISCREPANCY
    if payment is None or order is None or answer.transaction_id is None:
        raise NotFound(f"order {answer.out_trade_no} vanished")  # _objection has ruled this out
    if payment.state is PaymentState.CONFIRMED:
        return Outcome.ALREADY_BOOKED
    order.transaction_id = answer.transaction_id
    payment.state = PaymentState.CONFIRMED
    payment.transaction_id = answer.transaction_id
    payment.confirmed_at = now
    session.flush()  # the receipt and allocations below refer to the confirmed row
    _book(session, payment, now)
    return Outcome.BOOKED


def _objection(
    session: Session, merchant: MerchantAccount, payment: Payment | None, answer: ProviderAnswer
) -> DiscrepancyKind | None:
    """Why this answer must not be booked, or None."""
    if answer.mchid != merchant.mchid:
        return DiscrepancyKind.WRONG_MERCHANT
    if payment is None:
        return DiscrepancyKind.UNKNOWN_ORDER
    if answer.amount != payment.amount:
        return DiscrepancyKind.WRONG_AMOUNT
    payer = session.get(Follower, payment.payer_id) if payment.payer_id else None
    if payer is not None and answer.payer_openid != payer.openid:
        return DiscrepancyKind.WRONG_PAYER
    if payment.state is PaymentState.CONFIRMED and payment.transaction_id != answer.transaction_id:
        return DiscrepancyKind.PAID_TWICE
    return None


def _book(session: Session, payment: Payment, now: datetime) -> None:
    """Allocate, post, number the receipt and record the fact, all in the caller's transaction."""
    # One payment of a home at a time: what is owed must not change between reading and allocating.
    session.execute(
        select(Unit.id)
        .where(Unit.community_id == payment.community_id, Unit.id == payment.unit_id)
        .with_for_update(key_share=True)
    )
    allocation = _allocate_to_open_lines(session, payment)
    if allocation.parts:
        session.execute(
            insert(PaymentAllocation),
            [
                {
                    "community_id": payment.community_id,
                    "payment_id": payment.id,
                    "bill_line_id": part.line_id,
                    "bill_id": part.bill_id,
                    "amount": part.amount,
                }
                for part in allocation.parts
            ],
        )
    post(
        session,
        payment.community_id,
        kind=EntryKind.PAYMENT,
        key=f"payment:{payment.out_trade_no}",
        source_id=payment.id,
        effective_on=business_date(now),
        now=now,
        legs=_payment_legs(payment, allocation),
    )
    receipt = _issue_receipt(session, payment, now)
    record(
        session,
        FactKind.PAYMENT_CONFIRMED,
        community_id=payment.community_id,
        unit_id=payment.unit_id,
        ref_id=payment.id,
        amount=payment.amount,
        at=now,
        data={"receipt": f"{receipt.year}-{receipt.no:06d}", "payer_id": payment.payer_id},
    )


def _allocate_to_open_lines(session: Session, payment: Payment) -> Allocation:
    designated = list_targets(session, payment)
    bills = list_unpaid(session, payment.community_id, [payment.unit_id])
    lines = list_lines(session, payment.community_id, [bill.id for bill in bills])
    rank = {bill.id: position for position, bill in enumerate(bills)}
    lines.sort(key=lambda line: (rank[line.bill_id], line.id))
    open_lines = [
        OpenLine(line.bill_id, line.id, line.outstanding)
        for line in lines
        if line.outstanding > ZERO
    ]
    return allocate(payment.amount, designated, open_lines)


def _payment_legs(payment: Payment, allocation: Allocation) -> list[Leg]:
    legs = [Leg(FixedAccount.WECHAT_CLEARING, debit=payment.amount)]
    legs += [
        Leg(FixedAccount.RECEIVABLE, credit=amount, unit_id=payment.unit_id, bill_id=bill_id)
        for bill_id, amount in allocation.per_bill().items()
    ]
    if allocation.remainder > ZERO:
        legs.append(
            Leg(FixedAccount.PREPAYMENTS, credit=allocation.remainder, unit_id=payment.unit_id)
        )
    return legs


def _issue_receipt(session: Session, payment: Payment, now: datetime) -> Receipt:
    """Number the receipt: next of the community and year, without gaps."""
    # The community row serialises numbering; held only until this short transaction ends.
    session.execute(
        select(Community.id)
        .where(Community.id == payment.community_id)
        .with_for_update(key_share=True)
    )
    year = business_date(now).year
    last: int | None = session.scalar(
        select(func.max(Receipt.no)).where(
            Receipt.community_id == payment.community_id, Receipt.year == year
        )
    )
    receipt = Receipt(
        community_id=payment.community_id,
        year=year,
        no=(last or 0) + 1,
        payment_id=payment.id,
        issued_at=now,
    )
    session.add(receipt)
    return receipt


def list_confirmed(
    session: Session, community_id: int, unit_ids: list[int], *, limit: int
) -> list[tuple[Payment, Receipt]]:
    """Payments that arrived for these homes with their receipts, latest first."""
    rows = session.execute(
        select(Payment, Receipt)
        .join(
            Receipt,
            (Receipt.community_id == Payment.community_id) & (Receipt.payment_id == Payment.id),
        )
        .where(
            Payment.community_id == community_id,
            Payment.unit_id.in_(unit_ids),
            Payment.state == PaymentState.CONFIRMED,
        )
        .order_by(Payment.confirmed_at.desc(), Payment.id.desc())
        .limit(limit)
    )
    return [(payment, receipt) for payment, receipt in rows]
