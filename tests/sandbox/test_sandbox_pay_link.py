"""Paying a link as a person in WeChat's browser does, with the real cashier behind it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_world import Keys, World, html, new_keys
from tiny_shop import Shop, shop_world

ANN = "oAnn"


@pytest.fixture(scope="module")
def open_shop(
    tmp_path_factory: pytest.TempPathFactory, platform: Keys
) -> Iterator[tuple[World, Shop]]:
    folder: Path = tmp_path_factory.mktemp("shop")
    with shop_world(folder, platform, new_keys()) as opened:
        yield opened


@pytest.fixture
def here(open_shop: tuple[World, Shop]) -> World:
    return open_shop[0]


@pytest.fixture
def shop(open_shop: tuple[World, Shop]) -> Shop:
    shop = open_shop[1]
    shop.refuses = False
    shop.submitted.clear()
    return shop


def test_a_link_is_paid_in_full_and_the_service_is_told(here: World, shop: Shop) -> None:
    paid = here.api.act(ANN, "pay", url=f"{here.service.url}/pay")
    assert paid["paid_fen"] == 27580
    assert paid["notify_status"] == "accepted"
    assert shop.callbacks[-1]["out_trade_no"] == paid["out_trade_no"]
    assert shop.callbacks[-1]["payer"]["openid"] == ANN
    assert shop.submitted == [{"bill": "7", "lines": "1", "amount": "275.80", "by": "wechat"}]
    orders = {order["out_trade_no"]: order for order in here.api.get("/ledger").json()["orders"]}
    order = orders[paid["out_trade_no"]]
    assert (order["state"], order["paid_fen"]) == ("SUCCESS", 27580)


def test_a_part_is_paid_and_the_result_page_is_opened(here: World, shop: Shop) -> None:
    paid = here.api.act(ANN, "pay", url="/pay", amount_fen=1005)
    assert paid["paid_fen"] == 1005
    assert shop.submitted[-1]["amount"] == "10.05"
    assert "referer" not in here.service.visits[-1]
    assert any(visit.get("cookie") == f"openid={ANN}" for visit in here.service.visits)


def test_a_bill_page_leads_to_the_payment_page(here: World, shop: Shop) -> None:
    assert here.api.act("oBen", "pay", url=f"{here.service.url}/bill")["paid_fen"] == 27580


def test_what_the_page_complains_about_is_passed_on(here: World, shop: Shop) -> None:
    shop.refuses = True
    answer = here.api.phone(ANN, "pay", {"url": "/pay"})
    assert answer.status_code == 409
    error = answer.json()["error"]
    assert error == "open: no payment form on the page: 缴费 - 账单已缴清"


def test_each_failing_step_is_named(here: World, shop: Shop) -> None:
    here.service.pages["deaf"] = lambda: html(
        "<form><input name=amount></form><h1>没有反应</h1>", "页面"
    )
    here.service.pages["odd"] = lambda: html(
        "<form action=/odd><input name=amount></form><p data-jsapi='{\"appId\":1}'></p>"
    )
    here.service.pages["bad"] = lambda: html(
        "<form action=/bad><input name=amount></form>"
        '<p data-jsapi=\'{"appId":"a","package":"prepay_id=1"}\'></p>'
    )
    errors = {
        path: here.api.phone(ANN, "pay", {"url": path}).json()["error"]
        for path in ("/deaf", "/odd", "/bad", "/missing", "http://192.0.2.1/x")
    }
    assert errors["/deaf"] == "submit: the page does not call the cashier: 页面 - 没有反应"
    assert errors["/odd"] == "submit: data-jsapi is not an object of texts"
    assert errors["/bad"].startswith("cashier: ")
    assert errors["/missing"].startswith("open: HTTP 404: 没有这一页")
    assert errors["http://192.0.2.1/x"] == "open: 192.0.2.1 is not the service"


def test_a_dropped_callback_is_not_waited_for_long(here: World, shop: Shop) -> None:
    here.api.post_raw("/faults", {"target": "pay_notify", "mode": "drop", "count": 1})
    paid = here.api.act(ANN, "pay", url="/pay")
    assert paid["paid_fen"] == 27580
    assert paid["notify_status"] != "accepted"


def test_another_phone_cannot_confirm_an_order(here: World, shop: Shop) -> None:
    answer = here.api.phone("oBen", "cashier/open", {"appId": "x"})
    assert answer.status_code == 409
    assert answer.json()["error"]
    assert here.api.phone("oBen", "cashier/confirm", {"prepay_id": "none"}).status_code == 409
    assert here.api.phone("oBen", "cashier/confirm", {}).status_code == 400
