"""From a provider's word to the books: the only road, and it is walked once per payment.

Whether the word came by callback, by query or by statement makes no difference.
"""

from datetime import datetime
from enum import Enum

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from billing.booking import book
from billing.channels.base import ProviderAnswer, ProviderState
from billing.discrepancies import DiscrepancyKind, record_discrepancy
from billing.errors import NotFound
from billing.merchants import MerchantAccount, ProviderOrder
from billing.payment_tables import BOOKED_STATES, Payment, PaymentChannel, PaymentState
from billing.people import Follower

FIND_ORDER = (
    select(ProviderOrder, Payment)
    .join(
        Payment,
        (Payment.community_id == ProviderOrder.community_id)
        & (Payment.id == ProviderOrder.payment_id),
    )
    .where(
        ProviderOrder.merchant_id == bindparam("merchant_id"),
        ProviderOrder.out_trade_no == bindparam("out_trade_no"),
    )
    .with_for_update(of=Payment, key_share=True)
    .execution_options(populate_existing=True)
)


class Outcome(Enum):
    """What `confirm` did."""

    BOOKED = "booked"
    ALREADY_BOOKED = "already_booked"
    NOT_PAID = "not_paid"
    DISCREPANCY = "discrepancy"


def confirm(
    session: Session, merchant: MerchantAccount, answer: ProviderAnswer, now: datetime
) -> Outcome:
    """Book a payment the provider says was made. Safe to call any number of times, from anywhere.

    An answer about an unknown order, another merchant, amount, currency or payer, or a second
    transaction for a booked number becomes a Discrepancy and moves nothing. Money for a number we
    had closed is booked, as it arrived: for what it was meant for if that is still owed and nobody
    else is paying it, as a prepayment otherwise.
    """
    if answer.state is not ProviderState.PAID:
        return Outcome.NOT_PAID
    found = session.execute(
        FIND_ORDER, {"merchant_id": merchant.id, "out_trade_no": answer.out_trade_no}
    ).one_or_none()
    order, payment = found or (None, None)
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
    if payment.state in BOOKED_STATES:
        return Outcome.ALREADY_BOOKED
    if payment.payer_id is None and answer.payer is not None:
        payment.payer_id = session.scalar(
            select(Follower.id).where(Follower.openid == answer.payer)
        )
    order.transaction_id = answer.transaction_id
    payment.state = PaymentState.CONFIRMED
    payment.transaction_id = answer.transaction_id
    payment.confirmed_at = now
    payment.paid_at = answer.paid_at or now
    session.flush()  # the allocations below refer to the confirmed row
    book(session, payment, now)
    return Outcome.BOOKED


def _objection(
    session: Session, merchant: MerchantAccount, payment: Payment | None, answer: ProviderAnswer
) -> DiscrepancyKind | None:
    """Why this answer must not be booked, or None."""
    if answer.mchid != merchant.mchid:
        return DiscrepancyKind.WRONG_MERCHANT
    if answer.currency != "CNY":
        return DiscrepancyKind.WRONG_CURRENCY
    if payment is None:
        return DiscrepancyKind.UNKNOWN_ORDER
    if answer.amount != payment.amount:
        return DiscrepancyKind.WRONG_AMOUNT
    if payment.channel is PaymentChannel.WECHAT_JSAPI and payment.payer_id is not None:
        payer = session.get_one(Follower, payment.payer_id)
        if answer.payer != payer.openid:
            return DiscrepancyKind.WRONG_PAYER
    if payment.state in BOOKED_STATES and payment.transaction_id != answer.transaction_id:
        return DiscrepancyKind.PAID_TWICE
    return None
