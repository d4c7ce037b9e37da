"""A code at the counter: ordered once, booked when it is paid, and never beside another payment."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from billing.channels.base import ChannelRefused, OrderRequest
from billing.counter_tables import CounterPayment
from billing.errors import Conflict
from billing.money import ZERO, Money
from billing.payment_tables import Payment, PaymentChannel, PaymentState
from handlers.counter_orders import CounterOrder, order_at_counter
from handlers.settlement import make_way
from tests.conftest import MERCHANT
from tests.handlers.pages.conftest import Cashier, House, make_house

__all__ = ["make_house"]


class CodeCashier(Cashier):
    """Offers codes."""

    def __init__(self) -> None:
        super().__init__()
        self.ways |= {PaymentChannel.WECHAT_NATIVE}

    def order(self, request: OrderRequest, now: datetime) -> dict[str, Any]:
        """Accept it as the pages' cashier does; answer with a code."""
        super().order(request, now)
        return {"code_url": f"weixin://wxpay/{request.out_trade_no}"}


@pytest.fixture
def house(make_house: Callable[[str], House]) -> House:
    """李先生's home, three months behind, where codes are offered."""
    house = make_house("1-1-302")
    house.cashier = CodeCashier()
    house.channels[MERCHANT[0]] = house.cashier
    return house


def show_code(house: House, prepaid: Money = ZERO) -> CounterOrder:
    unit = house.world.unit("1-1-302")
    bills = {bill.id: bill.outstanding for bill in house.unpaid()}
    return order_at_counter(house.services, unit, bills, prepaid)


def state(house: House, order: CounterOrder) -> PaymentState:
    with house.world.database.transaction() as session:
        return session.scalars(
            select(Payment.state).where(Payment.out_trade_no == order.payment.out_trade_no)
        ).one()


def test_a_code_is_for_everything_owed_and_books_when_it_is_paid(house: House) -> None:
    owed = house.owed()
    order = show_code(house, Money(500))
    assert order.code_url == f"weixin://wxpay/{order.payment.out_trade_no}"
    request = house.cashier.orders[order.payment.out_trade_no]
    assert (request.channel, request.amount) == (PaymentChannel.WECHAT_NATIVE, owed + Money(500))
    assert request.payer_openid is None
    assert "1-1-302" not in request.description
    house.cashier.pay(order.payment.out_trade_no)
    assert make_way(house.services, [order.payment])
    assert state(house, order) is PaymentState.CONFIRMED
    assert house.owed() == ZERO
    with house.world.database.transaction() as session:
        assert session.scalars(select(CounterPayment)).all() == []


def test_a_second_code_ends_the_first(house: House) -> None:
    first, second = show_code(house), show_code(house)
    assert state(house, first) is PaymentState.CLOSED
    assert state(house, second) is PaymentState.WAITING


def test_a_refused_order_is_closed(house: House) -> None:
    house.cashier.failure = ChannelRefused("NO_AUTH", "no")
    with pytest.raises(ChannelRefused):
        show_code(house)
    with house.world.database.transaction() as session:
        [kept] = session.scalars(
            select(Payment.state).where(Payment.channel == PaymentChannel.WECHAT_NATIVE)
        )
    assert kept is PaymentState.CLOSED


def test_without_keys_there_is_no_code(house: House) -> None:
    house.channels.clear()
    with pytest.raises(Conflict, match="wechat_native"):
        show_code(house)
