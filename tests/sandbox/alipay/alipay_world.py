"""A merchant on `python-alipay-sdk`, its notification address, and payers with a browser."""

import re
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import requests
from alipay import AliPay
from flask import Response, request
from sandbox_world import Keys, World

APP_ID, SELLER_ID = "2021001188613166", "2088931260191242"
NUMBER = "MZ20261123A01"
WAP, PAGE = "alipay.trade.wap.pay", "alipay.trade.page.pay"
PRODUCTS = {WAP: "QUICK_WAP_WAY", PAGE: "FAST_INSTANT_TRADE_PAY"}


def alipay_config(app: Keys, alipay: Keys) -> dict[str, str]:
    return {
        "app_id": APP_ID,
        "seller_id": SELLER_ID,
        "app_public_key_pem": app.public_pem,
        "alipay_private_key_pem": alipay.private_pem,
    }


@dataclass
class Listener:
    """The merchant's notify_url: keeps forms, answers in turn (`success` when none is left)."""

    answers: list[tuple[int, str]] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    _arrived: threading.Condition = field(default_factory=threading.Condition)

    def take(self) -> Response:
        with self._arrived:
            self.forms.append(request.form.to_dict())
            http, text = self.answers.pop(0) if self.answers else (200, "success")
            self._arrived.notify_all()
        return Response(text, http, content_type="text/plain")

    def wait_for(self, count: int) -> list[dict[str, str]]:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.forms) >= count, timeout=30)
            return list(self.forms)


class Merchant:
    """Calls the gateway through the library; links are opened with a browser's session."""

    def __init__(self, here: World, app: Keys, alipay: Keys):
        self.here = here
        self.gateway = f"{here.api.url}/alipay/gateway.do"
        self.library = AliPay(
            appid=APP_ID,
            app_private_key_string=app.private_pem,
            alipay_public_key_string=alipay.public_pem,
        )
        self.library._gateway = self.gateway

    def link(self, number: str = NUMBER, *, method: str = WAP, **changes: Any) -> str:
        """A signed link to the cashier; `changes` of a business parameter to None leave it out."""
        content = {
            "out_trade_no": number,
            "total_amount": "320.50",
            "subject": "花园小区 3-2-501 物业费",
            "product_code": PRODUCTS[method],
        }
        outer = {
            name: changes.pop(name)
            for name in ("timestamp", "notify_url", "return_url")
            if name in changes
        }
        outer = {
            "timestamp": beijing(self.here.clock.now()),
            "notify_url": f"{self.here.service.url}/notify",
            "return_url": f"{self.here.service.url}/back?bill=7",
        } | outer
        content = {name: v for name, v in (content | changes).items() if v is not None}
        return f"{self.gateway}?{self.library.client_api(method, content, **outer)}"

    def call(self, method: str, **content: str) -> dict[str, Any]:
        """Call and verify with the library; gives the answer's object."""
        content = {"out_trade_no": NUMBER} | content
        if "trade_no" in content:
            del content["out_trade_no"]
        return dict(self.library.server_api(method, content))

    def open(self, link: str, **headers: str) -> requests.Response:
        return requests.get(link, headers=headers, timeout=30)

    def confirm(self, page: requests.Response) -> requests.Response:
        """Press the cashier's button."""
        found = re.search(r'action="(/alipay/cashier/\d+)"', page.text)
        assert found, page.text
        url = self.here.api.url + found[1]
        return requests.post(url, allow_redirects=False, timeout=30)

    def pay(self, number: str = NUMBER, **changes: Any) -> requests.Response:
        """Open a link and confirm."""
        opened = self.open(self.link(number, **changes))
        assert opened.status_code == 200, opened.text
        answer = self.confirm(opened)
        assert answer.status_code in (200, 302), answer.text
        return answer

    def order(self, number: str = NUMBER) -> dict[str, Any]:
        """The trade in the sandbox's ledger."""
        orders = self.here.api.get("/ledger").json()["orders"]
        return next(order for order in orders if order["out_trade_no"] == number)


def beijing(moment: datetime, **later: float) -> str:
    """A moment as Alipay spells it; the sandbox's clock is Beijing's."""
    return f"{moment + timedelta(**later):%Y-%m-%d %H:%M:%S}"
