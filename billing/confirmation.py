"""From a provider's word to the books: the only road, and it is walked once per payment.

Whether the word came by callback, by query or by statement makes no difference.
"""

from datetime import datetime
from enum import Enum

from sqlalchemy import Text, bindparam, select, text
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from billing.booking import book
from billing.channels.base import ProviderAnswer, ProviderState
from billing.discrepancies import DiscrepancyKind, record_discrepancy
from billing.errors import NotFound
from billing.merchants import MerchantAccount, ProviderOrder
from billing.payment_tables import BOOKED_STATES, Payment, PaymentChannel, PaymentState
from billing.people import Follower

PAYER = bindparam("payer", type_=Text)
FIND_ORDER = (
    select(
        Payment,
        select(Follower.openid).where(Follower.id == Payment.payer_id).scalar_subquery(),
        select(Follower.id)
        .where(Follower.openid == bindparam("payer", type_=Text))
        .scalar_subquery(),
    )
    .join(
        ProviderOrder,
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
"""The payment of an order, who was to pay it, and which follower of ours the provider means."""

RECORD_CONFIRMED = text(
    """
    WITH known AS (
        UPDATE provider_order SET transaction_id = :transaction_id
        WHERE merchant_id = :merchant_id AND out_trade_no = :out_trade_no
    )
    UPDATE payment
    SET state = :state, transaction_id = :transaction_id, confirmed_at = :now, paid_at = :paid_at,
        payer_id = coalesce(payer_id, :payer_id)
    WHERE community_id = :community_id AND id = :payment_id
    """
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
        FIND_ORDER,
        {
            "merchant_id": merchant.id,
            "out_trade_no": answer.out_trade_no,
            "payer": answer.payer,
        },
    ).one_or_none()
    payment, openid, follower_id = found or (None, None, None)
    objection = _objection(merchant, payment, openid, answer)
    if objection is not None:
        record_discrepancy(
            session,
            objection,
            merchant_id=merchant.id,
            community_id=payment.community_id if payment else None,
            out_trade_no=answer.out_trade_no,
            transaction_id=answer.transaction_id,
            data={
                "provider_fen": answer.amount.fen if answer.amount else None,
                "booked_fen": payment.amount.fen if payment else None,
            },
            now=now,
        )
        return Outcome.DISCREPANCY
    if payment is None or answer.transaction_id is None:
        raise NotFound(f"order {answer.out_trade_no} vanished")  # _objection has ruled this out
    if payment.state in BOOKED_STATES:
        return Outcome.ALREADY_BOOKED
    _record_confirmed(session, payment, answer, follower_id, now)
    book(session, payment, now)
    return Outcome.BOOKED


def _record_confirmed(
    session: Session,
    payment: Payment,
    answer: ProviderAnswer,
    follower_id: int | None,
    now: datetime,
) -> None:
    """In one statement, as callbacks come by the hundred; the object is told what it says."""
    after = {
        "state": PaymentState.CONFIRMED,
        "transaction_id": answer.transaction_id,
        "confirmed_at": now,
        "paid_at": answer.paid_at or now,
        "payer_id": payment.payer_id or follower_id,
    }
    session.execute(
        RECORD_CONFIRMED,
        {
            "merchant_id": payment.merchant_id,
            "out_trade_no": payment.out_trade_no,
            "community_id": payment.community_id,
            "payment_id": payment.id,
            "now": now,
            **after,
            "state": PaymentState.CONFIRMED.value,
        },
    )
    for name, value in after.items():
        set_committed_value(payment, name, value)


def _objection(
    merchant: MerchantAccount,
    payment: Payment | None,
    openid: str | None,
    answer: ProviderAnswer,
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
    is_for_one_payer = payment.channel is PaymentChannel.WECHAT_JSAPI and openid is not None
    if is_for_one_payer and answer.payer != openid:
        return DiscrepancyKind.WRONG_PAYER
    if payment.state in BOOKED_STATES and payment.transaction_id != answer.transaction_id:
        return DiscrepancyKind.PAID_TWICE
    return None
