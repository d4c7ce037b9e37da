"""Refunds and reconciliation against the real channel and the pretend Alipay on its socket: what
both believe is the same to the fen.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from billing.bindings import see_follower
from billing.channels.base import Channel
from billing.discrepancies import list_discrepancies
from billing.ledger import FixedAccount
from billing.merchants import CommunityMerchant, MerchantAccount
from billing.merchants import Provider as ProviderName
from billing.money import ZERO, Money
from billing.payment_tables import Payment, PaymentChannel, PaymentState
from billing.payments import new_out_trade_no, prepare, record_call
from billing.refund_tables import RefundStage
from handlers.reconciling import reconcile
from handlers.refunding import settle_refunds
from tests.billing.channels.alipay_provider import (
    SELLER_ID,
    AlipayProvider,
    alipay_order,
    running_alipay,
)
from tests.billing.channels.provider import real_now
from tests.desk import Desk

ROOM = "1-1-302"
CODE = "hy-alipay"


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlipayProvider]:
    """In real time; its callbacks find nobody."""
    with running_alipay(tmp_path_factory.mktemp("alipay")) as running:
        yield running


@pytest.fixture
def counter(desk: Desk, provider: AlipayProvider) -> Desk:
    """A desk that takes Alipay, at the provider's hour. The provider keeps the orders of the tests
    before, which these books do not know.
    """
    with desk.world.database.transaction() as session:
        merchant = MerchantAccount(
            code=CODE, provider=ProviderName.ALIPAY, mchid=SELLER_ID, name="支付宝"
        )
        session.add(merchant)
        session.flush()
        session.add(
            CommunityMerchant(
                community_id=desk.here, provider=ProviderName.ALIPAY, merchant_id=merchant.id
            )
        )
    channels: dict[str, Channel] = {CODE: provider.channel()}
    desk.services = replace(desk.services, channels=channels)
    desk.world = replace(desk.world, merchant_id=merchant.id)
    desk.now = real_now()
    return desk


def paid_unheard(desk: Desk, provider: AlipayProvider) -> Payment:
    """A prepayment of 80 yuan that was paid; its callback never came."""
    with desk.world.database.transaction() as session:
        payment = prepare(
            session,
            community_id=desk.here,
            unit_id=desk.world.unit(ROOM).id,
            channel=PaymentChannel.ALIPAY_WAP,
            merchant_id=desk.world.merchant_id,
            payer_id=see_follower(session, "o-payer", desk.now).id,
            designated={},
            prepaid=Money(80_00),
            out_trade_no=new_out_trade_no(),
            now=desk.now,
        )
    call = desk.services.channels[CODE].order(
        alipay_order(payment.out_trade_no, amount=payment.amount), desk.now
    )
    with desk.world.database.transaction() as session:
        record_call(session, payment, call)
    provider.pay(call["redirect_url"])
    return payment


def believed(provider: AlipayProvider, payment: Payment) -> dict[str, Any]:
    """What the provider's ledger says of an order."""
    [row] = [row for row in provider.book.ledger() if row["out_trade_no"] == payment.out_trade_no]
    return row


def test_a_lost_callback_and_a_lost_refund_answer_leave_both_ledgers_equal(
    counter: Desk, provider: AlipayProvider
) -> None:
    payment = paid_unheard(counter, provider)
    [found] = reconcile(counter.services, counter.today)
    assert (found.healed, found.by_statement) == (1, False)
    assert counter.state(payment) is PaymentState.CONFIRMED
    refund = counter.approved(payment, 30_00, release_bills=False)
    provider.faults.add(target="api", mode="errcode", count=1)
    counter.forward(seconds=61)
    assert settle_refunds(counter.services) == {"unreachable": 1}
    assert counter.stage(refund) is RefundStage.UNKNOWN
    counter.forward(seconds=61)
    settle_refunds(counter.services)
    assert counter.stage(refund) is RefundStage.DONE
    row = believed(provider, payment)
    assert (row["paid_fen"], row["refunded_fen"]) == (8000, 3000)
    assert counter.account(FixedAccount.ALIPAY_CLEARING) == Money(50_00)
    assert counter.account(FixedAccount.REFUNDS, ROOM) == ZERO
    assert counter.discrepancies() == []


def test_the_next_morning_s_statement_agrees_with_the_books(
    counter: Desk, provider: AlipayProvider
) -> None:
    day = counter.today
    payment = paid_unheard(counter, provider)
    reconcile(counter.services, day)
    counter.approved(payment, 30_00, release_bills=False)
    counter.forward(seconds=61)
    settle_refunds(counter.services)
    provider.calendar.shift(1)
    try:
        [found] = reconcile(counter.services, day)
        again = reconcile(counter.services, day)
    finally:
        provider.calendar.shift(0)
    assert found.totals is not None
    assert (found.by_statement, found.is_done) == (True, True)
    assert found.totals.booked == Money(80_00)
    assert found.totals.booked_refunded == Money(30_00)
    ours = {payment.out_trade_no}
    with counter.world.database.transaction() as session:
        of_ours = [d for d in list_discrepancies(session) if d.out_trade_no in ours]
    assert of_ours == []
    assert [each.healed for each in again] == [0]
