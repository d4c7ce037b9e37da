"""Payment pages of the tests' own service, a merchant on `wechatpayv3`."""

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from html import escape
from pathlib import Path
from typing import Any

import requests
from flask import Response, redirect, request
from sandbox_world import (
    API_V3_KEY,
    APP_ID,
    APP_SECRET,
    MCHID,
    PUBLIC_KEY_ID,
    SERIAL_NO,
    Keys,
    Service,
    World,
    html,
    world,
)
from wechatpayv3 import SignType, WeChatPay, WeChatPayType
from werkzeug.wrappers import Response as AnyResponse

OWED = "275.80"
SCRIPT = """
document.addEventListener("WeixinJSBridgeReady", () => {
  const call = document.querySelector("[data-jsapi]");
  if (!call) return;
  WeixinJSBridge.invoke("getBrandWCPayRequest", JSON.parse(call.dataset.jsapi), (result) => {
    document.querySelector("[data-result]").textContent = result.err_msg;
    if (result.err_msg === "get_brand_wcpay_request:ok") location.href = call.dataset.return;
  });
});
"""


class Shop:
    """Pages: /bill shows a link to /pay, /pay has the form, POST /pay calls the cashier."""

    def __init__(self, sandbox_url: str, service_url: str, merchant: Keys, platform: Keys):
        self._sandbox_url = sandbox_url
        self._service_url = service_url
        self._client = WeChatPay(
            wechatpay_type=WeChatPayType.JSAPI,
            mchid=MCHID,
            private_key=merchant.private_pem,
            cert_serial_no=SERIAL_NO,
            apiv3_key=API_V3_KEY,
            appid=APP_ID,
            notify_url=f"{service_url}/callbacks/wechat_pay",
            public_key=platform.public_pem,
            public_key_id=PUBLIC_KEY_ID,
        )
        self._client._core._gate_way = sandbox_url
        self.callbacks: list[dict[str, Any]] = []
        self.submitted: list[dict[str, str]] = []
        self.refuses = False

    def pages(self) -> dict[str, Any]:
        return {
            "bill": lambda: html('<h1>账单</h1><a data-pay-link href="/pay">去缴费</a>'),
            "pay": self.pay,
            "paid": lambda: html("<h1>已缴费</h1>", "缴费结果"),
            "pay.js": lambda: Response(SCRIPT, content_type="text/javascript"),
            "callbacks/wechat_pay": self.callback,
        }

    def pay(self) -> AnyResponse:
        if request.method == "POST":
            return self.call_cashier()
        openid = request.cookies.get("openid")
        if openid is None:
            return self.sign_in()
        if self.refuses:
            return html('<p role="alert">账单已缴清</p>', "缴费")
        return html(
            f'<form method="post" action="/pay"><input type="hidden" name="bill" value="7">'
            f'<input type="checkbox" name="lines" value="1" checked>'
            f'<input type="checkbox" name="lines" value="2">'
            f'<label>金额 <input name="amount" value="{OWED}"></label>'
            f'<button name="by" value="wechat">微信支付</button></form>',
            "缴费",
        )

    def sign_in(self) -> AnyResponse:
        code = request.args.get("code")
        if code is None:
            query = {
                "appid": APP_ID,
                "redirect_uri": f"{self._service_url}/pay",
                "response_type": "code",
                "scope": "snsapi_base",
                "state": "s",
            }
            url = f"{self._sandbox_url}/connect/oauth2/authorize"
            return redirect(str(requests.Request("GET", url, params=query).prepare().url))
        grant = requests.get(
            f"{self._sandbox_url}/sns/oauth2/access_token",
            params={
                "appid": APP_ID,
                "secret": APP_SECRET,
                "code": code,
                "grant_type": "authorization_code",
            },
            timeout=30,
        ).json()
        answer = redirect("/pay")
        answer.set_cookie("openid", grant["openid"], httponly=True)
        return answer

    def call_cashier(self) -> AnyResponse:
        self.submitted.append(request.form.to_dict())
        _, message = self._client.pay(
            description="花园小区 3-2-501 物业费",
            out_trade_no=f"T{secrets.token_hex(12)}",
            amount={"total": int(Decimal(request.form["amount"]) * 100), "currency": "CNY"},
            payer={"openid": request.cookies["openid"]},
        )
        package = f"prepay_id={json.loads(message)['prepay_id']}"
        stamp, nonce = str(int(time.time())), secrets.token_hex(16)
        params = {
            "appId": APP_ID,
            "timeStamp": stamp,
            "nonceStr": nonce,
            "package": package,
            "signType": "RSA",
            "paySign": self._client.sign([APP_ID, stamp, nonce, package], SignType.RSA_SHA256),
        }
        return html(
            f'<script src="/pay.js"></script><p data-result></p>'
            f'<div data-jsapi="{escape(json.dumps(params))}" data-return="/paid"></div>',
            "正在支付",
        )

    def order_by_code(self) -> str:
        """Give the code of a new Native order."""
        return self._order(WeChatPayType.NATIVE)["code_url"]

    def order_outside(self) -> str:
        """Give the address of a new H5 order."""
        browser = {"payer_client_ip": "203.0.113.9", "h5_info": {"type": "Wap"}}
        return self._order(WeChatPayType.H5, scene_info=browser)["h5_url"]

    def _order(self, kind: WeChatPayType, **more: Any) -> dict[str, str]:
        _, text = self._client.pay(
            description="花园小区 3-2-501 物业费",
            out_trade_no=f"T{secrets.token_hex(12)}",
            amount={"total": 27580, "currency": "CNY"},
            pay_type=kind,
            **more,
        )
        return dict(json.loads(text))

    def refund(self, out_trade_no: str, fen: int) -> int:
        """Ask for a part of such an order back; gives the HTTP status."""
        amount = {"refund": fen, "total": 27580, "currency": "CNY"}
        http, _ = self._client.refund(f"R{out_trade_no}", out_trade_no=out_trade_no, amount=amount)
        return int(http)

    def apply_for_bill(self, day: str) -> tuple[int, dict[str, str]]:
        """Apply for a day's trade bill."""
        http, text = self._client.trade_bill(day)
        return int(http), dict(json.loads(text))

    def callback(self) -> AnyResponse:
        result = self._client.callback(dict(request.headers), request.get_data())
        self.callbacks.append(result["resource"])
        return Response(status=204)


@contextmanager
def shop_world(folder: Path, platform: Keys, merchant: Keys) -> Iterator[tuple[World, Shop]]:
    """A sandbox whose service takes payments."""
    merchants = [
        {
            "mchid": MCHID,
            "name": "花园物业服务有限公司",
            "app_ids": [APP_ID],
            "api_v3_key": API_V3_KEY,
            "serial_no": SERIAL_NO,
            "public_key_pem": merchant.public_pem,
        }
    ]
    service = Service()
    with world(folder, platform, service, merchants=merchants) as here:
        shop = Shop(here.api.url, service.url, merchant, platform)
        service.pages.update(shop.pages())
        yield here, shop
