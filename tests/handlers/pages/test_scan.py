"""The code on paper and the shared link: total and masked room, paid wherever it is opened."""

import pytest

from billing.money import Money
from billing.payment_tables import PaymentChannel, PaymentState
from handlers.pages.places import place_of
from handlers.ways import offered_ways
from notify.links import BillRef
from notify.wording import yuan
from tests.handlers.pages.conftest import (
    BASE_URL,
    IN_ALIPAY,
    IN_WECHAT,
    ON_COMPUTER,
    ON_PHONE,
    Browser,
    House,
)
from tests.handlers.pages.reading import Page

REDIRECT = "//main[@id='leaving']/@data-redirect"


def ways_on(page: Page) -> list[str]:
    assert page.tree is not None
    return [str(value) for value in page.tree.xpath("//button[@data-way]/@value")]


@pytest.mark.parametrize(
    ("user_agent", "place"),
    [
        (IN_WECHAT, "wechat"),
        (IN_WECHAT + " WindowsWechat", "wechat"),
        (IN_ALIPAY, "alipay"),
        (ON_PHONE, "phone"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Safari", "phone"),
        (ON_COMPUTER, "desktop"),
        ("", "desktop"),
    ],
)
def test_a_browser_says_where_it_is(user_agent: str, place: str) -> None:
    assert place_of(user_agent).value == place


@pytest.mark.parametrize(
    ("user_agent", "ways"),
    [
        (IN_WECHAT, ["wechat_jsapi"]),
        (IN_ALIPAY, ["alipay_wap"]),
        (ON_PHONE, ["wechat_h5", "alipay_wap"]),
        (ON_COMPUTER, ["wechat_native", "alipay_page"]),
    ],
)
def test_each_place_has_its_ways(house: House, user_agent: str, ways: list[str]) -> None:
    house.open_every_way()
    page = Browser(house.app.test_client(), "o-stranger", user_agent).get(house.scan_path)
    assert page.status == 200
    assert page.shows("花园小区", "1-1-**2", f"¥{yuan(house.owed())}")
    assert page.hides("1-1-302", "物业费", "逾期", "李")
    assert ways_on(page) == ways


def test_a_way_without_keys_is_absent_everywhere(house: House) -> None:
    house.open_every_way()
    del house.channels["HYALI"]
    for user_agent in (IN_WECHAT, IN_ALIPAY, ON_PHONE, ON_COMPUTER):
        page = Browser(house.app.test_client(), "o-stranger", user_agent).get(house.scan_path)
        assert page.hides("alipay_")
        assert not page.shows("支付宝")
        with house.world.database.transaction() as session:
            ways = offered_ways(
                house.services, session, house.world.community.id, place_of(user_agent)
            )
        assert ways_on(page) == [way.channel.value for way in ways]


def test_inside_wechat_alipay_is_a_code_and_a_link_to_copy(house: House, stranger: Browser) -> None:
    house.open_every_way()
    page = stranger.get(house.scan_path)
    assert page.shows("用支付宝付款", "复制链接到手机浏览器打开")
    assert page.attribute("//details//input/@value") == f"{BASE_URL}{house.scan_path}"
    assert page.attribute("//details//img/@src").startswith("data:image/svg+xml")


def test_where_nothing_is_open_the_page_says_where_it_is(house: House) -> None:
    page = house.browser(IN_ALIPAY).get(house.scan_path)
    assert ways_on(page) == []
    assert page.shows("用微信付款", "微信里点开")
    house.channels.clear()
    assert house.browser(ON_PHONE).get(house.scan_path).shows("还没有开通线上缴费", "服务中心")


def test_a_bill_on_paper_leads_to_its_home(house: House) -> None:
    bill = house.unpaid()[-1]
    token = house.services.links.bill_token(BillRef(bill.community_id, bill.id))
    page = house.browser(ON_PHONE).get(f"/o/scan/{token}")
    assert page.shows("1-1-**2", f"¥{yuan(house.owed())}")
    assert page.hides("1-1-302")


def test_who_lives_there_goes_on_to_his_own_page(house: House, owner: Browser) -> None:
    bill = house.unpaid()[-1]
    token = house.services.links.bill_token(BillRef(bill.community_id, bill.id))
    assert owner.get(house.scan_path).path == f"/o/home/{house.token}"
    assert owner.get(f"/o/scan/{token}").path == f"/o/bill/{token}"


def test_a_shared_link_opened_in_a_phone_browser_is_the_same_page(house: House) -> None:
    for user_agent in (ON_PHONE, IN_ALIPAY):
        page = house.browser(user_agent).get(f"/o/home/{house.token}")
        assert page.path == house.scan_path
    assert house.computer().get(f"/o/home/{house.token}").path == "/o/sign-in"


def test_a_made_up_code_opens_nothing(house: House) -> None:
    for token in ("x", house.token[:-1]):
        page = house.browser(ON_PHONE).get(f"/o/scan/{token}")
        assert page.status == 404
        assert page.shows("这个链接打不开")


def test_a_browser_nobody_knows_pays_and_sees_the_result(house: House) -> None:
    alipay = house.open_every_way()
    owed = house.owed()
    phone = house.browser(ON_PHONE)
    form = phone.get(house.scan_path).form("/o/pay") | {"way": "alipay_wap"}
    leaving = phone.post("/o/pay", form)
    [payment] = house.payments()
    order = alipay.orders[payment.out_trade_no]
    assert leaving.attribute(REDIRECT) == f"https://cashier.test/?order={payment.out_trade_no}"
    assert leaving.attribute("//meta[@name='referrer']/@content") == "origin"
    assert (payment.payer_id, payment.amount) == (None, owed)
    assert order.channel is PaymentChannel.ALIPAY_WAP
    assert order.return_url is not None
    assert order.return_url.startswith(f"{BASE_URL}/o/paid/")
    alipay.pay(payment.out_trade_no)
    result = phone.get(order.return_url.removeprefix(BASE_URL))
    assert result.shows("已到账", f"¥{yuan(owed)}", "1-1-**2")
    [receipt] = [link for link in result.links() if "/o/receipt/" in link]
    page = phone.get(receipt)
    assert page.shows("收据", "1-1-**2", "支付宝")
    assert page.hides("1-1-302", "物业费<")


def test_another_browser_learns_only_whether_it_arrived(house: House) -> None:
    alipay = house.open_every_way()
    phone = house.browser(ON_PHONE)
    phone.post("/o/pay", phone.get(house.scan_path).form("/o/pay") | {"way": "alipay_wap"})
    [payment] = house.payments()
    path = str(alipay.orders[payment.out_trade_no].return_url).removeprefix(BASE_URL)
    other = house.browser(IN_ALIPAY)
    assert other.get(path).shows("正在确认")
    alipay.pay(payment.out_trade_no)
    house.services.redis.flushdb()
    page = other.get(path)
    assert page.shows("已到账")
    assert page.hides("1-1", yuan(payment.amount), "/o/receipt/")
    assert other.get(path.replace("/paid/", "/receipt/")).path == "/o/sign-in"


def test_on_a_computer_the_code_is_shown_until_it_is_paid(house: House) -> None:
    house.open_every_way()
    computer = house.signed_in_computer()
    form = computer.get(f"/o/home/{house.token}").form("/o/pay") | {"way": "wechat_native"}
    page = computer.post("/o/pay", form)
    assert page.path.startswith("/o/paid/")
    assert page.shows("微信扫码付款", f"¥{yuan(house.owed())}")
    assert page.attribute("//div[@class='scan']/img/@src").startswith("data:image/svg+xml")
    assert page.attribute("//meta[@http-equiv='refresh']/@content") == "3"
    house.cashier.pay(house.payments()[0].out_trade_no)
    house.services.redis.flushdb()
    assert computer.get(page.path).shows("已到账")


def test_the_form_of_one_browser_is_worth_nothing_in_another(house: House) -> None:
    house.open_every_way()
    first, second = house.browser(ON_PHONE), house.browser(ON_PHONE)
    form = first.get(house.scan_path).form("/o/pay")
    mine = second.get(house.scan_path).form("/o/pay")
    page = second.post("/o/pay", form | {"csrf_token": mine["csrf_token"]})
    assert page.status == 400
    assert page.shows("这一页放得太久了", "没有扣款")
    assert house.scan_path in page.links()
    assert house.payments() == []


def test_a_way_that_is_not_offered_here_is_refused(house: House) -> None:
    house.open_every_way()
    phone = house.browser(ON_PHONE)
    form = phone.get(house.scan_path).form("/o/pay")
    for way in ("wechat_jsapi", "cash", "wechat_native"):
        page = phone.post("/o/pay", form | {"way": way})
        assert page.status == 422
        assert page.shows("付款方式现在用不了", "没有扣款")
    assert house.payments() == []


def test_somebody_who_is_paying_gives_way_to_who_goes_on(house: House, owner: Browser) -> None:
    house.open_every_way()
    phone = house.browser(ON_PHONE)
    phone.post("/o/pay", phone.get(house.scan_path).form("/o/pay") | {"way": "wechat_h5"})
    page = owner.get(f"/o/home/{house.token}")
    assert page.shows("可能有别人正在为这套房屋缴费")
    owner.post("/o/pay", page.form("/o/pay"))
    states = [payment.state for payment in house.payments()]
    assert states == [PaymentState.CLOSED, PaymentState.WAITING]


def test_a_payment_closed_for_somebody_elses_says_so(house: House, owner: Browser) -> None:
    house.open_every_way()
    phone = house.browser(ON_PHONE)
    phone.post("/o/pay", phone.get(house.scan_path).form("/o/pay") | {"way": "wechat_h5"})
    first = house.cashier.orders[house.payments()[0].out_trade_no]
    house.settle_everything()
    page = phone.get(str(first.return_url).removeprefix(BASE_URL))
    assert page.shows("这一笔已关闭", "账单已由别人缴清，不用再缴")


def test_a_late_success_of_a_closed_order_says_where_the_money_is(
    house: House, owner: Browser
) -> None:
    house.open_every_way()
    phone = house.browser(ON_PHONE)
    phone.post("/o/pay", phone.get(house.scan_path).form("/o/pay") | {"way": "wechat_h5"})
    [late] = house.payments()
    order = house.cashier.orders[late.out_trade_no]
    house.settle_everything()
    house.book_late(late)
    path = str(order.return_url).removeprefix(BASE_URL)
    page = phone.get(path)
    assert page.shows(f"已转入预存{yuan(late.amount)}元", "因为账单已由他人缴清")
    receipt = phone.get(path.replace("/paid/", "/receipt/"))
    assert receipt.shows("收据")
    assert owner.get(f"/o/prepayment/{house.token}").shows(f"+{yuan(late.amount)}", "缴费转入")


def test_an_expired_link_of_wechat_is_asked_for_again(house: House) -> None:
    house.open_every_way()
    phone = house.browser(ON_PHONE)
    form = phone.get(house.scan_path).form("/o/pay") | {"way": "wechat_h5"}
    phone.post("/o/pay", form)
    phone.post("/o/pay", form)
    assert house.cashier.order_calls == 1
    house.clock.now = house.clock.now.replace(minute=house.clock.now.minute + 5)
    assert phone.post("/o/pay", form).attribute(REDIRECT)
    assert house.cashier.order_calls == 2
    assert len(house.payments()) == 1
    assert house.payments()[0].amount > Money(0)
