"""A person opens the cashier by the merchant's link, once or several times, in time or late."""

from typing import Any

import pytest
from alipay_world import NUMBER, PAGE, WAP, Merchant, beijing


@pytest.mark.parametrize("method", [WAP, PAGE])
def test_the_cashier_shows_what_is_paid_for(merchant: Merchant, method: str) -> None:
    page = merchant.open(merchant.link(method=method))
    assert "320.50" in page.text
    assert "3-2-501" in page.text
    assert f'data-order="{NUMBER}"' in page.text
    assert "<script" not in page.text
    assert merchant.confirm(page).status_code == 302


def test_without_a_way_back_the_cashier_says_that_it_is_paid(merchant: Merchant) -> None:
    answer = merchant.pay(return_url="")
    assert (answer.status_code, "付款成功" in answer.text) == (200, True)


def test_the_link_can_be_opened_again_until_it_is_paid(merchant: Merchant) -> None:
    link = merchant.link()
    assert [merchant.open(link).status_code for _ in range(2)] == [200, 200]
    first = merchant.call("alipay.trade.query")["trade_no"]
    page = merchant.open(link)
    merchant.confirm(page)
    assert merchant.call("alipay.trade.query")["trade_no"] == first
    for answer in (merchant.open(link), merchant.confirm(page)):
        assert (answer.status_code, "交易已被支付" in answer.text) == (400, True)


def test_one_number_belongs_to_one_amount(merchant: Merchant) -> None:
    merchant.open(merchant.link())
    other = merchant.open(merchant.link(total_amount="0.01"))
    assert (other.status_code, "ACQ.CONTEXT_INCONSISTENT" in other.text) == (400, True)


@pytest.mark.parametrize(
    "change",
    [
        {"total_amount": "0"},
        {"total_amount": "1e3"},
        {"total_amount": "1,000.00"},
        {"total_amount": "320.505"},
        {"subject": None},
        {"product_code": "QUICK_WAP_PAY"},
        {"out_trade_no": "号码"},
        {"timeout_express": "soon"},
        {"timeout_express": "16d"},
        {"time_expire": "tomorrow"},
        {"time_expire": "2020-01-01 00:00:00"},
    ],
    ids=str,
)
def test_a_link_with_a_wrong_parameter_opens_nothing(
    merchant: Merchant, change: dict[str, Any]
) -> None:
    answer = merchant.open(merchant.link(**change))
    assert (answer.status_code, "ACQ.INVALID_PARAMETER" in answer.text) == (400, True)
    assert merchant.here.api.get("/ledger").json() == {"orders": []}


def test_a_changed_link_opens_nothing(merchant: Merchant) -> None:
    answer = merchant.open(merchant.link().replace("320.50", "000.01"))
    assert "isv.invalid-signature" in answer.text


def test_wechats_browser_is_kept_out(merchant: Merchant) -> None:
    answer = merchant.open(merchant.link(), **{"User-Agent": "Mobile MicroMessenger/8.0.60"})
    assert (answer.status_code, "浏览器" in answer.text) == (400, True)


def test_a_link_that_names_its_end_dies_unopened(merchant: Merchant) -> None:
    clock = merchant.here.clock
    link = merchant.link(time_expire=beijing(clock.now(), hours=2))
    clock.turn(121)  # two hours at sixty times the speed
    answer = merchant.open(link)
    assert (answer.status_code, "订单已超时" in answer.text) == (400, True)
    assert merchant.call("alipay.trade.query")["sub_code"] == "ACQ.TRADE_NOT_EXIST"


def test_a_link_that_names_a_span_begins_to_age_when_it_is_opened(merchant: Merchant) -> None:
    clock = merchant.here.clock
    link = merchant.link(timeout_express="2h")
    clock.turn(3600)
    page = merchant.open(link)
    assert page.status_code == 200
    clock.turn(121)
    assert "交易已经关闭" in merchant.confirm(page).text
    assert merchant.call("alipay.trade.query")["trade_status"] == "TRADE_CLOSED"


def test_an_unknown_trade_cannot_be_confirmed(merchant: Merchant) -> None:
    page = merchant.open(merchant.link())
    page._content = page.content.replace(b"/alipay/cashier/2", b"/alipay/cashier/9")
    assert "交易不存在" in merchant.confirm(page).text
