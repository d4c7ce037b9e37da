"""A refund's end is told once, to the home and to whoever had paid."""

from sqlalchemy import text

from billing.channels.base import RefundAnswer, RefundState
from billing.merchants import MerchantAccount
from billing.payment_tables import Payment
from billing.people import get_staff
from billing.refund_outcomes import record_answer
from billing.refunds import approve_refund, new_out_refund_no, request_refund
from tests.conftest import TODAY
from tests.notify.conftest import Town

ROOM = "3-2-501"
NEWEST = text("SELECT max(id) FROM payment WHERE channel = 'wechat_jsapi'")


def refund(town: Town, state: RefundState) -> None:
    """The newest payment is asked back, and ends so; the provider says it twice."""
    here, now = town.world.community.id, town.clock.now
    with town.world.database.transaction() as session:
        payment = session.get_one(Payment, (here, session.execute(NEWEST).scalar_one()))
        asked = request_refund(
            session,
            here,
            payment.id,
            payment.amount,
            reason="重复缴费",
            release_bills=True,
            by=get_staff(session, "liu"),
            now=now,
            out_refund_no=new_out_refund_no(),
        )
        for login in ("zhao", "chen")[: 1 + (payment.amount.fen > 100_000)]:
            by = get_staff(session, login)
            approve_refund(session, here, asked.id, by=by, today=TODAY, now=now)
        merchant = session.get_one(MerchantAccount, payment.merchant_id)
        for _ in range(2):
            answer = RefundAnswer(
                mchid=merchant.mchid,
                out_trade_no=payment.out_trade_no,
                out_refund_no=asked.out_refund_no,
                state=state,
                amount=payment.amount,
                at=now,
            )
            record_answer(session, merchant, answer, now)


def test_a_refund_is_told_once_to_the_home_and_to_whoever_paid(town: Town) -> None:
    town.bind(ROOM, "Zhang")
    helper = town.bind("1-1-101", "Helper")
    amount = town.pay(ROOM, helper)
    town.notifier.intake()
    town.wechat.shown.clear()
    refund(town, RefundState.DONE)
    town.notifier.intake()
    assert town.notifier.intake()["messages"] == 0
    told = {shown.openid: shown for shown in town.wechat.shown}
    assert sorted(told) == ["oHelper", "oZhang"]
    assert len(town.wechat.shown) == 2
    assert {shown.data["amount2"] for shown in told.values()} == {f"{amount.yuan}元"}
    assert told["oZhang"].data["thing1"] == ROOM
    assert told["oHelper"].data["thing1"] != ROOM


def test_a_refund_that_failed_says_where_the_money_is(town: Town) -> None:
    zhang = town.bind(ROOM, "Zhang")
    town.pay(ROOM, zhang)
    town.notifier.intake()
    town.wechat.shown.clear()
    refund(town, RefundState.CLOSED)
    town.notifier.intake()
    [shown] = town.wechat.shown
    assert shown.data["thing4"] == "退款未成功，已转为预存款"
