"""Paying: one form, one order, whatever people press; and every way a form can be wrong."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from billing.channels.base import ChannelRefused, ChannelUnreachable
from billing.money import Money
from billing.payment_tables import PaymentState
from billing.payments import ORDER_LIFE, list_targets, new_out_trade_no
from handlers.pages.tokens import order_token
from notify.links import BillRef, HomeRef
from notify.wording import yuan
from tests.handlers.pages.conftest import BASE_URL, Browser, House
from tests.handlers.pages.reading import Fields, Page


def home_form(house: House, browser: Browser) -> Fields:
    return browser.get(f"/o/home/{house.token}").form("/o/pay")


def targets(house: House) -> dict[int, Money]:
    with house.world.database.transaction() as session:
        return list_targets(session, house.payments()[-1])


def assert_refused(house: House, page: Page, sentence: str) -> None:
    assert page.status == 422
    assert page.shows(sentence, "现在没有扣款")
    assert page.has_form("/o/pay")
    assert house.payments() == []
    assert house.cashier.orders == {}


def test_the_cashier_page_carries_what_wechat_needs(house: House, owner: Browser) -> None:
    page = owner.post("/o/pay", home_form(house, owner))
    assert page.status == 200
    assert page.shows(f"¥{yuan(house.owed())}", "立即支付")
    [payment] = house.payments()
    call = json.loads(page.attribute("//main[@id='cashier']/@data-jsapi"))
    assert call == payment.call
    assert call["package"] == f"prepay_id={payment.out_trade_no}"
    assert page.attribute("//main/@data-return").startswith("/o/paid/")


def test_the_order_says_what_the_merchant_collects(house: House, owner: Browser) -> None:
    owner.post("/o/pay", home_form(house, owner))
    [order] = house.cashier.orders.values()
    assert order.amount == house.owed()
    assert order.payer_openid == "o-owner"
    assert order.notify_url == f"{BASE_URL}/callbacks/wechat_pay/HYPM"
    assert order.expires_at == house.clock() + ORDER_LIFE
    assert "花园小区" in order.description
    assert "1-1-302" not in order.description


def test_a_double_click_orders_once(house: House, owner: Browser) -> None:
    form = home_form(house, owner)
    first, second = owner.post("/o/pay", form), owner.post("/o/pay", form)
    jsapi = "//main/@data-jsapi"
    assert first.attribute(jsapi) == second.attribute(jsapi)
    assert house.cashier.order_calls == 1
    assert len(house.payments()) == 1


def test_two_clicks_at_once_make_one_payment(house: House, owner: Browser) -> None:
    form = home_form(house, owner)
    cookie = owner.client.get_cookie("session")
    assert cookie is not None

    def click(_: int) -> int:
        phone = house.phone("o-owner")
        phone.client.set_cookie("session", cookie.value)
        return phone.post("/o/pay", form).status

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(click, range(4))) == [200] * 4
    assert len(house.payments()) == 1
    assert len(house.cashier.orders) == 1


def test_paying_part_of_it_pays_the_oldest_bill_first(house: House, owner: Browser) -> None:
    oldest, second, *_ = house.unpaid()
    part = oldest.outstanding + Money(1)
    owner.post("/o/pay", home_form(house, owner) | {"amount": part.yuan})
    assert targets(house) == {oldest.id: oldest.outstanding, second.id: Money(1)}


def test_chosen_bills_are_paid_and_no_others(house: House, owner: Browser) -> None:
    newest = house.unpaid()[-1]
    token = house.services.links.bill_token(BillRef(newest.community_id, newest.id))
    owner.post("/o/pay", home_form(house, owner) | {"bill": [token], "amount": ""})
    assert targets(house) == {newest.id: newest.outstanding}


def test_a_bill_is_paid_from_its_own_page(house: House, owner: Browser) -> None:
    newest = house.unpaid()[-1]
    token = house.services.links.bill_token(BillRef(newest.community_id, newest.id))
    owner.post("/o/pay", owner.get(f"/o/bill/{token}").form("/o/pay"))
    assert targets(house) == {newest.id: newest.outstanding}


def test_a_stranger_pays_everything_and_learns_nothing(house: House, stranger: Browser) -> None:
    page = stranger.post("/o/pay", home_form(house, stranger))
    assert page.shows(f"¥{yuan(house.owed())}", "1-1-**2")
    assert page.hides("1-1-302", "物业费</")
    assert house.cashier.orders[house.payments()[0].out_trade_no].payer_openid == "o-stranger"
    assert sum(part.fen for part in targets(house).values()) == house.owed().fen


@pytest.mark.parametrize("amount", ["1.00", "", "9999"])
def test_a_stranger_cannot_choose_the_amount(house: House, stranger: Browser, amount: str) -> None:
    page = stranger.post("/o/pay", home_form(house, stranger) | {"amount": amount})
    assert_refused(house, page, "账单刚刚有变化")
    assert page.hides("1-1-302")


@pytest.mark.parametrize(
    ("amount", "sentence"),
    [
        ("abc", "请用数字填写"),
        ("0", "需要大于0元"),
        ("-5", "需要大于0元"),
        ("1.234", "最多两位小数"),
        ("999999", "一次最多预存 100,000.00 元"),
    ],
)
def test_a_wrong_amount_gets_a_sentence_and_the_form_again(
    house: House, owner: Browser, amount: str, sentence: str
) -> None:
    page = owner.post("/o/pay", home_form(house, owner) | {"amount": amount})
    assert_refused(house, page, sentence)
    assert page.form("/o/pay")["amount"] == house.owed().yuan


def test_choosing_nothing_gets_a_sentence(house: House, owner: Browser) -> None:
    form = home_form(house, owner)
    del form["bill"]
    assert_refused(house, owner.post("/o/pay", form), "请至少选择一张账单")


def test_an_unticked_bill_stays_unticked_when_the_form_comes_back(
    house: House, owner: Browser
) -> None:
    form = home_form(house, owner)
    tokens = list(form["bill"])
    page = owner.post("/o/pay", form | {"bill": tokens[:1]})
    assert_refused(house, page, "已改成合计金额")
    assert page.form("/o/pay")["bill"] == tokens[0]
    assert page.form("/o/pay")["amount"] == house.unpaid()[0].outstanding.yuan


def test_the_bill_of_another_home_is_not_paid_from_here(house: House, owner: Browser) -> None:
    other = house.world.unit("1-2-602").id
    mine, house.unit_id = house.unit_id, other
    [*_, foreign] = house.unpaid()
    house.unit_id = mine
    token = house.services.links.bill_token(BillRef(foreign.community_id, foreign.id))
    page = owner.post("/o/pay", home_form(house, owner) | {"bill": [token], "amount": ""})
    assert_refused(house, page, "账单刚刚有变化")


def test_bills_paid_meanwhile_are_not_paid_again(house: House, owner: Browser) -> None:
    form = home_form(house, owner)
    house.settle_everything()
    before = len(house.payments())
    page = owner.post("/o/pay", form)
    assert page.status == 422
    assert page.shows("账单都缴清了")
    assert len(house.payments()) == before


def test_a_form_sent_again_after_paying_shows_the_result(house: House, owner: Browser) -> None:
    form = home_form(house, owner)
    owner.post("/o/pay", form)
    house.cashier.pay(house.payments()[0].out_trade_no)
    owner.get(owner.post("/o/pay", form).attribute("//main/@data-return"))
    page = owner.post("/o/pay", form)
    assert page.path.startswith("/o/paid/")
    assert page.shows("已到账")
    assert house.cashier.order_calls == 1


def test_a_form_with_other_wishes_needs_a_new_order(house: House, owner: Browser) -> None:
    form = home_form(house, owner)
    owner.post("/o/pay", form)
    page = owner.post("/o/pay", form | {"amount": "1.00"})
    assert page.status == 422
    assert page.shows("缴费内容有改动")
    assert page.form("/o/pay")["order"] != form["order"]
    assert len(house.payments()) == 1


def test_an_order_past_its_life_is_not_offered_again(house: House, owner: Browser) -> None:
    form = home_form(house, owner)
    owner.post("/o/pay", form)
    house.clock.forward(ORDER_LIFE + timedelta(seconds=1))
    page = owner.post("/o/pay", form)
    assert page.shows("这一笔已关闭", "没有收到付款")
    assert house.payments()[0].state is PaymentState.CLOSED


def test_order_numbers_come_from_us_for_this_viewer_and_home(
    house: House, owner: Browser, stranger: Browser
) -> None:
    ref = HomeRef(house.world.community.id, house.unit_id)
    elsewhere = HomeRef(house.world.community.id, house.world.unit("3-2-501").id)
    with house.app.test_request_context():
        forged = [
            new_out_trade_no(),
            order_token(new_out_trade_no(), "o-stranger", ref),
            order_token(new_out_trade_no(), "o-owner", elsewhere),
            "",
        ]
    for order in forged:
        page = owner.post("/o/pay", home_form(house, owner) | {"order": order})
        assert page.status == 400
        assert page.shows("这一页放得太久了", "没有扣款")
    assert house.payments() == []


def test_tampered_tokens_pay_nothing(house: House, owner: Browser) -> None:
    form = home_form(house, owner)
    assert owner.post("/o/pay", form | {"home": "x" + str(form["home"])}).status == 404
    assert owner.post("/o/pay", form | {"bill": ["x"]}).status == 400
    assert house.payments() == []


def test_a_form_without_its_csrf_token_pays_nothing(house: House, owner: Browser) -> None:
    for token in ("", "stale"):
        page = owner.post("/o/pay", home_form(house, owner) | {"csrf_token": token})
        assert page.status == 400
        assert page.shows("没有扣款")
    assert house.payments() == []


def test_a_form_of_an_expired_session_pays_nothing(house: House, owner: Browser) -> None:
    form = home_form(house, owner)
    house.clock.forward(timedelta(hours=13))
    page = owner.post("/o/pay", form)
    assert page.status == 403
    assert page.shows("请重新进入", "没有扣款")
    assert house.payments() == []


def test_when_wechat_pay_is_silent_the_same_order_is_tried_again(
    house: House, owner: Browser
) -> None:
    house.cashier.failure = ChannelUnreachable("time-out")
    page = owner.post("/o/pay", home_form(house, owner))
    assert page.status == 503
    assert page.shows("微信支付暂时没有回应", "没有扣款")
    assert [payment.state for payment in house.payments()] == [PaymentState.UNKNOWN]
    house.cashier.failure = None
    house.clock.forward(timedelta(minutes=2))
    again = owner.post("/o/pay", page.form("/o/pay"))
    assert again.shows("立即支付")
    assert [payment.state for payment in house.payments()] == [PaymentState.WAITING]


def test_when_wechat_pay_refuses_the_payment_is_closed(house: House, owner: Browser) -> None:
    house.cashier.failure = ChannelRefused("PARAM_ERROR", "no")
    page = owner.post("/o/pay", home_form(house, owner))
    assert page.status == 409
    assert page.shows("没有扣款")
    assert [payment.state for payment in house.payments()] == [PaymentState.CLOSED]


def test_a_refusal_after_silence_leaves_the_payment_to_be_asked_about(
    house: House, owner: Browser
) -> None:
    house.cashier.failure = ChannelUnreachable("time-out")
    page = owner.post("/o/pay", home_form(house, owner))
    house.cashier.failure = ChannelRefused("ORDERPAID", "paid")
    assert owner.post("/o/pay", page.form("/o/pay")).status == 409
    assert [payment.state for payment in house.payments()] == [PaymentState.UNKNOWN]


def test_the_home_page_reminds_of_a_payment_without_result(house: House, owner: Browser) -> None:
    owner.post("/o/pay", home_form(house, owner))
    page = owner.get(f"/o/home/{house.token}")
    assert page.shows("还没有结果")
    house.clock.forward(ORDER_LIFE + timedelta(seconds=1))
    assert not owner.get(f"/o/home/{house.token}").shows("还没有结果")


def test_nobody_else_is_reminded_of_it(house: House, owner: Browser, stranger: Browser) -> None:
    owner.post("/o/pay", home_form(house, owner))
    assert not stranger.get(f"/o/home/{house.token}").shows("还没有结果")


def test_a_community_without_a_channel_says_so(house: House, owner: Browser) -> None:
    form = home_form(house, owner)
    house.channels.clear()
    page = owner.post("/o/pay", form)
    assert page.status == 503
    assert page.shows("还没有开通线上缴费")
    assert house.payments() == []
