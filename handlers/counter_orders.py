"""A code to pay by at the counter (扫码), shown to who stands there.

Its money comes as every order's: by callback, or because we ask. No shift's cash is touched.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from billing.errors import Conflict
from billing.merchants import Provider, find_merchant
from billing.money import Money
from billing.payment_tables import Payment, PaymentChannel
from billing.payments import new_out_trade_no, prepare
from billing.privacy import mask_room
from billing.property import Community, Unit
from handlers.ordering import Superseded, alone, order
from handlers.services import Services


@dataclass(frozen=True, slots=True)
class CounterOrder:
    """An order that waits for whoever scans `code_url`."""

    payment: Payment
    code_url: str


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
    words = services.text.get_template("pages/order_description.txt").render(
        community=community.name, room=mask_room(unit.room)
    )
    try:
        call = order(services, payment, merchant, description=words.strip())
    except Superseded:
        raise Conflict(f"order {out_trade_no} was overtaken by another payment") from None
    return CounterOrder(payment, str(call["code_url"]))
