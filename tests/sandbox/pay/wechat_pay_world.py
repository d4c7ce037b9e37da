"""The people of the pay tests: a merchant on `wechatpayv3`, its callback address, its keys."""

import copy
import gzip
import hashlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from wechatpayv3 import WeChatPay, WeChatPayType

from sandbox.pay import Paid, PayBook

APP_ID = "wxsandbox0000000001"
MCHID = "1900000101"
OTHER_MCHID = "1900000202"
SERIAL_NO = "5A0B1C2D3E4F"
PUBLIC_KEY_ID = "PUB_KEY_ID_0119000001012026"
API_V3_KEY = "sandbox-only-api-v3-key-32-bytes"
OWNER = "o-aunt-zhang"


@dataclass(frozen=True)
class KeyPair:
    private_pem: str
    public_pem: str


def new_key_pair() -> KeyPair:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return KeyPair(private.decode(), public.decode())


@dataclass
class Received:
    headers: dict[str, str]
    body: str
    at: float = field(default_factory=time.monotonic)


@dataclass
class Callbacks:
    """The merchant's notify_url: keeps what arrives, answers as told (204 when told nothing)."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)
    let_answer: threading.Event = field(default_factory=threading.Event)

    def accept(self, callback: Received) -> int:
        with self.arrived:
            self.received.append(callback)
            http = self.answers.pop(0) if self.answers else 204
            self.arrived.notify_all()
        self.let_answer.wait(10)
        return http

    def wait_for(self, count: int, within_s: float = 30) -> list[Received]:
        """Give what arrived once it is `count` callbacks; fails when they do not come."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.received) >= count, within_s), (
                f"{len(self.received)} of {count} callbacks within {within_s} s"
            )
            return list(self.received)


def load_library(mchid: str, keys: KeyPair, platform: KeyPair) -> WeChatPay:
    """Load `wechatpayv3` in public-key mode (slow: it checks the RSA key)."""
    return WeChatPay(
        WeChatPayType.JSAPI,
        mchid=mchid,
        private_key=keys.private_pem,
        cert_serial_no=SERIAL_NO,
        appid=APP_ID,
        apiv3_key=API_V3_KEY,
        public_key=platform.public_pem,
        public_key_id=PUBLIC_KEY_ID,
        timeout=30,
    )


class Client:
    """A merchant's program on `wechatpayv3`, which is not ours and verifies every 2xx answer."""

    def __init__(self, library: WeChatPay, base_url: str, notify_url: str):
        self.pay = copy.copy(library)
        self.pay._core = copy.copy(library._core)
        self.pay._core._gate_way = base_url
        self.pay._notify_url = notify_url

    def order(self, out_trade_no: str = "HY20261123A01", **changes: Any) -> tuple[int, Any]:
        values: dict[str, Any] = {
            "description": "3-2-501 物业费",
            "amount": {"total": 32050, "currency": "CNY"},
            "payer": {"openid": OWNER},
        }
        return parsed(self.pay.pay(out_trade_no=out_trade_no, **values | changes))

    def order_by_code(self, out_trade_no: str = "HY20261123A01", **changes: Any) -> tuple[int, Any]:
        return self.order(out_trade_no, payer=None, pay_type=WeChatPayType.NATIVE, **changes)

    def order_outside(self, out_trade_no: str = "HY20261123A01", **changes: Any) -> tuple[int, Any]:
        scene = {"payer_client_ip": "203.0.113.9", "h5_info": {"type": "Wap"}}
        values = {"payer": None, "pay_type": WeChatPayType.H5, "scene_info": scene}
        return self.order(out_trade_no, **values | changes)

    def refund(self, out_refund_no: str = "R001", fen: int = 32050, **changes: Any) -> Any:
        values: dict[str, Any] = {
            "out_trade_no": "HY20261123A01",
            "amount": {"refund": fen, "total": 32050, "currency": "CNY"},
            "reason": "重复缴费",
            "notify_url": self.pay._notify_url,
        }
        return parsed(self.pay.refund(out_refund_no, **values | changes))

    def query_refund(self, out_refund_no: str = "R001") -> tuple[int, Any]:
        return parsed(self.pay.query_refund(out_refund_no))

    def trade_bill(self, day: date, bill_type: str = "ALL") -> tuple[int, Any]:
        return parsed(self.pay.trade_bill(day.isoformat(), bill_type))

    def fund_bill(self, day: date, account_type: str = "BASIC") -> tuple[int, Any]:
        return parsed(self.pay.fundflow_bill(day.isoformat(), account_type))

    def download(self, offer: Any) -> bytes:
        """Download and unpack a bill; its hash is that of the unpacked bytes."""
        http, packed = self.pay.download_bill(offer["download_url"])
        assert http == 200, packed
        content = gzip.decompress(packed)
        assert offer["hash_type"] == "SHA1"
        assert hashlib.sha1(content).hexdigest() == offer["hash_value"]
        return content

    def query(self, out_trade_no: str = "HY20261123A01", **by: Any) -> tuple[int, Any]:
        by = by or {"out_trade_no": out_trade_no}
        return parsed(self.pay.query(**by))

    def close(self, out_trade_no: str = "HY20261123A01", **by: Any) -> tuple[int, Any]:
        return parsed(self.pay.close(out_trade_no, **by))

    def call_up(self, prepay_id: str, **changes: str) -> dict[str, str]:
        """What the merchant's page hands to getBrandWCPayRequest."""
        signed = [APP_ID, "1795430000", "n0nce", f"prepay_id={prepay_id}"]
        names = ("appId", "timeStamp", "nonceStr", "package")
        parameters = dict(zip(names, signed, strict=True))
        return parameters | {"signType": "RSA", "paySign": self.pay.sign(signed)} | changes

    def read(self, callback: Received) -> Any:
        """Verify and decode a callback; None for a wrong signature."""
        return self.pay.callback(callback.headers, callback.body)


def parsed(answer: tuple[int, str | bytes]) -> tuple[int, Any]:
    http, text = answer
    return http, json.loads(text) if text else None


def pay(book: PayBook, client: Client, out_trade_no: str = "HY20261123A01") -> Paid:
    """Order, open the cashier as the owner, and confirm."""
    http, answer = client.order(out_trade_no)
    assert http == 200, answer
    checkout = book.checkout(client.call_up(answer["prepay_id"]), OWNER)
    return book.confirm(checkout.prepay_id, OWNER)


def until(true: Callable[[], bool], within_s: float = 30) -> None:
    """Wait for something that happens by itself; fails when it does not."""
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, f"did not happen within {within_s} s"
        time.sleep(0.01)
