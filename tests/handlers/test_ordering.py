"""An order that two clicks make at once: what one of them learns does not undo the other."""

from datetime import datetime
from typing import Any

import pytest

from billing.channels.base import ChannelRefused, OrderRequest
from billing.payment_tables import PaymentState
from handlers.ordering import order
from tests.conftest import MERCHANT
from tests.desk import Desk
from tests.pretend_channel import PretendChannel


class RefusesTheSecond(PretendChannel):
    """Takes an order once."""

    def order(self, request: OrderRequest, now: datetime) -> dict[str, Any]:
        """Accept it, or refuse a repetition."""
        if "order" in self.calls:
            raise ChannelRefused("INVALID_REQUEST", "ordered otherwise")
        self.calls.append("order")
        return {"code_url": "weixin://"}


def test_a_click_that_is_refused_does_not_close_what_the_other_ordered(desk: Desk) -> None:
    channel = RefusesTheSecond(lambda: desk.now)
    services = desk.with_channels({MERCHANT[0]: channel})
    payment = desk.offered()
    with desk.world.database.transaction() as session:
        merchant = desk.merchant(session)
    order(services, payment, merchant, description="物业费")
    assert desk.state(payment) is PaymentState.WAITING
    with pytest.raises(ChannelRefused):  # as it was read before the first was answered
        order(services, payment, merchant, description="物业费")
    assert desk.state(payment) is PaymentState.WAITING


def test_an_order_that_is_refused_is_closed(desk: Desk) -> None:
    channel = RefusesTheSecond(lambda: desk.now, calls=["order"])
    services = desk.with_channels({MERCHANT[0]: channel})
    payment = desk.offered()
    with desk.world.database.transaction() as session:
        merchant = desk.merchant(session)
    with pytest.raises(ChannelRefused):
        order(services, payment, merchant, description="物业费")
    assert desk.state(payment) is PaymentState.CLOSED
