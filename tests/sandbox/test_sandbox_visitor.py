"""People outside WeChat pay the service's pages in browsers of their own."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from alipay import AliPay
from flask import Response, redirect, request
from sandbox_world import Keys, Service, World, html, new_keys, world
from werkzeug.wrappers import Response as AnyResponse

APP_ID, SELLER_ID = "2021001188613166", "2088931260191242"


class Shop:
    """A page with ways to pay; each submission is an order at Alipay."""

    def __init__(self, here: World, app: Keys, alipay: Keys):
        self._here = here
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
                '<a data-way="broken" href="/paid">微信</a>'
            )
        self.orders += 1
        self.agents.append(request.headers["User-Agent"])
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

    def who(self) -> AnyResponse:
        answer = html(request.cookies.get("who", "nobody"))
        answer.set_cookie("who", request.headers["User-Agent"].split("(")[1][:7])
        return answer


@pytest.fixture(scope="module")
def shop_world(
    tmp_path_factory: pytest.TempPathFactory, platform: Keys
) -> Iterator[tuple[World, Shop]]:
    folder: Path = tmp_path_factory.mktemp("visitors")
    app, alipay, service = new_keys(), new_keys(), Service()
    config = {
        "app_id": APP_ID,
        "seller_id": SELLER_ID,
        "app_public_key_pem": app.public_pem,
        "alipay_private_key_pem": alipay.private_pem,
    }
    with world(folder, platform, service, alipay=[config]) as here:
        shop = Shop(here, app, alipay)
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
    assert here.service.visits[-1]["user-agent"] == shop.agents[-1]


def test_a_part_is_paid_and_a_page_may_lead_to_the_cashier(here: World, shop: Shop) -> None:
    assert pay(here, url="/pay", way="alipay", amount_fen=1005)["paid_fen"] == 1005
    assert pay(here, url=f"{here.service.url}/pay", way="page")["paid_fen"] == 100


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
