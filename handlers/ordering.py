"""Ordering a prepared payment from its provider: prepare → call → record, whatever the channel.

The payment is on record before the provider hears of it. No transaction is open while it is asked,
and whatever it says, or does not say, is written down before anything is shown to the payer.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog
from sqlalchemy.orm import Session

from billing.channels.base import ChannelRefused, ChannelUnreachable, OrderRequest
from billing.merchants import MerchantAccount
from billing.payment_tables import Payment, PaymentChannel
from billing.payments import ORDER_LIFE, InFlight, record_call, record_refused, record_unknown
from handlers.services import Services
from handlers.settlement import make_way

CALL_LIFE = {PaymentChannel.WECHAT_H5: timedelta(minutes=4)}
"""How long the answer to an order is used again; WeChat's `h5_url` opens for five minutes."""

PAYER_IP = "payer_ip"

log = structlog.get_logger(__name__)


class Superseded(Exception):
    """The payment was ended while it was being ordered, and must not be offered any more."""


Made = TypeVar("Made")


def alone(services: Services, attempt: Callable[[Session], Made]) -> Made:
    """Run an attempt to prepare a payment, in a transaction of its own; earlier payments of the
    same bills are ended at their provider first.

    Raises:
        InFlight: one of them cannot be ended now.
    """
    try:
        with services.database.transaction() as session:
            return attempt(session)
    except InFlight as busy:
        if not make_way(services, busy.payments):
            raise
    with services.database.transaction() as session:
        return attempt(session)


def order(
    services: Services,
    payment: Payment,
    merchant: MerchantAccount,
    *,
    description: str,
    payer_openid: str | None = None,
    payer_ip: str | None = None,
    return_url: str | None = None,
) -> dict[str, Any]:
    """Register the order with the provider; returns what the payer's browser needs. A payment that
    was ordered before is not ordered again while what the provider gave for it is good.

    Args:
        description: what the provider shows the payer; must be the same in every repetition.

    Raises:
        ChannelUnreachable: no trustworthy answer; recorded as UNKNOWN; trying again is safe.
        ChannelRefused: the provider said no; the payment is closed, unless another try was taken or
            left without an answer: then only the provider can say that it is over.
        Superseded: another payment of the same bills took its place meanwhile.
    """
    if payment.call is not None and not _is_stale(payment, services.clock()):
        return payment.call
    if payment.call is not None:
        payer_ip = payment.call.get(PAYER_IP)  # a repetition differs in no word from the first
    request = OrderRequest(
        out_trade_no=payment.out_trade_no,
        channel=payment.channel,
        description=description,
        amount=payment.amount,
        payer_openid=payer_openid,
        payer_ip=payer_ip,
        return_url=return_url,
        notify_url=services.callback_url(merchant),
        # From the payment, not from now: a repeated order must be identical to the first.
        expires_at=payment.prepared_at + ORDER_LIFE,
    )
    try:
        call = services.channels[merchant.code].order(request, services.clock())
    except ChannelUnreachable as error:
        log.warning("order_unknown", out_trade_no=payment.out_trade_no, reason=str(error))
        with services.database.transaction() as session:
            record_unknown(session, payment)
        raise
    except ChannelRefused as refusal:
        log.warning("order_refused", out_trade_no=payment.out_trade_no, code=refusal.code)
        with services.database.transaction() as session:
            record_refused(session, payment, services.clock())
        raise
    if payment.channel is PaymentChannel.WECHAT_H5:
        call = call | {PAYER_IP: payer_ip}
    with services.database.transaction() as session:
        may_be_offered = record_call(session, payment, call)
    if not may_be_offered:
        make_way(services, [payment])  # what the provider knows of it must not be paid
        raise Superseded(payment.out_trade_no)
    return call


def _is_stale(payment: Payment, now: datetime) -> bool:
    """Whether what the provider gave for the payer may no longer open his cashier."""
    life = CALL_LIFE.get(payment.channel)
    return life is not None and payment.prepared_at + life <= now
