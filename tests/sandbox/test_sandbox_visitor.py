"""People outside WeChat pay the service's pages in browsers of their own."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from alipay import AliPay
from flask import Response, redirect, request
from sandbox_world import (
    API_V3_KEY,
    MCHID,
    PUBLIC_KEY_ID,
    SERIAL_NO,
    Keys,
    Service,
    World,
    html,
    new_keys,
    world,
)
from sandbox_world import APP_ID as WECHAT_APP_ID
from wechatpayv3 import WeChatPay, WeChatPayType
from werkzeug.wrappers import Response as AnyResponse

APP_ID, SELLER_ID = "2021001188613166", "2088931260191242"


class Shop:
    """A page with ways to pay; each submission is an order at Alipay or WeChat Pay (H5)."""

    def __init__(self, here: World, app: Keys, alipay: Keys, merchant: Keys, platform: Keys):
        self._here = here
        self._wechat = WeChatPay(
            wechatpay_type=WeChatPayType.H5,
            mchid=MCHID,
            private_key=merchant.private_pem,
            cert_serial_no=SERIAL_NO,
            apiv3_key=API_V3_KEY,
            appid=WECHAT_APP_ID,
            public_key=platform.public_pem,
            public_key_id=PUBLIC_KEY_ID,
        )
        self._wechat._core._gate_way = here.api.url
        self._client = AliPay(APP_ID, None, app.private_pem, alipay.public_pem)
        self.orders = 0
        self.agents: list[str] = []

    def pages(self) -> dict[str, Any]:
        return {
            "pay": self.pay,
            "told": lambda: Response("success"),
            "paid": lambda: html("<h1>已缴费</h1>"),
            "who": self.who,
        }

    def pay(self) -> AnyResponse:
        if request.method == "GET":
            return html(
                '<form data-way="alipay" method="post" action="/pay"><input name="amount" '
                'value="275.80"><button name="by" value="redirect">支付宝</button></form>'
                '<form data-way="page" method="post" action="/pay"><input type="hidden" '
                'name="amount" value="1.00"><button name="by" value="page">支付宝</button></form>'
                '<form data-way="wechat" method="post" action="/pay"><input name="amount" '
                'value="3.00"><button name="by" value="h5">微信支付</button></form>'
                '<a data-way="broken" href="/paid">微信</a>'
            )
        self.orders += 1
        self.agents.append(request.headers["User-Agent"])
        if request.form["by"] == "h5":
            return redirect(self._h5())
        content = {
            "out_trade_no": f"MZ{self.orders}",
            "total_amount": request.form["amount"],
            "subject": "物业费",
            "product_code": "QUICK_WAP_WAY",
        }
        urls = {
            "notify_url": f"{self._here.service.url}/told",
            "return_url": f"{self._here.service.url}/paid",
        }
        query = self._client.client_api("alipay.trade.wap.pay", content, **urls)
        url = f"{self._here.api.url}/alipay/gateway.do?{query}"
        if request.form["by"] == "page":
            return html(f'<p data-redirect="{url.replace("&", "&amp;")}">正在前往支付宝</p>')
        return redirect(url)

    def _h5(self) -> str:
        """Order at WeChat Pay; gives the address of its page, which returns to ours."""
        _, message = self._wechat.pay(
            description="物业费",
            out_trade_no=f"MZ0000{self.orders}",
            amount={"total": 300, "currency": "CNY"},
            notify_url=f"{self._here.service.url}/told",
            scene_info={"payer_client_ip": "127.0.0.1", "h5_info": {"type": "Wap"}},
        )
        back = quote(f"{self._here.service.url}/paid", safe="")
        return f"{json.loads(message)['h5_url']}&redirect_url={back}"

    def who(self) -> AnyResponse:
        answer = html(request.cookies.get("who", "nobody"))
        answer.set_cookie("who", request.headers["User-Agent"].split("(")[1][:7])
        return answer


@pytest.fixture(scope="module")
def shop_world(
    tmp_path_factory: pytest.TempPathFactory, platform: Keys
) -> Iterator[tuple[World, Shop]]:
    folder: Path = tmp_path_factory.mktemp("visitors")
    app, alipay, merchant, service = new_keys(), new_keys(), new_keys(), Service()
    config = {
        "app_id": APP_ID,
        "seller_id": SELLER_ID,
        "app_public_key_pem": app.public_pem,
        "alipay_private_key_pem": alipay.private_pem,
    }
    wechat = {
        "mchid": MCHID,
        "name": "花园物业服务有限公司",
        "app_ids": [WECHAT_APP_ID],
        "api_v3_key": API_V3_KEY,
        "serial_no": SERIAL_NO,
        "public_key_pem": merchant.public_pem,
    }
    with world(folder, platform, service, alipay=[config], merchants=[wechat]) as here:
        shop = Shop(here, app, alipay, merchant, platform)
        service.pages.update(shop.pages())
        yield here, shop


@pytest.fixture
def here(shop_world: tuple[World, Shop]) -> World:
    return shop_world[0]


@pytest.fixture
def shop(shop_world: tuple[World, Shop]) -> Shop:
    return shop_world[1]


def pay(here: World, expected: int = 200, **body: Any) -> dict[str, Any]:
    answer = requests.post(f"{here.api.url}/visitor/Ann/pay", json=body, timeout=30)
    assert answer.status_code == expected, answer.text
    return dict(answer.json())


def test_a_page_is_paid_by_alipay_from_each_browser(here: World, shop: Shop) -> None:
    for browser, mark in (("alipay", "AlipayClient"), ("phone", "Android"), ("desktop", "Windows")):
        paid = pay(here, url="/pay", browser=browser, way="alipay")
        assert paid == {
            "out_trade_no": f"MZ{shop.orders}",
            "paid_fen": 27580,
            "notify_status": "accepted",
        }
        assert mark in shop.agents[-1]
        assert "MicroMessenger" not in shop.agents[-1]
    # Beside the provider's notification, which may come before the browser or after it.
    assert shop.agents[-1] in [visit["user-agent"] for visit in here.service.visits]


def test_a_part_is_paid_and_a_page_may_lead_to_the_cashier(here: World, shop: Shop) -> None:
    assert pay(here, url="/pay", way="alipay", amount_fen=1005)["paid_fen"] == 1005
    assert pay(here, url=f"{here.service.url}/pay", way="page")["paid_fen"] == 100


def test_wechat_pay_outside_wechat_is_paid_on_its_own_page(here: World, shop: Shop) -> None:
    paid = pay(here, url="/pay", way="wechat")
    assert paid == {
        "out_trade_no": f"MZ0000{shop.orders}",
        "paid_fen": 300,
        "notify_status": "accepted",
    }
    orders = {order["out_trade_no"]: order for order in here.api.get("/ledger").json()["orders"]}
    assert orders[paid["out_trade_no"]]["provider"] == "wechat_pay"


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"url": "/pay", "way": "cash"}, 409, "open: the page offers no way cash"),
        ({"url": "/pay", "way": "broken"}, 409, "cashier: nothing to confirm"),
        ({"url": "/missing", "way": "alipay"}, 409, "open: HTTP 404"),
        ({"url": "http://192.0.2.1/", "way": "alipay"}, 409, "open: 192.0.2.1 is not"),
        ({"url": "/pay"}, 400, "way must be some text"),
        ({"url": "/pay", "way": "alipay", "browser": "lynx"}, 400, "browser must be one of"),
        ({"url": "/pay", "way": "alipay", "amount_fen": "1"}, 400, "amount_fen must be"),
    ],
)
def test_what_does_not_work_is_said(
    here: World, body: dict[str, Any], status: int, error: str
) -> None:
    assert pay(here, status, **body)["error"].startswith(error)


def test_each_browser_of_each_visitor_has_cookies_of_its_own(here: World) -> None:
    def seen(name: str, browser: str) -> str:
        answer = here.api.get(f"/visitor/{name}/page?url=/who&browser={browser}").json()
        assert (answer["status"], answer["url"]) == (200, f"{here.service.url}/who")
        found = re.search(r"<body>(.*)</body>", answer["text"])
        assert found
        return found[1]

    visits = [("Ann", "phone"), ("Ann", "phone"), ("Ann", "desktop"), ("Ben", "phone")]
    assert [seen(*visit) for visit in visits] == ["nobody", "Linux; ", "nobody", "nobody"]
