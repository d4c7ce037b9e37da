"""A pretend Alipay on a real socket, an application's keys for it, its pen for odd notifications.

The sandbox checks and signs with its own code, so it does not share the product's mistakes.
"""

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import requests
from flask import Flask, Response, request

from billing.channels.alipay import Alipay
from billing.channels.alipay_gateway import AlipayKeys
from billing.channels.base import OrderRequest
from billing.money import Money
from billing.payment_tables import PaymentChannel
from sandbox import config as sandbox_config
from sandbox.alipay import AlipayBook, alipay_routes, signing
from sandbox.clock import Clock
from sandbox.faults import Faults
from sandbox.pay import crypto
from sandbox.pay.calendar import Calendar
from sandbox.store import Store
from tests.billing.channels.provider import key_pair, real_now, serving

APP_ID, SELLER_ID, OTHER_SELLER_ID = "2021001188613166", "2088931260191242", "2088000000000002"
NUMBER = "MZ20261123A01"
NOTIFY_URL = "http://127.0.0.1:9/callbacks/alipay/hy-alipay"


def alipay_keys(**changes: str) -> AlipayKeys:
    """The keys of the community's application."""
    values = {
        "app_id": APP_ID,
        "seller_id": SELLER_ID,
        "app_private_key": key_pair("alipay app").private,
        "alipay_public_key": key_pair("alipay").public,
    }
    return AlipayKeys(**values | changes)


def alipay_order(out_trade_no: str = NUMBER, **changes: Any) -> OrderRequest:
    """An order of 320.50 yuan to be paid in a phone's browser."""
    values: dict[str, Any] = {
        "out_trade_no": out_trade_no,
        "channel": PaymentChannel.ALIPAY_WAP,
        "description": "花园小区 3-2-501 物业费",
        "amount": Money(32050),
        "notify_url": NOTIFY_URL,
        "return_url": "http://127.0.0.1:9/o/paid?token=t",
        "expires_at": real_now() + timedelta(hours=2),
    }
    return OrderRequest(**values | changes)


@dataclass
class AlipayProvider:
    """The running provider."""

    book: AlipayBook
    url: str
    faults: Faults
    calendar: Calendar

    @property
    def gateway(self) -> str:
        return f"{self.url}/alipay/gateway.do"

    def channel(self, **changes: str) -> Alipay:
        """The merchant's program, talking to this provider."""
        return Alipay(alipay_keys(**changes), self.gateway, real_now)

    def open(self, link: str) -> requests.Response:
        """Open the cashier in a browser."""
        return requests.get(link, timeout=30)

    def pay(self, link: str) -> requests.Response:
        """Open the cashier and confirm; gives where the browser is sent."""
        page = self.open(link)
        answer = self.confirm(page)
        assert answer is not None, page.text
        return answer

    def confirm(self, page: requests.Response) -> requests.Response | None:
        """Confirm on an open cashier; None when the page is none, as the order has ended."""
        found = re.search(r'action="(/alipay/cashier/\d+)"', page.text)
        if found is None:
            return None
        return requests.post(self.url + found[1], allow_redirects=False, timeout=30)


@contextmanager
def running_alipay(folder: Path, clock_rate: float = 1.0) -> Iterator[AlipayProvider]:
    """A provider with its state file in `folder`, on a loopback port, while the block runs."""
    faults = Faults()
    app = Flask("alipay", static_folder=None)
    with serving(app) as url:
        clock = Clock(clock_rate)
        calendar = Calendar(clock)
        store = Store(folder / "alipay.sqlite3")
        book = AlipayBook(_sandbox(folder, url), clock, faults, store, calendar)
        app.register_blueprint(alipay_routes(book))
        yield AlipayProvider(book, url, faults, calendar)
        book.stop()
        store.close()


def _sandbox(folder: Path, public_url: str) -> sandbox_config.SandboxConfig:
    alipay = {
        "app_id": APP_ID,
        "seller_id": SELLER_ID,
        "app_public_key_pem": key_pair("alipay app").public,
        "alipay_private_key_pem": key_pair("alipay").private,
    }
    account = {
        "app_id": "wxsandbox0000000001",
        "app_secret": "s" * 32,
        "token": "sandboxtoken",
        "aes_key": "a" * 43,
        "mode": "secure",
        "name": "明账",
    }
    values = {
        "service_url": "http://127.0.0.1:9",
        "public_url": public_url,
        "state_file": "unused.sqlite3",
        "account": account,
        "templates": [],
        "merchants": [],
        "platform": {"public_key_id": "PUB_KEY_ID_1", "private_key_pem": "-"},
        "alipay": [alipay],
    }
    return sandbox_config.read(values, folder)


def trade(**changes: Any) -> dict[str, str]:
    """The fields of a notification of a payment; a change to None leaves the field out."""
    said = {
        "app_id": APP_ID,
        "auth_app_id": APP_ID,
        "buyer_id": "2088702671559842",
        "charset": "utf-8",
        "gmt_create": "2026-11-23 10:29:00",
        "gmt_payment": "2026-11-23 10:30:00",
        "notify_id": "2026112300222103000000000000000001",
        "notify_time": "2026-11-23 10:30:01",
        "notify_type": "trade_status_sync",
        "out_trade_no": NUMBER,
        "receipt_amount": "300.50",
        "seller_id": SELLER_ID,
        "subject": "花园小区 3-2-501 物业费 & 50% {}",
        "total_amount": "320.50",
        "trade_no": "2026112322001459841410823307",
        "trade_status": "TRADE_SUCCESS",
        "version": "1.0",
    }
    return {name: value for name, value in (said | changes).items() if value is not None}


def notified(fields: dict[str, str] | None = None, *, key: str = "alipay") -> dict[str, str]:
    """The fields of a notification, signed; `key` says by whom."""
    pen = crypto.load_private_key(key_pair(key).private)
    return signing.signed_params(pen, trade() if fields is None else fields)


def form(fields: dict[str, str]) -> bytes:
    """The body of a notification."""
    return urlencode(fields).encode()


Said = Callable[[str], bytes]
"""Gives the raw answer to a call of this method."""


def said(values: Any, *, key: str = "alipay", text: str | None = None) -> Said:
    """An answer signed by `key`; `text` is the object's spelling when it matters."""

    def answer(method: str) -> bytes:
        pen = crypto.load_private_key(key_pair(key).private)
        content = json.dumps(values, ensure_ascii=False) if text is None else text
        name = f"{method.replace('.', '_')}_response"
        return signing.signed_answer(pen, name, content).encode()

    return answer


@contextmanager
def answering_alipay(answer: Said, status: int = 200, bill: bytes = b"") -> Iterator[Alipay]:
    """A channel whose gateway gives this answer to every call, and this file as every bill."""
    app = Flask("answering", static_folder=None)

    @app.post("/gateway.do")
    def gateway() -> Response:
        return Response(answer(request.args["method"]), status, content_type="text/html")

    @app.get("/bill")
    def file() -> Response:
        return Response(bill, content_type="application/zip")

    with serving(app) as url:
        yield Alipay(alipay_keys(), f"{url}/gateway.do", real_now)


def zipped(**tables: str) -> bytes:
    """A bill's zip of these tables, in GBK."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, table in tables.items():
            archive.writestr(f"{name}.csv", table.encode("gb18030"))
    return packed.getvalue()


def beijing_noon(day: str) -> datetime:
    """Noon of a day in Beijing."""
    return datetime.fromisoformat(f"{day}T12:00:00+08:00")
