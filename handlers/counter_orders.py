"""A code to pay by at the counter (扫码): prepare → call → record, then shown to who stands there.

Its money comes as every order's: by callback, or because we ask. No shift's cash is touched.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.orm import Session

from billing.channels.base import Channel, ChannelRefused, ChannelUnreachable, OrderRequest
from billing.errors import Conflict
from billing.merchants import MerchantAccount, Provider, find_merchant
from billing.money import Money
from billing.payment_tables import Payment, PaymentChannel
from billing.payments import (
    ORDER_LIFE,
    InFlight,
    new_out_trade_no,
    prepare,
    record_call,
    record_closed,
    record_unknown,
)
from billing.privacy import mask_room
from billing.property import Community, Unit
from handlers.services import Services
from handlers.settlement import make_way

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class CounterOrder:
    """An order that waits for whoever scans `code_url`."""

    payment: Payment
    code_url: str


def alone(services: Services, act: Callable[[Session], Result]) -> Result:
    """Run `act` in a transaction; payments in flight for its bills are ended first, once.

    Raises:
        InFlight: one of them cannot be ended now.
        whatever `act` refuses.
    """
    try:
        with services.database.transaction() as session:
            return act(session)
    except InFlight as busy:
        if not make_way(services, busy.payments):
            raise
    with services.database.transaction() as session:
        return act(session)


def order_at_counter(
    services: Services, unit: Unit, designated: Mapping[int, Money], prepaid: Money
) -> CounterOrder:
    """Order a payment that anybody may make by scanning the code.

    Raises:
        Conflict: nobody collects by code for the community, or the order was overtaken.
        InFlight: an open payment of these bills cannot be ended now.
        InvalidInput, NotFound: as `payments.prepare`.
        ChannelError: the provider refused, or gave no answer.
    """
    with services.database.transaction() as session:
        community = session.get_one(Community, unit.community_id)
        merchant = find_merchant(session, unit.community_id, Provider.WECHAT_PAY)
    channel = services.channels.get(merchant.code) if merchant else None
    way = PaymentChannel.WECHAT_NATIVE
    if merchant is None or channel is None or way not in channel.ways:
        raise Conflict(f"{community.code} does not collect by {way.value}: no merchant account")
    out_trade_no = new_out_trade_no()

    def begin(session: Session) -> Payment:
        return prepare(
            session,
            community_id=unit.community_id,
            unit_id=unit.id,
            channel=way,
            merchant_id=merchant.id,
            payer_id=None,
            designated=designated,
            prepaid=prepaid,
            out_trade_no=out_trade_no,
            now=services.clock(),
        )

    payment = alone(services, begin)
    text = services.text.get_template("pages/order_description.txt").render(
        community=community.name, room=mask_room(unit.room)
    )
    return _call(services, channel, merchant, payment, text.strip())


def _call(
    services: Services,
    channel: Channel,
    merchant: MerchantAccount,
    payment: Payment,
    description: str,
) -> CounterOrder:
    wish = OrderRequest(
        out_trade_no=payment.out_trade_no,
        channel=payment.channel,
        description=description,
        amount=payment.amount,
        notify_url=services.callback_url(merchant),
        expires_at=payment.prepared_at + ORDER_LIFE,
    )
    try:
        call = channel.order(wish, services.clock())
    except ChannelUnreachable:
        with services.database.transaction() as session:
            record_unknown(session, payment)
        raise
    except ChannelRefused:
        with services.database.transaction() as session:
            record_closed(session, payment, services.clock())
        raise
    with services.database.transaction() as session:
        may_be_offered = record_call(session, payment, call)
    if not may_be_offered:
        make_way(services, [payment])
        raise Conflict(f"order {payment.out_trade_no} was overtaken by another payment")
    return CounterOrder(payment, str(call["code_url"]))
