"""Has the money arrived? The result page asks the provider, sparingly, and books once."""

from dataclasses import replace
from datetime import timedelta

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from billing.channels.base import ChannelUnreachable
from billing.payment_tables import PaymentState
from billing.payments import ORDER_LIFE
from notify.wording import yuan
from tests.handlers.pages.conftest import IN_WECHAT, Browser, House, make_app
from tests.handlers.pages.reading import Page

REFRESH = "//meta[@http-equiv='refresh']/@content"


def order(house: House, browser: Browser) -> str:
    """Order everything; returns the path of the result page."""
    form = browser.get(f"/o/home/{house.token}").form("/o/pay")
    return browser.post("/o/pay", form).attribute("//main/@data-return")


def receipt_of(page: Page) -> str:
    [link] = [link for link in page.links() if "/o/receipt/" in link]
    return link


def test_a_payment_is_booked_by_asking_when_no_callback_came(house: House, owner: Browser) -> None:
    owed = house.owed()
    path = order(house, owner)
    house.cashier.pay(house.payments()[0].out_trade_no)
    page = owner.get(path)
    assert page.shows("已到账", f"¥{yuan(owed)}", "收据号", "1-1-302")
    assert house.unpaid() == []
    assert house.payments()[0].state is PaymentState.CONFIRMED


def test_an_unpaid_order_waits_and_reloads(house: House, owner: Browser) -> None:
    page = owner.get(order(house, owner))
    assert page.shows("正在确认", "请不要重复付款")
    assert page.attribute(REFRESH) == "3"


def test_a_page_left_open_reloads_less_often(house: House, owner: Browser) -> None:
    path = order(house, owner)
    house.clock.forward(timedelta(minutes=3))
    assert owner.get(path).attribute(REFRESH) == "15"


def test_without_redis_the_result_is_asked_for_all_the_same(house: House, owner: Browser) -> None:
    """When Redis is down no worker settles payments either: the page is the last to know."""
    path = order(house, owner)
    house.cashier.pay(house.payments()[0].out_trade_no)
    away = Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0))
    app = make_app(replace(house.services, redis=away))
    assert Browser(app.test_client(), "o-owner", IN_WECHAT).get(path).shows("已到账")


def test_a_result_no_longer_reloads(house: House, owner: Browser) -> None:
    path = order(house, owner)
    house.cashier.pay(house.payments()[0].out_trade_no)
    assert "refresh" not in owner.get(path).html


def test_the_provider_is_asked_at_most_once_every_few_seconds(house: House, owner: Browser) -> None:
    path = order(house, owner)
    for _ in range(5):
        owner.get(path)
    assert house.cashier.query_calls == 1
    [key] = house.services.redis.keys("asked:*")
    assert 0 < house.services.redis.ttl(key) <= 3


def test_a_booked_payment_is_not_asked_about_again(house: House, owner: Browser) -> None:
    path = order(house, owner)
    house.cashier.pay(house.payments()[0].out_trade_no)
    owner.get(path)
    house.services.redis.flushdb()
    assert owner.get(path).shows("已到账")
    assert house.cashier.query_calls == 1


def test_when_the_provider_is_silent_the_page_goes_on_waiting(house: House, owner: Browser) -> None:
    path = order(house, owner)
    house.cashier.failure = ChannelUnreachable("time-out")
    page = owner.get(path)
    assert page.status == 200
    assert page.shows("正在确认")


def test_an_expired_order_is_closed_and_the_bills_remain(house: House, owner: Browser) -> None:
    path = order(house, owner)
    house.clock.forward(ORDER_LIFE + timedelta(seconds=1))
    assert owner.get(path).shows("这一笔已关闭", "账单还在")
    assert house.unpaid()


def test_the_result_belongs_to_the_payer_and_the_home(house: House, owner: Browser) -> None:
    path = order(house, house.phone("o-helper"))
    assert owner.get(path).shows("正在确认", "1-1-302")
    page = house.phone("o-stranger").get(path)
    assert page.status == 403
    assert page.hides("1-1", yuan(house.owed()))


def test_a_helper_sees_the_result_without_the_room(house: House, owner: Browser) -> None:
    helper = house.phone("o-helper")
    path = order(house, helper)
    house.cashier.pay(house.payments()[0].out_trade_no)
    page = helper.get(path)
    assert page.shows("已到账", "1-1-**2")
    assert page.hides("1-1-302")
    receipt = helper.get(receipt_of(page))
    assert receipt.shows("收据", "1-1-**2")
    assert receipt.hides("1-1-302", "物业费<", "项目")


def test_a_made_up_payment_opens_nothing(house: House, owner: Browser) -> None:
    path = order(house, owner)
    assert owner.get(path[:-1]).status == 404
    assert owner.get(f"/o/paid/{house.token}").status == 404
    assert owner.get("/o/receipt/x").status == 404
