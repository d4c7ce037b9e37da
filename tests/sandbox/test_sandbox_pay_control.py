"""Codes and addresses paid through the control API, and what tests may set there."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
from sandbox_world import MCHID, Keys, World, html, new_keys
from tiny_shop import Shop, shop_world

from sandbox.clock import SHANGHAI


@pytest.fixture(scope="module")
def open_shop(
    tmp_path_factory: pytest.TempPathFactory, platform: Keys
) -> Iterator[tuple[World, Shop]]:
    with shop_world(tmp_path_factory.mktemp("codes"), platform, new_keys()) as opened:
        yield opened


@pytest.fixture
def here(open_shop: tuple[World, Shop]) -> World:
    return open_shop[0]


@pytest.fixture
def shop(open_shop: tuple[World, Shop]) -> Shop:
    return open_shop[1]


def post(here: World, path: str, **body: Any) -> tuple[int, Any]:
    answer = requests.post(here.api.url + path, json=body, timeout=30)
    return answer.status_code, answer.json()


def test_a_code_is_paid_by_the_phone_that_scans_it(here: World, shop: Shop) -> None:
    code_url = shop.order_by_code()
    http, paid = post(here, "/phone/oNeighbour/scan-pay", code_url=code_url)
    assert (http, paid["paid_fen"], paid["notify_status"]) == (200, 27580, "accepted")
    assert shop.callbacks[-1]["out_trade_no"] == paid["out_trade_no"]
    assert shop.callbacks[-1]["payer"]["openid"] == "oNeighbour"
    http, answer = post(here, "/phone/oAnn/scan-pay", code_url=code_url)
    assert (http, answer["error"]) == (409, "cashier: 订单已支付，请勿重复支付")
    assert post(here, "/phone/oAnn/scan-pay", code_url="weixin://wxpay/none")[0] == 409
    assert post(here, "/phone/oAnn/scan-pay")[0] == 400


def test_the_phones_cashier_opens_with_a_code(here: World, shop: Shop) -> None:
    code_url = shop.order_by_code()
    http, shown = post(here, "/phone/oAnn/cashier/scan", code_url=code_url)
    assert (http, shown["amount_fen"]) == (200, 27580)
    http, paid = post(here, "/phone/oAnn/cashier/confirm", prepay_id=shown["prepay_id"])
    assert (http, paid["paid_fen"]) == (200, 27580)
    assert post(here, "/phone/oAnn/cashier/scan", code_url=code_url)[0] == 409
    assert post(here, "/phone/oAnn/cashier/scan")[0] == 400


def test_an_address_is_paid_through_the_control_api(here: World, shop: Shop) -> None:
    h5_url = shop.order_outside()
    http, paid = post(here, "/h5/pay", h5_url=h5_url)
    assert (http, paid["paid_fen"], paid["notify_status"]) == (200, 27580, "accepted")
    assert shop.callbacks[-1]["out_trade_no"] == paid["out_trade_no"]
    assert post(here, "/h5/pay", h5_url=h5_url)[0] == 409
    assert post(here, "/h5/pay", h5_url="https://hy.example/")[0] == 409
    assert post(here, "/h5/pay")[0] == 400


def test_the_page_outside_wechat_shows_pays_and_returns(here: World, shop: Shop) -> None:
    here.service.pages["back"] = lambda: html("<h1>已返回</h1>")
    h5_url = shop.order_outside()
    back = f"{h5_url}&redirect_url={here.service.url}/back"
    page = requests.get(back, timeout=30)
    assert page.status_code == 200
    assert "花园物业服务有限公司" in page.text
    assert "275.80" in page.text
    (number,) = re.findall(r'data-order="(\w+)"', page.text)
    assert "style=" not in page.text
    assert "<script" not in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'self'")
    paid = requests.post(back, timeout=30)
    assert "已返回" in paid.text
    orders = {each["out_trade_no"]: each for each in here.api.get("/ledger").json()["orders"]}
    assert orders[number]["paid_fen"] == 27580
    again = requests.get(back, timeout=30)
    assert again.status_code == 409
    assert "订单已支付" in again.text


def test_without_an_address_to_return_to_the_page_says_it_is_paid(here: World, shop: Shop) -> None:
    h5_url = shop.order_outside()
    paid = requests.post(f"{h5_url}&redirect_url=javascript:alert(1)", timeout=30)
    assert (paid.status_code, "支付成功" in paid.text) == (200, True)
    assert "javascript" not in paid.text


def test_bills_of_seeded_orders_exist_once_the_calendar_is_shifted(here: World, shop: Shop) -> None:
    day = datetime.now(SHANGHAI).date() + timedelta(days=1)
    seed = {"mchid": MCHID, "day": day.isoformat(), "count": 3, "first_no": "HYB0001"}
    assert post(here, "/pay/seed", **seed) == (200, {"count": 3, "total_fen": 3111})
    assert "exists already" in post(here, "/pay/seed", **seed)[1]["error"]
    assert post(here, "/pay/seed", **seed | {"count": 0})[0] == 400
    assert shop.apply_for_bill(day.isoformat())[0] == 400
    http, answer = post(here, "/pay/calendar", days=2)
    assert (http, answer["now"][:13]) == (200, f"{day + timedelta(days=1)}T10")
    http, offer = shop.apply_for_bill(day.isoformat())
    assert http == 200
    assert offer["download_url"].startswith(f"{here.api.url}/v3/billdownload/file?")
    assert post(here, "/pay/calendar", days="2")[0] == 400
    assert post(here, "/pay/calendar", days=0)[0] == 200


def test_keys_and_probes(here: World, shop: Shop) -> None:
    assert post(here, "/pay/signing", mode="public_key") == (200, {"mode": "public_key"})
    assert "no certificate" in post(here, "/pay/signing", mode="mixed")[1]["error"]
    assert "one of" in post(here, "/pay/signing", mode="loud")[1]["error"]
    here.service.pages["probed"] = lambda: html("")
    probed = post(here, "/pay/probe", notify_url=f"{here.service.url}/probed")
    assert probed == (200, {"http_status": 200})
    assert here.service.visits[-1]["wechatpay-signature"].startswith("WECHATPAY/SIGNTEST/")
    assert post(here, "/pay/probe")[0] == 400


def test_a_refund_is_seen_in_the_ledger(here: World, shop: Shop) -> None:
    _, paid = post(here, "/phone/oAnn/scan-pay", code_url=shop.order_by_code())
    number = paid["out_trade_no"]
    assert shop.refund(number, 580) == 200
    here.clock.turn(10)
    orders = {each["out_trade_no"]: each for each in here.api.get("/ledger").json()["orders"]}
    refunded = (orders[number]["state"], orders[number]["refunded_fen"])
    assert refunded == ("REFUND", 580)
